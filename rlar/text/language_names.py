"""Names of languages as prompts write them ("French", "français", "Französisch"), and which codes mean the same.

Data only. Names are lower case; a name that is also a common word in another language is left out.
"""

from __future__ import annotations

from itertools import permutations

_TABLE = """
af afrikaans
am amharic አማርኛ
ar arabic العربية عربي عربية arabe árabe arabisch арабский арабского 阿拉伯语 アラビア語 아랍어
as assamese
az azerbaijani azeri azərbaycan
be belarusian беларуская
bg bulgarian български
bn bengali bangla বাংলা
bo tibetan
bs bosnian bosanski
ca catalan català
ceb cebuano
cs czech čeština češtiny česky tchèque checo tschechisch чешский 捷克语
cy welsh cymraeg
da danish dansk dänisch danois danés
de german deutsch deutsche deutschen allemand alemán alemão tedesco немецкий немецкого 德语 德文 ドイツ語 독일어 duits niemiecki
el greek ελληνικά griechisch grec griego
en english englisch englische englischen anglais inglés ingles inglês inglese английский английского 英语 英文 英語 영어 engels angielski engelska ingilizce anglicky английски англійська англійську
eo esperanto
es spanish español espanol spanisch espagnol espanhol spagnolo испанский испанского 西班牙语 スペイン語 스페인어 castellano castilian hiszpański
et estonian eesti
eu basque euskara
fa persian farsi فارسی
fi finnish suomi suomeksi finnisch
fr french français francais französisch französische französischen francés francês francese французский французского 法语 法文 フランス語 프랑스어 frans francuski fransızca
ga irish gaeilge
gl galician galego
gu gujarati ગુજરાતી
ha hausa
he hebrew עברית
hi hindi हिन्दी हिंदी
hr croatian hrvatski
ht haitian creole
hu hungarian magyar ungarisch
hy armenian հայերեն
id indonesian bahasa
ig igbo
is icelandic íslenska
it italian italiano italienisch italien итальянский 意大利语 イタリア語 이탈리아어 italien italiaans włoski
ja japanese 日本語 日语 日文 japonais japonés japonês giapponese japanisch японский японского 일본어
jv javanese
ka georgian ქართული
kk kazakh қазақ
km khmer
kn kannada ಕನ್ನಡ
ko korean 한국어 韩语 韓国語 koreanisch coréen coreano корейский
ku kurdish kurmanji
ky kyrgyz
la latin
lb luxembourgish
ln lingala
lo lao
lt lithuanian lietuvių
lv latvian latviešu
mg malagasy
mk macedonian македонски
ml malayalam മലയാളം
mn mongolian монгол
mr marathi मराठी
ms malay melayu
mt maltese
my burmese
ne nepali नेपाली
nl dutch nederlands niederländisch néerlandais neerlandés holländisch
no norwegian norsk bokmål nynorsk norwegisch norvégien noruego
or odia oriya
pa punjabi ਪੰਜਾਬੀ
pl polish polski polnisch polonais polaco польский
ps pashto
pt portuguese português portugues portugiesisch portugais portugués portoghese португальский 葡萄牙语 ポルトガル語
ro romanian română rumänisch roumain rumano
ru russian русский русского русском russisch russe ruso russo 俄语 俄文 ロシア語 러시아어 rosyjski
rw kinyarwanda
sa sanskrit
sd sindhi
si sinhala sinhalese සිංහල
sk slovak slovenčina slovenský
sl slovenian slovene slovenščina
so somali
sq albanian shqip
sr serbian српски srpski
su sundanese
sv swedish svenska schwedisch suédois sueco
sw swahili kiswahili
ta tamil தமிழ்
te telugu తెలుగు
tg tajik
th thai ภาษาไทย
tk turkmen
tl tagalog filipino
tr turkish türkçe türkisch turc turco
tt tatar
ug uyghur
uk ukrainian українська українську ukrainisch
ur urdu اردو
uz uzbek
vi vietnamese tiếng-việt vietnamesisch вьетнамский 越南语 ベトナム語
wo wolof
xh xhosa
yi yiddish
yo yoruba
zh chinese mandarin cantonese 中文 汉语 漢語 中国語 중국어 chinesisch chinois chino chinês cinese китайский китайского chinees chiński
zu zulu
"""

LANGUAGE_OF_NAME: dict[str, str] = {
    name: code for code, *names in (line.split() for line in _TABLE.split("\n") if line) for name in names
}
"""Lower-case name -> ISO 639-1 code."""

ENGLISH_NAME: dict[str, str] = {
    code: names[0].capitalize() for code, *names in (line.split() for line in _TABLE.split("\n") if line)
}
"""Code -> the name a report shows."""

UNSPACED_NAMES: dict[str, str] = {
    name: code for name, code in LANGUAGE_OF_NAME.items() if any("぀" <= c <= "鿿" or "가" <= c <= "힣" for c in name)
}
"""Names in scripts that put no space between words: looked for anywhere."""

_SAME = {
    "nb": "no", "nn": "no", "sh": "sr", "arz": "ar", "wuu": "zh", "yue": "zh", "nds": "de", "als": "de",
    "azb": "az", "pnb": "pa", "ckb": "ku", "mzn": "fa", "simple": "en", "tgl": "tl", "in": "id", "iw": "he",
}  # fmt: skip

_CONFUSED_GROUPS = (
    {"hr", "sr", "bs", "sl", "mk"}, {"id", "ms", "jv", "su"}, {"no", "da", "sv"}, {"cs", "sk"}, {"es", "gl", "ca", "pt", "it"},
    {"ru", "uk", "be", "bg"}, {"hi", "mr", "ne", "sa"}, {"fi", "et"}, {"fa", "ps", "ur", "ku"}, {"nl", "af"}, {"az", "tr", "tk"},
    {"zh", "ja"}, {"ar", "fa"}, {"xh", "zu"},
)  # fmt: skip
_CONFUSED = frozenset(pair for group in _CONFUSED_GROUPS for pair in permutations(group, 2))


def canonical_language(code: str) -> str:
    """One code for one language: variants that judge alike are folded ("nb" -> "no")."""
    return _SAME.get(code, code)


def easily_confused(one: str, other: str) -> bool:
    """Whether a language identifier mixes these two up on a sentence."""
    return one == other or (one, other) in _CONFUSED
