"""What a Scorer can be told: unknown rows, lock files, frozen recipes, groups."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import rlar
from rlar.errors import ConfigError, RegistryError, UnknownTaskError
from rlar.kinds import LIBRARY
from rlar.registry.registry import Registry, RowRecord
from rlar.rows.read import read_rows
from rlar.scoring.lock_file import make_lock
from rlar.scoring.scorer import RoutedSample
from rlar.scoring.unknown import UnknownQueue
from rlar.tools.library import library_spec
from rlar.types import Assignment, Calibration, Example, Message, Recipe
from tests.fakes.scored_rows import OTHER, ROW, TASK, certificate, one_tool, row, said, scorer, statuses, store

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(HERE))
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    yield
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


# ------------------------------------------------------------------------------------------ unknown rows

NEW = Example(
    id="n-1",
    prompt=(Message(role="system", content="Be brief."), Message(role="user", content="Who? \u2028 \U0001f600")),
    reference="a",
    references=("a", "b"),
    columns={"tests": ["assert True"], "level": 3},
)


def test_unknown_rows_are_queued_once_and_a_build_reads_them_as_they_were(tmp_path: Path):
    queue = tmp_path / "unknown.jsonl"
    bare = row("never seen")
    for _ in range(2):
        with scorer(one_tool(tmp_path, "fake_inline"), on_unknown="queue", unknown_path=queue) as router:
            asked = [*said("ok 1.0", "ok 0.5", example=NEW), *said("ok 1.0"), *said("ok 1.0", example=bare)]
            assert [reward.status for reward in router.score(asked)] == ["unknown", "unknown", "ok", "unknown"]
            router.score(asked)
    rows = [item for item in read_rows([queue]) if isinstance(item, Example)]
    assert [item.identity for item in rows] == [NEW.identity, bare.identity]
    assert (rows[0].prompt, rows[0].references, rows[0].columns) == (NEW.prompt, NEW.references, NEW.columns)
    assert rows[0].id == "n-1"


def test_processes_that_queue_into_one_file_write_every_row_once(tmp_path: Path):
    queues = [UnknownQueue(tmp_path / "unknown.jsonl") for _ in range(4)]
    rows = [row(f"row {number}") for number in range(60)]

    def add(number: int) -> None:
        for start in range(0, 60, 10):
            queues[number].add(rows[start : start + 10])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(4)))
    lines = (tmp_path / "unknown.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["prompt"] for line in lines) == sorted(item.text for item in rows)


def test_half_a_line_of_a_killed_process_is_taken_away(tmp_path: Path):
    path = tmp_path / "unknown.jsonl"
    UnknownQueue(path).add([row("one")])
    with path.open("a") as stream:
        stream.write('{"prompt": "tw')
    UnknownQueue(path).add([row("one"), row("three")])
    assert [json.loads(line)["prompt"] for line in path.read_text().splitlines()] == ["one", "three"]


def test_a_queue_that_cannot_be_written_costs_no_reward(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    queue = tmp_path / "folder" / "unknown.jsonl"
    queue.parent.mkdir()
    with scorer(one_tool(tmp_path, "fake_inline"), on_unknown="queue", unknown_path=queue) as router:
        queue.mkdir()
        for _ in range(2):
            rewards = router.score([*said("ok 1.0"), *said("ok 1.0", example=NEW)])
            assert statuses(rewards) == [(1.0, "ok"), (None, "unknown")]
    assert sum("cannot be queued" in record.getMessage() for record in caplog.records) == 1


def test_unknown_rows_may_be_an_error_that_names_the_row(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_inline"), on_unknown="raise") as router:
        assert statuses(router.score(said("ok 1.0"))) == [(1.0, "ok")]
        strange = NEW.model_copy(update={"origin": "mix.jsonl:41"})
        with pytest.raises(UnknownTaskError, match=r"mix.jsonl:41: a row of no known task, and 1 more"):
            router.score([*said("ok 1.0", "ok 0.5", example=strange), *said("ok 1.0")])


def test_a_queue_needs_a_file_and_a_file_needs_the_queue(tmp_path: Path):
    for settings in ({"on_unknown": "queue"}, {"unknown_path": tmp_path / "x.jsonl"}):
        with pytest.raises(ConfigError, match="go together"):
            scorer(one_tool(tmp_path, "fake_inline"), **settings)


# ------------------------------------------------------------------------------------------ lock files


def locked(tmp_path: Path, **calibrations: Calibration) -> tuple[Path, Path]:
    """A registry of a tool whose scores are halved, and its lock file."""
    tool = library_spec("fake_inline")
    halved = Calibration(x=(0.0, 1.0), y=(0.0, 0.5))
    path = store(
        tmp_path / "registry.db", qualities=[(tool, 1.0)], rows=[(ROW, {"mark": 1.0})], calibrations={tool.id: halved}
    )
    with Registry.open(path, readonly=True) as registry:
        make_lock(registry).write(tmp_path / "rlar.lock")
    return path, tmp_path / "rlar.lock"


def test_a_lock_file_keeps_rewards_as_they_were_whatever_the_registry_serves_by_now(tmp_path: Path):
    path, lock = locked(tmp_path)
    tool = library_spec("fake_inline")
    with Registry.open(path) as registry:
        registry.put_recipe(Recipe(fingerprint=TASK, qualities=((tool.id, 1.0),)))
        registry.put_certificate(certificate(tool, admitted=False, at="2026-02-02"))
    with rlar.load(path, plugins=["tests.fakes.scorer_fakes"], workers=0) as today:
        assert statuses(today.score(said("ok 0.8"))) == [(None, "uncovered")]
    with rlar.load(lock, registry=path, plugins=["tests.fakes.scorer_fakes"], workers=0) as pinned:
        assert statuses(pinned.score(said("ok 0.8"))) == [(0.4, "ok")]
        assert pinned.score(said("ok 0.8"))[0].recipe_version == 1
        with Registry.open(path) as registry:  # news of the registry does not change it
            registry.put_certificate(certificate(tool, admitted=False, at="2026-03-03"))
        assert statuses(pinned.score(said("ok 0.6"))) == [(0.3, "ok")]
        again = pickle.loads(pickle.dumps(pinned))
        assert statuses(again.score(said("ok 0.8"))) == [(0.4, "ok")]
        again.close()


def test_a_task_that_the_lock_does_not_serve_is_uncovered_and_says_so(tmp_path: Path):
    path, lock = locked(tmp_path)
    with rlar.load(lock, registry=path, workers=0) as pinned:
        assert "rlar.lock serves nothing" in pinned.standing(OTHER).reason


def test_a_calibration_that_stands_in_an_old_certificate_is_found_there(tmp_path: Path):
    tool = library_spec("fake_inline")
    halved = certificate(tool).model_copy(update={"calibration": Calibration(x=(0.0, 1.0), y=(0.0, 0.5))})
    path = store(tmp_path / "registry.db", qualities=[(tool, 1.0)], rows=[(ROW, {})])
    with Registry.open(path) as registry:
        registry.put_certificate(halved)
        make_lock(registry).write(tmp_path / "rlar.lock")
        registry.put_certificate(certificate(tool, at="2026-05-05"))
    with rlar.load(tmp_path / "rlar.lock", registry=path, plugins=["tests.fakes.scorer_fakes"], workers=0) as pinned:
        assert statuses(pinned.score(said("ok 0.8"))) == [(0.4, "ok")]
    with rlar.load(path, plugins=["tests.fakes.scorer_fakes"], workers=0) as today:
        assert statuses(today.score(said("ok 0.8"))) == [(0.8, "ok")]


def test_a_registry_that_is_not_the_locks_is_refused_with_every_difference(tmp_path: Path):
    _path, lock = locked(tmp_path)
    other = store(tmp_path / "other.db", qualities=[(library_spec("fake_pool"), 1.0)])
    text = lock.read_text().replace(TASK, "f1-00000000000f")
    (tmp_path / "foreign.lock").write_text(text)
    with pytest.raises(RegistryError) as caught:
        rlar.load(tmp_path / "foreign.lock", registry=other, workers=0)
    tool = library_spec("fake_inline")
    assert f"tool {tool.id} is not in the registry" in str(caught.value)
    assert "task f1-00000000000f (a task) is not in the registry" in str(caught.value)


def test_a_lock_file_alone_says_what_is_missing(tmp_path: Path):
    path, lock = locked(tmp_path)
    with pytest.raises(RegistryError, match=r"holds no rows and no router; say rlar\.load"):
        rlar.load(lock)
    with pytest.raises(RegistryError, match="is no lock file"):
        rlar.load(path, registry=path)


# ------------------------------------------------------------------------------------------ one recipe for a group


def test_pieces_of_a_group_inside_frozen_have_one_recipe_version(tmp_path: Path):
    path = one_tool(tmp_path, "fake_inline")
    tool = library_spec("fake_inline")
    halved = Recipe(
        fingerprint=TASK,
        qualities=((tool.id, 1.0),),
        calibrations={tool.id: Calibration(x=(0.0, 1.0), y=(0.0, 0.5))},
    )
    with scorer(path) as router:
        with router.frozen():
            first = router.score(said("ok 0.8"))[0]
            with Registry.open(path) as registry:
                registry.put_recipe(halved)
            second = router.score(said("ok 0.6"))[0]
            with router.frozen():
                third = router.score(said("ok 0.4"))[0]
        after = router.score(said("ok 0.8"))[0]
    assert [item.reward for item in (first, second, third, after)] == [0.8, 0.6, 0.4, 0.4]
    assert [item.recipe_version for item in (first, second, third, after)] == [1, 1, 1, 2]


def test_group_z_normalises_inside_each_row_of_a_call(tmp_path: Path):
    two = row("another", "it")
    path = store(
        tmp_path / "registry.db", qualities=[(library_spec("fake_inline"), 1.0)], rows=[(ROW, {}), (two, {"mark": 1.0})]
    )
    with scorer(path, combination="group_z") as router:
        rewards = router.score(
            [*said("ok 0.2", "ok 0.4"), *said("ok 0.9", "fail", "ok 0.9", "ok 0.6", example=two), *said("ok 0.2")]
        )
    # row one: .2, .4, .2 -> mean 4/15, deviation sqrt(2)/15 -> -1/sqrt 2, sqrt 2, -1/sqrt 2
    # row two: .9, .9, .6 -> mean .8, deviation sqrt(.02) = .1 sqrt 2 -> 1/sqrt 2, 1/sqrt 2, -sqrt 2
    root = 2**0.5
    expected = [-1 / root, root, 1 / root, None, 1 / root, -root, -1 / root]
    assert [reward.reward for reward in rewards] == [
        value if value is None else pytest.approx(value) for value in expected
    ]
    assert rewards[3].status == "failed"


def test_a_router_that_breaks_on_a_row_leaves_that_row_unknown_and_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Router:
        def assign(self, examples: Sequence[Example]) -> list[Assignment]:
            if any("odd" in example.text for example in examples):
                raise ValueError("no such row")
            return [Assignment(fingerprint=TASK, confidence=1.0) for _ in examples]

    monkeypatch.setattr(rlar.Scorer, "_row_router", staticmethod(lambda _snapshot: Router()))
    with scorer(one_tool(tmp_path, "fake_inline")) as router:
        rewards = router.score(
            [RoutedSample(example=row(text), completion="ok 0.5") for text in ("even", "odd", "plain")]
        )
        assert statuses(rewards) == [(0.5, "ok"), (None, "unknown"), (0.5, "ok")]
        assert "no such row" in router.assign([row("odd")])[0].reason


def test_rows_of_a_later_build_are_found_by_a_running_scorer(tmp_path: Path):
    path = one_tool(tmp_path, "fake_inline")
    with scorer(path) as router:
        late = row("late", "x")
        with Registry.open(path) as registry:
            registry.put_rows([RowRecord(late.key, late.prompt_key, TASK, 0.9, {})])
        assert statuses(router.score(said("ok 0.5", example=late))) == [(0.5, "ok")]
