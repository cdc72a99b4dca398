"""From a batch with rewards to new weights: advantages, loss, optimiser; of several processes each takes a share."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor

from rlar.errors import ConfigError, RlarError
from rlar.trainer.advantage import counted_rollouts, within_difficulty
from rlar.trainer.collect import RolloutBatch
from rlar.trainer.companions import COMPANIONS, Companion
from rlar.trainer.config import TrainConfig
from rlar.trainer.context import Context
from rlar.trainer.credit import Credit, token_advantages
from rlar.trainer.data import TrainRow
from rlar.trainer.distributed import ALONE, Ranks, share_groups
from rlar.trainer.loss import LossStats, policy_loss_backward
from rlar.trainer.model.logprob import completion_logprobs
from rlar.trainer.model.policy import Policy
from rlar.trainer.record.checkpoint import latest_checkpoint
from rlar.trainer.rollout import Rollouts
from rlar.trainer.sampling.server import Mismatch, sampler_mismatch
from rlar.trainer.signals import SIGNALS, Signal
from rlar.trainer.signals import signal as find_signal


class TrainingDiverged(RlarError):
    """Loss, gradient or weights are not finite; the last checkpoint is good."""


@dataclass(frozen=True)
class Update:
    """What an update did; of several passes over the batch, the last."""

    stats: LossStats
    signals: dict[str, float | None]
    """Mean of every signal."""
    gradient_norm: float
    """Before it was clipped."""
    learning_rate: float
    seconds: float
    mismatch: Mismatch | None
    """Between sampler and trainer, where a server samples."""


class Advantages(NamedTuple):
    """What a batch teaches."""

    tokens_N_T: Tensor
    counted_N: Tensor
    """Bool: rows in the loss's denominator. Something that pays speaks of them and of another of their group; a rollout whose
    reward is missing (failed, timed out, abstained) is left out whatever the signals say of it."""
    signals: dict[str, float | None]
    """Mean of every signal."""


class Updater:
    """The optimiser, and what turns a batch with rewards into a step of it; the same in every process."""

    def __init__(self, config: TrainConfig, policy: Policy, ranks: Ranks = ALONE) -> None:
        self.policy = policy
        self.ranks = ranks
        self.reference = policy.reference() if config.loss.beta > 0 else None
        self.signals: dict[str, tuple[Signal | Companion, float]] = {}
        self.begin(*config.phase_at(0))

    def begin(self, first: int, config: TrainConfig) -> None:
        """Begin a phase at this step: its signals, and an optimiser that remembers no gradient of the phase before."""
        self.close()
        self.first, self.config = first, config
        weights = config.signal_weights
        self.signals = {name: (_signal(name, config, self.policy), weight) for name, weight in weights.items()}
        self.optimiser = self.ranks.adamw(
            self.policy.parameters(),
            sharded=config.shard_optimizer,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )

    def close(self) -> None:
        """End what the signals of the phase have opened."""
        for signal, _weight in self.signals.values():
            getattr(signal, "close", lambda: None)()

    @property
    def companions(self) -> dict[str, Companion]:
        """The signals of the phase that learn."""
        return {name: cast("Companion", made) for name, (made, _weight) in self.signals.items() if name in COMPANIONS}

    def update(self, batch: RolloutBatch, step: int) -> Update:
        """`config.updates_per_batch` passes over the batch. Raises TrainingDiverged, then without an update."""
        config, ranks, started = self.config, self.ranks, time.perf_counter()
        if not bool(batch.rollouts.logprobs_N_T.isfinite().all()):
            raise self._diverged(step, "the policy's log-probabilities are not finite", batch)
        advantages_N_T, counted_N, signals = self.advantages(batch)
        share = _Share.of(batch.rollouts, advantages_N_T, counted_N, config, ranks)
        rate = learning_rate(config, step - self.first)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        mismatch, trainer_logprobs = None, None
        if config.updates_per_batch > 1 or config.sampler_url is not None:
            trainer_logprobs = ranks.agree(
                lambda: completion_logprobs(self.policy, share.rollouts, token_budget=config.tokens_per_pass)
            )
            if config.sampler_url is not None:
                mismatch = _mismatch(trainer_logprobs, batch.rollouts, share, ranks)
        old = None  # on-policy every ratio is 1 and the sampled log-probabilities are the trainer's own
        for _ in range(config.updates_per_batch):
            backward = partial(_backward, self.policy, share, config, old, self.reference)
            stats = merge_stats(ranks.together(backward))
            norm = self._step(stats, step, batch)
            if config.updates_per_batch > 1:
                old = trainer_logprobs
        return Update(stats, signals, norm, rate, time.perf_counter() - started, mismatch)

    def advantages(self, batch: RolloutBatch) -> Advantages:
        """What pays, each source normalised in its group and weighed, summed; see `Advantages`."""
        rewards_P_G, turns_N_T = batch.rewards_P_G, batch.rollouts.turn_of_N_T.cpu()
        group_size = batch.rollouts.group_size
        paid_P = torch.tensor([self._is_paid(row) for row in batch.rows])
        teaches_P = within_difficulty(rewards_P_G, self.config.reward.difficulty).cpu()
        outcome_N = rewards_P_G.masked_fill(~(paid_P & teaches_P)[:, None], float("nan")).flatten()
        unpaid_N = outcome_N.isnan() & paid_P.repeat_interleave(group_size)
        advantages_N_T = token_advantages(
            Credit(outcome_N), turns_N_T, group_size=group_size, estimator=self.config.estimator
        )
        speaks_N = ~outcome_N.isnan()
        budget, registry = self.config.tokens_per_pass, self.config.registry
        paying_P_G = outcome_N.view_as(rewards_P_G)  # nobody who trains sees a verdict that does not pay
        context = Context(batch.rollouts, paying_P_G, self.policy, budget, batch.rows, registry)
        means: dict[str, float | None] = {}
        for name, (measure, weight) in self.signals.items():
            credit = _without(measure(context), unpaid_N)
            means[name] = credit.mean()
            means |= {f"{name}.{key}": value for key, value in getattr(measure, "numbers", {}).items()}
            if weight:
                advantages = token_advantages(credit, turns_N_T, group_size=group_size)
                advantages_N_T = advantages_N_T + weight * credit.trust * advantages
                speaks_N = speaks_N | ~credit.values.isnan().view(len(speaks_N), -1).all(1)
        counted_N = counted_rollouts(torch.where(speaks_N, 0.0, float("nan")).view_as(rewards_P_G))
        return Advantages(advantages_N_T, counted_N, means)

    def _is_paid(self, row: TrainRow) -> bool:
        """Whether a rollout of this row without a reward is one whose reward is missing."""
        source = self.config.reward.source
        return source == "vote" or (source == "registry" and row.has_tools)

    def _step(self, stats: LossStats, step: int, batch: RolloutBatch) -> float:
        """Apply the gradients of all processes; their norm."""
        parameters = self.policy.parameters()
        self.ranks.add_gradients(parameters)
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self.config.max_gradient_norm))
        is_finite = math.isfinite(stats.loss) and math.isfinite(norm)
        if is_finite:
            self.ranks.step(self.optimiser)
        self.optimiser.zero_grad(set_to_none=True)
        if not is_finite:
            raise self._diverged(step, f"loss {stats.loss}, gradient norm {norm}", batch)
        return norm

    def _diverged(self, step: int, what: str, batch: RolloutBatch) -> TrainingDiverged:
        ids = ", ".join(row.example.id for row in batch.rows[:8]) + (", ..." if len(batch.rows) > 8 else "")
        return TrainingDiverged(f"step {step}: {what}; no update was made of rows {ids}. {way_out(self.config)}")


def _signal(name: str, config: TrainConfig, policy: Policy) -> Signal | Companion:
    """The signal or companion of this name. Raises ConfigError."""
    options = config.signal_options(name)
    if name in COMPANIONS:
        return COMPANIONS[name](policy, options)
    if name not in SIGNALS:
        raise ConfigError(f"no signal {name!r}; there are {', '.join(sorted({*SIGNALS, *COMPANIONS}))}")
    return find_signal(name, options)


def _without(credit: Credit, rows_N: Tensor) -> Credit:
    """The credit on the CPU; NaN for these rows."""
    values = credit.values.cpu()
    return replace(credit, values=values.masked_fill(rows_N.view(-1, *[1] * (values.dim() - 1)), float("nan")))


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rises over `warmup_updates`, and falls to its final share: in a line, or as half a cosine."""
    rise = min(1.0, (step + 1) / config.warmup_updates) if config.warmup_updates else 1.0
    done = step / config.steps
    if config.schedule == "cosine":
        done = (1.0 - math.cos(math.pi * done)) / 2
    fall = 1.0 - (1.0 - config.final_learning_rate_fraction) * done
    return config.learning_rate * rise * fall


