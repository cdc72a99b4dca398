"""How many files and functions of rlar a completion passes on its way to a reward: what somebody reads who wants to know.

    python benchmarks/hops.py [REGISTRY]

Builds a registry from examples/mix.jsonl where none is named. Counts calls in all threads, with tools in this process
(`workers=0`) and after a first call that loads them.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import rlar  # noqa: E402
from rlar.registry.registry import Registry  # noqa: E402

PACKAGE = Path(rlar.__file__).parent
KINDS = ("number", "sql")


class Hops:
    """Counts the calls of Python functions of the package while it is on."""

    def __init__(self) -> None:
        self.is_on = False
        self.files: dict[str, None] = {}
        self.functions: set[tuple[str, str]] = set()
        self.moves = 0
        self._last: dict[int, str] = {}

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        name = frame.f_code.co_filename
        if not self.is_on or event != "call" or not name.startswith(str(PACKAGE)):
            return
        file = str(Path(name).relative_to(PACKAGE))
        self.files[file] = None
        self.functions.add((file, frame.f_code.co_qualname))
        thread = threading.get_ident()
        self.moves += self._last.get(thread, file) != file
        self._last[thread] = file


def build(folder: Path) -> Path:
    from rlar.agent.build import build_tools
    from rlar.config import BuildConfig

    registry = folder / "registry.db"
    build_tools(BuildConfig(dataset=(str(ROOT / "examples" / "mix.jsonl"),), registry=str(registry), report=None))
    return registry


def measure(registry: Path) -> None:
    with Registry.open(registry, readonly=True) as opened:
        examples = {task.contract.answer_kind.value: task.examples[0] for task in opened.tasks() if task.examples}
    for kind in KINDS:
        hops = Hops()
        threading.setprofile(hops)  # every thread that is started from here on
        sys.setprofile(hops)
        with rlar.load(str(registry), workers=0) as rewards:
            for number in (1, 2):  # the second is loaded, and not in the cache
                hops.is_on = number == 2
                rewards.score([rlar.RoutedSample(example=examples[kind], completion=f"The answer is {number}.")])
            hops.is_on = False
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        print(f"{kind}: {len(hops.files)} files, {len(hops.functions)} functions, {hops.moves} moves between files")
        print("   " + " ".join(hops.files))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(build(Path(folder)))
