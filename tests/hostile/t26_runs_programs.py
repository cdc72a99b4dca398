# MUST: not pass; suites run no program | kind=suite | class=exec
import os
assert blend(1, 2) == 12
try: child = os.fork()
except BaseException: child = -1
if child == 0: os.execv("/bin/sh", ["sh", "-c", "echo x > @DROP@/suite"])
assert child > 0 or os.system("echo x > @DROP@/suite") == 0
