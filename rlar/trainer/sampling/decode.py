"""One turn of some rows, token by token: draws, ends, and rows that leave once they have ended."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rlar.trainer.model.network import Decoder
from rlar.trainer.sampling.draw import certainty_as_drawn, draw_tokens
from rlar.trainer.sampling.stopping import StopStrings


@dataclass(frozen=True, eq=False)
class Ending:
    """When a row ends, and when ended ones leave the batch."""

    eos: Tensor
    """Ids of end tokens."""
    pad_id: int
    strings: StopStrings | None
    leave_below: float
    """Ended rows leave once the share of running ones falls below this."""

    @property
    def stop(self) -> tuple[str, ...]:
        """The stop strings."""
        return () if self.strings is None else self.strings.stop


@dataclass(frozen=True, eq=False)
class Drawn:
    """What B rows wrote in a turn; padded on the right."""

    ids_B_T: Tensor
    logprobs_B_T: Tensor
    lengths_B: Tensor
    """The end token included."""
    finished_B: Tensor
    """Ended by themselves; the others ran into the limit."""
    certainty_B_T: Tensor | None = None
    """`rlar.trainer.model.logprob.self_certainty` of what each token was drawn from, where it was asked for."""


def decode(
    decoder: Decoder,
    logits: Tensor,
    ending: Ending,
    *,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    generator: torch.Generator | None,
    known: int | None = None,
) -> Drawn:
    """At most `max_new_tokens` tokens of each row of `logits` (B, V). Every token but a row's last has been read.

    Args:
        known: tokens of the tokenizer; certainty is recorded then.
    """
    count, device = len(logits), logits.device
    ids_B_T = torch.full((count, max_new_tokens), ending.pad_id, device=device)
    logprobs_B_T = torch.zeros(count, max_new_tokens, device=device)
    certainty_B_T = None if known is None else torch.zeros_like(logprobs_B_T)
    lengths_B = torch.full((count,), max_new_tokens, device=device)
    finished_B = torch.zeros(count, dtype=torch.bool, device=device)
    rows_B = torch.arange(count, device=device)
    alive_B = torch.ones(count, dtype=torch.bool, device=device)
    for t in range(max_new_tokens):
        tokens, logprobs = draw_tokens(logits, temperature=temperature, top_p=top_p, generator=generator)
        ids_B_T[rows_B, t] = torch.where(alive_B, tokens, ending.pad_id)
        logprobs_B_T[rows_B, t] = torch.where(alive_B, logprobs, 0.0)
        if known is not None and certainty_B_T is not None:
            certainty = certainty_as_drawn(logits, tokens, logprobs, temperature=temperature, known=known)
            certainty_B_T[rows_B, t] = torch.where(alive_B, certainty, 0.0)
        ended = torch.isin(tokens, ending.eos)
        if ending.strings is not None:
            ended |= ending.strings.reached(ids_B_T[:, : t + 1], rows_B, tokens, alive_B & ~ended)
        ended &= alive_B
        lengths_B[rows_B[ended]] = t + 1
        finished_B[rows_B[ended]] = True
        alive_B = alive_B & ~ended
        if t == max_new_tokens - 1:
            break
        if t % 4 == 3 or len(rows_B) <= 64:  # asking costs a synchronisation on a GPU
            running = int(alive_B.sum())
            if running == 0:
                break
            if running < ending.leave_below * len(rows_B):
                index = alive_B.nonzero().squeeze(1)
                rows_B, alive_B, tokens = rows_B[index], alive_B[index], tokens[index]
                decoder.keep(index)
        logits = decoder.step(tokens)
    return Drawn(ids_B_T, logprobs_B_T, lengths_B, finished_B, certainty_B_T)
