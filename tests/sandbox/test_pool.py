"""The pool as a citizen of its process: threads, asyncio, forks, deaths, shutdown, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rlar.errors import SandboxError, SandboxRefused
from rlar.sandbox import Limits, Pool, Status

CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n"
GOOD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"
EQUAL = "def compute(response, reference):\n    return float(response == reference)\n"
ROOT = Path(__file__).resolve().parents[2]


def server_processes(session_leaders: set[int]) -> set[int]:
    """Live processes whose session was started by one of these (a fork server starts a session of its own)."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) in session_leaders and fields[0] != "Z":
                    found.add(int(entry.name))
    return found


def leaders(pool: Pool) -> set[int]:
    found = set()
    for lane in pool._lanes.values():
        for server in lane.engine.servers:  # type: ignore[attr-defined]
            process_id = server.process_id()
            if process_id is not None:
                found.add(process_id)
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 8.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def new_pool(any_pool: Pool, workers: int = 2) -> Pool:
    return Pool(tier=any_pool.tier, workers=workers, limits=Limits(seconds=10))  # type: ignore[arg-type]


def test_importing_it_is_light() -> None:
    code = (
        "import sys, rlar.sandbox; print(sorted({'numpy', 'sympy', 'torch', 'asyncio', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_starts_before_the_first_call(any_pool: Pool) -> None:
    with new_pool(any_pool) as pool:
        assert leaders(pool) == set()
        assert pool.run_tests(GOOD, CHECK, "add").passed
        assert len(leaders(pool)) == 1


def test_threads_share_it(pool: Pool) -> None:
    wrong: list[object] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(12):
            right = rng.random() < 0.5
            result = pool.run_tests(GOOD if right else WRONG, CHECK, "add")
            score = pool.run_verifier(EQUAL, "compute", [["a", "a" if right else "b"]], mode="warm")[0].value
            if result.passed is not right or score != float(right):
                wrong.append((result, score))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_asyncio_shares_it(any_pool: Pool) -> None:
    async def work() -> list[bool]:
        calls = [any_pool.arun(any_pool.run_tests, GOOD if i % 2 else WRONG, CHECK, "add") for i in range(16)]
        return [result.passed for result in await asyncio.gather(*calls)]

    assert asyncio.run(work()) == [bool(i % 2) for i in range(16)]


def test_submitted_calls_run_on_its_own_threads(any_pool: Pool) -> None:
    futures = [any_pool.submit(any_pool.run_program, f"print({i})") for i in range(6)]
    assert [future.result().output.strip() for future in futures] == [str(i) for i in range(6)]


def test_values_are_mapped_in_order_and_a_batch_that_hangs_holds_up_no_other() -> None:
    with Pool(workers=2, tier="unsafe", accept_unsafe=True) as pool:
        ended = threading.Event()
        stuck = threading.Thread(target=pool.map, args=(lambda _value: ended.wait(60), range(8)), daemon=True)
        stuck.start()
        assert pool.map(lambda value: value * value, range(5)) == [0, 1, 4, 9, 16]
        assert pool.map(lambda _value: threading.get_ident(), [1]) == [threading.get_ident()]
        assert stuck.is_alive()
        ended.set()
        stuck.join()


def test_it_outlives_the_thread_that_started_it(any_pool: Pool) -> None:
    with new_pool(any_pool) as pool:
        thread = threading.Thread(target=lambda: pool.run_tests(GOOD, CHECK, "add"))
        thread.start()
        thread.join()
        started = leaders(pool)
        time.sleep(1.0)
        assert pool.run_tests(GOOD, CHECK, "add").passed
        assert leaders(pool) == started


def test_closing_leaves_no_process_and_no_descriptor(pool: Pool) -> None:
    pool.run_program("print(1)")
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with new_pool(pool) as mine:
        for _ in range(3):
            mine.run_tests(GOOD, CHECK, "add")
            mine.run_verifier(EQUAL, "compute", [["a", "a"]], mode="warm")
            mine.run_tests("while True: pass", CHECK, "add", limits=Limits(seconds=0.1))
        started = leaders(mine)
        assert server_processes(started)
    assert wait_until(lambda: not server_processes(started))
    del mine
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(SandboxError, match="closed"):
        new_pool_closed = new_pool(pool)
        new_pool_closed.close()
        new_pool_closed.run_program("print(1)")


def test_a_forgotten_pool_ends_with_its_last_reference(any_pool: Pool) -> None:
    pool = new_pool(any_pool)
    assert pool.run_tests(GOOD, CHECK, "add").passed
    started = leaders(pool)
    del pool
    gc.collect()
    assert wait_until(lambda: not server_processes(started))


def test_closing_ends_calls_under_way(any_pool: Pool) -> None:
    pool = new_pool(any_pool)
    pool.run_program("print(1)")
    results = []
    thread = threading.Thread(
        target=lambda: results.append(pool.run_program("while True: pass", limits=Limits(seconds=60)))
    )
    thread.start()
    time.sleep(0.3)
    pool.close()
    thread.join(timeout=10)
    assert [result.status for result in results] == [Status.REFUSED]


@pytest.mark.slow
def test_killing_the_servers_costs_no_verdict(pool: Pool) -> None:
    with new_pool(pool) as mine:
        done = threading.Event()
        killed = []

        def kill() -> None:
            rng = random.Random(1)
            while not done.is_set():
                time.sleep(rng.uniform(0.2, 0.5))
                for process_id in leaders(mine):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process_id, signal.SIGKILL)
                        killed.append(process_id)

        killer = threading.Thread(target=kill)
        killer.start()
        end = time.monotonic() + 3
        verdicts = []
        while time.monotonic() < end:
            right = len(verdicts) % 2 == 0
            result = mine.run_tests(GOOD if right else WRONG, CHECK, "add")
            score = mine.run_verifier(EQUAL, "compute", [["a", "a"]], mode="warm")[0]
            verdicts.append((right, result.status, score.value, score.status))
        done.set()
        killer.join()
        assert killed
        for right, status, value, score_status in verdicts:
            assert status in (Status.PASSED if right else Status.FAILED, Status.REFUSED)
            assert value == 1.0 or score_status is Status.REFUSED
        assert mine.run_tests(GOOD, CHECK, "add").passed
    assert wait_until(lambda: not server_processes(set(killed)))


