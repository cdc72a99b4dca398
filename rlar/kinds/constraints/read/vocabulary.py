"""The words that a reading of each kind accounts for, and the words that ask for nothing."""

from __future__ import annotations

import re
from functools import lru_cache

from rlar.kinds.constraints.read.lexicon import (
    AFTER,
    COMPARE,
    CONTENT_UNITS,
    LANGUAGES,
    MARKS,
    NUMBER,
    ORDINALS,
    SIZES,
    UNITS,
    word_set,
)
from rlar.kinds.constraints.read.model import Constraint

FILLER = word_set(
    # What every sentence has.
    "a an the this that these those it its it's i me my we us you your they them their he his she her is are be been being was were am "
    "do does did doing done has have had having will would shall should must can could may might to of in on at by as for from with into within onto "
    "and also please just so then here there which who whose while when what how where about i'd i'm i'll we'd you'd you're let let's "
    "need needs needed want wants like love prefer expect require requires required ought supposed such thus too very "
    # What a demand is dressed in.
    "make makes made making sure ensure ensures ensuring certain use uses used using contain contains contained containing include includes included including "
    "write writes written writing wrote give gives given giving provide provides create creates generate produce compose draft say says saying said add adds added adding "
    "put place placed insert keep keeps kept stick follow follows following answer answers response responses reply replies respond output outputs text message rewrite rewritten "
    "result content whole entire entirely complete completely full overall throughout anywhere somewhere explicitly explicit clearly strictly exactly precisely simply "
    "allowed permitted mandatory necessary acceptable necessarily important remember note task prompt request user instruction instructions rule rules constraint constraints "
    "requirement requirements criteria appear appears appearing occur occurs show shows shown mention mentions mentioned mentioning incorporate incorporates feature featuring featured "
    "employ work works try go going get come well now next addition additionally furthermore moreover finally lastly first-of-all kindly want thing things "
    "consist consists consisting comprise composed form format formatted formatting style structure structured way present presented presenting "
    "if-possible possible some any something start-to-finish time limit limited restrict restricted control total piece own"
    " but up particular nearby neighbouring neighboring whatsoever par qui che di entièrement enteramente completamente vollständig komplett interamente reach reaches stay stays remain remains run runs run's fit fits aim lies lie ok okay thanks thank hi hello yourself myself let me"
    # What a response is called.
    " poem poems story stories essay essays article articles email emails e-mail song songs lyrics tweet tweets post posts blog blogs summary summaries description descriptions "
    "review reviews speech script scripts report dialogue dialog limerick limericks haiku haikus riddle riddles joke jokes rap raps slogan slogans advertisement ad ads "
    "proposal resume pitch plan itinerary caption diary entry memo notice recipe rubric template play monologue obituary ode fable tale biography bio invitation toast "
    "document documents paper passage copy version versions explanation explanations translation list advice page file deck thread conversation forget basically"
    # German, Spanish, French, Italian, Portuguese.
    " der die das den dem des ein eine einen einem einer eines und auch bitte ist sind sein soll sollte sollen sollst muss müssen darf dürfen kann du dein deine deiner deinen deinem ihre in im am auf aus "
    "mit von für es sie ich antwort antworte schreibe schreib verwende benutze gib enthalten enthält enthalte vorkommen kommen nutze bestehen besteht über zu zum zur insgesamt lang dass geschrieben sollen werden wird ganze gesamte stelle sicher erkläre "
    "el la los las un una unos unas y e de del al en con por para que se tu su es son debe deben ser estar escribe escriba responde respuesta usa utiliza incluye incluya contener contenga tener favor texto toda todo "
    "aparecer aparece sea explica le les des du au aux et dans avec pour sur ta ton ta votre tes est sont doit doivent être écris écrivez réponds répondez réponse utilise utilisez inclus incluez contenir apparaître il elle texte toute tout "
    "s'il vous plaît te plaît veuillez lo gli i del della nella con per il tuo tua deve devono essere scrivi rispondi risposta usa includi contenere testo tutta o os as um uma no na da do em com para sua deve escreva responda resposta use inclua conter texto toda"
)
"""Words that ask for nothing by themselves. Numbers, negations, alternatives, conditions, quantifiers, orders, units and
marks are never among them: who reads a demand must account for those."""

