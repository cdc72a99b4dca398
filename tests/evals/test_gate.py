"""Mutants are what they say, and the gate kills them; discovery's measures by hand."""

from __future__ import annotations

import pytest

from rlar.evals.discovery import score_assignments
from rlar.evals.gate import evaluate_gate
from rlar.evals.mutants import make, rewritten, verdicts, wrapped
from rlar.kinds import library_class
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.types import Sample
from tests.fakes.labelled_rows import row, write

RIGHT = Sample(prompt="2-5?", completion="The answer is -3.", reference="-3", references=("-3",))
WRONG = Sample(prompt="2-5?", completion="The answer is 3.", reference="-3", references=("-3",))
LISTED = Sample(prompt="2-5?", completion="It is 1, or -3, or 7. The answer is 7.", reference="-3", references=("-3",))


@pytest.fixture
def number():
    with Resources() as resources:
        yield library_class("number")(library_spec("number"), resources)


@pytest.mark.parametrize(("name", "expected"), [
    ("always one", [1.0, 1.0, 1.0]),
    ("inverted", [0.0, 1.0, 1.0]),
    ("ignored sign", [1.0, 1.0, 0.0]),
    ("substring instead of equality", [1.0, 0.0, 1.0]),
    ("dropped normalisation", [0.0, 0.0, 0.0]),
    ("reads the reference only", [1.0, 1.0, 1.0]),
])  # fmt: skip
def test_a_wrapped_mutant_is_wrong_in_the_way_its_name_says(number, name, expected):
    mutant = next(each for each in wrapped(number) if each.name == name).make()
    assert [value for _, value in verdicts(number, (RIGHT, WRONG, LISTED), 30)] == [1.0, 0.0, 0.0]
    assert [value for _, value in verdicts(mutant, (RIGHT, WRONG, LISTED), 30)] == expected
    assert mutant.spec.source == f"mutant:{name}"  # the second process must not load the real tool for it


def test_rewritten_mutants_load_leave_the_original_alone_and_are_the_same_each_time(number):
    with Resources() as resources:
        mutants = rewritten(number, resources, count=12, seed=0)
        assert [each.name for each in mutants] == [each.name for each in rewritten(number, resources, count=12, seed=0)]
        assert len({each.operator for each in mutants}) >= 4
        assert all(make(each)[0] is not None for each in mutants)
    assert verdicts(number, (RIGHT, WRONG), 30) == [("ok", 1.0), ("ok", 0.0)]


@pytest.mark.slow
def test_the_gate_kills_the_mutants_of_a_verifier_and_admits_the_verifier(tmp_path):
    path = write(tmp_path / "rows.jsonl", [row(index) for index in range(24)])
    found = evaluate_gate([path], tools=["number"], rewrites=6)
    assert found["false_rejections"] == [] and found["counted"] >= 12
    assert found["share"] >= 0.95, [each for each in found["mutants"] if each["verdict"] == "survived"]
    assert {"floor", "oracle"} <= set(found["killed_by"])


def test_discovery_measures_by_hand():
    truth = ["a", "a", "a", "b", "b", "unknown", "unknown"]
    found = ["x", "x", None, "x", "y", None, "y"]
    scores, tasks = score_assignments(truth, found)
    # x belongs to a (2 of 3); y holds one b and one unknown: b comes first. Assigned 5, pure 2 + 1.
    assert scores["purity"] == pytest.approx(3 / 5) and scores["coverage"] == pytest.approx(5 / 7, abs=1e-6)
    assert scores["unknown precision"] == 0.5 and scores["unknown recall"] == 0.5
    assert tasks[0] == {"task": "a", "rows": 3, "assigned": pytest.approx(2 / 3, abs=1e-6), "right": pytest.approx(2 / 3, abs=1e-6), "wrong": ""}  # fmt: skip
    assert tasks[1]["wrong"] == "x"
