"""The answer that somebody else's server sends: bounded in bytes as they lie in memory, and in seconds.

A few compressed bytes unfold into gigabytes before anybody can count them, so no compression is asked for, and an answer
that is compressed all the same is not read.

httpx limits silence, no more: headers a byte at a time, or interim answers without end, hold a request for ever. So every
read from a connection looks at the clock (`answered_until`, with `watch_reads` as the request's extension "trace").
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes. JSON of so many becomes at most some 250 MB of Python objects."""
PLAIN = {"Accept-Encoding": "identity"}
"""Headers of every request whose answer `read_body` reads."""


class BodyRefused(Exception):
    """What is wrong with a body."""


class BodyLate(Exception):
    """An answer took too long."""


_until: ContextVar[float] = ContextVar("until", default=math.inf)


@contextmanager
def answered_until(until: float) -> Iterator[None]:
    """Reads of this thread from a watched connection raise BodyLate once time.monotonic() is past `until`."""
    token = _until.set(until)
    try:
        yield
    finally:
        _until.reset(token)


def watch_reads(_event: str, details: Mapping[str, Any]) -> None:
    """The extension "trace" of a request of httpx (any version): has a new connection obey `answered_until`."""
    stream: Any = details.get("return_value")
    if not hasattr(stream, "get_extra_info"):  # what httpcore calls a NetworkStream; other events return no such thing
        return
    read = stream.read

    def watched(max_bytes: int, timeout: float | None = None) -> bytes:
        left = _until.get() - time.monotonic()
        if left <= 0:
            raise BodyLate
        content: bytes = read(max_bytes, left if timeout is None else min(timeout, left))
        return content

    stream.read = watched


def read_body(response: Any, *, until: float, most: int = LARGEST_ANSWER) -> bytes:
    """The whole body of a streamed response of httpx (any version).

    Args:
        until: on time.monotonic().

    Raises:
        BodyRefused: it is compressed, or longer than `most` bytes.
        BodyLate: it was not there in time.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise BodyRefused(f"is compressed ({coding[:20]!r}), which nobody asked for")
    content = bytearray()
    for part in response.iter_raw():
        content += part
        if len(content) > most:
            raise BodyRefused(f"has more than {most:,} bytes")
        if time.monotonic() > until:
            raise BodyLate
    return bytes(content)
