"""Probes for answers under a stated rule: what witnesses say is tried, dressed, and signed with who said it."""

from __future__ import annotations

import pytest

from rlar.gate.policy import load_policy
from rlar.gate.probe import ProbeSet
from rlar.gate.probes import make_probes
from rlar.kinds.rule.probes import BY_USER, provable
from rlar.types import LabelledPair, TaskSpec, Witness
from tests.fakes.probing_tasks import example
from tests.fakes.rule_tasks import BY, bracket_task, ladder_task, rule_task, target_task

POLICY = load_policy()


def probes_of(task: TaskSpec, labelled: tuple[LabelledPair, ...] = ()) -> ProbeSet:
    return make_probes(task, budget=POLICY.budget("pool"), seed=0, labelled=labelled)


def kinds(found: ProbeSet, check: str) -> set[str]:
    return {probe.kind for probe in found.probes if probe.check == check}


def test_right_answers_are_dressed_as_a_model_writes_them():
    found = probes_of(target_task())

    assert found.rows == 8
    assert kinds(found, "oracle") == {"plain", "also_right", "last_line", "reasoning"}
    assert kinds(found, "invariance") == {
        "whitespace",
        "think",
        "preamble",
        "fenced",
    }  # no bold: "*" is an operator here
    assert kinds(found, "discrimination") == {
        "proposed_wrong",
        "other_rows_answer",
        "wrong_last_line",
        "right_rejected",
    }
    assert {"spray_lines", "spray_answers", "right_only_thought", "injected_score"} <= kinds(found, "hack_panel")
    assert {"empty", "refusal", "prompt_echo", "other_row"} <= kinds(found, "floor")


def test_bold_is_tried_where_it_cannot_be_part_of_the_answer():
    assert "bold" in kinds(probes_of(bracket_task()), "invariance")


def test_an_answer_of_several_lines_is_the_whole_completion():
    rows = [(example(n, f"Write {n} lines."), (f"a {n}\nb {n}",), (f"a {n}",)) for n in range(6)]
    found = probes_of(rule_task("lines", rows))

    assert kinds(found, "oracle") == {"plain"}
    assert kinds(found, "invariance") == {"whitespace", "think"}


def test_the_certificate_will_say_who_proposed_the_answers():
    assert probes_of(ladder_task()).notes == (f"right and wrong answers proposed by {BY} (8 rows)",)


def test_what_is_right_for_this_row_too_is_never_called_wrong():
    task = target_task()
    first, second = task.witnesses[:2]
    shared = Witness(row_key=first.row_key, right=(*first.right, *second.right), wrong=first.wrong, by=BY)
    task = task.model_copy(update={"witnesses": (shared, *task.witnesses[1:])})

    found = probes_of(task)
    row = {probe.row for probe in found.probes if probe.example_id == task.examples[0].id}
    bad = {
        probe.sample.completion for probe in found.probes if probe.row in row and probe.expectation in {"low", "below"}
    }

    assert not bad & {*second.right}
    assert bad & {text for witness in task.witnesses[2:] for text in witness.right}


def test_only_rows_with_a_proposed_answer_are_tried_wherever_they_stand():
    task = target_task(rows=120)
    task = task.model_copy(update={"witnesses": task.witnesses[::15]})

    assert probes_of(task).rows == 8


def test_without_witnesses_there_is_nothing_to_try_and_the_note_says_what_would_help():
    found = probes_of(target_task().model_copy(update={"witnesses": ()}))

    assert found.probes == () and "labelled pairs" in found.notes[0]


def test_an_answer_called_right_by_one_and_wrong_by_another_is_neither():
    task = target_task(rows=4)
    first = task.witnesses[0]
    contrary = Witness(row_key=first.row_key, wrong=(first.right[0],), by="another")

    merged = provable(task.model_copy(update={"witnesses": (*task.witnesses, contrary)})).witnesses[0]

    assert merged.right == (first.right[1],)
    assert first.right[0] not in merged.wrong
    assert merged.by == f"{BY}; another"


def test_a_users_pairs_win_over_the_llms_witnesses():
    task = target_task(rows=4)
    row, first = task.examples[0], task.witnesses[0]
    pair = LabelledPair(prompt=row.text, better=first.wrong[0], worse=first.right[0])

    merged = provable(task, (pair,)).witnesses[0]

    assert merged.right == (first.wrong[0], first.right[1])
    assert merged.wrong[0] == first.right[0] and first.wrong[0] not in merged.wrong
    assert merged.by == f"{BY_USER}; {BY}"


def test_pairs_alone_are_enough_and_bring_their_own_rows():
    bare = target_task(rows=2).model_copy(update={"witnesses": (), "examples": ()})
    source = target_task(rows=6)
    pairs = tuple(
        LabelledPair(prompt=row.text, better=witness.right[0], worse=witness.wrong[0])
        for row, witness in zip(source.examples, source.witnesses, strict=True)
    )

    found = probes_of(bare, pairs)

    assert found.rows == 6
    assert found.notes == (f"right and wrong answers proposed by {BY_USER} (6 rows)",)
    assert len(found.of("labelled")) == 12


@pytest.mark.parametrize("make", [target_task, ladder_task, bracket_task])
def test_the_same_task_gives_the_same_probes_in_any_order_of_its_rows(make):
    task = make()
    turned = task.model_copy(update={"examples": task.examples[::-1], "witnesses": task.witnesses[::-1]})

    assert probes_of(task) == probes_of(turned)
