"""A registry with damaged or hand-edited content: an error that names it, in one line, and never a traceback."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rlar.errors import RegistryError
from rlar.registry import content
from rlar.registry.records import LlmCall
from rlar.registry.registry import Registry, RowRecord
from rlar.report.table import list_tasks, list_tools, show_tool
from rlar.scoring.lock_file import open_lock
from rlar.scoring.scorer import Scorer
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
)

FINGERPRINT = "f1-0123456789ab"
TOOL = ToolSpec(kind=ToolKind.LIBRARY, name="number", source="some.module:Class", params={"a": [2]}, code_hash="c")
GUARD = ToolSpec(kind=ToolKind.LIBRARY, name="guard", source="some.module:Guard", code_hash="g")
ROW = Example(id="r", prompt=(Message(role="user", content="What is 1+1?"),), reference="2", references=("2",))
DEEP = "[" * 200_000
VALUES = [None, "", "x", "{", "[]", "null", "7", "{}", '{"a": 1}', DEEP, '{"a":' * 3_000 + "1" + "}" * 3_000,
          b"", b"\xff\x00", b"PK\x03\x04", -1, 2**30, 2**62, 0.5, float("inf")]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("registry") / "registry.db"
    contract = Contract(answer_kind=AnswerKind.NUMBER, has_reference=True)
    check = CheckResult(name="oracle", passed=True, value=0.99, threshold=0.9)
    certificates = [
        Certificate(tool_id=tool.id, fingerprint=FINGERPRINT, role=role, admitted=True, checks=(check,))
        for tool, role in ((TOOL, "verifier"), (GUARD, "guard"))
    ]
    with Registry.open(path, create=True) as registry:
        task = TaskSpec(fingerprint=FINGERPRINT, label="numbers", contract=contract, rows=7, examples=(ROW,))
        recipe = Recipe(fingerprint=FINGERPRINT, qualities=((TOOL.id, 1.0),), calibrations={TOOL.id: Calibration()})
        registry.put_outcome(task, tools=[TOOL, GUARD], certificates=certificates, recipe=recipe)
        registry.put_rows([RowRecord(ROW.key, ROW.prompt_key, FINGERPRINT, 1.0, {"n": 1})])
        registry.put_router({"weights": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "é"])})
        registry.finish_build(registry.start_build({"seed": 0}))
        registry.add_event("admitted", details={"why": "x"})
        values = dict.fromkeys(("key", "node", "prompt_name", "prompt_hash", "model", "answer"), "x")
        registry.put_llm_call(LlmCall(fingerprint="", request={"a": 1}, input_tokens=1, output_tokens=1, **values))
    return path


METHODS: dict[str, tuple] = {
    "snapshot": (), "content_digest": (), "tasks": (), "task": (FINGERPRINT,), "tools": (), "tool": (TOOL.id,),
    "certificates": (), "latest_certificates": (), "recipes": (), "recipe": (FINGERPRINT,), "standing": (FINGERPRINT,),
    "rows": ([ROW.key],), "rows_by_prompt": ([ROW.prompt_key],), "row_counts": (), "router_arrays": (), "builds": (),
    "events": (), "llm_calls": (), "llm_answer": ("x",), "data_version": (),
}  # fmt: skip
LISTINGS: dict[str, Callable[[Path], object]] = {
    "list tasks": lambda path: list_tasks(str(path)),
    "list tools": lambda path: list_tools(str(path)),
    "show": lambda path: show_tool(str(path), "number"),
    "lock": lambda path: open_lock(str(path)),
    "scorer": lambda path: Scorer(str(path), workers=0).close(),
}


def said(read: Callable[[], object]) -> bool:
    """Whether the registry was called damaged; any other exception is the test's failure."""
    try:
        read()
    except RegistryError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000, error
        return True
    return False


def read_everything(path: Path, *, listings: bool = True) -> set[str]:
    """What called the registry damaged."""
    told = set()
    try:
        with Registry.open(path, readonly=True) as registry:
            for name, given in METHODS.items():
                if said(lambda name=name, given=given: getattr(registry, name)(*given)):
                    told.add(name)
    except RegistryError:
        told.add("open")
    if listings:
        told |= {name for name, read in LISTINGS.items() if said(lambda read=read: read(path))}
    return told


