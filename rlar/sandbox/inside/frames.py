"""Frames on a socket inside the jail: four bytes of length, little endian, then JSON."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from typing import Any

MAX_FRAME = 64 << 20
"""What a child reads from the supervisor."""
MAX_REPLY = 16 << 20
"""What one child reads from another, and the supervisor from any child."""

_LENGTH = struct.Struct("<I")
_DECODE = json.JSONDecoder().decode
_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class FrameError(Exception):
    """The other side closed the channel or sent something that is not a frame."""


def read_exactly(descriptor: int, size: int) -> bytes:
    """`size` bytes. Raises FrameError where the channel ends before."""
    chunk = os.read(descriptor, size)
    if len(chunk) == size:
        return chunk
    parts = [chunk]
    missing = size - len(chunk)
    while missing:
        if not chunk:
            raise FrameError("the channel was closed")
        chunk = os.read(descriptor, min(missing, 1 << 20))
        parts.append(chunk)
        missing -= len(chunk)
    return b"".join(parts)


def read_frame(descriptor: int, limit: int = MAX_FRAME) -> Any:
    """The next frame's JSON value. Both sides take turns, so more bytes than one frame are an error."""
    data = os.read(descriptor, 1 << 16)
    if len(data) < 4:
        if not data:
            raise FrameError("the channel was closed")
        data += read_exactly(descriptor, 4 - len(data))
    (size,) = _LENGTH.unpack_from(data)
    if size > limit:
        raise FrameError(f"a frame of {size} bytes, limit {limit}")
    missing = size + 4 - len(data)
    if missing < 0:
        raise FrameError("more bytes than one frame")
    if missing:
        data += read_exactly(descriptor, missing)
    return _DECODE(data[4:].decode())


def read_frame_with_descriptors(descriptor: int, most: int) -> tuple[Any, list[int]] | None:
    """A frame's JSON value and the descriptors, at most so many, that came with its length; None at the end."""
    channel = socket.socket(fileno=os.dup(descriptor))
    try:
        head, ancillary, _flags, _address = channel.recvmsg(4, socket.CMSG_SPACE(4 * most))
    finally:
        channel.close()
    if not head:
        return None
    descriptors = array.array("i")
    for _level, _kind, data in ancillary:
        descriptors.frombytes(data[: len(data) - len(data) % 4])
    if len(head) < 4:
        head += read_exactly(descriptor, 4 - len(head))
    (size,) = _LENGTH.unpack(head)
    if size > MAX_FRAME:
        raise FrameError("frame too large")
    return _DECODE(read_exactly(descriptor, size).decode()), list(descriptors)


def write_frame(descriptor: int, value: Any) -> None:
    """Send a value as JSON after 4 bytes of length."""
    body = _ENCODE(value).encode()
    data = _LENGTH.pack(len(body)) + body
    sent = os.write(descriptor, data)
    while sent < len(data):
        sent += os.write(descriptor, data[sent : sent + (1 << 20)])
