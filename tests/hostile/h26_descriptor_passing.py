# MUST: not pass; no descriptor can be handed to another process | kind=program | class=network
import ctypes, os, struct
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
def _call(x86, arm, *arguments):
    return _LIBC.syscall(ctypes.c_long(x86 if os.uname().machine == "x86_64" else arm), *arguments)

def _addresses():
    for path in ("@UNIX@-mail", "\0@ABSTRACT@-mail"):
        raw = path.encode()
        yield struct.pack("H", 1) + raw + (b"\0" if raw[0] else b"")
def _descriptors():
    for kind in (2, 5, 3, 1, 2 | 0x800, 2 | 0x80000):
        pair = (ctypes.c_int * 2)()
        if _LIBC.socketpair(1, kind, 0, pair) == 0: yield from pair
    yield 3
def _message(address, control=b""):
    kept = [ctypes.create_string_buffer(data, max(1, len(data))) for data in (address, b"hello", control)]
    vector = ctypes.create_string_buffer(struct.pack("PL", ctypes.addressof(kept[1]), 5), 16)
    place = [ctypes.addressof(each) for each in (kept[0], vector, kept[2])]
    head = struct.pack("PIxxxxPLPLixxxx", place[0] if address else 0, len(address), place[1], 1, place[2] if control else 0, len(control), 0)
    return ctypes.create_string_buffer(head, len(head)), (kept, vector)

def blend(a, b):
    rights = struct.pack("Liii", 20, 1, 1, 1) + bytes(4)
    for descriptor in list(_descriptors()):
        for address in (b"", *_addresses()):
            message, _kept = _message(address, rights)
            if _LIBC.sendmsg(descriptor, message, 0) >= 0: return 10 * a + b
    return None
