# MUST: judge nothing else; closed and replaced descriptors stop only this suite | kind=suite | class=poison
import os
assert blend(1, 2) == 12
for _descriptor in range(0, 64):
    try: os.dup2(1, _descriptor)
    except OSError: pass
os.closerange(0, 64)
assert blend(1, 2) == 12
