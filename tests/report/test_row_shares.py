"""What a task's tools read of its rows, and how completions end, are in the report, the summary and the listing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rlar.agent.nodes import summarise
from rlar.agent.page import write_report
from rlar.config import BuildConfig
from rlar.registry.registry import Registry
from rlar.report.table import list_tasks
from rlar.text.answer_format import searched_share
from rlar.tools.library import library_spec
from rlar.types import Certificate, CheckResult, RowShares
from tests.fakes.scored_rows import TASK, store

NUMBER = library_spec("number")
SHARES = {"read": 0.9, "unread": 0.0625, "misread": 0.0375}


def outcome(**more: Any) -> dict[str, Any]:
    base = {"fingerprint": TASK, "label": "numbers", "answer_kind": "number", "covered": True, "tools": [NUMBER.id]}
    return {**base, "reason": None, "notes": [], "row_shares": SHARES, **more}


def summary_of(*outcomes: dict[str, Any]) -> dict[str, Any]:
    rows = {"read": 40, "rejected": 0, "accepted": 40, "counts": {TASK: 40}}
    return summarise(BuildConfig(dataset=("rows.jsonl",)), {"rows": rows, "outcomes": list(outcomes)})


def test_the_page_and_the_summary_say_what_is_read_and_what_was_searched(tmp_path: Path):
    summary = summary_of(outcome(searched=0.25))
    with Registry.open(store(tmp_path / "r.db", qualities=[(NUMBER, 1.0)])) as registry:
        page = write_report(tmp_path / "report", summary, registry).read_text("utf-8")
    assert "90%" in page and "6.2% unread" in page and "3.8% misread" in page
    assert "25% of the labelled completions end in no agreed format" in page
    (task,) = json.loads((tmp_path / "report" / "summary.json").read_text("utf-8"))["tasks"]
    assert (task["row_shares"], task["searched"]) == (SHARES, 0.25)


def test_the_summary_of_a_build_that_began_before_there_were_shares_has_none(tmp_path: Path):
    old = {name: value for name, value in outcome().items() if name != "row_shares"}
    summary = summary_of(old)
    with Registry.open(store(tmp_path / "r.db", qualities=[(NUMBER, 1.0)])) as registry:
        page = write_report(tmp_path / "report", summary, registry).read_text("utf-8")
    assert summary["tasks"][0]["row_shares"] is None and "misread</span>" not in page


def test_the_listing_names_the_tools_that_do_not_read_everything(tmp_path: Path):
    path = store(tmp_path / "r.db", qualities=[(NUMBER, 1.0)])
    with Registry.open(path) as registry:
        recipe = registry.recipe(TASK)
        assert recipe is not None
        registry.put_recipe(recipe.model_copy(update={"row_shares": {NUMBER.id: RowShares(**SHARES)}}))
    listed = {task["fingerprint"]: task["row_shares"] for task in list_tasks(str(path)).data}
    assert listed[TASK] == {NUMBER.id: SHARES}


@pytest.mark.parametrize(
    ("unread", "misread", "passed", "shares"),
    [
        (0.0, None, None, (1.0, 0.0, 0.0)),
        (0.25, None, None, (0.75, 0.25, 0.0)),
        (0.25, 0.04, True, (0.72, 0.25, 0.03)),  # 4 % of the three quarters that are read
        (0.25, 0.4, False, (0.75, 0.25, 0.0)),  # too many to be set aside
    ],
)
def test_shares_sum_to_one(unread: float, misread: float | None, passed: bool | None, shares: tuple[float, ...]):
    checks = [CheckResult(name="coverage", passed=True, details={"unread_share": unread})]
    if misread is not None:
        checks.append(CheckResult(name="misread", passed=passed, value=misread))
    made = Certificate(tool_id="t", fingerprint=TASK, admitted=True, role="verifier", checks=tuple(checks)).row_shares
    assert (made.read, made.unread, made.misread) == pytest.approx(shares) and sum(shares) == pytest.approx(1.0)


def test_an_answer_that_ends_in_no_agreed_format_has_to_be_searched():
    loose = "Two and two.\nThat makes 4, I think."
    assert searched_share(["It is \\boxed{4}.", "Answer: 4", "4", loose]) == 0.25
    assert searched_share([]) is None
