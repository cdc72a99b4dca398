"""Raw system calls through ctypes: process controls, capabilities and resource limits. Needs no compiled extension."""

# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import ctypes
import os
import resource
import struct

from .syscalls import NUMBERS

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38

_CAPABILITY_VERSION_3 = 0x20080522


def checked(result: int, what: str) -> int:
    """`result`, or an OSError that says what failed where it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(name: str, *arguments: object) -> int:
    """The raw result of a system call by name; OSError where this machine type has no such call."""
    if name not in NUMBERS:
        raise OSError(38, f"{name}: no such system call on this machine type")
    return int(LIBC.syscall(ctypes.c_long(NUMBERS[name]), *arguments))


def prctl(option: int, value: int = 0) -> int:
    """prctl(2); -1 where the kernel refuses."""
    zero = ctypes.c_ulong(0)
    return int(LIBC.prctl(option, ctypes.c_ulong(value), zero, zero, zero))


def forbid_new_privileges() -> None:
    """No set-user-id program gives this process or its children more than it has. Raises OSError."""
    checked(prctl(PR_SET_NO_NEW_PRIVS, 1), "no_new_privs")


def drop_capabilities() -> None:
    """Empty every capability set; uid 0 keeps its number and nothing else."""
    for capability in range(64):
        prctl(PR_CAPBSET_DROP, capability)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    checked(LIBC.capset(header, b"\0" * 24), "capset")


def address_space_bytes() -> int:
    """Size of this process's address space; 1 GB where /proc is not mounted."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 30


def thread_count() -> int:
    """Threads of this process; 1 where /proc is not mounted."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def limit_server(open_files: int, processes: int | None) -> None:
    """Limits of the fork server, inherited by every child."""
    for which, value in (
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 256),
    ):
        hard = resource.getrlimit(which)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(which, (value, value))
    if processes is not None:
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        value = processes if hard == resource.RLIM_INFINITY else min(processes, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (value, value))


def limit_child(memory: int, cpu_seconds: int, file_bytes: int, open_files: int, processes: int | None) -> None:
    """Limits of one child; `memory` is the whole address space, `file_bytes` also bounds what it prints."""
    for which, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, open_files, open_files),
    ):
        resource.setrlimit(which, (soft, hard))
    if processes is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
