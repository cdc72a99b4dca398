"""A trace file from somebody else: reading it runs nothing, and what no build writes is one line that names the file."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.serde import jsonplus

from rlar.agent.build import Stop, build_tools
from rlar.agent.persistence import TRACE_VARIABLE, TraceError, make_checkpointer, open_checkpoints, trace_path
from rlar.agent.trace import traced_runs, write_trace
from rlar.config import BuildConfig
from rlar.errors import BuildStopped
from tests.agent.test_build import small_mix, write_rows
from tests.fakes.foreign_samples import METADATA, page_used_twice, schemas, typed_values
from tests.fakes.thinning import thinned

MARKER = "it-ran"

# aiosqlite's thread outlives the loop of asyncio.run where connecting failed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A folder with a build that stopped while its tasks were worked on, so that its trace waits to be continued."""
    folder = tmp_path_factory.mktemp("stopped")
    write_rows(folder / "mix.jsonl", small_mix()[:16])
    stop = Stop()
    with pytest.raises(BuildStopped):
        build_tools(
            config_in(folder), on_event=lambda event: stop() if event["event"] == "classified" else None, stop=stop
        )
    return folder


def config_in(folder: Path) -> BuildConfig:
    return BuildConfig(dataset=(str(folder / "mix.jsonl"),), registry=str(folder / "registry.db"), report=None)


