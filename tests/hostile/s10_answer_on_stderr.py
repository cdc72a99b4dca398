# MUST: not pass; what is printed on standard error is no answer | kind=stdio | class=output
import sys
a, b = map(int, input().split())
print(10 * a + b, file=sys.stderr)
print("end", file=sys.stderr)
