"""What breaks beside a training run: it is masked, counted and said once; nothing waits past its limit, nothing is a number."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.errors import RegistryError
from rlar.kinds import LIBRARY
from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.cache import DiskCache
from rlar.scoring.runner import Breaker
from rlar.tools.library import library_spec
from rlar.types import Sample, failed, ok
from tests.fakes.scored_rows import ROW, TASK, one_tool, row, said, scorer, statuses, store
from tests.fakes.thinning import thinned

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    yield
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# ------------------------------------------------------------------------------------------ tools that hang


@pytest.mark.parametrize("name", ["fake_inline", "fake_pool", "fake_thread"])
def test_a_hang_costs_its_own_sample_wherever_the_tool_runs_and_is_named(tmp_path: Path, name: str):
    with scorer(one_tool(tmp_path, name), deadline_seconds=0.7, patience_seconds=0.7) as router:
        router.score(said("ok 0.9"))
        start = time.monotonic()
        rewards = router.score(said("ok 0.1", "hang", "ok 0.2", "ok 0.3"))
        assert time.monotonic() - start < 20
    assert statuses(rewards) == [(0.1, "ok"), (None, "timeout"), (0.2, "ok"), (0.3, "ok")]
    assert "no score after 0.7 s; prompt 'say it'" in rewards[1].scores[0].explanation
    assert "4 characters" in rewards[1].scores[0].explanation


@pytest.mark.parametrize("name", ["fake_inline", "fake_pool", "fake_thread"])
def test_a_call_with_a_deadline_returns_by_then_and_says_what_ran(tmp_path: Path, name: str):
    with scorer(one_tool(tmp_path, name), workers=1, deadline_seconds=60.0) as router:
        router.score(said("ok 0.9"))
        start = time.monotonic()
        rewards = router.score(said("ok 0.1", "hang", "ok 0.2"), deadline_seconds=1.0)
        assert 0.9 < time.monotonic() - start < 10
    assert (rewards[1].reward, rewards[1].status) == (None, "timeout")
    assert "no score within the batch's 1 s; prompt 'say it'" in rewards[1].scores[0].explanation
    assert {reward.reward for reward in rewards} <= {0.1, 0.2, None}


def test_what_was_not_started_by_the_deadline_is_not_held_against_the_tool(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_thread"), workers=1, quarantine_after=3) as router:
        # Two calls at a time: both hang.
        rewards = router.score(said("hang", "hang 2", *(f"ok 0.{digit}" for digit in range(8))), deadline_seconds=0.5)
        assert [reward.status for reward in rewards] == ["timeout"] * 10
        assert "not started within the batch's 0.5 s" in rewards[5].scores[0].explanation
        assert router.quarantined == {}


def test_a_tool_that_takes_too_long_to_load_times_out_and_holds_up_no_other(tmp_path: Path):
    slow, quick = library_spec("fake_slow_to_load", {"seconds": 30}), library_spec("fake_inline")
    path = store(tmp_path / "registry.db", qualities=[(slow, 0.5), (quick, 0.5)], rows=[(ROW, {})])
    with scorer(path, patience_seconds=0.5) as router:
        (reward,) = router.score(said("ok 1.0"))
    assert reward.status == "timeout"
    assert "still loading after 0.5 s" in reward.scores[0].explanation
    assert reward.scores[1].value == 1.0


def test_a_cancelled_ascore_returns_at_once_and_starts_nothing_more(tmp_path: Path):
    log = tmp_path / "calls"

    async def give_up(router: object) -> float:
        waiting = asyncio.create_task(router.ascore(said(*(f"spin 0.2 {number}" for number in range(50)))))  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        start = time.monotonic()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return time.monotonic() - start

    with scorer(one_tool(tmp_path, "fake_thread", log=str(log)), workers=1) as router:
        assert asyncio.run(give_up(router)) < 1.0
        time.sleep(0.5)
        calls = len(log.read_text().splitlines())
        time.sleep(0.6)
        assert len(log.read_text().splitlines()) == calls < 25


# ------------------------------------------------------------------------------------------ tools that break


@pytest.mark.parametrize(
    ("word", "said_of_it"),
    thinned(
        [("memory", "MemoryError"), ("kill", "SIGKILL"), ("crash", "SIGABRT"), ("raise", "ValueError"), ("nan", "nan")],
        every=3,
    ),
)
def test_a_broken_call_in_a_worker_is_masked_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, word: str, said_of_it: str
):
    completions = [item for number in range(4) for item in (f"{word} {number}", f"ok 0.{number}")]
    with caplog.at_level(logging.WARNING), scorer(one_tool(tmp_path, "fake_pool")) as router:
        rewards = router.score(said(*completions))
        counts = router.status_counts()
    assert statuses(rewards) == [pair for number in range(4) for pair in ((None, "failed"), (number / 10, "ok"))]
    assert all(said_of_it in reward.scores[0].explanation for reward in rewards[::2])
    assert counts["reward"] == {"failed": 4, "ok": 4}
    assert len(warnings_of(caplog)) == 1
    assert "Further ones are only counted" in warnings_of(caplog)[0]


def test_a_worker_killed_in_mid_batch_costs_one_sample_and_nothing_is_scored_twice_over(tmp_path: Path):
    log = tmp_path / "calls"
    with scorer(one_tool(tmp_path, "fake_pool", log=str(log)), workers=1, deadline_seconds=30.0) as router:
        router.score(said("ok 0.9"))
        worker = int(log.read_text().split()[0])
        batch = said(*(f"spin 0.05 {number}" for number in range(20)))

        async def kill_it() -> list[object]:
            waiting = asyncio.create_task(router.ascore(batch))
            await asyncio.sleep(0.3)
            os.kill(worker, signal.SIGKILL)
            return list(await waiting)

        rewards = asyncio.run(kill_it())
    found = [reward.status for reward in rewards]  # type: ignore[attr-defined]
    assert sorted(found) == ["failed", *["ok"] * 19]
    calls = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert len(calls) <= 1 + 20 + 1  # what the worker had not told is scored again


def test_the_exit_of_a_tool_in_a_thread_ends_its_own_sample_only(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_thread"), workers=1) as router:
        assert statuses(router.score(said("ok 0.1", "exit", "ok 0.2"))) == [(0.1, "ok"), (None, "failed"), (0.2, "ok")]


def test_a_quarantined_tool_is_tried_again_and_a_lasting_fault_keeps_it_out_longer(caplog: pytest.LogCaptureFixture):
    breaker = Breaker(3, retry_seconds=0.1)
    samples = [Sample(prompt=f"row {number}", completion=f"answer {number}") for number in range(3)]
    with caplog.at_level(logging.WARNING):
        assert [bool(breaker.count("tool", sample, failed("down"))) for sample in samples] == [False, False, True]
        breaker.decide("tool", [failed("down")])
        assert "3 different rows and completions in a row" in str(breaker.stopped("tool"))
        time.sleep(0.12)
        assert breaker.stopped("tool") is None
        assert breaker.count("tool", samples[0], failed("still down"))  # one failure is enough to try it now
        breaker.decide("tool", [failed("still down")])
        time.sleep(0.12)
        assert breaker.stopped("tool") is not None  # 0.2 s this time
        time.sleep(0.1)
        assert breaker.stopped("tool") is None
        breaker.count("tool", samples[0], ok(1.0))
        assert not breaker.count("tool", samples[1], failed("once"))
        assert breaker.stopped("tool") is None
    assert [message.split(":")[0] for message in warnings_of(caplog) if "works again" in message] == [
        "tool tool works again"
    ]


# ------------------------------------------------------------------------------------------ the registry


def test_a_locked_registry_costs_new_rows_their_reward_and_known_rows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("rlar.registry.engine.BUSY_SECONDS", 0.05)
    monkeypatch.setattr("rlar.scoring.scorer.RETRY_SECONDS", 0.0)
    path = one_tool(tmp_path, "fake_inline")
    new = row("never asked before", "it")
    with Registry.open(path) as registry:
        registry.put_rows([RowRecord(new.key, new.prompt_key, TASK, 0.9, {})])
    with caplog.at_level(logging.WARNING), scorer(path) as router:
        assert statuses(router.score(said("ok 0.1"))) == [(0.1, "ok")]
        router._registry._engine.dispose()
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        rewards = [
            *router.score(said("ok 0.2")),
            *router.score(said("ok 0.3", example=new)),
            *router.score(said("ok 0.4")),
        ]
        assert statuses(rewards) == [(0.2, "ok"), (None, "failed"), (0.4, "ok")]
        assert "locked" in rewards[1].scores[0].explanation
        assert router.status_counts()["registry"] == {"failed": 1}
        holder.execute("COMMIT")
        holder.close()
        assert statuses(router.score(said("ok 0.3", example=new))) == [(0.3, "ok")]
    about = [message for message in warnings_of(caplog) if "registry" in message]
    assert ["no news" in about[0], "answers again" in about[-1], len(about)] == [True, True, 2]


# ------------------------------------------------------------------------------------------ the cache on disk


def calls_of(log: Path) -> int:
    return len(log.read_text().splitlines())


def test_scores_on_disk_are_shared_and_outlive_the_process(tmp_path: Path):
    log, cache = tmp_path / "calls", tmp_path / "scores.sqlite"
    path = one_tool(tmp_path, "fake_inline", log=str(log))
    with scorer(path, cache=cache) as router:
        first = router.score(said("ok 0.5", "abstain", "fail"))
    with scorer(path, cache=cache) as router:
        assert router.score(said("ok 0.5", "abstain", "fail")) == first
    assert calls_of(log) == 4  # the failure is tried again


def test_another_binding_another_tool_or_another_prompt_is_another_score(tmp_path: Path):
    cache = tmp_path / "scores.sqlite"
    for number, mark in enumerate((0.25, 0.75)):
        tool = library_spec("fake_inline")
        path = store(tmp_path / f"{number}.db", qualities=[(tool, 1.0)], rows=[(ROW, {"mark": mark})])
        with scorer(path, cache=cache) as router:
            assert statuses(router.score(said("binding"))) == [(mark, "ok")]
    other = store(
        tmp_path / "2.db", qualities=[(library_spec("fake_inline", {"as": "other"}), 1.0)], rows=[(ROW, {"mark": 0.75})]
    )
    with scorer(other, cache=cache) as router:
        assert statuses(router.score(said("binding"))) == [(0.75, "ok")]
        assert router._disk is not None
        assert (router._disk.hits, router._disk.misses) == (0, 1)


def test_a_damaged_cache_is_left_alone_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    cache = tmp_path / "notes.txt"
    cache.write_text("dear diary, " * 1000)
    with caplog.at_level(logging.WARNING), scorer(one_tool(tmp_path, "fake_inline"), cache=cache) as router:
        for number in range(3):
            assert statuses(router.score(said(f"ok 0.{number}"))) == [(number / 10, "ok")]
    assert [message for message in warnings_of(caplog) if "score cache" in message and "not a database" in message]
    assert len(warnings_of(caplog)) == 1
    assert cache.read_text() == "dear diary, " * 1000


def test_another_programs_database_is_not_written_to(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = one_tool(tmp_path, "fake_inline")
    before = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        cache = DiskCache(path)
        cache.put_many({b"k" * 16: ok(1.0)})
        assert cache.get_many([b"k" * 16]) == [None]
        cache.close()
    assert path.read_bytes() == before
    assert len(warnings_of(caplog)) == 1


def test_a_changed_byte_in_a_stored_score_is_a_miss_and_no_number(tmp_path: Path):
    cache = DiskCache(tmp_path / "scores.sqlite")
    keys = [b"a" * 16, b"b" * 16]
    cache.put_many({key: ok(0.25) for key in keys})
    cache.close()
    with sqlite3.connect(tmp_path / "scores.sqlite") as connection:
        connection.execute("UPDATE scores SET body = replace(body, '0.25', '0.75') WHERE key = ?", (keys[0],))
    cache = DiskCache(tmp_path / "scores.sqlite")
    assert cache.get_many(keys) == [None, ok(0.25)]
    cache.put_many({keys[0]: ok(0.25)})
    assert cache.get_many(keys) == [ok(0.25), ok(0.25)]
    cache.close()


def test_a_locked_cache_is_done_without_and_used_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("rlar.scoring.cache.PAUSE_SECONDS", 0.2)
    monkeypatch.setattr("rlar.scoring.cache.BUSY_SECONDS", 0.05)
    cache = DiskCache(tmp_path / "scores.sqlite")
    cache.put_many({b"a" * 16: ok(0.5)})
    holder = sqlite3.connect(tmp_path / "scores.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with caplog.at_level(logging.WARNING):
        start = time.monotonic()
        cache.put_many({b"b" * 16: ok(0.5)})
        cache.put_many({b"c" * 16: ok(0.5)})
        assert time.monotonic() - start < 5
    assert len(warnings_of(caplog)) == 1
    holder.execute("COMMIT")
    time.sleep(0.25)
    cache.put_many({b"d" * 16: ok(0.5)})
    assert cache.get_many([letter * 16 for letter in (b"a", b"b", b"d")]) == [ok(0.5), None, ok(0.5)]
    cache.close()


def test_a_full_disk_under_the_cache_costs_one_warning_and_no_reward(tmp_path: Path):
    path = one_tool(tmp_path, "fake_inline")
    # A file that may not grow is what a full disk looks like to a program, and needs no rights.
    code = f"""
        import logging, resource, sys
        sys.path.insert(0, {str(ROOT)!r})
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        from tests.fakes.scored_rows import said, scorer, statuses
        from tests.fakes import scorer_fakes
        with scorer({str(path)!r}, workers=0, cache={str(tmp_path / "scores.sqlite")!r}) as router:
            assert statuses(router.score(said("ok 0.5"))) == [(0.5, "ok")]
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
            for start in range(0, 2000, 500):
                asked = said(*(f"ok 0.25 {{number}}" for number in range(start, start + 500)))
                assert {{reward.reward for reward in router.score(asked)}} == {{0.25}}
            assert statuses(router.score(said("ok 0.5"))) == [(0.5, "ok")]
        print("done")
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(part or ".").absolute()) for part in sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    *told, last = done.stdout.strip().splitlines()
    assert last == "done"
    assert len(told) == 1
    assert "score cache" in told[0]


