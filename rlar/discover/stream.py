"""Every row of a long file with its task and its binding: in order, over several processes, in bounded memory.

The processes are started fresh as `python -m rlar.discover.stream_worker` (see there), never forked and never importing
the caller's main module again, so this works from a script, a console command, a test and a server's thread alike.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from rlar.discover.frames import read_frame, write_frame
from rlar.discover.row_router import RowRouter
from rlar.errors import RlarError
from rlar.kinds.bind import bind
from rlar.kinds.parsed import Parsed
from rlar.types import Example, JsonObject, Message

ROWS_PER_CHUNK = 512
"""Rows that travel together."""
CHUNK_CHARACTERS = 4_000_000
"""A chunk of long rows ends early."""
CHUNKS_AHEAD = 3
"""Chunks on their way per process: enough to keep it busy, few enough to stay small."""
WORTH_PROCESSES = 20_000
"""Rows from which processes pay for their start of about two seconds."""


class RoutedRow(NamedTuple):
    """One row with what was found out about it; the fields are those of the registry's RowRecord."""

    row_key: str
    prompt_key: str
    fingerprint: str | None
    """None: unknown."""
    confidence: float
    binding: JsonObject


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def route_rows(router: RowRouter, examples: Sequence[Example]) -> list[RoutedRow]:
    """Task and binding of every row, in order; each row is decided by itself."""
    contracts = dict(zip(router.fingerprints, router.contracts, strict=True))
    rows = [Parsed(example) for example in examples]
    found = []
    for row, assignment in zip(rows, router.assign_parsed(rows), strict=True):
        name = assignment.fingerprint
        binding = bind(row.example, contracts[name], row) if name is not None else {}
        found.append(RoutedRow(row.example.key, row.example.prompt_key, name, assignment.confidence, binding))
    return found


def assign_stream(router: RowRouter, examples: Iterable[Example], *, workers: int = 1) -> Iterator[RoutedRow]:
    """Every row with its task and binding, in order; the same for any number of workers.

    Args:
        examples: read as results are taken, at most a few chunks ahead.
        workers: processes to share the work; 1: this one. Worth their start from WORTH_PROCESSES rows on.

    Raises:
        RlarError: a process was lost (killed, out of memory); says at which rows.
    """
    chunks = _chunks(examples)
    if workers <= 1:
        for chunk in chunks:
            yield from route_rows(router, chunk)
        return
    with _Crew(router, workers) as crew:
        waiting: deque[Future[bytes]] = deque()
        first = 1
        for chunk in chunks:
            waiting.append(crew.submit(chunk, first))
            first += len(chunk)
            if len(waiting) >= workers * CHUNKS_AHEAD:
                yield from _unpacked(waiting.popleft())
        while waiting:
            yield from _unpacked(waiting.popleft())


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    rows = iter(examples)
    while chunk := list(islice(rows, 1)):
        size = 0
        for example in islice(rows, ROWS_PER_CHUNK - 1):
            chunk.append(example)
            size += len(example.text) + sum(map(len, example.references))
            if size > CHUNK_CHARACTERS:
                break
        yield chunk


# ------------------------------------------------------------------------------------------ over the pipe


def pack_rows(examples: Sequence[Example]) -> bytes:
    """Examples as plain values: a third of the time that pickling models takes. The origin stays behind."""
    return pickle.dumps(
        [
            (
                example.id,
                [(message.role, message.content) for message in example.prompt],
                example.references,
                example.columns,
            )
            for example in examples
        ],
        pickle.HIGHEST_PROTOCOL,
    )


def unpack_rows(data: bytes) -> list[Example]:
    """Back from `pack_rows`."""
    return [
        Example(
            id=identity,
            prompt=tuple([Message.model_construct(role=role, content=content) for role, content in prompt]),
            reference=references[0] if references else None,
            references=references,
            columns=columns,
        )
        for identity, prompt, references, columns in pickle.loads(data)
    ]


def _unpacked(future: Future[bytes]) -> Iterator[RoutedRow]:
    for values in pickle.loads(future.result()):
        yield RoutedRow._make(values)


# ------------------------------------------------------------------------------------------ processes


class _Crew:
    """Worker processes, each spoken to by a thread of its own: a thread sends one chunk and waits for its rows."""

    def __init__(self, router: RowRouter, workers: int) -> None:
        self._router = pickle.dumps(router, pickle.HIGHEST_PROTOCOL)
        self._members: list[_Member] = []
        self._own = threading.local()
        self._lock = threading.Lock()
        self._is_closed = False
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="rlar-assign")

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._is_closed = True
            members = list(self._members)
        for member in members:
            member.kill()  # a thread that waits for it wakes up
        self._threads.shutdown(wait=True, cancel_futures=True)
        for member in members:
            member.close()

    def submit(self, chunk: Sequence[Example], first: int) -> Future[bytes]:
        """The packed rows of a chunk, some time; `first` is the number of its first row, for messages."""
        return self._threads.submit(self._work, pack_rows(chunk), f"{first:,} to {first + len(chunk) - 1:,}")

    def _work(self, packed: bytes, rows: str) -> bytes:
        member: _Member | None = getattr(self._own, "member", None)
        if member is None:
            with self._lock:
                if self._is_closed:
                    raise RlarError("the assignment of rows was stopped")
                member = self._own.member = _Member(self._router)
                self._members.append(member)
        return member.work(packed, rows)


class _Member:
    """One process and the pipes to it."""

    def __init__(self, router: bytes) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        paths = [path or str(Path.cwd()) for path in sys.path]
        # One thread each: there is a process for every processor, and sums in another order give other numbers.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rlar.discover.stream_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **threads},
            start_new_session=True,
        )
        self._greeting: bytes | None = router

    def work(self, packed: bytes, rows: str) -> bytes:
        """The packed results of packed rows. Raises RlarError where the process is lost."""
        assert self._process.stdin is not None and self._process.stdout is not None
        reply = None
        with suppress(OSError):  # a broken pipe: the same as no reply
            if self._greeting is not None:
                write_frame(self._process.stdin, self._greeting)
                self._greeting = None
            write_frame(self._process.stdin, packed)
            reply = read_frame(self._process.stdout)
        if reply is None:
            raise RlarError(f"a process that assigned rows {rows} {self._fate()}; run again, what is done stays done")
        return reply

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    def close(self) -> None:
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with suppress(OSError):  # what could not be flushed has no reader any more
                    stream.close()

    def _fate(self) -> str:
        try:
            code = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - 2000))
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        if code < 0 and not lines:
            memory = " (out of memory?)" if code == -signal.SIGKILL else ""
            return f"was killed by {signal.Signals(-code).name}{memory}"
        return f"ended (exit code {code}): {lines[-1][:300] if lines else 'it left no message'}"


def serve(router: RowRouter, packed: bytes) -> bytes:
    """What a worker answers to a chunk: `route_rows` of it, packed."""
    return pickle.dumps([tuple(row) for row in route_rows(router, unpack_rows(packed))], pickle.HIGHEST_PROTOCOL)
