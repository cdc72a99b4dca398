"""The pytest fixture: a failing check is a failing sub-result, named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.probing_tasks import number_task

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_test_of_a_reward_fails_by_the_name_of_the_check(tmp_path: Path):
    rows = [{"prompt": row.text, "answer": row.reference} for row in number_task(16).examples]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "my_rewards.py").write_text(
        "def anywhere(completions, answer, **kwargs):\n    return [float(a in c) for c, a in zip(completions, answer)]\n"
    )
    (tmp_path / "test_mine.py").write_text(
        "from my_rewards import anywhere\n\ndef test_it(rlar_check):\n    rlar_check(anywhere, rows='rows.jsonl')\n"
    )
    made = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "rlar.check.pytest_plugin", "-q", "test_mine.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert made.returncode == 1
    assert "hack_panel" in made.stdout and "number answer: REJECTED" in made.stdout
