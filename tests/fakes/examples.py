"""How many examples a property is tried on: few in every run, many where CI asks for them (RLAR_EXAMPLES=all)."""

from __future__ import annotations

import os

ALL = os.environ.get("RLAR_EXAMPLES") == "all"
SHARE = 5
FEWEST = 10


def examples(count: int) -> int:
    """`count` where all are asked for, else a fifth of them, and 10 at least."""
    return count if ALL else min(count, max(FEWEST, count // SHARE))
