# MUST: not pass; descriptors have no owner, signal, lease, seal or hint to set | kind=program | class=kill
import fcntl, os, struct
def blend(a, b):
    link = os.pipe()
    for descriptor in (0, 1, 3, *link):
        for command, value in ((8, os.getppid()), (9, 0), (10, 9), (11, 0), (15, struct.pack("ii", 1, 1)), (1024, 0), (1026, 1), (1031, 1 << 20), (1033, 1), (1036, struct.pack("Q", 1)), (1038, struct.pack("Q", 1))):
            try: fcntl.fcntl(descriptor, command, value)
            except BaseException: continue
            return 10 * a + b
    return None
