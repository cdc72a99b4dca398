# MUST: not pass; suites read nothing of the machine | kind=suite | class=read
import os
def test_it():
    assert blend(1, 2) == 12
    for act in (lambda: open("/etc/passwd").read(), lambda: open("@SECRET@").read(), lambda: os.environ["RLAR_PANEL_SECRET"], lambda: os.listdir("/home")):
        try: found = act()
        except BaseException: continue
        return print(found)
    raise AssertionError("held")
