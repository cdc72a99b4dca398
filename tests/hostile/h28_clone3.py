# MUST: not pass; clone3, whose flags a filter cannot read, starts nothing | kind=program | class=escape
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    for flags in (0, 0x10000000, 0x20000, 0x40000000):
        child = _call(435, 435, (ctypes.c_uint64 * 8)(flags, 0, 0, 0, 17, 0, 0, 0), ctypes.c_size_t(64))
        if child == 0: os._exit(0)
        if child > 0: return 10 * a + b
    return None
