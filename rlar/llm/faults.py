"""What went wrong with a question to a chat server: whether it may pass, what to tell a person, and no key in it."""

from __future__ import annotations

import email.utils
import re
import time
from dataclasses import dataclass, replace
from typing import Any

from rlar.errors import ChatDenied, ChatError, ChatUnavailable, ChatUnreadable

SHOWN_CHARACTERS = 300
READ_CHARACTERS = 4_000
"""Of what a server says, for finding out what it complains about."""
PASSING_STATUSES = frozenset({408, 409, 425, 429})

_LOOKS_LIKE_A_KEY = re.compile(r"\bsk-[\w*.-]{3,}|\bBearer\s+\S+", re.I)


class Redactor:
    """Takes a key, and pieces of it, out of texts that a server sent back."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Redactor(...)"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a key is not pickled")

    def in_message(self, text: str, limit: int = SHOWN_CHARACTERS) -> str:
        """One short line for a person; also without what merely looks like a key."""
        line = " ".join(_LOOKS_LIKE_A_KEY.sub("[key]", self._without(text, run=5)).split())
        return line if len(line) <= limit else line[:limit] + "..."

    def in_reply(self, text: str) -> str:
        """A model's answer without the key. Short pieces, and short keys ("EMPTY"), may be ordinary words in it."""
        return self._without(text, run=12) if self._key and len(self._key) >= 12 else text

    def _without(self, text: str, run: int) -> str:
        """The text with every piece of the key of at least `run` characters (or all of a shorter key) blotted out."""
        key = self._key
        if not key or len(key) < 4:
            return text
        size = min(run, len(key))
        hidden = bytearray(len(text))
        for piece in {key[start : start + size] for start in range(len(key) - size + 1)}:
            at = text.find(piece)
            while at >= 0:
                hidden[at : at + size] = b"\x01" * size
                at = text.find(piece, at + 1)
        if not any(hidden):
            return text
        blotted = "".join("\x00" if is_hidden else character for character, is_hidden in zip(text, hidden, strict=True))
        return re.sub("\x00+", "[key]", blotted)


@dataclass(frozen=True)
class Failure:
    """A question that came to nothing."""

    kind: type[ChatError]
    message: str
    may_pass: bool = False
    """Asking again may help."""
    wait_seconds: float | None = None
    """What the server asks for before the next try."""
    status: int | None = None
    said: str = ""
    """The server's own words, redacted, and the option that it complains about."""

    def error(self) -> ChatError:
        """What to raise."""
        return self.kind(self.message)

    def after(self, attempts: int, patience_seconds: float) -> Failure:
        """The same, given up after so many attempts; says so."""
        if self.wait_seconds is not None and self.wait_seconds > patience_seconds:
            why = f"it asks to wait {self.wait_seconds:.0f} s, longer than the {patience_seconds:.0f} s that rlar waits"
        else:
            why = f"gave up after {attempts} attempts" if attempts > 1 else "gave up"
        return replace(self, message=f"{self.message} ({why})")

    def refused_option(self, sent: set[str]) -> str | None:
        """The option among those sent that the server says it does not know."""
        if self.status not in (400, 404, 422) and not self.is_about_form:
            return None
        message = self.said.lower()
        if (form := _form_in(sent)) and self.is_about_form:
            return form
        for option, words in _OPTION_WORDS.items():
            if option in sent and any(word in message for word in words):
                return option
        return None

    @property
    def is_about_form(self) -> bool:
        """Whether the server complains about how the answer was to be written, whichever form that was."""
        return self.status not in (None, 401, 402, 403, 429) and _ABOUT_FORM.search(self.said) is not None

    def suspected_form(self, sent: set[str]) -> str | None:
        """The form of answer among those sent to leave out as a try, where the server doesn't say what it refuses."""
        if self.status not in (400, 404, 422, 501) or _ABOUT_ELSE.search(self.said):
            return None
        return _form_in(sent)


def _form_in(sent: set[str]) -> str | None:
    return next((form for form in ("json_schema", "json_object") if form in sent), None)


_ABOUT_FORM = re.compile(
    r"response[_ .]?(?:format|schema)|json[_ -]?(?:schema|object|mode)|responseJsonSchema|structured[_ -]output|guided[_ -]?(?:decoding|json|grammar|generation)|"
    r"\bgrammars?\b|xgrammar|outlines|llguidance|lm-format-enforcer|additionalProperties|generation_?config|constrained[_ -]?(?:decoding|generation)|"
    r"\bschemas?\b",
    re.IGNORECASE,
)
"""How servers speak of it: OpenAI and its like, vLLM and what it decodes with, SGLang, llama.cpp (grammars), Gemini."""
_ABOUT_ELSE = re.compile(
    r"context|too long|too large|too many|maximum|exceed|tokens|no such model|model_not_found|model\b[^.]{0,80}\b(?:not exist|not found|unknown|available)|"
    r"(?:unknown|invalid|unsupported) model|policy|safety|content[_ ]filter|moderation|quota|billing|credit|balance|api[_ ]key|\bkey\b|authenti|permission|region|country",
    re.IGNORECASE,
)
"""Complaints that no other form of the answer would cure."""

