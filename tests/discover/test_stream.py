"""Assignment over several processes: same rows, same order, no hang when a process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from rlar.discover.discover import Discovery, discover
from rlar.discover.stream import ROWS_PER_CHUNK, assign_stream, pack_rows, unpack_rows
from rlar.errors import RlarError
from rlar.kinds.bind import bind
from rlar.rows.example import row_to_example
from rlar.types import Example, Message
from tests.fakes.generators import TYPES, rows_of


def examples_of(names: list[str], each: int, seed: int) -> list[Example]:
    made = [row_to_example(row, "made") for _, row in rows_of(names, each, seed)]
    assert all(isinstance(example, Example) for example in made)
    return made  # type: ignore[return-value]


@pytest.fixture(scope="module")
def built() -> Discovery:
    return discover(examples_of(list(TYPES), 40, seed=1))


def children() -> set[int]:
    """Processes that this one started and that still are."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                command = (entry / "cmdline").read_text()
            except OSError:
                continue
            if int(parent) == os.getpid() and "stream_worker" in command:
                found.add(int(entry.name))
    return found


@pytest.mark.slow
def test_two_processes_assign_like_one_and_keep_the_order(built: Discovery) -> None:
    examples = examples_of(list(TYPES), 3 * ROWS_PER_CHUNK // len(TYPES) + 1, seed=8)
    assert len(examples) > 3 * ROWS_PER_CHUNK  # chunks of both processes, and a rest
    alone = list(assign_stream(built.router, examples, workers=1))
    shared = list(assign_stream(built.router, iter(examples), workers=2))
    assert [row.row_key for row in shared] == [example.key for example in examples]
    assert shared == alone
    assert children() == set()


def test_a_routed_row_has_the_assignment_and_the_binding_of_its_row(built: Discovery) -> None:
    examples = examples_of(list(TYPES), 5, seed=9)
    contracts = {task.fingerprint: task.contract for task in built.tasks}
    rows = list(assign_stream(built.router, examples))
    assert any(row.binding for row in rows)
    for row, example, assignment in zip(rows, examples, built.router.assign(examples), strict=True):
        assert (row.fingerprint, row.confidence) == (assignment.fingerprint, assignment.confidence)
        assert row.prompt_key == example.prompt_key
        expected = bind(example, contracts[row.fingerprint]) if row.fingerprint else {}
        assert row.binding == expected


def test_rows_survive_the_pipe() -> None:
    example = Example(
        id="x",
        prompt=(Message(role="system", content="Be brief."), Message(role="user", content="¿2+2?\u2028")),
        reference="4",
        references=("4", "four"),
        columns={"big": 10**40, "deep": [{"a": [None, True, 0.1]}]},
        origin="file:1",
    )
    bare = Example(id="y", prompt=(Message(role="user", content="Hi"),))
    odd = bare.model_copy(update={"columns": {"limits": [float("inf"), -float("inf"), 2**63, 1e300], "none": None}})
    broken = bare.model_copy(update={"columns": {"half": "\ud800", "lines": "a\nb\u2028c"}})
    rows = [example, bare, odd, broken]
    again = unpack_rows(pack_rows(rows))
    assert again == [example.model_copy(update={"origin": ""}), *rows[1:]]
    assert [row.key for row in again] == [row.key for row in rows]


def test_a_killed_process_is_an_error_that_says_which_rows_and_not_a_hang(built: Discovery) -> None:
    def rows() -> Iterator[Example]:
        examples = examples_of(["word_problem"], ROWS_PER_CHUNK, seed=3)
        for number in range(40):
            if number == 8:
                for process in children():
                    os.kill(process, signal.SIGKILL)
            yield from examples

    with pytest.raises(RlarError, match=r"rows [\d,]+ to [\d,]+ was killed by SIGKILL"):
        list(assign_stream(built.router, rows(), workers=2))
    assert children() == set()


def test_whoever_stops_taking_rows_leaves_no_process_behind(built: Discovery) -> None:
    examples = examples_of(["word_problem"], ROWS_PER_CHUNK * 8, seed=3)
    stream = assign_stream(built.router, examples, workers=2)
    assert len(list(islice(stream, 3))) == 3
    assert children() != set()
    stream.close()  # type: ignore[attr-defined]
    assert children() == set()


def test_an_error_while_reading_comes_through_and_stops_the_processes(built: Discovery) -> None:
    def rows() -> Iterator[Example]:
        yield from examples_of(["word_problem"], ROWS_PER_CHUNK * 2, seed=3)
        raise ValueError("line 1,025 is broken")

    with pytest.raises(ValueError, match="1,025"):
        list(assign_stream(built.router, rows(), workers=2))
    assert children() == set()


def test_it_works_from_a_thread(built: Discovery) -> None:
    examples = examples_of(["word_problem", "to_dutch"], ROWS_PER_CHUNK, seed=4)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(assign_stream(built.router, examples, workers=2)))
    thread.start()
    thread.join(timeout=120)
    assert found == list(assign_stream(built.router, examples))


@pytest.mark.slow
def test_a_script_without_a_main_guard_can_use_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from rlar.discover.discover import discover\n"
        "from rlar.rows.example import row_to_example\n"
        "from rlar.discover.stream import assign_stream\n"
        "rows = [row_to_example({'prompt': f'What is {n} + {n}?', 'reference': str(2 * n)}) for n in range(1200)]\n"
        "found = list(assign_stream(discover(rows).router, rows, workers=2))\n"
        "print(len(found), len({row.fingerprint for row in found}))\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert (done.stdout, done.returncode) == ("1200 1\n", 0), done.stderr
