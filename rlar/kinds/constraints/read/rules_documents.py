"""Documents (JSON, tables, lists), closed options, and properties of all words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rlar.kinds.constraints.read.items import following_lines, read_items
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import Clause, Doc, constraint_of

# ------------------------------------------------------------------------------------------ documents and markdown

_DOCUMENT = re.compile(r"\b(?P<format>json|xml|yaml|html|csv|latex|markdown\s++table)\b")
_AS_DOCUMENT = re.compile(
    r"\b(?:in|as|into|use|using|with|valid|only|just|to|wrap\w*|format\w*|output\w*|return\w*|im|als|en|au|formato|format|être|contain|be|single|one)\b[^.;]{0,40}$"
)
_DOCUMENT_NOUN = re.compile(
    r"^\s*+(?:format|object|block|output|array|code|document|response|string|only|file|-format|formato|dictionary|syntax|structure|schema|table|blob|notation|list|markdown|$|[.,;:!?)]|and|with|that|using|without|containing|\(|for|where|in\b)"
)
_PARTIAL = re.compile(
    r"\b(?:parse|read|load|file|function|script|program|class|endpoint|api|library|difference|convert\s++(?:a|the|this)|python|javascript|explain|what\s++is|example\s++of)\b"
)


def documents(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """The whole response is one JSON, XML, YAML, HTML or CSV document."""
    if not clause.directive:
        return
    text = clause.text
    for match in _DOCUMENT.finditer(text):
        before, behind = text[: match.start()], text[match.end() : match.end() + 30]
        if clause.negated_before(match.start(), 25) and not re.search(
            r"\b(?:nothing\s++else|only|anything\s++(?:before|after|outside))", text
        ):
            continue
        if not (_AS_DOCUMENT.search(before) and _DOCUMENT_NOUN.match(behind)):
            continue
        kind = match.group("format").replace("markdown ", "")
        whole = (
            re.search(
                r"\b(?:entire|whole|wrap|only|all|nothing\s++else|output|response|answer|reply|format|block)\b", text
            )
            is not None
        )
        if kind == "table":
            yield constraint_of(doc, clause, "contains_format", element="table")
            return
        if kind in ("html", "csv", "latex", "xml", "yaml") and not re.search(
            r"\b(?:entire|whole|only|format|response|answer|reply|output)\b", text
        ):
            yield constraint_of(doc, clause, "structured", format=kind, strength="soft", confidence=0.6)
            return
        if _PARTIAL.search(text) and not re.search(r"\b(?:entire|whole|only|response|answer|output|format)\b", text):
            continue
        yield constraint_of(doc, clause, "structured", format=kind, confidence=1.0 if whole else 0.7)
        return
    fenced = re.search(
        r"\b(?:wrap|put|place|enclose|entire|whole|only)\b[^.]{0,40}\b(?:code\s++block|code\s++fence|triple\s++backticks|backticks)\b",
        text,
    )
    whole_response = re.search(r"\b(?:entire|whole|response|answer|output)\b", text)
    if fenced and whole_response and not clause.negated_before(len(text), 60):
        yield constraint_of(doc, clause, "structured", format="code")


_KEYS = re.compile(
    r"\bkeys?\b(?:\s++(?:of|are|named|called|as|should\s++be|must\s++be|like|following))*+\s*+:?\s*+(?=[\"'`(\[{])"
)
_ENUMERATED = re.compile(r"\(\d{1,2}\)\s*+([\w -]{1,40}?)\s*+(?=\(|,|\.|;|$|\band\b)", re.IGNORECASE)


def keys(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """The keys that a JSON document must have."""
    match = _KEYS.search(clause.text)
    if match is None or "json" not in doc.lower or clause.negated_before(match.start(), 30):
        return
    names, _ = read_items(doc, clause.start + match.end(), clause.end)
    if clause.text[match.end()] == "(":
        names = _ENUMERATED.findall(doc.original[clause.start + match.end() : clause.end])
    if names:
        yield constraint_of(doc, clause, "structured", format="json", keys=[name.strip() for name in names])


_ELEMENTS = (
    ("table", re.compile(r"\b(?:in|as|using|use|with|include|contain\w*|create|format\w*)\s++(?:\w+\s++){0,3}?(?:a\s++|the\s++)?(?:markdown\s++)?(?:table|tabelle|tabla|tableau)\b")),
    ("numbered_list", re.compile(r"\b(?:in|as|using|use|with|include|form\s++of|format\s++of|contain\w*|als|nummerierte)\s++(?:\w+\s++){0,3}?(?:numbered|ordered|nummerierte|numerada|numérotée)\s++(?:list|liste|lista)\b|nummerierte\s++liste|lista\s++numerada|liste\s++numérotée")),
    ("bullet_list", re.compile(r"\b(?:in|into|as|using|use|with|form\s++of|format\s++of|contain\w*|als|include)\s++(?:\w+\s++){0,3}?(?:bullet(?:ed)?[\s-]*(?:point(?:s|ed)?|list|form)|unordered\s++list|bullets|stichpunkten?|aufzählung|viñetas)\b")),
    ("code", re.compile(r"\b(?:in|inside|within|include|contain\w*|use|using)\s++(?:\w+\s++){0,2}?(?:a\s++)?(?:fenced\s++)?code\s++(?:block|fence)\b")),
    ("markdown", re.compile(r"\b(?:in|using|use|with|as|and)\s++(?:(?:a|proper|valid|raw)\s++)?markdown(?:\s++(?:format(?:ting)?|syntax|style))?(?=\s*+(?:[.,;!?)]|$|and\b|for\b|in\s++your\b))")),
    ("heading", re.compile(r"\b(?:use|include|with|contain\w*|add|using)\s++(?:\w+\s++){0,3}?(?:markdown\s++)?(?:headings?|headers|sub-?headings?)\b")),
)  # fmt: skip


def elements(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """A table, a numbered or bulleted list, a code block or headings somewhere in the response."""
    if not clause.directive:
        return
    for element, pattern in _ELEMENTS:
        match = pattern.search(clause.text)
        if match is None or clause.negated_before(match.start(), 40) or clause.negated_before(match.end(), 14):
            continue
        if (
            element == "table"
            and re.search(
                r"\b(?:database|sql|periodic|dining|schema|column|times|round|coffee|table\s++of\s++contents|following|below)\b",
                clause.text,
            )
            and "markdown" not in clause.words
        ):
            continue
        explicit = (
            element != "table"
            or "markdown" in clause.words
            or re.search(r"\b(?:must|should|format|form\s++of|response|answer|use)\b", clause.text) is not None
        )
        yield constraint_of(
            doc, clause, "contains_format", element=element, strength="hard" if explicit else "soft", confidence=0.8
        )
        return


# ------------------------------------------------------------------------------------------ options

_OPTION_LEAD = re.compile(
    r"\b(?:one|exactly\s++one|any|either|1)\s++of\s++(?:the\s++|these\s++)?(?:following\s++)?(?:\w+\s++){0,3}?(?:phrases?|options?|answers?|choices?|responses?|sentences?|words?|statements?|values?|labels?|categories|replies)\b"
    r"|\b(?:choose|choosing|pick|select|selecting)\s++(?:one\s++)?(?:from|between|among)\b|(?<!your\s)(?<!the\s)(?<!an\s)\b(?:answer|respond|reply|say)\s++(?:only\s++|either\s++|just\s++)*(?:with\s++)?(?:only\s++|either\s++|just\s++)?(?=\")|\banswer\s++with\s++one\s++of\b"
)


def options(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """The response must be, or contain, one of the quoted options."""
    match = _OPTION_LEAD.search(clause.text)
    if match is None or not clause.directive or clause.negated_before(match.start(), 30):
        return
    choices = [
        inner.strip()
        for start, inner in sorted(doc.quotes.items())
        if clause.start + match.start() <= start < clause.end + 400
    ]
    choices = [choice for choice in choices if choice and "\n" not in choice]
    if len(choices) < 2:
        listed = re.search(r":\s*+(?=\S)", clause.text[match.end() :])
        if listed is not None:
            at = clause.start + match.end() + listed.end()
            choices, _ = read_items(doc, at, clause.end, multiword=True)
    if len(choices) < 2 and clause.text.rstrip().endswith(":"):
        choices = following_lines(doc, clause.end)
    if len(choices) == 1 and re.search(r"\b(?:only|just)\b", match.group()):
        return
    if 2 <= len(choices) <= 12 and all(len(choice) < 120 for choice in choices):
        yield constraint_of(
            doc, clause, "one_of", options=choices, exact="exact" in clause.words or None, confidence=0.9
        )


# ------------------------------------------------------------------------------------------ word-level patterns

_PATTERNS = (
    ("unique_words", re.compile(r"\b(?:only\s++(?:use\s++)?unique\s++words|no\s++word\s++(?:should|must|may|can)\s++(?:be\s++)?repeat\w*|(?:not|never|without)\s++(?:repeat|reus)\w*\s++(?:any|a|the\s++same)\s++words?|use\s++(?:each|every)\s++word\s++(?:only|exactly|just)\s++once)\b")),
    ("palindrome", re.compile(r"\b(?:include|contain|use|with|add)\w*\s++(?:at\s++least\s++)?(?:a|one|1)\s++palindrome\b")),
    ("no_space", re.compile(r"\b(?:no\s++(?:white)?spaces?|without\s++(?:any\s++)?(?:white)?spaces?|not\s++(?:use|contain|include)\s++(?:any\s++)?(?:white)?spaces?)\b(?!\s*+(?:bar|ship|between\s++paragraph))")),
    ("one_line", re.compile(r"\b(?:on|in)\s++(?:a\s++single|one|exactly\s++one)\s++line\b|\bsingle-line\b|\bno\s++line\s++breaks\b|\bwithout\s++(?:any\s++)?line\s++breaks\b")),
    ("sentence_hyphens", re.compile(r"\ball\s++sentences\s++must\s++be\s++connected\s++using\s++hyphens\b|sentences\b[^.]{0,30}\bconnected\b[^.]{0,20}\bhyphens\b")),
    ("title_line", re.compile(r"\b(?:start|begin)\s++with\s++a\s++(?:markdown\s++)?(?:h1\s++)?(?:title|heading)\b[^.]*#")),
)  # fmt: skip
_ALLITERATION = re.compile(
    r"\b(?:every|each|all(?:\s++of)?(?:\s++the)?)\s++words?\b[^.;]{0,40}?\b(?:start|begin)\w*\s++with\s++(?:the\s++)?(?:same\s++letter|letter\s++)?\s*+(?P<letter>[\"'].[\"']|(?<=letter\s)\w)?(?=[\s.,;)]|$)"
)
_UNSUPPORTED = re.compile(
    r"\b(?P<about>iambic\s++pentameter|acrostic|rhyme\s++scheme|syllables?\s++per\s++line|no\s++two\s++adjacent\s++words|alternat\w+\s++(?:between\s++)?(?:upper|lower|capital)\w*|in\s++alphabetical\s++order|lipogram|pangram|every\s++other\s++word|spoonerism|"
    r"reverse\s++order|backwards|(?:exactly|at\s++least)\s++\w+\s++(?:nouns|verbs|adjectives|adverbs|pronouns|conjunctions|prepositions))\b"
)


def patterns(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """Properties of all words, and explicit demands that nothing here can check."""
    if not clause.directive:
        return
    text = clause.text
    for name, pattern in _PATTERNS:
        match = pattern.search(text)
        if match is not None and not (name == "one_line" and clause.negated_before(match.start(), 10)):
            yield constraint_of(doc, clause, "pattern", name=name)
    match = _ALLITERATION.search(text)
    if match is not None:
        letter = match.group("letter")
        if "same letter" in match.group():
            yield constraint_of(doc, clause, "pattern", name="alliteration")
        elif letter:
            quoted = doc.quote_at(clause.start + match.start("letter"))
            chosen = (quoted or letter).strip("\"' ")
            if len(chosen) == 1 and chosen.isalpha():
                yield constraint_of(doc, clause, "pattern", name="alliteration", letter=chosen.lower())
    match = _UNSUPPORTED.search(text)
    if match is not None:
        hard = match.group("about").startswith(
            ("exactly", "at least", "no two", "every other", "alternat", "pangram", "lipogram")
        )
        yield constraint_of(
            doc, clause, "unsupported", about=match.group("about"), strength="hard" if hard else "soft", confidence=0.4
        )