def test_a_stopped_server_is_replaced(any_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlar.sandbox.fork_server._ANSWER_SECONDS", 1.0)
    with new_pool(any_pool, workers=1) as pool:
        assert pool.run_tests(GOOD, CHECK, "add").passed
        for process_id in server_processes(leaders(pool)):
            os.kill(process_id, signal.SIGSTOP)
        assert pool.run_tests(GOOD, CHECK, "add").passed


@pytest.mark.parametrize("how", ["SIGKILL", "exit", "with a forked copy alive"])
def test_its_processes_die_with_the_owner(pool: Pool, how: str) -> None:
    code = f"""
        import os, signal, sys, threading, time
        from rlar.sandbox import Limits, Pool
        pool = Pool(tier={pool.tier!r}, workers=2)
        pool.run_program("print(1)")
        threading.Thread(target=lambda: pool.run_program("while True: pass", limits=Limits(seconds=60)), daemon=True).start()
        pool.run_verifier("def f(x): return 1", "f", [[1]], mode="warm")
        time.sleep(0.3)
        servers = [s.process_id() for lane in pool._lanes.values() for s in lane.engine.servers]
        print(*[process_id for process_id in servers if process_id], flush=True)
        if {how!r} == "with a forked copy alive" and os.fork() == 0:
            os.close(1)
            os.close(2)
            time.sleep(12)  # it holds copies of the control sockets, so no end of file tells of the owner's death
            os._exit(0)
        os._exit(0) if {how!r} == "exit" else os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT)
    started = {int(word) for word in done.stdout.split()}
    assert started, done.stderr
    assert wait_until(lambda: not server_processes(started))


def test_a_forked_copy_cannot_use_it(any_pool: Pool) -> None:
    any_pool.run_program("print(1)")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            any_pool.run_program("print(1)")
        except SandboxError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert b"belongs to the process that made it" in os.read(reading, 1000)
    os.close(reading)
    assert any_pool.run_program("print(1)").passed


def test_the_servers_environment_is_clean(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLAR_TEST_SECRET", "s3cret-of-the-trainer")
    with new_pool(pool, workers=1) as mine:
        result = mine.run_program("import os\nprint(dict(os.environ))")
        for process_id in server_processes(leaders(mine)):
            with contextlib.suppress(PermissionError):
                assert b"s3cret" not in Path(f"/proc/{process_id}/environ").read_bytes()
    assert result.passed and "s3cret" not in result.output


def test_project_directories_on_the_path_are_not_readable_inside(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "private_module.py").write_text("SECRET = 'token-123'\n")
    program = (
        f"import sys\nfound = []\ntry:\n    found.append(open({str(tmp_path / 'private_module.py')!r}).read())\n"
        "except OSError as error:\n    found.append(type(error).__name__)\n"
        "try:\n    import private_module\n    found.append('imported')\nexcept ImportError:\n    found.append('no module')\n"
        "try:\n    import rlar\n    found.append('imported')\nexcept ImportError:\n    found.append('no module')\nprint(found)"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom rlar.sandbox import Pool\n"
        f"with Pool(tier={pool.tier!r}, workers=1) as pool: print(pool.run_program({program!r}).output)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert "token" not in done.stdout and "imported" not in done.stdout, done.stdout
    assert "no module" in done.stdout


def test_the_heavy_image_has_its_libraries_and_starts_apart(pool: Pool) -> None:
    source = (
        "from math_verify import parse, verify\nimport numpy\n"
        "def compute(response, reference):\n    return numpy.float64(verify(parse(reference), parse(response)))\n"
    )
    items = [[r"$\frac{1}{2}$", "$0.5$"], ["$3$", "$4$"]]
    with new_pool(pool, workers=1) as mine:
        for mode in ("warm", "forked"):
            results = mine.run_verifier(source, "compute", items, mode=mode, image="heavy")  # type: ignore[arg-type]
            assert [r.value for r in results] == [1.0, 0.0], results
        assert set(mine._lanes) == {"heavy"}
        array = "import numpy as np\ndef f(x): return np.array(x) * 2"
        assert mine.run_tests(
            array, "import numpy as np\nassert np.allclose(f([1, 2]), [2, 4])", "f", image="heavy"
        ).passed


def test_no_isolation_needs_the_risk_accepted_by_name() -> None:
    with pytest.raises(SandboxRefused, match="accept_unsafe"):
        Pool(tier="unsafe")
    with Pool(tier="unsafe", accept_unsafe=True, workers=1) as pool:
        assert pool.unsafe
        assert (pool.run_tests(GOOD, CHECK, "add").passed, pool.run_tests(GOOD, CHECK, "add").unsafe) == (True, True)
        assert pool.run_verifier(EQUAL, "compute", [["a", "a"]])[0].unsafe
        assert pool.call(GOOD, "add", [[1, 2]])[0].unsafe
        assert pool.run_stdio("print(1)", [("", "1")])[0].unsafe


def test_a_tier_that_cannot_be_had_raises_what_is_missing(any_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlar.sandbox.tiers.best_tier", lambda: (None, "ns: forbidden here"))
    with pytest.raises(SandboxRefused, match="ns: forbidden here"):
        Pool()
    assert Pool(accept_unsafe=True).tier == "unsafe"
