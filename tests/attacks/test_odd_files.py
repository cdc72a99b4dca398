"""What is no regular file (an endless device, a pipe that nobody writes to, a folder) is refused at once, by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rlar.agent.build import datasets_digest
from rlar.errors import RlarError
from rlar.registry.registry import Registry
from rlar.rows.read import read_objects
from rlar.scoring.lock_file import open_lock

pytestmark = pytest.mark.timeout(120)


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


KINDS: dict[str, Callable[[Path], None]] = {
    "device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "socket": bound_socket,
    "folder": Path.mkdir,
}


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a build's dataset": ("x.jsonl", lambda path: datasets_digest((str(path),))),
    "rows": ("x.jsonl", lambda path: list(read_objects([path]))),
    "compressed rows": ("x.jsonl.gz", lambda path: list(read_objects([path]))),
    "a Parquet file": ("x.parquet", lambda path: list(read_objects([path]))),
    "a registry": ("x.db", lambda path: Registry.open(path, readonly=True)),
    "a registry that is written": ("x.db", lambda path: Registry.open(path, create=True)),
    "a lock": ("x.json", open_lock),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_refused_by_name(reader: str, kind: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, read = READERS[reader]
    KINDS[kind](tmp_path / name)
    with pytest.raises(RlarError) as caught:
        read(tmp_path / name)
    told = str(caught.value)
    assert str(tmp_path / name) in told and "\n" not in told, told
    assert {"device": "device", "pipe": "pipe", "socket": "pipe", "folder": ""}[kind] in told, told
