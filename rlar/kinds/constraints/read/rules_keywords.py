"""Letters, words and phrases that must, must not, or must so often occur."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rlar.kinds.constraints.read.items import following_lines, read_items
from rlar.kinds.constraints.read.lexicon import (
    NUMBER,
    Range,
    quantity,
    read_range,
)
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import FILL, Clause, Doc, constraint_of

_FREQUENCY = re.compile(
    rf"(?P<q>{quantity()})(?:\s*+(?:times?|mal|veces|vez|fois|volte|vezes|occurrences?|instances?|appearances?)\b)?"
)
_TIMES = r"(?:\s*+(?:times?|mal|veces|vez|fois|volte|vezes|occurrences?|instances?)\b)"
_LETTER = re.compile(
    rf"\b(?:letters?|symbols?|characters?|buchstaben?|letra|lettre|lettera)\s++(?P<letter>\"{FILL}\"|'{FILL}'|`{FILL}`|\(?(?:[a-z]|[#!@&%*?$])\)?(?=[\s.,;:)]|$))"
)
_LETTER_BEHIND = re.compile(
    rf"(?P<letter>\"{FILL}\"|'{FILL}'|\b[b-hj-z]\b|#)['\"]?\s*+(?:letters?|characters?|symbols?)\b|(?:\"{FILL}\"|'{FILL}')(?=\s++(?:at\s++least|more|less))"
)


def letters(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """The letter X at least / at most / not at all."""
    if not clause.directive:
        return
    text = clause.text
    matches = list(_LETTER.finditer(text)) or [m for m in _LETTER_BEHIND.finditer(text) if m.group("letter")]
    for index, match in enumerate(matches):
        letter = _letter_of(doc, clause, match)
        if letter is None:
            continue
        stretch_end = matches[index + 1].start() if index + 1 < len(matches) else len(text)
        behind = text[match.end() : stretch_end]
        if re.match(r"\s*+(?:grade|sound|size|shape|to\s++(?:my|the|your))\b", behind):
            continue
        if re.search(
            r"\b(?:starts?|starting|begins?|beginning|ends?|ending)\s++with\s++(?:the\s++)?$", text[: match.start()]
        ):
            continue
        if letter in "*-#=_~+" and re.search(
            r"\b(?:separat|divid|split|delimit|between|mark|bullet|highlight|wrap|surround|enclos|start|begin)", text
        ):
            continue
        freq = _frequency(behind) or _frequency_before(text[: match.start()])
        negated = _negated(clause, match.start(), behind)
        if freq is not None:
            flipped = (
                negated
                or re.search(r"\b(?:not|never)\b(?!\s++(?:more|less|fewer))", behind[: freq.start()]) is not None
            )
            r = read_range(freq, negated=flipped)
            yield constraint_of(doc, clause, "letter_count", letter=letter, **_bounds(r))
        elif negated or re.search(r"\b(?:not|never)\b|forbidden|prohibited|banned|avoided", behind):
            yield constraint_of(doc, clause, "letter_count", letter=letter, max=0)
        elif re.search(r"\b(?:include|contain|use|appear|incorporate)", text):
            yield constraint_of(doc, clause, "letter_count", letter=letter, min=1, confidence=0.8)


_OWN_PREDICATE = re.compile(
    r"[\s\"'),]*(?:must|should|shall|has\s++to|have\s++to|needs?\s++to|ought\s++to|muss|müssen|soll\w*|debe\w*|doit|doivent|deve|devono)\b"
)


def _negated(clause: Clause, start: int, behind: str) -> bool:
    """Whether a denial governs what stands at `start`; a subject with a predicate of its own is not denied from afar."""
    return clause.negated_before(start, 12 if _OWN_PREDICATE.match(behind) else 60)


def _letter_of(doc: Doc, clause: Clause, match: re.Match[str]) -> str | None:
    at = clause.start + match.start("letter")
    quoted = doc.quote_at(at)
    letter = quoted if quoted is not None else match.group("letter").strip("()'\"")
    letter = letter.strip()
    return letter.lower() if len(letter) == 1 else None


def _frequency(text: str) -> re.Match[str] | None:
    """The first amount that reads as a frequency: "at least twice", "3 times", "more than 5"."""
    for match in _FREQUENCY.finditer(text):
        if re.match(
            r"[\s-]*(?:sentences?|words?|paragraphs?|lines?|bullets?|sections?|placeholders?|italic|highlight|year|day|people|letters?\b(?!\s*+$))",
            text[match.end() :],
        ):
            return None
        word = match.group("n")
        if (
            match.group("compare")
            or word in ("once", "twice", "thrice", "einmal", "zweimal", "dreimal")
            or re.search(_TIMES + "$", match.group())
        ):
            return match
    return None


_OF_NOUN = re.compile(
    r"\s*+(?:(?:times?|instances?|occurrences?|mentions?|uses?|repetitions?)\s++)?(?:of\s++)?(?:the\s++)?(?:exact\s++)?(?:letters?\s++)?\Z"
)


def _frequency_before(text: str) -> re.Match[str] | None:
    """An amount straight before the noun: "at least 5 letters q", "three instances of the word"."""
    best = None
    for match in _FREQUENCY.finditer(text):
        word = match.group("n")
        if _OF_NOUN.match(text, match.end()) and (
            match.group("compare") or word in ("once", "twice", "thrice") or re.search(_TIMES, match.group())
        ):
            best = match
    return best


_KEY_NOUN = (
    r"(?:key[\s-]?words?|words?|phrases?|terms?|expressions?|strings?|names?|wörter[n]?|wort|worte|schlüsselwörter[n]?|begriffe?n?|ausdruck|palabras?(?:\s++clave)?|frase|término|"
    r"mots?(?:[\s-]clés?)?|expression|parol[ae](?:\s++chiave)?|palavras?(?:[\s-]chave)?)"
)
_LEAD_NOUN = re.compile(
    rf"\b(?:both\s++|all\s++(?:of\s++)?)?(?:the\s++|this\s++|these\s++|following\s++|exact\s++|any\s++(?:of\s++)?(?:the\s++)?|a\s++|my\s++|das\s++|die\s++|den\s++|la\s++|las\s++|le\s++|les\s++|il\s++|a\s++|as\s++|specific\s++|two\s++|three\s++|four\s++|five\s++|required\s++)*+{_KEY_NOUN}"
    rf"(?P<link>\s*+(?:is|are|such\s++as|like|including|below|here|given|list(?:ed)?|in\s++(?:the|your)\s++(?:response|answer|reply|essay|text|output|story|poem))?\s*+(?:from\s++the\s++(?:following\s++)?list)?\s*+[:=]?\s*+)(?=[\"'`«「\[\(\w#@{FILL}])"
)
_VERB_QUOTED = re.compile(
    r"\b(?P<verb>includ(?:e|es|ing)|mention(?:s|ing|ed)?|contain(?:s|ing)?|incorporat(?:e|es|ing)|us(?:e|es|ing)|say(?:s|ing)?|featur(?:e|es|ing)|insert(?:ing)?|avoid(?:ing)?|"
    r"exclud(?:e|es|ing)|omit(?:ting)?|add(?:ing)?|verwende[nt]?|erwähne[nt]?|incluye|incluir|menciona|mencionar|inclure|mentionner|utilise[rz]?)"
    r"\s++(?:the\s++|both\s++|at\s++least\s++one\s++of\s++)?(?=[\"'`«「])"
)
_POSITIVE = (
    r"(?:includ\w*|contain\w*|us(?:e|es|ed|ing)|mention\w*|incorporat\w*|featur\w*|have|has|having|with|add(?:ing)?|insert\w*|repeat\w*|say|employ\w*|weav\w*|work(?:ing)?|"
    r"put|place|involv\w*|verwende\w*|enthalten|enthält|benutz\w*|nutz\w*|erwähn\w*|incluy\w+|inclu\w+|conten\w+|conteng\w+|us(?:a|ar|ando|i|are)|utili\w+|utilis\w+|mencion\w*|mentionn\w+|contien\w+|conter|containing)"
)
_GOVERNED = re.compile(
    rf"\b{_POSITIVE}\b(?:\s++\w++\s++of\b|\s++(?:in|at|both|all|of|the|each|any|one|either|also|your|response|answer|essay|text|following|least|most|exactly|only|specific|these|this|a|as|many|keyword|word|to|and|or|always|it)\b|"
    rf"\s++{FILL}?)*+(?:\s*+,)?\s*+$"
)
_SUBJECT_PLACE = re.compile(
    r"(?:^|[,;:(]|\b(?:that|sure|and|or|but|ensure|have|both|where|note|dass|que))\s*+(?:also\s++|the\s++|all\s++)?[\s\d.)*•-]*$"
)
_APPEARS = re.compile(
    r"^[^.]{0,50}?\b(?:appear\w*|show(?:s|ing)?\s++up|occur\w*|(?:be|is|are)\s++(?:\w+\s++)?(?:used|mentioned|included|present|in|part|repeated|found|contained|featured)|should|must|needs?|has\s++to|have\s++to|vorkomm\w*|erschein\w*|"
    r"aparec\w+|aparezc\w+|appara\w+|figur\w+|compai\w+|verwendet|enthalten|incluid\w+|utilisé\w*)\b"
)
_LABEL = re.compile(
    r"^\s*+[\d.)*•\s-]*(?:(?P<ban>(?:forbidden|banned|prohibited|excluded|disallowed|taboo|do\s++not\s++use|avoid|verbotene|prohibid\w+|interdit\w*)\s++)|(?:required|mandatory|include|target|must[\s-]have|use|include\s++these|the)\s++)?(?:the\s++)?(?:following\s++)?$"
)
_AFTER_NEGATED = re.compile(
    r"\b(?:\w{2,6}n't|not|never|cannot|can't|shouldn't|mustn't|n't|neither|avoided|forbidden|prohibited|banned|off[\s-]limits|excluded|omitted|disallowed|absent|left\s++out|nicht|nunca|jamais|no\s++(?:debe|puede|pueden|deben)|ne\s++(?:doit|doivent|peut))\b"
)
_OTHER_CLAUSE = re.compile(r"\b(?:that|which|who|while|but|and|in\s++an?)\b|[,;]\s")
"""What stands behind it may deny something else ("in a reply that does not exceed 90 words")."""
_NUMBERED = re.compile(rf"(?<!\w)(?:\d++|{NUMBER})\s*+[+-]?\s*+$")
_CONDITIONAL = re.compile(
    r"\b(?:if|unless|whenever|in\s++case|falls|wenn|si|se)\s++(?:the|you|i|it|what|there|a|an|he|she|they|any|this|no|user|not|der|el|la)\b"
)
_DETERMINED = re.compile(
    r"\b(?:the|exact|these|following|this|das|die|den|la|las|el|le|les|il|a\s++palavra)\b|key|schlüssel|words?\s++(?:such|like)|phrases\s++(?:such|like)|\bwords\s++$|clave|clés?"
)
_FORMAT_TALK = re.compile(
    r"\b(?:bullet\s++points?\s++(?:like|such)|to\s++(?:indicate|separate|mark|denote|highlight)|start(?:s|ing)?|begin(?:s|ning)?|end(?:s|ing)?|finish(?:es|ing)?|first|last|wrap\w*|"
    r"title[d]?|opens?|closes?|repeat|named?|called|conclude[sd]?|opening|closing|entitled|paragraph\s++\d+|synonyms?|means?|meaning|definition|define|rhym\w+|translat\w+|vowel|prefix|suffix|mean)\b"
)
_OTHER_TOPIC = re.compile(
    r"\b(?:number|amount|count|limit|each|every|per|total|few|many|most|own|other|different|common|new|simple|big|long|short|transition|stress|rude|swear|curse|filler)\s++$"
)


def keywords(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """Words that must, must not, or must so often occur."""
    if not clause.directive:
        return
    text = clause.text
    leads: list[tuple[int, int, bool]] = []
    for match in _LEAD_NOUN.finditer(text):
        if _OTHER_TOPIC.search(text[: match.start()]) or _NUMBERED.search(text[: match.start()]):
            continue
        named = match.group().strip().startswith(("name", "the name")) or " name" in match.group()[-8:]
        if named and re.search(r"\b(?:mention|include|use|say|contain)", text[: match.start()]) is None:
            continue
        leads.append((match.start(), match.end(), ":" in match.group("link") or "=" in match.group("link")))
    for match in _VERB_QUOTED.finditer(text):
        if not any(a <= match.end() <= b for a, b, _ in leads):
            leads.append((match.start(), match.end(), False))
    if not leads:
        yield from _keywords_below(doc, clause)
    leads.sort()
    for index, (start, end, colon) in enumerate(leads):
        stop = leads[index + 1][0] if index + 1 < len(leads) else len(text)
        if stop <= end:
            continue
        yield from _keyword_group(doc, clause, start, end, stop, colon)


_LISTED_THINGS = re.compile(
    rf"\b{_POSITIVE}\s++(?:all\s++(?:of\s++)?)?(?:these|the\s++following)\s++(?:\w++\s++)?(?:items|things|elements|names|places|people|ingredients|topics|objects|concepts|ideas|animals|subjects)\s*+:\s*+(?=\S)"
)


def listed_things(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """ "Include these items: rope, tar": things, not words, so that a response without a word may have the thing."""
    match = _LISTED_THINGS.search(clause.text)
    if match is None or not clause.directive or clause.negated_before(match.start()):
        return
    items, _ = read_items(doc, clause.start + match.end(), clause.end, multiword=True)
    if items:
        yield constraint_of(doc, clause, "include", phrases=items, strength="soft", confidence=0.6)


_LEAD_BELOW = re.compile(rf"\b{_KEY_NOUN}\b[^:]{{0,40}}:\s*+$")


def _keywords_below(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """ "Use the following words:" with the words on lines of their own."""
    lead = _LEAD_BELOW.search(clause.text)
    if lead is None:
        return
    lines = following_lines(doc, clause.end, max_words=8)
    items = [part.strip(" \"'.") for line in lines for part in (line.split(",") if "," in line else [line])]
    items = [item for item in items if item]
    if not items or any(len(item.split()) > 5 for item in items):
        return
    before = clause.text[: lead.start()]
    label = _LABEL.match(before)
    if clause.negated_before(lead.start()) or (label is not None and label.group("ban")):
        yield constraint_of(doc, clause, "exclude", phrases=items)
    elif re.search(rf"\b{_POSITIVE}\b", before) or label is not None:
        yield constraint_of(doc, clause, "include", phrases=items, confidence=0.9)


def _keyword_group(doc: Doc, clause: Clause, start: int, end: int, stop: int, colon: bool) -> Iterator[Constraint]:
    text = clause.text
    before = text[:start]
    upto = clause.start + (len(text) if colon else stop)
    items, after_at = read_items(doc, clause.start + end, upto, multiword=colon)
    items = [
        item for item in items if any(character.isalnum() for character in item) and not re.search(r"[<>{}]", item)
    ]
    if not items or len(items[0]) == 1:
        return
    if _FORMAT_TALK.search(before[-40:]) and not re.search(r"\b(?:include|contain|mention|use)\w*\b[^.]*$", before):
        return
    behind = text[after_at - clause.start : stop]
    if re.match(
        r"\s*+(?:to\s++(?:indicate|separate|mark|denote|highlight|show)|as\s++(?:a\s++)?(?:title|separator|bullet|prefix|header|heading|label)|at\s++the\s++(?:very\s++)?(?:end|beginning|start)\b(?!.*times))",
        behind,
    ):
        return
    if re.match(
        r"[\s\"']*(?:in|of)\s++(?:a|the|this|that|my|following)\s++(?:\w+\s++)?(?:sentence|text|passage|paragraph|story)s?\b",
        behind,
    ) and not re.search(r"\b(?:include|contain|mention)", before):
        return
    if _CONDITIONAL.search(behind[:80]) is not None:
        return
    unquoted = doc.quote_at(clause.start + end) is None
    if unquoted and not colon and not _DETERMINED.search(text[start:end]):
        return
    if re.search(
        r"\b(?:letters?|synonyms?|meanings?|definitions?|sound|length|vowels?|plural|spelling|count)\s++(?:of|in|for)\s++$",
        before,
    ):
        return
    negated = _negated(clause, start, behind)
    freq = _frequency(behind)
    if freq is None and not negated:
        freq = _frequency_before(before)
    if freq is not None:
        between = behind[: freq.start()] if freq.string == behind else ""
        flipped = negated or (_AFTER_NEGATED.search(between) is not None)
        r = read_range(freq, negated=flipped)
        if r.style == "bare":
            r = Range(r.low, r.low, "exact")
        for item in items:
            yield constraint_of(doc, clause, "keyword_count", keyword=item, **_bounds(r))
        return
    if negated or _AFTER_NEGATED.search(_OTHER_CLAUSE.split(behind, maxsplit=1)[0]):
        yield constraint_of(doc, clause, "exclude", phrases=items)
        return
    labelled = _LABEL.match(before) if colon else None
    if labelled is not None and text[start:end].split(":")[0].strip() in (
        "word",
        "term",
        "name",
        "phrase",
        "expression",
        "string",
        "wort",
        "palabra",
        "mot",
    ):
        labelled = None if not labelled.group("ban") else labelled
    if labelled is not None and labelled.group("ban"):
        yield constraint_of(doc, clause, "exclude", phrases=items)
        return
    governed = _GOVERNED.search(before) is not None
    verb_included = re.match(rf"\s*+{_POSITIVE}\b", text[start:end]) is not None
    subject = _SUBJECT_PLACE.search(before) is not None and _APPEARS.search(behind) is not None
    if governed or verb_included or subject or labelled is not None:
        either = (
            re.search(r"\b(?:at\s++least\s++one|one|any|either)\s++of\b", before[-30:] + text[start:end]) is not None
        )
        yield constraint_of(
            doc, clause, "include", phrases=items, any=True if either else None, confidence=0.9 if unquoted else 1.0
        )


def _bounds(r: Range) -> dict[str, Any]:
    return {"min": r.low, "max": r.high}
