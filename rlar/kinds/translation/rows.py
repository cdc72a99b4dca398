"""Is this row a translation, of which text, from which language into which?

Decided from what the row shows (an ask in one of some thirty languages, the languages it names, the language of the
reference against that of the text), so a wording that nobody listed still works where the languages speak for
themselves. Cheap tests come first: most rows never reach the language identifier.
"""
# ruff: noqa: SIM905 (lists of words read better as text)

from __future__ import annotations

import re
from dataclasses import dataclass

from rlar.text.language import identify
from rlar.text.language_names import LANGUAGE_OF_NAME, UNSPACED_NAMES, canonical_language, easily_confused
from rlar.text.stems import Stems


@dataclass(frozen=True, slots=True)
class Translation:
    """What a translation row asks for."""

    source: str
    """The text to be translated, without the instruction; may be "" where it could not be separated."""
    source_language: str
    """ISO 639-1, "" where it is not known."""
    target_language: str
    confidence: float


_STEMS = Stems(
    "translat", "render", "traduc", "traduz", "traduis", "traduir", "tradui", "tradur", "tradott", "übersetz", "uebersetz", "vertaal", "vertal",
    "перев", "перекл", "превод", "преведи", "tłumac", "přelož", "prelož", "překl", "oversett", "oversæt", "översätt", "käänn", "tõlgi", "tõlk",
    "çevir", "ترجم", "תרגם", "अनुवाद", "翻译", "翻譯", "翻訳", "译成", "译为", "訳", "번역", "dịch", "terjemah", "แปล", "μετάφρα", "μεταφρά",
    "fordít", "traduce", "how do you say", "how to say", "how would you say", "how do i say", "cómo se dice", "comment dit-on", "wie sagt man",
)  # fmt: skip

_INTO = frozenset(
    "to into in en auf ins zu на до українською till til naar para a ao al à em vers na do uz pre ke へ に target output → -> => als".split()
)
_FROM = frozenset("from aus von vom с из з de del du des van från fra z ze od dal dall desde del source input".split())
_BEFORE_NAME = frozenset("the standard modern simplified traditional brazilian plain la el le das l".split())
_AFTER_TARGET = frozenset("translation version equivalent rendering rendition".split())
_AFTER_SOURCE = frozenset(
    "text sentence sentences passage paragraph phrase word expression original article source document string snippet".split()
)

_WORD = re.compile(r"[^\W\d_]+|[-=]>|→")
_LABEL_LINE = re.compile(
    r"^\W{0,3}(?:in\s+)?([^\W\d_]{2,14})(?:\s+(?:text|translation|version|sentence))?\W{0,3}?\s*[:：=]\s*(.*)$",
    re.IGNORECASE,
)
_BARE_LABEL = re.compile(r"^\W{0,3}[\w ]{1,30}\W{0,2}[:：]\W{0,2}$")
_QUOTED = re.compile(
    r"\"([^\"]{2,})\"|“([^”]{2,})”|«([^»]{2,})»|「([^」]{1,})」|„([^“”]{2,})[“”]|(?<!\w)'([^']{2,})'(?!\w)|`([^`]{2,})`"
)
_INLINE = re.compile(
    r"(?:say|translate|translation\s+of|translation\s+for|render|dire|sagt man|dice|traduis|traduce|übersetze)\s++(?P<source>\S(?:.*?\S)?)\s++"
    r"(?:in|to|into|en|auf|ins|al|a|vers)\s++(?:\w+\s++)?\w+\W*$",
    re.IGNORECASE,
)
# Words that English alone uses: "is", "was", "of" are Dutch, "are" Italian.
_ENGLISH = frozenset(
    "the and that with for this from they what which their not been has would were you his her it by".split()
)
_WINDOW = 1500


