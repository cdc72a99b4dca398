"""What of a completion is its answer: without thoughts, without the wrapper around it, without the turn's end.

`Sample` applies this to every completion, so that no verifier, judge or reward model sees a thought or a wrapper. The
marks are known by their form ("think" between brackets of any kind), not by a list of models. A mark that is quoted
(`<think>`, "</think>") or stands in a code block is spoken about, not used.

All functions take arbitrary text, never raise, and run in linear time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple


class Answered(NamedTuple):
    """What a completion answers."""

    text: str
    """The answer; "" where there is none."""
    missing: str = ""
    """Why there is none, where the completion's own marks say so."""


UNCLOSED = "the thought never ends"
NOTHING_AFTER = "nothing follows the thought"
NO_FINAL_CHANNEL = "no final channel"
SEVERAL = "several answers in tags"

_THOUGHT = r"(?:think(?:ing)?|thoughts?|reasoning|scratch_?pad|inner_?(?:monologue|thoughts?)|chain_of_thought|cot)"
_ANGLED_MARK = (
    # <think> </think> <seed:think> <|begin_of_thought|> <|END_THINKING|> <｜think｜>
    rf"<(?:(?P<a>/)?[|｜]?(?P<b>/|end_of_|end_)?(?:(?:start|begin)_(?:of_)?)?(?:[a-z]{{1,16}}[:_])?{_THOUGHT}[|｜]?>"
    r"|\|channel>thought\b|(?P<e>channel\|>)|\|inner_prefix\|>|(?P<f>\|inner_suffix\|>))"
)
_OTHER_MARK = r"(?-i:\[(?P<c>/)?THINK\])|◁(?P<d>/)?think▷"
_MARKS = re.compile(_ANGLED_MARK, re.I), re.compile(f"{_ANGLED_MARK}|{_OTHER_MARK}", re.I)
"""The first is several times faster: every match of it starts with one sign."""
_BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)+")
_FENCE = re.compile(r"^[ \t]*```([\w+-]*)", re.M)
_CHANNEL = re.compile(r"<\|channel\|>\s{0,4}(?P<name>[a-z]{1,20})[^<]{0,80}(?:<\|constrain\|>[^<]{0,20})?<\|message\|>")
_TURN_END = re.compile(r"<\|(?:return|end|start|call)\|>")
_BARE_CHANNEL = re.compile(r"\Aanalysis(?=[^\sa-z.,:;!?)\]’'*_/-])")
"""Channels whose marks the tokenizer dropped: "analysisWe need ...assistantfinalThe answer is 4"."""

SPECIAL = r"(?:</?\|[a-zA-Z0-9_]{2,40}\|>|<｜[^｜\s]{1,40}｜>|</s>|<s>|<(?:[a-z]{1,12}:)?\[?(?:eos|bos|pad|EOS|BOS)\]?>|\[(?:PAD|EOS|SEP|end of text|/?INST)\]|<(?:end|start)_of_turn>|<turn\|>|<unk>)"
_STOP = re.compile(
    r"(?:<\|(?:im_end|endoftext|eot_id|end_of_text|eom_id|eot|eos|END_OF_TURN_TOKEN)\|>|<｜end▁of▁sentence｜>|</s>|<eos>|<end_of_turn>|<\|end\|>(?=\s{0,8}<\|))(?=\s{0,8}(?:\n|<|\Z|[A-Z][a-z]{1,12}:|(?:user|assistant|system)\b))"
)
"""What ends a turn: what a model that was not stopped goes on with is another turn. (Harmony's <|end|> ends a message.)"""
_LAST = re.compile(rf"{SPECIAL}\Z")
_LONGEST_SPECIAL = 64

_FINAL_NAMES = (
    "answer",
    "answers",
    "ans",
    "final",
    "final_answer",
    "final-answer",
    "final answer",
    "finalanswer",
    "box",
)
_WHOLE_NAMES = ("output", "result", "reply", "translation", "summary")
"""Also elements of HTML and XML: a wrapper only around the whole text."""
_NAMES = (*_FINAL_NAMES, *_WHOLE_NAMES, "solution", "sol", "response")
_ANGLED_TAG = (
    rf"<(?:/?(?P<name>{'|'.join(sorted(_NAMES, key=len, reverse=True))})>"
    r"|\|(?:end|start|begin)_(?:of_)?(?P<token>response|solution|answer|box)\|>)"
)
_BRACKETED_TAG = r"(?-i:\[/?(?P<bracket>ANSWER|SOLUTION|RESPONSE)\])"
_TAGS = re.compile(_ANGLED_TAG, re.I), re.compile(f"{_ANGLED_TAG}|{_BRACKETED_TAG}", re.I)
_PLACEHOLDER = re.compile(
    r"[\s.…]*\Z|[\s.…\[({]*(?:(?:your|the|my)\s+(?:final\s+)?(?:answer|solution)|(?:answer|solution)\s+(?:goes\s+)?here)"
    r"(?:\s+(?:goes\s+)?here)?[\s.…\])}]*\Z",
    re.I,
)
"""What a wrapper holds that is only announced: nothing, dots, "your answer here"."""
_QUOTES = {"`": "`", '"': '"', "'": "'", "“": "”", "‘": "’", "«": "»"}
MAX_TAGS = 128
"""What comes after so many tags is not looked at."""
LONGEST_ANSWER = 12
"""Words: what a `<solution>` beside an `<answer>` holds is a way to it, where it has more."""
_WORD = re.compile(r"\w")
_Pair = tuple[str, int, int, int, int]
"""Name, and where the opening tag and the closing one start and end."""


