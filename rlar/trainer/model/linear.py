"""x @ W.T by the faster of torch's own GEMM and oneDNN's, measured at start-up.

On AMD processors torch's default float32 GEMM (MKL) reaches a half to a third of oneDNN's speed with the same rounding
error; elsewhere it may be the other way around, hence the measurement. A run that is to repeat another bit for bit must
use the same choice: pass it on instead of measuring again.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

LinearChoice = Literal["torch", "onednn"]


def onednn(x: Tensor, weight: Tensor) -> Tensor:
    """x @ weight.T through oneDNN; no gradient."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")  # type: ignore[no-any-return]


class _OnednnLinear(torch.autograd.Function):
    """Forward and input gradient through oneDNN; the weight gradient, a tall reduction, is not faster there."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return onednn(x, weight)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad = grads[0].contiguous()
        grad_x = onednn(grad, weight.t()) if ctx.needs_input_grad[0] else None
        grad_weight = grad.flatten(0, -2).t() @ x.flatten(0, -2) if ctx.needs_input_grad[1] else None
        return grad_x, grad_weight


def matmul_weight(x: Tensor, weight: Tensor, choice: LinearChoice) -> Tensor:
    """x @ weight.T by the chosen library; differentiable."""
    if weight.is_mkldnn:
        return onednn(x, weight)
    if choice == "torch" or x.dtype != torch.float32 or x.device.type != "cpu" or x.numel() == 0:
        return F.linear(x, weight)
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        return _OnednnLinear.apply(x, weight)  # type: ignore[no-any-return]
    return onednn(x, weight)


def arranged(weight: Tensor, choice: LinearChoice) -> Tensor:
    """The weight in the layout oneDNN likes best, for many products with it; for `matmul_weight` without gradient only.

    bfloat16 products are oneDNN's whatever the choice, and take a tenth to a quarter less time so.
    """
    if weight.device.type != "cpu":
        return weight
    if weight.dtype == torch.bfloat16:
        return _arranged(weight) if onednn_bfloat16_works() else weight
    if choice == "torch" or weight.dtype != torch.float32:
        return weight
    return _arranged(weight)


def _arranged(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), 64)  # type: ignore[no-any-return]


def onednn_works() -> bool:
    """Whether this torch has the operator and it gives the right numbers."""
    if not torch.backends.mkldnn.is_available():
        return False
    x, weight = torch.randn(4, 8), torch.randn(6, 8)
    try:
        exact = x @ weight.t()
        return all(bool(torch.allclose(onednn(x, w), exact, atol=1e-5)) for w in (weight, arranged(weight, "onednn")))
    except (AttributeError, RuntimeError):  # a build without it
        return False


@cache
def onednn_bfloat16_works() -> bool:
    """Whether arranged bfloat16 weights give the right numbers here."""
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=generator).bfloat16() for shape in ((4, 64), (32, 64)))
    try:
        with torch.inference_mode():
            return bool(torch.allclose(onednn(x, _arranged(weight)).float(), x.float() @ weight.float().t(), atol=0.25))
    except (AttributeError, RuntimeError):  # a build or a processor without it
        return False


@cache
def fastest_linear(rows: int = 512, width: int = 256, repeats: int = 9) -> LinearChoice:
    """The faster library here, by the best of a few timed products (some 40 ms)."""
    with torch.inference_mode():
        if not onednn_works():
            return "torch"
        x, weight = torch.ones(rows, width), torch.ones(3 * width, width)
        best = {"torch": float("inf"), "onednn": float("inf")}
        for _ in range(repeats + 1):
            for name in best:
                started = time.perf_counter()
                F.linear(x, weight) if name == "torch" else onednn(x, weight)
                best[name] = min(best[name], time.perf_counter() - started)
    return "onednn" if best["onednn"] < 0.97 * best["torch"] else "torch"
