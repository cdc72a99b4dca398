"""From advantages to gradients: the policy losses as pure functions, and one backward over a batch in micro-batches.

Symbols: A advantage, ratio = probability now / probability under the policy that is improved upon ("old"). The loss of a
token is -min(ratio A, clip(ratio) A) (PPO, arXiv:1707.06347, eq. 7), plus beta times an estimate of the KL divergence to
the reference, minus a bonus for entropy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from rlar.errors import ConfigError
from rlar.trainer.config import LossConfig
from rlar.trainer.model.batch import MicroBatch, micro_batches
from rlar.trainer.model.logprob import (
    TokenLoss,
    batch_statistic,
    completion_logprobs,
    dense_head_loss,
    fused_head_loss,
    scoring_temperature,
)
from rlar.trainer.model.policy import Policy
from rlar.trainer.rollout import Rollouts

__all__ = ["LossConfig", "LossStats", "policy_loss_backward"]

# ------------------------------------------------------------------------------------------ pure functions


def clipped_loss(log_ratio_M: Tensor, advantages_M: Tensor, *, clip_low: float, clip_high: float) -> Tensor:
    """(M,) -min(ratio A, clip(ratio, 1 - clip_low, 1 + clip_high) A)."""
    ratio = log_ratio_M.exp()
    return -torch.minimum(ratio * advantages_M, ratio.clamp(1.0 - clip_low, 1.0 + clip_high) * advantages_M)


def is_clipped(log_ratio_M: Tensor, advantages_M: Tensor, *, clip_low: float, clip_high: float) -> Tensor:
    """(M,) bool: the ratio has left the range in the direction the advantage pushes, so no gradient is left."""
    ratio = log_ratio_M.exp()
    return ((ratio < 1.0 - clip_low) & (advantages_M < 0)) | ((ratio > 1.0 + clip_high) & (advantages_M > 0))


def kl_estimate(logprobs_M: Tensor, reference_M: Tensor, kind: str) -> Tensor:
    """(M,) estimates of KL(policy || reference) from tokens drawn from the policy (joschu.net/blog/kl-approx.html).

    k1 = log(policy / reference): unbiased, any sign. k2 = k1^2 / 2: biased, low variance. k3 = exp(-k1) - 1 + k1:
    unbiased and never negative.
    """
    gap = logprobs_M - reference_M
    if kind == "k1":
        return gap
    if kind == "k2":
        return 0.5 * gap.square()
    if kind == "k3":
        return (-gap).exp() - 1.0 + gap
    raise ValueError(f"unknown KL estimator {kind!r}")


def sequence_log_ratio(logprobs_N_T: Tensor, old_N_T: Tensor, mask_N_T: Tensor) -> Tensor:
    """(N,) log of GSPO's ratio, the mean over tokens of the token log ratios (arXiv:2507.18071, eq. 7)."""
    gaps = torch.where(mask_N_T, logprobs_N_T - old_N_T, 0.0)
    return gaps.sum(1) / mask_N_T.sum(1).clamp(min=1)


def importance_weights(trainer_logprobs: Tensor, sampler_logprobs: Tensor, cap: float) -> Tensor:
    """min(trainer probability / sampler probability, cap), without gradient, of any shape."""
    return (trainer_logprobs - sampler_logprobs).detach().exp().clamp(max=cap)


def token_weights(lengths_N: Tensor, counted_N: Tensor, *, normalisation: str, max_new_tokens: int) -> Tensor:
    """(N,) weight of every token of a row in the step's loss; 0 for rows that do not count.

    Lengths are counts of the policy's own tokens.

    token: 1 / all counted tokens. sequence: 1 / (counted rows x tokens of this row). constant: 1 / (counted rows x
    max_new_tokens).
    """
    lengths = lengths_N.double()
    rows = counted_N.sum().clamp(min=1).double()
    if normalisation == "token":
        weights = (1.0 / torch.where(counted_N, lengths, 0.0).sum().clamp(min=1.0)).expand_as(lengths)
    elif normalisation == "sequence":
        weights = 1.0 / (rows * lengths.clamp(min=1.0))
    elif normalisation == "constant":
        weights = (1.0 / (rows * max_new_tokens)).expand_as(lengths)
    else:
        raise ValueError(f"unknown normalisation {normalisation!r}")
    return torch.where(counted_N, weights, 0.0).float()


# ------------------------------------------------------------------------------------------ one step


