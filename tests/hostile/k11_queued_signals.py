# MUST: not pass; no signal by queue, by thread or by handle | kind=program | class=kill
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    information = ctypes.create_string_buffer(128)
    got = []
    for process in {1, os.getppid(), @PARENT@} - {0}:
        got += [_call(129, 138, process, 0, information), _call(297, 240, process, process, 0, information), _call(200, 130, process, 0), _call(424, 424, process, 0, None, 0)]
    return 10 * a + b if max(got) >= 0 else None
