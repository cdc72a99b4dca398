"""Child processes in which foreign bytes are unpacked: with a limit of memory that a bomb hits instead of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def start_bounded(module: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """`python -m module` in a process of its own; it calls `limit_memory` once it has imported what it needs."""
    paths = [path or str(Path.cwd()) for path in sys.path]
    # Arenas of many threads, and pools that keep what they freed, would count as memory in use.
    frugal = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        env={**os.environ, **frugal, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
        **options,
    )


def limit_memory(more_bytes: int) -> None:
    """Let this process map so many bytes beyond what it has mapped; more is a MemoryError. Linux only."""
    if sys.platform != "linux":
        return
    import resource

    mapped = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more_bytes, mapped + more_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def last_words(process: subprocess.Popen[bytes], stderr: bytes) -> str:
    """How an ended process ended, with the last line it said."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return f"exit code {process.returncode}" + (f": {lines[-1][:300]}" if lines else "")
