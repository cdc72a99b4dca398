"""The pool: a bounded number of jailed sessions that threads and asyncio share."""

from __future__ import annotations

import asyncio
import collections
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from rlar.config import SandboxTier, read_sandbox_tier
from rlar.errors import ConfigError, SandboxError, SandboxRefused
from rlar.sandbox.compare import Compare, same_output
from rlar.sandbox.engine import Image, RawScore, SandboxLost, TestsJob, VerifierJob
from rlar.sandbox.native import NativeEngine, NativeSession
from rlar.sandbox.results import CallResult, Limits, RunResult, Status, TierReport, VerifierResult
from rlar.sandbox.scores import check_scores

if TYPE_CHECKING:
    from rlar.sandbox.languages.workshop import BuiltProgram

Mode = Literal["split", "same", "auto"]

_TRIES = 3
"""A call whose sandbox was lost under it is repeated; after so many losses it ends as refused."""
_QUEUED_PER_WORKER = 256
_MAX_SERVERS: dict[Image, int] = {"light": 8, "heavy": 4}
_LOST = "the sandbox's own processes died or were killed from outside under this call"

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


@dataclass(slots=True)
class _Lane:
    """The sessions of one image; made one by one as concurrency asks for them."""

    engine: NativeEngine
    idle: collections.deque[NativeSession] = field(default_factory=collections.deque)
    """Last in, first out: a light load stays on one warm session."""
    opened: int = 0


