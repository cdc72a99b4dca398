"""What a clause asks of the content and the manner of the response: topics, reasons, purposes, tone, audience, persona.

No checker of form can judge these, and none claims to: an open prompt asks for them as well. They are told apart by the
frame that they stand in ("in a ... tone", "be ...", "as if you were ...", "mention ...", "because ..."), whatever fills
it, as long as nothing in it speaks of form: a number, a unit, a mark, a position, an order, a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rlar.kinds.constraints.read.lexicon import LANGUAGES, MARKS, NUMBER, ORDINALS, UNITS, word_set
from rlar.kinds.constraints.read.reading import FILL

FORM_WORDS = word_set(
    "rhyme rhymes rhymed rhyming syllable syllables alliteration alliterate alliterative acrostic anagram palindrome pangram lipogram iambic pentameter trochaic "
    "vowel vowels consonant consonants alphabetical alphabetically alphabet ascending descending backwards repeat repeated repeating lowercase lower-case uppercase upper-case caps "
    "lowercased uppercased capitalized capitalised capitalize italics italic italicize italicized boldface markdown json xml yaml csv bullet bullets bulleted punctuation punctuated "
    "comma commas semicolon semicolons semi-colon colon colons hyphen hyphens hyphenated dashes parenthesis parentheses bracket brackets asterisk asterisks apostrophe apostrophes ellipsis ellipses "
    "interrobang emoji emojis hashtag hashtags word words sentence sentences paragraph paragraphs stanza stanzas lines noun nouns verb verbs adjective adjectives "
    "adverb adverbs pronoun pronouns preposition prepositions conjunction conjunctions tense spelling numeral numerals digit digits indent indented indentation "
    "newline newlines keyword keywords prefix suffix initials contraction contractions abbreviation abbreviations twice thrice alternate alternates alternating consecutive adjacent ratio verbatim "
    "heading headings subheading subheadings placeholder placeholders quotation postscript ps bigram bigrams trigram trigrams letters clause clauses ampersand ampersands slash slashes underscore underscores dash tautogram tautograms univocalic abecedarian sestina villanelle couplet couplets tercet tercets quatrain quatrains chiasmus spoonerism spoonerisms portmanteau leetspeak calligram footnote footnotes columns monosyllabic subjunctive gerund bibliography hexadecimal morse cipher simile similes metaphor metaphors onomatopoeia hyperbole pattern anaphora "
    # German, Spanish, French, Italian, Portuguese.
    "wort wörter wörtern satz sätze sätzen absatz absätze absätzen buchstabe buchstaben zeile zeilen silbe silben reim reime reimen komma kommas kommata vokal vokale kleinbuchstaben großbuchstaben "
    "palabra palabras oración oraciones párrafo párrafos letra letras línea líneas sílaba sílabas rima riman vocal vocales mayúscula mayúsculas minúscula minúsculas coma comas "
    "mot mots phrase phrases paragraphe paragraphes lettres ligne lignes syllabe syllabes rime riment voyelle voyelles majuscule majuscules minuscule minuscules virgule virgules "
    "parola parole frase frasi paragrafo paragrafi lettere riga righe sillaba sillabe vocali maiuscolo maiuscole minuscolo minuscole virgola virgole "
    "palavra palavras parágrafo parágrafos linha linhas vogal vogais maiúscula maiúsculas minúscula minúsculas vírgula vírgulas"
)
"""Words for the form of a text, in whatever clause they stand."""

_ALSO_FORM = word_set(
    # Rhetoric and grammar.
    "simile similes metaphor metaphors onomatopoeia hyperbole oxymoron pun puns anaphora refrain chorus personification idiom idioms proverb proverbs meter metre verse verses monosyllabic plural singular "
    "subject object passive active imperative subjunctive interrogative declarative person gerund participle article articles auxiliary past present future dialect spelled spelt misspelled typos "
    # Layout and notation.
    "table tables list lists column columns row rows cell cells grid block code fence tag tags html latex link links url footnote footnotes citation citations reference references bibliography apa mla ieee chicago harvard "
    "title titled subtitle header footer caption label labels labelled nest nests array arrays string strings key keys field fields value values symbol symbols sign signs characters number numbers numbered numeric roman decimal binary hexadecimal morse cipher "
    "date dates timestamp iso format formats layout template indent tab tabs space spaces spacing margin aligned align left right centre center bold underline underlined strikethrough highlighted quote quotes quoted "
    "question questions exclamation dialogue script notation unicode ascii font size colour-coded nested "
    # Places, orders, amounts.
    "first last middle beginning start end top bottom before after between next previous following order ordered sorted sort reverse reversed forward mirror mirrored symmetrical symmetric chronological ascending "
    "each every only once even odd prime multiple half double triple third quarter percent percentage count length amount total sum equal same identical unique distinct duplicate duplicates repetition repetitions repetitive pair pairs "
    "exactly least most more less fewer than maximum minimum longer shorter long short brief briefly concise lengthy yes true false typo typos if unless otherwise either except without letter acronym initial starting ending begin begins start starts ends"
)
TEXT_WORDS = FORM_WORDS | _ALSO_FORM
"""Those, and words that may also speak of something else."""
_MARK = "|".join(f"(?:{pattern})" for pattern, _characters in MARKS.values())
_SIGN = re.compile(
    rf"(?<!\w)(?:{NUMBER}|{'|'.join(ORDINALS)}|{'|'.join(pattern for unit, pattern in UNITS.items() if unit not in ('part', 'character'))}|{_MARK})(?!\w)|[\d{FILL}\"«»`*#<>\[\]{{}}_|]"
)
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


def speaks_of_form(text: str, allowed: frozenset[str] = frozenset()) -> bool:
    """Whether anything in a (masked, lower-cased) text is a word, number or mark that demands on form are made of."""
    words = frozenset(_parts(text))
    return not (words - allowed).isdisjoint(TEXT_WORDS) or _SIGN.search(text) is not None


def _parts(text: str) -> Iterator[str]:
    """Every word, and the parts of one with hyphens."""
    for word in _WORD.findall(text):
        yield word
        if "-" in word:
            yield from word.split("-")


# ------------------------------------------------------------------------------------------ manner

_QUALITIES = word_set(
    "formal informal casual professional academic scholarly technical scientific legal medical journalistic conversational colloquial neutral objective subjective impartial personal impersonal general specific precise vague "
    "angry sad happy mad upset bitter cold warm kind nice rude mean harsh blunt polite civil sincere honest candid frank gentle calm excited enthusiastic passionate dramatic romantic poetic lyrical melancholic nostalgic optimistic pessimistic positive negative "
    "cynical sarcastic ironic satirical comic comical hilarious absurd weird strange odd-sounding quirky unusual creative original innovative imaginative inventive persuasive convincing compelling engaging interesting entertaining inspiring inspirational motivational "
    "informative educational instructive clear simple plain easy readable accessible understandable natural fluent elegant eloquent sophisticated intelligent smart clever funny witty silly humorous humourous amusing cute catchy edgy snarky sassy bold confident assertive humble modest respectful "
    "diplomatic empathetic sympathetic supportive encouraging friendly unfriendly approachable welcoming direct indirect subtle serious solemn grave light light-hearted lighthearted playful childish childlike mature family-friendly appropriate suitable realistic believable plausible credible "
    "accurate correct truthful factual true relevant helpful useful practical actionable thoughtful thorough detailed in-depth deep comprehensive complex critical analytical vivid descriptive colorful colourful evocative mysterious scary spooky creepy suspenseful epic heroic tragic dark gloomy upbeat cheerful cheery energetic dynamic lively "
    "relaxed laid-back chill cool hip trendy modern old-fashioned archaic shakespearean medieval victorian futuristic professional-sounding memorable unique-sounding fun good great better best bad well awesome excellent perfect amazing beautiful pretty special different-sounding noticeable strong strongly structured coherent cohesive consistent logical balanced fair unbiased biased inclusive sensitive "
    "urgent exciting boring dull dry monotonous robotic human human-like exaggerated flowery verbose passive-aggressive aggressive threatening intimidating authoritative commanding official corporate business businesslike salesy promotional marketing poignant moving touching heartfelt emotional unemotional stoic philosophical spiritual religious political apolitical "
    "controversial provocative shocking surprising unexpected twisted british american southern pirate gothic noir whimsical magical fantastical surreal "
    # German, Spanish, French, Italian, Portuguese.
    "lustig witzig höflich freundlich förmlich formell informell sachlich ernst kreativ unterhaltsam überzeugend spannend einfach locker gracioso graciosa divertido divertida formal amable serio seria creativo creativa interesante sencillo sencilla cortés "
    "drôle amusant amusante poli polie formel formelle sérieux sérieuse créatif créative intéressant simple amical amicale divertente gentile formale serio creativo interessante semplice engraçado engraçada educado educada criativo interessante"
)
"""What readers, not checkers, find a text to be."""
_QUALITY_ENDINGS = re.compile(r"[^\W\d_]{2,}-?(?:ful|ous|ish|like|some|less|able|ible|ative|y|ing|ly)\Z")
_NO_QUALITY = word_set(
    "only every any many finally exactly precisely strictly mainly mostly simply directly respectively separately individually alternately consecutively repeatedly entirely completely fully solely purely exclusively double-ly "
    "using being having containing including starting beginning ending finishing following writing answering separating repeating rhyming alternating ascending descending increasing decreasing missing matching capitalizing "
    "wordy symmetry memory story essay summary country city day they body party study copy key reply query entry history library company family money way say may by my why try buy nothing anything everything something thing string heading meaning king spring morning evening building literally numerically alphabetically chronologically grammatically syntactically "
    "very explicit explicitly nearby variable table syllable monosyllabically equally identically visible"
)
_INTENSITY = word_set(
    "very more most really quite rather so too extremely super somewhat slightly a an the any some little bit as less not overly overtly be also always both and or but still yet at all possible as-possible just sound sounding sounds seem seems look looks feel feels read reads like no own such your kind sort of"
)


def is_quality(word: str) -> bool:
    """Whether a word says what a text is like to a reader (funny, formal, engaging), as far as words tell."""
    stem = word[:-2] if word.endswith("ly") else word
    if word in TEXT_WORDS or word in _NO_QUALITY or stem in TEXT_WORDS:
        return False
    return word in _QUALITIES or stem in _QUALITIES or _QUALITY_ENDINGS.match(word) is not None


_MANNER_NOUN = r"tones?|styles?|voice|manner|mood|register|attitude|vibe|spirit|fashion|language|feel|notations?|perspective|point\s++of\s++view|way|accent|slang|ton|stil|tono|estilo|tonalità|stile|tom"
_MANNER = re.compile(
    rf"(?:\b(?:all|each|both)(?:\s++of\s++(?:them|it|these|those))?\s++)?+(?:\b(?:in|with|using|use[sd]?|includ(?:e|es|ing)|adopt|keep|maintain|take|have|has|employ|give\s++it|give\s++the\s++\w++|apply|set|im|mit|verwende|con|usa|avec|com)\s++)"
    rf"(?P<filling>(?:[^\W\d_]++(?:[,-]\s*+|\s++)){{0,6}}?)(?P<noun>{_MANNER_NOUN})\b(?!\s++(?:that|which|where|to)\b)(?P<of>\s++(?:of|like|similar\s++to|for|suited?\s++to|appropriate\s++for)\s++[^,.;:!?()\n]{{1,80}})?"
)
""" "In a casual tone", "using the style of a president"."""
_BEING = re.compile(
    r"(?:\b(?:do\s++not|don't|never|not)\s++(?:be|sound)|\b(?:avoid|without)\s++(?:being|sounding)|\b(?:be|(?:it|response|answer|text|tone|style|language|everything)\s++(?:is|are)|sounds?|feels?|seems?|looks?|stay|remain|keep\s++(?:it|this|things|them|your\s++\w++|the\s++\w++)|makes?\s++(?:it|this|them|me|(?:the|your|this|my)(?:\s++[^\W\d_]++){1,3}?)(?:\s++(?:sound|feel|look|read|be))?|"
    r"write\s++(?:it\s++)?(?=[^\W\d_]++ly\b)|answer\s++(?=[^\W\d_]++ly\b)|respond\s++(?=[^\W\d_]++ly\b)|reply\s++(?=[^\W\d_]++ly\b)|speak\s++(?=[^\W\d_]++ly\b)|schreibe?|antworte|escribe|responde|écri[sv]\w*|répond\w*|scrivi|rispondi|escreva|sei|sein|sea|ser|sé|sois|soyez|être|sii|essere|seja))\s++(?P<filling>(?:[^\W\d_]++(?:-[^\W\d_]++)*+(?:\s*+,\s*+|\s++|(?=[.!?;:)]|$)))++)"
)
"""What follows a copula: "be polite and direct", "should be funny", "make it sound more interesting"."""
_LISTED_QUALITY = re.compile(
    r",\s*+(?:and\s++|or\s++|but\s++)?(?P<word>[^\W\d_]++(?:-[^\W\d_]++)*+)(?=\s*+(?:[,.;!]|$)|\s++and\b)"
)
_LIST_OF_QUALITIES = re.compile(r"\b(?:be|is|are|sounds?|keep|makes?|an?)\b")
_LIST_OF_WORDS = re.compile(
    r"\b(?:(?:the|these|following|key)\s++words?|keywords?|phrases?|terms?|names?|includ\w+|mention\w*)\b"
)
_QUALIFIED = re.compile(
    r"\b(?P<word>[^\W\d_]++(?:-[^\W\d_]++)*+)\s++(?:sentences?|paragraphs?|lines?|bullet\s++points?|bullets|stanzas?|verses?)\b"
)
_PERSONA = re.compile(
    r"\b(?:(?:act|speak|talk|sound\w*|write|answer|respond|reply|pretend|explain|behave|think|rewrite|rephrase|feel|read)(?:\s++(?:it|this|to\s++be))?\s++(?:like|as(?:\s++(?:if|though))?)\b|as\s++(?:if|though)\s++(?:you|i|it|they|we|he|she|the)\b|from\s++the\s++(?:perspective|point\s++of\s++view|viewpoint)\s++of\b|in\s++the\s++(?:voice|style|manner|role|person)\s++of\b|pretend\s++(?:to\s++be|that|you)\b)"
    r"(?P<filling>[^.;:!?()\n]{1,160})"
)
_AUDIENCE = re.compile(
    r"\b(?:(?:written|suitable|appropriate|understandable|accessible|aimed|intended|meant|geared|tailored|targeted|addressed|fit|directed|easy|fun|funny|interesting|entertaining|appealing|engaging|comfortable)\s++(?:for|to|at|towards|by)|(?:(?:write|answer)\s++for|explain(?:ed)?\s++(?:for|to))|(?:the|your|its|whose|target)\s++(?:target\s++)?audience\s++(?:is|are|should\s++be|will\s++be|consists\s++of)|(?:appeal|speak|cater)(?:s|ing)?\s++to|(?:attract|target|engage)(?:s|ing)?|makes?\s++(?:the\s++)?(?:readers?|people|them|me|listeners?|audience)\s++(?:feel|laugh|think|want|smile|cry)|for\s++(?:an?\s++audience\s++of|(?:the\s++)?general\s++public))(?P<filling>\s++[^.;:!?(),\n]{1,80})"
)

# ------------------------------------------------------------------------------------------ content

_SPEAKING = r"(?:mention|discuss|address|cover|emphasi[sz]e|stress|touch\s++(?:up)?on|talk\s++about|refer\s++to|focus\s++(?:only\s++)?on|concentrate\s++on|deal\s++with|write\s++about|explore|revolve\s++around|describe|explain|reference|draw\s++on|cite|invoke|involve|reflect\s++on|rely\s++on|lean\s++on|bring\s++up|elaborate\s++on|convey|express|promote|argue|erwähne\w*|menciona\w*|mentionne\w*|menziona\w*|mencione)"
_SAYING = re.compile(
    rf"(?P<denied>\b(?:without|avoid|do\s++not|don't|never|not|must\s++not|should\s++not|shouldn't|no)\s++)?+\b(?:{_SPEAKING}(?:s|es|ed)?|mentioning|discussing|addressing|covering|emphasi[sz]ing|(?<=avoid\s)(?!(?:using|starting|beginning|ending|repeating|including|containing|writing|having|putting|placing|rhyming|capitali\w+|adding|exceeding|going|opening|closing)\b)[a-z]+?ing|stressing|touching\s++on|talking\s++about|referring\s++to|focus(?:es|ing)\s++on|dealing\s++with|exploring|referencing)\s++(?P<filling>(?:(?!\b(?:in|using|with|without)\s++(?:\d|{NUMBER}|at\s++(?:least|most)|no|exactly|fewer|less|more|any|lower|upper|all|only)\b)[^.;!?()\n]){{1,200}}+)"
)
"""What is to be said, or left unsaid: "without mentioning the price", "focus on the benefits"."""
_INCLUDING = re.compile(
    r"\b(?:includ(?:e|es|ing)|contain(?:s|ing)?|has|have|having|add|adding|featur(?:e|es|ing)|incorporat(?:e|es|ing)|provide|give|offer)\s++(?P<filling>[^.;!?()\n]{2,200})"
)
_PURPOSE = re.compile(
    r"(?:^\W*+to\s++(?:(?!be\b)[^\W\d_]++)\s++[^,.;:!?\n]{1,80},|(?<=[\w>\])*\"])\s++(?:in\s++order\s++to|so\s++as\s++to|to\s++(?:represent|indicate|illustrate|show|explain|describe|emphasi[sz]e|stress|express|convey|help|support|demonstrate|stand\s++for|refer\s++to|make\s++(?:it|the\s++\w++|your\s++\w++)|get|attract|encourage|convince|persuade|inform|entertain|teach|suggest|promote|sell|celebrate|solve|address|tell|sum\s++up|summari[sz]e|avoid))\b(?P<filling>[^.;:!?()\n]{1,120}))"
)
_REASON = re.compile(
    r"(?:\b(?:because|since|so\s++that|given\s++that|considering|as\s++(?:i|we|it|he|she|they|this|my)(?:'m|'s|\s++(?:am|is|are|have|has|want|need|like|plan|was|will)))\b|(?:\s-{1,2}\s|\s*+[–—]\s*+|\s-{2}\s*+)(?=(?:i|we|it|he|she|they|this|that|my|you\s++(?:know|see))\b))(?P<filling>[^.;!?()\n]{1,200})"
)

_EDGE = re.compile(
    r"\b(?:start|begin|open|end|finish|conclude|close)(?:s|ing)?(?:\s++(?:it|off|(?:the|your)\s++[^\W\d_]++))?\s++(?:with|by)\s++(?P<filling>(?:an?|some|your)\s++[^.;:!?(),\n]{1,60})"
)
"""What is said first, or last: \"end with a call to action\"."""
_OPTIONAL = re.compile(
    r"\b(?:if|where|when|wherever|whenever|as)\s++(?:(?:it|this|that)\s++(?:fits|helps|suits|works|makes\s++sense|is\s++(?:useful|possible|appropriate|relevant|needed))|possible|useful|appropriate|needed|necessary|relevant|helpful|suitable|you\s++(?:like|can|want|wish|see\s++fit))\b"
)
"""It leaves what it stands by to the writer."""
_PROCESS = re.compile(
    r"\bthink(?:\s++(?:first|hard|carefully|step\s++by\s++step|it\s++through|about\s++it))++|\b(?:be|is)\s++(?:\w+?ly\s++)?different\s++from\s++(?P<filling>[^.;:!?(),\n]{1,80})"
)
_ANNOUNCING = re.compile(r"^(?P<filling>[^:]{1,80}):(?=\s++\S)")
""" "Let's make it a game: use no commas." """
_OBJECT = re.compile(
    r"\b(?:separat|divid|split|put|plac|present|list|organi[sz]|arrang|break)\w*+\s++(?P<filling>(?:the|your|all|both|these|each\s++of\s++the)\s++[^,.;:!?\n]{1,60}?)(?=\s++(?:in|into|as|inside|with|by|using|down)\b)"
)
"""What is to be put into a form."""
_SUBJECT = re.compile(
    r"\b(?:the|your|this)\s++(?P<filling>[^\W\d_]++\s++)?(?:pitch|post|poem|story|essay|article|email|letter(?!\s++[\"'(]?[a-z]\b)|song|description|review|speech|script|report|message|summary|ad|advertisement|plan|guide|list|dialogue|conversation|proposal|itinerary|tweet|riddle|joke)\s++(?:should|must|needs?\s++to|has\s++to|is\s++to|will|about)\b"
)
_MATERIAL = re.compile(
    rf"(?:(?P<filling>\b(?:make|given|rewrite|rephrase|turn|change|improve|translate|analy[sz]e)\s++(?:this|the|my)\s++[^\W\d_]++)\s*+:?|:)\s*+\"[{FILL}.!?]{{24,}}\""
)
"""A text to work on, in quotation marks."""


