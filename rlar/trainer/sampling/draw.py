"""Drawing tokens from logits, with the log-probability of what was drawn."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK = 64


def draw_tokens(
    logits_N_V: Tensor, *, temperature: float = 1.0, top_p: float = 1.0, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """One token a row, and its log-probability.

    The log-probability is that of the whole distribution at this temperature, *before* top-p cuts it: what a training
    forward recomputes. Temperature 0 takes the most likely token and gives its log-probability at temperature 1.
    The draw inverts the cumulative distribution in two levels, blocks and then tokens: on a CPU ten times as fast as
    torch.multinomial.

    Returns:
        (N,) long and (N,) float32.
    """
    logits = logits_N_V.float()
    if temperature not in (0.0, 1.0):
        logits = logits / temperature
    if temperature == 0.0:
        tokens = logits.argmax(-1, keepdim=True)
        log_total = logits.logsumexp(-1, keepdim=True)
    else:
        highest = logits.amax(-1, keepdim=True)
        weights = (logits - highest).exp_()
        log_total = highest + weights.sum(-1, keepdim=True).log_()
        if top_p < 1.0:
            weights = nucleus(weights, top_p)
        tokens = _invert_cdf(weights, generator)
    return tokens.squeeze(1), (logits.gather(1, tokens) - log_total).squeeze(1)


def certainty_as_drawn(
    logits_N_V: Tensor, tokens_N: Tensor, logprobs_N: Tensor, *, temperature: float, known: int
) -> Tensor:
    """(N,) `rlar.trainer.model.logprob.self_certainty` of the distributions that were drawn from.

    The log-sum-exp is a drawn token's logit minus its log-probability, so only the mean costs a look at the logits.
    """
    scale = 1.0 / (temperature or 1.0)
    drawn_N = logits_N_V.gather(1, tokens_N[:, None]).squeeze(1).float()
    return (drawn_N - logits_N_V[:, :known].float().mean(-1)) * scale - logprobs_N


def nucleus(weights_N_V: Tensor, top_p: float) -> Tensor:
    """The smallest set of likeliest tokens whose mass reaches top_p; the others get 0. Not renormalised."""
    ordered, index = weights_N_V.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < top_p * ordered.sum(-1, keepdim=True), ordered, 0.0)
    return torch.zeros_like(weights_N_V).scatter_(-1, index, kept)


def _invert_cdf(weights_N_V: Tensor, generator: torch.Generator | None) -> Tensor:
    """(N, 1) tokens drawn in proportion to non-negative weights; never one of weight 0."""
    rows, vocabulary = weights_N_V.shape
    if vocabulary % _BLOCK:
        weights_N_V = F.pad(weights_N_V, (0, _BLOCK - vocabulary % _BLOCK))
    blocks = weights_N_V.view(rows, -1, _BLOCK)
    sums = blocks.sum(-1)
    ends = sums.cumsum(-1)
    total = ends[:, -1:]
    uniform = torch.rand(rows, 1, generator=generator, device=weights_N_V.device)
    # strictly below the total, or rounding could step past the last block with any mass
    point = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
    block = torch.searchsorted(ends, point, right=True).clamp_(max=ends.shape[1] - 1)
    within = blocks[torch.arange(rows, device=block.device), block.squeeze(1)].cumsum(-1)
    last = within[:, -1:]
    rest = (point - (ends.gather(1, block) - sums.gather(1, block))).clamp_(min=0.0)
    rest = torch.minimum(rest, torch.nextafter(last, torch.zeros_like(last)))
    token = block * _BLOCK + torch.searchsorted(within, rest, right=True)
    return token.clamp_(max=vocabulary - 1)  # NaN weights lead anywhere; their log-probability tells
