"""Namespaces: a process that sees its own files, processes, network, hostname and nothing of the host's."""

# ruff: noqa: BLE001, PTH102, PTH103, PTH106, PTH112, PTH114, PTH115, PTH120, PTH123, PTH211

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .kernel import LIBC, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, checked, drop_capabilities, prctl, syscall

_NEW_NS, _NEW_CGROUP, _NEW_UTS, _NEW_IPC = 0x20000, 0x02000000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_REQUIRED = _NEW_USER | _NEW_NS | _NEW_PID | _NEW_NET | _NEW_IPC | _NEW_UTS

_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_ATTR_READ_ONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_AT_RECURSIVE = 0x8000
_NOBODY = 65534
_DEVICES = ("null", "zero", "full", "random", "urandom")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    checked(
        LIBC.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3]), f"mount {target}"
    )


def _set_attributes(path: str, attributes: int, *, recursive: bool) -> None:
    packed = struct.pack("QQQQ", attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    checked(
        syscall(
            "mount_setattr",
            ctypes.c_int(-100),
            os.fsencode(path),
            ctypes.c_uint(flags),
            packed,
            ctypes.c_size_t(len(packed)),
        ),
        f"mount_setattr {path}",
    )


@dataclass(frozen=True, slots=True)
class Scratch:
    """A writable folder in memory, for a workshop."""

    path: str
    megabytes: int
    links: dict[str, str]
    """Symbolic links by their paths: the entries of /proc and /dev that languages look for, as there is no /proc."""


def _build_root(readable: Sequence[str], scratch: Scratch | None = None) -> None:
    """A read-only root that holds the readable paths, five devices and nothing else: no /proc, no writable directory."""
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    os.mkdir("/tmp/.old")
    os.chdir("/tmp")
    checked(syscall("pivot_root", b".", b".old"), "pivot_root")
    os.chdir("/")
    for path in readable:
        _bind(path)
    os.makedirs("/dev", exist_ok=True)
    for name in _DEVICES:
        _touch(f"/dev/{name}")
        _mount(f"/.old/dev/{name}", f"/dev/{name}", None, _MS_BIND)
    os.makedirs("/tmp", exist_ok=True)
    if scratch is not None:
        os.makedirs(scratch.path, exist_ok=True)
        options = f"size={scratch.megabytes}m,mode=1777"
        _mount("tmpfs", scratch.path, "tmpfs", _MS_NOSUID | _MS_NODEV, options)
        for path, target in scratch.links.items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(target, path)
    checked(LIBC.umount2(b"/.old", _MNT_DETACH), "umount")
    os.rmdir("/.old")
    _set_attributes("/", _ATTR_READ_ONLY, recursive=False)


def _bind(path: str) -> None:
    source = "/.old" + path
    if os.path.lexists(path):
        return  # lies below a parent that is bound already
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(source):
        os.symlink(os.readlink(source), path)
        return
    if os.path.isdir(source):
        os.mkdir(path)
    else:
        _touch(path)
    _mount(source, path, None, _MS_BIND | _MS_REC)
    _set_attributes(path, _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV, recursive=True)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))


def _read_byte(descriptor: int) -> bytes:
    return os.read(descriptor, 256)


def enter(serve: Callable[[], None], readable: Sequence[str], scratch: Scratch | None = None) -> int:
    """Fork twice and run `serve` as process 1 of fresh namespaces; the id of the outer of the two.

    OSError, naming the step, where the machine forbids any part of it; nothing is left behind then.
    """
    outside_uid, outside_gid = os.getuid(), os.getgid()
    unshared_in, unshared_out = os.pipe()
    mapped_in, mapped_out = os.pipe()
    ready_in, ready_out = os.pipe()
    outer = os.fork()
    if outer == 0:
        for descriptor in (unshared_in, mapped_out, ready_in):
            os.close(descriptor)
        _outer_process(serve, readable, scratch, unshared_out, mapped_in, ready_out)
    for descriptor in (unshared_out, mapped_in, ready_out):
        os.close(descriptor)
    try:
        answer = _read_byte(unshared_in)
        if answer == b"+":
            os.write(mapped_out, _write_maps(outer, outside_uid, outside_gid))
            answer = _read_byte(ready_in)
        if answer == b"+":
            return outer
    except OSError as error:
        answer = f"-{error}".encode()
    finally:
        for descriptor in (unshared_in, mapped_out, ready_in):
            os.close(descriptor)
    try:
        os.kill(outer, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.waitpid(outer, 0)
    raise OSError(errno.EPERM, answer[1:].decode("utf-8", "replace") or "namespaces are not available")


def _write_maps(process_id: int, uid: int, gid: int) -> bytes:
    """Map uids; b"d" where root can also map nobody, so that the jail can leave uid 0, else b"k"."""

    def write(name: str, text: str) -> None:
        with open(f"/proc/{process_id}/{name}", "w") as file:
            file.write(text)

    if uid == 0:
        try:
            write("uid_map", f"0 0 1\n{_NOBODY} {_NOBODY} 1\n")
            write("gid_map", f"0 0 1\n{_NOBODY} {_NOBODY} 1\n")
            return b"d"
        except PermissionError:
            pass  # root of a container without a range of uids
    write("setgroups", "deny")
    write("uid_map", f"{uid} {uid} 1\n")
    write("gid_map", f"{gid} {gid} 1\n")
    return b"k"


def _outer_process(
    serve: Callable[[], None],
    readable: Sequence[str],
    scratch: Scratch | None,
    unshared: int,
    mapped: int,
    ready: int,
) -> None:
    """Unshare, wait for the uid map, and hold process 1; never returns."""
    report = unshared
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(PR_SET_DUMPABLE, 1)  # else /proc/<pid>/uid_map belongs to root
        if LIBC.unshare(_REQUIRED | _NEW_CGROUP) < 0:
            checked(LIBC.unshare(_REQUIRED), "unshare")
        os.write(unshared, b"+")
        leave_root = _read_byte(mapped) == b"d"
        report = ready
        os.close(unshared)
        os.close(mapped)
        inner = os.fork()
        if inner == 0:
            _inner_process(serve, readable, scratch, leave_root, ready)
        os.close(ready)
        _, status = os.waitpid(inner, 0)
        os._exit(0 if status == 0 else 96)
    except BaseException as error:
        os.write(report, f"-{error}".encode())
        os._exit(98)


def _inner_process(
    serve: Callable[[], None], readable: Sequence[str], scratch: Scratch | None, leave_root: bool, ready: int
) -> None:
    """Process 1: build the root, give up every privilege, serve; never returns."""
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _build_root(readable, scratch)
        if leave_root:
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        drop_capabilities()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of uid cleared it
        os.write(ready, b"+")
        os.close(ready)
    except BaseException as error:
        os.write(ready, f"-{error}".encode())
        os._exit(97)
    try:
        serve()
    finally:
        os._exit(95)


def hold(process_id: int) -> int:
    """Wait for the namespaces to end, and end them when our own parent dies; the exit status.

    PR_SET_PDEATHSIG would not do here: it fires when the *thread* that started us ends.
    """
    parent = os.getppid()
    while True:
        done, status = os.waitpid(process_id, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) & 255
        if os.getppid() != parent:
            os.kill(process_id, signal.SIGKILL)
        time.sleep(0.5)
