"""Malicious samples of files that rlar reads, made by kind of harm; each leaves `marker` behind if it ever runs."""

from __future__ import annotations

import io
import json
import pickle
import sqlite3
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ormsgpack

DEEP = 200_000
"""Levels of nesting: past every parser's stack."""


class Runs:
    """Unpickled, it makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.marker,)


def pickled(marker: Path) -> bytes:
    return pickle.dumps(Runs(marker))


def torch_zip(marker: Path) -> bytes:
    """What torch.save writes: a zip with a pickle in it."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(marker))
        archive.writestr("archive/version", "3\n")
    return body.getvalue()


def npy_of_objects(marker: Path) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickled(marker)


def npz_of_objects(marker: Path, names: tuple[str, ...] = ("weights", "version")) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name in names:
            archive.writestr(f"{name}.npy", npy_of_objects(marker))
    return body.getvalue()


def safetensors_of(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def files_of_any_kind(marker: Path) -> dict[str, bytes]:
    """Whole files that are something else than what a reader expects."""
    return {
        "pickle": pickled(marker),
        "torch zip": torch_zip(marker),
        "npz of objects": npz_of_objects(marker),
        "msgpack that calls": msgpack_calls(marker)["constructor of one"],
        "deep json": b"[" * DEEP + b"]" * DEEP,
        "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        "huge integer": b'{"format": 1, "lock_version": ' + b"9" * 5000 + b"}",
        "json of another type": b'[1, "two", null]',
        "null": b"null",
        "not utf-8": b'{"a": "\xff\xfe"}',
        "nul bytes": b"\x00" * 4096,
        "yaml object": b"!!python/object/apply:pathlib.Path.mkdir [" + str(marker).encode() + b"]",
        "huge length": safetensors_of(b"{}")[:0] + struct.pack("<Q", 1 << 62) + b"{}",
        "empty": b"",
        "truncated sqlite": b"SQLite format 3\x00" + b"\x10\x00\x01\x01",
    }


# -------------------------------------------------------------------------------- LangGraph's msgpack


def msgpack_calls(marker: Path) -> dict[str, bytes]:
    """One value for every way that LangGraph's msgpack has to name something and call it."""
    module, name, given = "os", "mkdir", str(marker)
    forms: dict[str, tuple[int, Any]] = {
        "constructor of one": (0, (module, name, given)),
        "constructor of many": (1, (module, name, [given])),
        "constructor of keywords": (2, (module, name, {"path": given})),
        "method": (3, ("pathlib", "Path", given, "mkdir")),
        "pydantic 1": (4, (module, name, {"path": given})),
        "pydantic 2": (5, (module, name, {"path": given}, "model_validate_json")),
        "numpy array": (6, ("|O", [1], "C", pickled(marker))),
        "delta": (7, {"a": 1}),
        "another code": (42, given),
        "a safe type": (0, ("uuid", "UUID", "0" * 32)),
        "a pattern": (1, ("re", "compile", ["(a+)+$", 0])),
        "a send elsewhere": (1, ("langgraph.types", "Send", ["finish", {}])),
        "a send of what is no state": (1, ("langgraph.types", "Send", ["build_task", 7])),
        "a send of half a task": (1, ("langgraph.types", "Send", ["build_task", {"task": {"label": "x"}}])),
        "an interrupt of nothing": (2, ("langgraph.types", "Interrupt", {})),
        "a command": (2, ("langgraph.types", "Command", {"goto": "finish"})),
    }
    made = {label: ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(body))) for label, (code, body) in forms.items()}
    inner = ormsgpack.Ext(0, ormsgpack.packb((module, name, given)))
    made["a call inside a send"] = ormsgpack.packb(
        ormsgpack.Ext(1, ormsgpack.packb(("langgraph.types", "Send", ["build_task", {"settings": inner}])))
    )
    made["a call inside an interrupt"] = ormsgpack.packb(
        ormsgpack.Ext(2, ormsgpack.packb(("langgraph.types", "Interrupt", {"value": inner, "id": "x"})))
    )
    body = ormsgpack.packb(1)
    for _ in range(5_000):  # each level is a call of the hook inside a call of the hook
        body = ormsgpack.packb(ormsgpack.Ext(7, body))
    made["extensions in extensions"] = body
    return made


def msgpack_wrecks() -> dict[str, bytes]:
    """Bytes that are no value at all, or one that no machine could hold."""
    return {
        "empty": b"",
        "cut": b"\x92\x01",
        "deep": b"\x91" * DEEP + b"\x01",
        "an array of four billion": b"\xdd\xff\xff\xff\xff\x01",
        "arrays of billions in arrays": b"\xdd\x7f\xff\xff\xff" * 500,
        "a map of four billion": b"\xdf\xff\xff\xff\xff\x01",
        "bytes of four gigabytes": b"\xc6\xff\xff\xff\xffab",
        "a number": b"\x07",
        "an empty map": b"\x80",
        "keys that are no text": b"\x81\x91\x01\x01",
    }


