"""Child processes, and threads that are left behind where they hang: nothing else in rlar starts its own for a tool.

Children are started fresh as `python -m MODULE`, never forked, so that no main module is imported a second time.

A child speaks over copies of its stdin and stdout, which nothing that prints can spoil, in frames: 8 bytes of length,
then the body, JSON as a rule and never a pickle. Whoever waits for one says how long. What a child leaves when it ends is
its exit code and its last line on stderr. It can limit its memory, and have the kernel end it with who started it.

Threads are daemons that are used again: what hangs in one costs that thread, never the end of the process.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import IO, Any, TypeVar

from rlar.errors import boundary

T = TypeVar("T")

FRUGAL = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
"""For a child that limits its memory: arenas of many threads, and pools that keep what they freed, would count as used."""
STDERR_BYTES = 1_000_000
"""What a child says on stderr is thrown away beyond."""
LOOK_SECONDS = 0.5
"""Between two looks whether anybody still waits."""
IDLE_SECONDS = 30.0
"""A thread without anything to do ends."""
_PARENT = "RLAR_PARENT_PID"
_HEAD = 8
_PR_SET_PDEATHSIG = 1


# ------------------------------------------------------------------------------------------ in the parent


@dataclass(frozen=True)
class End:
    """How a child ended."""

    code: int | None
    """Its exit code, negative for a signal; None for one that had not ended and was killed."""
    line: str
    """The last one that it said on stderr; may be empty."""

    @property
    def signal(self) -> str:
        """SIGSEGV, SIGKILL ...; empty where it ended by itself."""
        return signal.Signals(-self.code).name if self.code is not None and self.code < 0 else ""

    def __str__(self) -> str:
        how = f"killed by {self.signal}" if self.signal else f"exit code {self.code}"
        return f"{how}: {self.line}" if self.line else how


class Child:
    """One process and the pipes to it. Of its methods only `kill` may be called while another thread is in one."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        inherits: bool = True,
        pass_fds: tuple[int, ...] = (),
        command: Sequence[str] = (),
    ) -> None:
        """
        Args:
            environment: variables besides this process's own.
            inherits: whether it gets this process's variables, secrets among them.
            pass_fds: files that it inherits.
            command: what to run instead of a module: another interpreter, say, which gets none of this one's paths.
        """
        paths = {} if command else {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [*(command or (sys.executable, "-P", "-m", module)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={
                **(os.environ if inherits else {}),
                **paths,
                _PARENT: str(os.getpid()),
                **(environment or {}),
            },
            bufsize=0,
            # A group of its own: Ctrl-C at the terminal is not for it, and what it starts ends with it.
            start_new_session=True,
            pass_fds=pass_fds,
        )
        assert self._process.stdin is not None and self._process.stdout is not None, "opened with pipes"
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(self._to, select.POLLOUT)
        self._readable.register(self._from, select.POLLIN)
        self._buffer = bytearray()
        self.is_open = True
        """Until `close`."""

    def send(self, *bodies: bytes, until: float = inf) -> None:
        """Send frames. Raises TimeoutError at `until` (of time.monotonic), and OSError where it has ended."""
        view = memoryview(b"".join(map(frame, bodies)))
        while view:
            if not self._writable.poll(_milliseconds(until - time.monotonic())):
                if until <= time.monotonic():
                    raise TimeoutError
                continue
            view = view[os.write(self._to, view) :]

    def receive(self, *, until: float = inf, is_given_up: Callable[[], bool] = lambda: False) -> bytes:
        """The body of the next frame.

        Raises:
            TimeoutError: none came before `until` (of time.monotonic), or `is_given_up` said so, which is asked
                every now and then.
            EOFError: the child has ended.
        """
        while True:
            if len(self._buffer) >= _HEAD:
                end = _HEAD + int.from_bytes(self._buffer[:_HEAD], "little")
                if len(self._buffer) >= end:
                    body = bytes(self._buffer[_HEAD:end])
                    del self._buffer[:end]
                    return body
            self._buffer += self.read(until=until, is_given_up=is_given_up)

    def read(self, *, until: float = inf, is_given_up: Callable[[], bool] = lambda: False) -> bytes:
        """What it has written, for a child that speaks no frames; raises like `receive`."""
        while True:
            left = until - time.monotonic()
            if left <= 0 or is_given_up():
                raise TimeoutError
            if self._readable.poll(_milliseconds(left)):
                if data := os.read(self._from, 1 << 18):
                    return data
                raise EOFError

    def trim(self) -> None:
        """Throw away what it said on stderr, where that is much."""
        if os.fstat(self._stderr.fileno()).st_size > STDERR_BYTES:
            self._stderr.truncate(0)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it and whatever it started; whoever waits for it gets an EOFError."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> End:
        """How it ended; one that has not within a second is killed. It is closed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1.0)
        code = self._process.poll()
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - 2000))
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        self.close()
        return End(code, lines[-1][:300] if lines else "")

    def close(self) -> None:
        """End it, and leave no zombie."""
        if self.is_open:
            self.is_open = False
            self.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._stderr):
                if stream is not None:
                    stream.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _milliseconds(seconds: float) -> float:
    return 1000 * max(0.0, min(LOOK_SECONDS, seconds))


class Crew:
    """Children of one kind, each spoken to by a thread of its own: it sends a frame and waits for the answer."""

    def __init__(self, start: Callable[[], Child], count: int) -> None:
        self._start = start
        self._children: list[Child] = []
        self._own = threading.local()
        self._lock = threading.Lock()
        self._is_closed = False
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="rlar-crew")

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._is_closed = True
            children = list(self._children)
        for child in children:
            child.kill()  # a thread that waits for it wakes up
        self._threads.shutdown(wait=True, cancel_futures=True)
        for child in children:
            child.close()

    def submit(self, body: bytes) -> Future[bytes | End]:
        """The answer to a frame, some time, or how the child ended that was to give it."""
        return self._threads.submit(self._ask, body)

    def _ask(self, body: bytes) -> bytes | End:
        child: Child | None = getattr(self._own, "child", None)
        if child is None or not child.is_open:
            with self._lock:
                if self._is_closed:
                    return End(None, "it was stopped")
                child = self._own.child = self._start()
                self._children.append(child)
        try:
            child.send(body)
            return child.receive()
        except (OSError, EOFError):
            return child.end()


# ------------------------------------------------------------------------------------------ threads


class Lanes:
    """Runs calls beside the caller, each at once in a thread of its own. Thread-safe.

    There is no limit here: a pool that hung calls fill would hold up everybody else. Unlike those of
    concurrent.futures, these threads do not keep a process from ending.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def start(self, call: Callable[[], None]) -> None:
        """Run a call that raises nothing."""
        with self._lock:
            is_fresh = self._idle == 0
            if not is_fresh:
                self._idle -= 1
        self._calls.put(call)
        if is_fresh:
            threading.Thread(target=self._work, name="rlar-lane", daemon=True).start()

    def close(self) -> None:
        """End the threads that have nothing to do."""
        with self._lock:
            ending, self._idle = self._idle, 0
        for _ in range(ending):
            self._calls.put(None)

    def _work(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                continue  # somebody counts on this thread: a call is on its way
            if call is None:
                return
            call()
            del call  # it may hold a whole batch
            with self._lock:
                self._idle += 1


class Slots:
    """At most `count` calls at once to something that makes us wait (a judge, a model server), over all who share it."""

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self._free = threading.Semaphore(self.count)
        self._lanes = Lanes()

    def run(
        self,
        jobs: Sequence[Callable[[], T]],
        *,
        seconds: float,
        on_error: Callable[[Exception], T],
        late: Callable[[], T],
    ) -> list[T]:
        """What each job gives, in order; `late()` for one that is not done `seconds` after its own start.

        A late job cannot be ended: its thread is left to end by itself, and its slot is given to the next.
        """
        waiting = deque(range(len(jobs)))
        started: dict[int, float] = {}
        results: dict[int, T] = {}
        changed = threading.Condition()

        def work() -> None:
            while True:
                self._free.acquire()
                with changed:
                    if not waiting:
                        self._free.release()
                        return
                    index = waiting.popleft()
                    started[index] = time.monotonic()
                    changed.notify_all()
                result = boundary(jobs[index], on_error)
                with changed:
                    if index in results:
                        return  # it was late, and its slot has been given away
                    results[index] = result
                    self._free.release()
                    changed.notify_all()

        for _ in range(min(self.count, len(jobs))):
            self._lanes.start(work)
        with changed:
            while len(results) < len(jobs):
                now = time.monotonic()
                running = {index: start + seconds - now for index, start in started.items() if index not in results}
                for index, left in running.items():
                    if left <= 0:
                        results[index] = late()
                        self._free.release()
                        if waiting:
                            self._lanes.start(work)
                left = min((left for left in running.values() if left > 0), default=inf)
                if len(results) < len(jobs):
                    changed.wait(None if left == inf else max(0.001, left))
        return [results[index] for index in range(len(jobs))]

    def close(self) -> None:
        """End the threads that have nothing to do."""
        self._lanes.close()


# ------------------------------------------------------------------------------------------ in the child


class Pipe:
    """A child's ends of the pipes. Made first of all: from then on what prints goes to stderr."""

    def __init__(self, *, dies_with_parent: bool = False) -> None:
        """
        Args:
            dies_with_parent: end with the thread that started this process, even in the midst of work, as a child that
                is stuck never sees the pipe close. Linux only.
        """
        self._requests = os.fdopen(os.dup(0), "rb")
        self.replies = os.dup(1)
        """Descriptor, for a child that speaks no frames."""
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        # Ctrl-C at the terminal is the parent's business; it ends us.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if dies_with_parent and sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != int(os.environ[_PARENT]):
                os._exit(1)

    def receive(self) -> bytes | None:
        """The body of the next frame; None where the stream ends before it does."""
        head = self._requests.read(_HEAD)
        size = int.from_bytes(head, "little")
        body = self._requests.read(size) if len(head) == _HEAD else b""
        return body if len(head) == _HEAD and len(body) == size else None

    def send(self, body: bytes) -> None:
        """Send a frame; ends this process where nobody is left to be told."""
        view = memoryview(frame(body))
        try:
            while view:
                view = view[os.write(self.replies, view) :]
        except BrokenPipeError:
            os._exit(0)


def frame(body: bytes) -> bytes:
    """8 bytes of length, then the body."""
    return len(body).to_bytes(_HEAD, "little") + body


def to_json(value: Any) -> bytes:
    """A value as the body of a frame: all that Python's JSON can say, lone surrogates and infinities among it."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def limit_memory(more_bytes: int) -> None:
    """Let this process map so many bytes beyond what it has mapped; more is a MemoryError. Linux only."""
    if sys.platform != "linux":
        return
    import resource

    mapped = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more_bytes, mapped + more_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
