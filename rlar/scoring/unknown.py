"""Rows of no known task, kept in a file for the next build: `rlar agent build-tools --dataset unknown.jsonl` takes it."""

from __future__ import annotations

import fcntl
import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from rlar.errors import ConfigError
from rlar.foreign import parse_json
from rlar.rows.example import RejectedRow, row_to_example
from rlar.types import Example, JsonObject

logger = logging.getLogger(__name__)


class UnknownQueue:
    """Appends rows to a JSONL file in rlar's own row shape, each distinct row once. Thread-safe; processes may share it.

    What cannot be written costs a warning, never a reward.
    """

    def __init__(self, path: str | Path) -> None:
        """
        Raises:
            ConfigError: the path is a folder, or lies in none.
        """
        self.path = Path(path)
        if self.path.is_dir() or not self.path.absolute().parent.is_dir():
            raise ConfigError(f"{self.path} is a folder, or its folder does not exist; name a .jsonl file")
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._read_to = 0
        self._warned = False

    def add(self, examples: Sequence[Example]) -> None:
        """Write the rows that are not there yet."""
        with self._lock:
            new = {example.identity: example for example in examples if example.identity not in self._seen}
            if not new:
                return
            try:
                with self.path.open("a+b") as stream:
                    fcntl.flock(stream, fcntl.LOCK_EX)
                    self._read_others(stream)
                    lines = [row_line(example) for key, example in new.items() if key not in self._seen]
                    self._append(stream, b"".join(lines))
                    self._seen.update(new)
            except OSError as error:
                if not self._warned:
                    self._warned = True
                    logger.warning("unknown rows cannot be queued in %s (%s); scoring goes on", self.path, error)

    def _read_others(self, stream: IO[bytes]) -> None:
        """Take note of the rows that are there: an earlier run's, or another process's."""
        stream.seek(self._read_to)
        for line in stream:
            if not line.endswith(b"\n"):
                # A process died, or a disk was full, in the middle of it.
                stream.truncate(self._read_to)
                break
            self._read_to += len(line)
            try:
                example = row_to_example(parse_json(line))
            except ValueError:
                continue
            if not isinstance(example, RejectedRow):
                self._seen.add(example.identity)

    def _append(self, stream: IO[bytes], data: bytes) -> None:
        stream.seek(0, 2)
        start = stream.tell()
        try:
            stream.write(data)
            stream.flush()
        except OSError:
            stream.truncate(start)
            raise
        self._read_to = start + len(data)


def row_line(example: Example) -> bytes:
    """A row as one line of JSONL; reading it gives the same prompt, references and columns."""
    row: JsonObject = dict(example.columns)
    messages = example.prompt
    is_text = len(messages) == 1 and messages[0].role == "user"
    row["prompt"] = messages[0].content if is_text else [message.model_dump() for message in messages]
    if example.references:
        row["reference"] = list(example.references) if len(example.references) > 1 else example.references[0]
    row["id"] = example.id
    return json.dumps(row, ensure_ascii=True).encode("ascii") + b"\n"
