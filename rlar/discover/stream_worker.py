"""The worker process of `rlar.discover.stream`: gets a router in two frames, then chunks of rows; answers each in one frame.

Started with `python -m rlar.discover.stream_worker`. It ends when the pipe does, or with the thread that started it.
"""

from __future__ import annotations

from rlar.process import Pipe


def main() -> None:
    """Serve frames until the parent closes the pipe."""
    pipe = Pipe(dies_with_parent=True)
    contracts, arrays = pipe.receive(), pipe.receive()
    if contracts is None or arrays is None:
        return
    from rlar.discover.stream import serve, unpack_router

    router = unpack_router(contracts, arrays)
    while (packed := pipe.receive()) is not None:
        pipe.send(serve(router, packed))


if __name__ == "__main__":
    main()
