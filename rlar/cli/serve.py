"""`rlar serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from rlar.cli.app import AllowHostOption, RegistryOption, app, guard, tell


@app.command("serve")
def serve_command(
    registry: RegistryOption = "registry.db",
    host: Annotated[str, typer.Option(help="Address to listen on; any but loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    token_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the token clients must show.")
    ] = "RLAR_TOKEN",
    workers: Annotated[int, typer.Option(min=1, help="Server processes over the one registry.")] = 1,
    max_body_mb: Annotated[float, typer.Option(help="A larger request is refused (413).")] = 16.0,
    max_queue: Annotated[
        int, typer.Option(min=1, help="Completions waiting in a process; beyond that 503 and Retry-After.")
    ] = 8192,
    max_concurrency: Annotated[int, typer.Option(min=1, help="Batches scored at the same time in a process.")] = 4,
    max_samples: Annotated[int, typer.Option(min=1, help="Completions in one request.")] = 1024,
    batch_window_ms: Annotated[float, typer.Option(min=0, help="How long a request waits for others.")] = 3.0,
    neutral: Annotated[
        float, typer.Option(help="The number for hosts that cannot be told 'no reward'; see docs/serving.md.")
    ] = 0.0,
    sandbox_tier: Annotated[str, typer.Option(help="Isolation of foreign code: auto, ns, ll, sec.")] = "auto",
    accept_unsafe: Annotated[
        bool, typer.Option("--accept-unsafe-execution", help="Run code WITHOUT isolation where there is none.")
    ] = False,
    plugin: Annotated[list[str] | None, typer.Option(help="Module to import first; again for more.")] = None,
    _allow_host: AllowHostOption = None,
) -> None:
    """Serve rewards over HTTP: /score, and the remote-reward routes of OpenRLHF, slime and NeMo-Gym.

    Answers only this machine unless a token is set. SIGTERM finishes what was accepted.

    Example: rlar serve --registry registry.db --port 8000
    """

    def run() -> None:
        import os

        from pydantic import ValidationError

        from rlar.errors import ConfigError
        from rlar.server.serve import serve
        from rlar.server.settings import ServeSettings

        token = os.environ.get(token_variable)
        if token is None and token_variable != "RLAR_TOKEN":
            raise ConfigError(f"--token-variable {token_variable}: there is no such environment variable")
        try:
            settings = ServeSettings.model_validate({
                "registry": registry, "host": host, "port": port, "token": token, "workers": workers,
                "max_body_mb": max_body_mb, "max_queue": max_queue, "max_concurrency": max_concurrency,
                "max_samples": max_samples, "batch_window_ms": batch_window_ms, "neutral": neutral,
                "sandbox_tier": sandbox_tier, "accept_unsafe": accept_unsafe, "plugins": tuple(plugin or ()),
            })  # fmt: skip
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        serve(settings, token_variable=token_variable, tell=tell)

    guard(run)
