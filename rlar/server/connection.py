"""A client's connection: uvicorn's, with an end to waiting for the client.

uvicorn limits how long a connection may be idle between requests, and nothing else: a client that sends half a head,
half a body, or never reads its answer holds its connection (and SIGTERM) for as long as it likes. Here everything that
a client owes us has a deadline; that of a body is Guard's affair, which can still answer.
"""

from __future__ import annotations

import asyncio
import resource

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from rlar.server.pace import HEAD_SECONDS, STOPPING_SECONDS, Pace

LOOK_SECONDS = 0.5
"""Between two looks at a connection."""


def most_connections() -> int:
    """Connections that one process holds: half of its file descriptors; tools and sandboxes need the others."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4096 if soft == resource.RLIM_INFINITY else max(16, min(4096, soft // 2))


class Connection(H11Protocol):
    """An HTTP/1.1 connection that is cut when its client is too slow, and makes room for others when it is idle."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clocks."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._owes_head_since: float | None = self._idle_since
        """None while a request is under way or the connection is idle."""
        self._has_asked = False
        self._reading: Pace | None = None
        """How the client reads what has been written; None where it has read everything."""
        self._unread = 0
        self._stops_at: float | None = None
        self._look = self.loop.call_later(LOOK_SECONDS, self._watch)
        if len(self.connections) > most_connections():
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note that the client sends."""
        super().data_received(data)
        if self._is_asking:
            self._owes_head_since, self._has_asked = None, True
        elif self._owes_head_since is None:
            self._owes_head_since = self.loop.time()

    def on_response_complete(self) -> None:
        """Note that the connection is idle."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Finish what is being answered, within a limit."""
        self._stops_at = self.loop.time() + STOPPING_SECONDS
        super().shutdown()

    @property
    def _is_asking(self) -> bool:
        """Is a request under way, from the end of its head to the end of its answer?"""
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self) -> None:
        self._look = self.loop.call_later(LOOK_SECONDS, self._watch)
        now = self.loop.time()
        before, self._unread = self._unread, self.transport.get_write_buffer_size()
        if not self._unread:
            self._reading = None
        elif self._reading is None:
            self._reading = Pace(now)
        else:
            self._reading.move(now, max(0, before - self._unread))
        if (
            (self._owes_head_since is not None and self._owes_head_since + HEAD_SECONDS <= now)
            or (self._reading is not None and self._reading.too_slow_at <= now)
            or (self._stops_at is not None and self._stops_at <= now and self._is_asking and self.cycle.more_body)
        ):
            self.transport.abort()

    def _make_room(self) -> None:
        """Cut the other connection that has had nothing to do for longest; first one that never asked or was refused.

        This one is new and had no time to ask. One that was answered before its body came is as good as silent.
        """
        others = [
            other
            for other in self.connections
            if isinstance(other, Connection) and other is not self and not other._is_asking
        ]
        if others:
            min(others, key=lambda other: (other._is_kept_alive, other._idle_since)).transport.abort()

    @property
    def _is_kept_alive(self) -> bool:
        return self._has_asked and self.conn.their_state is not h11.SEND_BODY
