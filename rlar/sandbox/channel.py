"""The supervisor's end of a socket into the jail: frames with a deadline, bytes from the other side never trusted."""

from __future__ import annotations

import array
import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

import orjson

_LENGTH = struct.Struct("<I")
_TIMEVAL = struct.Struct("ll")
_CHUNK = 1 << 16


class ChannelClosed(Exception):
    """The other side is gone."""


class ChannelGarbage(Exception):
    """The other side sent what is no frame."""


class ChannelTimeout(Exception):
    """The deadline passed."""


def pack(value: Any) -> bytes:
    """A frame; text with lone surrogates included, which orjson refuses."""
    try:
        body = orjson.dumps(value)
    except TypeError:
        body = json.dumps(value, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Channel:
    """One blocking socket, used by one thread at a time. A deadline is a `time.monotonic()` value.

    Deadlines hold through the kernel's send and receive timeouts: one system call per frame and direction, where
    Python's own socket timeouts cost three. They are only set anew when they would be off by more than a few percent;
    a wake-up too early looks at the clock and goes on waiting.
    """

    __slots__ = ("_receive_timeout", "_rest", "_send_timeout", "_socket")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._send_timeout = 0.0
        self._receive_timeout = 0.0
        self._rest = b""

    def release(self) -> int:
        """The descriptor, without timeouts, to be given away with a frame."""
        if self._send_timeout:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(0.0))
            self._send_timeout = 0.0
        if self._receive_timeout:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(0.0))
            self._receive_timeout = 0.0
        return self._socket.fileno()

    def send(self, value: Any, deadline: float, descriptors: Sequence[int] = ()) -> None:
        """Send a frame; the descriptors travel with its first bytes."""
        data = pack(value)
        sent = 0
        try:
            if descriptors:
                self._arm_send(deadline)
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
                sent = self._socket.sendmsg([data[:4]], ancillary)
            while sent < len(data):
                self._arm_send(deadline)
                try:
                    sent += self._socket.send(memoryview(data)[sent:] if sent else data)
                except BlockingIOError:
                    continue
        except BlockingIOError:
            raise ChannelTimeout from None
        except OSError as error:
            raise ChannelClosed(str(error)) from None

    def receive(self, deadline: float, limit: int, *, another_may_follow: bool = False) -> Any:
        """The next frame's JSON value; garbage is larger than `limit`, no JSON, or nested past the decoder's depth.

        Bytes behind the frame are garbage too, unless `another_may_follow`: then they begin the next one.
        """
        data, self._rest = self._rest or self._read(deadline, _CHUNK), b""
        while len(data) < 4:
            data += self._read(deadline, _CHUNK)
        (size,) = _LENGTH.unpack_from(data)
        if size > limit:
            raise ChannelGarbage(f"a frame of {size} bytes, limit {limit}")
        missing = size + 4 - len(data)
        if missing < 0:
            if not another_may_follow:
                raise ChannelGarbage("more bytes than the frame has")
            data, self._rest = data[:missing], data[missing:]
            missing = 0
        if missing:
            parts = [data]
            while missing:
                part = self._read(deadline, min(missing, _CHUNK))
                parts.append(part)
                missing -= len(part)
            data = b"".join(parts)
        try:
            return orjson.loads(memoryview(data)[4:])
        except (ValueError, RecursionError):
            raise ChannelGarbage("no JSON") from None

    @property
    def holds_more(self) -> bool:
        """Whether the last read brought bytes behind its frame."""
        return bool(self._rest)

    def is_hung_up(self) -> bool:
        """Whether the other side has closed its end: its process has ended, or soon will have."""
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def _arm_send(self, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise ChannelTimeout
        if _differs(self._send_timeout, remaining):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(remaining))
            self._send_timeout = remaining

    def _read(self, deadline: float, size: int) -> bytes:
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise ChannelTimeout
            try:
                if _differs(self._receive_timeout, remaining):
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(remaining))
                    self._receive_timeout = remaining
                data = self._socket.recv(size)
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelClosed(str(error)) from None
            if not data:
                raise ChannelClosed("end of file")
            return data

    def close(self) -> None:
        """Close the socket; the other side sees the end."""
        self._socket.close()


def _differs(armed: float, wanted: float) -> bool:
    return not 0.9 * wanted <= armed <= 1.02 * wanted + 0.005


def _timeval(seconds: float) -> bytes:
    """A struct timeval; never zero for a positive time, because zero means to wait for ever."""
    whole = int(seconds)
    return _TIMEVAL.pack(whole, max(int((seconds - whole) * 1e6), 1 if seconds > 0 else 0))


def open_pair() -> tuple[Channel, socket.socket]:
    """Our end, and the one to give away."""
    ours, theirs = socket.socketpair()
    return Channel(ours), theirs
