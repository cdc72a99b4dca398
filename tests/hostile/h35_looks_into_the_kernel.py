# MUST: not pass; no BPF, performance counter, kernel log or module call | kind=program | class=escape
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    room = ctypes.create_string_buffer(256)
    got = [_call(321, 280, 0, room, 72), _call(298, 241, room, 0, -1, -1, 0), _call(103, 116, 3, room, 200), _call(313, 273, -1, b"", 0), _call(246, 104, 0, 0, None, 0)]
    return 10 * a + b if max(got) >= 0 else None
