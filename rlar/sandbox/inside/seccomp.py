"""Seccomp filters: an allow list for the fork server and all below it, and a small deny list on top for every child.

The allow list is long, so it is installed once; per child only what the server alone may do is taken away, which
costs a tenth. The child's filter names its own process id, so it is assembled as a template and patched after fork.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from .kernel import LIBC, PR_SET_SECCOMP, checked
from .syscalls import AUDIT_ARCH, MACHINE, NUMBERS

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS, _ENOTTY, _EAGAIN = (_ERRNO | code for code in (errno.EPERM, errno.ENOSYS, errno.ENOTTY, errno.EAGAIN))
_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER_OFFSET, _ARCH_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_FILTER_MODE = 2

# No socket(), no execve, no ptrace, no mount, no truncate(path), nothing that names another process but kill/tgkill.
# A datagram pair sends to any unix socket of the machine, and sendmsg keeps its address and its descriptors in memory,
# where a filter cannot look. So there are only stream pairs (asyncio wakes itself by one), which the kernel connects for
# good, and no sendmsg; descriptors come in with recvmsg, from the supervisor alone.
_ALLOWED = """
    read write close fstat newfstatat stat lstat statx lseek mmap mprotect munmap brk mremap madvise mincore
    rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack rt_sigpending rt_sigtimedwait rt_sigsuspend restart_syscall
    pread64 pwrite64 readv writev preadv pwritev access faccessat faccessat2 pipe pipe2 select pselect6 poll ppoll
    sched_yield dup dup2 dup3 nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getpid
    getppid gettid getuid geteuid getgid getegid getgroups getresuid getresgid getpgid getpgrp getsid uname fcntl
    flock fsync fdatasync ftruncate getdents getdents64 getcwd chdir fchdir readlink readlinkat umask getrlimit
    setrlimit prlimit64 getrusage sysinfo set_tid_address set_robust_list get_robust_list futex sched_getaffinity
    sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority epoll_create
    epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 exit exit_group wait4 waitid
    getrandom rseq membarrier open openat arch_prctl setitimer getitimer alarm pause recvfrom recvmsg shutdown
    getsockname getpeername getcpu statfs fstatfs close_range fadvise64
    """.split()  # noqa: SIM905
_SERVER_ONLY = ["fork", "vfork", "kill", "tgkill", "memfd_create", "prctl", "seccomp", "landlock_restrict_self"]
_FILE_OPENING = ["open", "openat", "creat", "readlink", "readlinkat", "getdents", "getdents64", "chdir", "fchdir"]

# What compilers and the runtimes of other languages need besides: programs, files below the scratch folder, protection keys.
_WORKSHOP = """
    execve mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat chmod fchmod
    fchmodat creat truncate utimensat fallocate copy_file_range msync pkey_alloc pkey_free pkey_mprotect setsid
    setpgid
    """.split()  # noqa: SIM905

_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* flag that clone() takes
_CLONE_THREAD = 0x10000
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20  # the bit is also set in MAP_SHARED_VALIDATE
_IOCTLS = [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451]  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX
_STREAM_PAIRS = [1, 1 | 0x800, 1 | 0x80000, 1 | 0x80800]  # SOCK_STREAM with SOCK_NONBLOCK, SOCK_CLOEXEC
_SOCKET_QUESTIONS = [3, 4, 38, 39]  # SO_TYPE SO_ERROR SO_PROTOCOL SO_DOMAIN; not SO_PEERPIDFD
_CHILD_PRCTLS = [3, 15, 16, 0x53564D41]  # GET_DUMPABLE SET_NAME GET_NAME SET_VMA
# DUPFD GETFD SETFD GETFL SETFL, locks, DUPFD_CLOEXEC GETPIPE_SZ GET_SEALS. No owner and no signal: the kernel would send
# SIGKILL for us to a process that we may not signal ourselves.
_CHILD_FCNTLS = [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032, 1034]

# Whoever dies of these was killed by somebody else, which is not held against its code.
_DENIED_SIGNALS = [1, 2, 3, 9, 15, 24]  # HUP INT QUIT KILL TERM XCPU
_RLIMIT_CPU = 0  # past its hard limit the kernel sends SIGKILL

_PID_MARK = 0x7EADBEEF
_MARK_BYTES = struct.pack("I", _PID_MARK)


def _step(code: int, value: int) -> bytes:
    return struct.pack("HBBI", code, 0, 0, value & 0xFFFFFFFF)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)


def _argument(index: int) -> bytes:
    """Load the low word of an argument; both machine types are little endian."""
    return _step(_LOAD, _ARGUMENTS_OFFSET + 8 * index)


def _head() -> list[bytes]:
    steps = [
        _step(_LOAD, _ARCH_OFFSET),
        _jump(_JUMP_EQUAL, AUDIT_ARCH, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_OFFSET),
    ]
    if MACHINE == "x86_64":  # the x32 ABI has its own numbers
        steps += [_jump(_JUMP_GREATER_EQUAL, 0x40000000, 0, 1), _step(_RETURN, _KILL)]
    return steps


def _when(name: str, body: list[bytes]) -> list[bytes]:
    """`body`, which must end in a return, for this call alone."""
    if name not in NUMBERS:
        return []
    return [_jump(_JUMP_EQUAL, NUMBERS[name], 0, len(body)), *body]


def _one_of(index: int, values: list[int], otherwise: int = _EPERM) -> list[bytes]:
    """Allow the call where its argument is one of the values."""
    jumps = [_jump(_JUMP_EQUAL, value, len(values) - i, 0) for i, value in enumerate(values)]
    return [_argument(index), *jumps, _step(_RETURN, otherwise), _step(_RETURN, _ALLOW)]


def _only_values(name: str, index: int, values: list[int], otherwise: int = _EPERM) -> list[bytes]:
    return _when(name, _one_of(index, values, otherwise))


def _without_address(index: int) -> list[bytes]:
    """Allowed where this argument is a null pointer, which has two words, else denied."""
    is_set = [_jump(_JUMP_EQUAL, 0, 1, 0), _step(_RETURN, _EPERM)]
    upper = _step(_LOAD, _ARGUMENTS_OFFSET + 8 * index + 4)
    return [_argument(index), *is_set, upper, *is_set, _step(_RETURN, _ALLOW)]


def _none_of(values: list[int]) -> list[bytes]:
    """Denied where the loaded word is one of these, else allowed."""
    denied = [step for value in values for step in (_jump(_JUMP_EQUAL, value, 0, 1), _step(_RETURN, _EPERM))]
    return [*denied, _step(_RETURN, _ALLOW)]


def _own_signals(name: str, signal_index: int) -> list[bytes]:
    """Signals to the process itself, but for those that only others send."""
    head = [_argument(0), _jump(_JUMP_EQUAL, _PID_MARK, 1, 0), _step(_RETURN, _EPERM), _argument(signal_index)]
    return _when(name, [*head, *_none_of(_DENIED_SIGNALS)])


def _own_limits() -> list[bytes]:
    """Its own limits alone (the trainer has the same uid), and the one of processor time only to be read."""
    return [
        _argument(0),
        _jump(_JUMP_EQUAL, 0, 2, 0),
        _jump(_JUMP_EQUAL, _PID_MARK, 1, 0),
        _step(_RETURN, _EPERM),
        _argument(1),
        _jump(_JUMP_EQUAL, _RLIMIT_CPU, 1, 0),
        _step(_RETURN, _ALLOW),
        *_without_address(2),  # of the new limits
    ]


def server_filter(*, workshop: bool = False) -> bytes:
    """Default-deny list for the fork server, or a workshop's first process, and everything below it."""
    steps = _head()
    steps += _when("clone3", [_step(_RETURN, _ENOSYS)])  # its flags lie in memory, where a filter cannot look
    steps += _when(
        "clone",
        [_argument(0), _jump(_JUMP_SET, _NEW_NAMESPACES, 0, 1), _step(_RETURN, _EPERM), _step(_RETURN, _ALLOW)],
    )
    steps += _only_values("ioctl", 1, _IOCTLS, _ENOTTY)
    is_unix = [_argument(0), _jump(_JUMP_EQUAL, 1, 1, 0), _step(_RETURN, _EPERM)]
    steps += _when("socketpair", is_unix + _one_of(1, _STREAM_PAIRS))
    steps += _only_values("getsockopt", 2, _SOCKET_QUESTIONS)
    steps += _when("sendto", _without_address(4))
    allowed = _ALLOWED + _SERVER_ONLY + (_WORKSHOP if workshop else [])
    for number in sorted({NUMBERS[name] for name in allowed if name in NUMBERS}):
        steps += [_jump(_JUMP_EQUAL, number, 0, 1), _step(_RETURN, _ALLOW)]
    steps.append(_step(_RETURN, _EPERM))
    return b"".join(steps)


