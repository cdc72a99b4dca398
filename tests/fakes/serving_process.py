"""`rlar serve` as a process of its own, for tests that need a real server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A running `rlar serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str, said: str) -> None:
        self.process, self.url, self.said = process, url, said

    def stop(self) -> tuple[int, str]:
        """SIGTERM; the exit status and what was said."""
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=60)
        return self.process.returncode, self.said + rest


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@contextmanager
def serving(registry: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[Server]:
    """A server on a free port; ended at the end."""
    command = [sys.executable, "-m", "rlar", "serve", "--registry", str(registry), "--port", "0", *options]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment(**(env or {}))
    )
    said = ""
    try:
        assert process.stderr is not None
        while not (found := re.search(r" on (http://\S+)", said)):
            line = process.stderr.readline()
            assert line, f"the server ended with {process.wait()}: {said}"
            said += line
        server = Server(process, found[1], said)
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport, timeout=60) as web:
            while web.get(server.url + "/readyz").status_code != 200:
                pass
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
