"""The process in which math-verify compares two expressions, so that a hang or a blow-up ends there.

math-verify limits its time by SIGALRM, which works in a main thread only, and SymPy can spend hours and gigabytes on a
short text (10^{10^{10}}). So comparisons run in helper processes that are killed at a deadline and cannot grow past
MEMORY_BYTES. No text is ever evaluated as Python: only math-verify's LaTeX grammar is used. This limits time and memory;
it is not a sandbox.

Run as a module, this file serves: a frame [reference, claim] in, a verdict out.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import weakref
from collections import OrderedDict
from functools import lru_cache
from typing import Literal

from rlar.process import Child, Pipe, limit_memory, to_json

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


class _Helper:
    """One helper process; not thread-safe."""

    def __init__(self) -> None:
        # A fixed hash seed: SymPy orders by hash here and there, and equal input must give equal output.
        self._child = Child(__name__, environment={"PYTHONHASHSEED": "0"}, inherits=False)
        self.served = 0
        self._receive(START_SECONDS)

    @property
    def alive(self) -> bool:
        return self._child.is_open

    def compare(self, reference: str, claim: str, seconds: float) -> Verdict:
        self.served += 1
        try:
            self._child.send(to_json([reference, claim]), until=time.monotonic() + seconds)
        except OSError as error:
            self.close()
            return "timeout" if isinstance(error, TimeoutError) else "crash"
        return self._receive(seconds)

    def _receive(self, seconds: float) -> Verdict:
        """The verdict; a helper that gives none is ended."""
        try:
            verdict: Verdict = json.loads(self._child.receive(until=time.monotonic() + seconds))
        except (TimeoutError, EOFError) as error:
            self.close()
            return "timeout" if isinstance(error, TimeoutError) else "crash"
        return verdict

    def close(self) -> None:
        self._child.close()


def _close_all(idle: list[_Helper]) -> None:
    while idle:
        idle.pop().close()


class Equivalence:
    """Are two LaTeX expressions equal? Answers within a time limit whatever they hold; thread-safe."""

    def __init__(self, *, seconds: float = 3.0, processes: int = 2) -> None:
        self.seconds = seconds
        self._slots = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._idle: list[_Helper] = []
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
                process = _Helper()
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
        """End the idle helper processes; the next comparison starts new ones."""
        with self._lock:
            _close_all(self._idle)


# ------------------------------------------------------------------------------------------ in the helper


def _serve() -> None:
    import logging
    import signal
    import sys

    # Made first: verdicts leave through a copy of stdout, so that a library that prints cannot spoil them.
    pipe = Pipe()
    limit_memory(MEMORY_BYTES)
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
        expressions = parse(f"${text}$", extraction_config=config, parsing_timeout=None)
        return [one for one in expressions if isinstance(one, Basic | MatrixBase)]

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

    def settled(gold: object, claimed: object) -> bool | None:
        try:
            if isinstance(gold, MatrixBase) and isinstance(claimed, MatrixBase):
                if gold.shape != claimed.shape:
                    return False
                verdicts = [close(one, other) for one, other in zip(gold, claimed, strict=True)]
                return False if False in verdicts else None if None in verdicts else True
            return close(gold, claimed) if isinstance(gold, Expr) and isinstance(claimed, Expr) else None
        except (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError):
            return None

    def verdict(reference: str, claim: str) -> Verdict:
        gold = read(reference)
        if not gold:
            return "unreadable reference"
        claim_values = read(claim)
        if not claim_values:
            return "unreadable claim"
        if len(gold) == len(claim_values) == 1 and (same := settled(gold[0], claim_values[0])) is not None:
            return "equal" if same else "different"
        same = verify(gold, claim_values, allow_set_relation_comp=True, timeout_seconds=None)
        return "equal" if same else "different"

    verdict("x+1", "1+x")
    pipe.send(to_json("equal"))  # ready
    while (body := pipe.receive()) is not None:
        reference, claim = json.loads(body)
        # Should the parent die meanwhile, nobody else ends a comparison that hangs. This is our own process and its
        # main thread; the alarm's default action ends it.
        signal.alarm(ORPHAN_SECONDS)
        answer = verdict(reference, claim)
        signal.alarm(0)
        pipe.send(to_json(answer))


if __name__ == "__main__":
    _serve()
