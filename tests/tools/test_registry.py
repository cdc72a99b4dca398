"""The registry: content, idempotence, one writer, many readers, kills and damage."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import LargeBinary, MetaData, create_engine, insert, make_url

from rlar.errors import RegistryError
from rlar.registry import migrations
from rlar.registry import statements as sql
from rlar.registry.engine import keep_secrets, place, shown, without_secrets
from rlar.registry.registry import Registry, RowRecord
from rlar.registry.tables import Table
from rlar.registry.writer_lock import STALE_SECONDS, RowLock
from rlar.scoring.lock_file import make_lock
from rlar.types import (
    AnswerKind,
    Calibration,
    Certificate,
    CheckResult,
    Contract,
    Example,
    Message,
    Recipe,
    TaskSpec,
    ToolKind,
    ToolSpec,
    digest,
)
from tests.fakes import postgres

FINGERPRINT = "f1-0123456789ab"
KNOWN = migrations.known_version()
TOOL = ToolSpec(
    kind=ToolKind.LIBRARY, name="number", source="some.module:Class", params={"b": 1, "a": [2]}, code_hash="c"
)


def example(text: str = "What is 1+1?", reference: str = "2") -> Example:
    return Example(
        id=text, prompt=(Message(role="user", content=text),), reference=reference, references=(reference, "two")
    )


def task(fingerprint: str = FINGERPRINT, **changes: object) -> TaskSpec:
    contract = Contract(answer_kind=AnswerKind.CHOICE, has_reference=True, labels=("A", "B"), carries=("options",))
    spec = TaskSpec(fingerprint=fingerprint, label="letters", contract=contract, rows=7, examples=(example(),))
    return spec.model_copy(update=changes)


def certificate(*, admitted: bool = True, at: str = "2026-01-01T00:00:00Z", **changes: object) -> Certificate:
    check = CheckResult(name="oracle", passed=admitted, value=0.99, threshold=0.9, interval=(0.97, 1.0), probes=40)
    fields = {"tool_id": TOOL.id, "fingerprint": FINGERPRINT, "role": "verifier", "checks": (check,), "created_at": at}
    reasons = () if admitted else ("oracle: 0.2 < 0.9",)
    return Certificate.model_validate({**fields, "admitted": admitted, "reasons": reasons, **changes})


def recipe(weight: float = 1.0, **changes: object) -> Recipe:
    made = Recipe(
        fingerprint=FINGERPRINT, qualities=((TOOL.id, weight),), calibrations={TOOL.id: Calibration(x=(0.0,), y=(0.5,))}
    )
    return made.model_copy(update=changes)


def key(number: int) -> str:
    return digest(str(number), size=32)


def rows(count: int, fingerprint: str | None = FINGERPRINT) -> list[RowRecord]:
    return [
        RowRecord(key(number), key(-number - 1), fingerprint, 0.5, {"n": number} if number % 2 else {})
        for number in range(count)
    ]


def fill(registry: Registry) -> None:
    registry.put_outcome(task(), tools=[TOOL], certificates=[certificate()], recipe=recipe())
    registry.put_rows(rows(50))
    registry.put_router({"weights": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "é"])})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a registry may be made: a file, and a database of a real server."""
    return str(tmp_path / "registry.db") if request.param == "sqlite" else postgres.server().new_database()


@pytest.fixture
def registry(address: str) -> Iterator[Registry]:
    with Registry.open(address, create=True) as opened:
        yield opened


# ------------------------------------------------------------------------------------------ content


def test_everything_comes_back_as_it_went_in(registry: Registry):
    odd = example("lone surrogate \ud800, NUL \x00, and \U0001f600", "x")
    spec = task(examples=(odd, example()), description="d")
    registry.put_task(spec)
    assert registry.task(FINGERPRINT) == spec
    assert registry.tasks() == [spec]
    assert registry.tasks(with_examples=False) == [spec.model_copy(update={"examples": ()})]
    assert registry.put_tool(TOOL) == TOOL.id
    assert (registry.tool(TOOL.id), registry.tools()) == (TOOL, [TOOL])
    registry.put_certificate(certificate())
    assert registry.certificates() == [certificate()]
    assert registry.latest_certificate(TOOL.id, FINGERPRINT) == certificate()
    assert registry.put_recipe(recipe()) == recipe(version=1)
    assert registry.recipes() == [recipe(version=1)]
    assert registry.task("f1-none") is registry.tool("none") is registry.recipe("f1-none") is None
    assert registry.latest_certificate("none", FINGERPRINT) is None


