"""novelty: how much an ensemble disagrees on what a turn led to; what it has seen often, it agrees on (LAMP, Plan2Explore)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rlar.trainer.companions.trained import Trained
from rlar.trainer.credit import Credit
from rlar.trainer.signals.options import Options, checked_options

if TYPE_CHECKING:
    from rlar.trainer.context import Context
    from rlar.trainer.model.policy import Policy

BUCKETS = 256
"""Features of a turn: its tokens, and its pairs of tokens, counted in so many buckets."""
TARGETS = 16


class NoveltyOptions(Options):
    """See `Novelty`."""

    heads: int = 5
    width: int = 32
    learning_rate: float = 1e-2
    updates: int = 4
    """Of the heads a step."""
    seed: int = 0


class Novelty:
    """Disagreement of small networks that learn one fixed function of what a turn and its answer say.

    Credit per turn: the mean over outputs of the deviation over heads (arXiv:2308.12270, sec. 3.2), before the heads learn
    from the batch. In place of a world model on images: heads that start differently and learn the same random function of
    counted tokens and pairs of tokens, the environment's answer to the turn among them. The policy's weights play no part.
    """

    def __init__(self, policy: Policy, options: Mapping[str, Any]) -> None:
        self.options = checked_options("novelty", NoveltyOptions, options)
        generator = torch.Generator().manual_seed(self.options.seed)
        width, sizes = self.options.width, (self.options.heads, BUCKETS, self.options.width, TARGETS)
        first = torch.randn(sizes[0], BUCKETS, width, generator=generator) * (2.0 / BUCKETS) ** 0.5 * 4.0
        second = torch.randn(sizes[0], width, TARGETS, generator=generator) * (1.0 / width) ** 0.5
        self.target = torch.randn(BUCKETS, TARGETS, generator=generator)
        weights = [("first", nn.Parameter(first)), ("second", nn.Parameter(second))]
        self.trained = Trained.of(weights, learning_rate=self.options.learning_rate)
        self.numbers: dict[str, float] = {}

    def __call__(self, context: Context) -> Credit:
        """Speaks, then learns."""
        features_M, places = _features(context)
        turns = int(context.rollouts.turn_of_N_T.max()) + 1 if len(context.rollouts) else 0
        values = torch.full((len(context.rollouts), max(turns, 1)), float("nan"), dtype=torch.float64)
        with torch.no_grad():
            novelty_M = disagreement(self.predicted(features_M))
        rows, columns = zip(*places, strict=True) if places else ((), ())
        values[list(rows), list(columns)] = novelty_M.double()
        for _ in range(self.options.updates if places else 0):
            loss = (self.predicted(features_M) - (features_M @ self.target).tanh()).square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            self.trained.step(max_norm=10.0)
            self.numbers = {"loss": float(loss.detach())}
        return Credit(values, per="turn")

    def predicted(self, features_M_F: Tensor) -> Tensor:
        """(heads, M, outputs)."""
        hidden = torch.relu(features_M_F @ self.trained.parameters["first"])
        return hidden @ self.trained.parameters["second"]

    def state(self) -> dict[str, Tensor]:
        """See Companion."""
        return self.trained.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See Companion."""
        self.trained.load(state)


def disagreement(predicted_H_M_D: Tensor) -> Tensor:
    """(M,) mean over outputs of the population deviation over heads."""
    return predicted_H_M_D.std(0, correction=0).mean(-1)


def _features(context: Context) -> tuple[Tensor, list[tuple[int, int]]]:
    """(M, BUCKETS) of each turn with what followed it until the next, of length 1; and which rollout and turn it is."""
    rollouts, rows, places = context.rollouts, [], []
    for row, ids in enumerate(rollouts.completion_ids_N_T.tolist()):
        starts: list[int] = []
        turns = rollouts.turn_of_N_T[row].tolist()
        for place in range(int(rollouts.lengths_N[row])):
            if turns[place] == len(starts):
                starts.append(place)
        for turn, (start, end) in enumerate(pairwise([*starts, int(rollouts.lengths_N[row])])):
            counts, said = [0.0] * BUCKETS, ids[start:end]
            for token in said:
                counts[token % (BUCKETS // 2)] += 1.0
            for one, other in pairwise(said):
                counts[BUCKETS // 2 + (one * 31 + other) % (BUCKETS // 2)] += 1.0
            rows.append(counts)
            places.append((row, turn))
    features = torch.tensor(rows).view(-1, BUCKETS)
    return features / features.norm(dim=1, keepdim=True).clamp(min=1e-6), places
