"""Rows per second and peak memory of discovery plus assignment, of a file, reading it included.

    python benchmarks/discovery.py                       # 100,000 rows, 2 processes
    python benchmarks/discovery.py --rows 1000000        # memory must not grow: a line on stderr every 100,000 rows
    python benchmarks/discovery.py --registry            # through the build's nodes, into a registry
    python benchmarks/discovery.py --workers 1

Rows are drawn again and again from ../shared/data/mix_train.jsonl with their numbers changed, so that nearly every
row is new; where that file is absent they come from the hand-made generators of the tests. One JSON line is printed;
rows_per_cpu_second counts all processes and is what a busy machine changes least. Needs psutil (extra `dev`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rlar.config import BuildConfig  # noqa: E402
from rlar.discover.discover import discover  # noqa: E402
from rlar.discover.stream import assign_stream  # noqa: E402
from rlar.rows.read import RowStats, usable_rows  # noqa: E402

MIX = ROOT.parent / "shared" / "data" / "mix_train.jsonl"
_NUMBER = re.compile(r"\d+")


def rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` distinct rows, one at a time."""
    r = random.Random(seed)
    if MIX.exists():
        sources = [json.loads(line) for line in MIX.open(encoding="utf-8")]
    else:
        from tests.fakes.generators import TYPES, rows_of

        sources = [row for _, row in rows_of(list(TYPES), 200)]
    for number in range(count):
        row = dict(r.choice(sources))
        row["id"] = f"r{number}"
        if "assert" not in row["prompt"]:
            row["prompt"] = _NUMBER.sub(lambda match: str(r.randint(2, 10 ** min(9, len(match[0])))), row["prompt"])
            row["prompt"] += r.choice(("", " ", "\n", "\n\n", "  ")) * r.randint(0, 9)
        yield row


class Meter(threading.Thread):
    """Peak of the resident memory of this process and its descendants together, looked at ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = self.now_mb = 0
        self._ended = threading.Event()

    def run(self) -> None:
        own = psutil.Process()
        while not self._ended.wait(0.1):
            total = 0
            for process in [own, *own.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
            self.now_mb = total >> 20
            self.peak_mb = max(self.peak_mb, self.now_mb)

    def stop(self) -> int:
        self._ended.set()
        self.join()
        return self.peak_mb


def cpu_seconds() -> float:
    """Of this process and its ended children: says what a loaded machine hides."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def write_file(path: Path, count: int, seed: int) -> None:
    """A file of `count` distinct rows."""
    with path.open("w", encoding="utf-8") as stream:
        for row in rows(count, seed):
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def discover_and_assign(path: Path, workers: int, meter: Meter) -> dict[str, Any]:
    """The file twice through the reader, as the build does: once for the sample, once for every row's task."""
    begin = time.perf_counter()
    discovery = discover(usable_rows([path], RowStats()), sample_size=BuildConfig(dataset=(str(path),)).sample_size)
    discovered = time.perf_counter() - begin
    counts: Counter[str | None] = Counter()
    for number, row in enumerate(assign_stream(discovery.router, usable_rows([path], RowStats()), workers=workers), 1):
        counts[row.fingerprint] += 1
        if number % 100_000 == 0:
            rate = number / (time.perf_counter() - begin - discovered)
            print(
                f"{number:,} rows assigned, {rate:,.0f} a second; {meter.now_mb} MB, at most {meter.peak_mb} MB",
                file=sys.stderr,
                flush=True,
            )
    return {
        "tasks": len(discovery.tasks),
        "unknown": counts[None],
        "discover_seconds": round(discovered, 1),
        "assign_seconds": round(time.perf_counter() - begin - discovered, 1),
    }


def classify_and_assign(path: Path, folder: Path) -> dict[str, Any]:
    """The same through the nodes of the build, into a registry: what `rlar agent build-tools` does but for the gate."""
    from rlar.agent.bench import Workbench
    from rlar.agent.nodes import assign_rows, classify_rows

    config = BuildConfig(dataset=(str(path),), registry=str(folder / "registry.db"), report=None)
    with Workbench() as bench:
        begin = time.perf_counter()
        state = classify_rows(bench, config, lambda _event: None)
        classified = time.perf_counter() - begin
        accepted = state["rows"]["accepted"]
        counts = assign_rows(bench, config, lambda _event: None, expected_rows=accepted)["counts"]
    return {
        "tasks": len(state["tasks"]),
        "unknown": counts.get("unknown", 0),
        "discover_seconds": round(classified, 1),
        "assign_seconds": round(time.perf_counter() - begin - classified, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--registry", action="store_true", help="through the build's nodes, into a registry")
    parser.add_argument("--write", type=Path, help="only write the rows to this file")
    options = parser.parse_args()
    if options.write:
        write_file(options.write, options.rows, options.seed)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "rows.jsonl"
        # In a process of its own: what makes rows must not count as memory or time of what reads them.
        command = [sys.executable, __file__, "--rows", str(options.rows), "--seed", str(options.seed)]
        subprocess.run([*command, "--write", str(path)], check=True)
        meter = Meter()
        meter.start()
        begin, cpu = time.perf_counter(), cpu_seconds()
        if options.registry:
            figures = classify_and_assign(path, folder)
        else:
            figures = discover_and_assign(path, options.workers, meter)
        seconds, cpu = time.perf_counter() - begin, cpu_seconds() - cpu
        result = {
            "rows": options.rows,
            "workers": "as the build" if options.registry else options.workers,
            **figures,
            "rows_per_second": round(options.rows / seconds),
            "rows_per_cpu_second": round(options.rows / cpu),
            "peak_mb_of_all_processes": meter.stop(),
            "load": os.getloadavg()[0],
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()