def test_putting_the_same_twice_is_putting_it_once(registry: Registry):
    fill(registry)
    before = registry.content_digest()
    fill(registry)
    assert registry.content_digest() == before
    assert (len(registry.tools()), len(registry.certificates()), registry.recipes()[0].version) == (1, 1, 1)
    assert sum(registry.row_counts().values()) == 50


def test_a_tools_first_provenance_stays(registry: Registry):
    registry.put_tool(TOOL.model_copy(update={"provenance": {"by": "first"}}))
    registry.put_tool(TOOL.model_copy(update={"provenance": {"by": "second"}}))
    assert registry.tools()[0].provenance == {"by": "first"}


def test_a_changed_recipe_is_a_new_version_and_the_old_one_stays(registry: Registry):
    fill(registry)
    changed = registry.put_recipe(recipe(gates=(TOOL.id,)))
    assert changed.version == 2
    assert registry.put_recipe(changed) == changed
    assert (registry.recipe(FINGERPRINT), registry.recipe(FINGERPRINT, 1)) == (changed, recipe(version=1))


def test_an_outcome_is_stored_whole_or_not_at_all(registry: Registry):
    stranger = certificate(tool_id="never stored")
    with pytest.raises(RegistryError, match="store the task and the tool before"):
        registry.put_outcome(task(), tools=[TOOL], certificates=[certificate(), stranger], recipe=recipe())
    assert (registry.tasks(), registry.tools(), registry.certificates(), registry.recipes()) == ([], [], [], [])


def test_rows_come_back_by_key_and_by_prompt(registry: Registry):
    registry.put_task(task())
    stored = rows(1200)
    assert registry.put_rows(iter(stored)) == 1200
    assert registry.rows(row.row_key for row in stored) == {row.row_key: row for row in stored}
    assert registry.row(stored[3].row_key) == stored[3]
    assert registry.rows_by_prompt([stored[3].prompt_key]) == {stored[3].prompt_key: stored[3]}
    assert registry.row(key(99_999)) is None
    assert registry.row_counts() == {FINGERPRINT: 1200}


def test_a_row_put_again_is_replaced(registry: Registry):
    registry.put_task(task())
    registry.put_rows(rows(3))
    registry.put_rows(rows(3, fingerprint=None))
    assert registry.row_counts() == {None: 3}


def test_a_prompt_whose_rows_disagree_on_the_task_names_none(registry: Registry):
    registry.put_task(task())
    registry.put_task(task("f1-other"))
    shared, clear = key(1000), key(1001)
    registry.put_rows(
        [
            RowRecord(key(1), shared, FINGERPRINT, 0.9, {}),
            RowRecord(key(2), shared, "f1-other", 0.9, {}),
            RowRecord(key(3), clear, FINGERPRINT, 0.9, {"first": key(3) < key(4)}),
            RowRecord(key(4), clear, FINGERPRINT, 0.9, {"first": key(4) < key(3)}),
        ]
    )
    found = registry.rows_by_prompt([shared, clear])
    assert {key: row.binding for key, row in found.items()} == {clear: {"first": True}}


@pytest.mark.parametrize("bad", ["", "abc", "zz" * 16, "ab" * 15])
def test_a_key_that_is_none_is_refused(registry: Registry, bad: str):
    with pytest.raises(RegistryError, match="32 hex digits"):
        registry.put_rows([RowRecord(bad, key(1), None, 0.0, {})])


def test_a_row_of_an_unknown_task_is_refused(registry: Registry):
    with pytest.raises(RegistryError, match=r"(?i)foreign key"):
        registry.put_rows(rows(1, fingerprint="f1-none"))


def test_router_arrays_come_back_without_pickle(registry: Registry):
    assert registry.router_arrays() == {}
    arrays = {"w": np.arange(4, dtype=np.float32), "names": np.array(["a", "ü"])}
    registry.put_router(arrays)
    found = registry.router_arrays()
    assert {name: (array.tolist(), array.dtype) for name, array in found.items()} == {
        name: (array.tolist(), array.dtype) for name, array in arrays.items()
    }
    with pytest.raises(RegistryError, match="dtype object"):
        registry.put_router({"evil": np.array([{}], dtype=object)})