def way_out(config: TrainConfig) -> str:
    """What to do about a run that has diverged."""
    kept = latest_checkpoint(Path(config.output) / "checkpoints")
    return f"Last good checkpoint: {kept or 'none yet'}; lower learning_rate or max_gradient_norm and run again"


# ------------------------------------------------------------------------------------------ one process's share


@dataclass(frozen=True)
class _Share:
    """What this process computes of a batch."""

    rows: list[int]
    """Of the batch; groups stay whole."""
    rollouts: Rollouts
    advantages_N_T: Tensor
    counted_N: Tensor
    of_whole: float
    """The share's own denominator over the whole batch's: what makes its loss a term of the whole loss."""

    @classmethod
    def of(
        cls, rollouts: Rollouts, advantages_N_T: Tensor, counted_N: Tensor, config: TrainConfig, ranks: Ranks
    ) -> _Share:
        if ranks.size == 1:
            return cls(list(range(len(rollouts))), rollouts, advantages_N_T, counted_N, 1.0)
        size, lengths = rollouts.group_size, rollouts.lengths_N.cpu()
        action_counts = rollouts.action_counts_N.cpu()
        computed = torch.full_like(lengths, bool(config.loss.beta or config.loss.entropy_bonus)).bool()
        tokens_P = (lengths * (computed | (advantages_N_T.cpu() != 0).any(1))).view(-1, size).sum(1)
        costs = [
            int(tokens) + len(prompt) if tokens else 0
            for tokens, prompt in zip(tokens_P.tolist(), rollouts.prompts, strict=True)
        ]
        groups = share_groups(costs, ranks.size)[ranks.rank]
        rows = [group * size + member for group in groups for member in range(size)]
        counted = counted_N.cpu()
        if config.loss.mask_overlong:
            counted = counted & rollouts.finished_N.cpu()
        mine = torch.zeros_like(counted)
        mine[rows] = True
        per_token = config.loss.normalisation == "token"
        whole, own = (denominator(action_counts, rows_N, per_token=per_token) for rows_N in (counted, counted & mine))
        return cls(rows, rollouts.groups(groups), advantages_N_T[rows], counted_N[rows], own / whole)