NEGATING = re.compile(
    r"\b(?:not|(?:do|does|did|is|are|was|were|should|must|ca|could|wo|would|need|has|have|had)n't|cannot|never|without|no|none|nor|neither|nothing|avoid(?:s|ing|ed)?|refrain(?:s|ing)?|exclud(?:e|es|ed|ing)|omit(?:s|ted|ting)?|leav(?:e|ing)\s++out|steer\s++clear|stay\s++away|"
    r"free\s++(?:of|from)|devoid|ban(?:ned)?|forbidden|prohibited|disallowed|off[\s-]limits|absent|skip(?:ping)?|eschew(?:ing)?|instead|lack(?:s|ing)?|except|besides|unless|"
    r"nicht|kein(?:e|en|er|es)?|ohne|niemals|vermeide[nt]?|sin|nunca|ningun[ao]?|evita[r]?|sans|ne|pas|jamais|aucune?|évite[rz]?|senza|non|sem|não|nem)\b|-free\b"
)
"""One match a denial: who reads a demand must have taken it up."""

_COUNTED = (
    rf"(?:{COMPARE})|(?:{AFTER})|(?:or|and)\s++(?:more|less|fewer|above|up|longer|shorter|under)|or\s++equal\s++to|between|range|up\s++to|bis|d'au(?:\s++(?:moins|plus))?|"
    r"number|numbers|amount|count|length|long|total|times?|occurrences?|instances?|limit(?:ed|s)?|maximum|minimum|max|min|mal|veces|vez|fois|volte|vezes|even"
)
_DENIED_MORE = r"(?:not|n't|never|\w{2,5}n't|no|anything|nicht|no\s++debe|ne)\s++(?:\w++\s++){0,3}?(?:more|longer|greater|higher|over|above|exceed(?:s|ing)?|go(?:es|ing)?\s++over|beyond|mehr|más|plus)(?:\s++(?:than|als|de|que))?|brief|briefly|concise|succinct|short(?=\s*+[,:(-])"
_DENIED_LESS = r"(?:not|n't|never|\w{2,5}n't|no)\s++(?:\w++\s++){0,3}?(?:less|fewer|shorter|lower|under|below|drop\s++below)(?:\s++than)?"
_TIMES = r"(?:times?|mal|veces|vez|fois|volte|vezes|occurrences?|instances?|frequency|repeat(?:ed|edly)?)"
_KEY_NOUNS = (
    r"(?:key[\s-]?words?|words?|phrases?|terms?|expressions?|strings?|names?|wörtern?|wort|worte|schlüsselwörtern?|begriffe?n?|palabras?(?:\s++clave)?|frases?|término|mots?(?:[\s-]clés?)?|parol[ae](?:\s++chiave)?|palavras?(?:[\s-]chave)?|"
    r"both|all|exact|specific|two|three|four|five|least\s++once|once|target|taboo|each\s++of|weave|weaving|off|ever|vorkommen|erwähne|menciona|mentionne)"
)
_WORDS: dict[str, str] = {
    "letter_count": rf"letters?|symbols?|characters?|buchstaben?|letra|lettre|lettera|single|exact|{_TIMES}|even|ever|keyword",
    "keyword_count": rf"{_KEY_NOUNS}|{_TIMES}|only",
    "include": rf"{_KEY_NOUNS}|at\s++least\s++(?:once|one\s++of)|(?:any|one|either)\s++(?:one\s++)?of|one",
    "exclude": rf"{_KEY_NOUNS}|or|and|any|ever|even|use|usage|other|negative|etc",
    "no_characters": r"(?:punctuation|quotation)?\s*+(?:marks?|characters?|symbols?|signs?)|punctuation|any|single|all|or|at\s++all|contractions?|use|usage|numbers?|digits?|numerals?|kind|sort|type|other|even|ever",
    "characters": r"marks?|characters?|symbols?|at\s++least|one",
    "case": r"your\s++names|lowercases|uppercases|single|(?:all|only|every|each)(?:\s++(?:of\s++)?(?:the|your))?\s++(?:single\s++)?(?:letters?|words?|characters?)|all|only|lower|upper|lower[\s-]?cased?|upper[\s-]?cased?|small|capitals?|capitali[sz](?:e|ed|ing|ation)|caps|lock|letters?|block|title|cased?|everything|just|other|any|fully|"
    r"words?(?=\W++(?:in|must|should|are|be)\b)|the\s++first\s++letter\s++of\s++(?:each|every)\s++word|(?:each|every)\s++word\s++(?:starts?|begins?)|starts?|begins?|nothing|kleinbuchstaben|großbuchstaben|nur|min[úu]sculas?|may[úu]sculas?|majuscules?|maiuscol[eo]|minuscol[eo]",
    "language": r"your\s++names|languages?|(?:and\s++)?no\s++other\s++languages?(?:\s++(?:is|are|should\s++be|may\s++be)?\s*+(?:allowed|used|permitted|acceptable)?)?|outside\s++of|only|sprache|auf|idioma|langue|lingua|língua|proper|fluent|standard|plain|pure|native|speak(?:ing)?|language's|all|other\s++languages?|nothing\s++else|english\s++only",
    "starts_with": r"reads?|(?:start|begin|open)(?:s|ing|ning)?|very|first|opening|exact|phrases?|words?|sentences?|lines?|quotes?|expression|greeting|beginn\w*|empie\w+|comien\w+|commenc\w+|inizi\w+|comec\w+|anfang\w*|satz|wort|palabra|mot|literal|statement|or|either",
    "ends_with": r"reads?|off|(?:end|finish|conclud|clos)(?:e|es|s|ing)?|sign(?:s|ing)?[\s-]off|very|last|final|closing|ending|exact|phrases?|words?|sentences?|lines?|questions?|expression|statement|mark|exclamation|point|period|end|beend\w*|ende\w*|termin\w+|acab\w+|finisc\w+|conclu\w+|satz|wort|letzte[ns]?|palabra|mot|literal|or|either|"
    r"(?:and\s++)?(?:with\s++)?(?:no|nothing)\s++(?:(?:other|additional|more|further)\s++)?(?:words?|text|else)?\s*+(?:should|must|may|shall|can)?\s*+(?:come|follow|be|appear|written|said|added)*\s*+(?:after|follow(?:s|ing)?|behind)?(?:\s++(?:it|this|that))?(?:\s++(?:phrase|sentence|question|statement))?",
    "quoted": r"(?:double|single)?\s*+(?:quotation|quotations?|quote)\s*+(?:marks?)?|quotes|wrap(?:s|ped|ping)?|enclos(?:e|ed|es|ing)|surround(?:s|ed|ing)?|inside|around|between|both\s++ends|double|all|words?|everything|anführungszeichen|doppelte\w*|setze|ganze|comillas|dobles|encierra|guillemets|entoure\w*|virgolette|aspas|entre|toda|opening|closing|and\s++end|begin",
    "postscript": r"p[.\ue001]?\s?(?:p[.\ue001]?\s?)?s[.\ue001]?|post-?script|postskriptum|posdata|postdata|post-scriptum|end|ending|bottom|starts?|starting|begins?|beginning|notes?|marked|after|finish|ps|pps|labell?ed|am|ende|final|fin",
    "title": r"(?:both\s++)?(?:\w++\s++)?(?:have|having)\s++an?\s++title|titles?|titled|names?|wrap(?:ped|ping)?|enclosed?|surrounded|inside|between|double|angular|angle|brackets?|titel|in\s++spitzen\s++klammern|t[ií]tulo|corchetes|angulares|titre|chevrons|top|beginning|headline|heading|<<|>>",
    "sections": r"sections?|parts?|chapters?|paragraphs?|audiences?|days?|stanzas?|steps?|abschnitt\w*|seccion\w*|each|every|all|mark(?:ed|ing|s)?|beginning|start(?:s|ed|ing)?|begin(?:s|ning)?|label(?:l?ed|s|ing)?|noted|denoted|head(?:ed|ing|er)?|titled?|x|numbered|number|indicated?|different|respectively|separated?|split|divided?|name[d]?|prefix(?:ed)?",
    "parts": r"paragraphs?|sections?|parts?|stanzas?|break(?:s|ing)?|down|scenes?|acts?|snippets?|then|linebreaks?|separat\w+|divid\w+|split\w*|delimit\w*|between|asteri\w+|aterisk\w*|stars?|symbols?|dash\w*|hyphens?|equal|signs?|marks?|markdown|markers?|different|distinct|alternatives?|variations?|options?|suggestions?|names?|each|both|all|line|holding|only|with|six|6|three|3|consecutive|unique|two|four|new[\s-]?lines?|line\s++breaks?|blank|empty|double|after|preceded|followed|getrennt|trenn\w*|absätz\w*|separad\w*|sépar\w*|other|another|names?|movies?|letters?",
    "paragraph_starts": r"paragraphs?|absatz|párrafo|paragraphe|start(?:s|ing)?|begin(?:s|ning)?|open(?:s|ing)?|words?|first|beginn\w*|empie\w+|commenc\w+",
    "one_of": r"(?:one|exactly\s++one|any|either|1)\s++of|one|options?|choices?|choos(?:e|ing)|pick|select(?:ing)?|phrases?|sentences?|words?|statements?|values?|labels?|exact|only|either|or|between|among|from|replies|categories",
    "repeat": r"\w++",
    "structured": r"keys?|named|called|\(\d\)|(?:do\s++not|don't|never|without)\s++(?:add|say|writ|includ|output|put|provid|return)(?:e|ing)?\s++(?:anything|any\s++(?:other\s++|additional\s++|extra\s++)?(?:text|words|explanations?|comments?))|able|rendered|parsed|parsable|renderable|raw|json|xml|yaml|html|csv|latex|valid|single|one|object|block|blob|array|code|only|just|nothing\s++else|(?:and\s++)?nothing\s++(?:else|other)|wrap(?:s|ped|ping)?|enclosed?|file|markdown|ticks|backticks|fence|fenced|syntax|notation|string|all|words?|everything|anything|before|after|outside|other|return|no",
    "contains_format": r"part\s++of|indicated|denoted|marked|shown|represented|markdown|tables?|tabelle|tabla|tableau|bullet(?:ed)?|points?|bullets|lists?|numbered|ordered|unordered|code|blocks?|fenced|headings?|headers|sub-?headings?|stichpunkten?|aufzählung|viñetas|nummerierte|liste|lista|numerada|numérotée|links?",
    "no_format": r"markdown|bullets?|points?|lists?|numbered|headings?|headers?|tables?|code|blocks?|emojis?|html|links?|bold|italics?|or|any|use|plain|all|of\s++kind",
    "each": r"(?:first|last)\s++word|each|every|all|sentences?|lines?|words?|paragraphs?|bullets?|items?|points?|start(?:s|ing)?|begin(?:s|ning)?|end(?:s|ing)?|finish(?:es)?|letters?|capital|marks?|exclamation|question|emojis?|words?|single",
    "pattern": r"only|unique|words?|repeat(?:ed|ing)?|reus\w+|same|each|every|once|palindromes?|a|one|at\s++least|white\s*+spaces?|spaces?|all|line|lines|breaks?|on|single|sentences?|connected|hyphens?|between|start(?:s|ing)?|begin(?:s|ning)?|end(?:s|ing)?|finish|and|letters?|contractions?|enclose|wrap|square|brackets?|bigrams?|pairs?|double|angular|title|any|more|than",
}  # fmt: skip
"""Kind -> regex of the words that its reading accounts for, besides what its params say."""

