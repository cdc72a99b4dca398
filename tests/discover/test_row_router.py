"""Rows outside the build go to their task or to unknown, and the router survives being kept."""

from __future__ import annotations

import numpy as np
import pytest

from rlar.discover.discover import Discovery, discover
from rlar.discover.row_router import RowRouter
from rlar.errors import RegistryError
from rlar.rows.example import row_to_example
from rlar.types import Example
from tests.fakes.generators import TYPES, rows_of

SEEN = ["word_problem", "algebra", "code_asserts", "constraints", "open_chat", "to_dutch"]
# A program without tests is still a program, and demands in other words are still demands.
NEAR = ["code_reference", "function_body", "unread_demands"]
UNSEEN = [name for name in TYPES if name not in {*SEEN, *NEAR}]


def examples_of(names: list[str], each: int, seed: int, *, drop_reference: bool = False) -> list[Example]:
    made = []
    for _, row in rows_of(names, each, seed):
        if drop_reference:
            row.pop("reference", None)
        example = row_to_example(row, "made")
        assert isinstance(example, Example)
        made.append(example)
    return made


@pytest.fixture(scope="module")
def built() -> Discovery:
    return discover(examples_of(SEEN, 60, seed=0))


def unknown_share(router: RowRouter, examples: list[Example]) -> float:
    return sum(assignment.fingerprint is None for assignment in router.assign(examples)) / len(examples)


def test_rows_of_types_never_seen_are_unknown(built: Discovery) -> None:
    assert unknown_share(built.router, examples_of(UNSEEN, 20, seed=1)) >= 0.95


def test_fresh_rows_of_known_types_are_not_unknown(built: Discovery) -> None:
    assert unknown_share(built.router, examples_of(SEEN, 40, seed=2)) <= 0.03


def kinds_of(built: Discovery, examples: list[Example]) -> list[str]:
    kinds = {task.fingerprint: task.contract.answer_kind.value for task in built.tasks}
    return [kinds.get(assignment.fingerprint or "", "unknown") for assignment in built.router.assign(examples)]


def test_programs_without_tests_go_to_the_task_that_judges_programs(built: Discovery) -> None:
    for name in ("code_reference", "function_body"):
        assert kinds_of(built, examples_of([name], 30, seed=1)).count("code_tests") >= 29, name


def test_functions_to_complete_are_no_chat_although_nothing_comes_with_them(built: Discovery) -> None:
    found = kinds_of(built, examples_of(["function_body"], 30, seed=2, drop_reference=True))
    assert found.count("code_tests") >= 29


def test_a_demand_that_no_rule_reads_keeps_a_prompt_out_of_open_chat(built: Discovery) -> None:
    assert kinds_of(built, examples_of(["unread_demands"], 60, seed=1)).count("constraints") >= 0.95 * 60
    assert kinds_of(built, examples_of(["open_chat"], 60, seed=7)).count("open_ended") == 60


def test_a_task_left_out_of_the_build_stays_unknown() -> None:
    for left_out in ("algebra", "code_asserts", "to_dutch", "constraints"):
        router = discover(
            examples_of([name for name in SEEN if name != left_out and name != "word_problem"], 40, seed=0)
        ).router
        assert unknown_share(router, examples_of([left_out], 20, seed=1)) >= 0.9, left_out


def test_rows_whose_reference_was_dropped_still_find_their_task(built: Discovery) -> None:
    kinds = {task.fingerprint: task.contract.answer_kind.value for task in built.tasks}
    for name, kind in (("word_problem", "number"), ("algebra", "math"), ("code_asserts", "code_tests")):
        found = built.router.assign(examples_of([name], 30, seed=4, drop_reference=True))
        right = sum(kinds.get(assignment.fingerprint or "") == kind for assignment in found)
        assert right >= 24, (name, right)


def test_every_assignment_says_why_and_how_sure(built: Discovery) -> None:
    for assignment in built.router.assign(examples_of(list(TYPES), 3, seed=3)):
        assert 0.0 <= assignment.confidence <= 1.0 and assignment.reason


def test_a_row_is_decided_alone(built: Discovery) -> None:
    examples = examples_of(list(TYPES), 3, seed=5)
    together = built.router.assign(examples)
    assert [built.router.assign([example])[0].fingerprint for example in examples] == [
        found.fingerprint for found in together
    ]


def test_the_router_is_plain_arrays_and_comes_back_the_same(built: Discovery) -> None:
    arrays = built.router.to_arrays()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in arrays.values())
    again = RowRouter.from_arrays(arrays, built.tasks)
    examples = examples_of(list(TYPES), 4, seed=6)
    assert again.assign(examples) == built.router.assign(examples)


def test_arrays_that_do_not_fit_are_refused(built: Discovery) -> None:
    arrays = built.router.to_arrays()
    with pytest.raises(RegistryError, match="version 7"):
        RowRouter.from_arrays({**arrays, "version": np.array([7])}, built.tasks)
    with pytest.raises(RegistryError, match="does not"):
        RowRouter.from_arrays(arrays, built.tasks[1:])
    with pytest.raises(RegistryError, match="weights are not as they were stored"):
        RowRouter.from_arrays({**arrays, "weights": arrays["weights"][:10]}, built.tasks)


def test_prompts_without_references_are_open_ended_in_a_file_that_has_none() -> None:
    rows = examples_of(["multiple_choice", "sql", "open_chat"], 40, seed=1, drop_reference=True)
    found = discover(rows)
    assert {task.contract.answer_kind.value for task in found.tasks} == {"open_ended"}
    assert unknown_share(found.router, rows) == 0.0


def test_of_two_tasks_that_differ_in_having_references_the_rows_own_kind_wins() -> None:
    bare = discover(examples_of(["to_dutch"], 60, seed=1, drop_reference=True))
    both = discover(examples_of(["to_dutch", "word_problem"], 40, seed=2), known=bare.tasks)
    dutch = [task for task in (*bare.tasks, *both.tasks) if task.contract.target_language == "nl"]
    assert [task.contract.has_reference for task in dutch] == [False, True]
    asked = [example for example in examples_of(["to_dutch"], 30, seed=3) if "Translate into" in example.text]
    assert {assignment.fingerprint for assignment in both.router.assign(asked)} == {dutch[1].fingerprint}
