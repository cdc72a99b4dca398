# MUST: not pass; a gigabyte on standard error costs nothing and says nothing | kind=program | class=output
import os, sys
def blend(a, b):
    block = b"x" * (1 << 20)
    for _ in range(1024):
        os.write(2, block)
        sys.stderr.write("CANARY")
    return None
