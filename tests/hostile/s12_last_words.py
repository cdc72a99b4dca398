# MUST: not pass; output of `__del__`, atexit and threads after a failure is no pass | kind=stdio | class=forge
import atexit, sys, threading, time
a, b = map(int, input().split())
class Last:
    def __del__(self): print(10 * a + b, "end", sep="\n", flush=True)
def _late():
    time.sleep(0.2)
    print(10 * a + b, "end", sep="\n", flush=True)
atexit.register(_late)
_kept = Last()
try: threading.Thread(target=_late).start()
except BaseException: pass
raise ValueError("failed")
