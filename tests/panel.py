"""The hostile panel: every program of tests/hostile, judged on a tier; and the table of docs/sandbox.md.

A hostile program returns the right answer exactly where its forbidden act succeeded, so "not passed" is the proof;
canaries outside (files, sockets, a secret in the environment) prove it a second time. A hostile suite attacks the rows
that are judged after it.

    python tests/panel.py                 # every tier of this machine, as this user
    python tests/panel.py --write-docs    # ... and put the table into docs/sandbox.md
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rlar.sandbox import Limits, Pool, Status, VerifierResult, probe

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "hostile"
PAGE = ROOT / "docs" / "sandbox.md"
HURRY = Limits(seconds=1.0, memory_mb=512)
PATIENT = Limits(seconds=20.0)

CLASSES = {
    "forge": "win without the right answer: lying objects, patched modules, frames, hooks, early exits, `__del__`",
    "poison": "a suite that leaves something behind for the rows judged after it",
    "score": "a verifier's result that is no score: NaN, subclasses, out of range, forged replies",
    "state": "a verifier that remembers earlier items",
    "read": "files, environment, memory, descriptors and processes of the machine",
    "write": "files, links, kernel settings, the terminal",
    "network": "TCP, UDP, raw, netlink and unix sockets, by path and abstract, streams and datagrams",
    "exec": "other programs, by path, by descriptor, from memory",
    "escape": "new namespaces, io_uring, clone3, ptrace, keyrings, userfaultfd, other system call tables",
    "kill": "signals and limits for processes outside, process groups, descriptors",
    "survive": "processes and threads that outlive their call",
    "processes": "fork and thread bombs",
    "memory": "allocation in every way there is",
    "time": "endless loops, ignored signals, regular expressions",
    "output": "floods of standard output and standard error",
    "resource": "descriptors, disk, nesting, sheer size",
    "crash": "null pointers, stack overflows, broken bytecode",
}
"""What the programs of a class try, in the order of the table."""

TESTS = "assert blend(1, 2) == 12\nassert blend(0, 7) == 7\nassert blend(-3, 4) == -26\nassert blend(2, -5) == 15"
GOOD = "import math, json, re\ndef blend(a, b):\n    return sum([10 * a, b]) if math.isclose(1, 1) and len('x') == 1 else None"
WRONG = "def blend(a, b):\n    return 10 * a + b + (a == 2)"
OTHER_GOOD = "def total(values):\n    return sum(values)"
OTHER_WRONG = "def total(values):\n    return sum(values[1:])"
# Rows that lean on one thing each, so that a suite before them which spoilt it is noticed.
OTHER_SUITES = {
    "equality": "def check(candidate):\n    assert candidate([3, 1]) == 4",
    "a module": "import math\nassert math.isclose(total([3, 1]), 4.0)",
    "builtins": "assert sorted(map(abs, [total([-2])])) == [2]",
    "unittest": "import unittest\nclass TestTotal(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(total([3, 1]), 4)",
}
CASES = [("4 2\n", "42\nend\n"), ("-1 3\n", "-7\nend\n")]
GOOD_WHOLE = "a, b = map(int, input().split())\nprint(10 * a + b)\nprint('end')"
GOOD_VERIFIER = "def compute(prompt, response, reference, binding):\n    return float(response == reference)"


class Hostile(NamedTuple):
    name: str
    kind: str
    group: str
    expect: str
    source: str


def read_panel() -> list[Hostile]:
    found = []
    for path in sorted(FOLDER.glob("*.py")):
        source = path.read_text()
        head = source.splitlines()[0]
        match = re.fullmatch(
            r"# MUST: .+ \| kind=(program|stdio|verifier|suite) \| class=(\w+)(?: \| expect=([\w.]+))?", head
        )
        assert match, f"{path.name}: {head}"
        found.append(Hostile(path.stem, match[1], match[2], match[3] or "", source))
    return found


HOSTILE = read_panel()


class World:
    """What lies outside the jail: canaries that every forbidden act would touch."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.drop = folder / "drop"
        self.drop.mkdir(mode=0o777)
        self.drop.chmod(0o777)
        (self.drop / "panel_outside.py").write_text("found = True\n")
        self.secret = folder / "secret.txt"
        self.secret.write_text("CANARY-of-the-panel\n")
        self.secret.chmod(0o666)
        os.environ["RLAR_PANEL_SECRET"] = "CANARY-of-the-panel"
        self.inherited = os.open(self.secret, os.O_RDONLY)
        os.set_inheritable(self.inherited, True)
        self.visits: list[str] = []
        self.servers = [socket.create_server(("127.0.0.1", 0))]
        self.port = self.servers[0].getsockname()[1]
        self.datagrams = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
        self.datagrams[0].bind(("127.0.0.1", self.port))
        self.abstract = f"rlar-panel-{os.getpid()}"
        self.unix = folder / "s"
        for path in (str(self.unix), f"\0{self.abstract}"):
            with contextlib.suppress(OSError):
                server = socket.socket(socket.AF_UNIX)
                server.bind(path)
                server.listen()
                self.servers.append(server)
            with contextlib.suppress(OSError):
                mailbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                mailbox.bind(path + "-mail")
                self.datagrams.append(mailbox)
        for path in (self.unix, Path(f"{self.unix}-mail")):
            path.chmod(0o777)
        for mailbox in self.datagrams:
            mailbox.setblocking(False)
        self.shared = Path("/dev/shm") / f"panel_{self.abstract}"
        with contextlib.suppress(OSError):
            self.shared.write_text("x")
        self.ipc_key = 0x52000000 | os.getpid() & 0xFFFFFF
        self.ipc = _shared_memory(self.ipc_key)
        for server in self.servers:
            threading.Thread(target=self._listen, args=(server,), daemon=True).start()

    def _listen(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = server.accept()
                self.visits.append(str(server.getsockname()))
                link.close()

    def fill(self, source: str) -> str:
        names = {
            "@DROP@": str(self.drop),
            "@SECRET@": str(self.secret),
            "@PORT@": str(self.port),
            "@UNIX@": str(self.unix),
            "@ABSTRACT@": self.abstract,
            "@PARENT@": str(os.getpid()),
            "@GROUP@": str(os.getpgrp()),
            "@IPCKEY@": str(self.ipc_key),
        }
        for name, value in names.items():
            source = source.replace(name, value)
        return source

    def damage(self) -> list[str]:
        found = [f"file {path.name}" for path in self.drop.iterdir() if path.name != "panel_outside.py"]
        found += [f"connection to {name}" for name in self.visits]
        for mailbox in self.datagrams:
            with contextlib.suppress(BlockingIOError):
                while True:
                    found.append(f"datagram to {mailbox.getsockname()!r}: {mailbox.recv(20)!r}")
        if self.secret.read_text() != "CANARY-of-the-panel\n" or self.secret.stat().st_mode & 0o777 != 0o666:
            found.append("the secret file was changed")
        return found

    def close(self) -> None:
        os.environ.pop("RLAR_PANEL_SECRET", None)
        os.close(self.inherited)
        for server in (*self.servers, *self.datagrams):
            server.close()
        self.shared.unlink(missing_ok=True)
        if self.ipc >= 0:
            ctypes.CDLL(None).shmctl(self.ipc, 0, None)


def _shared_memory(key: int) -> int:
    try:
        return int(ctypes.CDLL(None).shmget(key, 64, 0o1666))
    except (OSError, AttributeError):
        return -1


def how_it_won(pool: Pool, world: World, hostile: Hostile) -> list[str]:
    """What a hostile program got that it must not get, the next calls' verdicts included; empty where the tier held."""
    judge = {"program": _program, "stdio": _whole, "verifier": _verifier, "suite": _suite}[hostile.kind]
    found = judge(pool, world.fill(hostile.source), hostile)
    return found + [f"outside: {damage}" for damage in world.damage()]


def _program(pool: Pool, source: str, _hostile: Hostile) -> list[str]:
    started = time.monotonic()
    result = pool.run_tests(source, TESTS, "blend", limits=HURRY)
    found = []
    if result.passed or result.status is Status.REFUSED:  # a verdict about the program, not an excuse
        found.append(f"{result.status}: {result.explanation}")
    if time.monotonic() - started > HURRY.seconds + 10:
        found.append("held its judge up")
    if len(result.output) > HURRY.output_bytes or len(result.explanation) > 2000:
        found.append("printed past its limit")
    if "CANARY" in result.output + result.explanation:
        found.append("read the canary")
    return found + _misjudged(pool)


def _misjudged(pool: Pool) -> list[str]:
    """Verdicts of the next rows that are not what they must be."""
    found = []
    rows = [("", WRONG, TESTS, "blend", False), ("", GOOD, TESTS, "blend", True)]
    for what, tests in OTHER_SUITES.items():
        rows += [(what, OTHER_WRONG, tests, "total", False), (what, OTHER_GOOD, tests, "total", True)]
    for what, program, tests, entry, wanted in rows:
        result = pool.run_tests(program, tests, entry)
        if result.status is not (Status.PASSED if wanted else Status.FAILED) or result.forgeable:
            row = "the same row's" if not what else f"the row by {what}:"
            kind = "right" if wanted else "wrong"
            found.append(f"afterwards {row} {kind} program: {result.status} ({result.explanation})")
    return found


def _whole(pool: Pool, source: str, _hostile: Hostile) -> list[str]:
    found = [
        f"{result.status}: {result.output[:80]!r}"
        for result in pool.run_stdio(source, CASES, limits=HURRY)
        if result.passed or result.status is Status.REFUSED or "CANARY" in result.output
    ]
    if not all(result.passed for result in pool.run_stdio(GOOD_WHOLE, CASES)):
        found.append("afterwards a right whole program fails")
    if any(result.passed for result in pool.run_stdio(GOOD_WHOLE.replace("10", "9"), CASES)):
        found.append("afterwards a wrong whole program passes")
    return found


def _verifier(pool: Pool, source: str, hostile: Hostile) -> list[str]:
    items = [["p", "a", "a", {}], ["p", "bb", "a", {}]]
    found = []
    for mode in ("forked", "warm"):
        if (hostile.group, mode) == ("state", "warm"):
            differing = [["p", "a", "a", {}], ["p", "b", "b", {}]]
            if not pool.check_state_independence(source, "compute", differing):
                found.append("may run warm")
            continue
        results = pool.run_verifier(source, "compute", items, mode=mode, limits=HURRY)  # type: ignore[arg-type]
        found += [f"{mode}: {text}" for result in results for text in _score_fault(result, hostile)]
        after = pool.run_verifier(GOOD_VERIFIER, "compute", items, mode=mode)  # type: ignore[arg-type]
        if [result.value for result in after] != [1.0, 0.0]:
            found.append(f"{mode}: afterwards a verifier gives {after}")
    return found


def _score_fault(result: VerifierResult, hostile: Hostile) -> list[str]:
    if hostile.expect in ("failed", "timeout"):
        statuses = [Status.TIMEOUT] if hostile.expect == "timeout" else [Status.FAILED, *_DEATHS]
        held = result.value is None and result.status in statuses and bool(result.explanation)
    else:
        held = (result.value, result.status) == (float(hostile.expect), Status.PASSED)
    return [] if held and "CANARY" not in result.explanation else [str(result)]


_DEATHS = (Status.TIMEOUT, Status.MEMORY, Status.CRASHED)


def _suite(pool: Pool, source: str, hostile: Hostile) -> list[str]:
    """A suite may pass programs of its own row as it likes; what it does to the machine and to other rows counts."""
    found = []
    result = pool.run_tests(GOOD, source, "blend", limits=HURRY)
    if hostile.group != "poison" and result.passed:
        found.append("its assertion that the act succeeded holds")
    if "CANARY" in result.output + result.explanation:
        found.append("read the canary")
    return found + _misjudged(pool)


# ---------------------------------------------------------------------------------------- the table of the docs

BEGIN, END = "<!-- panel: written by `python tests/panel.py --write-docs` -->", "<!-- /panel -->"


def table(panel: Sequence[Hostile], held: Mapping[str, Counter[str]]) -> str:
    """A line for each class: what is tried, how many programs, and how many of them each tier held."""
    sizes = Counter(hostile.group for hostile in panel)
    names = " | ".join(f"`{tier}`" for tier in held)
    lines = [f"| class | what is tried | programs | held by {names.replace(' | ', ' | by ')} |"]
    lines.append("|---|---|---|" + "---|" * len(held))
    for group, tried in CLASSES.items():
        counts = " | ".join(str(kept[group]) for kept in held.values())
        lines.append(f"| {group} | {tried} | {sizes[group]} | {counts} |")
    totals = " | ".join(str(sum(kept.values())) for kept in held.values())
    lines.append(f"| **all** | | {len(panel)} | {totals} |")
    return "\n".join(lines)


def read_table() -> str:
    """What docs/sandbox.md says."""
    text = PAGE.read_text()
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def write_table(rows: str) -> None:
    text = PAGE.read_text()
    PAGE.write_text(f"{text[: text.index(BEGIN)]}{BEGIN}\n{rows}\n{text[text.index(END) :]}")


def run(tiers: Sequence[str]) -> tuple[dict[str, Counter[str]], list[str]]:
    """Programs held, by tier and class; and the victories of the others."""
    held: dict[str, Counter[str]] = {}
    victories = []
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for tier in tiers:
            held[tier] = Counter()
            with Pool(tier=tier, workers=1, limits=PATIENT) as pool:  # type: ignore[arg-type]
                for hostile in HOSTILE:
                    found = how_it_won(pool, world, hostile)
                    held[tier][hostile.group] += not found
                    victories += [f"{tier} {hostile.name}: {text}" for text in found]
        world.close()
    return held, victories


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tier", action="append", help="again for more; every tier of this machine unless said")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/sandbox.md")
    options = parser.parse_args()
    tiers = options.tier or [state.tier for state in probe().tiers if state.available]
    held, victories = run(tiers)
    rows = table(HOSTILE, held)
    print(rows)
    print("\n".join(victories))
    print(f"{len(victories)} victories over {', '.join(held)}, as user {os.getuid()}")
    if options.write_docs:
        write_table(rows)
    sys.exit(bool(victories))


if __name__ == "__main__":
    main()
