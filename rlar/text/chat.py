"""Chat templates undone: from the text that a model saw and wrote back to turns and the bare completion.

For hosts that hand over templated text (OpenRLHF, slime). A template is recognised by its own tokens, never guessed
from words; what shows none stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from rlar.answered import SPECIAL, without_end
from rlar.types import Message

_HEADER = re.compile(
    r"<\|im_start\|>(?P<chatml>[a-z]{1,20})\n"
    r"|<\|start_header_id\|>(?P<llama3>[a-z]{1,20})<\|end_header_id\|>\n{0,2}"
    r"|<\|header_start\|>(?P<llama4>[a-z]{1,20})<\|header_end\|>\n{0,2}"
    r"|<start_of_turn>(?P<gemma>user|model|system)\n"
    r"|<\|start\|>(?P<harmony>[a-z]{1,20})(?:(?:<\|channel\|>[a-z]{1,20})?<\|message\|>|\Z)"
    r"|<\|(?P<bars>system|user|assistant)\|>\n?"
    r"|<｜(?P<wide>User|Assistant)｜>"
    r"|\[(?P<mistral>/?(?:INST|SYSTEM_PROMPT))\] ?"
)
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_ROLES = {"model": "assistant", "User": "user", "Assistant": "assistant", "INST": "user", "/INST": "assistant",
          "SYSTEM_PROMPT": "system", "/SYSTEM_PROMPT": ""}  # fmt: skip

_SPLIT_AT = re.compile(r"\.split\(\s*['\"]([<\[◁][^'\"\\\s]{1,40}[>\]▷])['\"]")
"""Where a chat template cuts the thought off an earlier answer: at its closing mark."""
_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")

_AT_THE_START = re.compile(rf"\A(?:{SPECIAL}\s*)+")
_OPENED_THOUGHT = re.compile(r"\A\s*(?:<think>\s*)?(?:</think>\s*)?\Z")
"""What templates put behind the last header for the model to go on from."""


class ThoughtMarks(NamedTuple):
    """The marks around a policy's thoughts, as its chat template declares them."""

    opening: str
    """"" where only the closing one is known."""
    closing: str
    is_opened: bool
    """Does the template open a thought behind the prompt, so that every completion begins in one?"""

    def spelled(self, completion: str) -> str:
        """The completion with its thought between <think> and </think>, which `rlar.answered` knows."""
        text = completion
        if self.closing != "</think>":
            text = text.replace(self.closing, "</think>")
            text = text.replace(self.opening, "<think>") if self.opening else text
        return f"<think>{text}" if self.is_opened and "</think>" not in text else text


def thought_marks(template: str, render: Callable[[list[dict[str, str]], bool], str]) -> ThoughtMarks | None:
    """The marks that a chat template declares for thoughts; None where it declares none.

    Args:
        template: its source.
        render: turns to text, with or without the opened turn of an answer.
    """
    question = {"role": "user", "content": "Q"}
    opening = closing = ""
    for field in _THOUGHT_FIELDS:
        shown = render([question, {"role": "assistant", "content": "ANSWER", field: "THOUGHT"}], False)
        before, thought, after = shown.rpartition("THOUGHT")
        mark, answer, _ = after.partition("ANSWER")
        if thought and answer and mark.strip():
            closing = mark.strip()
            last = before.rstrip().rsplit(None, 1)[-1:]
            opening = _OPENS.search(last[0])[0] if last and _OPENS.search(last[0]) else ""  # type: ignore[index]
            break
    if not closing and (cut := _SPLIT_AT.search(template)) is not None:
        closing = cut[1]
        opening = closing.replace("/", "", 1) if "/" in closing else ""
    if not closing:
        return None
    prompt = render([question], True).rstrip()
    return ThoughtMarks(opening, closing, bool(opening) and prompt.endswith(opening))


_OPENS = re.compile(r"(?:<[^<>\s]{1,40}>|\[[^\[\]\s]{1,40}\]|◁[^◁▷\s]{1,40}▷)\Z")


def turns_of(text: str) -> tuple[Message, ...]:
    """The turns of a templated prompt, without the opened turn of the answer; one user turn where no template shows."""
    headers = list(_HEADER.finditer(text))
    if not headers:
        bare = _AT_THE_START.sub("", text) if text[:1] in "<[" else text
        return (Message(role="user", content=bare or text),)
    turns = []
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        role = _role(header)
        content = without_end(text[header.end() : end])
        if header["mistral"] == "INST":
            content = content.removesuffix(" ")  # the template's own, before [/INST]
        last_opened = end == len(text) and role == "assistant" and _OPENED_THOUGHT.match(content)
        if role and content and not last_opened:
            turns.append(Message(role=role, content=content))
    return tuple(turns) or (Message(role="user", content=text),)


def answer_of(query: str, prompt: str | None) -> str | None:
    """The completion within prompt plus completion, its end tokens removed; None where it cannot be told.

    Args:
        prompt: the templated prompt. Decoding may have changed it (a doubled first token, spaces); then the
            completion begins after as many turn headers as the prompt has, whatever headers the model itself wrote.
    """
    if prompt:
        at = query.find(prompt, 0, len(prompt) + 256)
        if at >= 0:
            return completion_of(query[at + len(prompt) :])
        wanted = sum(1 for _ in _HEADER.finditer(prompt))
        headers = list(_HEADER.finditer(query))
        if not wanted or len(headers) < wanted or _role(headers[wanted - 1]) != "assistant":
            return None
        return completion_of(query[headers[wanted - 1].end() :])
    answers = [header for header in _HEADER.finditer(query) if _role(header) == "assistant"]
    # With several, which one the model wrote itself cannot be told, and guessing would let it choose what is scored.
    return completion_of(query[answers[0].end() :]) if len(answers) == 1 else None


def completion_of(text: str) -> str:
    """A completion without its end; of one in channels (Harmony) what the last "final" channel says."""
    return without_end(text[text.rfind(_FINAL_CHANNEL) + len(_FINAL_CHANNEL) :] if _FINAL_CHANNEL in text else text)


def _role(header: re.Match[str]) -> str:
    name = next(group for group in header.groups() if group is not None)
    return _ROLES.get(name, name)
