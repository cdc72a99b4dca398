# MUST: not pass; neither this process's place in the scheduler nor another's can be changed | kind=program | class=kill
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    mask = (ctypes.c_ulong * 16)(1)
    got = []
    for process in {1, os.getppid(), @PARENT@} - {0}:
        got += [_call(203, 122, process, 128, mask), _call(144, 119, process, 0, mask), _call(251, 30, 1, process, 0), _call(141, 140, 0, process, 19)]
    return 10 * a + b if max(got) >= 0 else None
