from __future__ import annotations

import math

import pytest
import torch

from rlar.trainer.model.linear import fastest_linear, matmul_weight, onednn_works
from rlar.trainer.model.logprob import dense_head_loss, fused_head_loss, head_statistic
from rlar.trainer.sampling.draw import draw_tokens, nucleus

LINEARS = ["torch"] + (["onednn"] if onednn_works() else [])


def case(tokens=37, width=24, vocabulary=101, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(tokens, width, generator=generator).to(dtype)
    weight = torch.randn(vocabulary, width, generator=generator).to(dtype)
    bias = torch.randn(vocabulary, generator=generator)
    return hidden, weight, bias, torch.randint(vocabulary, (tokens,), generator=generator)


@pytest.mark.parametrize("linear", LINEARS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("chunk", [1, 8, 64])
def test_logprobs_agree_with_float64(linear, temperature, chunk):
    hidden, weight, bias, targets = case()
    found = head_statistic(hidden, weight, targets, bias=bias, temperature=temperature, linear=linear, chunk=chunk)
    exact = ((hidden.double() @ weight.double().t() + bias) / temperature).log_softmax(-1)
    assert (found - exact.gather(1, targets[:, None]).squeeze(1)).abs().max() < 1e-5


def test_logprobs_of_huge_logits_stay_finite():
    hidden, weight, _, targets = case()
    found = head_statistic(hidden * 1e4, weight, targets)
    assert found.isfinite().all() and (found <= 0).all()


@pytest.mark.parametrize("linear", LINEARS)
@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("chunk", [5, 64])
def test_fused_gradients_are_those_of_autograd_in_float64(linear, entropy, chunk):
    hidden, weight, bias, targets = case()
    old = torch.randn(37, generator=torch.Generator().manual_seed(1)) * 0.3
    advantages = torch.randn(37, generator=torch.Generator().manual_seed(2))
    bonus = torch.full((37,), 0.05) if entropy else None

    def loss_of(reference):
        def token_loss(logprobs, part):
            ratio = (logprobs - reference[part]).exp()
            a = advantages.to(logprobs.dtype)[part]
            return -torch.minimum(ratio * a, ratio.clamp(0.8, 1.2) * a).sum() + 0.1 * logprobs.square().sum()

        return token_loss

    exact = [t.double().requires_grad_() for t in (hidden, weight, bias)]
    logits = (exact[0] @ exact[1].t() + exact[2]) / 0.9
    table = logits.log_softmax(-1)
    picked = table.gather(1, targets[:, None]).squeeze(1)
    reference = picked.detach() + old.double()
    expected = loss_of(reference)(picked, slice(0, 37))
    if entropy:
        expected = expected - 0.05 * -(table.exp() * table).sum()
    expected.backward()

    mine = [t.clone().requires_grad_() for t in (hidden, weight, bias)]
    loss, logprobs, entropies = fused_head_loss(
        mine[0], mine[1], targets, loss_of(reference.float()), bias=mine[2], entropy_weight_M=bonus, temperature=0.9,
        linear=linear, chunk=chunk,
    )  # fmt: skip
    (2.0 * loss).backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert (logprobs - picked).abs().max() < 1e-5
    if entropy:
        assert (entropies + (table.exp() * table).sum(-1)).abs().max() < 1e-5
    for got, want in zip(mine, exact, strict=True):
        assert (got.grad - 2.0 * want.grad).abs().max() < 1e-5 * float(want.grad.abs().max() + 1)


def test_fused_and_dense_losses_agree():
    hidden, weight, bias, targets = case()
    bonus = torch.linspace(0, 0.1, 37)

    def token_loss(logprobs, part):
        return (logprobs * torch.arange(37.0)[part]).sum()

    fused, _, entropies = fused_head_loss(
        hidden, weight.requires_grad_(), targets, token_loss, bias=bias, entropy_weight_M=bonus, chunk=7
    )
    dense, _, same = dense_head_loss(hidden @ weight.t() + bias, targets, token_loss, entropy_weight_M=bonus)
    assert float(fused) == pytest.approx(float(dense), rel=1e-6)
    assert torch.allclose(entropies, same, atol=1e-5)


def test_a_frozen_head_gets_no_gradient():
    hidden, weight, _, targets = case()
    hidden.requires_grad_()
    fused_head_loss(hidden, weight, targets, lambda logprobs, part: logprobs.sum())[0].backward()
    assert weight.grad is None and hidden.grad is not None


@pytest.mark.skipif("onednn" not in LINEARS, reason="this torch has no oneDNN")
def test_onednn_and_torch_multiply_alike_forward_and_backward():
    x, weight = torch.randn(3, 17, 24), torch.randn(40, 24)
    results = []
    for choice in ("torch", "onednn"):
        a, b = x.clone().requires_grad_(), weight.clone().requires_grad_()
        y = matmul_weight(a, b, choice)
        y.square().sum().backward()
        results.append((y, a.grad, b.grad))
    for torchs, onednns in zip(*results, strict=True):
        assert torch.allclose(torchs, onednns, rtol=1e-4, atol=1e-3)
    assert fastest_linear() in ("torch", "onednn")


# ------------------------------------------------------------------------------------------ drawing


@pytest.mark.parametrize("vocabulary", [3, 64, 65, 1000])
def test_tokens_are_drawn_in_proportion(vocabulary):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(vocabulary, generator=generator) * 2
    draws = 40_000
    tokens, logprobs = draw_tokens(logits.expand(draws, -1), temperature=0.8, generator=generator)
    probabilities = (logits / 0.8).softmax(-1)
    share = torch.bincount(tokens, minlength=vocabulary) / draws
    error = (probabilities * (1 - probabilities) / draws).sqrt()
    assert ((share - probabilities).abs() <= 5 * error + 1e-4).all()  # five standard errors
    assert torch.allclose(logprobs, probabilities.log()[tokens], atol=1e-5)


def test_impossible_tokens_are_never_drawn():
    logits = torch.full((50_000, 130), -math.inf)
    logits[:, 7] = 0.0
    logits[:, 70] = -3.0
    tokens, logprobs = draw_tokens(logits, generator=torch.Generator().manual_seed(0))
    assert set(tokens.tolist()) == {7, 70}
    assert logprobs.isfinite().all()


def test_broken_logits_give_a_logprob_that_is_not_finite():
    logits = torch.full((3, 70), math.nan)
    tokens, logprobs = draw_tokens(logits)
    assert (tokens < 70).all() and not logprobs.isfinite().any()


def test_temperature_zero_is_greedy_with_the_logprob_at_one():
    logits = torch.tensor([[0.0, math.log(3.0), -50.0]])
    token, logprob = draw_tokens(logits, temperature=0.0)
    assert token.tolist() == [1]
    assert float(logprob) == pytest.approx(math.log(0.75))  # 3 of 1 + 3


def test_top_p_cuts_the_tail_but_records_the_whole_distribution():
    probabilities = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
    assert nucleus(probabilities, 0.8).tolist() == [[0.5, pytest.approx(0.3), 0.0, 0.0]]
    assert (nucleus(probabilities, 0.81) > 0).tolist() == [[True, True, True, False]]
    assert (nucleus(probabilities, 0.01) > 0).tolist() == [[True, False, False, False]]  # never nothing
    logits = probabilities.log().expand(20_000, -1)
    tokens, logprobs = draw_tokens(logits, top_p=0.7, generator=torch.Generator().manual_seed(0))
    assert set(tokens.tolist()) == {0, 1}
    assert float((tokens == 0).float().mean()) == pytest.approx(5 / 8, abs=0.02)
    assert torch.allclose(logprobs.exp(), probabilities[0][tokens])


def test_the_same_seed_draws_the_same():
    logits = torch.randn(16, 100)
    first, second = (draw_tokens(logits, generator=torch.Generator().manual_seed(3))[0] for _ in range(2))
    assert first.equal(second)
