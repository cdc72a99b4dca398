# MUST: not pass; a flood of standard error holds nobody up | kind=stdio | class=output
import os
for _ in range(512): os.write(2, b"42\nend\n" * (1 << 17))
raise SystemExit(3)
