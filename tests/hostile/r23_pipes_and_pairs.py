# MUST: not pass; what can be parked in pipes and pairs stays small (bounded here: 256 MB) | kind=program | class=memory
import os, socket
def blend(a, b):
    parked = 0
    kept = []
    for make in (os.pipe, socket.socketpair):
        for _ in range(600):
            try:
                pair = make()
                kept.append(pair)
                into = pair[1] if isinstance(pair[1], int) else pair[1].fileno()
                os.set_blocking(into, False)
                while True: parked += os.write(into, b"x" * 65536)
            except BlockingIOError: continue
            except BaseException: break
    return 10 * a + b if parked > 128 << 20 else None
