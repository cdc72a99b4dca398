"""Regular expressions that others wrote, on texts that others wrote: matched in time linear in the text, or refused.

Python's `re` takes exponential time on `(a+)+b`, so a pattern from a dataset row never reaches it. RE2 matches without
backtracking; what it cannot take (lookarounds, back references, huge counted repeats) is refused when it is compiled.
Patterns are read as JSON Schema has them (ECMA-262): `\\d` and `\\w` are ASCII, `$` is the end of the text alone.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

MAX_PATTERN_CHARACTERS = 2_000
MAX_STATES = 10_000
"""Of the compiled pattern: matching takes up to that many steps a character."""


class PatternRefused(Exception):
    """The pattern is malformed, or cannot be matched in linear time; says which and why."""


class ForeignRegex:
    """A compiled pattern; `compile_foreign` makes it."""

    def __init__(self, compiled: Any, states: int) -> None:
        self._compiled = compiled
        self.states = states
        """Steps that one character may take."""

    def is_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere; half characters (lone surrogates) count as "?"."""
        return self._compiled.search(text.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=1024)
def compile_foreign(pattern: str) -> ForeignRegex:
    """The pattern, ready to search. Raises PatternRefused."""
    import re2

    short = pattern if len(pattern) <= 60 else pattern[:57] + "..."
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise PatternRefused(f"the pattern {short!r} has {len(pattern):,} characters, over {MAX_PATTERN_CHARACTERS:,}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 4 << 20
    try:
        compiled = re2.compile(_spelled(pattern).encode(), options)
    except UnicodeEncodeError as error:
        raise PatternRefused(f"the pattern {short!r} holds half a character (a lone surrogate)") from error
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if error.args else "RE2 cannot read it"
        raise PatternRefused(f"the pattern {short!r} is none that RE2 can match in linear time ({why})") from error
    states = int(compiled.programsize)
    if states > MAX_STATES:
        raise PatternRefused(f"the pattern {short!r} is too large: {states:,} states, over {MAX_STATES:,}")
    return ForeignRegex(compiled, states)


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|.)", re.S)


def _spelled(pattern: str) -> str:
    """ECMA-262's \\uXXXX, a pair of them for characters beyond 0xFFFF, in RE2's spelling."""

    def spell(found: re.Match[str]) -> str:
        first, second = found[1], found[2]
        if first is None:
            return found[0]
        code = int(first, 16)
        if second is None:
            return f"\\x{{{code:x}}}"
        low = int(second, 16)
        if 0xD800 <= code < 0xDC00:
            return f"\\x{{{0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00):x}}}"
        return f"\\x{{{code:x}}}\\x{{{low:x}}}"

    return _ESCAPE.sub(spell, pattern)