def content_spans(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of a clause that say what the response is about, what it is for, or why it is wanted."""
    for pattern in (_MATERIAL, _OPTIONAL):
        for match in pattern.finditer(text):
            yield match.span()
    for pattern in (_SAYING, _INCLUDING, _PURPOSE, _REASON, _PROCESS, _EDGE, _ANNOUNCING, _OBJECT, _SUBJECT):
        for match in pattern.finditer(text):
            filling = _OPTIONAL.sub(" ", match.group("filling") or "").replace("final answer", "")
            if not speaks_of_form(filling, _LOOSE):
                yield match.span()
            elif pattern in (_SAYING, _INCLUDING):
                # "Mention the price, and use two commas": the first of them alone.
                head = _HEAD.match(text, match.start("filling"))
                if head is not None and not speaks_of_form(head.group(), _LOOSE):
                    yield match.start(), head.end()


_HEAD = re.compile(r"[^.;:!?(),\n]++")
_LOOSE = word_set(
    "code list only different each every all first next following more less most before after or same most long short value values key right left center sign object present past future subject active start end without"
)
"""What a topic may contain without saying anything about the text that is asked for."""
TAIL_WORDS = TEXT_WORDS - _LOOSE
"""What a topic seldom contains."""


def manner_spans(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of a clause that ask for a tone, a style, a register, an audience or a persona."""
    for match in _MANNER.finditer(text):
        filling = list(_parts(match.group("filling")))
        named = not filling and match.group("of") is None and match.group("noun") != "notations"
        if named or any(word in TEXT_WORDS or word in LANGUAGES or word in _UNTOLD for word in filling):
            continue
        if match.group("of") is not None and speaks_of_form(match.group("of")):
            continue
        if match.group("noun") in ("language", "way") and not any(map(is_quality, filling)):
            continue
        yield match.span()
    for match in _BEING.finditer(text):
        end = None
        for word in _WORD.finditer(text, match.start("filling"), match.end("filling")):
            if is_quality(word.group()) or (word.group() == "bold" and match.start() == 0):
                end = word.end()
            elif word.group() not in _INTENSITY:
                break
        if end is not None:
            yield match.start(), end
    for match in _LISTED_QUALITY.finditer(text):
        before = text[: match.start()]
        if is_quality(match.group("word")) and _LIST_OF_QUALITIES.search(before) and not _LIST_OF_WORDS.search(before):
            yield match.span()
    for match in _QUALIFIED.finditer(text):
        if is_quality(match.group("word")):
            yield match.span("word")
    for pattern in (_PERSONA, _AUDIENCE):
        for match in pattern.finditer(text):
            if not speaks_of_form(match.group("filling"), _LOOSE):
                yield match.span()


_UNTOLD = word_set(
    "only scientific positional dot arrow another other different foreign native second two multiple several passive active present past future first third own body"
)