def answered(completion: str, prompt: str = "") -> Answered:
    """The answer of a completion; its text is "" with the reason where a thought never ends or wrappers disagree.

    Args:
        prompt: a wrapper that it names (`<answer>`) stays: the row may ask for it.
    """
    keep = named_tags(prompt)
    for _ in range(4):  # a wrapper may hold a thought, and a thought's mark an end of turn
        text, missing = without_thoughts(without_end(first_turn(completion)))
        if missing:
            return Answered("", missing)
        inside = unwrapped(text, keep)
        if inside is None:
            return Answered("", SEVERAL)
        if inside == completion:
            break
        completion = inside
    return Answered(completion)


def first_turn(text: str) -> str:
    """The text before its first end of turn, where another turn or nothing follows; the whole text without one.

    A mark at the very start, quoted or in a code block is spoken about, not used.
    """
    if "<" not in text or "<|channel|>" in text:
        return text
    fences: _Fences | None = None
    for stop in _STOP.finditer(text):
        fences = fences or _Fences(text)
        if text[: stop.start()].strip() and not _is_mention(text, stop) and fences.at(stop.start()) < 0:
            return text[: stop.start()]
    return text


def without_end(text: str) -> str:
    """The text without the special tokens (end of turn, padding) at its very end and the white space after them."""
    end = len(text)
    while True:
        stop = end
        while stop and text[stop - 1].isspace():
            stop -= 1
        if not stop or text[stop - 1] not in ">]":
            return text[:end]
        last = _LAST.search(text, max(0, stop - _LONGEST_SPECIAL), stop)
        if last is None or _TAGS[1].fullmatch(last.group()) or _MARKS[1].fullmatch(last.group()):
            return text[:end]
        end = last.start()


# ------------------------------------------------------------------------------------------ thoughts


def without_thoughts(text: str) -> Answered:
    """What follows the last thought; of channels (Harmony) what the last "final" one says.

    A closing mark without an opening one counts: some chat templates put the opening one into the prompt.
    """
    if "<|channel|>" in text or "<|message|>" in text:
        channels = list(_CHANNEL.finditer(text))
        final = [channel for channel in channels if channel["name"] == "final"]
        if final:
            content = text[final[-1].end() :]
            end = _TURN_END.search(content)
            return Answered(content[: end.start()] if end else content)
        if channels:
            return Answered("", NO_FINAL_CHANNEL)
    if _BARE_CHANNEL.match(text):
        _, separator, content = text.rpartition("assistantfinal")
        return Answered(content) if separator else Answered("", NO_FINAL_CHANNEL)
    if not text.isascii() or "THINK]" in text:
        marks = _MARKS[1]
    elif "<" in text:
        marks = _MARKS[0]
    else:
        return Answered(text)
    start, is_open = 0, False
    fences = _Fences(text)
    opened_in = -1
    for mark in marks.finditer(text):
        if _is_mention(text, mark):
            continue
        fence = fences.at(mark.start())
        if not _ends(mark):
            if fence < 0:
                is_open = True
            else:
                opened_in = fence
        # A thought that the prompt opened may leave a block open: the mark that closes it then seems to stand in one.
        elif fence < 0 or fence != opened_in:
            start, is_open = mark.end(), False
    if is_open:
        return Answered("", UNCLOSED)
    if not start:
        return Answered(text)
    # What stands on the mark's line has no indentation of its own; a program below it has.
    blank = _BLANK_LINES.match(text, start)
    rest = text[blank.end() :] if blank else text[start:].lstrip()
    return Answered(rest) if rest.strip() else Answered("", NOTHING_AFTER)


def _ends(mark: re.Match[str]) -> bool:
    return bool(mark.lastgroup)


def _is_mention(text: str, mark: re.Match[str]) -> bool:
    """Is a mark quoted?"""
    start, end = mark.span()
    return end < len(text) and _opens_quote(text, start - 1) and _QUOTES[text[start - 1]] == text[end]


def _opens_string(text: str, tag: re.Match[str]) -> bool:
    """Does a quotation mark open before a tag, which is then part of a string? (Around the whole text it is dressing.)"""
    start = tag.start()
    return _opens_quote(text, start - 1) and bool(text[: start - 1].strip())


def _opens_quote(text: str, place: int) -> bool:
    """Is there a quotation mark that opens a quote? One behind a word or a full stop closes it."""
    if place < 0 or text[place] not in _QUOTES:
        return False
    return place == 0 or text[place - 1].isspace() or text[place - 1] in "([{<:=,;|/-*_"


