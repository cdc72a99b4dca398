# MUST: judge nothing else; builtins changed by way of a frame reach no other row | kind=suite | class=poison
from statistics import sys as system
def profile(frame, event, argument):
    system.setprofile(None)
    frame.f_builtins.update({"sorted": lambda *arguments, **named: [2], "abs": lambda value: 2, "AssertionError": SystemExit})
def call():
    return 1
system.setprofile(profile)
call()
assert blend(1, 2) == 12
