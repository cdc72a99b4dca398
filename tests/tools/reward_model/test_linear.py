"""Faster linear layers give the same model, up to the rounding that was allowed."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from rlar.tools.reward_model import linear as fast_linear  # noqa: E402
from rlar.tools.reward_model.linear import use_fastest_linear, widen_heads  # noqa: E402


def small_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(96, 256), torch.nn.GELU(), torch.nn.Linear(256, 128), torch.nn.Linear(128, 1)
    )


def timings(monkeypatch, **seconds):
    monkeypatch.setattr(fast_linear, "_measured", lambda *_shape: seconds)


@pytest.fixture
def can_bfloat16():
    if "bfloat16" not in fast_linear._measured(64, 64):
        pytest.skip("this torch has no bfloat16 product through oneDNN")


@pytest.mark.parametrize(
    ("seconds", "allowed", "way"),
    [
        ({"torch": 1.0, "onednn": 0.9, "bfloat16": 0.2}, None, "bfloat16"),
        ({"torch": 1.0, "onednn": 0.9, "bfloat16": 0.2}, False, "onednn"),
        ({"torch": 1.0, "onednn": 0.97, "bfloat16": 8.0}, None, "torch"),
        ({"torch": 1.0, "onednn": 0.4, "bfloat16": 0.7}, None, "onednn"),
        ({"torch": 1.0, "bfloat16": 8.0}, True, "bfloat16"),
        ({"torch": 1.0}, True, "torch"),
    ],
)
def test_the_way_follows_the_measurement_and_the_permission(monkeypatch, can_bfloat16, seconds, allowed, way):
    timings(monkeypatch, **seconds)
    assert use_fastest_linear(small_model(), bfloat16=allowed) == way


def test_bfloat16_products_round_only_the_products(monkeypatch, can_bfloat16):
    timings(monkeypatch, torch=1.0, bfloat16=0.1)
    model, x = small_model(), torch.randn(40, 96)
    with torch.inference_mode():
        exact = model(x)
        use_fastest_linear(model, bfloat16=None)
        found = model(x)
    spread = float(exact.std())
    assert found.dtype == torch.float32
    assert 0 < float((found - exact).abs().max()) < 0.03 * spread
    assert len(set(found.flatten().tolist())) == 40  # in bfloat16 some of 40 close scores would tie
    assert model[3].weight.dtype == torch.float32 and model[3].weight.numel() == 128  # the head is as it was


def test_a_row_does_not_depend_on_its_batch(monkeypatch, can_bfloat16):
    timings(monkeypatch, torch=1.0, bfloat16=0.1)
    model, x = small_model(), torch.randn(40, 96)
    with torch.inference_mode():
        use_fastest_linear(model, bfloat16=None)
        alone = torch.cat([model(row[None]) for row in x])
        assert torch.allclose(alone, model(x), atol=1e-6)
        assert model(x[:0]).shape == (0, 1)


def test_a_bfloat16_head_is_computed_in_float32():
    model, x = small_model().bfloat16(), torch.randn(64, 96).bfloat16()
    with torch.inference_mode():
        rounded = model(x)
        widen_heads(model)
        found = model(x)
    assert rounded.dtype == torch.bfloat16 and found.dtype == torch.float32
    assert torch.allclose(rounded.float(), found, atol=0.01)
    assert len(found.unique()) > len(rounded.unique())


def test_what_is_not_float32_on_a_cpu_is_left_alone(monkeypatch):
    timings(monkeypatch, torch=1.0, onednn=0.1, bfloat16=0.1)
    assert use_fastest_linear(small_model().bfloat16(), bfloat16=None) == "torch"
    assert use_fastest_linear(torch.nn.Sequential(torch.nn.GELU()), bfloat16=None) == "torch"


def test_what_is_measured_is_right():
    seconds = fast_linear._measured(128, 64)
    assert "torch" in seconds and all(0 < value < 5 for value in seconds.values())
