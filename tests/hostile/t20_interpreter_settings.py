# MUST: judge nothing else; limits and settings of the interpreter are nobody else's | kind=suite | class=poison
import decimal, sys
sys.setrecursionlimit(80)
sys.set_int_max_str_digits(640)
sys.path[:] = []
sys.argv = ["x"]
decimal.getcontext().prec = 1
sys.dont_write_bytecode = False
assert blend(1, 2) == 12
