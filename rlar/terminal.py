"""The one way to a terminal: what is printed is text to read, whoever wrote it.

Labels, prompts, file names, explanations and model ids come from datasets and foreign registries. Escape sequences in
them would drive the terminal, and characters that cannot be seen would make one name look like another. Everything that
`rlar` prints passes through here: `say`, `say_json` and `console` for what it says itself, `guard_streams` for what
comes some other way (log records, warnings, tracebacks, the option parser's complaints).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from rlar.visible import CONTROLS, IGNORABLE

_UNSAFE = re.compile(f"[{CONTROLS}{IGNORABLE}\r\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


def shown(text: str) -> str:
    """The text with whatever drives a terminal or cannot be seen written out, e.g. "\\x1b" as four characters.

    Stay as they are: line feeds, tabs, and joiners and variation selectors inside emoji and words beyond ASCII.
    """
    return _UNSAFE.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    character, text, at = match[0], match.string, match.start()
    if (
        character in _JOINERS
        and at
        and text[at - 1] > "\x7f"
        and (text[at - 1] == "\ufe0f" or not _UNSAFE.match(text[at - 1]))
    ):
        return character
    return character.encode("unicode_escape").decode("ascii")


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON in which the same characters are escaped as JSON does it; read back, it is the same value."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSAFE.sub(lambda match: json.dumps(match[0])[1:-1], text)


def say(text: str, *, err: bool = False) -> None:
    """Print a line (or several) on stdout or stderr."""
    typer.echo(shown(text), err=err)


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Print a value as JSON on stdout."""
    typer.echo(json_text(value, indent=indent))


class _SafeConsole(Console):
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                # No links of ours: one that comes along was decoded out of somebody's log line.
                style = segment.style.update_link(None) if segment.style and segment.style.link else segment.style
                yield Segment(shown(segment.text), style)


def console(stream: TextIO, **options: Any) -> Console:
    """A rich console whose texts are safe; its own colours and cursor movements go through."""
    return _SafeConsole(file=stream.stream if isinstance(stream, _SafeStream) else stream, **options)


class _SafeStream:
    """A text stream that passes on only `shown` text."""

    def __init__(self, stream: TextIO, *, has_colours: bool = False) -> None:
        self.stream = stream
        self._has_colours = has_colours

    @property
    def rich_proxied_file(self) -> Any:
        """What rich consoles of other packages (the option parser's help) write to: their colours go through."""
        return _SafeStream(self.stream, has_colours=True)

    def write(self, text: str) -> int:
        # Progress bars of other packages begin every write so, to overwrite themselves.
        start = "\r" if text.startswith("\r") and self.stream.isatty() else ""
        pieces = [text[len(start) :]]
        if self._has_colours:
            pieces = _COLOUR.split(pieces[0])
        self.stream.write(start + "".join([piece if _COLOUR.fullmatch(piece) else shown(piece) for piece in pieces]))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def guard_streams() -> None:
    """Have everything that this process writes to sys.stdout and sys.stderr from now on made safe."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _SafeStream):
            setattr(sys, name, cast(TextIO, _SafeStream(stream)))
