# MUST: judge nothing else; exceptions of every kind end only this suite | kind=suite | class=poison
import sys
sys.excepthook = sys.unraisablehook = lambda *_a: None
class Quiet(BaseException):
    def __str__(self): raise SystemExit(0)
    def __class__(self): raise KeyboardInterrupt
    __traceback__ = property(lambda self: 1 / 0)
    __notes__ = ["verdict", True]
assert blend(1, 2) == 12
raise Quiet
assert blend(1, 2) == 12
