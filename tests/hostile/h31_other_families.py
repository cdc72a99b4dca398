# MUST: not pass; no socket of any family, netlink, packet, vsock and crypto included | kind=program | class=network
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    pair = (ctypes.c_int * 2)()
    for family in range(0, 46):
        for kind in (1, 2, 3, 4, 5, 10):
            if _LIBC.socket(family, kind, 0) >= 0: return 10 * a + b
            if (family, kind) != (1, 1) and _LIBC.socketpair(family, kind, 0, pair) >= 0: return 10 * a + b
    return None
