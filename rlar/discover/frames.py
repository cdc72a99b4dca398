"""Frames over a pipe, between `rlar.discover.stream` and its worker processes."""

from __future__ import annotations

from typing import IO


def write_frame(stream: IO[bytes], body: bytes) -> None:
    """8 bytes of length, then the body."""
    stream.write(len(body).to_bytes(8, "little"))
    stream.write(body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The body of the next frame; None where the stream ends before it does."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "little")
    body = stream.read(size)
    return body if len(body) == size else None
