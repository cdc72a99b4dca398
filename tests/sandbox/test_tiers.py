"""The tiers that are offered, and what a setting or a record that names another one gets."""

from __future__ import annotations

import json

import pytest

from rlar.config import BuildConfig
from rlar.errors import ConfigError
from rlar.sandbox import Pool
from rlar.types import Certificate

WAY_OUT = "on macOS and Windows use a Linux container or WSL"


def test_the_wasm_tier_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match=WAY_OUT):
        Pool(tier="wasm")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=WAY_OUT):
        BuildConfig.model_validate({"dataset": ["rows.jsonl"], "sandbox_tier": "wasm"})


def test_a_certificate_of_the_wasm_tier_is_read_as_before():
    body = {
        "admitted": True, "checks": [], "created_at": "2026-01-01T00:00:00Z", "fingerprint": "f1-0123456789ab",
        "role": "verifier", "sandbox_tier": "wasm", "seed": 0, "tool_id": "number-8da51ad808b8",
    }  # fmt: skip
    certificate = Certificate.model_validate_json(json.dumps(body))
    assert certificate.sandbox_tier == "wasm"
    assert json.loads(certificate.model_dump_json())["sandbox_tier"] == "wasm"


def test_another_system_is_told_the_way_out(monkeypatch: pytest.MonkeyPatch):
    from rlar.sandbox import tiers

    monkeypatch.setattr("sys.platform", "darwin")
    states = tiers.probe().tiers
    assert states and all("use a Linux container or WSL" in state.reason for state in states)
    assert tiers.probe().best is None
