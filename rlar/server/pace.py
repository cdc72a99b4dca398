"""How slow a client may be."""

from __future__ import annotations

HEAD_SECONDS = 10.0
"""From a connection's begin, or a later request's first byte, to the end of the request's head."""
PACE_SECONDS, PACE_BYTES = 10.0, 64 * 1024
"""A body sent or an answer read may stand still for PACE_SECONDS, and must move PACE_BYTES a second on average."""
STOPPING_SECONDS = 2.0
"""How long a stopping server waits for the rest of a body."""


class Pace:
    """When a transfer becomes too slow: every byte puts that off, but never past PACE_SECONDS from now.

    Without that limit a client could hurry first and then stall for as long as it was ahead.
    """

    def __init__(self, now: float) -> None:
        self.too_slow_at = now + PACE_SECONDS

    def move(self, now: float, count: int) -> None:
        """Take note of `count` bytes that have just gone over."""
        self.too_slow_at = min(now + PACE_SECONDS, self.too_slow_at + count / PACE_BYTES)
