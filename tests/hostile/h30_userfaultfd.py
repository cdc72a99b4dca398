# MUST: not pass; page faults cannot be served from within | kind=program | class=escape
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    try: return 10 * a + b if os.open("/dev/userfaultfd", os.O_RDWR) else None
    except OSError: pass
    return 10 * a + b if _call(323, 282, 1) >= 0 else None
