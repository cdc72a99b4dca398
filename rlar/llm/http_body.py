"""The body of an answer that somebody else's server sends: bounded in bytes as they lie in memory, and in seconds.

A few compressed bytes unfold into gigabytes before anybody can count them, so no compression is asked for, and an answer
that is compressed all the same is not read.
"""

from __future__ import annotations

import time
from typing import Any

LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes. JSON of so many becomes at most some 250 MB of Python objects."""
PLAIN = {"Accept-Encoding": "identity"}
"""Headers of every request whose answer `read_body` reads."""


class BodyRefused(Exception):
    """What is wrong with a body."""


class BodyLate(Exception):
    """A body took too long."""


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