@dataclass(frozen=True)
class LossStats:
    """What one backward did. Means are over the tokens that went through the forward."""

    loss: float
    """Of the whole batch; NaN or infinite if anything was: the gradients are of no use then."""
    kl: float | None
    """Mean estimate of the divergence from the reference; None without one."""
    policy_kl: float
    """Mean k3 estimate of the divergence from the old policy; 0 on-policy."""
    entropy: float
    """In nats a token: exact with an entropy bonus, else the mean of -log-probability over all sampled tokens, which is
    an unbiased estimate for samples without top-p."""
    clip_fraction: float
    importance_mean: float
    """Mean importance weight; 1 where none are used."""
    capped_fraction: float
    """Share of tokens whose importance weight ran into the cap."""
    tokens: int
    """Tokens of the policy that went through forward and backward."""
    rows: int
    counted_rows: int
    """Rows in the denominator: scored, and not left out as overlong."""
    skipped_rows: int
    """Counted rows without a gradient of their own (advantage 0, no KL, no entropy bonus), so never computed."""
    micro_batches: int
    seconds: float


class _Tally:
    """Sums over tokens, kept as tensors so that nothing waits for a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.sums = {
            name: torch.zeros((), dtype=torch.float64, device=device)
            for name in ("loss", "kl", "policy_kl", "entropy", "clipped", "importance", "capped")
        }
        self.tokens = 0
        self.batches = 0

    def add(self, name: str, values: Tensor) -> None:
        self.sums[name] += values.detach().sum()

    def mean(self, name: str) -> float:
        return float(self.sums[name]) / max(self.tokens, 1)


def policy_loss_backward(
    policy: Policy,
    rollouts: Rollouts,
    advantages_N_T: Tensor,
    *,
    config: LossConfig,
    token_budget: int = 8192,
    old_logprobs: Tensor | None = None,
    reference: Policy | Tensor | None = None,
    counted_N: Tensor | None = None,
) -> LossStats:
    """Adds the gradients of the whole batch's loss to the policy's parameters, a micro-batch at a time.

    Args:
        advantages_N_T: of every token (`rlar.trainer.credit`); those of tokens that the policy did not write are ignored.
            A NaN leaves its row out of the loss and the denominator.
        token_budget: most tokens (prompts once a group, and completions) of a micro-batch. It bounds the memory and
            does not change the result.
        old_logprobs: (N, T) of the policy that is improved upon; None on-policy, where every ratio is 1.
        reference: a policy, or its (N, T) log-probabilities; needed when `config.beta` > 0, unless `old_logprobs` are
            given: then the divergence from the old policy is held down.
        counted_N: bool, the rows in the denominator (`rlar.trainer.advantage.counted_rollouts`); None: all.
    """
    started = time.perf_counter()
    device = policy.device
    if advantages_N_T.shape != rollouts.completion_ids_N_T.shape:
        shapes = f"{tuple(advantages_N_T.shape)} for tokens of shape {tuple(rollouts.completion_ids_N_T.shape)}"
        raise ValueError(f"an advantage a token is needed, not {shapes}: see rlar.trainer.credit.per_token")
    actions = rollouts.action_mask_N_T.to(device)
    advantages = torch.where(actions, advantages_N_T.to(device).float(), 0.0)
    counted = ~advantages.isnan().any(1)
    if counted_N is not None:
        counted = counted & counted_N.to(device)
    if config.mask_overlong:
        counted = counted & rollouts.finished_N.to(device)
    advantages = torch.where(counted[:, None], advantages, 0.0)
    lengths = rollouts.lengths_N.to(device)
    action_counts = rollouts.action_counts_N.to(device)
    completion_ids = rollouts.completion_ids_N_T.to(device)
    needs_all = config.beta > 0 or config.entropy_bonus > 0
    needed = counted & ((advantages != 0).any(1) | needs_all) & (action_counts > 0)
    rows: list[int] = needed.nonzero().squeeze(1).tolist()
    weights = token_weights(
        action_counts, counted, normalisation=config.normalisation, max_new_tokens=rollouts.max_new_tokens
    )
    old = None if old_logprobs is None else old_logprobs.to(device)
    reference_logprobs = _reference_logprobs(reference, rollouts, rows, config, token_budget, old)
    sampled = rollouts.logprobs_N_T.to(device)
    temperature = scoring_temperature(rollouts)
    tally = _Tally(device)
    batches = micro_batches(
        rollouts.prompts,
        completion_ids,
        lengths,
        group_size=rollouts.group_size,
        token_budget=token_budget,
        rows=rows,
        action_mask_N_T=actions,
    )
    with policy.active(), policy.network.forwards() as forward:
        for batch in batches:
            states = forward(batch)
            token_loss = _token_loss(
                batch,
                config,
                advantages=advantages,
                weights=weights,
                old=old,
                reference=reference_logprobs,
                sampled=sampled,
                log_ratio_R=_gspo_log_ratio(policy, states, batch, old, temperature) if config.kind == "gspo" else None,
                tally=tally,
            )
            bonus = config.entropy_bonus * weights[batch.rows_R][batch.row_of_M] if config.entropy_bonus else None
            if policy.network.linear_head:
                weight, bias = policy.network.head()
                loss, _, entropies = fused_head_loss(
                    states,
                    weight,
                    batch.targets_M,
                    token_loss,
                    bias=bias,
                    entropy_weight_M=bonus,
                    temperature=temperature,
                    linear=policy.linear,
                )
            else:
                loss, _, entropies = dense_head_loss(
                    states, batch.targets_M, token_loss, entropy_weight_M=bonus, temperature=temperature
                )
            loss.backward()  # type: ignore[no-untyped-call]
            tally.add("loss", loss)
            tally.tokens += len(batch.targets_M)
            tally.batches += 1
            if entropies is not None:
                tally.add("entropy", entropies)
    return LossStats(
        loss=float(tally.sums["loss"]),
        kl=tally.mean("kl") if reference_logprobs is not None else None,
        policy_kl=tally.mean("policy_kl"),
        entropy=tally.mean("entropy") if config.entropy_bonus else float(-sampled[actions].double().mean()),
        clip_fraction=tally.mean("clipped"),
        importance_mean=tally.mean("importance") if config.importance_cap and tally.tokens else 1.0,
        capped_fraction=tally.mean("capped"),
        tokens=tally.tokens,
        rows=len(rows),
        counted_rows=int(counted.sum()),
        skipped_rows=int(counted.sum()) - len(rows),
        micro_batches=tally.batches,
        seconds=time.perf_counter() - started,
    )


def _reference_logprobs(
    reference: Policy | Tensor | None,
    rollouts: Rollouts,
    rows: list[int],
    config: LossConfig,
    token_budget: int,
    old: Tensor | None,
) -> Tensor | None:
    """(N, T), or None where no KL term is wanted."""
    if config.beta == 0.0:
        return None
    if isinstance(reference, Policy):
        return completion_logprobs(reference, rollouts, token_budget=token_budget, rows=rows)
    if reference is not None:
        return reference.to(rollouts.logprobs_N_T.device)
    if old is None:
        raise ConfigError("beta > 0 holds the policy near a reference: pass a reference policy, or set beta = 0")
    return old


def _gspo_log_ratio(
    policy: Policy, states: Tensor, batch: MicroBatch, old: Tensor | None, temperature: float
) -> Tensor | None:
    """(R,) log sequence ratios, by a pass of their own over the output layer; None on-policy, where all are 0."""
    if old is None:
        return None
    with torch.no_grad():
        logprobs_M = batch_statistic(policy, lambda _: states.detach(), batch, temperature)
        gaps_R_T = torch.zeros_like(batch.completion_ids_R_T, dtype=torch.float32)
        gaps_R_T[batch.target_mask_R_T] = logprobs_M
        return sequence_log_ratio(gaps_R_T, old[batch.rows_R, : gaps_R_T.shape[1]], batch.target_mask_R_T)


def _token_loss(
    batch: MicroBatch,
    config: LossConfig,
    *,
    advantages: Tensor,
    weights: Tensor,
    old: Tensor | None,
    reference: Tensor | None,
    sampled: Tensor,
    log_ratio_R: Tensor | None,
    tally: _Tally,
) -> TokenLoss:
    """The loss of some of the micro-batch's tokens as a function of their log-probabilities."""
    advantages_M = batch.packed(advantages)
    weights_M = weights[batch.rows_R][batch.row_of_M]
    old_M = None if old is None else batch.packed(old)
    reference_M = None if reference is None else batch.packed(reference)
    sampled_M = batch.packed(sampled)
    clip = {"clip_low": config.clip_low, "clip_high": config.clip_high}

    def loss(logprobs: Tensor, part: slice) -> Tensor:
        now = logprobs.detach()
        before = now if old_M is None else old_M[part]
        if log_ratio_R is None:
            log_ratio = logprobs - before
        else:  # every token carries its sequence's ratio, and its own share of the gradient
            log_ratio = log_ratio_R[batch.row_of_M[part]] + logprobs - now
        losses = clipped_loss(log_ratio, advantages_M[part], **clip)
        if config.importance_cap is not None:
            importance = importance_weights(before, sampled_M[part], config.importance_cap)
            losses = losses * importance
            tally.add("importance", importance)
            tally.add("capped", importance >= config.importance_cap)
        if reference_M is not None:
            divergence = kl_estimate(logprobs, reference_M[part], config.kl)
            losses = losses + config.beta * divergence
            tally.add("kl", divergence)
        if old_M is not None:
            tally.add("clipped", is_clipped(log_ratio, advantages_M[part], **clip))
            tally.add("policy_kl", kl_estimate(now, before, "k3"))
        return (losses * weights_M[part]).sum()

    return loss
