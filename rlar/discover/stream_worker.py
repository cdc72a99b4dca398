"""The worker process of `rlar.discover.stream`: gets a router, then chunks of rows; answers each chunk in one frame.

Started with `python -m rlar.discover.stream_worker`. The frames are pickled, by nobody but the process that started it;
rows travel in them as plain values. It ends when the pipe does.
"""

from __future__ import annotations

import os
import pickle
import signal

from rlar.discover.frames import read_frame, write_frame


def main() -> None:
    """Serve frames until the parent closes the pipe."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # whatever prints must not speak between frames
    # Ctrl-C at the terminal is the parent's business; it ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    greeting = read_frame(requests)
    if greeting is None:
        return
    from rlar.discover.stream import serve

    router = pickle.loads(greeting)
    while (packed := read_frame(requests)) is not None:
        try:
            write_frame(replies, serve(router, packed))
        except BrokenPipeError:
            os._exit(0)  # nobody is left to be told


if __name__ == "__main__":
    main()
