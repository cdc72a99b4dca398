"""What rollouts and losses ask of a model, whatever its architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor

from rlar.trainer.model.batch import MicroBatch

Forward = Callable[[MicroBatch], Tensor]


class Decoder(Protocol):
    """The state of one generation: the keys and values of the rows that still run."""

    def start(self) -> Tensor:
        """Encode the prompts, each once. Returns the (B, V) logits of the first token of every row."""
        ...

    def step(self, tokens_B: Tensor) -> Tensor:
        """Append one token to each row. Returns the (B, V) logits of the next."""
        ...

    def keep(self, index: Tensor) -> None:
        """Go on with these rows only."""
        ...


class Network(Protocol):
    """A causal language model, taken apart into what is needed once and what is needed a token."""

    name: str
    """"fast" or "transformers"."""
    linear_head: bool
    """False: the model does something else than a product (soft-capping, scaling), so `forward` gives logits."""

    def head(self) -> tuple[Tensor, Tensor | None]:
        """(V, D) weight of the output layer and its bias."""
        ...

    def forwards(self) -> AbstractContextManager[Forward]:
        """A function from a micro-batch to the (M, D) hidden states that predict its target tokens (or (M, V) logits).

        Gradients of everything computed inside reach the parameters when the context ends.
        """
        ...

    def split(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """Which prompts are best (or can only be) decoded together."""
        ...

    def decoder(self, prompts: Sequence[list[int]], group_size: int, max_new_tokens: int) -> Decoder:
        """A decoder of P prompts (one lot of `split`) with `group_size` rows each, for so many tokens at most."""
        ...

    def cache_bytes_per_token(self) -> int:
        """Of one row."""
        ...
