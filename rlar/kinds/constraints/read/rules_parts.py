"""Wrapping, titles, postscripts, marked sections and dividers between parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rlar.kinds.constraints.read.lexicon import (
    NUMBER,
    number,
    quantity,
    read_range,
)
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import DOT, Clause, Doc, constraint_of

# ------------------------------------------------------------------------------------------ wrapping and markers

_QUOTE_WRAP = re.compile(
    r"\b(?:wrap\w*|enclos\w*|surround\w*|put|place[ds]?|includ\w*|be|contained?|in|inside|within|with|around|setze?|schließe?|encierra|entoure[zr]?|mets|pon)\b[^.;]{0,80}?\b(?:double\s++)?(?:quotation\s++marks?|quote\s++marks?|quotes|quotations?|anführungszeichen|comillas|guillemets|virgolette|aspas)\b"
)
_QUOTE_SUBJECT = re.compile(
    r"\b(?:double\s++quot(?:ation\s++marks?|es)|quotation\s++marks?)\b[^.;]{0,50}\b(?:around|surround\w*|wrap\w*|enclos\w*)\b"
)
_WHOLE_RESPONSE = re.compile(
    r"\b(?:entire|whole|complete|full|your|the|all|everything|ganze\w*|gesamte\w*|toda|todo|toute|tout|intera|inteira)\b[^.;]{0,25}\b(?:response|answer|reply|output|text|message|thing|antwort|respuesta|réponse|risposta|resposta|tweet|poem|essay|story|letter|song|rap|post|advertisement|email|speech|summary|article|review|joke|riddle|slogan|tagline|description|document|everything|paragraph|blog)\b|\beverything\b|\bit\b|\bresponse\b|\banswer\b"
)


def wrapping(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """The whole response in quotation marks, a title in <<angle brackets>>, every word in brackets."""
    if not clause.directive:
        return
    text = clause.text
    match = _QUOTE_WRAP.search(text) or _QUOTE_SUBJECT.search(text)
    if (
        match is not None
        and not clause.negated_before(match.start(), 25)
        and not re.search(r"\b(?:do\s++not|don't|without|avoid|no)\b", match.group())
    ):
        part = re.search(
            r"\b(?:title|names?|keywords?|words?|phrases?|sentences?|each|every|quotes?\s++from|dialogue|speech\s++in)\b(?!\s++(?:response|answer))",
            match.group(),
        )
        if _WHOLE_RESPONSE.search(text) and (part is None or re.search(r"\b(?:entire|whole|all\s++words)\b", text)):
            mark = "'" if re.search(r"\bsingle\s++quot", text) else '"'
            if "guillemets" in text and "double" not in text:
                mark = "«"
            yield constraint_of(doc, clause, "quoted", mark=mark)
    if re.search(
        r"<<|\bangular\s++brackets|\bangle\s++brackets|\bdouble\s++(?:angle|angular)|\bspitze\w*\s++klammern|corchetes\s++angulares|chevrons",
        text,
    ):
        if re.search(r"\b(?:every|each)\s++(?:word\s++)?(?:bigram|pair)", text):
            yield constraint_of(doc, clause, "pattern", name="bigrams_in_angle_brackets")
        elif not clause.negated_before(len(text), 200) or "title" in clause.words:
            both = re.search(r"\bboth\b[^.;]{0,60}\btitles?\b", text)
            yield constraint_of(doc, clause, "title", min=2 if both else None)
    if re.search(
        r"\b(?:enclose|wrap|put|place)\s++(?:every|each|all)\s++(?:of\s++the\s++|your\s++)?words?\b[^.]*\bsquare\s++brackets",
        text,
    ):
        yield constraint_of(doc, clause, "pattern", name="words_in_square_brackets")


_POSTSCRIPT = re.compile(
    rf"(?P<pps>p{DOT}?\s?p{DOT}?\s?s\b{DOT}?)|(?P<ps>\bp\s?{DOT}\s?s\b\s?{DOT}?)|\b(?P<word>post-?script|postskriptum|posdata|postdata|post-scriptum)\b"
)
_NOTE_LEAD = re.compile(r"\b(?:postscript|note|p\.?s|posdata|nachsatz)\b")


def postscript(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """A postscript, P.S. or P.P.S."""
    text = clause.text
    if not clause.directive:
        return
    marker = None
    for match in _POSTSCRIPT.finditer(text):
        if clause.negated_before(match.start(), 25):
            return
        if match.group("pps"):
            marker = "P.P.S"
        elif match.group("ps") and marker is None:
            marker = "P.S."
    if marker is None:
        for start, inner in doc.quotes.items():
            if clause.start <= start < clause.end and re.fullmatch(r"\s*+p\.?\s?p?\.?\s?s\.?:?\s*+", inner.lower()):
                marker = "P.P.S" if inner.lower().count("p") == 2 else "P.S."
    match_word = _POSTSCRIPT.search(text)
    if marker is None and match_word is not None and match_word.group("word"):
        marker = "P.S."
    if marker is not None:
        yield constraint_of(doc, clause, "postscript", marker=marker)


_SECTION_MARK = re.compile(
    r"\b(?:mark(?:ed|ing|s)?|start(?:s|ing|ed)?|begin(?:s|ning)?|label(?:ed|led|ing)?|head(?:ed|ing)?|titled?|named?|denoted|indicated|prefix(?:ed)?|use|called)\b[^.;]{0,70}?\b(?:with|as|by|using|like)?\s*+(?::\s*+)?(?P<q>[\"']?)(?P<at>)"
)
_MARKER = re.compile(r"(?P<word>[A-Za-z][A-Za-z]{2,20})\s++(?P<x>X|x|N|n|#|\d{1,2}|I|\[X\]|\(X\)|\{X\})(?!\w)")
_SECTION_NOUN = re.compile(
    r"\b(?:sections?|parts?|chapters?|paragraphs?|audiences?|days?|stanzas?|steps?|abschnitt\w*|seccion\w*|advertisements?|ads?|scenes?|acts?)\b"
)


def sections(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """Sections whose beginnings carry a numbered marker (SECTION 1, Day 1)."""
    if not clause.directive or _SECTION_NOUN.search(clause.text) is None:
        return
    text = clause.text
    if not re.search(
        r"\b(?:mark\w*|start\w*|begin\w*|label\w*|head\w*|titled?|denoted?|indicated?|prefix\w*|introduc\w*|noted|shown|announced|numbered)\b",
        text,
    ):
        return
    original = doc.original[clause.start : clause.end]
    best = None
    for match in _MARKER.finditer(original):
        word = match.group("word")
        generic = word.lower() in (
            "least",
            "most",
            "exactly",
            "than",
            "have",
            "contain",
            "with",
            "the",
            "least",
            "paragraph",
            "and",
            "has",
            "must",
            "into",
            "only",
            "are",
            "about",
            "over",
            "under",
        )
        if generic and not (match.group("x") in "Xx" and word.lower() == "paragraph"):
            continue
        if (
            match.group("x").isdigit()
            and match.group("x") != "1"
            and best is None
            and not re.search(r"\b1\b", original)
        ):
            continue
        if not word[0].isupper():
            continue
        best = match
        if match.group("x") in "XxNn#":
            break
    if best is None:
        return
    low = high = None
    total = re.search(rf"{quantity()}\s++(?:\w+\s++){{0,2}}?{_SECTION_NOUN.pattern}", text)
    if total is not None:
        r = read_range(total)
        low, high = r.low, r.high
        if r.style == "bare":
            high = None
    if low is None and high is None and re.search(r"\b[A-Za-z]+\s++2\b", original):
        low = max(int(n) for n in re.findall(r"\b[A-Za-z]+\s++(\d{1,2})\b", original) or ["2"])
    yield constraint_of(doc, clause, "sections", marker=best.group("word"), min=low, max=high)


# ------------------------------------------------------------------------------------------ separators and parts

_STARS = re.compile(r"\*(?:\s?\*){2,}|-{3,}|={3,}|#{3,}|_{3,}|\+{3,}|~{3,}")
_STAR_WORDS = re.compile(
    rf"(?P<n>{NUMBER})[\s-]+(?:consecutive\s++)?(?P<what>asteris?ks?|asteriks?|aterisks?|sternchen|asteriscos|astérisques|stars|dashes|hyphens|equal\s++signs|hash(?:es|tags)?|underscores|plus\s++signs)\b"
)
SEPARATE = re.compile(
    r"\b(?:following|after|preceded\s++by)\s++(?:\w+\s++)?\w+\s++(?:asteri|dash|hyphen|equal|stars)|\b(?:separat\w*|divid\w*|split\w*|delimit\w*|between|divider|getrennt|trenn\w*|separad\w*|separa\w*|sépar\w*|distinguish\w*|break\s++up)\b"
)
_BLANK = re.compile(
    r"\b(?:two|2|double)\s++(?:new[\s-]?lines?|line[\s-]?breaks?|newline\s++characters)|\bblank\s++lines?|\bempty\s++lines?|\\n\\n|\b(?:new[\s-]?lines?|line[\s-]?breaks?)\b|leerzeile\w*"
)
RESPONSES = re.compile(
    rf"\b(?P<n>two|2|three|3|four|4|both|{NUMBER})\s++(?:completely\s++|very\s++|entirely\s++)?(?:(?:different|distinct|separate|unique|alternative)\s++)?(?:responses?|answers?|versions?|replies|alternatives?|options?|variations?|variants?|poems?|limericks?|songs?|jokes?|movies?|haikus?|stories|letters|emails|riddles|ads|advertisements|names|slogans|tweets|suggestions|raps|parts?|summaries|paragraphs?)\b"
)
_CHARS = {
    "das": "-",
    "hyp": "-",
    "equ": "=",
    "has": "#",
    "und": "_",
    "plu": "+",
    "sta": "*",
    "ast": "*",
    "ate": "*",
    "ste": "*",
}


def separators(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """A divider between parts (*** or ******); how many parts is settled over the whole prompt."""
    text = clause.text
    alone = re.search(r"^[^\S\n]*+[*=#_+~-]{3,}[^\S\n]*+$", text, re.MULTILINE) is not None
    if not (clause.directive or alone or SEPARATE.search(text)):
        return
    mark: str | None = None
    words = _STAR_WORDS.search(text)
    stars = _STARS.search(doc.original[clause.start : clause.end])
    if words is not None:
        mark = _CHARS[words.group("what")[:3]] * min(12, number(words.group("n")))
    elif stars is not None:
        mark = stars.group().replace(" ", "")
    if mark is None and SEPARATE.search(text) and _BLANK.search(text):
        mark = "\n\n" if re.search(r"two|\b2\b|double|blank|empty|\\n\\n|leerzeile", text) else "\n"
        if mark == "\n":
            return
    if alone and mark is not None and mark[0] != "*":
        # Rows of dashes are mostly layout of the prompt itself.
        lead = doc.lower[max(0, clause.start - 120) : clause.start].rstrip()
        if SEPARATE.search(lead) is None or not lead.endswith((":", "with", "by", "like", "below")):
            return
    if mark is None or not (SEPARATE.search(text) or stars is not None):
        return
    if clause.negated_before(len(text), 300) and "only" not in clause.words and not SEPARATE.search(text):
        return
    yield constraint_of(doc, clause, "parts", separator=mark, confidence=0.9)
