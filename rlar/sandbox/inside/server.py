"""The fork server: an interpreter with its imports done that forks one limited child per request, kills and reaps.

No task data ever enters it: the supervisor talks to every child over the child's own socket, so that no child can find
another task, or its tests, in inherited memory.
"""

# ruff: noqa: BLE001, PTH123, PTH208, SIM115

from __future__ import annotations

import builtins
import contextlib
import fcntl
import gc
import json
import os
import random
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from . import kernel, landlock, namespaces, program, seccomp, tester, together, verifier, workshop
from .frames import FrameError, read_frame_with_descriptors, write_frame
from .layers import Layers, layers_of

_CHANNEL = 3
"""The descriptor on which every child finds its socket."""
_PROGRAM_CHANNEL = 4
"""Where the tests' process finds the other end of its program's socket."""
_MAX_DESCRIPTORS = 8
_PARKED = 80
_SERVER_FILES = 256
_CHILD_THREADS = 64
_SERVER_PROCESSES = 4096
_EPOCH = 1_700_000_000.0
_DEVICES = ("/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


@dataclass(slots=True)
class _State:
    layers: Layers
    parent: int
    base_bytes: int
    devnull: int = -1
    ruleset: int | None = None
    template: bytes | None = None
    processes: int | None = None


def _set_up_child(state: _State, role: str, descriptors: list[int], limits: dict[str, int]) -> None:
    """Right after fork: move the descriptors into place, then limit.

    The first is the channel; then the program's channel for tests, or stdin and stdout, or stdout alone.
    """
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if state.ruleset is not None:  # first, because the descriptors' places may be the rule set's
        landlock.apply(state.ruleset)
    channels = descriptors[:2] if role == "tests" else descriptors[:1]
    given = descriptors[len(channels) :]
    streams = [state.devnull] * (2 - len(given)) + given
    wanted = (*streams, state.devnull, *channels)
    parked = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _PARKED) for descriptor in wanted]
    for place, descriptor in enumerate(parked):
        os.dup2(descriptor, place)
    os.closerange(_CHANNEL + len(channels), _SERVER_FILES)
    kernel.limit_child(
        state.base_bytes + limits["memory"],
        limits["cpu_seconds"],
        limits["file_bytes"],
        limits["open_files"],
        state.processes,
    )
    if state.template is not None:
        seccomp.install(seccomp.for_process(state.template, os.getpid()))
    gc.enable()
    random.seed(0)


def _hide_wall_clock() -> None:
    """`time.time()` starts at a fixed second and runs on; `datetime.now()` and the system calls still tell the truth."""
    monotonic, start = time.monotonic, time.monotonic()
    time.time = lambda: _EPOCH + monotonic() - start
    time.time_ns = lambda: int((_EPOCH + monotonic() - start) * 1e9)


def _run_child(state: _State, descriptors: list[int], request: dict[str, Any]) -> None:
    code = 70
    try:
        role = request["role"]
        _set_up_child(state, role, descriptors, request["limits"])
        if role == "program":
            _hide_wall_clock()
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
            program.serve(_CHANNEL)
        elif role == "whole":
            _hide_wall_clock()
            program.run_whole(_CHANNEL)
        elif role == "same":
            together.run_same(_CHANNEL)
        elif role == "tests":
            tester.serve(_CHANNEL, _PROGRAM_CHANNEL)
        elif role == "verifier":
            verifier.serve(_CHANNEL)
        elif role == "check":
            write_frame(_CHANNEL, attempts())
        code = 0
    except BaseException:
        pass
    finally:
        os._exit(code)


def _fork_and_reap() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[0]


