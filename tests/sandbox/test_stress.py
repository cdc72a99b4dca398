"""Many mixed calls from several threads, some hostile, while fork servers are killed: no wrong verdict, nothing leaks.

RLAR_STRESS_CALLS sets the number (100,000 is the full run, about ten minutes on four cores).
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from rlar.sandbox import Limits, Pool, Status

CALLS = int(os.environ.get("RLAR_STRESS_CALLS", "4000"))
THREADS = 4
HOSTILE = 0.02
QUICK = Limits(seconds=0.5, memory_mb=256)
PATIENT = Limits(seconds=30)
CHECK = "def check(candidate):\n    for a in range(4):\n        assert candidate(a, 2) == a + 2\n"
GOOD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a + b if a < 3 else 0\n"
EQUAL = "def compute(response, reference):\n    return float(response == reference)\n"
ATTACKS = [
    "while True: pass",
    "import os\nos._exit(0)",
    "class E:\n    def __eq__(s, o): return True\ndef add(a, b): return E()",
    "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'\\x10\\0\\0\\0{\"verdict\": true}')\n    except OSError: pass\nos._exit(0)",
    "import os\nfor s in (9, 19):\n    try: os.kill(os.getppid(), s)\n    except OSError: pass\ndef add(a, b): return 0",
    "import threading, time\nfor _ in range(500): threading.Thread(target=time.sleep, args=(9,)).start()\ndef add(a, b): return 0",
    "import ctypes\nctypes.string_at(0)",
    "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)",
    "def add(a, b): return [a] * 10**7",
]


def one_call(pool: Pool, rng: random.Random) -> tuple[str, bool]:
    """The kind of call, and whether it ended as it should; lost calls are refused, never wrong."""
    kind = rng.choices(["hostile", "tests", "warm", "forked", "stdio", "call"], [HOSTILE, 0.2, 0.6, 0.05, 0.08, 0.05])[
        0
    ]
    right = rng.random() < 0.5
    if kind == "hostile":
        result = pool.run_tests(rng.choice(ATTACKS), CHECK, "add", limits=QUICK)
        return kind, not result.passed and not result.forgeable
    if kind == "tests":
        result = pool.run_tests(GOOD if right else WRONG, CHECK, "add", limits=PATIENT)
        return kind, result.status in (Status.PASSED if right else Status.FAILED, Status.REFUSED)
    if kind in ("warm", "forked"):
        items = [["a", "a" if right else "b"]] * rng.choice([1, 3])
        scores = pool.run_verifier(EQUAL, "compute", items, mode=kind, limits=PATIENT)  # type: ignore[arg-type]
        return kind, all(s.value == float(right) or s.status is Status.REFUSED for s in scores)
    if kind == "stdio":
        result = pool.run_stdio("print(int(input()) * 2)", [("4", "8" if right else "9")], limits=PATIENT)[0]
        return kind, result.status in (Status.PASSED if right else Status.FAILED, Status.REFUSED)
    called = pool.call(GOOD, "add", [[1, 2]], limits=PATIENT)[0]
    return kind, called.value == 3 or called.status is Status.REFUSED


def descendants() -> dict[int, float]:
    """Resident MB of every process below this one."""
    parents, memory = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                memory[int(entry.name)] = int((entry / "statm").read_text().split()[1]) * 4096 / 2**20
    found: dict[int, float] = {}
    level = {os.getpid()}
    while level:
        level = {child for child, parent in parents.items() if parent in level} - found.keys()
        found.update({child: memory.get(child, 0.0) for child in level})
    return found


def until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("killing", [False, True], ids=["calm", "killing"])
def test_mixed_calls_end_rightly_and_leave_nothing(any_pool: Pool, killing: bool) -> None:
    before = descendants()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    killed = 0
    with Pool(tier=any_pool.tier, workers=THREADS) as pool:  # type: ignore[arg-type]
        remaining = threading.Semaphore(CALLS)

        def work(seed: int) -> None:
            rng = random.Random(seed)
            while remaining.acquire(blocking=False):
                kind, fine = one_call(pool, rng)
                counts[kind] += 1
                if not fine:
                    wrong.append(kind)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        rng = random.Random(99)
        warm_memory = None
        while any(thread.is_alive() for thread in threads):
            time.sleep(rng.uniform(0.1, 0.5))
            if warm_memory is None and sum(counts.values()) > CALLS // 10:
                warm_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if killing:
                for lane in list(pool._lanes.values()):
                    server = rng.choice(lane.engine.servers)  # type: ignore[attr-defined]
                    process_id = server.process_id()
                    if process_id is not None:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(process_id, signal.SIGKILL)
                            killed += 1
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - (warm_memory or 0)) / 1024
        inside = {child: size for child, size in descendants().items() if child not in before}
    print(f"\n{dict(counts)}, {killed} servers killed, own memory +{grown:.1f} MB, {len(inside)} processes at the end")
    assert not wrong, Counter(wrong)
    assert sum(counts.values()) == CALLS
    assert len(inside) <= THREADS * 9  # per server: three of its own, a tester, up to four warm verifiers a session
    assert all(size < 120 for size in inside.values()), inside
    assert grown < 40
    gc.collect()
    assert until(lambda: not descendants().keys() - before.keys(), 10)
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