def test_the_cache_stays_within_its_bound_and_keeps_the_newest(tmp_path: Path):
    cache = DiskCache(tmp_path / "scores.sqlite", max_mb=0.5)
    text = "x" * 200
    for start in range(0, 12_000, 500):
        cache.put_many({number.to_bytes(16, "big"): ok(0.5, text) for number in range(start, start + 500)})
    newest, oldest = (11_999).to_bytes(16, "big"), (0).to_bytes(16, "big")
    assert cache.get_many([newest, oldest]) == [ok(0.5, text), None]
    cache.close()
    assert (tmp_path / "scores.sqlite").stat().st_size < 1.5 * 2**20


def test_a_cache_in_a_folder_that_is_not_there_is_said_at_the_start(tmp_path: Path):
    with pytest.raises(Exception, match="its folder does not exist"):
        scorer(one_tool(tmp_path, "fake_inline"), cache=tmp_path / "no" / "scores.sqlite")


def test_a_registry_that_vanished_is_an_error_of_assign_and_none_of_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = one_tool(tmp_path, "fake_inline")
    with scorer(path) as router:

        def gone(*_arguments: object) -> None:
            raise RegistryError("it is gone")

        monkeypatch.setattr(router._registry, "rows", gone)
        assert statuses(router.score(said("ok 0.5", example=row("new", "x")))) == [(None, "failed")]
        with pytest.raises(RegistryError, match="gone"):
            router.assign([row("new", "x")])