def columns(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = [(table, row[1]) for table in tables for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    return [pair for pair in found if pair[0].startswith("rlar_") and "alembic" not in pair[0]]


def test_every_reader_reads_the_whole_registry(whole: Path):
    # The router is no real one, and a Scorer says so.
    assert read_everything(whole) == {"scorer"}


@pytest.mark.parametrize("count", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_any_value_in_any_column_is_read_or_named(whole: Path, tmp_path: Path, count: int):
    path, told = tmp_path / "registry.db", set()
    pairs = [(table, column, value) for table, column in columns(whole) for value in VALUES]
    assert len(pairs) > 1000
    for number, (table, column, value) in enumerate(random.Random(0).sample(pairs, count)):
        shutil.copy(whole, path)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = OFF")
        try:
            connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
        except sqlite3.IntegrityError:
            continue
        finally:
            connection.close()
        if read_everything(path, listings=number % 10 == 0) - {"scorer"}:
            told.add(table)
    assert told >= {"rlar_tasks", "rlar_tools", "rlar_certificates", "rlar_recipes", "rlar_rows"}


@pytest.mark.parametrize(
    "table", ["rlar_tools", "rlar_tasks", "rlar_certificates", "rlar_recipes", "rlar_counters", "rlar_router"]
)
def test_rows_that_are_gone_are_read_as_absent_or_named(whole: Path, tmp_path: Path, table: str):
    path = shutil.copy(whole, tmp_path / "registry.db")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"DELETE FROM {table}")
    connection.close()
    told = read_everything(Path(path))
    assert ("snapshot" in told) == (table in {"rlar_tools", "rlar_tasks", "rlar_counters"})


def test_a_certificate_of_a_tool_that_is_gone_is_named(whole: Path, tmp_path: Path):
    path = shutil.copy(whole, tmp_path / "registry.db")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DELETE FROM rlar_tools WHERE name = 'guard'")
    connection.close()
    with pytest.raises(RegistryError, match=rf"a certificate of {GUARD.id} for {FINGERPRINT}.*damaged"):
        Scorer(str(path), workers=0)


# ------------------------------------------------------------------------------------------ the row router


ARRAYS = {"weights": np.arange(60.0).reshape(12, 5), "names": np.array(["a", "é"] * 20), "version": np.array([1])}


def test_every_flipped_byte_of_a_router_is_named_or_harmless():
    body, key = content.pack_arrays(ARRAYS), content.arrays_digest(ARRAYS)
    named = 0
    for place in range(len(body)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(body)
            damaged[place] ^= flip
            try:
                found = content.unpack_arrays(bytes(damaged), key, "r.db")
            except RegistryError as error:
                named += 1
                assert "the row router in r.db is damaged" in str(error)
            else:
                assert content.arrays_digest(found) == key
    assert named > len(body)


def test_cut_huge_and_foreign_routers_are_named():
    body, key = content.pack_arrays(ARRAYS), content.arrays_digest(ARRAYS)
    random_bytes = random.Random(0).randbytes(2000)
    bodies = [body[:cut] for cut in range(0, len(body), 7)] + [
        random_bytes,
        b"",
        b"\x93NUMPY\x01\x00",
    ]
    huge = bytearray(content.pack_arrays({"a": np.zeros(3)}))
    for at in (index for index in range(len(huge)) if huge[index : index + 4] in (b"PK\x01\x02",)):
        huge[at + 24 : at + 28] = struct.pack("<I", 2**32 - 2)  # the size when unpacked
    with pytest.raises(RegistryError, match=r"damaged .*unfold into 4,294,967,294"):
        content.unpack_arrays(bytes(huge), key, "r.db")
    for damaged in bodies:
        with pytest.raises(RegistryError, match=r"the row router in r\.db is damaged"):
            content.unpack_arrays(damaged, key, "r.db")


def test_other_arrays_than_were_stored_are_named():
    other = content.pack_arrays({**ARRAYS, "weights": ARRAYS["weights"] + 1})
    with pytest.raises(RegistryError, match="its digest is another"):
        content.unpack_arrays(other, content.arrays_digest(ARRAYS), "r.db")
    assert json.dumps(sorted(ARRAYS)) == json.dumps(
        sorted(content.unpack_arrays(content.pack_arrays(ARRAYS), content.arrays_digest(ARRAYS), "r.db"))
    )
