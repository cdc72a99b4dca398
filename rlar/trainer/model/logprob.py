"""Log-probabilities of completion tokens, and gradients through them, without ever holding all logits.

The output layer is the widest of a model: (tokens, vocabulary) in float32 can be larger than everything else together.
Here it is taken a chunk of tokens at a time, and where a gradient is wanted, each chunk's is made while its logits
are there, so nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rlar.trainer.model.batch import MicroBatch, micro_batches
from rlar.trainer.model.linear import LinearChoice, matmul_weight

if TYPE_CHECKING:
    from rlar.trainer.model.network import Forward
    from rlar.trainer.model.policy import Policy
    from rlar.trainer.rollout import Rollouts

TokenLoss = Callable[[Tensor, slice], Tensor]
"""From the log-probabilities of some tokens, and which of the M they are, to the sum of their losses."""

TokenStatistic = Callable[[Tensor, Tensor], Tensor]
"""From the (K, V) float32 logits at some places, divided by the temperature, and the (K,) tokens that stand there, to
(K,) numbers. The logits are the statistic's own: it may change them in place."""


def chunk_size(vocabulary: int, device: torch.device) -> int:
    """How many tokens' logits to hold at once: some 8 MB of them on a CPU, 256 MB elsewhere."""
    room = 1 << (21 if device.type == "cpu" else 26)
    return min(max(room // vocabulary, 64), 4096)


def log_softmax_at(logits_K_V: Tensor, targets_K: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the targets, and the (K, 1) log normalisers."""
    log_total = logits_K_V.logsumexp(-1, keepdim=True)
    return (logits_K_V.gather(1, targets_K[:, None]) - log_total).squeeze(1), log_total


def _chunk_logits(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, inverse_temperature: float, linear: LinearChoice
) -> Tensor:
    logits = matmul_weight(hidden, weight, linear).float()
    if bias is not None:
        logits = logits + bias
    return logits if inverse_temperature == 1.0 else logits.mul_(inverse_temperature)


def target_logprobs(logits_K_V: Tensor, targets_K: Tensor) -> Tensor:
    """(K,) log-probabilities of the targets."""
    return log_softmax_at(logits_K_V, targets_K)[0]


def self_certainty(logits_K_V: Tensor, *, known: int) -> Tensor:
    """(K,) log-sum-exp minus mean of the logits: KL(uniform || next token) + log V (arXiv:2505.19590, eq. 2).

    log V is the same for all, so it cancels in a group. 0 + log V where all logits are equal, without bound where one leads.

    Args:
        known: tokens of the tokenizer. Rows of the output layer beyond them are padding that was never trained, and would
            move the mean.
    """
    return logits_K_V.logsumexp(-1) - logits_K_V[:, :known].mean(-1)


def head_statistic(
    hidden_M_D: Tensor,
    weight_V_D: Tensor,
    targets_M: Tensor,
    statistic: TokenStatistic = target_logprobs,
    *,
    bias: Tensor | None = None,
    temperature: float = 1.0,
    linear: LinearChoice = "torch",
    chunk: int | None = None,
) -> Tensor:
    """(M,) float32 values of a statistic of the output layer's logits, a chunk of tokens at a time; no gradient."""
    size = chunk or chunk_size(weight_V_D.shape[0], hidden_M_D.device)
    values_M = hidden_M_D.new_empty(len(targets_M), dtype=torch.float32)
    with torch.no_grad():
        for start in range(0, len(targets_M), size):
            part = slice(start, start + size)
            logits = _chunk_logits(hidden_M_D[part], weight_V_D, bias, 1.0 / temperature, linear)
            values_M[part] = statistic(logits, targets_M[part])
    return values_M


class _FusedHead(torch.autograd.Function):
    """Loss of the output layer; the gradients are made in the forward, chunk by chunk."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        token_loss: TokenLoss,
        entropy_weight: Tensor | None,
        inverse_temperature: float,
        linear: LinearChoice,
        chunk: int,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        grad_bias = torch.zeros_like(bias) if bias is not None and ctx.needs_input_grad[2] else None
        logprobs = hidden.new_empty(len(targets), dtype=torch.float32)
        entropies = None if entropy_weight is None else torch.empty_like(logprobs)
        loss = logprobs.new_zeros(())
        for start in range(0, len(targets), chunk):
            part = slice(start, min(start + chunk, len(targets)))
            logits = _chunk_logits(hidden[part], weight, bias, inverse_temperature, linear)
            chunk_logprobs, log_total = log_softmax_at(logits, targets[part])
            logprobs[part] = chunk_logprobs
            with torch.enable_grad():
                leaf = chunk_logprobs.detach().requires_grad_()
                chunk_loss = token_loss(leaf, part)
                (grad,) = torch.autograd.grad(chunk_loss, leaf)
            loss = loss + chunk_loss.detach()
            log_probabilities = logits.sub_(log_total)
            if entropy_weight is None:
                grad_logits = log_probabilities.exp_().mul_(-grad[:, None])
            else:
                assert entropies is not None
                probabilities = log_probabilities.exp()
                entropy = -(probabilities * log_probabilities).sum(-1)
                entropies[part] = entropy
                loss = loss - (entropy_weight[part] * entropy).sum()
                # dH/dlogits = -p (log p + H)
                slope = log_probabilities.add_(entropy[:, None]).mul_(entropy_weight[part, None]).sub_(grad[:, None])
                grad_logits = probabilities.mul_(slope)
            grad_logits.scatter_add_(1, targets[part, None], grad[:, None])
            if inverse_temperature != 1.0:
                grad_logits.mul_(inverse_temperature)
            if grad_bias is not None:
                grad_bias += grad_logits.sum(0)
            grad_logits = grad_logits.to(weight.dtype)
            grad_hidden[part] = matmul_weight(grad_logits, weight.t(), linear)
            if grad_weight is not None and weight.dtype == torch.float32:
                grad_weight.addmm_(grad_logits.t(), hidden[part])
            elif grad_weight is not None:
                grad_weight += grad_logits.t() @ hidden[part]
        ctx.grads = grad_hidden, None if grad_weight is None else grad_weight.to(weight.dtype), grad_bias
        ctx.mark_non_differentiable(logprobs)
        if entropies is not None:
            ctx.mark_non_differentiable(entropies)
        return loss, logprobs, entropies

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        scaled = [None if grad is None else grad.mul_(grads[0]) for grad in ctx.grads]
        ctx.grads = None  # in place and once: these are as large as the layer
        return (*scaled, None, None, None, None, None, None)


def fused_head_loss(
    hidden_M_D: Tensor,
    weight_V_D: Tensor,
    targets_M: Tensor,
    token_loss: TokenLoss,
    *,
    bias: Tensor | None = None,
    entropy_weight_M: Tensor | None = None,
    temperature: float = 1.0,
    linear: LinearChoice = "torch",
    chunk: int | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Sum of `token_loss` over the targets' log-probabilities, minus the weighted entropies.

    Call backward once, at most.

    Returns:
        The loss (differentiable in hidden states, weight and bias), the (M,) log-probabilities, and the (M,) exact
        entropies where `entropy_weight_M` is given.
    """
    size = chunk or chunk_size(weight_V_D.shape[0], hidden_M_D.device)
    return _FusedHead.apply(  # type: ignore[no-any-return]
        hidden_M_D, weight_V_D, bias, targets_M, token_loss, entropy_weight_M, 1.0 / temperature, linear, size
    )


def dense_head_loss(
    logits_M_V: Tensor,
    targets_M: Tensor,
    token_loss: TokenLoss,
    *,
    entropy_weight_M: Tensor | None = None,
    temperature: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The same from logits, by plain autograd: for models whose output is more than a product."""
    logits = logits_M_V.float() / temperature
    logprobs, log_total = log_softmax_at(logits, targets_M)
    loss = token_loss(logprobs, slice(0, len(targets_M)))
    entropies = None
    if entropy_weight_M is not None:
        log_probabilities = logits - log_total
        entropies = -(log_probabilities.exp() * log_probabilities).sum(-1)
        loss = loss - (entropy_weight_M * entropies).sum()
    return loss, logprobs.detach(), None if entropies is None else entropies.detach()


# ------------------------------------------------------------------------------------------ of a policy


def scoring_temperature(rollouts: Rollouts) -> float:
    """The temperature of the recorded log-probabilities; greedy rollouts record those at 1."""
    return rollouts.temperature or 1.0


def batch_statistic(
    policy: Policy,
    forward: Forward,
    batch: MicroBatch,
    temperature: float,
    statistic: TokenStatistic = target_logprobs,
) -> Tensor:
    """(M,) values of a statistic at a micro-batch's targets, by default their log-probabilities; no gradient."""
    states = forward(batch)
    if not policy.network.linear_head:
        return statistic(states.float() / temperature, batch.targets_M)
    weight, bias = policy.network.head()
    return head_statistic(
        states, weight, batch.targets_M, statistic, bias=bias, temperature=temperature, linear=policy.linear
    )


@torch.no_grad()
def token_statistic(
    policy: Policy,
    rollouts: Rollouts,
    statistic: TokenStatistic,
    *,
    token_budget: int = 8192,
    rows: Sequence[int] | None = None,
) -> Tensor:
    """(N, T) float32 values of a statistic of the policy's distributions, at the tokens that it wrote; 0 elsewhere.

    The distributions are those at the temperature of the rollouts. All logits are never held at once.

    Args:
        token_budget: tokens of a micro-batch.
        rows: only these; the others get 0.
    """
    values_N_T = torch.zeros_like(rollouts.logprobs_N_T, device=policy.device)
    batches = micro_batches(
        rollouts.prompts,
        rollouts.completion_ids_N_T.to(policy.device),
        rollouts.lengths_N.to(policy.device),
        group_size=rollouts.group_size,
        token_budget=token_budget,
        rows=rows,
        action_mask_N_T=rollouts.action_mask_N_T.to(policy.device),
    )
    with policy.active(), policy.network.forwards() as forward:
        for batch in batches:
            values_N_T[batch.rows_R[batch.row_of_M], batch.place_M] = batch_statistic(
                policy, forward, batch, scoring_temperature(rollouts), statistic
            )
    return values_N_T


def completion_logprobs(
    policy: Policy, rollouts: Rollouts, *, token_budget: int = 8192, rows: Sequence[int] | None = None
) -> Tensor:
    """(N, T) log-probabilities of what the policy wrote, at the temperature of the rollouts; 0 elsewhere.

    Arguments as for `token_statistic`.
    """
    return token_statistic(policy, rollouts, target_logprobs, token_budget=token_budget, rows=rows)