def attempts() -> dict[str, str]:
    """What this child could do although it must not: name -> detail; empty in a tight jail."""
    done: dict[str, str] = {}

    def attempt(name: str, act: Any) -> None:
        with contextlib.suppress(Exception):
            done[name] = str(act())[:100]

    attempt("read a file of the host", lambda: open("/etc/passwd").read(1) or "opened")
    attempt("list the root directory", lambda: len(os.listdir("/root" if os.getuid() == 0 else "/home")))
    attempt("write a file", lambda: os.open("/tmp/rlar-attempt", os.O_CREAT | os.O_WRONLY))
    attempt("open a socket", socket.socket)
    attempt("send to sockets of its choice", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
    attempt("start a process", _fork_and_reap)
    attempt("signal its parent", lambda: os.kill(os.getppid() or 1, 0))
    attempt("run a program", lambda: os.execv("/bin/true", ["true"]))
    return done


def _end(process_id: int, *, kill: bool) -> dict[str, Any] | None:
    """Reap a child, killed first where it still runs: how it ended, its peak memory in kB, its CPU seconds.

    None where it still runs and is not to be killed.
    """
    done, status, usage = os.wait4(process_id, os.WNOHANG)
    killed = False
    if done == 0:
        if not kill:
            return None
        os.kill(process_id, signal.SIGKILL)
        _, status, usage = os.wait4(process_id, 0)
        # One that was exiting already keeps its own status.
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return {"status": status, "killed": killed, "rss": usage.ru_maxrss, "cpu": usage.ru_utime + usage.ru_stime}


def _fork_all(state: _State, orders: list[dict[str, Any]], descriptors: list[int]) -> list[int]:
    """The process ids of new children. Each order takes its number of the descriptors, in turn."""
    made = []
    start = 0
    for order in orders:
        end = start + order["descriptors"]
        child = os.fork()
        if child == 0:
            _run_child(state, descriptors[start:end], order)
        made.append(child)
        start = end
    for descriptor in descriptors:
        os.close(descriptor)
    return made


def _serve(state: _State, control: int) -> None:
    while True:
        # A socket's end of file does not come while another process holds a copy of the supervisor's end.
        ready, _, _ = select.select([control], [], [], 2.0)
        if not ready:
            if not state.layers.namespaces and os.getppid() != state.parent:
                os._exit(0)
            continue
        received = read_frame_with_descriptors(control, _MAX_DESCRIPTORS)
        if received is None:
            os._exit(0)
        request, descriptors = received
        if request["op"] == "fork":
            write_frame(control, {"pids": _fork_all(state, request["orders"], descriptors)})
        else:
            endings = [_end(process_id, kill=request["kill"]) for process_id in request["pids"]]
            write_frame(control, {"endings": endings})


def _restore_builtins() -> None:
    """`exit` and the like, which an interpreter without the site module lacks."""
    import _sitebuiltins

    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D"))
    for name in ("copyright", "credits", "license"):
        setattr(builtins, name, _sitebuiltins._Printer(name, ""))
    builtins.help = _sitebuiltins._Helper()


def _run_threads_inline() -> None:
    """Where no thread can be started, `start()` runs its function at once.

    That serves the usual program that wants a larger stack; threads that wait for one another would wait for ever.
    What ends a thread is not what ends its program.
    """

    def start(thread: threading.Thread) -> None:
        thread._started.set()  # type: ignore[attr-defined]
        with contextlib.suppress(BaseException):
            thread.run()

    replacements: dict[str, Any] = {
        "start": start,
        "join": lambda _thread, timeout=None: None,
        "is_alive": lambda _thread: False,
    }
    for name, replacement in replacements.items():
        setattr(threading.Thread, name, replacement)


def _preload(modules: list[str]) -> list[str]:
    """Import what programs and verifiers need; the names that are not installed."""
    missing = []
    for name in modules:
        try:
            __import__(name)
        except ImportError:
            missing.append(name)
    if "math_verify" in modules and "math_verify" not in missing:
        import logging

        from math_verify import parse, verify

        verify(parse("$\\frac{1}{2}$"), parse("$0.5$"))  # builds its parser and sympy's caches once
        logging.disable(logging.CRITICAL)
    return missing


def _serve_workshop(state: _State, bench: dict[str, Any], control: int, version: int) -> None:
    if state.layers.seccomp:
        kernel.limit_server(_SERVER_FILES, _SERVER_PROCESSES)
        seccomp.install(seccomp.server_filter(workshop=True))
    write_frame(control, {"ready": True, "landlock": version, "missing": []})
    own = workshop.Bench(
        scratch=bench["scratch"],
        devnull=state.devnull,
        namespaces=state.layers.namespaces,
        seccomp=state.layers.seccomp,
        ruleset=state.ruleset,
        parent=state.parent,
    )
    workshop.serve(own, control)


def _jail(state: _State, config: dict[str, Any], control: int) -> None:
    """The second half of the start, inside the namespaces where the tier has them."""
    state.devnull = os.open(os.devnull, os.O_RDWR)
    layers = state.layers
    if layers.seccomp and not layers.namespaces and os.getuid() == 0:
        kernel.drop_capabilities()
    version = landlock.abi()
    bench: dict[str, Any] | None = config.get("workshop")
    if layers.seccomp:
        kernel.forbid_new_privileges()
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        if kernel.thread_count() != 1:
            raise OSError(f"{kernel.thread_count()} threads run after the imports; a filter would miss them")
    if layers.landlock == "needed" or (layers.landlock == "where there is one" and version):
        owned = [bench["scratch"]] if bench else []
        ruleset = landlock.make_ruleset([*config["readable"], *_DEVICES], [os.devnull], owned)
        landlock.apply(ruleset)
        if bench:
            state.ruleset = landlock.make_ruleset([*bench["runtime"], *owned, *_DEVICES], [os.devnull])
        elif not layers.namespaces:
            state.ruleset = ruleset  # once more per child: siblings then lie in domains of their own
    gc.collect()
    gc.freeze()
    gc.disable()
    gc.set_threshold(5000, 50, 100)
    if not layers.threads:
        _run_threads_inline()
    if bench:
        _serve_workshop(state, bench, control, version)
        return
    if layers.seccomp:
        kernel.limit_server(_SERVER_FILES, _SERVER_PROCESSES if layers.namespaces else None)
        state.processes = _CHILD_THREADS if layers.namespaces else None
        state.template = seccomp.child_template(threads=layers.threads, open_files=layers.files)
        seccomp.install(seccomp.server_filter())
    write_frame(control, {"ready": True, "landlock": version, "missing": config["missing"]})
    _serve(state, control)


def main() -> None:
    """Entry of the process: descriptor of the control socket, then a JSON configuration, on the command line."""
    control, config = int(sys.argv[1]), json.loads(sys.argv[2])
    sys.argv = [""]
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # it comes from outside, so it must not look like a program's exception
    parent = os.getppid()
    try:
        layers = layers_of(config["tier"])
        sys.path[:] = config["path"]
        _restore_builtins()
        config["missing"] = _preload(config["modules"])
        os.chdir("/")
        sys.path_importer_cache.clear()
        state = _State(layers=layers, parent=parent, base_bytes=kernel.address_space_bytes())
        if layers.namespaces:

            def serve() -> None:
                try:
                    _jail(state, config, control)
                except BaseException as error:
                    write_frame(control, {"ready": False, "error": f"{type(error).__name__}: {error}"[:500]})

            bench = config.get("workshop")
            scratch = namespaces.Scratch(bench["scratch"], bench["megabytes"], bench["links"]) if bench else None
            holder = namespaces.enter(serve, config["readable"], scratch)
            os.close(control)
            os._exit(namespaces.hold(holder))
        _jail(state, config, control)
    except BaseException as error:
        with contextlib.suppress(OSError, FrameError):
            write_frame(control, {"ready": False, "error": f"{type(error).__name__}: {error}"[:500]})
        os._exit(96)