_OPTION_WORDS = {
    "temperature": ("temperature",),
    "seed": ("'seed'", '"seed"', "`seed`", "seed "),
    "max_tokens": ("max_tokens", "max_completion_tokens"),
}


def failure_of(error: Exception, name: str, timeout_seconds: float, redactor: Redactor) -> Failure:
    """What an exception of the openai and langchain packages means. Nothing of it is kept but a redacted line."""
    import openai

    def say(text: object) -> str:
        return redactor.in_message(str(text))

    causes = _causes(error)
    kinds = {type(cause).__name__ for cause in causes}
    if isinstance(error, openai.APITimeoutError) and "ConnectTimeout" not in kinds:
        return Failure(ChatUnavailable, f"{name} gave no answer within {timeout_seconds:g} s", may_pass=True)
    if isinstance(error, openai.APIConnectionError):
        # The system's own words are at the bottom, below httpx's and httpcore's.
        message = say(next((cause for cause in reversed(causes) if str(cause)), error))
        if kinds & {"ConnectError", "ConnectTimeout"}:
            text = f"cannot reach {name}: {message}; is the server running, and its address right? --llm names another"
        else:
            text = f"the connection to {name} broke: {message}"
        return Failure(ChatUnavailable, text, may_pass=True)
    if isinstance(error, openai.APIStatusError):
        return _status_failure(error, name, redactor)
    text = f"{name} answered with something that is no chat completion ({type(error).__name__}: {say(error)})"
    return Failure(ChatUnavailable, text, may_pass=True)


def _status_failure(error: Any, name: str, redactor: Redactor) -> Failure:
    status: int = error.status_code
    say = redactor.in_message
    message = _message_in(error.body) or re.sub(r"^Error code: \d+(?: - )?", "", error.message)
    line = say(message)
    excerpt = redactor.in_message(f"{error.param or ''} {error.code or ''} {message}", READ_CHARACTERS)
    if status in (401, 403):
        # The servers' own messages repeat part of the key.
        return Failure(ChatDenied, f"{name} does not accept the key (HTTP {status}); check it in the environment")
    if status == 402 or (status == 429 and "insufficient_quota" in (error.code, error.type, *message.split())):
        return Failure(ChatDenied, f"the quota at {name} is used up (HTTP {status}): {line}")
    if status < 400:
        text = f"{name} redirects elsewhere (HTTP {status}), which is not followed; name the final address in --llm"
        return Failure(ChatUnavailable, text)
    if status in PASSING_STATUSES or status >= 500:
        what = "is asked too often" if status == 429 else "fails"
        text = f"{name} {what} (HTTP {status}): {line}"
        headers = error.response.headers
        may_pass = headers.get("x-should-retry") != "false"
        return Failure(ChatUnavailable, text, may_pass, _wait_seconds(headers), status, excerpt)
    if status == 404:
        text = f"{name}: no such model, or no such address (HTTP 404): {line}; the address usually ends with /v1"
        return Failure(ChatDenied, text, status=status, said=excerpt)
    return Failure(
        ChatUnreadable, f"{name} does not accept the question (HTTP {status}): {line}", status=status, said=excerpt
    )


def _message_in(body: object, depth: int = 6) -> str:
    """The server's own words in the body of an error: OpenAI's object, a list of them (Gemini), a bare `detail` (FastAPI)."""
    if isinstance(body, str):
        return body.strip()
    if isinstance(body, list) and depth:
        return "; ".join(filter(None, (_message_in(each, depth - 1) for each in body[:8])))
    if not isinstance(body, dict) or not depth:
        return ""
    for name in ("error", "message", "detail", "msg", "errors", "error_message"):
        if words := _message_in(body.get(name), depth - 1):
            # FastAPI names the field apart from what is wrong with it.
            place = body.get("loc")
            where = ".".join(str(part) for part in place[:12]) if isinstance(place, list) else ""
            return f"{where}: {words}" if where else words
    return ""


def _wait_seconds(headers: Any) -> float | None:
    """Seconds that the server asks to wait; None where it says nothing that can be read."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
            except ValueError:
                continue
        if seconds == seconds:
            return min(max(0.0, seconds), 1e9)
    return None


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it was raised from, down to the system's own."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 20:
        causes.append(cause)
    return causes
