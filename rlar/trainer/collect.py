"""The rollouts of a step with their rewards; each part is scored while the next is generated."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.trainer.advantage import informative_groups, within_difficulty
from rlar.trainer.config import TrainConfig
from rlar.trainer.data import PromptSource, TrainRow
from rlar.trainer.distributed import ALONE, Ranks
from rlar.trainer.environments.play import EnvironmentBroke, Player
from rlar.trainer.model.policy import Policy
from rlar.trainer.rollout import Rollouts, Sampler, join_rollouts
from rlar.trainer.sampling.session import Draw
from rlar.types import Reward


@dataclass(frozen=True, eq=False)
class RolloutBatch:
    """Rollouts with their rewards, `rollouts.group_size` a row."""

    rows: list[TrainRow]
    rollouts: Rollouts
    rewards: list[Reward]
    generate_seconds: float
    score_wait_seconds: float
    """Scoring that generation did not hide."""

    @property
    def rewards_P_G(self) -> Tensor:
        """NaN marks an unscored rollout."""
        values = [float("nan") if reward.reward is None else reward.reward for reward in self.rewards]
        return torch.tensor(values).view(len(self.rows), -1)

    def groups(self, chosen: Sequence[int]) -> RolloutBatch:
        """Only these groups, in this order."""
        size = self.rollouts.group_size
        return RolloutBatch(
            [self.rows[group] for group in chosen],
            self.rollouts.groups(chosen),
            [self.rewards[group * size + member] for group in chosen for member in range(size)],
            self.generate_seconds,
            self.score_wait_seconds,
        )


@dataclass(frozen=True, eq=False)
class _Part:
    """Some rows of a batch, rolled out in one process."""

    number: int
    rollouts: Rollouts
    rewards: list[Reward]


class Collector:
    """Samples and scores; the same step draws the same whether the run was resumed or not.

    A step's prompts are generated in parts, each with a seed of its own, and the parts are shared out among the
    processes: what is drawn does not depend on their number.
    """

    def __init__(
        self,
        config: TrainConfig,
        policy: Policy,
        sampler: Sampler,
        scorer: Scorer,
        ranks: Ranks = ALONE,
        player: Player | None = None,
    ) -> None:
        """
        Args:
            player: plays episodes with an environment; None: completions.
        """
        self.config = config
        self.policy = policy
        self.sampler = sampler
        self.scorer = scorer
        self.ranks = ranks
        self.player = player
        self._scoring = ThreadPoolExecutor(1, thread_name_prefix="rlar-score")

    def collect(self, data: PromptSource, step: int) -> RolloutBatch:
        """The batch of a step; groups that teach nothing are drawn again where the settings say so."""
        config = self.config
        batch = self._roll(data.batch(step, config.prompts_per_step, config.seed), (step, 0))
        for extra in range(config.resample_limit):
            useful = self._teaches(batch)
            missing = int((~useful).sum())
            if missing == 0:
                break
            # rows of batches beyond the last step, so that no step's own rows are used up
            place = config.steps + step * config.resample_limit + extra
            rows = data.batch(place, config.prompts_per_step, config.seed)[:missing]
            fresh = self._roll(rows, (step, extra + 1))
            fresh = fresh.groups(self._teaches(fresh).nonzero().flatten().tolist())
            batch = replace_groups(batch, useful, fresh) if fresh.rows else batch
        return batch

    def _teaches(self, batch: RolloutBatch) -> Tensor:
        """(P,) bool: rewards that differ, and neither too easy nor too hard."""
        rewards_P_G = batch.rewards_P_G
        return informative_groups(rewards_P_G) & within_difficulty(rewards_P_G, self.config.reward.difficulty)

    def greedy(self, rows: Sequence[TrainRow]) -> RolloutBatch:
        """The most likely completion of every row."""

        def work() -> tuple[list[_Part], float, float]:
            started = time.perf_counter()
            size = -(-len(rows) // self.ranks.size)
            mine = rows[self.ranks.rank * size : (self.ranks.rank + 1) * size]
            if not mine:
                return [], 0.0, 0.0
            rollouts = self._sample(mine, group_size=1, temperature=0.0, top_p=1.0, seed=(0,))
            generated = time.perf_counter()
            part = _Part(self.ranks.rank, rollouts, self._score(mine, rollouts))
            return [part], generated - started, time.perf_counter() - generated

        return self._joined(list(rows), work)

    def close(self) -> None:
        """Wait for the scoring thread to end."""
        self._scoring.shutdown(wait=True, cancel_futures=True)

    def _roll(self, rows: list[TrainRow], place: tuple[int, int]) -> RolloutBatch:
        config = self.config
        size = -(-len(rows) // config.score_chunks)

        def work() -> tuple[list[_Part], float, float]:
            started = time.perf_counter()
            scoring: list[tuple[int, Rollouts, Future[list[Reward]]]] = []
            for number, first in enumerate(range(0, len(rows), size)):
                if number % self.ranks.size != self.ranks.rank:
                    continue
                chosen = rows[first : first + size]
                rollouts = self._sample(
                    chosen,
                    group_size=config.group_size,
                    temperature=config.temperature,
                    top_p=config.top_p,
                    seed=(*place, number),
                )
                scoring.append((number, rollouts, self._scoring.submit(self._score, chosen, rollouts)))
            generated = time.perf_counter()
            parts = [_Part(number, rollouts, future.result()) for number, rollouts, future in scoring]
            return parts, generated - started, time.perf_counter() - generated

        return self._joined(rows, work)

    def _joined(self, rows: list[TrainRow], work: Callable[[], tuple[list[_Part], float, float]]) -> RolloutBatch:
        """One batch of the parts of all processes."""
        ranks, device = self.ranks, self.policy.device

        def movable() -> tuple[list[_Part], float, float]:
            parts, generating, waiting = work()
            return [replace(part, rollouts=part.rollouts.to("cpu")) for part in parts], generating, waiting

        found = ranks.together(work if ranks.size == 1 else movable)
        parts = sorted((part for parts, _generating, _waiting in found for part in parts), key=lambda part: part.number)
        rollouts = join_rollouts([part.rollouts for part in parts])
        if rollouts.episodes and all(episode.broke for episode in rollouts.episodes):
            raise EnvironmentBroke(f"all {len(rollouts)} episodes broke, the first by: {rollouts.episodes[0].problem}")
        return RolloutBatch(
            rows,
            rollouts.to(device),
            [reward for part in parts for reward in part.rewards],
            max(generating for _parts, generating, _waiting in found),
            max(waiting for _parts, _generating, waiting in found),
        )

    def _sample(
        self, rows: Sequence[TrainRow], *, group_size: int, temperature: float, top_p: float, seed: tuple[int, ...]
    ) -> Rollouts:
        config = self.config
        device = "cpu" if config.sampler_url is not None else self.policy.device
        draw = Draw(
            max_new_tokens=config.max_new_tokens,
            temperature=temperature,
            top_p=top_p,
            stop=config.stop,
            generator=torch.Generator(device=device).manual_seed(mixed_seed(config.seed, *seed)),
        )
        if self.player is None:
            return self.sampler.sample([list(row.prompt_ids) for row in rows], group_size=group_size, **vars(draw))
        asked = self.scorer.formatted([row.example for row in rows])
        return self.player.sample(
            [replace(row, example=example) for row, example in zip(rows, asked, strict=True)],
            draw,
            group_size=group_size,
            seeds=[mixed_seed(config.seed, *seed, place) for place in range(len(rows))],
        )

    def _score(self, rows: Sequence[TrainRow], rollouts: Rollouts) -> list[Reward]:
        def score(chosen: Sequence[int]) -> list[Reward]:
            size = rollouts.group_size
            return self.scorer.score(
                [
                    RoutedSample(example=rows[index // size].example, completion=rollouts.texts[index])
                    for index in chosen
                ]
            )

        everything = range(len(rollouts))
        return score(everything) if self.player is None else self.player.rewards(rows, rollouts, score)


def replace_groups(batch: RolloutBatch, useful_P: Tensor, fresh: RolloutBatch) -> RolloutBatch:
    """The batch with its useless groups replaced by fresh ones that teach something, as far as there are such."""
    better = informative_groups(fresh.rewards_P_G).nonzero().flatten().tolist()
    free = (~useful_P).nonzero().flatten().tolist()
    order = list(range(len(batch.rows)))
    for place, source in zip(free, better, strict=False):
        order[place] = len(batch.rows) + source
    return RolloutBatch(
        batch.rows + fresh.rows,
        join_rollouts([batch.rollouts, fresh.rollouts]),
        batch.rewards + fresh.rewards,
        batch.generate_seconds + fresh.generate_seconds,
        batch.score_wait_seconds + fresh.score_wait_seconds,
    ).groups(order)


def mixed_seed(*parts: int) -> int:
    """One 63-bit seed from several numbers."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little") >> 1
