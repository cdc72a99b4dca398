"""Processes killed from outside, as operators, batch systems and out-of-memory killers do: no verdict comes of it.

RLAR_KILL_SCORINGS sets the number of scorings of the soak.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rlar.errors import SandboxError
from rlar.kinds import library_class
from rlar.sandbox import Limits, Pool, Status, probe
from rlar.tool import LibraryTool, Resources
from rlar.tools.generated import Running, generated_spec
from rlar.tools.library import library_spec
from rlar.tools.load import load_tool
from rlar.types import Sample, Score, failed

SCORINGS = int(os.environ.get("RLAR_KILL_SCORINGS", "12000"))
KILLS = 30
TIERS = [state.tier for state in probe().tiers if state.available and state.tier in ("ns", "ll", "sec")]
GOOD = "def add(a, b):\n    return a + b\n"
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n"
NAP = "import time\ntime.sleep(0.02)\n"
SELF_KILLS = {
    "kill": "import os\nos.kill(os.getpid(), 9)",
    "terminate": "import os\nos.kill(os.getpid(), 15)",
    "its thread": "import signal, threading\nsignal.pthread_kill(threading.get_ident(), 9)",
    "raise": "import signal\nsignal.raise_signal(9)",
    "its group": "import os\nos.killpg(os.getpgrp(), 9)\nos.kill(0, 9)",
    "the limit of processor time": (
        "import resource, signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True:\n    pass"
    ),
    "the limit of processor time by the system call": (
        "import ctypes, signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "limits = (ctypes.c_ulong * 2)(1, 1)\nassert libc.setrlimit(0, limits) == 0\nwhile True:\n    pass"
    ),
    "the limit from an address whose low word is zero": (
        "import ctypes, mmap, signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "libc.mmap.restype = ctypes.c_void_p\n"
        "at = libc.mmap(ctypes.c_void_p(1 << 32), ctypes.c_size_t(4096), 3, 0x100022, -1, ctypes.c_long(0))\n"
        "assert at == 1 << 32\n(ctypes.c_ulong * 2).from_address(at)[:] = [1, 1]\n"
        "assert libc.prlimit(0, 0, ctypes.c_void_p(at), None) == 0\nwhile True:\n    pass"
    ),
}


def relations() -> dict[int, tuple[int, bytes]]:
    """Our descendants: process id -> (parent, state)."""
    parents: dict[int, tuple[int, bytes]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                parents[int(entry.name)] = (int(fields[1]), fields[0])
    ours = {os.getpid()}
    while more := {process for process, (parent, _) in parents.items() if parent in ours} - ours:
        ours |= more
    return {process: parents[process] for process in ours - {os.getpid()} if parents[process][1] != b"Z"}


def leaves(pool: Pool) -> list[int]:
    """The children of the pool's fork servers: programs, tests and verifiers."""
    found = relations()
    servers = {
        process
        for lane in pool._lanes.values()
        for server in lane.engine.servers
        if (process := server.process_id())  # type: ignore[attr-defined]
    }
    parents = {parent for parent, _ in found.values()}
    return [process for process in found if process not in parents | servers]


@pytest.fixture(
    scope="module", params=[pytest.param(t, marks=[pytest.mark.slow] if t != TIERS[0] else []) for t in TIERS]
)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with Pool(tier=request.param, workers=1, limits=Limits(seconds=20)) as made:
        made.run_program("print(1)")
        yield made


class Killer:
    """Kills the first processes that match, as soon as they are there."""

    def __init__(self, pool: Pool, times: int, number: int = signal.SIGKILL) -> None:
        self.killed = 0
        self._pool, self._times, self._number = pool, times, number
        self._before = set(leaves(pool))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def _run(self) -> None:
        while self.killed < self._times and not self._over.is_set():
            for process in set(leaves(self._pool)) - self._before:
                self._before.add(process)
                time.sleep(0.1)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, self._number)
                    self.killed += 1
            time.sleep(0.005)

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()


SLOW_ADD = "import time\ndef add(a, b):\n    time.sleep(0.5)\n    return a + b\n"
SLOW_VERIFIER = "import time\ndef compute(response):\n    time.sleep(0.5)\n    return 1.0\n"
RUNS_A_PROGRAM = "def compute(response):\n    return 1.0 if run_program('import time\\ntime.sleep(0.5)\\nprint(1)')['status'] == 'passed' else 2.0\n"
CALLS: dict[str, Callable[[Pool], Any]] = {
    "tests, apart": lambda pool: pool.run_tests(SLOW_ADD, CHECK, "add").status,
    "tests, in one process": lambda pool: pool.run_tests(SLOW_ADD, CHECK, "add", mode="same").status,
    "a whole program": lambda pool: pool.run_stdio("import time\ntime.sleep(0.5)\nprint(1)", [("", "1")])[0].status,
    "calls": lambda pool: pool.call(SLOW_ADD, "add", [[1, 2], [2, 2]])[1].status,
    "a forked verifier": lambda pool: pool.run_verifier(SLOW_VERIFIER, "compute", [["x"]])[0].status,
    "a warm verifier": lambda pool: (
        pool.run_verifier(f"{SLOW_VERIFIER}# {time.time()}", "compute", [["x"]], mode="warm")[0].status
    ),
    "a verifier's program": lambda pool: pool.run_verifier(RUNS_A_PROGRAM, "compute", [["x"]])[0].status,
}


