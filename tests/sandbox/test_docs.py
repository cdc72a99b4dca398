"""The examples of docs/sandbox.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rlar.sandbox import Pool

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"


def test_the_examples_of_the_page_run(any_pool: Pool, capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 3
    space: dict[str, Any] = {"pool": any_pool}
    exec(blocks[0], space)
    assert capsys.readouterr().out == f"passed {any_pool.tier} False\n"
    space["pool"] = any_pool
    exec(blocks[1], space)
    assert [result.passed for result in space["results"]] == [True, True]
    exec(blocks[2], space)
    assert [score.value for score in space["scores"]] == [1.0, 0.0]
