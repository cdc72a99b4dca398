"""What tests of the commands share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agent.test_build import small_mix, write_rows
from tests.fakes.commands import run


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> tuple[Path, dict]:
    """A folder with registry.db, and the JSON summary of its build."""
    folder = tmp_path_factory.mktemp("cli")
    mix = write_rows(folder / "mix.jsonl", small_mix())
    code, out, _err = run(
        "agent",
        "build-tools",
        "--dataset",
        mix,
        "--registry",
        folder / "registry.db",
        "--report",
        folder / "report",
        "--json",
    )
    assert code == 0
    return folder, json.loads(out)
