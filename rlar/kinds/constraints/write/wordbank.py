"""Plain words and sentences to build responses from: English by slots, other languages as ready sentences."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from rlar.kinds.constraints.read.lexicon import word_set


def _listed(text: str) -> list[str]:
    return text.split()


NOUNS = _listed(
    "garden river window market road village forest harbor kitchen teacher story letter morning winter summer bridge mountain bird dog cat "
    "horse boat lamp door tree child artist doctor farmer city plan idea song book map stone field sky light fish king zoo jazz quilt box "
    "fox vow wagon youth park plant part dish task point hall room world town island wolf moon ship"
)
PLURALS = _listed(
    "gardens rivers windows markets roads villages forests kitchens teachers stories letters bridges mountains birds dogs cats horses boats lamps doors "
    "trees artists doctors farmers cities plans ideas songs books maps stones fields lights kings zoos boxes wagons parks plants tasks points rooms towns ships"
)
ADJECTIVES = _listed(
    "small quiet bright old new warm cold simple long short green happy calm honest gentle strong clear deep wide soft brave fresh kind grand "
    "rapid vivid exotic jolly zesty lovely fair tiny huge common local busy open plain"
)
VERBS = _listed(
    "found saw took made kept gave held left moved built drew liked painted followed watched carried shaped joined filled visited "
    "brought caught showed taught bought sought had got put cut lit"
)
ADVERBS = _listed("today slowly often again well soon always early gladly calmly twice now daily still")
DETERMINERS = ("the", "this", "that", "our", "my", "his", "any", "a", "no")
JOINERS = ("and", "with", "for", "by", "at", "to", "of")
SINGLES = _listed("Indeed Certainly Gladly Truly Sometimes Today Always Stillness Calm Joy Hush")

BY_LETTER: dict[str, tuple[str, ...]] = {
    "a": ("amber", "animals", "appear", "always", "again"), "b": ("bright", "birds", "bring", "big", "berries"),
    "c": ("calm", "cats", "carry", "cool", "cherries"), "d": ("daring", "dogs", "deliver", "deep", "dreams"),
    "e": ("every", "evening", "elephants", "enjoy", "eggs"), "f": ("five", "foxes", "find", "fresh", "figs"),
    "g": ("gentle", "geese", "gather", "green", "grapes"), "h": ("happy", "horses", "hear", "humble", "hymns"),
    "i": ("idle", "insects", "inspect", "icy", "islands"), "j": ("jolly", "jaguars", "juggle", "juicy", "jars"),
    "k": ("kind", "kings", "keep", "keen", "kites"), "l": ("little", "lambs", "like", "long", "lakes"),
    "m": ("many", "mice", "make", "merry", "music"), "n": ("nice", "neighbors", "notice", "new", "nests"),
    "o": ("old", "owls", "observe", "open", "oceans"), "p": ("proud", "parrots", "paint", "pretty", "pictures"),
    "q": ("quick", "queens", "quote", "quiet", "questions"), "r": ("red", "robins", "reach", "rich", "rivers"),
    "s": ("seven", "swans", "see", "silver", "stars"), "t": ("tall", "tigers", "take", "tiny", "treasures"),
    "u": ("upbeat", "uncles", "use", "unusual", "umbrellas"), "v": ("vivid", "voices", "value", "vast", "valleys"),
    "w": ("wise", "wolves", "watch", "wild", "waterfalls"), "x": ("xylophone", "foxes", "explain", "extra", "boxes"),
    "y": ("young", "yaks", "yearn", "yellow", "yards"), "z": ("zany", "zebras", "zigzag", "zesty", "zones"),
}  # fmt: skip
"""Adjective, noun, verb, adjective, noun: five words that carry (and, but for x, begin with) the letter."""

STOCK: dict[str, tuple[str, ...]] = {
    "de": ("Der kleine Garten liegt hinter dem alten Haus.", "Am Morgen gehen viele Leute gern zum Markt.", "Die Kinder spielen heute im Park und lachen laut.", "Wir haben gestern ein gutes Buch gelesen.", "Das Wetter war in dieser Woche sehr angenehm."),
    "fr": ("Le petit jardin se trouve derrière la vieille maison.", "Chaque matin beaucoup de gens vont au marché.", "Les enfants jouent dans le parc et rient beaucoup.", "Nous avons lu un très bon livre hier soir.", "Le temps était très agréable cette semaine."),
    "es": ("El pequeño jardín está detrás de la casa vieja.", "Cada mañana mucha gente va al mercado.", "Los niños juegan en el parque y se ríen mucho.", "Ayer leímos un libro muy bueno.", "El tiempo fue muy agradable esta semana."),
    "it": ("Il piccolo giardino si trova dietro la vecchia casa.", "Ogni mattina molta gente va al mercato.", "I bambini giocano nel parco e ridono molto.", "Ieri abbiamo letto un libro molto bello.", "Questa settimana il tempo è stato molto piacevole."),
    "pt": ("O pequeno jardim fica atrás da casa velha.", "Todas as manhãs muita gente vai ao mercado.", "As crianças brincam no parque e riem muito.", "Ontem nós lemos um livro muito bom.", "O tempo foi muito agradável nesta semana."),
    "nl": ("De kleine tuin ligt achter het oude huis.", "Elke ochtend gaan veel mensen naar de markt.", "De kinderen spelen in het park en lachen veel.", "Wij hebben gisteren een heel goed boek gelezen.", "Het weer was deze week erg aangenaam."),
    "sv": ("Den lilla trädgården ligger bakom det gamla huset.", "Varje morgon går många människor till torget.", "Barnen leker i parken och skrattar mycket.", "Vi läste en mycket bra bok i går.", "Vädret har varit mycket trevligt den här veckan."),
    "fi": ("Pieni puutarha on vanhan talon takana.", "Joka aamu monet ihmiset menevät torille.", "Lapset leikkivät puistossa ja nauravat paljon.", "Luimme eilen erittäin hyvän kirjan.", "Sää oli tällä viikolla hyvin miellyttävä."),
    "pl": ("Mały ogród znajduje się za starym domem.", "Każdego ranka wielu ludzi idzie na targ.", "Dzieci bawią się w parku i dużo się śmieją.", "Wczoraj przeczytaliśmy bardzo dobrą książkę.", "Pogoda w tym tygodniu była bardzo przyjemna."),
    "tr": ("Küçük bahçe eski evin arkasında bulunuyor.", "Her sabah birçok insan pazara gidiyor.", "Çocuklar parkta oynuyor ve çok gülüyor.", "Dün çok güzel bir kitap okuduk.", "Bu hafta hava çok güzeldi."),
    "ru": ("Маленький сад находится за старым домом.", "Каждое утро многие люди идут на рынок.", "Дети играют в парке и много смеются.", "Вчера мы прочитали очень хорошую книгу.", "Погода на этой неделе была очень приятной."),
    "bg": ("Малката градина се намира зад старата къща.", "Всяка сутрин много хора отиват на пазара.", "Децата играят в парка и се смеят много.", "Вчера прочетохме една много хубава книга.", "Времето тази седмица беше много приятно."),
    "uk": ("Маленький сад розташований за старим будинком.", "Щоранку багато людей ідуть на ринок.", "Діти граються в парку і багато сміються.", "Учора ми прочитали дуже гарну книжку.", "Погода цього тижня була дуже приємною."),
    "el": ("Ο μικρός κήπος βρίσκεται πίσω από το παλιό σπίτι.", "Κάθε πρωί πολλοί άνθρωποι πηγαίνουν στην αγορά.", "Τα παιδιά παίζουν στο πάρκο και γελούν πολύ.", "Χθες διαβάσαμε ένα πολύ καλό βιβλίο."),
    "he": ("הגן הקטן נמצא מאחורי הבית הישן.", "בכל בוקר אנשים רבים הולכים לשוק.", "הילדים משחקים בפארק וצוחקים הרבה.", "אתמול קראנו ספר טוב מאוד."),
    "ar": ("تقع الحديقة الصغيرة خلف البيت القديم.", "كل صباح يذهب كثير من الناس إلى السوق.", "يلعب الأطفال في الحديقة ويضحكون كثيرا.", "قرأنا أمس كتابا جيدا جدا."),
    "fa": ("باغ کوچک پشت خانه قدیمی قرار دارد.", "هر روز صبح مردم زیادی به بازار می روند.", "بچه ها در پارک بازی می کنند و زیاد می خندند.", "دیروز یک کتاب بسیار خوب خواندیم."),
    "ur": ("چھوٹا باغ پرانے گھر کے پیچھے ہے۔", "ہر صبح بہت سے لوگ بازار جاتے ہیں۔", "بچے پارک میں کھیلتے ہیں اور بہت ہنستے ہیں۔", "کل ہم نے ایک بہت اچھی کتاب پڑھی۔"),
    "hi": ("छोटा बगीचा पुराने घर के पीछे है.", "हर सुबह बहुत से लोग बाज़ार जाते हैं.", "बच्चे पार्क में खेलते हैं और बहुत हँसते हैं.", "कल हमने एक बहुत अच्छी किताब पढ़ी."),
    "bn": ("ছোট বাগানটি পুরানো বাড়ির পিছনে আছে.", "প্রতিদিন সকালে অনেক মানুষ বাজারে যায়.", "শিশুরা পার্কে খেলে এবং অনেক হাসে.", "গতকাল আমরা একটি খুব ভালো বই পড়েছি."),
    "ta": ("சிறிய தோட்டம் பழைய வீட்டின் பின்னால் உள்ளது.", "ஒவ்வொரு காலையும் பலர் சந்தைக்குச் செல்கிறார்கள்.", "குழந்தைகள் பூங்காவில் விளையாடி மிகவும் சிரிக்கிறார்கள்.", "நேற்று நாங்கள் ஒரு நல்ல புத்தகம் படித்தோம்."),
    "te": ("చిన్న తోట పాత ఇంటి వెనుక ఉంది.", "ప్రతి ఉదయం చాలా మంది మార్కెట్‌కు వెళ్తారు.", "పిల్లలు పార్కులో ఆడుకుంటూ బాగా నవ్వుతారు.", "నిన్న మేము చాలా మంచి పుస్తకం చదివాము."),
    "kn": ("ಚಿಕ್ಕ ತೋಟವು ಹಳೆಯ ಮನೆಯ ಹಿಂದೆ ಇದೆ.", "ಪ್ರತಿದಿನ ಬೆಳಿಗ್ಗೆ ಅನೇಕ ಜನರು ಮಾರುಕಟ್ಟೆಗೆ ಹೋಗುತ್ತಾರೆ.", "ಮಕ್ಕಳು ಉದ್ಯಾನದಲ್ಲಿ ಆಡುತ್ತಾ ತುಂಬಾ ನಗುತ್ತಾರೆ."),
    "gu": ("નાનો બગીચો જૂના ઘરની પાછળ છે.", "દરરોજ સવારે ઘણા લોકો બજારમાં જાય છે.", "બાળકો બગીચામાં રમે છે અને ખૂબ હસે છે."),
    "pa": ("ਛੋਟਾ ਬਾਗ ਪੁਰਾਣੇ ਘਰ ਦੇ ਪਿੱਛੇ ਹੈ.", "ਹਰ ਸਵੇਰ ਬਹੁਤ ਸਾਰੇ ਲੋਕ ਬਾਜ਼ਾਰ ਜਾਂਦੇ ਹਨ.", "ਬੱਚੇ ਪਾਰਕ ਵਿੱਚ ਖੇਡਦੇ ਹਨ ਅਤੇ ਬਹੁਤ ਹੱਸਦੇ ਹਨ."),
    "mr": ("लहान बाग जुन्या घराच्या मागे आहे.", "दररोज सकाळी बरेच लोक बाजारात जातात.", "मुले उद्यानात खेळतात आणि खूप हसतात."),
    "ne": ("सानो बगैंचा पुरानो घरको पछाडि छ.", "हरेक बिहान धेरै मानिसहरू बजार जान्छन्.", "बालबालिकाहरू पार्कमा खेल्छन् र धेरै हाँस्छन्."),
    "th": ("สวนเล็กอยู่ด้านหลังบ้านเก่า", "ทุกเช้าผู้คนมากมายไปตลาด", "เด็กเล่นในสวนและหัวเราะมาก"),
    "vi": ("Khu vườn nhỏ nằm phía sau ngôi nhà cũ.", "Mỗi buổi sáng nhiều người đi chợ.", "Trẻ em chơi trong công viên và cười rất nhiều.", "Hôm qua chúng tôi đã đọc một cuốn sách rất hay."),
    "id": ("Kebun kecil itu terletak di belakang rumah tua.", "Setiap pagi banyak orang pergi ke pasar.", "Anak-anak bermain di taman dan banyak tertawa.", "Kemarin kami membaca buku yang sangat bagus."),
    "sw": ("Bustani ndogo iko nyuma ya nyumba ya zamani.", "Kila asubuhi watu wengi huenda sokoni.", "Watoto wanacheza katika bustani na kucheka sana.", "Jana tulisoma kitabu kizuri sana."),
    "ko": ("작은 정원은 오래된 집 뒤에 있습니다.", "매일 아침 많은 사람들이 시장에 갑니다.", "아이들은 공원에서 놀고 많이 웃습니다.", "어제 우리는 아주 좋은 책을 읽었습니다."),
    "ja": ("小さな庭は古い家の後ろにあります。", "毎朝たくさんの人が市場へ行きます。", "子どもたちは公園で遊んでよく笑います。", "昨日私たちはとても良い本を読みました。"),
    "zh": ("小花园在老房子的后面。", "每天早上很多人去市场。", "孩子们在公园里玩得很开心。", "昨天我们读了一本很好的书。"),
}  # fmt: skip
"""ISO 639-1 -> own sentences without commas."""


class Writer:
    """Makes English sentences of a wanted length from words that a filter allows."""

    def __init__(self, rng: random.Random, allowed: Callable[[str], bool], topic: list[str]) -> None:
        self.rng = rng
        self.nouns = [w for w in NOUNS if allowed(w)]
        self.plurals = [w for w in PLURALS if allowed(w)]
        self.topic = [w for w in topic if allowed(w)]
        self.adjectives = [w for w in ADJECTIVES if allowed(w)]
        self.verbs = [w for w in VERBS if allowed(w)]
        self.adverbs = [w for w in ADVERBS if allowed(w)]
        self.determiners = [w for w in DETERMINERS if allowed(w)]
        self.joiners = [w for w in JOINERS if allowed(w)]
        self.singles = [w for w in SINGLES if allowed(w)]
        self.able = bool(self.nouns and self.verbs and self.adjectives)
        """Whether any sentence can be made."""

    def _noun(self) -> str:
        if self.topic and self.rng.random() < 0.3:
            return self.rng.choice(self.topic)
        return self.rng.choice(self.nouns)

    def _phrase(self, words: int) -> list[str]:
        """A noun phrase of exactly so many words (1 to 3)."""
        if words <= 1 or not self.determiners:
            return [*self.rng.sample(self.adjectives, min(words - 1, len(self.adjectives))), self._noun()][-words:]
        head = self.rng.choice(self.determiners)
        return [head, *([self.rng.choice(self.adjectives)] if words == 3 else []), self._noun()]

    def words(self, count: int) -> list[str]:
        """A sentence of exactly `count` words, lower case, without a full stop."""
        if count <= 1:
            return [self.rng.choice(self.singles or self.nouns).lower()]
        if count == 2:
            return [self.rng.choice(self.plurals or self.nouns), self.rng.choice(self.verbs)]
        first = 2 if count <= 5 else 3
        if count < 5:
            first = 1
        sentence = [*self._phrase(first), self.rng.choice(self.verbs)]
        rest = count - len(sentence)
        second = min(3, rest)
        sentence += self._phrase(second) if second else []
        while len(sentence) < count:
            rest = count - len(sentence)
            if rest >= 2 and self.joiners:
                size = min(3, rest - 1)
                sentence += [self.rng.choice(self.joiners), *self._phrase(size)]
            elif self.adverbs:
                sentence.append(self.rng.choice(self.adverbs))
            else:
                sentence.append(self.rng.choice(self.plurals or self.nouns))
        if sentence[0] in ("a", "no"):
            sentence[0] = next((d for d in self.determiners if d not in ("a", "no")), self.rng.choice(self.adjectives))
        return sentence[:count]


_TOPIC_WORD = re.compile(r"[a-z]{4,10}")
_TOO_COMMON = word_set(
    "write words word your should response answer include least most more less than please sentences sentence paragraph paragraphs letter letters with that this "
    "about make sure must contain entire using following exactly highlight section sections markdown between title text capital lowercase english language keyword "
    "keywords times appear repeat request before give first then them they from have will would could into need want only also does what which when where without "
    "avoid commas comma bullet points point brackets square represented placeholders placeholder double quotation marks wrap finish phrase exact create describe"
)


def topic_words(topic_text: str, limit: int = 6) -> list[str]:
    """A few content words of the prompt, for a response that seems to be about it."""
    seen: dict[str, None] = {}
    for word in _TOPIC_WORD.findall(topic_text[:2000].lower()):
        if word not in _TOO_COMMON and not word.endswith(("ly", "ing", "ed")):
            seen.setdefault(word)
    return list(seen)[:limit]
