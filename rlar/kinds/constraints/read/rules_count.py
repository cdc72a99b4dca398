"""Amounts of form: words, sentences, paragraphs, bullets, sections, highlights, placeholders, capital words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rlar.kinds.constraints.read.lexicon import (
    AFTER,
    CONTENT_UNITS,
    NUMBER,
    SIZES,
    UNITS,
    Range,
    quantity,
    read_range,
    unit_regex,
)
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import Clause, Doc, constraint_of

_ADJECTIVES = (
    r"(?:(?:very|short|long|brief|different|distinct|separate|unique|complete|full|whole|total|or\s++more|of\s++the|additional|main|"
    r"text|markdown|well-written|concise|individual|new|simple|clear|detailed|such|similar|non-empty|entire|own|"
    r"numbered|labell?ed|named|titled|and|words?\s++or|explicit|relevant|square[\s-]bracket(?:ed)?|bracketed|template|"
    r"english|german|consecutive|rhyming|original|interesting|kurze[nr]?|verschiedene[nr]?|párrafos\s++de)[\s,]+){0,4}"
)
_UNIT = unit_regex()
COUNT = re.compile(
    rf"{quantity()}[\s-]*{_ADJECTIVES}(?:{_UNIT})\b(?!\s*+-|['’]s\b)"
    rf"(?:\s++(?:in\s++length|long|total|in\s++total|each|length))?(?:[\s,(]*(?P<behind>{AFTER})(?![\w]))?"
)
"""An amount with its unit: "at least 3 short paragraphs", "300+ word", "200 words or less"."""

_ABOUT_COUNT = re.compile(
    rf"(?:(?:number|count|amount|total)\s++of\s++(?:{_UNIT})|(?:word|sentence|character|line|paragraph)[\s-]+(?:count|limit|length)|"
    rf"(?:(?:word|sentence|character|paragraph)s?\s*+(?:count|limit)?)(?=\s*+[:=]))"
    rf"(?P<link>[^.;:]{{0,40}}?[:=]?\s*+(?:of\s++|is\s++|be\s++|to\s++|at\s++)?){quantity('q_')}(?![\w-]*\s*+(?:sentences?|paragraphs?|lines?)\b)"
)
"""The amount behind the unit: "word count: 200-300", "the number of sentences should be less than 5"."""

_LIST_OF = re.compile(
    rf"\b(?P<kind>bullet(?:ed)?(?:[\s-]+point(?:s|ed)?)?|numbered)\s++lists?\s++(?:of|with|containing|that\s++has|made\s++of|consisting\s++of)\s++{quantity()}"
)
_SINGLE = re.compile(
    rf"\W*+(?:(?:please|now|then|can\s++you|could\s++you)\s++)*+(?:write|give|compose|create|generate|draft|produce)\s++(?:me\s++)?an?\s++(?:(?!{NUMBER}\b)[\w-]++\s++){{0,2}}?(?P<unit>sentence|paragraph|stanza)\b"
)
"""One of a unit by its article: "write a short paragraph"."""
_FRENCH_SENTENCES = re.compile(rf"{quantity()}\s++phrases?\b(?!\s++«)")
_HIGHLIGHT_WORDS = r"highlight(?:ed|s|ing)?|italic(?:s|ized|ised|ize|ise)?|bold(?:ed|face|faced|en)?|emphasi[sz]ed?|hervorheb\w*|hervorgehoben\w*|kursiv\w*|fett\w*|resalt\w+|destac\w+|negrita|cursiva|surlign\w+|gras|italique"
_MARKDOWN_HIGHLIGHT = re.compile(rf"\b(?:{_HIGHLIGHT_WORDS})\b")
_HIGHLIGHT_COUNT = re.compile(
    rf"{quantity()}\s++(?:\w+\s++){{0,2}}?(?:{_HIGHLIGHT_WORDS})\s++(?:text\s++)?(?:sections?|words?|phrases?|parts?|passages?|texts?|terms?|portions?|items?|stellen|abschnitte|wörter|secciones|palabras|mots)\b"
)
_HIGHLIGHT_VERB = re.compile(
    rf"\b(?:{_HIGHLIGHT_WORDS})\s++(?:(?:the|some|your|in\s++\w+)\s++)?{quantity()}(?:\s++(?:\w+\s++){{0,3}}?(?:sections?|words?|phrases?|parts?|passages?|pieces?|portions?|sentences?|terms?|points?|items?|texts?|keywords?|ideas?)\b|\s*+(?:times?)?)"
)
_HIGHLIGHT_BEHIND = re.compile(
    rf"{quantity()}\s++(?:\w+\s++){{0,2}}?(?:sections?|words?|phrases?|parts?|passages?|sentences?|terms?|pieces?|key\s*+words?)\s++(?:of\s++\w+\s++)?(?:(?:that\s++are|which\s++are|should\s++be|must\s++be|in|as|be|with|using)\s++)*(?:markdown\s++)?(?:{_HIGHLIGHT_WORDS})\b"
)
_HIGHLIGHT_SOME = re.compile(
    r"\b(?:highlight|italici[sz]e|bold|emphasi[sz]e|put\s++in\s++(?:bold|italics))\s++(?:an?y?|some|the|your|all|every|each|important|key|several|certain|main)\b"
)
_HIGHLIGHT_TIMES = re.compile(
    rf"\b(?:{_HIGHLIGHT_WORDS})\b[^.]{{0,60}}?\b(?:words|phrases|sections|text|terms|parts)\b[^.]{{0,20}}?{quantity()}(?:\s*+times?)?"
)
_CAPS = (
    r"(?:(?:words?\s++)?(?:(?:with|in|using|of|written\s++in|that\s++are\s++in|which\s++are\s++in|that\s++are)\s++(?:all|only)?[\s-]*(?:capital(?:s|ized|ised)?(?:\s++letters?)?|caps|upper[\s-]?case(?:\s++letters?)?)|"
    r"(?:fully|entirely|all)[\s-]capitalized)|(?:all[\s-]*(?:caps|capital(?:ized|s)?|upper[\s-]?case)|fully\s++capitalized|capital(?:ized|ised)?|upper[\s-]?case)[\s-]+(?:letter\s++)?words?)"
)
_CAPS_COUNT = re.compile(rf"{quantity()}\s++(?:such\s++)?(?:\w+\s++){{0,2}}?{_CAPS}")
_CAPS_SUBJECT = re.compile(rf"\b{_CAPS}(?P<between>[^.]{{0,60}}?){quantity()}(?:\s*+times?)?")
_STRESS = re.compile(r"\b(?:words?)\b.{0,40}\b(?:capitali[sz]ed|all[\s-]caps|all\s++capital)")

_PART_SCOPE = re.compile(
    r"\b(?:each|every|per|all(?:\s++of)?(?:\s++the|\s++your)?)\s++(?:\w+\s++){0,2}?(?P<unit>sentences?|paragraphs?|lines?|bullet(?:\s++points?)?s?|items?|sections?|stanzas?|words?|points?|questions?|answers?|responses?|versions?|parts?|tips?|steps?|entry|entries|option|idea|name|poem|limerick|verse|haiku)\b"
)
_OF_PARTS = re.compile(
    r"\b(?:words?|sentences|lines|paragraphs|bullets|bullet\s++points|stanzas|verses|sections|no\s++(?:sentence|line|paragraph|bullet|word))\s++(?:(?:that|which|must|should|may|can|not|are|is|have|has|be|with|of|having|containing|all)\s++)*+(?:(?:longer|shorter)\s++than\s*+|of\s++)?$"
)
"""The subject of an amount is a part, not the response: "words longer than 6 letters"."""
_NTH_SCOPE = re.compile(
    r"\b(?:the\s++)?(?:first|second|third|fourth|fifth|last|final|opening|closing|next|middle|1st|2nd|3rd)\s++(?:\w+\s++)?(?:sentence|paragraph|line|bullet|item|section|stanza|word|part|half|verse|\d+\s++(?:words|sentences|lines|paragraphs))"
)
_PART_UNITS = {
    "sentence": "sentence", "paragraph": "paragraph", "line": "line", "bullet": "bullet", "item": "bullet", "point": "bullet",
    "section": "section", "answer": "part", "response": "part", "part": "part", "version": "part", "stanza": "paragraph", "word": "word", "verse": "paragraph",
}  # fmt: skip
_REPEATABLE = re.compile(r"\b(?:once|twice|thrice|times?|mal|veces|vez|fois|volte|vezes)\b")
_SOFT_NOUNS = frozenset(
    ("section", "part", "question", "line", "stanza", "digit", "comma", "link", "letter", "syllable", "heading")
)
_REQUIRED_OF_RESPONSE = re.compile(
    r"\b(?:must|should|shall|ha(?:s|ve)\s++to|need(?:s)?\s++to|contain(?:s|ing)?|include(?:s|ing)?|use|using|have|has|having|with|in|be|limit(?:ed)?|keep|consist(?:s|ing)?|"
    r"compris\w+|provide|total|within|make\s++sure|ensure|answer|respond|reply|only|strictly|required?|min\w*|max\w*|length|long|give|split|divide|separated?|structure[d]?|"
    r"soll\w*|muss|enthalten|mit|in|debe\w*|contener|con|tener|en|doit|contenir|avec|deve|contenere|conter|com|em)\b"
)


def _bounds(r: Range) -> dict[str, Any]:
    return {"min": r.low, "max": r.high}


def _unit(match: re.Match[str]) -> str:
    return next(name for name in UNITS if match.group(f"u_{name}"))


def counts(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """Amounts of form units in directive clauses."""
    text = clause.text
    taken: list[tuple[int, int]] = []
    for special in (_highlights, _capital_words):
        for constraint, span in special(doc, clause):
            if not any(a < span[1] and span[0] < b for a, b in taken):
                taken.append(span)
                yield constraint
    for match in _ABOUT_COUNT.finditer(text):
        if any(a < match.end() and match.start() < b for a, b in taken):
            continue
        names = [name for name in UNITS if match.group(f"u_{name}")]
        unit = (
            names[0]
            if names
            else next((u for u in ("word", "sentence", "character", "line", "paragraph") if u in match.group()), "word")
        )
        r = read_range(match, "q_", negated=_limit_negated(text, match))
        taken.append(match.span())
        limit = "limit" in match.group() and r.style in ("bare", "exact")
        if limit:
            r = Range(None, r.high, "bound")
        yield _count(doc, clause, unit, r, predicate=True)
    for match in _LIST_OF.finditer(text):
        if clause.directive:
            unit = "numbered" if match.group("kind").startswith("n") else "bullet"
            taken.append(match.span())
            yield _count(doc, clause, unit, read_range(match), predicate=True)
    if doc.is_french:
        for match in _FRENCH_SENTENCES.finditer(text):
            if clause.directive:
                yield _count(doc, clause, "sentence", read_range(match), predicate=True)
    single = _SINGLE.match(text) if clause.directive else None
    if single is not None:
        yield _count(doc, clause, single.group("unit"), Range(1, 1, "bare"), predicate=False)
    for match in COUNT.finditer(text):
        if any(a < match.end() and match.start() < b for a, b in taken):
            continue
        # "less than 3 sentences (1 or 2 sentences)": the parenthesis only explains.
        inside = text.count("(", 0, match.start()) > text.count(")", 0, match.start())
        if inside and any(_unit(m) == _unit(match) for m in COUNT.finditer(text[: match.start()])):
            continue
        yield from _plain_count(doc, clause, match)


def _limit_negated(text: str, match: re.Match[str]) -> bool:
    """Whether "not" stands between a unit and the comparison behind it ("the number of words should not be over 5")."""
    link = text[match.start() : match.start("q_compare") if match.group("q_compare") else match.start("q_n")]
    return re.search(r"\b(?:not|n't|never|nicht|no|ne)\b", link) is not None


def _plain_count(doc: Doc, clause: Clause, match: re.Match[str]) -> Iterator[Constraint]:
    text, unit = clause.text, _unit(match)
    tail = text[match.end() : match.end() + 40]
    before = text[: match.start()]
    if re.match(r"\s*+(?:story|problem|search|cloud|processor|graph|choice|games?|puzzle)\b", tail) and unit == "word":
        return
    if unit in ("character", "part", "word", "question", "line") and re.match(
        r"\s*+(?:named|called|who|from\s++the|in\s++the\s++(?:story|book|movie|show|text|sentence|passage|following))\b",
        tail,
    ):
        return
    if re.search(
        r"\b(?:first|last|next|every|each|these|those|following|top|of|my|per|previous|other|the)\s++$", before
    ) and not match.group("compare"):
        return
    if unit == "line" and (re.search(r"\b(?:new|blank|empty)\b", match.group()) or re.match(r"\s*+breaks?\b", tail)):
        return
    r = read_range(match, negated=clause.negated_before(match.start(), 40), after=match.group("behind"))
    if r.style == "bare" and _LIMITED_TO.search(before) is not None:
        r = Range(None, r.high, "bound")
    if unit == "word" and re.search(r"\bsuch\b", match.group()):
        earlier = doc.lower[max(0, clause.start + match.start() - 250) : clause.start + match.start()]
        if clause.directive and re.search(r"\bcapital|\ball[\s-]caps|\buppercase", earlier):
            yield constraint_of(doc, clause, "count", unit="capital_word", **_bounds(r))
        return
    if r.style == "bare" and unit in ("word", "character") and (r.low or 0) >= 30:
        # Nobody writes exactly 500 words: without "exactly", a large round amount is a guide.
        r = Range(r.low, r.high, "around")
    hyphenated = (
        "-" in text[match.end("n") : match.start(f"u_{unit}")]
        or re.match(
            r"\s++(?!and|or|in|with|for|about|on|of|to|that|which|max|min|long|at|each|per|separated|using|total|only|please)[a-z]+",
            tail,
        )
        is not None
    )
    attributive = hyphenated and text[match.start(f"u_{unit}") : match.end()].rstrip().endswith(
        ("word", "line", "sentence", "paragraph", "stanza", "section", "part", "character")
    )
    explicit = r.style in ("bound", "exact")
    if not clause.directive and not (
        clause.question
        and explicit
        and re.search(r"\b(?:in|using|with|within)\s++$|^", before[-8:])
        and match.group("compare")
    ):
        return
    scope = _scope(text, match)
    if scope == "unclear":
        if explicit:
            yield constraint_of(doc, clause, "unsupported", about="an amount within a part", confidence=0.4)
        return
    predicate = _REQUIRED_OF_RESPONSE.search(before[-60:]) is not None or len(before.split()) <= 1
    constraint = _count(doc, clause, unit, r, predicate=predicate and not attributive, each=scope)
    yield constraint


_LIMITED_TO = re.compile(r"\b(?:limit|restrict|cap|confine|keep)\w*\b[^.;]{0,60}\b(?:to|at|and)\s++$")


def _scope(text: str, match: re.Match[str]) -> str | None:
    """The unit that the amount holds for ("each paragraph" -> "paragraph"), None for the response, or "unclear"."""
    around = text[max(0, match.start() - 60) : match.start()] + " # " + text[match.end() : match.end() + 40]
    each = _PART_SCOPE.search(around)
    if each is not None and each.group("unit").rstrip("s") not in match.group():
        return _PART_UNITS.get(each.group("unit").split()[0].rstrip("s"), "unclear")
    if re.match(
        r"\s++(?:each|per)\b(?!\s++(?:separated|with\s++a))", text[match.end() : match.end() + 10]
    ) and re.search(r"\b(?:sentences?|paragraphs?|bullets?|sections?|stanzas?)\b", text[: match.start()]):
        part = re.findall(r"\b(sentence|paragraph|bullet|section|stanza)", text[: match.start()])[-1]
        return _PART_UNITS[part]
    if _OF_PARTS.search(text[: match.start()]) is not None:
        return "unclear"
    if _NTH_SCOPE.search(text[: match.start()]) and not match.group().startswith(("first", "last")):
        return "unclear"
    if re.match(r"\s++of\s++(?:the|your)\s++(?:first|second|third|last|final)\b", text[match.end() : match.end() + 30]):
        return "unclear"
    return None


def _count(doc: Doc, clause: Clause, unit: str, r: Range, *, predicate: bool, each: str | None = None) -> Constraint:
    around = True if r.style == "around" else None
    strength, confidence = "hard", 1.0
    if r.style == "around":
        strength, confidence = "soft", 0.6
    elif unit == "digit":
        strength = "soft"
    elif r.style == "bare":
        confidence = 0.8
        if not predicate or unit in _SOFT_NOUNS:
            strength = "soft"
    return constraint_of(
        doc,
        clause,
        "count",
        unit=unit,
        min=r.low,
        max=r.high,
        around=around,
        each=each,
        strength=strength,
        confidence=confidence,
    )


def _highlights(doc: Doc, clause: Clause) -> Iterator[tuple[Constraint, tuple[int, int]]]:
    text = clause.text
    if not clause.directive or _MARKDOWN_HIGHLIGHT.search(text) is None:
        return
    for pattern in (_HIGHLIGHT_COUNT, _HIGHLIGHT_VERB, _HIGHLIGHT_BEHIND, _HIGHLIGHT_TIMES):
        match = pattern.search(text)
        if match is None:
            continue
        r = read_range(match, negated=clause.negated_before(match.start(), 30))
        if r.style == "bare":
            r = Range(r.low, None, "bound")
        style = None
        if "bold" in clause.words:
            style = "bold"
        yield constraint_of(doc, clause, "count", unit="highlight", style=style, **_bounds(r)), match.span()
        return
    match = _HIGHLIGHT_SOME.search(text)
    if match is not None and not clause.negated_before(match.start(), 30):
        cued = re.search(
            r"\bmarkdown\b|\basteri[sk]+s?\b|\b(?:wrap|surround|enclos|with)\w*\b[^.]{0,30}\*|\bitalic|\bbold", text
        )
        sample = re.search(
            r"(?<!\*)\*[^*\n]{2,60}\*(?!\*)|\*\*[^*\n]{2,60}\*\*|\"\*{1,2}\"",
            doc.original[clause.start : clause.end + 160],
        )
        if sample is not None or cued is not None:
            yield constraint_of(doc, clause, "count", unit="highlight", min=1, confidence=0.8), match.span()


def _capital_words(doc: Doc, clause: Clause) -> Iterator[tuple[Constraint, tuple[int, int]]]:
    text = clause.text
    match = _CAPS_COUNT.search(text)
    if match is not None and clause.directive:
        yield (
            constraint_of(
                doc,
                clause,
                "count",
                unit="capital_word",
                **_bounds(read_range(match, negated=clause.negated_before(match.start(), 30))),
            ),
            match.span(),
        )
        return
    match = _CAPS_SUBJECT.search(text)
    if (
        match is not None
        and clause.directive
        and "words" in clause.words | {"words"}
        and re.search(r"\bwords?\b", text)
    ):
        negated = re.search(r"\b(?:not|n't|never)\b", match.group("between")) is not None
        r = read_range(match, negated=negated)
        if r.style != "bare" or _REPEATABLE.search(match.group()):
            yield constraint_of(doc, clause, "count", unit="capital_word", **_bounds(r)), match.span()


def content_counts(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """ "Give me 5 tips": an amount of content, kept as a soft mention."""
    if not clause.directive:
        return
    match = _CONTENT.search(clause.text) or _LISTING.match(clause.text)
    if match is not None:
        r = read_range(match)
        if r.style != "around":
            # An exact amount is kept only by a list whose items can be counted.
            yield constraint_of(
                doc,
                clause,
                "count",
                unit="item",
                noun=match.group("noun"),
                strength="soft",
                listed=True if r.style != "bare" else None,
                confidence=0.6,
                **_bounds(r),
            )


_CONTENT = re.compile(rf"{quantity()}\s++(?:[a-z-]+\s++){{0,2}}?(?P<noun>{CONTENT_UNITS})\b")
_LISTING = re.compile(
    rf"\W*+(?:(?:please|can\s++you|could\s++you)\s++)*+(?:list|name|give|suggest|provide|recommend|propose|generate)\s++(?:me\s++|us\s++)?{quantity()}\s++(?:[a-z-]++\s++){{0,3}}?(?P<noun>(?!{'|'.join(UNITS.values())})[a-z]{{2,}}s)\b(?=\s*+(?:[.,;:!?]|$|for\b|of\b|in\b|that\b|to\b|with\b|as\b|using\b|about\b|on\b|and\b))"
)
"""Things to list, whatever they are: "list exactly 3 rivers in Asia"."""


SHORT: dict[str, tuple[int, int]] = {
    "sentence": (3, 15),
    "line": (1, 10),
    "bullet": (1, 12),
    "paragraph": (5, 90),
    "": (1, 150),
}
LONG: dict[str, int] = {"sentence": 15, "line": 10, "bullet": 12, "paragraph": 90, "": 200}
"""Words that every reader takes for a short, or a long, sentence or response; between them they differ."""
_SIZE = re.compile(
    rf"\b(?:{'|'.join(f'(?P<{name}>{words})' for name, words in SIZES.items())})\b(?!\s*+(?:er|est|term|lived|ago|before|as\s++(?:it|you|they)))"
)
_SIZED = re.compile(
    r"(?:\W++(?:and|but|,)?\s*+[^\W\d_]++)??\W++(?P<unit>sentences?|lines?|bullet\s++points?|bullets?|paragraphs?|responses?|answers?|repl(?:y|ies)|s[äa]tz\w*|frases?|phrases?|oraciones|oración|absätze|absatz)\b"
)
_SIZE_OF = re.compile(
    r"(?:\b(?:make|keep)\s++(?:it|this|things|them|(?:(?:the|your|all|each|every|its)\s++)*+[^\W\d_]++(?:\s++points?)?)|\b(?:be|stay|remain)|\b(?:answer|respond|reply|write|explain|describe))\s++(?:(?:very|pretty|fairly|relatively|quite|super|rather|as|too|also|clear|simple|and|all|[^\W\d_]++,)\s++)*+$"
)
_SIZED_SUBJECT = re.compile(r"\b(?P<unit>sentences?|lines?|bullet\s++points?|bullets?|paragraphs?)\b")


def sizes(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """ "One short sentence", "keep it brief": a size without a number, which a response may be surely of, or not surely."""
    if not clause.directive:
        return
    text = clause.text
    for match in _SIZE.finditer(text):
        before = text[: match.start()]
        if clause.negated_before(match.start(), 20) or before.endswith(("too ", "as long")):
            continue
        behind = _SIZED.match(text, match.end())
        copula = _SIZE_OF.search(before)
        if behind is not None:
            unit = _part_of(behind.group("unit"))
        elif copula is not None and not re.match(
            r"\s++(?!but|and|enough|while|in|with|as|,)[^\W\d_]", text[match.end() :]
        ):
            part = _SIZED_SUBJECT.search(before)
            unit = _part_of(part.group("unit")) if part is not None else ""
        else:
            continue
        size = str(match.lastgroup)
        if size == "long":
            bounds = Range(LONG[unit], None, "around")
        else:
            low, high = SHORT[unit]
            bounds = Range(low if behind is not None else None, high, "around")
        yield constraint_of(
            doc, clause, "count", unit="word", each=unit or None, size=size, strength="soft", confidence=0.6, **_bounds(bounds)
        )  # fmt: skip


def _part_of(unit: str) -> str:
    """The unit that "sentences", "bullet point" or "answer" (the whole: "") stands for."""
    if unit.startswith(("sentence", "satz", "sätz", "frase", "phrase", "oraci")):
        return "sentence"
    if unit.startswith(("paragraph", "absatz", "absätz")):
        return "paragraph"
    return "bullet" if unit.startswith("bullet") else "line" if unit.startswith("line") else ""
