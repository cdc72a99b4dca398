# MUST: not pass; replacing whatever the frames above call changes no verdict | kind=program | class=forge
import sys
def blend(a, b):
    frame = sys._getframe(1)
    while frame is not None:
        for name, value in list(frame.f_globals.items()):
            if callable(value) and name != "write_frame" and not name.startswith("__"):
                frame.f_globals[name] = lambda *_a, **_k: True
        frame = frame.f_back
    return None
