"""Every row of a long file with its task and its binding: in order, over several processes, in bounded memory.

The processes are started fresh as `python -m rlar.discover.stream_worker` (see there), never forked and never importing
the caller's main module again, so this works from a script, a console command, a test and a server's thread alike.
"""

from __future__ import annotations

import io
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import orjson

from rlar.discover.row_router import RowRouter
from rlar.errors import RlarError
from rlar.kinds.bind import bind
from rlar.kinds.parsed import Parsed
from rlar.process import Child, Crew, End, to_json
from rlar.types import Contract, Example, JsonObject, Message

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
    routed = []
    for row, assignment in zip(rows, router.assign_parsed(rows), strict=True):
        name = assignment.fingerprint
        binding = bind(row.example, contracts[name], row) if name is not None else {}
        routed.append(RoutedRow(row.example.key, row.example.prompt_key, name, assignment.confidence, binding))
    return routed


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
    with Crew(partial(_start, *_packed(router)), workers) as crew:
        waiting: deque[tuple[Future[bytes | End], str]] = deque()
        first = 1
        for chunk in chunks:
            waiting.append((crew.submit(pack_rows(chunk)), f"{first:,} to {first + len(chunk) - 1:,}"))
            first += len(chunk)
            if len(waiting) >= workers * CHUNKS_AHEAD:
                yield from _unpacked(*waiting.popleft())
        while waiting:
            yield from _unpacked(*waiting.popleft())


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
    """Examples as plain values, a line each; the origin stays behind."""
    return b"\n".join(
        [
            _line(
                (
                    example.id,
                    [(message.role, message.content) for message in example.prompt],
                    example.references,
                    example.columns,
                )
            )
            for example in examples
        ]
    )


def unpack_rows(data: bytes) -> list[Example]:
    """Back from `pack_rows`."""
    return [
        Example(
            id=identity,
            prompt=tuple([Message(role=role, content=content) for role, content in prompt]),
            reference=references[0] if references else None,
            references=tuple(references),
            columns=columns,
        )
        for identity, prompt, references, columns in map(_values, data.split(b"\n"))
    ]


def _line(values: Any) -> bytes:
    """One row in JSON. orjson writes infinities as null, so what has a null goes the slow way, marked by a blank."""
    try:
        data = orjson.dumps(values)
    except TypeError:  # an integer past 64 bits, a lone surrogate
        return b" " + to_json(values)
    return b" " + to_json(values) if b"null" in data else data


def _values(line: bytes) -> Any:
    return json.loads(line) if line.startswith(b" ") else orjson.loads(line)


def _unpacked(future: Future[bytes | End], rows: str) -> Iterator[RoutedRow]:
    reply = future.result()
    if isinstance(reply, End):
        fate = f"ended (exit code {reply.code})"
        if reply.signal:
            fate = f"was killed by {reply.signal}" + (" (out of memory?)" if reply.signal == "SIGKILL" else "")
        last_line = f": {reply.line}" if reply.line else ""
        raise RlarError(f"a process that assigned rows {rows} {fate}{last_line}; run again, what is done stays done")
    for row_key, prompt_key, name, confidence, binding in map(_values, reply.split(b"\n")):
        yield RoutedRow(row_key, prompt_key, name or None, confidence, binding)


def _packed(router: RowRouter) -> tuple[bytes, bytes]:
    arrays = io.BytesIO()
    np.savez(arrays, **router.to_arrays())  # type: ignore[arg-type]
    return to_json([contract.model_dump(mode="json") for contract in router.contracts]), arrays.getvalue()


def _start(contracts: bytes, arrays: bytes) -> Child:
    # One thread each: there is a process for every processor, and sums in another order give other numbers.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    child = Child("rlar.discover.stream_worker", environment=threads)
    with suppress(OSError):  # it has ended; whoever waits for its answer finds out how
        child.send(contracts, arrays)
    return child


def unpack_router(contracts: bytes, arrays: bytes) -> RowRouter:
    """The router that a worker was sent."""
    with np.load(io.BytesIO(arrays), allow_pickle=False) as stored:
        held = {name: stored[name] for name in stored.files}
    return RowRouter(
        held["fingerprints"].tolist(), [Contract.model_validate(each) for each in json.loads(contracts)], held
    )


def serve(router: RowRouter, packed: bytes) -> bytes:
    """What a worker answers to a chunk: `route_rows` of it, packed."""
    rows = route_rows(router, unpack_rows(packed))
    return b"\n".join([_line((row.row_key, row.prompt_key, row.fingerprint or "", *row[3:])) for row in rows])
