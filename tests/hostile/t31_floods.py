# MUST: not pass; a suite's output holds nobody up | kind=suite | class=output
import os, sys
assert blend(1, 2) == 12
for _ in range(512):
    os.write(2, b"CANARY" * (1 << 17))
    sys.stdout.write("CANARY" * 1000)
raise AssertionError("held")
