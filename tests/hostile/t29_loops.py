# MUST: not pass; a suite that never ends is ended | kind=suite | class=time
import signal
assert blend(1, 2) == 12
for _number in (signal.SIGALRM, signal.SIGTERM, signal.SIGXCPU): signal.signal(_number, signal.SIG_IGN)
while True:
    try: sum(range(1000))
    except BaseException: pass
