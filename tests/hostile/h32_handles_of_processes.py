# MUST: not pass; no handle of another process, by number or from its end of a socket | kind=program | class=read
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    for process in (1, os.getppid(), @PARENT@):
        if process and _call(434, 434, process, 0) >= 0: return 10 * a + b
        if process and _call(440, 440, process, None, 0, 0, 0) >= 0: return 10 * a + b
    value, size = ctypes.c_int(), ctypes.c_int(4)
    for option in (77, 17, 59):  # SO_PEERPIDFD SO_PEERCRED SO_PEERGROUPS
        if _LIBC.getsockopt(3, 1, option, ctypes.byref(value), ctypes.byref(size)) >= 0: return 10 * a + b
    return None
