"""Small words with exact meaning: numbers, comparisons, units, languages, punctuation marks."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple


def word_set(text: str) -> frozenset[str]:
    """The words of a text, for look-up."""
    return frozenset(text.split())


# ------------------------------------------------------------------------------------------ numbers

_ONES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_OTHER = {
    "once": 1, "twice": 2, "thrice": 3, "single": 1, "dozen": 12, "a dozen": 12, "half a dozen": 6, "a single": 1,
    "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9, "zehn": 10,
    "einmal": 1, "zweimal": 2, "dreimal": 3, "hundert": 100,
    "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10,
    "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "sept": 7, "huit": 8, "neuf": 9, "dix": 10,
    "due": 2, "tre": 3, "quattro": 4, "cinque": 5, "sei": 6, "sette": 7, "otto": 8, "nove": 9, "dieci": 10,
    "dois": 2, "duas": 2, "três": 3, "quatro": 4, "sete": 7, "oito": 8, "dez": 10,
}  # fmt: skip
ORDINALS = {
    "first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5,
    "sixth": 6, "6th": 6, "seventh": 7, "7th": 7, "eighth": 8, "8th": 8, "ninth": 9, "9th": 9, "tenth": 10, "10th": 10,
    "last": -1, "final": -1, "opening": 1, "closing": -1, "erste": 1, "ersten": 1, "zweite": 2, "zweiten": 2, "dritte": 3,
    "dritten": 3, "letzte": -1, "primer": 1, "segundo": 2, "tercer": 3, "último": -1, "premier": 1, "deuxième": 2,
    "troisième": 3, "dernier": -1,
}  # fmt: skip

_SMALL = "|".join(sorted([*_ONES], key=len, reverse=True))
_TEN = "|".join(_TENS)
NUMBER = (
    r"(?:\d{1,3}(?:,\d{3}){1,6}(?!\d)|\d{1,7}"
    rf"|(?:(?:{_SMALL}|an?)\s++(?:hundred|thousand)(?:\s++(?:and\s++)?(?:(?:{_TEN})(?:[\s-](?:{_SMALL}))?|(?:{_SMALL})))?)"
    rf"|(?:{_TEN})(?:[\s-](?:{_SMALL}))?|(?:{_SMALL})|{'|'.join(sorted(_OTHER, key=len, reverse=True))})"
)
"""Regex for a number in digits or in words (English up to thousands, a few small ones elsewhere)."""


def number(text: str) -> int:
    """The value of a text that NUMBER matched."""
    text = " ".join(text.lower().replace("-", " ").split())
    if text[0].isdigit():
        return int(text.replace(",", ""))
    if text in _OTHER:
        return _OTHER[text]
    total, current = 0, 0
    for word in text.split():
        if word in _ONES:
            current += _ONES[word]
        elif word in _TENS:
            current += _TENS[word]
        elif word in ("a", "an"):
            current += 1
        elif word == "hundred":
            current *= 100
        elif word == "thousand":
            total, current = total + current * 1000, 0
    return total + current


# ------------------------------------------------------------------------------------------ comparisons

_COMPARISONS: dict[str, tuple[str, ...]] = {
    "ge": (
        "at least", "at the very least", "no fewer than", "no less than", "not less than", "not fewer than", "a minimum of",
        "minimum of", "minimum", "min.", "min", "as few as", "mindestens", "wenigstens", "nicht weniger als", "al menos",
        "por lo menos", "como mínimo", "un mínimo de", "mínimo", "no menos de", "au moins", "un minimum de", "pas moins de",
        "almeno", "come minimo", "pelo menos", "no mínimo", "minstens", "≥", ">=",
    ),
    "gt": (
        "more than", "greater than", "longer than", "higher than", "upwards of", "in excess of", "exceeding", "exceeds",
        "exceed", "go over", "goes over", "going over", "over", "above", "beyond", "mehr als", "länger als", "más de",
        "más que", "plus de", "più di", "mais de", "mais do que", ">",
    ),
    "le": (
        "at most", "at the most", "no more than", "not more than", "a maximum of", "maximum of", "maximum", "max.", "max",
        "up to", "not exceed", "not exceeding", "no longer than", "not longer than", "no greater than", "within",
        "capped at", "limited to", "a limit of", "limit of", "höchstens", "maximal", "nicht mehr als", "como máximo",
        "un máximo de", "máximo", "no más de", "au plus", "au maximum", "un maximum de", "pas plus de", "al massimo",
        "non più di", "no máximo", "não mais de", "≤", "<=",
    ),
    "lt": (
        "less than", "fewer than", "lower than", "smaller than", "shorter than", "under", "below", "weniger als", "unter",
        "menos de", "menos que", "moins de", "meno di", "<",
    ),
    "eq": (
        "exactly", "precisely", "just", "only", "a total of", "total of", "equal to", "strictly", "exact", "genau",
        "exakt", "exactamente", "exactement", "esattamente", "exatamente", "=",
    ),
    "around": (
        "around", "about", "approximately", "roughly", "approx.", "approx", "circa", "nearly", "almost", "close to",
        "in the region of", "some", "ca.", "etwa", "ungefähr", "rund", "alrededor de", "aproximadamente", "unos", "unas",
        "environ", "à peu près", "cerca de", "circa", "~", "≈",
    ),
    "between": ("between", "from", "anywhere from", "anywhere between", "zwischen", "entre", "tra", "de", "von"),
}  # fmt: skip
_MEANING = {phrase: op for op, phrases in _COMPARISONS.items() for phrase in phrases}
COMPARE = "|".join(re.escape(p).replace(r"\ ", r"\s++") for p in sorted(_MEANING, key=len, reverse=True))
_AFTER: dict[str, str] = {
    "or more": "ge", "or longer": "ge", "and above": "ge", "or above": "ge", "and up": "ge", "and more": "ge", "+": "ge",
    "at least": "ge", "minimum": "ge", "at minimum": "ge", "at a minimum": "ge", "at the minimum": "ge", "at the least": "ge", "min": "ge",
    "oder mehr": "ge", "o más": "ge", "ou plus": "ge", "o più": "ge",
    "or less": "le", "or fewer": "le", "or shorter": "le", "or below": "le", "or under": "le", "and under": "le",
    "at most": "le", "at maximum": "le", "at a maximum": "le", "maximum": "le", "max": "le", "at the most": "le", "tops": "le",
    "or so": "around", "oder weniger": "le", "o menos": "le", "ou moins": "le", "o meno": "le",
    "exactly": "eq", "in total": "eq",
}  # fmt: skip
AFTER = "|".join(re.escape(p).replace(r"\ ", r"\s++") for p in sorted(_AFTER, key=len, reverse=True))


class Range(NamedTuple):
    """Inclusive bounds and how they were put."""

    low: int | None
    high: int | None
    style: Literal["bound", "exact", "bare", "around"]
    """bound: at least, less than, between. exact: "exactly 3". bare: just "3". around: "about 300"."""


def quantity(tag: str = "") -> str:
    """Regex for an amount, its groups prefixed by `tag`: "at least 3", "5 to 10", "300+", "2 or fewer", "four"."""
    return (
        rf"(?<![\w.,$#])(?:(?P<{tag}compare>{COMPARE})\s*+(?:a\s++total\s++of\s++|the\s++|or\s++equal\s++to\s++)?)?"
        rf"(?P<{tag}n>{NUMBER})"
        rf"(?:\s*+(?P<{tag}joint>-|–|—|to|and|or|bis|y|et|und|a|à)\s*+(?P<{tag}cap>at\s++most\s++|no\s++more\s++than\s++|not\s++more\s++than\s++|up\s++to\s++|less\s++than\s++|fewer\s++than\s++|under\s++|a\s++maximum\s++of\s++)?(?P<{tag}m>{NUMBER}))?"
        rf"(?P<{tag}after>\s*+\+|\s++(?:or|and)\s++(?:more|less|fewer|above|up|longer|shorter|under))?(?![\w%°]|[.,]\d)"
    )


def read_range(match: re.Match[str], tag: str = "", *, negated: bool = False, after: str | None = None) -> Range:
    """The Range of a `quantity(tag)` match; `negated` turns "(not) more than 3" into at most 3.

    Args:
        after: an `AFTER` phrase found behind the unit ("200 words or less").
    """
    groups = match.groupdict()
    op = _MEANING.get(" ".join((groups[f"{tag}compare"] or "").split()))
    n = number(groups[f"{tag}n"])
    m_text, joint = groups.get(f"{tag}m"), groups.get(f"{tag}joint")
    tail = after or groups.get(f"{tag}after")
    if m_text is not None:
        m = number(m_text)
        cap = groups.get(f"{tag}cap")
        if cap is not None and op in ("ge", "gt"):
            return Range(n + (op == "gt"), m - cap.startswith(("less", "fewer", "under")), "bound")
        if op == "between" or joint in ("to", "-", "–", "—", "bis", "or", "a", "à"):
            low, high = min(n, m), max(n, m)
            return Range(low, high, "bound" if op != "around" else "around")
    if op in (None, "eq", "between") and tail is not None:
        op = _AFTER.get(" ".join(tail.split()), op)
    if negated:
        op = {"gt": "le", "lt": "ge", "ge": "lt", "le": "gt"}.get(op or "", op)
    match op:
        case "ge":
            return Range(n, None, "bound")
        case "gt":
            return Range(n + 1, None, "bound")
        case "le":
            return Range(None, n, "bound")
        case "lt":
            return Range(None, max(0, n - 1), "bound")
        case "eq":
            return Range(n, n, "exact")
        case "around":
            return Range(n, n, "around")
    return Range(n, n, "bare")


# ------------------------------------------------------------------------------------------ units

UNITS: dict[str, str] = {
    "word": r"words?|wörtern?|worte|worten|wort|palabras?|mots?|parole|palavras?|woorden",
    "sentence": r"sentences?|sätzen?|satz|oraciones|oración|frases|frasi|sentenças?|zinnen",
    "paragraph": r"paragraphs?|absätzen?|absatz|párrafos?|paragraphes?|paragrafi|parágrafos?|alinea's",
    "stanza": r"stanzas?|strophen?|estrofas?|strophes?",
    "line": r"lines?|zeilen?|líneas?|lignes?|righe|linhas?",
    "bullet": (
        r"bullet(?:ed)?[\s-]*(?:points?|items?|entries|lists?\s++items?)|bullets|bullet|aufzählungspunkten?|stichpunkten?|"
        r"viñetas?|puces?|punti\s++elenco"
    ),
    "numbered": r"numbered\s++(?:points?|items?|steps?|entries)",
    "section": r"sections?|abschnitten?|abschnitt|secciones|sección|sezioni|seções",
    "part": r"parts?|teilen?|partes?|parties|responses?|versions?|answers?|alternatives?",
    "character": r"characters?|chars?|zeichen|caracteres|caractères|caratteri",
    "letter": r"letters|buchstaben|letras|lettres",
    "syllable": r"syllables?|silben",
    "placeholder": r"place-?holders?|platzhaltern?|marcadores\s++de\s++posición|placeholder\s++fields?",
    "hashtag": r"hash-?tags?",
    "emoji": r"emojis?|emoticons?",
    "heading": r"headings?|headers?|sub-?headings?|überschriften|encabezados|titres",
    "question": r"question\s++marks?|fragezeichen",
    "exclamation": r"exclamation\s++(?:marks?|points?)|ausrufezeichen",
    "comma": r"commas?|kommas?|comas|virgules?",
    "link": r"urls?|hyperlinks?",
    "digit": r"digits?",
}
"""Canonical unit -> regex."""

CONTENT_UNITS = (
    r"ideas?|tips?|reasons?|examples?|ways?|names?|steps?|facts?|suggestions?|items?|things?|points?|options?|questions?|"
    r"jokes?|poems?|limericks?|haikus?|stories|benefits?|advantages?|disadvantages?|pros|cons|recommendations?|titles?|"
    r"topics?|exercises?|activities|entries|rows?|columns?|headlines?|quotes?|synonyms?|songs?|books?|movies?|films?|recipes?|keywords?"
)
"""Nouns that a prompt counts without asking anything of the form that code could see."""


SIZES: dict[str, str] = {
    "short": r"short|brief(?:ly)?|concise(?:ly)?|succinct(?:ly)?|kurz(?:e[nr]?)?|cort[oa]s?|breves?|courte?s?|bref|brève",
    "long": r"long|lengthy",
}
"""Sizes without a number -> the words that ask for them."""


def unit_regex() -> str:
    """One alternation, each unit a named group `u_<unit>`."""
    return "|".join(f"(?P<u_{name}>{pattern})" for name, pattern in UNITS.items())


# ------------------------------------------------------------------------------------------ languages, marks

LANGUAGES: dict[str, str] = {
    "afrikaans": "af", "albanian": "sq", "amharic": "am", "arabic": "ar", "armenian": "hy", "azerbaijani": "az", "basque": "eu",
    "belarusian": "be", "bengali": "bn", "bangla": "bn", "bosnian": "bs", "bulgarian": "bg", "burmese": "my", "catalan": "ca",
    "chinese": "zh", "mandarin": "zh", "mandarin chinese": "zh", "simplified chinese": "zh", "traditional chinese": "zh",
    "croatian": "hr", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "esperanto": "eo", "estonian": "et",
    "farsi": "fa", "filipino": "tl", "tagalog": "tl", "finnish": "fi", "french": "fr", "galician": "gl", "georgian": "ka",
    "german": "de", "greek": "el", "gujarati": "gu", "haitian creole": "ht", "hausa": "ha", "hebrew": "he", "hindi": "hi",
    "hungarian": "hu", "icelandic": "is", "indonesian": "id", "bahasa indonesia": "id", "irish": "ga", "italian": "it",
    "japanese": "ja", "javanese": "jv", "kannada": "kn", "kazakh": "kk", "khmer": "km", "korean": "ko", "kurdish": "ku",
    "kyrgyz": "ky", "lao": "lo", "latin": "la", "latvian": "lv", "lithuanian": "lt", "macedonian": "mk", "malay": "ms",
    "malayalam": "ml", "maltese": "mt", "marathi": "mr", "mongolian": "mn", "nepali": "ne", "norwegian": "no", "odia": "or",
    "pashto": "ps", "persian": "fa", "polish": "pl", "portuguese": "pt", "brazilian portuguese": "pt", "punjabi": "pa",
    "romanian": "ro", "russian": "ru", "serbian": "sr", "sindhi": "sd", "sinhala": "si", "slovak": "sk", "slovenian": "sl",
    "somali": "so", "spanish": "es", "sundanese": "su", "swahili": "sw", "kiswahili": "sw", "swedish": "sv", "tajik": "tg",
    "tamil": "ta", "telugu": "te", "thai": "th", "turkish": "tr", "turkmen": "tk", "ukrainian": "uk", "urdu": "ur",
    "uzbek": "uz", "vietnamese": "vi", "welsh": "cy", "yiddish": "yi", "yoruba": "yo", "zulu": "zu",
    "deutsch": "de", "englisch": "en", "französisch": "fr", "spanisch": "es", "italienisch": "it", "russisch": "ru",
    "español": "es", "castellano": "es", "inglés": "en", "francés": "fr", "alemán": "de", "italiano": "it", "portugués": "pt",
    "français": "fr", "anglais": "en", "allemand": "de", "espagnol": "es", "italien": "it", "português": "pt", "inglês": "en",
    "inglese": "en", "tedesco": "de", "francese": "fr", "spagnolo": "es",
}  # fmt: skip
"""Name (lower case) -> ISO 639-1."""

MARKS: dict[str, tuple[str, str]] = {
    "comma": (r"commas?|kommata|kommas?|comas?|virgules?|virgole|vírgulas?", ",，、،"),
    "period": (r"periods|period|full[\s-]stops?|dots?", "."),
    "exclamation mark": (r"exclamation\s++(?:marks?|points?)|exclamations|ausrufezeichen|signos?\s++de\s++exclamación|points?\s++d'exclamation", "!！¡"),
    "question mark": (r"question\s++marks?|fragezeichen|signos?\s++de\s++interrogación|points?\s++d'interrogation", "?？¿"),
    "semicolon": (r"semi-?colons?|strichpunkte?|puntos?\s++y\s++comas?|points?-virgules?", ";；"),
    "colon": (r"colons?|doppelpunkte?", ":："),
    "hyphen": (r"hyphens?|bindestriche?|guiones", "-‐‑"),
    "dash": (r"(?:em[\s-]?|en[\s-]?)?dashes|em[\s-]?dash|en[\s-]?dash|gedankenstriche?", "—–"),
    "parenthesis": (r"parenthes[ie]s|round\s++brackets|klammern|paréntesis|parenthèses", "()"),
    "square bracket": (r"square\s++brackets", "[]"),
    "apostrophe": (r"apostrophes?", "'’"),
    "quotation mark": (r"quotation\s++marks?|quote\s++marks?|double\s++quotes|anführungszeichen|comillas|guillemets", "\"“”„«»"),
    "asterisk": (r"asterisks?|asteriks?|aterisks?|sternchen|asteriscos?|astérisques?", "*"),
    "underscore": (r"underscores?", "_"),
    "digit": (r"digits|numerals|arabic\s++numerals|ziffern|dígitos|chiffres|numeric\s++characters?", "0123456789"),
    "ampersand": (r"ampersands?", "&"),
    "slash": (r"slash(?:es)?", "/"),
    "space": (r"(?:white)?spaces|whitespaces?", " "),
    "line break": (r"line[\s-]?breaks?|new[\s-]?lines?|zeilenumbrüche", "\n"),
}  # fmt: skip
"""Name -> (regex, the characters)."""