_UNIT_WORDS: dict[str, str] = {
    "highlight": r"highlight(?:ed|s|ing)?|italic(?:s|i[sz]e[ds]?)?|bold(?:ed|face)?|emphasi[sz]ed?|sections?|text|phrases?|parts?|passages?|words?|pieces?|portions?|terms?|points?|items?|keywords?|ideas?|markdown|asteri\w+|symbol|each\s++of\s++them|by|single|double|start(?:s|ing)?|end(?:s|ing)?|surround\w*|wrap\w*|indicat\w+|denot\w+|titles?|hervor\w+|stellen|abschnitte|kursiv\w*|fett\w*|resalt\w+|destac\w+|negrita|cursiva|surlign\w+|gras|italique|parties|secciones|important|key|names?",
    "capital_word": r"words?|with|all|capitals?|capitali[sz]ed|letters?|caps|upper[\s-]?case|fully|stress|emphasi[sz]e|such|only",
    "placeholder": r"wrapped|enclosed|surrounded|written|square|brackets?|represented|bracketed|template|fields?|platzhaltern?|eckigen|klammern|corchetes|crochets",
    "bullet": r"bullets?|bulleted|points?|items?|lists?|markdown|below|entries|indicat\w+|denot\w+|dots?|asterisks?",
    "numbered": r"numbered|lists?|items?|points?|entries",
    "paragraph": r"separated?|new|between|blank|empty|lines?|new[\s-]?lines?|line\s++breaks?|two|divided?|double|markdown|divider|other",
    "stanza": r"verses?",
    "sentence": r"phrases?",
    "section": r"parts?|labell?ed",
    "hashtag": r"hash-?tags?|(?:start(?:s|ing)?|begin(?:s|ning)?)\s++with|[\"'`]?#[\"'`]?\w*",
    "digit": r"numbers?|numerals?",
    "heading": r"markdown|sub",
    "character": r"with\s++spaces|spaces|including",
    "exclamation": r"marks?|points?", "question": r"marks?",
    "item": rf"{CONTENT_UNITS}|unique|different|distinct",
}  # fmt: skip