def test_pickled_router_bytes_in_the_file_are_refused(path: Path, tmp_path: Path):
    with Registry.open(path, create=True) as registry:
        registry.put_router({"w": np.zeros(2)})
    np.savez(tmp_path / "evil.npz", w=np.array([print], dtype=object), allow_pickle=True)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE rlar_router SET arrays = ?", [(tmp_path / "evil.npz").read_bytes()])
    raw.close()
    with Registry.open(path, readonly=True) as reader, pytest.raises(RegistryError, match=r"row router .* is damaged"):
        reader.router_arrays()


def test_builds_and_events_keep_who_what_when(registry: Registry):
    build = registry.start_build({"dataset": ["mix.jsonl"]})
    registry.add_event("admitted", who="agent", subject=TOOL.id, build=build, details={"task": FINGERPRINT})
    registry.add_event("retested")
    registry.finish_build(build, {"tasks": 3})
    (found,) = registry.builds()
    assert (found.id, found.status, found.config, found.summary) == (
        build,
        "finished",
        {"dataset": ["mix.jsonl"]},
        {"tasks": 3},
    )
    assert found.finished_at >= found.started_at
    assert [(event.what, event.who, event.subject, event.details) for event in registry.events()] == [
        ("admitted", "agent", TOOL.id, {"task": FINGERPRINT}),
        ("retested", "rlar", "", {}),
    ]
    assert [event.what for event in registry.events(limit=1)] == ["retested"]
    assert [event.what for event in registry.events(build=build)] == ["admitted"]
    assert registry.start_build(build_id=build) == build
    assert registry.builds()[0].status == "running"
    with pytest.raises(RegistryError, match="no build 'nope'"):
        registry.finish_build("nope")


# ------------------------------------------------------------------------------------------ what is served


def test_the_latest_certificate_decides(registry: Registry):
    fill(registry)
    assert registry.served(FINGERPRINT) == recipe(version=1)
    registry.put_certificate(certificate(admitted=False, at="2026-02-01"))
    assert registry.served(FINGERPRINT) is None
    assert registry.standing(FINGERPRINT).reason == f"{TOOL.id} failed its latest test (2026-02-01): oracle: 0.2 < 0.9"
    registry.put_certificate(certificate(at="2026-03-01"))
    assert registry.served(FINGERPRINT) == recipe(version=1)
    assert len(registry.certificates(TOOL.id, FINGERPRINT)) == 3


def test_the_order_of_storing_decides_not_the_date_on_the_certificate(registry: Registry):
    fill(registry)
    registry.put_certificate(certificate(admitted=False, at="1999-01-01"))
    assert registry.served(FINGERPRINT) is None


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (recipe(qualities=()), "names no tool"),
        (recipe(qualities=(("number-000000000000", 1.0),)), "has no certificate"),
    ],
)
def test_a_recipe_that_cannot_be_trusted_is_not_served(registry: Registry, made: Recipe, reason: str):
    fill(registry)
    registry.put_recipe(made)
    assert registry.served(FINGERPRINT) is None
    assert reason in registry.standing(FINGERPRINT).reason


def test_guards_alone_are_never_served(registry: Registry):
    registry.put_outcome(task(), tools=[TOOL], certificates=[certificate(role="guard")], recipe=recipe())
    assert "only guards" in registry.standing(FINGERPRINT).reason


def test_nothing_is_served_for_what_is_not_there(registry: Registry):
    registry.put_task(task())
    assert registry.standing(FINGERPRINT).reason == "no tool has been tested for it"
    assert "no task f1-none" in registry.standing("f1-none").reason


def test_the_content_digest_sees_content_and_not_time(tmp_path: Path):
    def build(name: str, *, at: str, cost: float, weight: float = 1.0, version_noise: bool = False) -> str:
        with Registry.open(tmp_path / name, create=True) as registry:
            fill(registry)
            if version_noise:
                registry.put_recipe(recipe(0.5))
            registry.put_certificate(certificate(at=at, cost_ms_p50=cost, environment={"python": at}))
            registry.put_recipe(recipe(weight))
            registry.start_build()
            return registry.content_digest()

    first = build("a.db", at="2026-01-01", cost=1.0)
    assert build("b.db", at="2027-07-07", cost=9.0, version_noise=True) == first
    assert build("c.db", at="2026-01-01", cost=1.0, weight=0.5) != first


def test_the_content_digest_sees_every_row(registry: Registry):
    fill(registry)
    before = registry.content_digest()
    registry.put_rows([RowRecord(key(3), key(-4), FINGERPRINT, 0.5, {"n": 4})])
    assert registry.content_digest() != before


