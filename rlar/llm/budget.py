"""Limits of calls, tokens and money that parallel tasks share: each call reserves before it asks, so none overshoots."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from rlar.errors import BudgetSpent, ConfigError
from rlar.types import Frozen

MOST_OUTPUT_TOKENS = 16_384
"""Reserved for an answer where tokens or money are limited, if that much is left."""
LEAST_OUTPUT_TOKENS = 256
"""With less left than this no answer is worth asking for."""
BYTES_PER_TOKEN = 2
"""Of a question, to reserve for it: real tokenizers need 3 to 4 in most texts."""


class Price(Frozen):
    """Of a million tokens, in any one currency."""

    input: float
    output: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost, in the currency of the price."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


class Spent(Frozen):
    """What questions to an LLM have cost."""

    calls: int = 0
    """Questions asked: repair turns count, retries of the connection do not."""
    cached: int = 0
    """Questions answered from the registry, at no cost."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    """None: no price was given."""

    def plus(self, *, calls: int = 0, cached: int = 0, tokens: tuple[int, int] = (0, 0), price: Price | None) -> Spent:
        """The sum, priced anew from all tokens; answers from the cache (`cached`) cost nothing."""
        input_tokens, output_tokens = self.input_tokens + tokens[0], self.output_tokens + tokens[1]
        return Spent(
            calls=self.calls + calls,
            cached=self.cached + cached,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=price.of(input_tokens, output_tokens) if price is not None else None,
        )


@dataclass(frozen=True)
class Reservation:
    """Room for one call."""

    input_tokens: int
    output_tokens: int | None
    """The most that the answer may take; None: no limit is set."""
    is_short: bool = False
    """The budget's end cut the answer's limit down."""


class Budget:
    """What is left of a build's limits. Thread-safe."""

    def __init__(
        self,
        *,
        max_calls: int | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        price: Price | None = None,
    ) -> None:
        """None: no limit. Raises ConfigError for a limit of money without a price."""
        if max_cost is not None and price is None:
            raise ConfigError(
                "max_cost needs llm_price: what a million input and a million output tokens cost "
                "(e.g. llm_price = [0.4, 1.6]); or limit max_llm_tokens instead"
            )
        self.price = price
        self._max_calls, self._max_tokens, self._max_cost = max_calls, max_tokens, max_cost
        self._calls = self._input = self._output = 0
        self._held: list[Reservation] = []
        self._changed = threading.Condition()

    def reserve(self, question_bytes: int) -> Reservation:
        """Room for one call, counted as made. Waits while calls in flight may still leave room; else BudgetSpent."""
        question_tokens = question_bytes // BYTES_PER_TOKEN + 1
        with self._changed:
            while True:
                if self._max_calls is not None and self._calls >= self._max_calls:
                    raise BudgetSpent(f"all {self._max_calls} LLM calls are made (max_llm_calls)")
                room, limit = self._room(question_tokens)
                if room is None:
                    held = Reservation(question_tokens, None)
                elif room >= LEAST_OUTPUT_TOKENS:
                    held = Reservation(
                        question_tokens, min(MOST_OUTPUT_TOKENS, room), is_short=room < MOST_OUTPUT_TOKENS
                    )
                elif self._held:
                    # Reservations are generous: what is in flight will give most of its own back.
                    self._changed.wait()
                    continue
                else:
                    raise BudgetSpent(limit)
                self._calls += 1
                self._held.append(held)
                return held

    def record(self, held: Reservation, input_tokens: int, output_tokens: int) -> None:
        """Put what a call really took in the place of its reservation."""
        with self._changed:
            self._held.remove(held)
            self._input += input_tokens
            self._output += output_tokens
            self._changed.notify_all()

    def _room(self, question_tokens: int) -> tuple[int | None, str]:
        """Output tokens that are left after a question of `asked` tokens, and the words for none; None: no limit."""
        input_tokens = self._input + sum(held.input_tokens for held in self._held) + question_tokens
        output_tokens = self._output + sum(held.output_tokens or 0 for held in self._held)
        rooms: list[tuple[int, str]] = []
        if self._max_tokens is not None:
            used = self._input + self._output
            text = f"{used} of {self._max_tokens} LLM tokens are used, too few are left to ask (max_llm_tokens)"
            rooms.append((self._max_tokens - input_tokens - output_tokens, text))
        if self._max_cost is not None and self.price is not None:
            left = self._max_cost - self.price.of(input_tokens, output_tokens)
            spent = self.price.of(self._input, self._output)
            text = f"{spent:.4g} of {self._max_cost:g} is spent, too little is left to ask (max_cost)"
            room = int(left * 1e6 / self.price.output) if self.price.output > 0 else MOST_OUTPUT_TOKENS
            rooms.append((room if left >= 0 else -1, text))
        return min(rooms) if rooms else (None, "")
