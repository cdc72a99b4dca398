# MUST: not pass; suites signal nobody | kind=suite | class=kill
import os
assert blend(1, 2) == 12
_done = 0
for _target in (@PARENT@, -@GROUP@, os.getppid() or 1, 0, -1):
    try:
        os.kill(_target, 9)
        _done += 1
    except BaseException: pass
assert _done