_NEGATIVE_PATTERNS = frozenset(("no_space", "no_contractions", "unique_words", "one_line"))


def is_negative(constraint: Constraint) -> bool:
    """Whether the reading denies something."""
    p = constraint.params
    return (
        constraint.kind in ("exclude", "no_characters", "no_format")
        or (p.get("max") == 0 and constraint.kind in ("letter_count", "keyword_count", "count"))
        or (constraint.kind == "pattern" and p.get("name") in _NEGATIVE_PATTERNS)
    )


def numbers_of(constraint: Constraint) -> set[int]:
    """The numbers that a demand with this reading may have been put in (more than 3 is read as 4 and up)."""
    values: set[int] = set()
    for key in ("min", "max", "paragraph"):
        value = constraint.params.get(key)
        if isinstance(value, int):
            values |= {value, value - 1 if key == "min" else value + 1}
    if constraint.params.get("separator") == "\n\n":
        values.add(2)
    if constraint.kind == "parts":
        values |= {len(str(constraint.params.get("separator", "")))}
    if constraint.kind == "pattern":
        values.add(1)
    return values


@lru_cache(maxsize=2048)
def _accounted(kind: str, unit: str, each: str, name: str, bounds: str, denied: bool) -> re.Pattern[str]:
    parts: list[str] = []
    if kind in ("count", "letter_count", "keyword_count", "sections", "parts", "each"):
        # "Not more than" is taken up by an upper bound alone, "not fewer than" by a lower one.
        parts += {"max": [_DENIED_MORE], "min": [_DENIED_LESS]}.get(bounds, [])
        parts.append(_COUNTED)
    if kind == "count":
        parts.append(UNITS.get(unit, unit or r"\b"))
        parts.append(_UNIT_WORDS.get(unit, r"(?!)"))
        if each:
            parts.append(rf"each|every|per|all|of|{UNITS.get(each, each)}")
    if kind in _WORDS:
        parts.append(_WORDS[kind])
    if kind == "count" and name in SIZES:
        parts.append(
            rf"(?:(?:pretty|fairly|relatively|quite|super|rather|as|very)\s++)*+(?:{SIZES[name]})(?:\s++as\s++possible)?|all|each|every"
        )
    if kind == "letter_count" and denied:
        parts.append(r"(?:any\s++)?words?\s++(?:that|which|with|containing)")
    if kind == "no_characters" and name in MARKS:
        parts.append(MARKS[name][0])
    if kind == "characters":
        parts.append(re.escape(name))
    if kind == "language":
        parts.append(
            "|".join(sorted((label for label, code in LANGUAGES.items() if code == name), key=len, reverse=True))
        )
    if kind == "paragraph_starts":
        parts.append("|".join(word for word, place in ORDINALS.items() if str(place) == bounds) or r"(?!)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)")


def accounted_for(constraint: Constraint) -> re.Pattern[str]:
    """The words of a clause that this reading takes up."""
    p = constraint.params
    name = str(p.get("name") or p.get("code") or p.get("size") or "")
    bounds = str(p.get("paragraph") or "+".join(key for key in ("min", "max") if key in p))
    return _accounted(
        constraint.kind, str(p.get("unit") or ""), str(p.get("each") or ""), name, bounds, is_negative(constraint)
    )


def texts_of(constraint: Constraint) -> list[str]:
    """What the reading took from the prompt to the letter: keywords, phrases, options, markers."""
    texts: list[str] = []
    for key in ("phrases", "options", "keys"):
        texts += [str(item) for item in constraint.params.get(key) or ()]
    for key in ("keyword", "letter", "marker", "word", "separator", "starts", "ends", "text"):
        if constraint.params.get(key):
            texts.append(str(constraint.params[key]))
    if constraint.params.get("unit") in ("highlight", "bullet", "hashtag"):
        texts.append("#" if constraint.params["unit"] == "hashtag" else "*")
    return texts


NUMERIC = re.compile(rf"(?<![\w.,])(?:{NUMBER})(?![\w%]|[.,]\d)")
