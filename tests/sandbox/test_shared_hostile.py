"""The hostile programs beside the checkout (not part of the project), on every native tier; skipped where absent.

Some of them report a forbidden act through their exception's text ("TELL:..."), which the explanation carries.
"""

from __future__ import annotations

import os
import re
import resource
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.sandbox import Limits, Pool, Status, TierReport

SHARED = Path(__file__).resolve().parents[3] / "shared" / "hostile"
FILES = sorted(SHARED.glob("*.py"))
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-5, 5) == 0\n    assert candidate(7, 0) == 7\n"
GOOD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"
LIMITS = Limits(seconds=1.5, memory_mb=1024)
MOST = {"ALLOC_MB": 2048, "FDS": 1024, "DISK_MB": 256, "FORKED": 0}
SCORES = {"v11_state_leak": 1.0, "v15_negative_zero_bool": 1.0}


@pytest.fixture(params=["ns", *(pytest.param(tier, marks=pytest.mark.slow) for tier in ("ll", "sec"))])
def pool(request: pytest.FixtureRequest, pools: dict[str, Pool], tier_report: TierReport) -> Pool:
    """The strongest tier always, the others in the slow run."""
    if request.param not in pools:
        pytest.skip(f"tier {request.param}: {tier_report.state(request.param).reason}")
    return pools[request.param]


needs_folder = pytest.mark.skipif(not FILES, reason="../shared/hostile is not beside this checkout")


@pytest.fixture(scope="module", autouse=True)
def canaries() -> Iterator[None]:
    """What a program must not reach: a secret of this process, a listener, unix sockets, a directory for its report."""
    os.environ["RLAR_TEST_CANARY"] = "CANARY-of-the-harness"
    reached: list[str] = []
    sockets = []
    with tempfile.TemporaryDirectory() as folder:
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", 48231)),
            (socket.AF_UNIX, "\0rlar_canary"),
            (socket.AF_UNIX, f"{folder}/canary.sock"),
        ):
            listener = socket.socket(family)
            try:
                listener.bind(address)
                listener.listen()
            except OSError:
                listener.close()
                continue
            sockets.append(listener)

            def accept(listener: socket.socket = listener, address: object = address) -> None:
                try:
                    listener.accept()
                    reached.append(str(address))
                except OSError:
                    pass

            threading.Thread(target=accept, daemon=True).start()
        yield
        for listener in sockets:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
    del os.environ["RLAR_TEST_CANARY"]
    assert not reached


@needs_folder
@pytest.mark.parametrize("path", [p for p in FILES if not p.stem.startswith("v")], ids=lambda p: p.stem)
def test_a_hostile_program_wins_nothing_and_spoils_nothing(pool: Pool, path: Path) -> None:
    before = (resource.getrlimit(resource.RLIMIT_NOFILE), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0))
    result = pool.run_tests(path.read_text(), CHECK, "add", limits=LIMITS)
    assert not result.passed
    assert not result.forgeable
    assert result.seconds < LIMITS.seconds + 4
    told = " ".join(re.findall(r"TELL:(.*)", result.explanation + result.output))
    assert not re.search(r"LEAK|NET:|EXEC|PRLIMIT|WROTE", told), told
    for name, number in re.findall(r"([A-Z_]+):(\d+)", told):
        assert int(number) <= MOST[name], told
    assert "CANARY" not in result.explanation + result.output
    after = (resource.getrlimit(resource.RLIMIT_NOFILE), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0))
    assert after == before
    assert pool.run_tests(GOOD, CHECK, "add").passed
    assert pool.run_tests(WRONG, CHECK, "add").status is Status.FAILED


@needs_folder
@pytest.mark.parametrize("mode", ["forked", "warm"])
@pytest.mark.parametrize("path", [p for p in FILES if p.stem.startswith("v")], ids=lambda p: p.stem)
def test_a_hostile_verifier_gives_no_score(pool: Pool, path: Path, mode: str) -> None:
    items = [["p", "r", "x"]] * 2
    limits = Limits(seconds=0.5)
    results = pool.run_verifier(path.read_text(), "compute_score", items, mode=mode, limits=limits)  # type: ignore[arg-type]
    expected = SCORES.get(path.stem)
    if path.stem == "v11_state_leak" and mode == "warm":
        assert [r.value for r in results] == [1.0, 0.5]
        assert pool.check_state_independence(path.read_text(), "compute_score", items)
    else:
        assert [r.value for r in results] == [expected] * 2, results
    assert all((r.status is Status.PASSED) == (r.value is not None) for r in results)
