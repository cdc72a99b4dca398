"""Rollouts, and sampling them with the policy itself.

Prompts are encoded once a group, finished rows leave the batch, and each token's log-probability is recorded as it is
drawn, so that an on-policy step needs no second forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from rlar.errors import ConfigError
from rlar.trainer.model.batch import token_mask
from rlar.trainer.model.policy import Policy
from rlar.trainer.sampling.decode import Ending, decode
from rlar.trainer.sampling.stopping import StopStrings
from rlar.trainer.turns import Episode, Turn


@dataclass(frozen=True, eq=False)
class Rollouts:
    """`group_size` completions of each prompt; row n belongs to prompt n // group_size.

    A completion may hold several turns of the policy with an environment's answers between them.
    """

    prompts: list[list[int]]
    completion_ids_N_T: Tensor
    """Long, all that follows the prompt, with the end token where one was drawn; padded on the right."""
    lengths_N: Tensor
    """Long, the end token included."""
    logprobs_N_T: Tensor
    """Float32, of the sampling distribution at `temperature` before top-p; 0 where the policy drew nothing."""
    finished_N: Tensor
    """Bool: ended by itself, by an end token or a stop string; else it ran into the limit."""
    texts: list[str]
    """Without end token and without the stop string."""
    group_size: int
    temperature: float
    max_new_tokens: int
    turns_N_T: Tensor | None = None
    """Long, the policy's turn in which it wrote a token, from 0; -1 for an environment's tokens and padding. None: one
    turn, all of it the policy's."""
    certainty_N_T: Tensor | None = None
    """Float32, `self_certainty` of the distribution that a token was drawn from; 0 where the policy drew nothing. None: not
    recorded."""
    episodes: tuple[Episode, ...] | None = None
    """What an environment made of each row; None: there was none."""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def mask_N_T(self) -> Tensor:
        """True where a completion token is."""
        return token_mask(self.lengths_N, self.completion_ids_N_T.shape[1])

    @property
    def turn_of_N_T(self) -> Tensor:
        """`turns_N_T`, or what it would be for one turn."""
        return torch.where(self.mask_N_T, 0, -1) if self.turns_N_T is None else self.turns_N_T

    @property
    def action_mask_N_T(self) -> Tensor:
        """True where the policy wrote a token: what log-probabilities, losses and token counts are about."""
        return self.mask_N_T if self.turns_N_T is None else self.turns_N_T >= 0

    @property
    def action_counts_N(self) -> Tensor:
        """Tokens that the policy wrote."""
        return self.lengths_N if self.turns_N_T is None else self.action_mask_N_T.sum(1)

    def all_episodes(self) -> tuple[Episode, ...]:
        """`episodes`, or what they would be without an environment: one turn of the policy each, without a reward."""
        if self.episodes is not None:
            return self.episodes
        lengths = zip(self.lengths_N.tolist(), self.texts, strict=True)
        return tuple(Episode((Turn("policy", 0, length, text),)) for length, text in lengths)

    def turn_rewards_N_K(self) -> Tensor:
        """(N, K) double, what the environment gave for each turn of the policy; NaN where it gave nothing or broke."""
        rewards = [
            [float("nan") if turn.reward is None or episode.broke else turn.reward for turn in episode.policy_turns]
            for episode in self.all_episodes()
        ]
        width = max(map(len, rewards), default=0)
        padded = [row + [float("nan")] * (width - len(row)) for row in rewards]
        return torch.tensor(padded, dtype=torch.float64).view(len(rewards), width)

    def _tensors(self) -> dict[str, Any]:
        """The fields with a value a row, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def to(self, device: torch.device | str) -> Rollouts:
        """The same on another device."""
        return replace(self, **{name: value.to(device) for name, value in self._tensors().items()})

    def groups(self, chosen: Sequence[int]) -> Rollouts:
        """Only these groups (by the index of their prompt), in this order."""
        size = self.group_size
        rows = [group * size + member for group in chosen for member in range(size)]
        index = torch.tensor(rows, dtype=torch.long, device=self.lengths_N.device)
        return replace(
            self,
            prompts=[self.prompts[group] for group in chosen],
            texts=[self.texts[row] for row in rows],
            episodes=None if self.episodes is None else tuple(self.episodes[row] for row in rows),
            **{name: value[index] for name, value in self._tensors().items()},
        )


def join_rollouts(parts: Sequence[Rollouts]) -> Rollouts:
    """Several batches as one; they must agree on group size, temperature and limit."""
    first = parts[0]
    for part in parts:
        same = (part.group_size, part.temperature) == (first.group_size, first.temperature)
        assert same, "rollouts of different settings cannot be joined"
    if any(part.turns_N_T is not None for part in parts):
        parts = [replace(part, turns_N_T=part.turn_of_N_T) for part in parts]
    episodes = None
    if any(part.episodes is not None for part in parts):
        episodes = tuple(episode for part in parts for episode in part.all_episodes())
    width = max(part.completion_ids_N_T.shape[1] for part in parts)

    def joined(name: str) -> Tensor:
        values: list[Tensor] = [part._tensors()[name] for part in parts]
        if values[0].dim() == 2:
            fill = -1 if name == "turns_N_T" else 0
            values = [torch.nn.functional.pad(value, (0, width - value.shape[1]), value=fill) for value in values]
        return torch.cat(values)

    tensors: dict[str, Any] = {name: joined(name) for name in parts[0]._tensors()}
    return replace(
        first,
        prompts=[prompt for part in parts for prompt in part.prompts],
        texts=[text for part in parts for text in part.texts],
        max_new_tokens=max(part.max_new_tokens for part in parts),
        episodes=episodes,
        **tensors,
    )


def with_episodes(rollouts: Rollouts, episodes: Sequence[Episode]) -> Rollouts:
    """The rollouts with these episodes, one a row, and `turns_N_T` from their spans."""
    turns_N_T = torch.full_like(rollouts.completion_ids_N_T, -1)
    for row, episode in enumerate(episodes):
        for number, turn in enumerate(episode.policy_turns):
            turns_N_T[row, turn.start : turn.end] = number
    return replace(rollouts, turns_N_T=turns_N_T, episodes=tuple(episodes))


class Sampler(Protocol):
    """Where rollouts come from: the policy in this process, or a server that holds the same weights."""

    def sample(
        self,
        prompts: Sequence[list[int]],
        *,
        group_size: int,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        generator: torch.Generator | None = None,
    ) -> Rollouts:
        """`group_size` completions of each of P prompts: N = P * group_size rows, those of a prompt side by side.

        Args:
            prompts: token ids.
            max_new_tokens: a row that reaches it is not finished.
            temperature: 0: the likeliest token, whatever the seed.
            top_p: smallest set of tokens with so much probability (arXiv:1904.09751, sec. 3.1).
            stop: texts at which a row ends.
            generator: where draws come from; None: torch's own.
        """
        ...


class LocalSampler:
    """Samples with the policy's own weights."""

    def __init__(
        self, policy: Policy, *, cache_bytes: int = 1 << 30, leave_below: float = 0.85, certainty: bool = False
    ) -> None:
        """
        Args:
            certainty: record it (`Rollouts.certainty_N_T`), for a few percent of the draw.
            cache_bytes: limit of the key-value cache; more prompts than fit are decoded one lot after the other.
            leave_below: finished rows leave once the share of running ones falls below this.
        """
        self.policy = policy
        self.cache_bytes = cache_bytes
        self.leave_below = leave_below
        self.certainty = certainty
        self._ending: Ending | None = None

    @torch.inference_mode()
    def sample(
        self,
        prompts: Sequence[list[int]],
        *,
        group_size: int,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        generator: torch.Generator | None = None,
    ) -> Rollouts:
        """See Sampler.sample."""
        check_sampling(prompts, self.policy, max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p)
        prompts = [list(prompt) for prompt in prompts]
        count, device = len(prompts) * group_size, self.policy.device
        ids_N_T = torch.full((count, max_new_tokens), self.policy.pad_id, device=device)
        logprobs_N_T = torch.zeros(count, max_new_tokens, device=device)
        certainty_N_T = torch.zeros_like(logprobs_N_T) if self.certainty else None
        lengths_N = torch.zeros(count, dtype=torch.long, device=device)
        finished_N = torch.zeros(count, dtype=torch.bool, device=device)
        ending = self.ending(stop)
        members = torch.arange(group_size, device=device)
        for part in self.lots(prompts, group_size, max_new_tokens):
            rows_B = (torch.tensor(part, device=device)[:, None] * group_size + members).flatten()
            decoder = self.policy.network.decoder([prompts[i] for i in part], group_size, max_new_tokens)
            drawn = decode(
                decoder, decoder.start(), ending, max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p,
                generator=generator, known=len(self.policy.tokenizer) if self.certainty else None,
            )  # fmt: skip
            ids_N_T[rows_B], logprobs_N_T[rows_B] = drawn.ids_B_T, drawn.logprobs_B_T
            lengths_N[rows_B], finished_N[rows_B] = drawn.lengths_B, drawn.finished_B
            if certainty_N_T is not None and drawn.certainty_B_T is not None:
                certainty_N_T[rows_B] = drawn.certainty_B_T
        width = int(lengths_N.max()) if count else 0
        texts = self._texts(ids_N_T, lengths_N, stop)
        # out of inference mode, so that a loss may use them
        with torch.inference_mode(False):
            return Rollouts(
                prompts=prompts,
                completion_ids_N_T=ids_N_T[:, :width].clone(),
                lengths_N=lengths_N.clone(),
                logprobs_N_T=logprobs_N_T[:, :width].clone(),
                finished_N=finished_N.clone(),
                texts=texts,
                group_size=group_size,
                temperature=temperature,
                max_new_tokens=max_new_tokens,
                certainty_N_T=None if certainty_N_T is None else certainty_N_T[:, :width].clone(),
            )

    def ending(self, stop: Sequence[str]) -> Ending:
        """When rows end. Kept from call to call: reading the whole vocabulary for stop strings takes a while."""
        if self._ending is None or self._ending.stop != tuple(stop):
            strings = StopStrings(self.policy.tokenizer, stop, self.policy.vocabulary) if stop else None
            eos = torch.tensor(self.policy.eos_ids, dtype=torch.long, device=self.policy.device)
            self._ending = Ending(eos, self.policy.pad_id, strings, self.leave_below)
        return self._ending

    def lots(self, prompts: Sequence[list[int]], group_size: int, max_new_tokens: int) -> list[list[int]]:
        """Prompts that are decoded together: of like length, and not more than the cache may hold."""
        per_token = self.policy.network.cache_bytes_per_token() * group_size
        lots: list[list[int]] = []
        for part in self.policy.network.split(prompts):
            longest = max(len(prompts[i]) for i in part)
            fits = max(1, self.cache_bytes // (per_token * (longest + max_new_tokens)))
            lots += [part[start : start + fits] for start in range(0, len(part), fits)]
        return lots

    def _texts(self, ids_N_T: Tensor, lengths_N: Tensor, stop: Sequence[str]) -> list[str]:
        texts = []
        for ids, length in zip(ids_N_T.tolist(), lengths_N.tolist(), strict=True):
            texts.append(cut_at_stop(self.policy.decode(ids[:length]), stop))
        return texts


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop string in it."""
    places = [place for place in (text.find(string) for string in stop) if place >= 0]
    return text[: min(places)] if places else text


def check_sampling(
    prompts: Sequence[list[int]], policy: Policy, *, max_new_tokens: int, temperature: float, top_p: float
) -> None:
    """Raises ConfigError for settings or prompts that cannot be sampled from, before anything is computed."""
    if max_new_tokens < 1 or temperature < 0.0 or not 0.0 < top_p <= 1.0:
        raise ConfigError(
            f"cannot sample with max_new_tokens={max_new_tokens}, temperature={temperature}, top_p={top_p}"
        )
    for place, prompt in enumerate(prompts):
        if not prompt:
            raise ConfigError(f"prompt {place} has no tokens")
        if policy.context is not None and len(prompt) + max_new_tokens > policy.context:
            raise ConfigError(
                f"prompt {place} has {len(prompt)} tokens; with max_new_tokens={max_new_tokens} it does not fit the "
                f"model's context of {policy.context}: shorten or drop it, or lower max_new_tokens"
            )
