"""Linear layers of a loaded model through oneDNN, where a measurement on this machine says that it is faster.

On AMD processors torch's float32 GEMM reaches a third to a half of oneDNN's speed with the same rounding error. For
inference only; `rlar.trainer.linear` has the differentiable one.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

GAIN = 0.95
"""Share of torch's time below which oneDNN is taken."""


def use_fastest_linear(model: Any) -> bool:
    """Switch a CPU float32 model's linear layers to oneDNN where that is faster; says whether it did."""
    import torch

    layers = [each for each in model.modules() if type(each) is torch.nn.Linear]
    if not layers or layers[0].weight.device.type != "cpu" or layers[0].weight.dtype != torch.float32:
        return False
    largest = max(layers, key=lambda layer: layer.weight.numel())
    if not _onednn_is_faster(*largest.weight.shape):
        return False
    for layer in layers:
        layer.__class__ = _onednn_linear()
    return True


@cache
def _onednn_linear() -> type[Any]:
    import torch

    class OnednnLinear(torch.nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")
            return found

    return OnednnLinear


@cache
def _onednn_is_faster(height: int, width: int, rows: int = 256, repeats: int = 3) -> bool:
    """By the best of a few products of the model's largest layer; False where this torch has no such operator."""
    import torch

    if not torch.backends.mkldnn.is_available():
        return False
    with torch.inference_mode():
        x, weight = torch.rand(rows, width), torch.rand(height, width)
        best = {"torch": float("inf"), "onednn": float("inf")}
        try:
            for _ in range(repeats + 1):
                for name in best:
                    started = time.perf_counter()
                    if name == "torch":
                        exact = torch.nn.functional.linear(x, weight)
                    else:
                        found = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
                    best[name] = min(best[name], time.perf_counter() - started)
        except (AttributeError, RuntimeError):  # a build without it
            return False
        close = torch.allclose(exact, found, rtol=1e-4, atol=1e-3)
    return bool(close) and best["onednn"] < GAIN * best["torch"]
