"""Letter case and language of the response."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rlar.kinds.constraints.read.lexicon import (
    LANGUAGES,
    NUMBER,
)
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import Clause, Doc, constraint_of

# ------------------------------------------------------------------------------------------ case

_LOWER = r"(?:lower[\s-]?cased?s?|small\s++letters|kleinbuchstaben|klein\s*+geschrieben|minúsculas|minuscules|minuscole|minúsculas)"
_UPPER = r"(?:upper[\s-]?cased?s?|capitals|capital\s++letters?|all[\s-]caps|caps(?:\s++lock)?|capitali[sz]ed\s++letters|block\s++letters|großbuchstaben|mayúsculas|majuscules|maiuscol[eo]|maiúsculas)"
_CASE = re.compile(rf"\b(?:(?P<lower>{_LOWER})|(?P<upper>{_UPPER}))\b")
_PART_OF_TEXT = re.compile(
    r"\b(?:some|few|several|each|every|first|last|second|third|title|heading|headline|headings|headers|subject|name|names|word|words|sentence|line|paragraph|section|keyword|keywords|letter\s++[a-z]\b|\d+|one|two|three|part|key|important)\b"
)
_TITLE_CASE = re.compile(
    r"\btitle[\s-]case\b|\bcapitali[sz](?:e|ing)\s++the\s++first\s++letter\s++of\s++(?:each|every)\s++word|\b(?:each|every)\s++word\b[^.]{0,30}\b(?:start|begin)\w*\s++with\s++an?\s++(?:capital|upper)"
)
_NOT_CAPITALISED = re.compile(
    r"\b(?:not|no|nothing|none|without|avoid|don't|never)\b(?:\s++\w+){0,8}?\s++capitali[sz](?:ed|ing|e|ation)\b(?!\s++words?)"
)
_ALL_CAPITALISED = re.compile(
    r"\b(?:all|every|each)\s++(?:single\s++)?(?:of\s++)?(?:the\s++|your\s++)?(?:letters?|characters?)\b[^.;]{0,50}\b(?:should|must|be|are|is)\b[^.;]{0,20}\bcapitali[sz]ed\b"
    r"|\b(?:entire|whole)\s++(?:response|answer|reply|output|text|message)\b[^.;]{0,20}\b(?:should|must|be|is)\b[^.;]{0,12}\bcapitali[sz]ed\b"
)
_CAPITALIZE_ALL = re.compile(
    r"\bcapitali[sz](?:e|ing|ed)\s++(?:(?:all|every|each)\s++(?:single\s++)?(?:of\s++)?(?:the\s++|your\s++)?(?P<what>letters?|words?|characters?)|(?P<whole>(?:the|your)\s++(?:entire|whole)\s++\w+|everything))"
)


def case(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """All capitals, all lower case, title case."""
    text = clause.text
    if not clause.directive:
        return
    if _TITLE_CASE.search(text):
        if not re.search(r"\b(?:title|heading|headline|name)s?\b(?!\s*+-?\s*+case)", text):
            yield constraint_of(doc, clause, "case", case="title")
        return
    everything = _CAPITALIZE_ALL.search(text)
    if everything is not None and not clause.negated_before(everything.start()):
        yield constraint_of(
            doc,
            clause,
            "case",
            case="upper_or_title" if (everything.group("what") or "").startswith("word") else "upper",
        )
        return
    if _NOT_CAPITALISED.search(text) and not re.search(r"\b(?:title|heading|first|name|every\s++word)\b", text):
        yield constraint_of(doc, clause, "case", case="lower")
        return
    if _ALL_CAPITALISED.search(text) and not re.search(r"\b(?:title|heading|first)\b", text):
        yield constraint_of(doc, clause, "case", case="upper")
        return
    for match in _CASE.finditer(text):
        before, behind = text[: match.start()], text[match.end() : match.end() + 50]
        negated = (
            clause.negated_before(match.start())
            or re.match(
                r"[^.]{0,25}\b(?:not\s++(?:be\s++)?(?:allowed|used|permitted)|forbidden|prohibited|banned|avoided)",
                behind,
            )
            is not None
        )
        wanted = "lower" if match.group("lower") else "upper"
        if re.search(
            r"\b(?:at\s++least|at\s++most|less\s++than|more\s++than|fewer\s++than|exactly|up\s++to|no\s++more\s++than)\s++(?:\w+\s++){0,3}$",
            before,
        ) or re.search(r"\b(?:times|twice|once)\b", behind):
            return
        if re.search(
            rf"\b{NUMBER}\s++(?:\w+\s++){{0,3}}(?:words?\s++)?(?:with|in|of|using)?\s*+(?:all\s++)?$", before
        ) or re.match(r"\s++words?\b", behind):
            return
        if negated:
            opposite = {"upper": "lower", "lower": "upper"}[wanted]
            if re.search(r"\b(?:only|just|all|entirely|excessive|too\s++many)\s++(?:in\s++)?$", before[-14:]):
                continue
            yield constraint_of(doc, clause, "case", case=opposite)
            return
        if (
            wanted == "upper"
            and re.search(r"\b(?:words?|phrases?)\b[^.]{0,60}$", before)
            and not re.search(r"\b(?:all|every)\s++(?:of\s++)?(?:the\s++|your\s++)?words\b", before)
        ):
            return
        scope = re.search(
            r"\b(?:title|heading|headline|subject\s++line|first\s++(?:letter|word|sentence|line|paragraph)|last\s++(?:word|sentence|line)|(?<!your\s)names?|(?:each|every)\s++(?:sentence|line|paragraph|heading)|letter\s++[a-z])\b",
            text,
        )
        if scope is not None and not re.search(r"\b(?:entire|whole|all\s++letters)\b", text):
            yield constraint_of(doc, clause, "unsupported", about="case of a part", confidence=0.4)
            return
        if re.match(r"\s*+[a-z]\b", behind) and wanted == "upper" and "capital letter" in match.group():
            return
        if re.search(r"\b(?:start|begin)\w*\s++with\s++(?:an?\s++)?$", before):
            return
        if match.group() in ("capital letter", "lowercase letter") and re.search(r"\ban?\s++$", before):
            return
        if match.group() in ("caps", "capitals") and not re.search(r"\b(?:all|in|only)[\s-]+$", before):
            continue
        yield constraint_of(doc, clause, "case", case=wanted)
        return


# ------------------------------------------------------------------------------------------ language

_NAME = "|".join(sorted(LANGUAGES, key=len, reverse=True))
_LANGUAGE = re.compile(
    rf"\b(?:(?:in|into|using|auf|en|em|only|entirely|completely|solely|fully|purely|exclusively)\s++(?:(?:only|entirely|solely|the|all|pure|plain|proper|fluent|formal|simple|standard|your|native|modern|reines|lengua|idioma)\s++){{0,3}}"
    rf"(?P<name>{_NAME})(?:[\s-]+(?P<noun>language|sprache|idioma|script))?|use\s++(?:only\s++)?(?:the\s++)?(?P<name2>{_NAME})(?:\s++language|\s++only)|(?P<name3>{_NAME})\s++only\b"
    rf"|(?:lower|upper|capital)[\s-]?(?:case[d]?)?\s++(?P<name5>english)\b|language\s*+(?:of\s++(?:the\s++|your\s++)?(?:response|answer|reply|output)\s*+)?(?:should\s++be|must\s++be|is|:|=)\s*+(?P<name4>{_NAME}))\b(?P<behind>\s*+[\w-]*)"
)
_MAY_FOLLOW = re.compile(
    r"^\s*+(?:and|with|only|that|which|about|no|or|but|using|without|for|to|as|in|on|the|at|please|then|so|if|explaining|describing|including|is|are|should|must|containing|from|by|because|where|when|not|of|language|ab|mit|und|con|y|sur|et|avec|like|who)?$"
)
_TRANSLATE = re.compile(
    r"\b(?:translat\w+|convert|übersetz\w*|tradu\w+|traduis\w*|say|decir\w*|said|mean|means|called|speak\w*|learn\w*|teach\w*|word\s++for|render)\b"
)


def language(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """The language that the response is asked to be in; soft when the task itself is to translate."""
    if not clause.directive:
        return
    for match in _LANGUAGE.finditer(clause.text):
        name = next(
            value
            for value in (
                match.group("name"),
                match.group("name2"),
                match.group("name3"),
                match.group("name4"),
                match.group("name5"),
            )
            if value
        )
        if clause.negated_before(match.start(), 14):
            continue
        before = clause.text[: match.start()]
        if (
            not match.group("noun")
            and not match.group("name4")
            and not match.group("name5")
            and not _MAY_FOLLOW.match(match.group("behind") or "")
        ):
            continue
        if re.search(
            r"\b(?:interested|written|spoken|written\s++originally|fluent|class|course|text|sentence|passage|letters?\s++used|book|word|words)\s++$",
            before[-20:],
        ) and not re.search(r"\b(?:response|answer|reply|output)\b", before):
            if (
                re.search(r"\b(?:written)\s++$", before) and re.search(r"\b(?:should|must|be)\s++written\s++$", before)
            ) or (
                re.search(r"\b(?:sentence|text|passage|word|words)\s++$", before)
                and re.match(r"^\s*+(?:write|create|generate|compose)\b", before)
            ):
                pass
            else:
                continue
        translating = _TRANSLATE.search(before) is not None
        yield constraint_of(doc, clause, "language", code=LANGUAGES[name], strength="soft" if translating else "hard")
        return
