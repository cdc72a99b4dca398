"""Products with a weight: every way gives the same numbers."""

from __future__ import annotations

import pytest
import torch

from rlar.trainer.model.fast import FastNetwork
from rlar.trainer.model.linear import arranged, fastest_linear, matmul_weight, onednn_bfloat16_works, onednn_works


def product(dtype, choice, prepare):
    torch.manual_seed(0)
    x, weight = torch.randn(5, 96).to(dtype), torch.randn(32, 96).to(dtype)
    with torch.inference_mode():
        found = matmul_weight(x, prepare(weight, choice), choice)
    return found.double(), x.double() @ weight.double().t()


@pytest.mark.parametrize("prepare", [lambda weight, _: weight, arranged], ids=["as it is", "arranged"])
@pytest.mark.parametrize("choice", ["torch", "onednn"])
@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-6), (torch.bfloat16, 2**-8)])
def test_a_product_is_that_of_float64_but_for_rounding(dtype, relative, choice, prepare):
    if choice == "onednn" and not onednn_works():
        pytest.skip("this torch has no oneDNN")
    found, exact = product(dtype, choice, prepare)
    assert found.shape == (5, 32)
    assert (found - exact).abs().max() <= relative * exact.abs().max()


@pytest.mark.parametrize("choice", ["torch", "onednn"])
def test_bfloat16_weights_are_arranged_whatever_is_chosen_for_float32(choice):
    if not onednn_bfloat16_works():
        pytest.skip("no bfloat16 products through oneDNN here")
    assert arranged(torch.ones(32, 64, dtype=torch.bfloat16), choice).is_mkldnn


def test_the_choice_is_made_once():
    assert fastest_linear() is fastest_linear()


def test_bfloat16_attention_is_computed_in_float32_and_rounded_once():
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 7, 16).bfloat16().requires_grad_() for _ in range(3))
    found = FastNetwork.attend(None, q, k, v, None)  # type: ignore[arg-type]
    wide = [t.detach().double().requires_grad_() for t in (q, k, v)]
    scores = wide[0] @ wide[1].transpose(2, 3) / 4
    exact = scores.masked_fill(torch.ones(7, 7, dtype=torch.bool).triu(1), -torch.inf).softmax(-1) @ wide[2]
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, exact.float().bfloat16()) or (found - exact).abs().max() <= exact.abs().max() * 2**-9
    found.float().sum().backward()
    exact.sum().backward()
    for rough, true in zip((q, k, v), wide, strict=True):
        assert (rough.grad - true.grad).abs().max() <= 2**-8 * true.grad.abs().max()
