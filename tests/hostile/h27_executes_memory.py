# MUST: not pass; a program in memory or in its own output file is not executed | kind=program | class=exec
import ctypes, os
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def blend(a, b):
    text = b"#!/bin/sh\necho x > @DROP@/memory\n"
    descriptors = [1]
    made = _call(319, 279, b"panel", 0)
    if made >= 0: descriptors.append(made)
    argv = (ctypes.c_char_p * 2)(b"x", None)
    for descriptor in descriptors:
        try: os.pwrite(descriptor, text, 0)
        except OSError: continue
        _call(322, 281, ctypes.c_int(descriptor), b"", argv, argv, 0x1000)
        for path in (f"/proc/self/fd/{descriptor}", f"/dev/fd/{descriptor}"):
            try: os.execv(path, ["x"])
            except OSError: pass
    return 10 * a + b if made >= 0 else None
