# MUST: not pass; neither handles nor the newer mount calls open a file | kind=program | class=read
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    handle = ctypes.create_string_buffer((128).to_bytes(4, "little"), 136)
    mount = ctypes.c_int()
    got = [_call(303, 264, -100, b"/etc/passwd", handle, ctypes.byref(mount), 0), _call(304, 265, -100, handle, 0)]
    got += [_call(428, 428, -100, b"/", 1), _call(430, 430, b"tmpfs", 0), _call(433, 433, -100, b"/", 0), _call(437, 437, -100, b"/etc/passwd", ctypes.create_string_buffer(24), 24)]
    return 10 * a + b if max(got) >= 0 else None
