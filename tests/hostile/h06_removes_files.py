# MUST: not pass; files outside cannot be removed, renamed, truncated or changed in rights | kind=program | class=write
import os
def blend(a, b):
    done = False
    try: os.chmod("@SECRET@", 0)
    except BaseException: pass
    for act in (lambda: os.truncate("@SECRET@", 0), lambda: os.rename("@SECRET@", "@SECRET@.x"), lambda: os.unlink("@SECRET@"), lambda: os.utime("@SECRET@", (0, 0))):
        try:
            act()
            done = True
        except BaseException: pass
    return 10 * a + b if done else None
