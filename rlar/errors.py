"""Everything rlar raises, and the one place where a foreign exception is caught.

RlarError
├── InputError            the user's input cannot be used (exit code 2)
│   ├── DatasetError      a dataset, or too many of its rows
│   └── ConfigError       an option or a configuration file
├── RegistryError         the registry is missing, locked, damaged or of another version
│   └── UnknownTaskError  no such fingerprint, or nothing admitted for it
├── ToolError             a tool cannot be loaded (never: a tool that broke while scoring)
│   └── HostRefused       it talks to a host that the user has not allowed
├── ChatError             a call to an LLM came to nothing
│   ├── ChatDenied        the key or the model is not accepted: asking again is no use
│   ├── ChatUnavailable   no answer after all retries: network, rate limit, server error
│   └── ChatUnreadable    an answer that cannot be used: refused, cut off, not what was asked for
├── BudgetSpent           a limit of calls, tokens, money or bytes is reached
├── HubError              the Hub, or a model on it, cannot be used
├── NothingScored         rows were scored, and tools that broke left not one reward
├── StorageError          a file cannot be written: no space, no permission, a read-only or failing disk
├── BuildStopped          a build ended early and can be continued
│   └── ApprovalNeeded    it waits for a person's decision
└── SandboxError          the sandbox cannot be started as asked
    └── SandboxRefused    no isolation available and the user did not accept the risk

A tool that breaks *while scoring* raises nothing: it gives a Score with a status.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic import ValidationError

T = TypeVar("T")


class RlarError(Exception):
    """Base of all errors of this package; its message names the thing, the expectation and the way out."""


class InputError(RlarError):
    """The user's input cannot be used; the command line exits with 2."""


class DatasetError(InputError):
    """A dataset cannot be read, or too many of its rows cannot be used."""


class ConfigError(InputError):
    """An option or a configuration file is wrong."""


class RegistryError(RlarError):
    """The registry is missing, locked, damaged, or written by another version."""


class UnknownTaskError(RegistryError):
    """No task with this fingerprint, or nothing admitted for it."""


class ToolError(RlarError):
    """A tool cannot be loaded from its ToolSpec."""


class HostRefused(ToolError):
    """A tool talks to a host that the user has not allowed: nothing was sent, and nothing is known about the tool."""


class ChatError(RlarError):
    """A call to an LLM came to nothing."""


class ChatDenied(ChatError):
    """The key or the model is not accepted; asking again is no use."""


class ChatUnavailable(ChatError):
    """No answer after all retries: network, rate limit, server error."""


class ChatUnreadable(ChatError):
    """An answer that cannot be used: refused, cut off, or not what was asked for."""


class BudgetSpent(RlarError):
    """A limit of calls, tokens, money or bytes is reached."""


class HubError(RlarError):
    """The Hub, or a model on it, cannot be used."""


class NothingScored(RlarError):
    """Rows were scored and written, and not one completion got a reward because tools broke."""


class StorageError(RlarError):
    """A file cannot be written: no space, no permission, a read-only or failing disk."""


class BuildStopped(RlarError):
    """A build ended early, as asked; what was done is kept, and the same command continues it."""


class ApprovalNeeded(BuildStopped):
    """A build waits for a person's decision about something that the policy does not allow by itself."""


class SandboxError(RlarError):
    """The sandbox cannot be started as asked."""


class SandboxRefused(SandboxError):
    """This machine offers no isolation, and the user did not accept the risk by name."""


def first_problem(error: ValidationError, whole: str = "", *, shown: bool = False) -> str:
    """`field.name: what is wrong with it`, of the first thing that pydantic found.

    Args:
        whole: the name of the value where no field is to blame.
        shown: say what was given, too, cut to a few words; for values of the user alone, never for data or secrets.
    """
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))[:200] or whole
    message = first["msg"].removeprefix("Value error, ")
    given = f" (got {reprlib.repr(first.get('input'))})" if shown else ""
    return f"{place}: {message}{given}" if place else f"{message}{given}"


def boundary(call: Callable[[], T], on_error: Callable[[Exception], T]) -> T:
    """The result of `call`, or of `on_error` when it raises: with `rlar.tool.score_checked` the only `except Exception` in rlar.

    Use it where foreign code (a library parser, a tool) may raise anything and a failure has a status of its own.
    """
    try:
        return call()
    except Exception as error:  # noqa: BLE001
        return on_error(error)
