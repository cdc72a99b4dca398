# MUST: no score; a flood of standard error is no score | kind=verifier | class=output | expect=failed
import os
def compute(prompt, response, reference, binding):
    for _ in range(256): os.write(2, b"1.0\n" * (1 << 18))
    raise RuntimeError("held")
