"""The build as a whole: what it writes, that it resumes, that a second build reuses, and what unusable input does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rlar.agent.build import build_tools
from rlar.config import BuildConfig
from rlar.errors import DatasetError
from rlar.registry.registry import Registry

ROOT = Path(__file__).resolve().parents[2]


def write_rows(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def small_mix() -> list[dict]:
    """Three tasks that cost little to certify: numbers, option letters and chat."""
    rows: list[dict] = []
    for n in range(2, 26):
        rows.append(
            {"prompt": f"A box holds {n} pens. How many pens do {n + 3} boxes hold?", "reference": str(n * (n + 3))}
        )
        right = "ABCD"[n % 4]
        options = "\n".join(f"{letter}) {n * 7 + place}" for place, letter in enumerate("ABCD"))
        asked = n * 7 + n % 4
        rows.append({"prompt": f"Which number is equal to {asked - 5} + 5?\n\n{options}", "reference": right})
    topics = [
        "gardens",
        "rivers",
        "trains",
        "winter",
        "cooking",
        "music",
        "chess",
        "islands",
        "bridges",
        "owls",
        "clouds",
        "friends",
    ]
    rows += [{"prompt": f"Tell me something interesting about {topic}, please."} for topic in topics]
    return rows


@pytest.fixture(scope="module")
def mix(tmp_path_factory) -> str:
    return write_rows(tmp_path_factory.mktemp("data") / "mix.jsonl", small_mix())


@pytest.fixture(scope="module")
def built(mix, tmp_path_factory) -> tuple[dict, Path]:
    folder = tmp_path_factory.mktemp("built")
    config = BuildConfig(dataset=(mix,), registry=str(folder / "registry.db"), report=str(folder / "report"))
    return build_tools(config), folder


def digest_of(path: Path) -> str:
    with Registry.open(path, readonly=True) as registry:
        return registry.content_digest()


def test_covers_what_the_library_can_judge_and_says_why_not_for_the_rest(built):
    summary, _folder = built
    covered = {task["answer_kind"]: task["covered"] for task in summary["tasks"]}
    assert covered == {"number": True, "choice": True, "open_ended": False}
    assert [task["rows"] for task in summary["uncovered"]] == [12]
    assert summary["uncovered"][0]["reason"]
    assert (summary["rows_read"], summary["rows_rejected"], summary["rows_unknown"]) == (60, 0, 0)
    assert summary["coverage"] == 0.8  # 48 of 60
    assert summary["llm_calls"] == 0


@pytest.mark.parametrize(
    "order", [pytest.param(1, id="same order", marks=pytest.mark.slow), pytest.param(-1, id="reversed")]
)
def test_the_same_rows_build_the_same_content_wherever_their_file_lies(built, mix, tmp_path, order):
    _summary, folder = built
    place = tmp_path / "some other place"
    place.mkdir()
    copy = write_rows(place / "renamed.json", small_mix()[::order])
    build_tools(BuildConfig(dataset=(copy,), registry=str(place / "r.db"), report=None))
    assert digest_of(place / "r.db") == digest_of(folder / "registry.db")
    with Registry.open(place / "r.db", readonly=True) as registry:  # for a person the origin stays
        assert all(example.origin.startswith(copy) for task in registry.tasks() for example in task.examples)


def test_report_is_one_file_without_network_and_escapes_the_data(built):
    _summary, folder = built
    page = (folder / "report" / "index.html").read_text("utf-8")
    assert "rlar build report" in page and "open_ended" in page
    assert "http://" not in page and "https://" not in page and "<script" not in page


def test_second_build_of_the_same_file_tests_nothing_again(built, mix):
    _summary, folder = built
    before = digest_of(folder / "registry.db")
    events: list[dict] = []
    config = BuildConfig(dataset=(mix,), registry=str(folder / "registry.db"), report=None)
    build_tools(config, resume=False, on_event=events.append)
    assert [event for event in events if event["event"] == "tested"] == []
    assert digest_of(folder / "registry.db") == before


def test_another_file_reuses_known_tasks_and_adds_new_ones(built, tmp_path):
    summary, folder = built
    numbers = next(task for task in summary["tasks"] if task["answer_kind"] == "number")
    rows = [
        {"prompt": f"Tom has {n} apples and eats {n - 3}. How many are left?", "reference": "3"} for n in range(9, 25)
    ]
    for n, row in enumerate(rows):  # references that differ, or all answers would be one
        row.update(prompt=f"Tom has {40 + 2 * n} apples and eats {n + 7}. How many are left?", reference=str(33 + n))
    rows += [
        {"prompt": f"Write a program that reads a number and prints it times {k}.", "tests": {"inputs": ["2\n", "5\n"], "outputs": [f"{2 * k}\n", f"{5 * k}\n"]}}
        for k in range(2, 12)
    ]  # fmt: skip
    copy = tmp_path / "registry.db"
    copy.write_bytes((folder / "registry.db").read_bytes())
    second = build_tools(
        BuildConfig(dataset=(write_rows(tmp_path / "two.jsonl", rows),), registry=str(copy), report=None)
    )
    kinds = {task["answer_kind"]: task["fingerprint"] for task in second["tasks"] if task["rows"]}
    assert kinds["number"] == numbers["fingerprint"]
    assert "code_stdio" in kinds
    with Registry.open(copy, readonly=True) as registry:
        assert {task.contract.answer_kind.value for task in registry.tasks()} == {
            "number",
            "choice",
            "open_ended",
            "code_stdio",
        }


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "no rows"), (b"not json\n" * 30, "no usable row"), (b'{"text": "no prompt here"}\n' * 30, "no usable row")],
)
def test_unusable_input_is_named_and_leaves_nothing_behind(content, expected, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="(?i)" + expected.replace("no rows", "no rows|empty")):
        build_tools(
            BuildConfig(dataset=(str(path),), registry=str(tmp_path / "registry.db"), report=str(tmp_path / "r"))
        )
    assert [item.name for item in tmp_path.iterdir()] == ["bad.jsonl"]


KILLED_BUILD = """
import os, signal, sys
from rlar.agent.build import build_tools
from rlar.config import BuildConfig
mix, registry, stop = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = registered = 0
def on_event(event):
    global seen, registered
    seen += 1
    if event["event"] in ("tested", "registered"):
        print(event["event"], event["fingerprint"], event.get("tool"), flush=True)
    registered += event["event"] == "registered"
    if seen == stop or (registered and registered == -stop - 1):
        os.kill(os.getpid(), signal.SIGKILL)
