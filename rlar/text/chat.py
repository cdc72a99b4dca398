"""Chat templates undone: from the text that a model saw and wrote back to turns and the bare completion.

For hosts that hand over templated text (OpenRLHF, slime). A template is recognised by its own tokens, never guessed
from words; what shows none stays as it is.
"""

from __future__ import annotations

import re

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

_AT_THE_START = re.compile(rf"\A(?:{SPECIAL}\s*)+")
_OPENED_THOUGHT = re.compile(r"\A\s*(?:<think>\s*)?(?:</think>\s*)?\Z")
"""What templates put behind the last header for the model to go on from."""


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
