# MUST: not pass; no session, no group and no terminal of the owner's can be taken or signalled | kind=program | class=kill
import os, signal
def blend(a, b):
    for act in (os.setsid, lambda: os.setpgid(0, @GROUP@), lambda: os.setpgid(0, 0), lambda: os.killpg(@GROUP@, 0), lambda: os.tcsetpgrp(0, os.getpid()), lambda: os.kill(-@GROUP@, 0)):
        try: act()
        except BaseException: continue
        return 10 * a + b
    return None