def test_a_snapshot_is_one_moment(registry: Registry):
    fill(registry)
    snapshot = registry.snapshot()
    registry.put_certificate(certificate(admitted=False, at="later"))
    assert snapshot.standings[FINGERPRINT].recipe == recipe(version=1)
    assert snapshot.data_version < registry.data_version()
    assert registry.snapshot().standings[FINGERPRINT].recipe is None


# ------------------------------------------------------------------------------------------ processes


def test_two_readers_beside_a_writer_see_each_commit(address: str):
    with (
        Registry.open(address, create=True) as writer,
        Registry.open(address, readonly=True) as one,
        Registry.open(address, readonly=True) as two,
    ):
        seen = one.data_version()
        fill(writer)
        assert one.data_version() == two.data_version() > seen
        assert one.tasks() == two.tasks() == [task()]


def test_readers_are_not_held_up_by_an_open_write(address: str):
    with Registry.open(address, create=True) as writer, Registry.open(address, readonly=True) as reader:
        writer.put_task(task())
        with writer.writing() as connection:
            connection.exec_driver_sql("DELETE FROM rlar_task_examples")
            start = time.monotonic()
            assert reader.tasks() == [task()]
            assert time.monotonic() - start < 2.0


def test_many_threads_may_write_through_one_registry(registry: Registry):
    registry.put_task(task())
    errors: list[Exception] = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 20):
                registry.put_rows([RowRecord(key(number), key(number), FINGERPRINT, 0.1, {})])
                registry.row(key(number))
        except RegistryError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(start * 20,)) for start in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert registry.row_counts() == {FINGERPRINT: 120}


def test_a_second_writer_is_told_who_writes(address: str):
    with Registry.open(address, create=True):
        with pytest.raises(RegistryError, match=f"being written by process {os.getpid()} "):
            Registry.open(address)
        Registry.open(address, readonly=True).close()
    Registry.open(address).close()


def test_a_reader_cannot_write(address: str):
    Registry.open(address, create=True).close()
    with Registry.open(address, readonly=True) as reader, pytest.raises(RegistryError, match="open for reading only"):
        reader.put_task(task())


def test_a_closed_registry_says_so(address: str):
    registry = Registry.open(address, create=True)
    registry.close()
    registry.close()
    with pytest.raises(RegistryError, match="has been closed"):
        registry.tasks()


WRITER = """
    import sys
    from rlar.registry.registry import Registry, RowRecord
    from rlar.types import digest
    registry = Registry.open(sys.argv[1])
    number = 0
    while True:
        keys = [digest(str(number + offset), size=32) for offset in range(100)]
        registry.put_rows(RowRecord(key, key, None, 0.5, {"n": 1}) for key in keys)
        number += 100
        print(number, flush=True)
"""


def start_writer(address: str) -> subprocess.Popen[str]:
    search = os.pathsep.join(str(Path(entry or ".").absolute()) for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), address],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    )


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_it_committed_and_leaves_no_lock(address: str):
    Registry.open(address, create=True).close()
    committed = 0
    for kill_after in (1, 3, 8):
        writer = start_writer(address)
        lines = [writer.stdout.readline() for _ in range(kill_after)]
        with pytest.raises(RegistryError, match=f"being written by process {writer.pid} "):
            Registry.open(address)
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        committed = max(committed, *(int(line) for line in [*lines, *rest.split()]))
        with Registry.open(address, readonly=True) as reader:
            stored = reader.row_counts()[None]
            # All that it reported, and at most the one chunk that it had no time to report.
            assert committed <= stored <= committed + 100
            assert stored % 100 == 0
            reader.check()
        with Registry.open(address) as again:
            again.check()


@pytest.mark.slow
def test_a_creation_killed_at_any_statement_leaves_an_empty_file_or_a_registry(path: Path):
    code = """
        import os, sys
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from rlar.registry.registry import Registry
        left = int(sys.argv[2])
        @event.listens_for(Engine, "before_cursor_execute")
        def kill(*_args):
            global left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)
        Registry.open(sys.argv[1], create=True).close()
    """
    search = os.pathsep.join(str(Path(entry or ".").absolute()) for entry in sys.path)
    for statements in (2, 9, 17, 25):
        arguments = [sys.executable, "-c", textwrap.dedent(code), str(path), str(statements)]
        done = subprocess.run(arguments, env={**os.environ, "PYTHONPATH": search}, check=False)
        assert done.returncode == -signal.SIGKILL
        with pytest.raises(RegistryError, match="not an rlar registry"):
            Registry.open(path, readonly=True)
    with Registry.open(path, create=True) as registry:
        assert registry.tasks() == []


