"""Discovery on rows of 25 hand-made task types; the claims hold for their contents, not for their names."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from rlar.discover.discover import Discovery, discover, smallest_task
from rlar.discover.fingerprint import fingerprint
from rlar.rows.example import row_to_example
from rlar.types import Example
from tests.fakes.generators import TYPES, rows_of

ROOT = Path(__file__).resolve().parents[2]
EACH = 30


def examples_of(names: list[str], each: int = EACH, seed: int = 0) -> tuple[list[str], list[Example]]:
    rows = rows_of(names, each, seed)
    made = [row_to_example(row, f"made:{index}") for index, (_, row) in enumerate(rows)]
    assert all(isinstance(example, Example) for example in made)
    return [name for name, _ in rows], made  # type: ignore[return-value]


@pytest.fixture(scope="module")
def everything() -> tuple[list[str], list[Example], Discovery]:
    names, examples = examples_of(list(TYPES))
    return names, examples, discover(examples)


def found_kinds(names: list[str], examples: list[Example], discovery: Discovery) -> dict[str, Counter[str]]:
    kinds = {task.fingerprint: task.contract.answer_kind.value for task in discovery.tasks}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name, assignment in zip(names, discovery.router.assign(examples), strict=True):
        found[name][kinds.get(assignment.fingerprint or "", "unknown")] += 1
    return found


def test_every_made_type_gets_the_kind_that_can_judge_it(
    everything: tuple[list[str], list[Example], Discovery],
) -> None:
    found = found_kinds(*everything)
    for name, (_, kind) in TYPES.items():
        assert found[name][kind] >= 0.8 * EACH, (name, found[name])
    right = sum(found[name][kind] for name, (_, kind) in TYPES.items())
    assert right >= 0.97 * EACH * len(TYPES)


def test_label_sets_are_whole_and_apart(everything: tuple[list[str], list[Example], Discovery]) -> None:
    sets = {task.contract.labels for task in everything[2].tasks if task.contract.labels}
    assert {("no", "yes"), ("false", "true"), ("negative", "neutral", "positive")} <= sets
    assert ("contradiction", "entailment", "neutral") in sets


def test_translations_are_told_apart_by_target_language(everything: tuple[list[str], list[Example], Discovery]) -> None:
    languages = {task.contract.target_language for task in everything[2].tasks} - {None}
    assert {"it", "nl"} <= languages


def test_rows_listed_with_a_task_are_rows_of_that_task(everything: tuple[list[str], list[Example], Discovery]) -> None:
    discovery = everything[2]
    for task in discovery.tasks:
        assert task.examples and len(task.examples) <= 64
        assert all(a.fingerprint == task.fingerprint for a in discovery.router.assign(task.examples))
        assert task.description.startswith("Judged as")


def test_order_does_not_matter(everything: tuple[list[str], list[Example], Discovery]) -> None:
    _, examples, discovery = everything
    shuffled = list(examples)
    random.Random(7).shuffle(shuffled)
    again = discover(shuffled)
    assert again.tasks == discovery.tasks
    assert all((again.router.to_arrays()[key] == value).all() for key, value in discovery.router.to_arrays().items())


@pytest.mark.slow
def test_libraries_are_loaded_before_their_threads_are_limited() -> None:
    # threadpoolctl limits what is loaded: a first discovery in a process used to run with as many threads as processors.
    script = (
        "import sys; import rlar.discover.discover as d; from contextlib import nullcontext;"
        "seen = [];"
        "d.threadpool_limits = lambda limits: seen.append({'scipy.linalg', 'sklearn.cluster'} <= set(sys.modules)) or nullcontext();"
        "d.discover([]); assert seen == [True], seen"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


@pytest.mark.slow
def test_another_process_with_other_string_hashes_finds_the_same() -> None:
    script = (
        "import sys; from tests.fakes.generators import rows_of; from rlar.discover.discover import discover;"
        "from rlar.rows.example import row_to_example;"
        "rows = rows_of(['sentiment', 'trivia', 'word_problem', 'to_dutch', 'open_chat'], 24);"
        "d = discover(row_to_example(row, 'x') for _, row in rows);"
        "print([(t.fingerprint, t.rows, t.label) for t in d.tasks], d.router.to_arrays()['weights'].sum())"
    )
    outputs = set()
    for seed in ("0", "4242"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(ROOT),
        }
        run = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        outputs.add(run.stdout)
    assert len(outputs) == 1 and "f1-" in outputs.pop()


@pytest.mark.slow
def test_halves_of_a_file_give_the_same_fingerprints() -> None:
    names = [name for name in TYPES if name not in {"to_italian", "to_dutch"}]
    _, examples = examples_of(names, each=60)
    halves = [discover(examples[start::2]) for start in (0, 1)]
    first, second = ({task.fingerprint for task in half.tasks} for half in halves)
    assert first == second


def test_known_tasks_are_used_again_although_labels_differ_a_little() -> None:
    _, before = examples_of(["sentiment", "word_problem"], each=40)
    known = discover(before).tasks
    neutral_is_missing = [
        example for example in examples_of(["sentiment"], each=60, seed=9)[1] if example.reference != "neutral"
    ]
    without = discover(neutral_is_missing)
    reused = discover(neutral_is_missing, known=known)
    assert without.tasks[0].contract.labels == ("negative", "positive")
    assert reused.tasks[0].fingerprint in {task.fingerprint for task in known}


def test_the_router_still_knows_tasks_of_earlier_builds() -> None:
    _, before = examples_of(["word_problem", "sql"], each=30)
    earlier = discover(before)
    later = discover(examples_of(["sentiment", "json_extraction"], each=30)[1], known=earlier.tasks)
    fresh = examples_of(["sql"], each=10, seed=3)[1]
    kinds = {task.fingerprint: task.contract.answer_kind.value for task in (*earlier.tasks, *later.tasks)}
    assert {kinds.get(a.fingerprint or "") for a in later.router.assign(fresh)} == {"sql"}
    assert {task.contract.answer_kind.value for task in later.tasks} == {"choice", "json"}


def test_a_sample_smaller_than_the_file_finds_the_same_tasks(
    everything: tuple[list[str], list[Example], Discovery],
) -> None:
    _, examples, discovery = everything
    sampled = discover(examples, sample_size=500)
    assert sampled.seen == len(examples) and sampled.sampled == 500
    names = {task.contract.answer_kind for task in sampled.tasks}
    assert names == {task.contract.answer_kind for task in discovery.tasks}


def test_duplicates_count_once() -> None:
    _, examples = examples_of(["word_problem"], each=20)
    twice = discover([*examples, *examples])
    assert (twice.seen, twice.sampled) == (40, len({example.key for example in examples}))


def test_a_handful_of_rows_is_enough_for_clear_tasks() -> None:
    rows = [{"prompt": f"What is {n} plus {n}?", "reference": str(2 * n)} for n in range(3, 8)]
    found = discover(row_to_example(row, "x") for row in rows)  # type: ignore[misc]
    assert [task.contract.answer_kind.value for task in found.tasks] == ["number"]


def test_no_rows_give_no_tasks_and_a_router_that_knows_nothing() -> None:
    empty = discover([])
    assert empty.tasks == () and empty.seen == 0
    example = examples_of(["trivia"], each=1)[1][0]
    assert empty.router.assign([example])[0].fingerprint is None


def test_rare_contracts_need_support_that_grows_with_the_file() -> None:
    assert [smallest_task(rows) for rows in (1, 60, 150, 2_000, 10_000)] == [1, 1, 3, 3, 10]


def test_names_in_data_source_change_nothing() -> None:
    rows = [dict(row) for _, row in rows_of(["word_problem", "trivia"], 20)]
    plain = discover(row_to_example(row, "x") for row in rows)  # type: ignore[misc]
    lying = discover(row_to_example({**row, "data_source": "wmt/translation-de"}, "x") for row in rows)  # type: ignore[misc]
    assert [task.fingerprint for task in plain.tasks] == [task.fingerprint for task in lying.tasks]


MIX = ROOT.parent / "shared" / "data"


@pytest.mark.slow
@pytest.mark.skipif(not (MIX / "mix_train.jsonl").exists(), reason="../shared/data is absent")
def test_the_mixed_file_is_sorted_into_its_tasks() -> None:
    rows = [json.loads(line) for line in (MIX / "mix_train.jsonl").open(encoding="utf-8")]
    keys = [json.loads(line) for line in (MIX / "mix_train_key.jsonl").open(encoding="utf-8")]
    examples = [row_to_example(row, "mix") for row in rows]
    discovery = discover(examples)  # type: ignore[arg-type]
    assert len(discovery.tasks) <= 40
    votes: dict[str | None, Counter[str]] = defaultdict(Counter)
    for assignment, key in zip(discovery.router.assign(examples), keys, strict=True):  # type: ignore[arg-type]
        if key["key_confidence"] != "low":
            votes[assignment.fingerprint][key["task"]] += 1
    right = sum(max(tally.values()) for name, tally in votes.items() if name is not None)
    assert right >= 0.98 * sum(tally.total() for tally in votes.values())
    assert len({fingerprint(task.contract) for task in discovery.tasks}) == len(discovery.tasks)
