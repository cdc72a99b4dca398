# MUST: not pass; no queue, semaphore or notification outlives or leaves the process | kind=program | class=survive
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    made = [_call(68, 186, 0x5201, 0o1666), _call(64, 190, 0x5202, 1, 0o1666), _call(240, 180, b"panel", 0o102, 0o666, None), _call(29, 194, 0x5203, 64, 0o1666)]
    made += [_call(294, 26, 0), _call(300, 262, 0, 0)]
    return 10 * a + b if max(made) >= 0 else None