def test_a_server_claim_is_taken_over_from_the_dead_and_the_silent_only(path: Path):
    Registry.open(path, create=True).close()
    engine = create_engine(f"sqlite:///{path}")
    now = [1000.0]
    first = RowLock(engine, "db", clock=lambda: now[0])
    with pytest.raises(RegistryError, match="being written by process"):
        RowLock(engine, "db", clock=lambda: now[0])
    now[0] += STALE_SECONDS - 1
    first.renew()
    now[0] += STALE_SECONDS - 1
    with pytest.raises(RegistryError, match="being written by process"):
        RowLock(engine, "db", clock=lambda: now[0])
    now[0] += 2
    second = RowLock(engine, "db", clock=lambda: now[0])
    first.renew()
    with pytest.raises(RegistryError, match="took over"):
        first.check()
    second.check()
    first.release()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with engine.begin() as connection:
        value = connection.exec_driver_sql("SELECT value FROM rlar_meta").scalar()
        claim = json.dumps({**json.loads(value), "pid": gone.pid})
        connection.exec_driver_sql("UPDATE rlar_meta SET value = ?", (claim,))
    RowLock(engine, "db", clock=lambda: now[0]).release()
    engine.dispose()


@pytest.mark.slow
def test_readers_always_see_one_moment_while_a_writer_writes(address: str):
    def put(registry: Registry, number: int) -> None:
        weight = 1.0 / (number + 1)
        made = certificate(at=f"{number}", discrimination=weight)
        registry.put_outcome(task(rows=number), tools=[TOOL], certificates=[made], recipe=recipe(weight))

    problems: list[str] = []
    seen: list[int] = []
    is_over = threading.Event()

    def read() -> None:
        with Registry.open(address, readonly=True) as reader:
            last, is_last = -1, False
            while not is_last:
                is_last = is_over.is_set()  # the last look comes after the last write
                found = reader.snapshot()
                number = found.tasks[FINGERPRINT].rows
                weight = 1.0 / (number + 1)
                stored = (found.certificates[FINGERPRINT][TOOL.id].discrimination, found.recipes[FINGERPRINT].qualities)
                if stored != (weight, ((TOOL.id, weight),)) or number < last:
                    problems.append(f"after {last}: {number} with {stored}")
                last = number
            seen.append(last)

    with Registry.open(address, create=True) as writer:
        put(writer, 0)
        readers = [threading.Thread(target=read) for _ in range(5)]
        for thread in readers:
            thread.start()
        for number in range(1, 30):
            put(writer, number)
        is_over.set()
        for thread in readers:
            thread.join()
    assert problems == []
    assert seen == [29] * 5


# ------------------------------------------------------------------------------------------ a server


@pytest.fixture
def url() -> str:
    return postgres.server().new_database()


def test_a_server_and_a_file_give_equal_digests(path: Path, url: str):
    assert not Registry.exists(url)
    with pytest.raises(RegistryError, match="not an rlar registry"):
        Registry.open(url, readonly=True)
    odd = task("f1-odd", label="NUL \x00 and \ud800", examples=(example("lone surrogate \ud800, NUL \x00", "x"),))
    # A server sorts these by its locale: the underscore and the capital would go elsewhere.
    more = [TOOL.model_copy(update={"name": name}) for name in ("a_b", "aB", "ab", "Ab", "a-b", "\u00e9", "z")]
    with Registry.open(path, create=True) as local, Registry.open(url, create=True) as server:
        for registry in (local, server, server):
            fill(registry)
            registry.put_task(odd)
            for tool in more:
                registry.put_tool(tool)
                registry.put_certificate(certificate(tool_id=tool.id))
        assert Registry.exists(url)
        assert server.content_digest() == local.content_digest()
        assert server.snapshot().standings == local.snapshot().standings
        assert server.tasks() == local.tasks()
        assert server.tools() == local.tools()
        assert server.latest_certificates() == local.latest_certificates()
        assert server.rows([key(3), key(4)]) == local.rows([key(3), key(4)])
        assert make_lock(server).to_text() == make_lock(local).to_text()


