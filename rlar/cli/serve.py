"""`rlar serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from rlar.cli.app import AllowHostOption, app, tell
from rlar.cli.options import Given, settings_command


@settings_command(app, "serve", "rlar.server.settings:ServeSettings", shows_ranges=True)
def serve_command(
    given: Given,
    token_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the token clients must show.")
    ] = "RLAR_TOKEN",
    _allow_host: AllowHostOption = None,
) -> None:
    """Serve rewards over HTTP: /score, and the remote-reward routes of OpenRLHF, slime and NeMo-Gym.

    Answers only this machine unless a token is set. SIGTERM finishes what was accepted.

    Example: rlar serve --registry registry.db --port 8000
    """

    import os

    from pydantic import ValidationError

    from rlar.errors import ConfigError
    from rlar.server.serve import serve
    from rlar.server.settings import ServeSettings

    token = os.environ.get(token_variable)
    if token is None and token_variable != "RLAR_TOKEN":
        raise ConfigError(f"--token-variable {token_variable}: there is no such environment variable")
    try:
        settings = ServeSettings.model_validate({**given, "token": token})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    serve(settings, token_variable=token_variable, tell=tell)
