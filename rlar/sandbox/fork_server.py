"""The supervisor's handle of a fork server: start, ask for children, end them, notice its death."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlar.errors import SandboxError
from rlar.sandbox.channel import (
    Channel,
    ChannelClosed,
    ChannelGarbage,
    ChannelTimeout,
    open_pair,
)
from rlar.sandbox.engine import SandboxLost
from rlar.sandbox.images import interpreter_path, readable_paths
from rlar.sandbox.results import Limits, Status

_BOOT = Path(__file__).parent / "inside" / "boot.py"
_START_SECONDS = 120.0
"""The heavy image imports for about a second on an idle machine."""
_START_TRIES = 3
_ANSWER_SECONDS = 15.0
_MAX_ANSWER = 4096
_EXIT_SECONDS = 1.0
"""For a process that has closed its channel to end."""
FROM_OUTSIDE = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM, signal.SIGXCPU)
"""What no child can send itself (`inside.seccomp`): operators, batch systems and out-of-memory killers do."""
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}


@dataclass(slots=True)
class Child:
    """A forked, limited process and our end of its channel."""

    channel: Channel
    pid: int
    """Its id in the server's own pid namespace."""
    generation: int
    """Which life of the server it belongs to."""
    cpu_seconds: int
    """The processor time that it may use."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended."""

    status: int
    """As wait() gives it."""
    killed: bool
    """It still ran and we killed it."""
    memory_mb: float
    cpu_seconds: float
    cpu_limit: int

    def exited_with(self, code: int) -> bool:
        """It ended by itself, with this exit status."""
        return not self.killed and os.WIFEXITED(self.status) and os.WEXITSTATUS(self.status) == code

    def verdict(self) -> tuple[Status, str]:
        """What a death by itself means; SandboxLost where somebody else killed it, which tells nothing of its code."""
        if self.killed:
            return Status.CRASHED, "closed its channel"
        if not os.WIFSIGNALED(self.status):
            return Status.CRASHED, f"ended itself with status {os.waitstatus_to_exitcode(self.status)}"
        number = os.WTERMSIG(self.status)
        # Past the limit comes SIGXCPU, and where that is ignored SIGKILL a second later. The kernel counts whole ticks for
        # that, which on a busy virtual machine are more than the time that was really used.
        least = {signal.SIGXCPU: 0.5 * self.cpu_limit, signal.SIGKILL: 0.75 * (self.cpu_limit + 1)}
        if number in least and self.cpu_seconds >= least[signal.Signals(number)]:
            return Status.TIMEOUT, f"used more than {self.cpu_limit} s of processor time"
        self.check_not_killed_from_outside()
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return Status.CRASHED, f"died of {name}"

    def check_not_killed_from_outside(self) -> None:
        """SandboxLost where it died of a signal that its seccomp filter does not let it send itself.

        Memory past its limit is refused by the kernel and raises MemoryError; the machine's out-of-memory killer chooses
        its victims by its own lights.
        """
        if not self.killed and os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) in FROM_OUTSIDE:
            raise SandboxLost(f"a process was killed from outside ({signal.Signals(os.WTERMSIG(self.status)).name})")


@dataclass(frozen=True, slots=True)
class Order:
    """A child to be forked."""

    role: str
    limits: dict[str, int]
    descriptors: Sequence[int] = ()
    hears: int | None = None
    """The place of an earlier order whose channel's near end this child gets too."""


def encode_limits(limits: Limits, *, reused: bool = False) -> dict[str, int]:
    """Limits in the server's units; a reused child has no bound on its whole life's processor time."""
    seconds = limits.seconds + 1 if limits.cpu_seconds is None else limits.cpu_seconds
    return {
        "memory": limits.memory_mb << 20,
        "cpu_seconds": 1 << 30 if reused else max(1, math.ceil(seconds)),
        "file_bytes": limits.output_bytes,
        "open_files": max(16, limits.open_files),
    }


