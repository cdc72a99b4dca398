"""The process in which math-verify compares two expressions, so that a hang or a blow-up ends there.

math-verify limits its time by SIGALRM, which works in a main thread only, and SymPy can spend hours and gigabytes on a
short text (10^{10^{10}}). So comparisons run in helper processes that are killed at a deadline and cannot grow past
MEMORY_BYTES. No text is ever evaluated as Python: only math-verify's LaTeX grammar is used. This limits time and memory;
it is not a sandbox.

Run as a script (`python -P math_worker.py`), this file serves: one JSON array [reference, claim] a line in, one verdict
a line out. It imports nothing of rlar, so that it starts without it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal

Verdict = Literal["equal", "different", "unreadable reference", "unreadable claim", "timeout", "crash"]

MEMORY_BYTES = 2 * 1024**3
START_SECONDS = 60.0
"""Importing SymPy takes one to two seconds on an idle core, and much longer on a crowded machine."""
MAX_KNOWN = 4_096
DIGITS = 60
"""Values are computed to so many digits; two exact ones that agree in all but the last 20 are equal."""
ORPHAN_SECONDS = 60
COMPARISONS_PER_PROCESS = 2_000
"""Then a fresh process takes over: SymPy's caches only grow."""


class _Process:
    """One helper; not thread-safe."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A fixed hash seed: SymPy orders by hash here and there, and equal input must give equal output.
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONHASHSEED": "0"},
            close_fds=True,
        )
        assert self._child.stdin is not None and self._child.stdout is not None
        self._in: IO[bytes] = self._child.stdin
        self._out: IO[bytes] = self._child.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._buffer = b""
        self.served = 0
        self.alive = self._read_line(START_SECONDS) == b"ready"

    def compare(self, reference: str, claim: str, seconds: float) -> Verdict:
        self.served += 1
        try:
            self._in.write(json.dumps([reference, claim]).encode() + b"\n")
            self._in.flush()
        except OSError:
            self.close()
            return "crash"
        line = self._read_line(seconds)
        if line is None or not line:
            self.close()
            return "timeout" if line is None else "crash"
        verdict: Verdict = json.loads(line)
        return verdict

    def _read_line(self, seconds: float) -> bytes | None:
        """A line; b"" when the process ended; None when the time is over."""
        while b"\n" not in self._buffer:
            if not self._selector.select(seconds):
                return None
            block = os.read(self._out.fileno(), 65536)
            if not block:
                return b""
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        self.alive = False
        self._child.kill()
        self._child.wait()
        self._selector.close()
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()


def _close_all(idle: list[_Process]) -> None:
    while idle:
        idle.pop().close()


class Equivalence:
    """Are two LaTeX expressions equal? Answers within a time limit whatever they hold; thread-safe."""

    def __init__(self, *, seconds: float = 3.0, processes: int = 2) -> None:
        self.seconds = seconds
        self._slots = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._owner = os.getpid()
        self._known: OrderedDict[tuple[str, str], Verdict] = OrderedDict()
        weakref.finalize(self, _close_all, self._idle)

    def compare(self, reference: str, claim: str) -> Verdict:
        """The verdict; the last MAX_KNOWN are remembered, since the completions of one prompt repeat each other."""
        with self._lock:
            if (known := self._known.get((reference, claim))) is not None:
                self._known.move_to_end((reference, claim))
                return known
        verdict = self._ask(reference, claim)
        if verdict not in ("timeout", "crash"):
            with self._lock:
                self._known[reference, claim] = verdict
                if len(self._known) > MAX_KNOWN:
                    self._known.popitem(last=False)
        return verdict

    def _ask(self, reference: str, claim: str) -> Verdict:
        with self._slots:
            with self._lock:
                if self._owner != os.getpid():
                    # After a fork the helpers belong to the parent.
                    self._idle = []
                    self._owner = os.getpid()
                process = self._idle.pop() if self._idle else None
            if process is None:
                process = _Process()
                if not process.alive:
                    process.close()
                    return "crash"
            verdict = process.compare(reference, claim, self.seconds)
            if process.alive and process.served >= COMPARISONS_PER_PROCESS:
                process.close()
            if process.alive:
                with self._lock:
                    self._idle.append(process)
            return verdict

    def close(self) -> None:
        with self._lock:
            _close_all(self._idle)


# ------------------------------------------------------------------------------------------ in the helper


def _serve() -> None:
    import logging
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Verdicts leave through a copy of stdout, so that a library that prints cannot spoil them.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(3_000)
    with contextlib.suppress(AttributeError):
        sys.set_int_max_str_digits(5_000)
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify
    from sympy import Basic, Expr, Float, MatrixBase, Rational

    # units=False: it would read 5t as five tonnes; units are taken off before, where a text marks them as units.
    spelling = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="none")
    config = [LatexExtractionConfig(boxed_match_priority=-1, normalization_config=spelling)]

    @lru_cache(maxsize=256)
    def read(text: str) -> list[object]:
        # The completions of a prompt share its reference.
        found = parse(f"${text}$", extraction_config=config, parsing_timeout=None)
        return [one for one in found if isinstance(one, Basic | MatrixBase)]

    points = ((3, 7, 11, 13, 17, 19, 23, 29), (5, 2, 31, 1, 37, 8, 9, 41), (-7, -3, -13, -5, -11, -2, -17, -19))

    def close(one: Expr, other: Expr) -> bool | None:
        """Do two expressions agree to nearly all of DIGITS digits, wherever their symbols are put? None where no number comes out.

        math-verify rounds the difference of two values, and takes all tiny ones for zero.
        """
        names = sorted({symbol.name for symbol in one.free_symbols | other.free_symbols})
        if len(names) > len(points[0]):
            return None
        inexact = one.has(Float) or other.has(Float)
        for at, point in enumerate(points if names else points[:1]):
            # Sevenths and elevenths: a point where nothing in a textbook is singular.
            put = {name: Rational(value * 100 + 1, 77) for name, value in zip(names, point, strict=False)}
            values = [
                expression.subs({symbol: put[symbol.name] for symbol in expression.free_symbols}).evalf(DIGITS)
                for expression in (one, other)
            ]
            if not all(value.is_number and value.is_finite for value in values):
                return None
            size = max(abs(value) for value in values)
            difference = abs((values[0] - values[1]).evalf(DIGITS))
            if difference <= size * Rational(1, 10 ** (9 if inexact else DIGITS - 20)):
                continue
            if one.is_Float or other.is_Float:
                # A decimal beside an exact value: math-verify's six places, as long as they say anything.
                return None if difference <= Rational(1, 10**6) and difference <= size / 10**4 else False
            return None if at == 2 else False  # \\sqrt{x^2} is x where textbooks mean x > 0: math-verify decides
        return True

    def settled(gold: object, said: object) -> bool | None:
        try:
            if isinstance(gold, MatrixBase) and isinstance(said, MatrixBase):
                if gold.shape != said.shape:
                    return False
                verdicts = [close(one, other) for one, other in zip(gold, said, strict=True)]
                return False if False in verdicts else None if None in verdicts else True
            return close(gold, said) if isinstance(gold, Expr) and isinstance(said, Expr) else None
        except (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError):
            return None

    def verdict(reference: str, claim: str) -> Verdict:
        gold = read(reference)
        if not gold:
            return "unreadable reference"
        said = read(claim)
        if not said:
            return "unreadable claim"
        if len(gold) == len(said) == 1 and (same := settled(gold[0], said[0])) is not None:
            return "equal" if same else "different"
        same = verify(gold, said, allow_set_relation_comp=True, timeout_seconds=None)
        return "equal" if same else "different"

    verdict("x+1", "1+x")
    out.write(b"ready\n")
    for line in sys.stdin.buffer:
        reference, claim = json.loads(line)
        # Should the parent die meanwhile, nobody else ends a comparison that hangs. This is our own process and its
        # main thread; the alarm's default action ends it.
        signal.alarm(ORPHAN_SECONDS)
        answer = verdict(reference, claim)
        signal.alarm(0)
        out.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    _serve()