build_tools(BuildConfig(dataset=(mix,), registry=registry, report=None), on_event=on_event)
print("events", seen, flush=True)
"""


def run_build(mix: str, registry: Path, stop: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED_BUILD, mix, str(registry), str(stop)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)


def kill_then_finish(mix: str, registry: Path, stops: list[int]) -> list[str]:
    """Lines printed by builds that are killed at these events, and by the last one, which finishes.

    A stop of -n - 1 kills when n tasks are registered."""
    lines: list[str] = []
    for stop in stops:
        run = run_build(mix, registry, stop)
        assert run.returncode in (0, -signal.SIGKILL), run.stderr[-3000:]
        lines += run.stdout.splitlines()
    run = run_build(mix, registry, -1)
    assert run.returncode == 0, run.stderr[-3000:]
    return lines + run.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_builds_end_in_the_same_registry(built, mix, tmp_path):
    _summary, folder = built
    kill_then_finish(mix, tmp_path / "registry.db", [2, 6, 9])
    assert digest_of(tmp_path / "registry.db") == digest_of(folder / "registry.db")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_every_event_in_turn_ends_in_the_same_registry(built, mix, tmp_path):
    _summary, folder = built
    expected = digest_of(folder / "registry.db")
    total = int(run_build(mix, tmp_path / "count.db", -1).stdout.splitlines()[-1].split()[1])
    for stop in range(1, total + 1):
        registry = tmp_path / f"registry-{stop}.db"
        kill_then_finish(mix, registry, [stop])
        assert digest_of(registry) == expected, f"killed at event {stop}"


@pytest.mark.slow
def test_resumed_build_repeats_no_finished_task(mix, tmp_path):
    # With the fourth task registered the first one's tests are stored, however busy the machine is.
    lines = [line.split() for line in kill_then_finish(mix, tmp_path / "registry.db", [-5])]
    finished = next(fingerprint for event, fingerprint, *_ in lines if event == "registered")
    tested = [tool for event, fingerprint, *tool in lines if event == "tested" and fingerprint == finished]
    assert tested and len({tuple(tool) for tool in tested}) == len(tested)


@pytest.mark.slow
def test_two_writers_on_one_registry_are_refused(mix, tmp_path):
    from rlar.errors import RegistryError

    address = str(tmp_path / "registry.db")
    with Registry.open(address, create=True), pytest.raises(RegistryError):
        run = run_build(mix, Path(address), -1)
        if "RegistryError" in run.stderr:
            raise RegistryError(run.stderr.splitlines()[-1])
