"""Linear layers of a loaded model on a CPU by the way that a measurement on this machine finds fastest. For inference only.

Three ways: torch's own float32 product; oneDNN's, which on AMD processors is two to three times as fast with the same rounding
error; and oneDNN's bfloat16 product, on processors with units for it (AMX, AVX512-BF16) several times as fast again. On others
bfloat16 is emulated and many times slower, so nothing is taken from the processor's name. `rlar.trainer.model.linear` has the
differentiable ones.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Literal

Way = Literal["torch", "onednn", "bfloat16"]

GAIN = {"torch": 1.0, "onednn": 0.95, "bfloat16": 0.6}
"""A way is taken where its time is below this share of torch's: bfloat16 costs precision, so it has to be worth it."""
SMALL_HEAD = 64
"""Output features up to which a layer counts as a head: it stays in float32, or scores would be rounded to 8 bits."""


def use_fastest_linear(model: Any, *, bfloat16: bool | None = False) -> Way:
    """Switch a CPU float32 model's linear layers to the fastest way; returns the way taken.

    Args:
        bfloat16: None, whether products may be taken in bfloat16 is left to the measurement; True, they are wherever this
            torch can. Only the products are rounded: what layers pass on, and the head, stay float32. The bfloat16
            weights replace the float32 ones.
    """
    import torch

    layers = [each for each in model.modules() if type(each) is torch.nn.Linear]
    if not layers or layers[0].weight.device.type != "cpu" or layers[0].weight.dtype != torch.float32:
        return "torch"
    largest = max(layers, key=lambda layer: layer.weight.numel())
    seconds = _measured(*largest.weight.shape)
    way: Way = "torch"
    if bfloat16 and "bfloat16" in seconds:
        way = "bfloat16"
    else:
        for other in ("onednn", "bfloat16") if bfloat16 is None else ("onednn",):
            if seconds.get(other, float("inf")) < GAIN[other] * seconds["torch"]:
                way = other  # type: ignore[assignment]
    for layer in layers:
        if way == "onednn":
            layer.__class__ = _onednn_linear()
        elif way == "bfloat16" and layer.out_features > SMALL_HEAD:
            layer.__class__ = _bfloat16_linear()
            _to_bfloat16(layer)
    return way


def widen_heads(model: Any) -> None:
    """Let a bfloat16 model's heads compute in float32: a bfloat16 score has 8 bits, and close completions would tie."""
    import torch

    for layer in model.modules():
        if type(layer) is torch.nn.Linear and layer.out_features <= SMALL_HEAD and layer.weight.dtype == torch.bfloat16:
            layer.__class__ = _wide_linear()
            layer.float()


@cache
def _onednn_linear() -> type[Any]:
    import torch

    class OnednnLinear(torch.nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")
            return output

    return OnednnLinear


@cache
def _bfloat16_linear() -> type[Any]:
    import torch

    class Bfloat16Linear(torch.nn.Linear):
        packed: torch.Tensor

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            if input.numel() == 0:
                return input.new_zeros((*input.shape[:-1], self.out_features))
            rounded = input.to(torch.bfloat16)
            output: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rounded, self.packed, self.bias, "none", [], "")
            return output.float()

    return Bfloat16Linear


@cache
def _wide_linear() -> type[Any]:
    import torch

    class WideLinear(torch.nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input.float())

    return WideLinear


def _to_bfloat16(layer: Any) -> None:
    import torch

    layer.packed = _packed(layer.weight)
    layer.bias = None if layer.bias is None else torch.nn.Parameter(layer.bias.bfloat16(), requires_grad=False)
    layer.weight = torch.nn.Parameter(layer.weight.new_empty(0), requires_grad=False)  # half the memory


def _packed(weight: Any) -> Any:
    """The weight in bfloat16 and in oneDNN's own layout, arranged once instead of in every product."""
    import torch

    return torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(torch.bfloat16), 256)


@cache
def _measured(height: int, width: int, rows: int = 256, repeats: int = 3) -> dict[str, float]:
    """Best seconds of a few products of a layer's shape, by way; without the ways that this torch has not, or gets wrong."""
    import torch

    with torch.inference_mode():
        generator = torch.Generator().manual_seed(0)
        x, weight = torch.randn(rows, width, generator=generator), torch.randn(height, width, generator=generator)
        exact = torch.nn.functional.linear(x, weight)
        best: dict[str, float] = {}
        for way, call, tolerance in (
            ("torch", lambda: torch.nn.functional.linear(x, weight), 0.0),
            ("onednn", lambda: torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], ""), 1e-4),
            ("bfloat16", _bfloat16_product(x, weight), 2e-2),
        ):
            try:
                output = call()
                if float((output - exact).norm()) > tolerance * float(exact.norm()):
                    continue
                for _ in range(repeats):
                    started = time.perf_counter()
                    call()
                    best[way] = min(best.get(way, float("inf")), time.perf_counter() - started)
            except (AttributeError, RuntimeError):  # a build without it
                continue
    return best


def _bfloat16_product(x: Any, weight: Any) -> Any:
    import torch

    packed: list[Any] = []

    def product() -> Any:
        if not packed:
            packed.append(_packed(weight))
        rounded = x.to(torch.bfloat16)
        return torch.ops.mkldnn._linear_pointwise(rounded, packed[0], None, "none", [], "").float()

    return product
