"""A format that one build added stays with its task when another build meets it again, until one drops it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlar.agent.build import build_tools
from rlar.config import BuildConfig
from rlar.registry.registry import Registry
from tests.agent.test_build import write_rows


@pytest.mark.slow
def test_a_later_build_keeps_what_an_earlier_one_added_until_one_drops_it(tmp_path: Path):
    rows = [
        {
            "prompt": f"A box holds {n + 3} pens. How many pens are in {n + 5} boxes?",
            "reference": str((n + 3) * (n + 5)),
        }
        for n in range(16)
    ]
    dataset, registry = write_rows(tmp_path / "rows.jsonl", rows), str(tmp_path / "r.db")

    def formats(mode: str) -> list[str | None]:
        build_tools(
            BuildConfig.model_validate(
                {"dataset": (dataset,), "registry": registry, "report": None, "answer_format": mode}
            )
        )
        with Registry.open(registry, readonly=True) as opened:
            return [recipe.answer_format for recipe in opened.recipes()]

    assert formats("suggest") == [None]
    assert formats("add") == formats("keep") == formats("suggest") == ["boxed"]
    assert formats("drop") == formats("keep") == [None]
