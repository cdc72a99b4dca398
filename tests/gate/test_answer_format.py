"""The strict reading of a format is tried with the task's recipe before anybody is asked for it."""

from __future__ import annotations

import pytest

from rlar.gate.answer_format import try_answer_format
from rlar.gate.policy import load_policy
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.types import AnswerFormat, Calibration, CheckResult, Recipe, TaskSpec
from tests.fakes.probing_tasks import (
    choice_task,
    json_task,
    label_task,
    math_task,
    number_task,
    open_task,
    short_text_task,
    translation_task,
)


def tried(task: TaskSpec, name: str, answer_format: AnswerFormat) -> CheckResult:
    tool = library_spec(name)
    recipe = Recipe(fingerprint=task.fingerprint, qualities=((tool.id, 1.0),), calibrations={tool.id: Calibration()})
    with Resources() as resources:
        return try_answer_format(
            task,
            recipe,
            answer_format,
            {tool.id: tool},
            guards=frozenset(),
            resources=resources,
            policy=load_policy(None),
            seed=0,
        )


@pytest.mark.parametrize(
    ("task", "name", "answer_format"),
    [
        (number_task(), "number", "boxed"),
        (math_task(), "math", "boxed"),
        (choice_task(), "choice", "answer_line"),
        (label_task(), "choice", "bare"),
        (short_text_task(), "short_text", "answer_line"),
        (json_task(), "json_output", "fenced"),
        (translation_task(), "translation", "answer_tags"),
    ],
)
def test_a_verifier_reads_its_format_as_well_as_bare_answers(task: TaskSpec, name: str, answer_format: AnswerFormat):
    check = tried(task, name, answer_format)
    assert check.passed, check.note
    means = check.details["means"]
    assert means["right"] >= 0.9 and means["a thought without end"] == 0.0
    if answer_format != "bare":
        assert means["two answers"] == means["only in a thought"] == 0.0


def test_a_format_in_which_right_answers_are_lost_is_not_safe():
    check = tried(number_task(), "json_output", "boxed")  # a box is no JSON
    assert not check.passed and "right answers score 0.00 in the format" in check.note


def test_a_task_whose_answers_do_not_fit_is_not_tried():
    assert tried(open_task(), "guards", "boxed").passed is None