def typed_values(marker: Path) -> Iterator[tuple[str, str | None, Any]]:
    """(label, type column, value column) for a row of a trace."""
    for label, body in {**msgpack_calls(marker), **msgpack_wrecks()}.items():
        yield f"msgpack: {label}", "msgpack", body
    constructor = {"lc": 2, "type": "constructor", "id": ["pathlib", "Path", "mkdir"], "args": [str(marker)]}
    yield "json: constructor", "json", json.dumps(constructor).encode()
    yield "json: method", "json", json.dumps({**constructor, "id": ["pathlib", "Path"], "method": "mkdir"}).encode()
    core = {"lc": 1, "type": "constructor", "id": ["langchain_core", "prompts", "PromptTemplate"], "kwargs": {}}
    yield "json: langchain", "json", json.dumps(core).encode()
    yield "json: secret", "json", json.dumps({"lc": 1, "type": "secret", "id": ["HOME"]}).encode()
    yield "json: plain", "json", b"{}"
    yield "pickle", "pickle", pickled(marker)
    yield "bytes", "bytes", b"abc"
    yield "bytearray", "bytearray", b"abc"
    yield "null where a value belongs", "null", b""
    yield "no type", None, b"\x80"
    yield "another type", "yaml", b"!!python/object/apply:os.mkdir"
    yield "text for bytes", "msgpack", "text"
    yield "a number for bytes", "msgpack", 5
    yield "nothing for bytes", "msgpack", None


METADATA: dict[str, Any] = {
    "msgpack": b"\x80",
    "deep": b"[" * DEEP + b"]" * DEEP,
    "not json": b"{",
    "of another type": b"[]",
    "a number": 5,
    "not utf-8": b"\xff\xfe\xfd",
    "a huge integer": b'{"step": ' + b"9" * 5000 + b"}",
}


# -------------------------------------------------------------------------------- schemas that compute


def rename_and(connection: sqlite3.Connection, table: str, script: str) -> None:
    connection.execute("PRAGMA legacy_alter_table = ON")
    connection.execute(f'ALTER TABLE "{table}" RENAME TO held')
    connection.executescript(script)


def schemas(table: str, column: str) -> dict[str, Callable[[sqlite3.Connection], Any]]:
    """Changes of a good database after which its schema computes something; `table` has a text or blob `column`."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT"

    def view(connection: sqlite3.Connection) -> None:
        rename_and(connection, table, f'CREATE VIEW "{table}" AS SELECT * FROM held')

    def endless_view(connection: sqlite3.Connection) -> None:
        names = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
        columns = ", ".join(f'x AS "{name}"' for name in names)
        rename_and(connection, table, f'CREATE VIEW "{table}" AS {endless} {columns} FROM n')

    def trigger(connection: sqlite3.Connection) -> None:
        for what in ("INSERT", "UPDATE", "DELETE"):
            body = "SELECT randomblob(900000000)"
            connection.execute(f'CREATE TRIGGER t{what} AFTER {what} ON "{table}" BEGIN {body}; END')

    def generated(connection: sqlite3.Connection) -> None:
        connection.execute(f'ALTER TABLE "{table}" ADD COLUMN extra GENERATED ALWAYS AS (zeroblob(900000000)) VIRTUAL')

    def on_expression(connection: sqlite3.Connection) -> None:
        connection.execute(f"CREATE INDEX computed ON \"{table}\" (length(printf('%.*c', 9, {column})))")

    def partial(connection: sqlite3.Connection) -> None:
        connection.execute(f'CREATE INDEX computed ON "{table}" ("{column}")WHERE(length("{column}") > 5)')

    def virtual(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE VIRTUAL TABLE searched USING fts5(words)")

    def disguised(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE VIRTUAL TABLE searched USING rtree(id, lowest, highest)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'CREATE VIRTUAL', 'CREATE  VIRTUAL') WHERE name = 'searched'"
        )

    return {
        "a view": view,
        "an endless view": endless_view,
        "triggers": trigger,
        "a generated column": generated,
        "an index on an expression": on_expression,
        "a partial index": partial,
        "a virtual table": virtual,
        "a virtual table, disguised": disguised,
    }


def page_used_twice(path: Path, table: str) -> None:
    """Make the table's tree name one leaf again and again: read without a check, its rows come many times over."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    connection.close()
    body = bytearray(path.read_bytes())
    start = (root - 1) * size
    kind, cells = body[start], struct.unpack(">H", body[start + 3 : start + 5])[0]
    assert kind == 5 and cells >= 2, f"{table} is too small: a page of kind {kind} with {cells} cells"
    places = struct.unpack(f">{cells}H", body[start + 12 : start + 12 + 2 * cells])
    first = body[start + places[0] : start + places[0] + 4]
    for place in places[1:]:
        body[start + place : start + place + 4] = first
    path.write_bytes(body)