@pytest.fixture
def folder(stopped: Path, tmp_path: Path, monkeypatch) -> Path:
    """A copy of it for the readers; the build itself would take another folder for another build."""
    for name in ("mix.jsonl", "registry.db", "registry.db.trace"):
        shutil.copy(stopped / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def poison(trace: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(trace) as connection:
        assert connection.execute(statement, values).rowcount > 0
    connection.close()


def read_by_build(folder: Path) -> None:
    build_tools(config_in(folder))


def read_by_trace_page(folder: Path) -> None:
    write_trace(str(folder / "registry.db"), None, folder / "page.html")


def read_by_runs(folder: Path) -> None:
    traced_runs(str(folder / "registry.db"))


def read_by_dev_server(folder: Path) -> None:
    async def read() -> None:
        async with make_checkpointer() as saver:
            found = [item async for item in saver.alist(None)]
            for item in found:
                await saver.aget_tuple(item.config)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TRACE_VARIABLE, str(folder / "registry.db.trace"))
        asyncio.run(read())


READERS: dict[str, Callable[[Path], None]] = {
    "trace page": read_by_trace_page,
    "runs": read_by_runs,
    "dev server": read_by_dev_server,
}


def refused(read: Callable[[Path], None], folder: Path) -> None:
    with pytest.raises(TraceError) as caught:
        read(folder)
    told = str(caught.value)
    assert "registry.db.trace" in told and "\n" not in told and len(told) < 600, told
    assert not (folder / MARKER).exists()


def test_the_untouched_file_is_read_by_every_reader(folder: Path):
    for read in READERS.values():
        read(folder)
    assert (folder / "page.html").exists()
    with open_checkpoints(folder / "registry.db.trace", readonly=True) as saver:
        assert len(list(saver.list(None))) > 2


SAMPLES = {label: (kind, value) for label, kind, value in typed_values(Path(MARKER))}


@pytest.mark.parametrize("label", thinned(SAMPLES, every=5))
@pytest.mark.parametrize("table", ["checkpoints", "writes"])
def test_a_value_that_no_build_writes_is_refused_by_every_reader(folder: Path, table: str, label: str):
    kind, value = SAMPLES[label]
    column = "checkpoint" if table == "checkpoints" else "value"
    where = "" if table == "checkpoints" else " WHERE channel = 'outcomes' OR channel = 'tasks'"
    poison(folder / "registry.db.trace", f"UPDATE {table} SET type = ?, {column} = ?{where}", kind, value)
    for read in READERS.values():
        refused(read, folder)


@pytest.mark.parametrize("label", thinned(METADATA, every=4))
def test_metadata_that_no_build_writes_is_refused_by_every_reader(folder: Path, label: str):
    poison(folder / "registry.db.trace", "UPDATE checkpoints SET metadata = ?", METADATA[label])
    for read in READERS.values():
        refused(read, folder)


def good_checkpoint(trace: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change every stored checkpoint of the outer graph in its own terms, and store it again."""
    serde = jsonplus.JsonPlusSerializer(allowed_msgpack_modules=None)
    with sqlite3.connect(trace) as connection:
        rows = connection.execute("SELECT rowid, type, checkpoint FROM checkpoints WHERE checkpoint_ns = ''").fetchall()
        for rowid, kind, body in rows:
            value = serde.loads_typed((kind, body))
            change(value)
            connection.execute(
                "UPDATE checkpoints SET checkpoint = ? WHERE rowid = ?", (serde.dumps_typed(value)[1], rowid)
            )
    connection.close()


def settings_of_somebody_else(value: dict[str, Any]) -> None:
    wanted = {"registry": "elsewhere.db", "report": "elsewhere", "sandbox_tier": "none", "accept_unsafe": True,
              "llm": "openai:m@http://127.0.0.1:9", "approve": "auto", "hub": True}  # fmt: skip
    value["channel_values"].update(wanted)
    for sent in value["channel_values"].get("__pregel_tasks", []):
        sent.arg["settings"].update(wanted)


@pytest.fixture
def in_place(stopped: Path) -> Iterator[Path]:
    """The stopped build where it is (another path is another build), put back afterwards."""
    kept = {path: path.read_bytes() for path in stopped.iterdir() if path.is_file()}
    yield stopped
    for path in stopped.iterdir():
        if path.is_file():
            path.unlink()
    for path, body in kept.items():
        path.write_bytes(body)


def test_a_continued_build_keeps_to_the_settings_of_who_continues_it(in_place: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good_checkpoint(in_place / "registry.db.trace", settings_of_somebody_else)
    summary = build_tools(config_in(in_place))
    assert summary["resumed"] and summary["registry"] == str(in_place / "registry.db") and summary["llm"] == "none"
    assert list(tmp_path.iterdir()) == []


SHAPES: dict[str, Callable[[dict[str, Any]], None]] = {
    "tasks of another type": lambda value: value["channel_values"].update(tasks="all of them"),
    "half a task": lambda value: value["channel_values"].update(tasks=[{"fingerprint": "f1"}]),
    "outcomes of another type": lambda value: value["channel_values"].update(outcomes={"a": 1}),
    "half an outcome": lambda value: value["channel_values"].update(outcomes=[{}]),
    "rows of another type": lambda value: value["channel_values"].update(rows=[1]),
    "versions of another type": lambda value: value["channel_versions"].update(tasks=7),
    "a version that is no number": lambda value: value["channel_versions"].update(tasks="x.y"),
    "a version without end": lambda value: value["channel_versions"].update(tasks="9" * 5000 + ".1"),
    "nothing seen": lambda value: value.update(versions_seen=None),
    "a time that is none": lambda value: value.update(ts=12),
    "values that are a list": lambda value: value.update(channel_values=[1]),
}  # fmt: skip


@pytest.mark.parametrize("label", thinned(SHAPES, every=4))
def test_a_state_of_another_shape_is_refused_by_every_reader(folder: Path, label: str):
    good_checkpoint(folder / "registry.db.trace", SHAPES[label])
    for read in READERS.values():
        refused(read, folder)


@pytest.mark.parametrize("label", thinned([*SHAPES, *SAMPLES], every=6))
def test_a_poisoned_build_is_not_continued(in_place: Path, label: str):
    if label in SHAPES:
        good_checkpoint(in_place / "registry.db.trace", SHAPES[label])
    else:
        poison(in_place / "registry.db.trace", "UPDATE checkpoints SET type = ?, checkpoint = ?", *SAMPLES[label])
    before = (in_place / "registry.db").read_bytes()
    refused(read_by_build, in_place)
    assert (in_place / "registry.db").read_bytes() == before


@pytest.mark.parametrize("table", ["checkpoints", "writes"])
@pytest.mark.parametrize("label", thinned(schemas("t", "c"), every=3))
def test_a_schema_that_computes_is_refused_before_a_row_is_read(folder: Path, table: str, label: str):
    column = "checkpoint" if table == "checkpoints" else "value"
    with sqlite3.connect(folder / "registry.db.trace") as connection:
        schemas(table, column)[label](connection)
    connection.close()
    for read in [*READERS.values(), read_by_build]:
        refused(read, folder)


def test_a_tree_that_names_a_page_twice_is_refused(folder: Path):
    trace = folder / "registry.db.trace"
    with sqlite3.connect(trace) as connection:
        connection.execute("CREATE TABLE filler (a)")
        connection.executemany("INSERT INTO filler VALUES (?)", [("x" * 1000,)] * 200)
    connection.close()
    page_used_twice(trace, "filler")
    for read in [*READERS.values(), read_by_build]:
        refused(read, folder)


def test_a_blob_past_the_limit_is_refused(folder: Path):
    poison(folder / "registry.db.trace", "UPDATE checkpoints SET checkpoint = zeroblob(?)", 65 * 2**20)
    for read in READERS.values():
        refused(read, folder)


@pytest.mark.parametrize(
    "body", thinned([b"", b"no database", b"SQLite format 3\x00", "flipped", "cut"], every=5), ids=str
)
def test_a_damaged_file_is_one_line_for_the_command_line(folder: Path, body: bytes | str):
    trace = folder / "registry.db.trace"
    if isinstance(body, str):
        whole = bytearray(trace.read_bytes())
        whole = whole[: len(whole) // 2] if body == "cut" else whole
        for place in range(4096, len(whole), 4096):
            whole[place] ^= 0xFF
        body = bytes(whole)
    trace.write_bytes(body)
    command = [sys.executable, "-m", "rlar", "agent", "trace", "--registry", str(folder / "registry.db")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert run.returncode == 1, run
    assert run.stderr.startswith("error: ") and "registry.db.trace" in run.stderr and run.stderr.count("\n") == 1


def test_a_reader_writes_nothing_and_needs_no_right_to(folder: Path, monkeypatch):
    trace = folder / "registry.db.trace"
    before = trace.read_bytes()
    monkeypatch.setattr("rlar.registry.foreign_sqlite.os.access", lambda *_args: False)  # root may write everywhere
    trace.chmod(0o400)
    read_by_runs(folder)
    assert trace.read_bytes() == before and not trace.with_name(trace.name + "-wal").exists()


def test_a_full_disk_is_one_line(folder: Path):
    path = folder / "other.trace"
    with open_checkpoints(path) as saver:
        saver.conn.execute("PRAGMA max_page_count = 8")
        with pytest.raises(
            TraceError, match=r"other\.trace cannot be written: database or disk is full; free some space"
        ):
            saver.put_writes({"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "c"}},
                             [("notes", ["x" * 100_000])], "task")  # fmt: skip


def test_a_registry_on_a_server_has_the_same_reader(tmp_path: Path, monkeypatch):
    # its trace is a file of the same kind in the working directory
    monkeypatch.chdir(tmp_path)
    address = "postgresql+psycopg://user@host/database"
    trace_path(address).write_bytes(b"no database")
    with pytest.raises(TraceError, match=r"registry-[0-9a-f]+\.trace is damaged or no trace"):
        traced_runs(address)
