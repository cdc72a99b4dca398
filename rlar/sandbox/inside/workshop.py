"""The workshop: a jail for one program of a compiled or interpreted language; it writes sources, starts one command at a time.

Its first process starts a command (a compiler, then the program once for every case), waits for it with a deadline and
then ends whatever else lives in its namespaces. So nothing outlives its command, and one workshop serves one program.

A compiler may start processes and write below the scratch folder; the program may do neither.
"""

# ruff: noqa: BLE001, PTH101, PTH103, PTH108, PTH120, PTH123

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import signal
import time
from dataclasses import dataclass
from typing import Any

from . import kernel, landlock, seccomp
from .frames import read_frame_with_descriptors, write_frame

STDIN = "stdin"
"""File of the scratch folder with the running program's standard input; /dev/stdin points here."""
_FIRST_FREE = 3
_PARKED = 80
_SERVER_FILES = 256
_CHUNK = 1 << 20
_LONGEST_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Bench:
    """What the first process keeps of its jail."""

    scratch: str
    devnull: int
    namespaces: bool
    seccomp: bool
    ruleset: int | None
    """Landlock rules for programs, stricter than those for compilers; None without Landlock."""
    parent: int


def serve(bench: Bench, control: int) -> None:
    """Answer the supervisor's requests until it goes away."""
    os.chdir(bench.scratch)
    while True:
        ready, _, _ = select.select([control], [], [], 2.0)
        if not ready:
            if not bench.namespaces and os.getppid() != bench.parent:
                os._exit(0)
            continue
        received = read_frame_with_descriptors(control, 4)
        if received is None:
            os._exit(0)
        request, descriptors = received
        try:
            if request["op"] == "write":
                _write(bench, request["name"], request["text"].encode("utf-8", "surrogatepass"))
                answer: dict[str, Any] = {"written": True}
            else:
                answer = _run(bench, request, descriptors)
        except OSError as error:
            answer = {"unstarted": f"{type(error).__name__}: {error}"[:300]}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        write_frame(control, answer)


def _write(bench: Bench, name: str, data: bytes) -> None:
    path = f"{bench.scratch}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def _copy_stdin(bench: Bench, source: int) -> int:
    """The program's input as a file of its own: some languages open /dev/stdin by name."""
    path = f"{bench.scratch}/{STDIN}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(path, "wb") as file:
        while chunk := os.read(source, _CHUNK):
            file.write(chunk)
    os.chmod(path, 0o444)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _run(bench: Bench, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """Start a command with descriptors (its input, its output); how it ended.

    A compiler's messages go to the output as well, a program's are dropped.
    """
    source, output = descriptors
    compiles = bool(request["compiles"])
    stdin = bench.devnull if compiles else _copy_stdin(bench, source)
    trouble, report = os.pipe2(os.O_CLOEXEC)
    try:
        child = os.fork()
        if child == 0:
            _become(bench, request, (stdin, output, output if compiles else bench.devnull), report)
        os.close(report)
        report = -1
        ending = _wait(bench, child, float(request["seconds"]))
        text = os.read(trouble, 300)
    finally:
        os.close(trouble)
        if report >= 0:
            os.close(report)
        if stdin != bench.devnull:
            os.close(stdin)
    return {"unstarted": text.decode("utf-8", "replace")} if text else ending


def _wait(bench: Bench, child: int, seconds: float) -> dict[str, Any]:
    """How the command ended, killed at its deadline; nothing that it started is left."""
    deadline, pause, killed = time.monotonic() + seconds, 0.0002, False
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            _, status, usage = os.wait4(child, 0)
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            break
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if bench.namespaces:
            os.kill(-1, signal.SIGKILL)  # process 1: all others of its namespace
        else:
            os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while bench.namespaces:
            os.wait4(-1, 0)
    cpu = usage.ru_utime + usage.ru_stime
    return {"status": status, "killed": killed, "rss": usage.ru_maxrss, "cpu": cpu}


def _become(bench: Bench, request: dict[str, Any], streams: tuple[int, int, int], report: int) -> None:
    """Turn this fresh process into the command, limited; never returns."""
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        compiles, limits = bool(request["compiles"]), request["limits"]
        parked = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _PARKED) for each in (*streams, report)]
        report = parked[3]
        if bench.ruleset is not None and not compiles:
            landlock.apply(bench.ruleset)
        for place, descriptor in enumerate(parked[:3]):
            os.dup2(descriptor, place)
        os.closerange(_FIRST_FREE, _PARKED)
        for each in range(_PARKED, _SERVER_FILES):
            if each != report:
                with contextlib.suppress(OSError):
                    os.close(each)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        _limit(limits)
        if bench.seccomp:
            seccomp.install(seccomp.command_filter(compiles=compiles))
        os.execve(request["argv"][0], request["argv"], request["environment"])
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(report, f"{request['argv'][0]}: {error}".encode()[:300])
    finally:
        os._exit(71)


def _limit(limits: dict[str, int]) -> None:
    """Limits of a command. `data` is what it may write to; where the runtime reserves no more than it uses, `memory`
    bounds its whole address space too (0: it does)."""
    wanted = [
        (resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + 1),
        (resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_DATA, limits["data"], limits["data"]),
        (resource.RLIMIT_NPROC, limits["processes"], limits["processes"]),
        (resource.RLIMIT_STACK, limits["stack"], limits["stack"]),
        (resource.RLIMIT_CORE, 0, 0),
    ]
    if limits["memory"]:
        wanted.append((resource.RLIMIT_AS, limits["memory"], limits["memory"]))
    for which, soft, hard in wanted:
        most = resource.getrlimit(which)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(which, (soft, hard))