def status_when_killed_once(pool: Pool, call: Callable[[Pool], Any], number: int) -> Any:
    """... of the first call in which the killer came in time, which it may not on a crowded machine."""
    for _ in range(10):
        with Killer(pool, 1, number) as killer:
            status = call(pool)
        if killer.killed:
            return status
    pytest.fail("every call ended before it was killed")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_right_answer_killed_once_is_run_again(pool: Pool, call: Callable[[Pool], Any], number: int) -> None:
    assert status_when_killed_once(pool, call, number) is Status.PASSED


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU])
def test_whatever_an_operator_sends_is_nobodys_verdict(pool: Pool, number: int) -> None:
    assert status_when_killed_once(pool, CALLS["a whole program"], number) is Status.PASSED
    program = f"import os\nos.kill(os.getpid(), {int(number)})\n"
    assert pool.run_program(program).status in (Status.FAILED, Status.CRASHED)  # nor what a program asks for


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_right_answer_killed_again_and_again_is_nobodys_verdict(pool: Pool, call: Callable[[Pool], Any]) -> None:
    with Killer(pool, 1000) as killer:
        assert call(pool) is Status.REFUSED
    assert killer.killed >= 3


@pytest.mark.parametrize("way", SELF_KILLS, ids=str)
def test_a_program_that_kills_itself_is_wrong(pool: Pool, way: str) -> None:
    """It cannot look like one that was killed from outside, which would save it from its 0.0."""
    own = (Status.FAILED, Status.CRASHED, Status.TIMEOUT)
    limits = Limits(seconds=3)
    program = SELF_KILLS[way]
    assert pool.run_tests(program, CHECK, "add", limits=limits).status in own
    inside = "def add(a, b):\n    " + program.replace("\n", "\n    ")
    assert pool.run_tests(inside, CHECK, "add", limits=limits).status in own
    assert pool.run_stdio(program, [("", "1")], limits=limits)[0].status in own
    assert pool.call(inside, "add", [[1, 2]], limits=limits)[0].status in own


def test_a_program_may_still_signal_itself_and_read_its_limits(pool: Pool) -> None:
    program = (
        "import os, resource, signal\nsignal.signal(signal.SIGUSR1, lambda *a: print('got'))\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\nprint(resource.getrlimit(resource.RLIMIT_CPU)[0] > 0)\n"
        "resource.setrlimit(resource.RLIMIT_STACK, resource.getrlimit(resource.RLIMIT_STACK))\n"
    )
    result = pool.run_stdio(program, [("", "got\nTrue")])[0]
    assert result.passed, result


@pytest.mark.slow
def test_memory_and_processor_time_past_their_limits_are_the_programs_own(pool: Pool) -> None:
    limits = Limits(seconds=6, cpu_seconds=1, memory_mb=128)
    assert pool.run_tests("x = bytearray(1 << 30)", CHECK, "add", limits=limits).status is Status.MEMORY
    for ignore in ("", "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"):
        assert pool.run_tests(f"{ignore}while True: pass", CHECK, "add", limits=limits).status is Status.TIMEOUT


@pytest.mark.slow
def test_processor_time_of_many_calls_is_no_evidence_for_a_limit(pool: Pool) -> None:
    """A process that serves many calls has no limit over all of them, so its death is not its limit's doing."""
    program = "import time\ndef f(x):\n    end = time.process_time() + 0.15\n    while time.process_time() < end: pass\n    return x\n"
    limits = Limits(seconds=30, cpu_seconds=1)
    threading.Timer(1.6, lambda: [os.kill(process, signal.SIGKILL) for process in leaves(pool)]).start()
    results = pool.call(program, "f", [[i] for i in range(12)], limits=limits)
    assert [result.status for result in results] == [Status.PASSED] * 12


# ------------------------------------------------------------------------------------------ the soak

EQUAL = "def compute(prompt, response, reference, binding):\n    return float(response == reference)\n"
RUNS = (
    "def compute(prompt, response, reference, binding):\n    made = run_program(response)\n"
    "    return float(made['status'] == 'passed' and made['output'].strip() == reference)\n"
)