def test_a_reader_of_a_server_needs_no_right_to_write(url: str):
    with Registry.open(url, create=True) as registry:
        fill(registry)
        with registry.writing() as connection:
            connection.exec_driver_sql("CREATE ROLE guest LOGIN PASSWORD 'guest'")
            connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest")
    guest = make_url(url).set(username="guest", password="guest").render_as_string(hide_password=False)
    with Registry.open(guest, readonly=True) as reader:
        assert reader.served(FINGERPRINT) == recipe(version=1)
    with pytest.raises(RegistryError, match="permission denied"):
        Registry.open(guest)


def test_of_many_that_come_first_to_a_server_one_writes_and_the_others_are_told(url: str):
    said: list[str] = []
    opened: list[Registry] = []
    start = threading.Barrier(6)

    def come() -> None:
        start.wait()
        try:
            opened.append(Registry.open(url, create=True))
        except RegistryError as error:
            said.append(str(error))

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    assert len(said) == 5
    assert all(f"being written by process {os.getpid()} " in message for message in said)
    opened[0].close()
    Registry.open(url).close()


def test_a_refused_writer_of_a_server_upgrades_nothing(url: str, request: pytest.FixtureRequest):
    with Registry.open(url, create=True) as registry:
        request.getfixturevalue("newer_rlar")
        with pytest.raises(RegistryError, match="being written by process"):
            Registry.open(url)
        with registry.reading() as connection:
            assert migrations.stored_version(connection) == migrations.known_version() - 1


def test_a_writer_that_slept_while_another_took_over_cannot_write(url: str):
    sleeper = Registry.open(url, create=True)
    sleeper.put_task(task())
    with sleeper.writing() as connection:
        stale = connection.exec_driver_sql("SELECT value FROM rlar_meta WHERE key = 'writer'").scalar()
        silent = json.dumps({**json.loads(stale), "seen": time.time() - STALE_SECONDS - 1})
        connection.exec_driver_sql("UPDATE rlar_meta SET value = %s WHERE key = 'writer'", (silent,))
    with Registry.open(url) as successor:
        with pytest.raises(RegistryError, match="took over"):
            sleeper.put_task(task("f1-late"))
        successor.put_task(task("f1-next"))
        sleeper.close()
        successor.put_task(task("f1-still"))
    assert [item.fingerprint for item in Registry.open(url, readonly=True).tasks()] == [
        FINGERPRINT,
        "f1-next",
        "f1-still",
    ]


def test_nobody_takes_over_in_the_middle_of_a_transaction(url: str, monkeypatch: pytest.MonkeyPatch):
    slow = Registry.open(url, create=True)
    monkeypatch.setattr("rlar.registry.writer_lock.STALE_SECONDS", -1.0)
    took_over = threading.Event()

    def take() -> None:
        Registry.open(url).close()
        took_over.set()

    with slow.writing() as connection:
        thread = threading.Thread(target=take)
        thread.start()
        assert not took_over.wait(0.5)
        sql.write_task(connection, task())
    thread.join(timeout=20)
    assert took_over.is_set()
    slow.close()
    with Registry.open(url, readonly=True) as reader:
        assert reader.tasks() == [task()]


def test_a_server_that_is_away_is_an_error_and_no_end(url: str):
    with Registry.open(url, create=True) as registry, Registry.open(url, readonly=True) as reader:
        fill(registry)
        with postgres.disconnected(url):
            for call in (reader.tasks, lambda: registry.put_task(task("f1-lost")), lambda: Registry.exists(url)):
                with pytest.raises(RegistryError, match=r"cannot be reached .*check server, port"):
                    call()
        assert reader.tasks() == [task()]
        registry.put_task(task("f1-after"))


@pytest.mark.parametrize(
    "form",
    [
        "postgresql+psycopg://rlar:{secret}@{place}",
        "postgresql+psycopg://rlar@{place}?password={secret}",
        "postgresql+psycopg://rlar:half@{secret}@{place}",
        "postgresql+psycopg://rlar:{secret}@{place}?connect_timeout=2&application_name=x",
        "nosuchdatabase://rlar:{secret}@{place}",
    ],
)
def test_a_password_is_in_no_message(url: str, form: str):
    found = make_url(url)
    secret = "Wr0ngS3cret"
    wrong = form.format(secret=secret, place=f"{found.host}:{found.port}/{found.database}")
    for use in (Registry.open, Registry.exists, lambda address: Registry.open(address, readonly=True)):
        with pytest.raises(RegistryError) as error:
            use(wrong)
        assert secret not in str(error.value)
    assert secret not in shown(wrong)
    assert secret not in without_secrets(f"rlar score --registry={wrong} --input x.jsonl")


