# MUST: not pass; the kernel's keyrings can be neither read nor filled | kind=program | class=escape
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    ring = _call(250, 219, 0, ctypes.c_int(-4), 1)
    added = _call(248, 217, b"user", b"panel", b"secret", ctypes.c_size_t(6), ctypes.c_int(-4))
    asked = _call(249, 218, b"user", b"panel", None, 0)
    return 10 * a + b if max(ring, added, asked) >= 0 else None