def find_translation(text: str, reference: str | None) -> Translation | None:
    """The translation that a row asks for; None when it is something else.

    Args:
        text: the prompt (of a chat: the last user turn).
        reference: the expected answer, or None; then the prompt must ask in words and name the language.
    """
    window = text if len(text) <= _WINDOW else text[: _WINDOW // 2] + "\n" + text[-_WINDOW // 2 :]
    lowered = window.lower()
    has_request = _STEMS.stand_in(lowered)
    if reference is None and not has_request and ":" not in lowered and "：" not in lowered:
        return None
    mentions = _mentions(lowered)
    labelled = _labelled(text) if mentions else None
    if reference is None:
        if labelled is None and (not has_request or not mentions):
            return None
        return _from_prompt(text, labelled, has_request)
    if not any(character.isalpha() for character in reference):
        return None
    if not has_request and not mentions and _both_english(window, reference):
        return None
    return _with_reference(text, reference, labelled, has_request, bool(mentions))


def _from_prompt(text: str, labelled: Translation | None, has_request: bool) -> Translation | None:
    if labelled is not None:
        return labelled
    instruction, source = split_instruction(text)
    named_source, named_targets = _named(instruction)
    if not has_request or not named_targets or not source:
        return None
    target = named_targets[-1]
    source_language = named_source or _language_of(source)
    if source_language == target:
        return None
    return Translation(source, source_language, target, 0.85 if named_source or len(source.split()) >= 3 else 0.7)


def _with_reference(
    text: str, reference: str, labelled: Translation | None, has_request: bool, mentioned: bool
) -> Translation | None:
    guess = identify(reference)
    written, certainty = canonical_language(guess.code), guess.confidence
    few_words = len(reference.split()) < 4 and len(reference) < 24
    if labelled is not None:
        sure = _believed(labelled.target_language, labelled.source_language, written, certainty, reference)
        return Translation(labelled.source, labelled.source_language, labelled.target_language, sure)
    if few_words and not has_request:
        return None
    if not has_request:
        return _by_languages(text, reference, written, certainty, mentioned)
    instruction, source = split_instruction(text)
    named_source, named_targets = _named(instruction)
    source_language = named_source or _language_of(source)
    if named_targets:
        agreeing = [code for code in named_targets if code == written] or named_targets
        target = agreeing[-1]
        if target == written and _language_of(source) == target and source_language == target:
            return None  # "translate into plain English": the same language on both sides
        sure = _believed(target, source_language, written, certainty, reference)
        return Translation(source, source_language if source_language != target else "", target, sure)
    if (
        written
        and not few_words
        and source_language not in {"", written}
        and not easily_confused(source_language, written)
    ):
        return Translation(source, source_language, written, 0.9)
    return None


def _believed(target: str, source: str, written: str, certainty: float, reference: str) -> float:
    """Confidence in what the prompt says, given the language that the reference seems to be in."""
    if (
        written == target
        or certainty < 0.5
        or len(reference.split()) < 4
        or (easily_confused(written, target) and certainty < 0.9)
    ):
        return 0.98
    # Titles and names read like any language; only a reference that is plainly still in the source's speaks against it.
    untranslated = written == source and certainty >= 0.9 and len(reference.split()) >= 6
    return 0.5 if untranslated else 0.85


def _by_languages(text: str, reference: str, written: str, certainty: float, mentioned: bool) -> Translation | None:
    """Nothing asks for it in words we know: a block of the prompt says in another language about as much as the reference."""
    if certainty < 0.6:
        return None
    for block in [*sorted(_blocks(text), key=len, reverse=True)[:3], text]:
        ratio = _weight(reference) / max(1.0, _weight(block))
        if not 0.5 <= ratio <= 2.0:
            continue
        guess = identify(block)
        language = canonical_language(guess.code)
        sure = min(certainty, guess.confidence)
        if sure < 0.6 or language == written or (easily_confused(language, written) and sure < 0.9):
            continue
        others = text.replace(block, " ").lower()[:_WINDOW] if mentioned else ""
        named = [code for code, _before, _after in _mentions(others) if code != language]
        if named and written not in named and easily_confused(written, named[-1]):
            return Translation(block, language, named[-1], 0.85)
        weight = 0.95 if mentioned else 0.92 if sure >= 0.8 and 0.6 <= ratio <= 1.7 else 0.8
        return Translation(block, language, written, round(weight * sure, 3))
    return None


# ------------------------------------------------------------------------------------------ the parts of a prompt


def split_instruction(text: str) -> tuple[str, str]:
    """(instruction, text to translate) of a prompt that asks for a translation somewhere; source "" when inseparable."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1:
        scores = [_ask_score(line) for line in lines]
        best = max(scores)
        if best > 0:
            at = scores.index(best)
            # Only what stands in one block with the ask and asks too is instruction; the rest is the text.
            rest = [line for position, line in enumerate(lines) if position != at and not _is_scaffold(line)]
            source = "\n".join(_strip_label(line) for line in rest).strip()
            head, after = _after_colon(lines[at])
            if len(source) < len(after) and after:
                return head, after
            if source:
                return lines[at], _unquote(source)
    if not lines:
        return text, ""
    return _split_line(lines[0] if len(lines) == 1 else " ".join(lines))


def _split_line(line: str) -> tuple[str, str]:
    quotes = [next(group for group in match.groups() if group) for match in _QUOTED.finditer(line)]
    if quotes:
        longest = max(quotes, key=len)
        return line.replace(longest, " "), longest.strip()
    head, after = _after_colon(line)
    if after:
        return head, after
    match = _INLINE.search(line)
    if match:
        return line.replace(match["source"], " "), match["source"].strip()
    sentences = re.split(r"(?<=[.!?。！？])\s+", line)
    if len(sentences) > 1:
        scores = [_ask_score(sentence) for sentence in sentences]
        best = max(scores)
        if best > 0:
            at = scores.index(best)
            if at in (0, len(sentences) - 1):
                return sentences[at], " ".join(sentences[1:] if at == 0 else sentences[:-1]).strip()
    return line, ""


def _after_colon(line: str) -> tuple[str, str]:
    """The part up to the first colon that follows an ask, and the part after it."""
    for match in re.finditer(r"[:：]\s*", line):
        if _ask_score(line[: match.start()]) > 0:
            return line[: match.start()], _unquote(line[match.end() :].strip())
    return line, ""


def _ask_score(line: str) -> float:
    lowered = line.lower()
    if len(lowered) > 400:
        lowered = lowered[:200] + " " + lowered[-200:]
    stems = 2 if _STEMS.stand_in(lowered) else 0
    # A short line that asks is the instruction; a long one that says "translated" is more likely the text.
    return (stems + min(2, len(_mentions(lowered)))) / (1.0 + len(lowered) / 400) if stems else 0.0


def _is_scaffold(line: str) -> bool:
    return bool(_BARE_LABEL.match(line)) or (_ask_score(line) > 0 and len(line) < 60)


def _strip_label(line: str) -> str:
    match = re.match(r"^\W{0,3}([^\W\d_]{2,14})(?:\s+[^\W\d_]{2,12})?\W{0,2}[:：]\s+(\S.*)$", line)
    if match and (
        match[1].lower() in LANGUAGE_OF_NAME or match[1].lower() in _AFTER_SOURCE or match[1].lower() == "input"
    ):
        return match[2]
    return line


def _unquote(text: str) -> str:
    if len(text) > 2 and (text[0], text[-1]) in {
        ('"', '"'),
        ("“", "”"),
        ("«", "»"),
        ("'", "'"),
        ("「", "」"),
        ("`", "`"),
        ("„", "“"),
    }:
        return text[1:-1].strip()
    return text


def _labelled(text: str) -> Translation | None:
    """ "English: ...\nGerman:": the last line is a language's name with nothing after it."""
    lines = [line for line in text.rstrip().split("\n") if line.strip()]
    if len(lines) < 2:
        return None
    last = _LABEL_LINE.match(lines[-1].strip())
    if not last or last[2].strip(" *_`\"'") or last[1].lower() not in LANGUAGE_OF_NAME:
        return None
    target = LANGUAGE_OF_NAME[last[1].lower()]
    for position in range(len(lines) - 2, -1, -1):
        match = _LABEL_LINE.match(lines[position].strip())
        if match and match[2].strip() and match[1].lower() in LANGUAGE_OF_NAME:
            language = LANGUAGE_OF_NAME[match[1].lower()]
            if language != target:
                source = "\n".join([match[2].strip(), *lines[position + 1 : -1]])
                return Translation(_unquote(source.strip()), language, target, 0.95)
            return None
    source = lines[-2].strip()
    language = _language_of(source)
    return None if not language or language == target else Translation(_unquote(source), language, target, 0.8)


def _named(instruction: str) -> tuple[str, list[str]]:
    """The source language and the target languages that an instruction names."""
    mentions = _mentions(instruction.lower())
    source = ""
    into: list[str] = []
    other: list[str] = []
    for code, before, after in mentions:
        if after in _AFTER_TARGET or (before in _INTO and after not in _AFTER_SOURCE):
            into.append(code)
        elif before in _FROM or after in _AFTER_SOURCE:
            source = code
        elif before in _INTO:
            into.append(code)
        else:
            other.append(code)
    if not into and other:
        # "traduza inglês português": what is left over is the target, the first of two the source.
        if len(other) > 1 and not source:
            source = other[0]
        into = other[-1:]
    return source, [code for code in into if code != source] or into


def _mentions(lowered: str) -> list[tuple[str, str, str]]:
    """(code, word before, word after) of every language named in a lower-case text, in order."""
    words = _WORD.findall(lowered)
    mentions: list[tuple[str, str, str]] = []
    for position, word in () if LANGUAGE_OF_NAME.keys().isdisjoint(words) else enumerate(words):
        code = LANGUAGE_OF_NAME.get(word)
        if code is not None:
            before = words[position - 1] if position else ""
            if before in _BEFORE_NAME and position > 1:
                before = words[position - 2]
            mentions.append((code, before, words[position + 1] if position + 1 < len(words) else ""))
    if not mentions and not lowered.isascii():
        for name, code in UNSPACED_NAMES.items():
            at = lowered.find(name)
            if at >= 0:
                before = (
                    "from"
                    if lowered[max(0, at - 1) : at] in {"从", "從", "将"} or lowered[at + len(name) :][:2] == "から"
                    else "to"
                )
                mentions.append((code, before, ""))
    return mentions


def _blocks(text: str) -> list[str]:
    blocks = [block.strip() for block in re.split(r"\n+", text) if block.strip()]
    if len(blocks) > 1:
        return [_strip_label(block) for block in blocks]
    head, _, after = text.partition(":")
    return [after.strip()] if len(after.strip()) > len(head) / 4 else []


def _weight(text: str) -> float:
    """Length that compares across scripts: an ideograph says about as much as three letters."""
    if text.isascii():
        return float(len(text))
    return sum(3.0 if "぀" <= character <= "鿿" else 1.0 for character in text)


def _language_of(text: str) -> str:
    guess = identify(text)
    return canonical_language(guess.code) if guess.confidence >= 0.4 else ""


def _both_english(window: str, reference: str) -> bool:
    """A cheap yes for the common case; no means only that the identifier must be asked."""
    return _looks_english(reference[:300]) and _looks_english(window[:600]) and _looks_english(window[-300:])


def _looks_english(text: str) -> bool:
    words = text.lower().split()
    return sum(word in _ENGLISH for word in words) >= max(1, len(words) // 8)