class Pool:
    """Runs untrusted programs and verifiers in isolated processes, at most `workers` at a time.

    Thread-safe; further callers wait. Nothing is started before the first call, and never by forking this process.
    Every call ends in a status; what raises is a misuse (SandboxError) or a machine without isolation (SandboxRefused).

    Args:
        tier: "auto" takes the strongest that works here; "ns", "ll" or "sec" forces it; "unsafe" needs `accept_unsafe`.
            ConfigError for anything else: a mistyped tier never means less isolation.
        image: what programs and verifiers find imported: "light" (the usual standard library), "heavy" (also numpy,
            sympy, math_verify, sacrebleu). Every method can name the other one; both are started only when used.
        workers: calls at a time; by default the number of processors this process may use.
        limits: for calls that give none.
        accept_unsafe: run without isolation where the machine offers none. Results are then marked `unsafe`.
    """

    def __init__(
        self,
        *,
        tier: SandboxTier = "auto",
        image: Image = "light",
        workers: int | None = None,
        limits: Limits | None = None,
        accept_unsafe: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self.image: Image = image
        self.workers = max(1, workers or _processors())
        self.tier = _choose_tier(tier, accept_unsafe)
        self.unsafe = self.tier == "unsafe"
        self._lanes: dict[Image, _Lane] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(self.workers)
        self._executor: ThreadPoolExecutor | None = None
        self._queued = threading.BoundedSemaphore(self.workers * _QUEUED_PER_WORKER)
        self._owner = os.getpid()
        self._closed = False
        self._built: set[BuiltProgram] = set()
        """Programs of other languages under way."""
        self._finalizer = weakref.finalize(self, _close_lanes, self._lanes, self._owner)

    # ------------------------------------------------------------------------------------ programs

    def run_tests(
        self,
        program: str,
        tests: str,
        entry_point: str | None = None,
        *,
        prelude: str | None = None,
        limits: Limits | None = None,
        mode: Mode = "auto",
        image: Image | None = None,
    ) -> RunResult:
        """Whether a program passes a suite that it never sees.

        The suite is Python that runs in another process: assert lines, `check(candidate)`, `test_...` functions or
        `unittest` cases. Every name that it reads and does not define is the program's: functions are called across
        the boundary with plain data, classes (capitalised) are constructed there and held as references.

        Args:
            program: the whole module, as a caller assembled it.
            entry_point: the function handed to `check`; also `Solution.method`. Optional for assert lines.
            prelude: definitions that the tests need and the program must not choose.
            mode: "split" refuses what cannot be split; "same" runs both in one interpreter (forgeable); "auto" splits
                and falls back to "same" where the *tests* make splitting impossible, never because of the program.
        """
        job = TestsJob(program, tests, entry_point, prelude, mode, limits or self.limits)
        return self._run(image, lambda session: session.run_tests(job))

    def run_program(
        self, program: str, stdin: str = "", *, limits: Limits | None = None, image: Image | None = None
    ) -> RunResult:
        """Run a whole program; passed where it ended by itself with status 0. `output` holds what it printed."""
        data = stdin.encode("utf-8", "replace")
        return self._run(image, lambda session: session.run_program(program, data, limits or self.limits))

    def run_stdio(
        self,
        program: str,
        cases: Sequence[tuple[str, str]],
        *,
        limits: Limits | None = None,
        compare: Compare = "lines",
        stop_after_failure: bool = False,
        image: Image | None = None,
        language: str = "python",
    ) -> list[RunResult]:
        """One result per (stdin, expected stdout), compared outside the jail.

        A program in another language is built once, in a jail of its own, and run for every case. One that cannot be
        built has failed; where this machine has no runner (see `missing_runner`) the results are refused.

        Args:
            limits: per case; cases that begin after `total_seconds` are timeouts.
            compare: "exact", "lines" (trailing white space and blank lines at the end do not count), "tokens" (any
                white space separates), "numbers" (tokens, numbers equal within 1e-6) or a function of (printed, expected).
            stop_after_failure: the list then ends with the first case that did not pass.
        """
        allowed = limits or self.limits
        if language == "python":

            def run(stdin: str, bounds: Limits) -> RunResult:
                return self.run_program(program, stdin, limits=bounds, image=image)

            return self._run_cases(run, cases, allowed, compare, stop_after_failure)
        return self._with_built(
            language, program, lambda built: self._run_cases(built.run, cases, allowed, compare, stop_after_failure)
        )

    def missing_runner(self, language: str) -> str:
        """What would let programs of a language run here, in a sentence; "" where they do. Tried once a process."""
        from rlar.sandbox.languages.workshop import runner

        problem = "" if language == "python" else runner(self.tier, language)
        return problem if isinstance(problem, str) else ""

    def _run_cases(
        self,
        run: Callable[[str, Limits], RunResult],
        cases: Sequence[tuple[str, str]],
        bounds: Limits,
        compare: Compare,
        stop_after_failure: bool,
    ) -> list[RunResult]:
        results: list[RunResult] = []
        left = bounds.whole_seconds
        for stdin, expected in cases:
            if left > 0:
                result = run(stdin, replace(bounds, seconds=min(bounds.seconds, left)))
                left -= result.seconds
            else:
                why = f"not run: the cases before took {bounds.whole_seconds:g} s"
                result = RunResult(Status.TIMEOUT, why, tier=self.tier, unsafe=self.unsafe)
            if result.passed and not same_output(result.output, expected, compare):
                result = replace(result, status=Status.FAILED, explanation="printed something else than expected")
            results.append(result)
            if stop_after_failure and not result.passed:
                break
        return results

    def _with_built(
        self, language: str, program: str, work: Callable[[BuiltProgram], list[RunResult]]
    ) -> list[RunResult]:
        """Do the work with a program of another language, built in a fresh jail; again where that one was lost."""
        from rlar.sandbox.languages.workshop import BuiltProgram, runner

        self._check_open()
        installed = runner(self.tier, language)
        lost = _LOST
        with self._slots:
            for _ in range(_TRIES):
                built = BuiltProgram(self.tier, installed, program)
                self._built.add(built)
                try:
                    return work(built)
                except SandboxLost as error:
                    lost = str(error) or _LOST
                    if self._closed:
                        break
                except SandboxError as error:
                    lost = str(error)
                    break
                finally:
                    self._built.discard(built)
                    built.close()
        return [RunResult(Status.REFUSED, lost, tier=self.tier, unsafe=self.unsafe)]

    def call(
        self,
        program: str,
        entry_point: str,
        arguments: Sequence[Sequence[Any]],
        *,
        limits: Limits | None = None,
        image: Image | None = None,
    ) -> list[CallResult]:
        """What a program's function returns for each argument list: for comparing two programs.

        `limits` are per call; calls after `total_seconds` are timeouts.
        The calls share one process, in order. Values are plain builtin data (see CallResult); arguments must be too,
        else ValueError.
        """
        if not arguments:
            return []
        bounds = limits or self.limits
        results = self._run_many(
            image,
            lambda session: session.call(program, entry_point, arguments, bounds),
            lambda: [CallResult(Status.REFUSED, explanation=_LOST, tier=self.tier)] * len(arguments),
        )
        return [replace(result, unsafe=True) for result in results] if self.unsafe else results

    # ------------------------------------------------------------------------------------ verifiers

    def run_verifier(
        self,
        source: str,
        function: str,
        batch: Sequence[Sequence[Any]],
        *,
        mode: Literal["forked", "warm"] = "forked",
        limits: Limits | None = None,
        low: float = 0.0,
        high: float = 1.0,
        image: Image | None = None,
    ) -> list[VerifierResult]:
        """Scores of a verifier's function, one per item (a list of positional JSON arguments), in order.

        The verifier finds `run_program(program, stdin="")` among its globals, which gives {"status", "output",
        "explanation"}: it must not exec a response itself. All programs of an item share four fifths of its time.

        Args:
            mode: "forked" gives every item a process of its own. "warm" reuses processes, a hundred times cheaper,
                and is only right for a verifier that passed `check_state_independence`.
            limits: per item, loading and nested programs included.
        """
        if not batch:
            return []
        bounds = limits or self.limits
        job = VerifierJob(source, function, batch, mode, bounds, self._verifier_run_program(bounds, image))
        started = time.perf_counter()
        nothing: list[RawScore] = [(Status.REFUSED, _LOST)] * len(batch)
        raw = self._run_many(image, lambda session: session.score(job), lambda: nothing)
        seconds = (time.perf_counter() - started) / len(batch)
        return check_scores(raw, low=low, high=high, seconds=seconds, tier=self.tier, unsafe=self.unsafe)

    def check_state_independence(
        self,
        source: str,
        function: str,
        items: Sequence[Sequence[Any]],
        *,
        limits: Limits | None = None,
        low: float = 0.0,
        high: float = 1.0,
        image: Image | None = None,
        seed: int = 0,
    ) -> str:
        """Empty where warm and forked scores agree on the items in two shuffled orders; else what differs."""
        orders = [list(range(len(items))) for _ in range(2)]
        for order in orders:
            random.Random(seed).shuffle(order)
            seed += 1
        shared: dict[str, Any] = {"limits": limits, "low": low, "high": high, "image": image}
        forked = self.run_verifier(source, function, items, mode="forked", **shared)
        for order in orders:
            warm = self.run_verifier(source, function, [items[i] for i in order], mode="warm", **shared)
            for place, index in enumerate(order):
                alone, reused = forked[index], warm[place]
                if (alone.value, alone.status) != (reused.value, reused.status):
                    return (
                        f"item {index}: {alone.value} ({alone.status}) in a process of its own, "
                        f"{reused.value} ({reused.status}) as number {place} of a reused one"
                    )
        return ""

    def _verifier_run_program(self, limits: Limits, image: Image | None) -> Callable[[str, str, float], RunResult]:
        """The program runs in a session of its own: the verifier's is busy. A lost one loses the verifier's call too."""

        def run(program: str, stdin: str, seconds: float) -> RunResult:
            bounds = replace(limits, seconds=min(limits.seconds, seconds))
            session = self._lane(image or self.image).engine.open_session(0)
            try:
                return session.run_program(program, stdin.encode("utf-8", "replace"), bounds)
            finally:
                session.close()

        return run

    # ------------------------------------------------------------------------------------ threads and asyncio

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run one of this pool's methods on its own threads: `pool.submit(pool.run_tests, program, tests)`.

        Blocks while the queue is full (256 calls per worker).
        """
        self._check_open()
        self._queued.acquire()
        return self._queue(function, *args, **kwargs)

    def map(self, function: Callable[[U], T], values: Collection[U]) -> list[T]:
        """`function` of every value, in order, as many at a time as there are workers; of one in the calling thread."""
        if len(values) < 2 or self.workers < 2:
            return list(map(function, values))
        # Threads of its own: a batch that its caller has given up must not stand before the next in the queue.
        with ThreadPoolExecutor(min(self.workers, len(values)), thread_name_prefix="rlar-sandbox") as threads:
            return list(threads.map(function, values))

    async def arun(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`await pool.arun(pool.run_tests, program, tests)`: the same for asyncio; waits while the queue is full."""
        self._check_open()
        while not self._queued.acquire(blocking=False):
            await asyncio.sleep(0.005)
        return await asyncio.wrap_future(self._queue(function, *args, **kwargs))

    def _queue(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """With a place in the queue taken, which is given back once the call is over."""
        try:
            future = self._threads().submit(function, *args, **kwargs)
        except BaseException:
            self._queued.release()
            raise
        future.add_done_callback(lambda _future: self._queued.release())
        return future

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix="rlar-sandbox")
            return self._executor

    # ------------------------------------------------------------------------------------ sessions

    def _run(self, image: Image | None, work: Callable[[NativeSession], RunResult]) -> RunResult:
        result = self._run_many(
            image, lambda session: [work(session)], lambda: [RunResult(Status.REFUSED, _LOST, tier=self.tier)]
        )[0]
        return replace(result, unsafe=True) if self.unsafe else result

    def _run_many(
        self, image: Image | None, work: Callable[[NativeSession], list[T]], lost: Callable[[], list[T]]
    ) -> list[T]:
        """Do the work in a free session; again in a fresh one where the sandbox died under it."""
        self._check_open()
        with self._slots:
            for _ in range(_TRIES):
                lane = self._lanes.get(image or self.image) or self._lane(image or self.image)
                try:
                    session = lane.idle.pop()
                except IndexError:
                    session = self._open_session(lane)
                try:
                    answer = work(session)
                except SandboxLost:
                    session.close()
                    if self._closed:
                        break
                    continue
                except BaseException:
                    session.close()
                    raise
                lane.idle.append(session)
                return answer
        return lost()

    def _open_session(self, lane: _Lane) -> NativeSession:
        with self._lock:
            slot = lane.opened
            lane.opened += 1
        return lane.engine.open_session(slot)

    def _lane(self, image: Image) -> _Lane:
        with self._lock:
            self._check_open()
            lane = self._lanes.get(image)
            if lane is None:
                servers = min(self.workers, _MAX_SERVERS[image])
                lane = self._lanes[image] = _Lane(NativeEngine(self.tier, image, servers))
            return lane

    def _check_open(self) -> None:
        if self._closed:
            raise SandboxError("the sandbox pool is closed")
        if os.getpid() != self._owner:
            raise SandboxError("this sandbox pool belongs to the process that made it; make one after forking")

    # ------------------------------------------------------------------------------------ end

    @property
    def report(self) -> TierReport:
        """What isolation this machine offers (tried again, about half a second)."""
        from rlar.sandbox.tiers import probe

        return probe()

    def close(self) -> None:
        """End every process. Calls under way end as refused; later ones raise SandboxError."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
        for built in list(self._built):
            built.interrupt()
        self._finalizer()
        if executor is not None:
            executor.shutdown(wait=True)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _processors() -> int:
    """Processors that this process may use: fewer than the machine's in a container or a job of a cluster."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _choose_tier(wanted: object, accept_unsafe: object) -> str:
    tier = read_sandbox_tier(wanted)
    if type(accept_unsafe) is not bool:
        raise ConfigError(f"accept_unsafe {ascii(accept_unsafe)[:80]}: expected True or False")
    if tier == "unsafe":
        if not accept_unsafe:
            raise SandboxRefused("tier 'unsafe' runs foreign code without isolation; it needs accept_unsafe=True")
        return tier
    if tier != "auto":
        return tier
    from rlar.sandbox.tiers import best_tier

    best, reasons = best_tier()
    if best is not None:
        return best
    if accept_unsafe:
        return "unsafe"
    raise SandboxRefused(
        f"this machine offers no isolation for foreign code ({reasons}); see `rlar doctor`, "
        "or pass accept_unsafe=True to run it with your own rights"
    )


def _close_lanes(lanes: dict[Image, _Lane], owner: int) -> None:
    """A forked copy of the owner must not touch the owner's processes."""
    if os.getpid() != owner:
        return
    for lane in lanes.values():
        lane.engine.close()
        while lane.idle:
            lane.idle.pop().close()
