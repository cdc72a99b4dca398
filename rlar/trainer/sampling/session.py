"""Several turns of the same rows: with a cache that is kept between them where the policy has one, else read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from rlar.trainer.model.fast import FastNetwork
from rlar.trainer.model.fast_session import FastSession
from rlar.trainer.rollout import LocalSampler, Sampler
from rlar.trainer.sampling.decode import decode


@dataclass(frozen=True)
class Written:
    """What the policy wrote in one turn."""

    ids: list[int]
    """The end token included."""
    logprobs: list[float]
    """Of the sampling distribution at the temperature, before top-p."""
    finished: bool
    """Ended by itself; else cut off."""


@dataclass(frozen=True)
class Draw:
    """How tokens are drawn in every turn; see Sampler.sample."""

    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    generator: torch.Generator | None = None


class Session(Protocol):
    """N = P * group_size rows, those of a prompt side by side, that are being written in turns."""

    def turn(self, rows: Sequence[int], read: Sequence[list[int]]) -> list[Written]:
        """These rows (ascending) read some tokens each, none in their first turn, and write on."""
        ...


def lots(sampler: Sampler, prompts: Sequence[list[int]], group_size: int, capacity: int) -> list[list[int]]:
    """Which prompts may share a session: as many as a kept cache may hold, else all."""
    if isinstance(sampler, LocalSampler) and isinstance(sampler.policy.network, FastNetwork):
        return sampler.lots(prompts, 2 * group_size, capacity)  # the table, and the rows that are worked with
    return [list(range(len(prompts)))]


def open_session(sampler: Sampler, prompts: Sequence[list[int]], group_size: int, capacity: int, draw: Draw) -> Session:
    """A session of these prompts; nobody reads and writes more than `capacity` tokens a row after the prompt."""
    if isinstance(sampler, LocalSampler) and isinstance(sampler.policy.network, FastNetwork):
        return KeptSession(sampler, sampler.policy.network, prompts, group_size, capacity, draw)
    return RereadSession(sampler, prompts, group_size, draw)


class KeptSession:
    """Rows with a key-value cache each, kept between their turns."""

    def __init__(
        self, sampler: LocalSampler, network: FastNetwork, prompts: Sequence[list[int]], group_size: int,
        capacity: int, draw: Draw,
    ) -> None:  # fmt: skip
        self.sampler = sampler
        self.draw = draw
        with torch.inference_mode():
            self.decoder = FastSession(network, prompts, group_size, capacity)
            self.first_logits = self.decoder.start()
        self.unread: dict[int, int] = {}
        """The last token that a row wrote, which has not gone through the network yet."""

    @torch.inference_mode()
    def turn(self, rows: Sequence[int], read: Sequence[list[int]]) -> list[Written]:
        """See Session.turn."""
        decoder, draw = self.decoder, self.draw
        rows_B = torch.tensor(rows, device=decoder.rows_B.device)
        decoder.focus(rows_B)
        if self.unread:
            logits = decoder.read([[self.unread[row], *tokens] for row, tokens in zip(rows, read, strict=True)])
        else:
            logits = self.first_logits[rows_B]
        begin_B = decoder.filled_N[rows_B].clone()
        drawn = decode(
            decoder, logits, self.sampler.ending(draw.stop), max_new_tokens=draw.max_new_tokens,
            temperature=draw.temperature, top_p=draw.top_p, generator=draw.generator,
        )  # fmt: skip
        decoder.fill(rows_B, begin_B + drawn.lengths_B - 1)
        written = []
        for row, ids, logprobs, length, finished in zip(
            rows, drawn.ids_B_T.tolist(), drawn.logprobs_B_T.tolist(), drawn.lengths_B.tolist(),
            drawn.finished_B.tolist(), strict=True,
        ):  # fmt: skip
            written.append(Written(ids[:length], logprobs[:length], finished))
            self.unread[row] = ids[length - 1]
        return written


class RereadSession:
    """Rows that are read again from their beginning in every turn: any model, and servers, which keep prefixes themselves."""

    def __init__(self, sampler: Sampler, prompts: Sequence[list[int]], group_size: int, draw: Draw) -> None:
        self.sampler = sampler
        self.draw = draw
        self.prompts = [list(prompt) for prompt in prompts]
        self.group_size = group_size
        self.after: dict[int, list[int]] = {}
        """What follows the prompt, by row."""

    def turn(self, rows: Sequence[int], read: Sequence[list[int]]) -> list[Written]:
        """See Session.turn."""
        whole_groups = not self.after and list(rows) == list(range(len(self.prompts) * self.group_size))
        for row, tokens in zip(rows, read, strict=True):
            self.after.setdefault(row, []).extend(tokens)
        prompts = [self.prompts[row // self.group_size] + self.after[row] for row in rows]
        rollouts = self.sampler.sample(
            self.prompts if whole_groups else prompts, group_size=self.group_size if whole_groups else 1,
            max_new_tokens=self.draw.max_new_tokens, temperature=self.draw.temperature, top_p=self.draw.top_p,
            stop=self.draw.stop, generator=self.draw.generator,
        )  # fmt: skip
        written = []
        for row, ids, logprobs, length, finished in zip(
            rows, rollouts.completion_ids_N_T.tolist(), rollouts.logprobs_N_T.tolist(), rollouts.lengths_N.tolist(),
            rollouts.finished_N.tolist(), strict=True,
        ):  # fmt: skip
            written.append(Written(ids[:length], logprobs[:length], finished))
            self.after[row].extend(ids[:length])
        return written
