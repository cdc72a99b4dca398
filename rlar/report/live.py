"""What a person sees of something that takes a while: a live display on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Group
from rich.live import Live
from rich.text import Text

from rlar.terminal import console


class Progress:
    """Follows events; use as a context manager and call it with each event."""

    transient = False
    """Whether the display goes when it ends."""

    def __init__(self, stream: TextIO, *, live: bool | None = None) -> None:
        """
        Args:
            live: a display that changes; None: where the stream is a terminal.
        """
        self.console = console(stream, soft_wrap=live is False)
        self.is_live = self.console.is_terminal if live is None else live
        self.started = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.is_live:
            self._live = Live(self._render(), console=self.console, refresh_per_second=4, transient=self.transient)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def __call__(self, event: dict[str, Any]) -> None:
        line = self._take(event)
        if self._live is not None:
            self._live.update(self._render())
        elif line:
            # One line an event, however long: a log is searched, not read in columns.
            self.console.print(Text(f"[{time.monotonic() - self.started:6.1f}s] {line}"), soft_wrap=True)

    def _take(self, event: dict[str, Any]) -> str | None:
        """Note an event; returns the line that a plain log shows for it, if any."""
        raise NotImplementedError

    def _render(self) -> Group:
        raise NotImplementedError