def kinds(resources: Resources) -> dict[str, tuple[Any, Callable[[bool], Sample], int, float]]:
    """Name -> (tool, sample that is right or wrong, samples per call, share of the scorings)."""

    def library(name: str) -> LibraryTool:
        return library_class(name)(library_spec(name, {"seconds": 20.0}), resources)

    def generated(source: str, mode: str) -> Any:
        running = Running(mode=mode, seconds=10.0)  # type: ignore[arg-type]
        return load_tool(generated_spec("soaked", source, running), resources)

    def code(right: bool) -> Sample:
        program = f"{NAP}def add(a, b):\n    return a {'+' if right else '-'} b"
        suite = {"kind": "check", "tests": [CHECK], "entry_point": "add", "source": "columns"}
        return Sample(prompt="Write add.", completion=f"```python\n{program}\n```", binding={"suite": suite})

    def calls(right: bool) -> Sample:
        program = f"{NAP}def add(a, b):\n    return a {'+' if right else '-'} b"
        cases = [{"arguments": [1, 2], "expected": 3}, {"arguments": [2, 2], "expected": 4}]
        suite = {"kind": "calls", "calls": cases, "entry_point": "add", "source": "columns"}
        return Sample(prompt="Write add.", completion=f"```python\n{program}\n```", binding={"suite": suite})

    def stdio(right: bool) -> Sample:
        program = f"{NAP}print(int(input()) {'+' if right else '-'} 1)"
        suite = {"kind": "stdio", "stdio": [{"input": "1\n", "output": "2\n"}], "source": "columns"}
        return Sample(prompt="Add one.", completion=f"```python\n{program}\n```", binding={"suite": suite})

    def text(right: bool) -> Sample:
        return Sample(prompt="Say yes.", completion="yes" if right else "no", reference="yes")

    def run(right: bool) -> Sample:
        return Sample(prompt="Print 1.", completion=f"{NAP}print({1 if right else 0})", reference="1")

    return {
        "code_tests": (library("code_tests"), code, 8, 0.06),
        "calls": (library("code_tests"), calls, 8, 0.03),
        "code_stdio": (library("code_stdio"), stdio, 8, 0.06),
        "warm verifier": (generated(EQUAL, "warm"), text, 32, 0.81),
        "forked verifier": (generated(EQUAL, "forked"), text, 4, 0.02),
        "warm verifier that runs programs": (generated(RUNS, "warm"), run, 4, 0.02),
    }


@pytest.mark.slow
@pytest.mark.skipif(not TIERS, reason="no native tier on this machine")
def test_many_scorings_under_random_kills_give_no_wrong_verdict() -> None:
    rng = random.Random(13)
    outcomes: Counter[tuple[str, str]] = Counter()
    wrong: list[tuple[str, bool, Score]] = []
    killed: Counter[str] = Counter()
    over = threading.Event()

    with Pool(workers=2, limits=Limits(seconds=20)) as pool, Resources(lambda: pool) as resources:

        def kill() -> None:
            chance = random.Random(5)
            while not over.is_set():
                time.sleep(chance.uniform(0.2, 2.0))
                found = relations()
                parents = {parent for parent, _ in found.values()}
                lone = [process for process in found if process not in parents]
                # Mostly programs, tests and verifiers; a server takes all its children along.
                chosen = lone if lone and chance.random() < 0.85 else list(found)
                with contextlib.suppress(ProcessLookupError, IndexError):
                    process = chance.choice(chosen)
                    os.kill(process, chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                    killed["alone" if process in lone else "with children"] += 1

        tools = kinds(resources)
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            done = 0
            while done < SCORINGS or sum(killed.values()) < KILLS:
                name = rng.choices(list(tools), [share / size for _, _, size, share in tools.values()])[0]
                tool, sample, size, _ = tools[name]
                truths = [rng.random() < 0.5 for _ in range(size)]
                try:
                    scores = tool.score([sample(right) for right in truths])
                except SandboxError as error:  # a server was killed at every start: whoever scores makes failures of it
                    scores = [failed(str(error))] * size
                for right, score in zip(truths, scores, strict=True):
                    outcomes[name, score.status] += 1
                    if score.value not in (None, float(right)):
                        wrong.append((name, right, score))
                    if score.value is None:
                        assert score.status in ("failed", "abstain"), score
                done += size
        finally:
            over.set()
            killer.join()
    masked = sum(count for (_, status), count in outcomes.items() if status != "ok")
    print(dict(outcomes), dict(killed))
    assert not wrong, (len(wrong), wrong[:3])
    assert killed["alone"] >= KILLS // 2 and sum(killed.values()) >= KILLS
    assert masked < 0.02 * sum(outcomes.values()), outcomes
