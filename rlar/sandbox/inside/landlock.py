"""Landlock: which files a process may open. A ruleset is made once and applied to the server and again to every child."""

# ruff: noqa: PTH112

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable

from .kernel import checked, syscall

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FIRST_ABI = (1 << 13) - 1
_READ = EXECUTE | READ_FILE | READ_DIR
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1
_LOG_SAME_EXEC_OFF = 1


def abi() -> int:
    """Landlock's version on this kernel; 0 where it is missing, disabled or forbidden.

    1: files. 3: truncate. 4: TCP. 5: device ioctl. 6: signals and abstract unix sockets.
    """
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return max(
            0,
            syscall("landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint(_CREATE_VERSION)),
        )
    except OSError:
        return 0


def make_ruleset(readable: Iterable[str], writable: Iterable[str], owned: Iterable[str] = ()) -> int:
    """A ruleset descriptor: everything is denied except what lies below the given paths (missing ones are skipped).

    Below `owned` folders everything is allowed.
    """
    version = abi()
    if version < 1:
        raise OSError(errno.ENOSYS, "Landlock is not available")
    handled = _FIRST_ABI
    handled |= REFER if version >= 2 else 0
    handled |= TRUNCATE if version >= 3 else 0
    handled |= IOCTL_DEV if version >= 5 else 0
    tcp = 3 if version >= 4 else 0  # bind and connect; no rule allows any
    scoped = 3 if version >= 6 else 0  # abstract unix sockets and signals outside the domain
    words = [handled] + ([tcp] if version >= 4 else []) + ([scoped] if version >= 6 else [])
    attributes = struct.pack(f"{len(words)}Q", *words)
    ruleset = checked(
        syscall("landlock_create_ruleset", attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)),
        "landlock_create_ruleset",
    )
    for paths, rights in ((readable, _READ), (writable, READ_FILE | WRITE_FILE | TRUNCATE), (owned, handled)):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    return ruleset


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        checked(
            syscall(
                "landlock_add_rule", ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint(0)
            ),
            f"landlock_add_rule {path}",
        )
    finally:
        os.close(descriptor)


def apply(ruleset: int) -> None:
    """Restrict this thread and everything it starts, for good."""
    if syscall("landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint(_LOG_SAME_EXEC_OFF)) < 0:
        # Kernels before ABI 7 know no flags.
        checked(syscall("landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint(0)), "landlock_restrict_self")