def test_what_is_shown_of_an_address_opens_it_in_the_process_that_keeps_its_secrets(url: str):
    bare = shown(url)
    password = make_url(url).password
    assert password
    assert password not in bare
    with pytest.raises(RegistryError, match="password"):
        Registry.open(bare, create=True)
    assert keep_secrets(url) == bare
    with Registry.open(bare, create=True) as registry:
        assert registry.address == url
        with pytest.raises(RegistryError) as error:
            Registry.open(bare)
        assert password not in str(error.value)


def test_one_registry_has_one_place_whoever_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert place("registry.db") == place(f"sqlite:///{tmp_path}/registry.db") == str(tmp_path / "registry.db")
    same = ("postgresql://h/db", "postgresql+psycopg://me:secret@h:5432/db", "postgresql+psycopg2://you@h/db")
    assert len({place(address) for address in same}) == 1
    others = (
        "postgresql://h/db2",
        "postgresql://h:5433/db",
        "postgresql://g/db",
        "postgresql://h/db?options=-csearch_path%3Dx",
    )
    assert len({place(address) for address in (*same, *others)}) == 5


# ------------------------------------------------------------------------------------------ files that are not right


def test_a_missing_file_says_how_to_make_one(path: Path):
    for readonly in (False, True):
        with pytest.raises(RegistryError, match="rlar agent build-tools"):
            Registry.open(path, readonly=readonly)
    assert not path.exists()
    assert not Registry.exists(path)


def test_a_folder_and_a_missing_folder_are_told_apart(tmp_path: Path):
    with pytest.raises(RegistryError, match="is a folder"):
        Registry.open(tmp_path, create=True)
    with pytest.raises(RegistryError, match="does not exist"):
        Registry.open(tmp_path / "no" / "registry.db", create=True)


def test_a_place_where_no_lock_can_be_made_is_an_error(path: Path):
    (path.parent / "registry.db.lock").mkdir()
    with pytest.raises(RegistryError, match=r"registry\.db\.lock cannot be written: Is a directory"):
        Registry.open(path, create=True)


