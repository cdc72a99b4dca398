"""What an environment is. A small one is a class with `reset` and `step`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

from rlar.tool import Resources
from rlar.types import Example, JsonObject, Message

MOST_MESSAGES = 32
"""Of one step."""


class Call(NamedTuple):
    """A tool call in a completion."""

    name: str
    arguments: JsonObject
    problem: str = ""
    """Why it cannot be read; then name and arguments are empty."""


class Completion(str):
    """What the policy wrote in a turn: its text, and what the text holds."""

    calls: tuple[Call, ...]
    finished: bool
    """It ended by itself; else it was cut off at the token limit."""

    def __new__(cls, text: str, calls: Sequence[Call] = (), *, finished: bool = True) -> Self:
        made = super().__new__(cls, text)
        made.calls, made.finished = tuple(calls), finished
        return made


class Step(NamedTuple):
    """What an environment answers to a completion."""

    messages: Sequence[Message] = ()
    """What the policy reads next; not looked at where it is over."""
    reward: float | None = None
    """For this turn, any range; None: nothing to say of it."""
    done: bool = False


class Environment:
    """One episode of one row, made anew for every episode.

    Steps run in threads, never two of one environment at once. What a completion can cause (a malformed call, a wrong
    move) is answered as text or given a low reward; what is raised means that the environment broke, and the episode is
    then left out of the loss: it never counts as 0.
    """

    reward: ClassVar[Literal["registry", "environment"]] = "registry"
    """Who judges an episode where the settings do not say: the tools of the registry, by its answer, or its own rewards."""
    summary: ClassVar[str] = ""
    """One line for `rlar env list`."""

    def __init__(self, resources: Resources) -> None:
        """
        Args:
            resources: what all episodes share: the sandbox, hosts that may be talked to, `shared` for what is loaded once.
                Further keywords of a subclass are settings of `[environment]`.
        """
        self.resources = resources

    def tools(self) -> Sequence[JsonObject]:
        """Tools that the policy may call, in the shape that chat templates take (`type`, `function`)."""
        return ()

    def reset(self, row: Example, seed: int) -> Sequence[Message]:
        """The prompt of the row; all rollouts of a group share it, so it depends on the row and on nothing else.

        Args:
            seed: where chance in the steps comes from: equal within a group, another one each step of training.
        """
        return row.prompt

    def step(self, completion: Completion) -> Step:
        """The answer to a turn of the policy."""
        raise NotImplementedError

    def answer(self) -> str | None:
        """What the registry's tools judge once it is over; None: the last completion."""
        return None

    def solution(self) -> Sequence[str] | None:
        """Completions that solve the row, one a turn, for `rlar env check`; None: not known. Asked after `reset`."""
        return None

    def close(self) -> None:
        """Let go of what the episode holds; called once, whatever happened."""


def checked_messages(given: Any) -> tuple[Message, ...]:
    """Messages as an environment may write them: Message, {"role", "content"}, or text for one of the user.

    Raises ValueError for anything else: the environment is broken.
    """
    items = [given] if isinstance(given, (str, dict, Message)) else given
    if not isinstance(items, (list, tuple)) or len(items) > MOST_MESSAGES:
        raise ValueError(f"messages must be a sequence of at most {MOST_MESSAGES}, not {type(given).__name__}")
    return tuple(
        item
        if isinstance(item, Message)
        else Message(role="user", content=item)
        if isinstance(item, str)
        else Message.model_validate(item)
        for item in items
    )


def checked_step(given: Any) -> Step:
    """A Step of what `step` returned, a plain tuple too. Raises ValueError for what is none: the environment is broken."""
    if not isinstance(given, tuple) or len(given) != 3:
        raise ValueError(f"a step must give (messages, reward, done), not {type(given).__name__}")
    messages, reward, done = given
    if reward is not None and not (isinstance(reward, (int, float)) and math.isfinite(reward)):
        raise ValueError(f"a reward must be a finite number or None, not {reward!r:.80}")
    if not isinstance(done, bool):
        raise ValueError(f"done must be True or False, not {done!r:.80}")
    read = () if done else checked_messages(messages)
    if not done and not read:
        raise ValueError("a step that is not the last must give messages")
    return Step(read, None if reward is None else float(reward), done)