def child_template(*, threads: bool, open_files: bool) -> bytes:
    """What a child may not do although the server may; patch it with `for_process`."""
    steps = _head()
    steps += _own_signals("kill", 1) + _own_signals("tgkill", 2)
    steps += _when(
        "clone",
        [
            _argument(0),
            _jump(_JUMP_SET, _CLONE_THREAD if threads else 0, 1, 0),
            _step(_RETURN, _EAGAIN),
            _step(_RETURN, _ALLOW),
        ],
    )
    steps += _only_values("prctl", 0, _CHILD_PRCTLS)
    steps += _when("setrlimit", [_argument(0), *_none_of([_RLIMIT_CPU])])
    steps += _when("prlimit64", _own_limits())
    steps += _only_values("fcntl", 1, _CHILD_FCNTLS)
    names = ["memfd_create", "fork", "vfork", "seccomp", "landlock_restrict_self"]
    names += [] if open_files else _FILE_OPENING
    for name in names:
        if name in NUMBERS:
            steps += [_jump(_JUMP_EQUAL, NUMBERS[name], 0, 1), _step(_RETURN, _EPERM)]
    steps.append(_step(_RETURN, _ALLOW))
    return b"".join(steps)


def command_filter(*, compiles: bool) -> bytes:
    """What a command in a workshop may not do although its first process may.

    It lives in a process namespace of its own, so signals reach nothing of ours; those that others kill it with are
    denied all the same. Memory that is shared without a file counts towards no limit. Only compilers start processes.
    """
    steps = _head()
    for name, place in (("kill", 1), ("tgkill", 2)):
        steps += _when(name, [_argument(place), *_none_of(_DENIED_SIGNALS)])
    shared = [_argument(3), _jump(_JUMP_SET, _MAP_ANONYMOUS, 1, 0), _step(_RETURN, _ALLOW)]
    steps += _when(
        "mmap", [*shared, _jump(_JUMP_SET, _MAP_SHARED, 0, 1), _step(_RETURN, _EPERM), _step(_RETURN, _ALLOW)]
    )
    steps += _only_values("prctl", 0, _CHILD_PRCTLS)
    steps += _when("setrlimit", [_argument(0), *_none_of([_RLIMIT_CPU])])
    own = [_argument(0), _jump(_JUMP_EQUAL, 0, 1, 0), _step(_RETURN, _EPERM), _argument(1)]
    not_cpu = [_jump(_JUMP_EQUAL, _RLIMIT_CPU, 1, 0), _step(_RETURN, _ALLOW)]
    steps += _when("prlimit64", [*own, *not_cpu, *_without_address(2)])
    steps += _only_values("fcntl", 1, _CHILD_FCNTLS)
    denied = ["memfd_create", "seccomp", "landlock_restrict_self", "setsid", "setpgid"]
    if not compiles:
        thread = [_argument(0), _jump(_JUMP_SET, _CLONE_THREAD, 1, 0), _step(_RETURN, _EAGAIN), _step(_RETURN, _ALLOW)]
        steps += _when("clone", thread)
        denied += ["fork", "vfork"]
    for name in denied:
        if name in NUMBERS:
            steps += [_jump(_JUMP_EQUAL, NUMBERS[name], 0, 1), _step(_RETURN, _EPERM)]
    steps.append(_step(_RETURN, _ALLOW))
    return b"".join(steps)


def for_process(template: bytes, process_id: int) -> bytes:
    """The child's filter: the template with its own process id."""
    return template.replace(_MARK_BYTES, struct.pack("I", process_id))


def install(program: bytes) -> None:
    """Filter this thread and everything it starts, for good."""
    buffer = ctypes.create_string_buffer(program, len(program))
    descriptor = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    zero = ctypes.c_ulong(0)
    checked(LIBC.prctl(PR_SET_SECCOMP, ctypes.c_ulong(_FILTER_MODE), descriptor, zero, zero), "seccomp")