class _Fences:
    """The closed code blocks of a text."""

    def __init__(self, text: str) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.languages: list[str] = []
        opened: re.Match[str] | None = None
        for match in _FENCE.finditer(text) if "```" in text else ():
            if opened is None:
                opened = match
            elif not match[1]:
                self.starts.append(opened.start())
                self.ends.append(match.end())
                self.languages.append(opened[1].lower())
                opened = None

    def at(self, position: int) -> int:
        """The index of the block around a position; -1 outside of all."""
        index = bisect_right(self.starts, position) - 1
        return index if index >= 0 and position < self.ends[index] else -1

    def language(self, position: int) -> str:
        """Of the block around a position; "" outside of all and where a block names none."""
        index = self.at(position)
        return self.languages[index] if index >= 0 else ""


# ------------------------------------------------------------------------------------------ wrappers


def named_tags(prompt: str) -> frozenset[str]:
    """The wrappers that a prompt names in their own form."""
    return frozenset(map(_name, _tags(prompt)))


def _tags(text: str) -> Iterable[re.Match[str]]:
    if "]" in text and ("ANSWER]" in text or "SOLUTION]" in text or "RESPONSE]" in text):
        return islice(_TAGS[1].finditer(text), MAX_TAGS)
    return islice(_TAGS[0].finditer(text), MAX_TAGS) if "<" in text else ()


def unwrapped(text: str, keep: frozenset[str] = frozenset()) -> str | None:
    """The inside of the wrapper around the answer, innermost where nested; the text itself without one.

    None when wrappers hold different answers: naming several is not answering.
    """
    for _ in range(4):
        inside = _inside(text, keep)
        if inside is None or inside == text:
            return inside
        text = inside
    return text


def _name(tag: re.Match[str]) -> str:
    return tag[tag.lastgroup or 0].lower()


def _closes(tag: re.Match[str]) -> bool:
    return tag[0][1] == "/" or tag[0][2:5].lower() == "end"


def _inside(text: str, keep: frozenset[str]) -> str | None:
    tags = list(_tags(text))
    if not tags:
        return text
    fences = _Fences(text)
    # In a block of a language tags belong to the program.
    tags = [
        tag
        for tag in tags
        if _name(tag) not in keep
        and not _is_mention(text, tag)
        and not _opens_string(text, tag)
        and fences.language(tag.start()) in {"", "xml", "text"}
    ]
    if not tags:
        return text
    opened: dict[str, re.Match[str]] = {}
    pairs: list[_Pair] = []
    orphans: list[re.Match[str]] = []
    for tag in tags:
        name = _name(tag)
        if not _closes(tag):
            opened[name] = tag
        elif name in opened:
            start = opened.pop(name)
            pairs.append((name, start.start(), start.end(), tag.start(), tag.end()))
        else:
            orphans.append(tag)
    pairs = [pair for pair in pairs if pair[0] not in _WHOLE_NAMES or _encloses(text, pair)]
    held = [pair for pair in pairs if not _PLACEHOLDER.match(text[pair[2] : pair[3]])]
    if not held:
        return _half_open(text, list(opened.values()), orphans, pairs)
    # An outer pair is what its inner one says.
    inner = [pair for pair in held if not any(pair[2] <= other[1] and other[4] <= pair[3] for other in held)]
    final = [pair for pair in inner if pair[0] in _FINAL_NAMES] or inner
    contents = list(dict.fromkeys(" ".join(text[pair[2] : pair[3]].split()) for pair in final))
    if len(contents) > 1:
        return None
    for pair in inner:
        other = text[pair[2] : pair[3]].strip()
        is_worked = "\n" in other or len(other.split()) > LONGEST_ANSWER
        if pair not in final and not is_worked and contents[0] not in other and other not in contents[0]:
            return None
    return text[final[-1][2] : final[-1][3]].strip()


def _encloses(text: str, pair: _Pair) -> bool:
    """Does nothing but signs stand outside of a pair of tags?"""
    return not _WORD.search(text[: pair[1]]) and not _WORD.search(text[pair[4] :])


def _half_open(
    text: str,
    opened: list[re.Match[str]],
    orphans: list[re.Match[str]],
    empty: list[_Pair],
) -> str:
    """The answer beside a wrapper that a stop string cut off, or that the prompt opened."""
    opened = [tag for tag in opened if _name(tag) not in _WHOLE_NAMES]
    orphans = [tag for tag in orphans if _name(tag) not in _WHOLE_NAMES]
    last = max(opened, key=lambda tag: tag.start()) if opened else None
    if last is not None and (_name(last) in _FINAL_NAMES or not text[: last.start()].strip()):
        rest = text[last.end() :].strip()
        if rest:
            return rest
    if orphans and last is None and not empty:
        return text[: orphans[0].start()].strip() or text[orphans[0].end() :].strip()
    if empty and not text[: empty[0][1]].strip() and not text[empty[-1][4] :].strip():
        return ""
    return text