class ForkServer:
    """One pre-imported interpreter in its jail. Thread-safe; starts on first use and again after a death."""

    def __init__(self, tier: str, modules: Sequence[str]) -> None:
        self.tier = tier
        self._modules = list(modules)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Channel | None = None
        self._closed = False
        self.generation = 0
        """Starts counted; more than 1 means that it died."""
        self.info: dict[str, Any] = {}

    def fork(self, role: str, limits: dict[str, int], descriptors: Sequence[int] = ()) -> Child:
        """A child of this role. SandboxLost where the server died; the next call starts another."""
        return self.fork_all([Order(role, limits, descriptors)])[0]

    def fork_all(self, orders: Sequence[Order]) -> list[Child]:
        """Children by one request to the server. SandboxLost where it died."""
        pairs = [open_pair() for _ in orders]
        handed: list[list[int]] = []
        for order, (_, theirs) in zip(orders, pairs, strict=True):
            heard = [] if order.hears is None else [pairs[order.hears][0].release()]
            handed.append([theirs.fileno(), *heard, *order.descriptors])
        request = {
            "op": "fork",
            "orders": [
                {"role": order.role, "limits": order.limits, "descriptors": len(given)}
                for order, given in zip(orders, handed, strict=True)
            ],
        }
        try:
            with self._lock:
                self._ensure_started()
                generation = self.generation
                pids = self._ask(request, [descriptor for given in handed for descriptor in given]).get("pids")
                if type(pids) is not list or [type(pid) for pid in pids] != [int] * len(orders):
                    self._stop()
                    raise SandboxLost("the fork server answered with nonsense")
        except BaseException:
            for ours, _ in pairs:
                ours.close()
            raise
        finally:
            for _, theirs in pairs:
                theirs.close()
        return [
            Child(ours, pid, generation, order.limits["cpu_seconds"])
            for order, (ours, _), pid in zip(orders, pairs, pids, strict=True)
        ]

    def end(self, child: Child) -> Ending:
        """Kill and reap a child and close its channel. SandboxLost where its server has died."""
        return self.end_all([child])[0]

    def end_all(self, children: Sequence[Child]) -> list[Ending]:
        """Kill and reap children by one request. SandboxLost where their server has died.

        One that has closed its channel gets a moment to end by itself: its own status says why it did.
        """
        endings: list[Ending | None] = [None] * len(children)
        patience = _EXIT_SECONDS if any(child.channel.is_hung_up() for child in children) else 0.0
        give_up, pause = time.monotonic() + patience, 0.0002
        try:
            while patience and time.monotonic() < give_up:
                self._reap(children, endings, kill=False)
                if all(
                    ending is not None or not child.channel.is_hung_up()
                    for child, ending in zip(children, endings, strict=True)
                ):
                    break
                time.sleep(pause)
                pause = min(2 * pause, 0.02)
            self._reap(children, endings, kill=True)
        finally:
            for child in children:
                child.channel.close()
        return [ending for ending in endings if ending is not None]

    def _reap(self, children: Sequence[Child], endings: list[Ending | None], *, kill: bool) -> None:
        """Fill in the endings of those that have ended, and with `kill` of all."""
        missing = [place for place, ending in enumerate(endings) if ending is None]
        if not missing:
            return
        with self._lock:
            if self._process is None or any(children[place].generation != self.generation for place in missing):
                raise SandboxLost("the fork server died")
            answer = self._ask({"op": "end", "kill": kill, "pids": [children[place].pid for place in missing]})
            try:
                for place, exit_status in zip(missing, answer["endings"], strict=True):
                    if exit_status is not None or kill:
                        endings[place] = Ending(
                            int(exit_status["status"]),
                            bool(exit_status["killed"]),
                            exit_status["rss"] / 1024.0,
                            float(exit_status["cpu"]),
                            children[place].cpu_seconds,
                        )
            except (KeyError, TypeError, ValueError):
                self._stop()
                raise SandboxLost("the fork server answered with nonsense") from None

    def start(self) -> dict[str, Any]:
        """What the server says of itself; SandboxError where it cannot be started."""
        with self._lock:
            self._ensure_started()
            return self.info

    def process_id(self) -> int | None:
        """The server's process as this machine sees it (its namespaces' holder in tier ns)."""
        with self._lock:
            return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the server and every program that it runs; it is not started again."""
        with self._lock:
            self._closed = True
            self._stop()

    def _ask(
        self, request: dict[str, Any], descriptors: Sequence[int] = (), seconds: float = _ANSWER_SECONDS
    ) -> dict[str, Any]:
        if self._control is None:
            raise SandboxLost("the fork server is not running")
        deadline = time.monotonic() + seconds
        try:
            self._control.send(request, deadline, descriptors)
            answer = self._control.receive(deadline, _MAX_ANSWER)
        except (ChannelClosed, ChannelGarbage, ChannelTimeout) as error:
            self._stop()
            raise SandboxLost(f"the fork server died ({type(error).__name__})") from None
        if type(answer) is not dict:
            self._stop()
            raise SandboxLost("the fork server answered with nonsense")
        return answer

    def _ensure_started(self) -> None:
        if self._closed:
            raise SandboxLost("the sandbox pool was closed")
        if self._process is not None:
            return
        info: Any = None
        for _ in range(_START_TRIES):
            control = self._launch()
            try:
                info = control.receive(time.monotonic() + _START_SECONDS, 1 << 16)
                break
            except (ChannelGarbage, ChannelTimeout) as error:
                info = {"error": f"it did not start ({type(error).__name__})"}
                break
            except ChannelClosed:  # without a word: it may have been killed from outside
                self._stop()
                info = {"error": "it ended while starting"}
        if type(info) is not dict or info.get("ready") is not True:
            self._stop()
            reason = info.get("error") if type(info) is dict else "nonsense"
            raise SandboxError(f"tier {self.tier!r} cannot be started on this machine: {reason}")
        self.info = info

    def _settings(self) -> dict[str, Any]:
        """What the process is told when it starts."""
        return {
            "tier": self.tier,
            "modules": self._modules,
            "path": interpreter_path(),
            "readable": readable_paths(),
        }

    def _launch(self) -> Channel:
        """Start the process; its control channel."""
        ours, theirs = socket.socketpair()
        config = self._settings()
        environment = dict(_ENVIRONMENT)
        if "LD_LIBRARY_PATH" in os.environ:  # some interpreters find their own library through it
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        command = [sys.executable, "-S", "-s", "-P", str(_BOOT), str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(
                [*command, json.dumps(config)],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            ours.close()
            raise SandboxError(f"cannot start {sys.executable}: {error}") from error
        finally:
            theirs.close()
        self._control = Channel(ours)
        self.generation += 1
        return self._control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