@pytest.mark.parametrize("content", [b"not a database, by far" * 50, b"\x00" * 5000], ids=["text", "zeros"])
@pytest.mark.parametrize("readonly", [False, True])
def test_a_file_of_something_else_is_refused_and_left_alone(path: Path, content: bytes, readonly: bool):
    path.write_bytes(content)
    with pytest.raises(RegistryError, match="not an rlar registry"):
        Registry.open(path, create=True, readonly=readonly)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(path: Path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE photos (id INTEGER)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(RegistryError, match=r"holds other tables .photos."):
        Registry.open(path, create=True)
    with pytest.raises(RegistryError, match="not an rlar registry"):
        Registry.open(path, readonly=True)
    assert sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall() == [("photos",)]
    assert len(path.read_bytes()) == len(before)


def test_an_empty_file_becomes_a_registry_only_when_asked(path: Path):
    path.touch()
    assert not Registry.exists(path)
    with pytest.raises(RegistryError, match="not an rlar registry"):
        Registry.open(path)
    Registry.open(path, create=True).close()
    assert Registry.exists(path)


def test_a_damaged_file_is_an_error_with_a_way_out_and_not_wrong_content(path: Path):
    with Registry.open(path, create=True) as registry:
        fill(registry)
        registry.put_rows(rows(5000))
    whole = path.read_bytes()
    for start in range(4096, len(whole) - 4096, max(4096, len(whole) // 40 // 4096 * 4096)):
        path.write_bytes(whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :])
        with (
            pytest.raises(RegistryError, match=r"damaged|not an rlar registry|cannot be read"),
            Registry.open(path, readonly=True) as reader,
        ):
            reader.check()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RegistryError, match="damaged"), Registry.open(path, readonly=True) as reader:
        reader.check()
        reader.content_digest()


def test_a_locked_database_is_an_error_after_a_wait(path: Path, monkeypatch: pytest.MonkeyPatch):
    Registry.open(path, create=True).close()
    monkeypatch.setattr("rlar.registry.engine.BUSY_SECONDS", 0.2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryError, match="is locked by another process"):
        Registry.open(path)
    other.execute("ROLLBACK")
    other.close()
    Registry.open(path).close()


def test_an_unusable_url_is_an_error_without_its_password(tmp_path: Path):
    with pytest.raises(RegistryError, match="no path and no database URL"):
        Registry.open("nosuchdatabase://someone:secret@host/db")
    try:
        Registry.open("nosuchdatabase://someone:secret@host/db")
    except RegistryError as error:
        assert "secret" not in str(error)


# ------------------------------------------------------------------------------------------ schema versions


def test_migrations_make_exactly_the_tables_of_the_schema(address: str):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    Registry.open(address, create=True).close()
    engine = create_engine(address if "://" in address else f"sqlite:///{address}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


@pytest.fixture
def newer_rlar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An rlar whose schema has one more script: a column of rlar_tasks."""
    scripts = tmp_path / "scripts"
    shutil.copytree(migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    number = migrations.known_version()
    script = f"""
        import sqlalchemy as sa
        from alembic import op

        revision, down_revision = "{number + 1:04}", "{number:04}"

        def upgrade():
            with op.batch_alter_table("rlar_tasks") as batch:
                batch.add_column(sa.Column("owner", sa.Text(), nullable=False, server_default="nobody"))
    """
    (scripts / "versions" / f"{number + 1:04}_owner.py").write_text(textwrap.dedent(script))
    monkeypatch.setattr(migrations, "SCRIPTS", scripts)


def test_an_older_schema_is_brought_forward_by_a_writer_and_named_to_a_reader(
    address: str, request: pytest.FixtureRequest
):
    with Registry.open(address, create=True) as registry:
        fill(registry)
        before = registry.content_digest()
    request.getfixturevalue("newer_rlar")
    known = migrations.known_version()
    older = rf"schema {known - 1}, older than this rlar's {known}: open it once for writing"
    with pytest.raises(RegistryError, match=older):
        Registry.open(address, readonly=True)
    with Registry.open(address) as registry:
        assert registry.content_digest() == before
    with Registry.open(address, readonly=True) as reader:
        assert reader.tasks() == [task()]
        with reader.reading() as connection:
            assert connection.exec_driver_sql("SELECT owner FROM rlar_tasks").scalars().all() == ["nobody"]


RELEASED = sorted((Path(__file__).parent / "released").glob("*.json"))
"""What `fill` had stored when each schema version was the newest, table by table (tests/tools/released/README.md)."""


def store_released(address: str, file: Path) -> dict:
    """A registry as the version that the file is called after left it; what the file says about it."""
    from alembic import command
    from alembic.config import Config

    held = json.loads(file.read_text("utf-8"))
    engine = create_engine(address if "://" in address else f"sqlite:///{address}")
    with engine.connect() as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", str(migrations.SCRIPTS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, file.stem)
        then = MetaData()
        then.reflect(connection)
        # In this order, so that what is referred to comes first.
        for table in then.sorted_tables:
            found = held["tables"].get(table.name)
            if found:
                binary = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
                values = [row | {name: bytes.fromhex(row[name]) for name in binary} for row in found]
                # The database numbers the rows itself, or its counter would not know of them.
                numbered = {name for name in ("id",) if isinstance(values[0].get(name), int)}
                bare = [{name: value for name, value in row.items() if name not in numbered} for row in values]
                connection.execute(insert(table), bare)
    engine.dispose()
    return held


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_a_registry_of_every_released_schema_comes_forward_with_all_it_held(address: str, file: Path):
    held = store_released(address, file)
    with Registry.open(address) as registry:
        assert registry.content_digest() == held["content_digest"]
        assert registry.tasks() == [task()]
        assert registry.rows(row.row_key for row in rows(50)) == {row.row_key: row for row in rows(50)}
        assert registry.served(FINGERPRINT) == recipe(version=1)
        registry.put_certificate(certificate(admitted=False, at="later"))
        assert registry.served(FINGERPRINT) is None
        assert [build.status for build in registry.builds()] == ["finished"]
        assert [event.what for event in registry.events()] == ["admitted"]


def test_every_released_schema_has_a_registry_to_come_forward_from():
    assert [file.stem for file in RELEASED][:1] == ["0001"]


@pytest.mark.usefixtures("newer_rlar")
def test_a_newer_schema_is_refused_with_the_command_that_helps(address: str, monkeypatch: pytest.MonkeyPatch):
    Registry.open(address, create=True).close()
    monkeypatch.setattr(migrations, "SCRIPTS", Path(migrations.__file__).parent / "alembic")
    known = migrations.known_version()
    for readonly in (False, True):
        with pytest.raises(RegistryError, match=rf"schema {known + 1}, newer than this rlar's {known}; upgrade with"):
            Registry.open(address, readonly=readonly)
