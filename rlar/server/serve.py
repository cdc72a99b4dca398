"""Runs the app: one process or several over one registry, until SIGTERM; what was accepted is answered first,
for as long as `drain_seconds` says."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable

from rlar.errors import ConfigError
from rlar.registry.registry import Registry
from rlar.server.settings import ServeSettings, check_exposure

WORKER_START_SECONDS = 120
"""How long uvicorn's supervisor lets a worker import and start before it takes it for hung."""

KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep an idle connection (httpx 5, aiohttp 15): who closes first must not be the server, or a
request that is just being sent is lost."""


def serve(settings: ServeSettings, *, token_variable: str, tell: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigError: strangers could use it, or the extra rlar[serve] is not installed, or the port is taken.
        RegistryError: the registry cannot be read.
    """
    check_exposure(settings, token_variable)
    with Registry.open(settings.registry, readonly=True) as registry:
        tasks = registry.tasks(with_examples=False)
        covered = sum(registry.served(task.fingerprint) is not None for task in tasks)
    with tempfile.TemporaryDirectory(prefix="rlar-metrics-") as folder:
        if settings.workers > 1:
            # prometheus_client reads it when it is first imported, and worker processes inherit it.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        try:
            import uvicorn
            from uvicorn.supervisors import Multiprocess

            from rlar.server.app import AppFactory
            from rlar.server.connection import Connection
        except ImportError as error:
            raise ConfigError(f"serving needs {error.name}: pip install 'rlar[serve]'") from error
        config = uvicorn.Config(
            AppFactory(settings, folder if settings.workers > 1 else None),
            factory=True,
            http=Connection,
            ws="none",
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=settings.drain_seconds,
            timeout_worker_healthcheck=WORKER_START_SECONDS,
        )
        try:
            listening = config.bind_socket()
        except SystemExit as error:
            raise ConfigError(
                f"cannot listen on {settings.host}:{settings.port} (is another server there?); name a free --port"
            ) from error
        port = listening.getsockname()[1]
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        tell(
            f"rlar serves {settings.registry} ({len(tasks)} tasks, {covered} covered) on http://{shown}:{port} "
            f"({'token needed' if settings.token else 'no token, this machine only'}, {settings.workers} process"
            f"{'es' if settings.workers > 1 else ''})"
        )
        sys.stderr.flush()
        # uvicorn raises the signal again after its shutdown, which would end us before the registry is closed.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        if settings.workers > 1:
            Multiprocess(config, sockets=[listening]).run()
        else:
            uvicorn.Server(config).run(sockets=[listening])
        listening.close()
        tell("stopped")