def denominator(action_counts_N: Tensor, counted_N: Tensor, *, per_token: bool) -> float:
    """What `rlar.trainer.loss.token_weights` divides by, up to a factor that does not depend on the rows; at least 1."""
    return float((action_counts_N[counted_N].sum() if per_token else counted_N.sum()).clamp(min=1))


def _backward(
    policy: Policy, share: _Share, config: TrainConfig, old: Tensor | None, reference: Policy | None
) -> tuple[LossStats, int]:
    """Gradients and statistics of the share, as terms of the whole batch's; and the tokens that its entropy is a mean of."""
    stats = policy_loss_backward(
        policy,
        share.rollouts,
        share.advantages_N_T,
        config=config.loss,
        token_budget=config.tokens_per_pass,
        old_logprobs=old,
        reference=reference,
        counted_N=share.counted_N,
    )
    if share.of_whole != 1.0:
        for parameter in policy.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(share.of_whole)
        stats = replace(stats, loss=stats.loss * share.of_whole)
    return stats, stats.tokens if config.loss.entropy_bonus else int(share.rollouts.action_counts_N.sum())


def merge_stats(parts: Sequence[tuple[LossStats, int]]) -> LossStats:
    """The statistics of a batch from those of its parts: losses add up, means are weighed by their tokens."""
    if len(parts) == 1:
        return parts[0][0]
    stats = [part for part, _tokens in parts]

    def average(name: str, weights: Sequence[int]) -> float:
        pairs = [(getattr(part, name), weight) for part, weight in zip(stats, weights, strict=True) if weight]
        return float(sum(value * weight for value, weight in pairs)) / max(sum(weight for _value, weight in pairs), 1)

    tokens = [part.tokens for part in stats]
    return replace(
        stats[0],
        loss=sum(part.loss for part in stats),
        kl=None if stats[0].kl is None else average("kl", tokens),
        policy_kl=average("policy_kl", tokens),
        entropy=average("entropy", [entropy_tokens for _part, entropy_tokens in parts]),
        clip_fraction=average("clip_fraction", tokens),
        importance_mean=average("importance_mean", tokens) if any(tokens) else 1.0,
        capped_fraction=average("capped_fraction", tokens),
        tokens=sum(tokens),
        rows=sum(part.rows for part in stats),
        counted_rows=sum(part.counted_rows for part in stats),
        skipped_rows=sum(part.skipped_rows for part in stats),
        micro_batches=sum(part.micro_batches for part in stats),
        seconds=max(part.seconds for part in stats),
    )


def _mismatch(trainer_logprobs: Tensor, rollouts: Rollouts, share: _Share, ranks: Ranks) -> Mismatch:
    """Of the whole batch, from the log-probabilities of every process."""
    whole = torch.zeros_like(rollouts.logprobs_N_T)
    for rows, values in ranks.together(lambda: (share.rows, trainer_logprobs.cpu())):
        whole[rows, : values.shape[1]] = values.to(whole)
    return sampler_mismatch(whole, rollouts)
