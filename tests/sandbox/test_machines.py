"""Other machines, imitated: a default container's seccomp filter, old kernels, an ordinary user, no network."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlar.sandbox import TierReport, probe
from rlar.sandbox.inside.syscalls import NUMBERS

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = '''
import ctypes, json, os, struct, sys
LIBC = ctypes.CDLL(None, use_errno=True)
PANEL = {
    "reads": "open('/etc/passwd').read()\\ndef add(a, b): return a + b",
    "connects": "import socket\\nsocket.socket().close()\\ndef add(a, b): return a + b",
    "forks": "import os\\nif os.fork() == 0: os._exit(0)\\ndef add(a, b): return a + b",
    "runs": "import subprocess\\nsubprocess.run(['true'])\\ndef add(a, b): return a + b",
    "kills": "import os\\nos.kill(os.getppid(), 0)\\ndef add(a, b): return a + b",
    "writes": "open('/tmp/rlar-test-write', 'w')\\ndef add(a, b): return a + b",
    "lies": "class E:\\n    def __eq__(s, o): return True\\ndef add(a, b): return E()",
    "exits": "import os\\nos._exit(0)",
}

def deny(numbers, error):
    """A filter under which these system calls fail, as a container runtime installs one."""
    steps = [struct.pack("HBBI", 0x20, 0, 0, 0)]
    for number in numbers:
        steps += [struct.pack("HBBI", 0x15, 0, 1, number), struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | error)]
    steps.append(struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
    install(steps)

def install(steps):
    program = b"".join(steps)
    buffer = ctypes.create_string_buffer(program, len(program))
    zero = ctypes.c_ulong(0)
    assert LIBC.prctl(38, ctypes.c_ulong(1), zero, zero, zero) == 0
    what = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(buffer))
    assert LIBC.prctl(22, ctypes.c_ulong(2), what, zero, zero) == 0

def deny_seccomp(prctl):
    """A filter under which no further filter can be installed."""
    steps = [
        struct.pack("HBBI", 0x20, 0, 0, 0),
        struct.pack("HBBI", 0x15, 0, 3, prctl),
        struct.pack("HBBI", 0x20, 0, 0, 16),
        struct.pack("HBBI", 0x15, 0, 1, 22),
        struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | 1),
        struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000),
    ]
    install(steps)

def report():
    from rlar.sandbox import Limits, Pool, probe
    told = {"best": probe().best, "reasons": {t.tier: t.reason for t in probe().tiers}, "passed": [], "uid": os.getuid()}
    if told["best"] in ("ns", "ll", "sec"):
        check = "def check(candidate):\\n    assert candidate(1, 2) == 3"
        with Pool(workers=1, limits=Limits(seconds=5)) as pool:
            told["tier"] = pool.tier
            told["good"] = pool.run_tests("def add(a, b): return a + b", check, "add").passed
            told["score"] = pool.run_verifier("def f(x): return 0.5", "f", [[1]], mode="warm")[0].value
            told["passed"] = [n for n, p in PANEL.items() if pool.run_tests(p, check, "add").passed]
    print(json.dumps(told))
'''


def run(body: str, *, python: str = sys.executable, **options: Any) -> dict[str, Any]:
    path = os.pathsep.join([str(ROOT), *options.pop("extra_path", [])])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, **options.pop("environment", {})}
    done = subprocess.run(
        [python, "-c", PRELUDE + body], capture_output=True, text=True, env=environment, cwd="/", timeout=120, **options
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def holds(told: dict[str, Any], tier: str) -> None:
    assert told["best"] == told["tier"] == tier, told
    assert told["good"] and told["score"] == 0.5
    assert told["passed"] == []


def numbers(*names: str) -> list[int]:
    return [NUMBERS[name] for name in names]


NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
CONTAINER = ("unshare", "mount", "umount2", "pivot_root", "setns", "mount_setattr", "keyctl", "bpf")
LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")


def test_the_report_is_json_and_names_a_remedy_for_what_is_missing(tier_report: TierReport) -> None:
    told = json.loads(json.dumps(tier_report.to_json()))
    assert [tier["tier"] for tier in told["tiers"]] == ["ns", "ll", "sec"]
    for tier in told["tiers"]:
        assert tier["available"] or (tier["reason"] and tier["remedy"])


def test_a_default_container_gets_landlock(tier_report: TierReport) -> None:
    if not tier_report.state("ll").available:
        pytest.skip(f"tier ll: {tier_report.state('ll').reason}")
    told = run(f"deny({numbers(*CONTAINER)}, 1)\nreport()")
    holds(told, "ll")
    assert "unshare" in told["reasons"]["ns"]


@pytest.mark.slow
def test_a_machine_with_namespaces_but_no_mounts_gets_landlock(tier_report: TierReport) -> None:
    if not (tier_report.state("ll").available and tier_report.state("ns").available):
        pytest.skip("needs the tiers ns and ll")
    for forbidden in ("mount", "pivot_root", "mount_setattr"):
        told = run(f"deny({numbers(forbidden)}, 1)\nreport()")
        holds(told, "ll")
        assert forbidden in told["reasons"]["ns"]


@pytest.mark.slow
def test_an_old_kernel_in_a_container_gets_seccomp(tier_report: TierReport) -> None:
    if not tier_report.state("sec").available:
        pytest.skip(f"tier sec: {tier_report.state('sec').reason}")
    told = run(f"deny({numbers(*CONTAINER, *LANDLOCK)}, 38)\nreport()")
    holds(told, "sec")


@pytest.mark.slow
def test_namespaces_without_landlock_still_hold(tier_report: TierReport) -> None:
    if not tier_report.state("ns").available:
        pytest.skip(f"tier ns: {tier_report.state('ns').reason}")
    holds(run(f"deny({numbers(*LANDLOCK)}, 38)\nreport()"), "ns")


def test_without_seccomp_no_native_tier_is_offered() -> None:
    told = run(f"deny_seccomp({NUMBERS['prctl']})\nreport()")
    assert told["best"] is None
    assert all("seccomp" in told["reasons"][tier] for tier in ("ns", "ll", "sec")), told


def test_an_ordinary_user_is_held_too(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("this run is by an ordinary user already")
    tmp_path.chmod(0o700)
    another_home = {"HOME": str(tmp_path)}  # that of who called `su` without `-`
    told = run("report()", python=python_for_nobody(), extra_path=[packages()], environment=another_home, **NOBODY)
    assert told["uid"] == 65534
    assert told["tier"] in ("ns", "ll", "sec")
    holds(told, told["tier"])


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["ns", "ll", "sec"])
def test_no_hostile_program_wins_against_an_ordinary_user(tier: str, tier_report: TierReport) -> None:
    if os.getuid() != 0:
        pytest.skip("this run is by an ordinary user already")
    if not tier_report.state(tier).available:
        pytest.skip(f"tier {tier}: {tier_report.state(tier).reason}")
    done = subprocess.run(
        [python_for_nobody(), str(ROOT / "tests" / "panel.py"), "--tier", tier],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), packages()])},
        cwd="/",
        timeout=280,
        **NOBODY,
    )
    assert f"0 victories over {tier}, as user 65534" in done.stdout, done.stdout + done.stderr


def packages() -> str:
    """The folder that this run's packages lie in."""
    found = importlib.util.find_spec("orjson")
    assert found is not None and found.origin is not None
    return str(Path(found.origin).parents[1])


def python_for_nobody() -> str:
    """An interpreter of this version that an ordinary user may run; else the test is skipped."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import orjson; print(sys.version_info[:2])"
    for python in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        try:
            done = subprocess.run(
                [str(python), "-c", code, packages()], capture_output=True, text=True, cwd="/", **NOBODY
            )
        except OSError:
            continue
        if done.stdout.strip() == str(sys.version_info[:2]):
            return str(python)
    pytest.skip("no interpreter of this version that an ordinary user may run")


@pytest.mark.slow
def test_it_works_without_any_network(tier_report: TierReport) -> None:
    if tier_report.best not in ("ns", "ll", "sec"):
        pytest.skip("no native tier")
    unshare = "assert LIBC.unshare(0x40000000) == 0" if os.getuid() == 0 else "assert LIBC.unshare(0x50000000) == 0"
    try:
        told = run(f"{unshare}\nreport()")
    except AssertionError as error:
        pytest.skip(f"no network namespace to be had: {str(error)[-200:]}")
    assert told["tier"] in ("ns", "ll", "sec")
    holds(told, told["tier"])


def test_probing_twice_gives_the_same(tier_report: TierReport) -> None:
    assert probe().to_json() == tier_report.to_json()
