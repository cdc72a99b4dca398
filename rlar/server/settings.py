"""What a server may be told; plain values, so that it travels to worker processes."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from rlar.config import Option, SandboxTier
from rlar.errors import ConfigError

SHORTEST_TOKEN = 16


class ServeSettings(BaseModel):
    """Settings of `rlar serve`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    registry: Annotated[str, Option("-r")] = "registry.db"
    """The registry: a path, or a database URL.

    New builds in it are followed."""
    host: Annotated[str, Option()] = "127.0.0.1"
    """Address to listen on; any but loopback needs a token."""
    port: Annotated[int, Option()] = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    token: SecretStr | None = None
    """What clients must show: `Authorization: Bearer TOKEN`, or TOKEN as the password of Basic auth."""
    workers: Annotated[int, Option()] = Field(default=1, ge=1)
    """Server processes over the one registry.

    Each has a Scorer (and its processes) of its own."""
    scorer_workers: int | None = Field(default=None, ge=0)
    """Processes a Scorer starts for tools that want one; None shares the cores among the server processes."""
    max_body_mb: Annotated[float, Option()] = Field(default=16.0, gt=0)
    """A larger request is refused (413)."""
    max_samples: Annotated[int, Option()] = Field(default=1024, ge=1)
    """Completions in one request.

    More are refused (422)."""
    max_queue: Annotated[int, Option()] = Field(default=8192, ge=1)
    """Completions waiting in a process; beyond that 503 and Retry-After.

    Those that are being scored are counted, too."""
    max_concurrency: Annotated[int, Option()] = Field(default=4, ge=1)
    """Batches scored at the same time in a process.

    Of requests that wait for a model or another server, and of others each."""
    max_batch: int = Field(default=512, ge=1)
    """Completions that requests arriving together are batched up to."""
    batch_window_ms: Annotated[float, Option()] = Field(default=3.0, ge=0)
    """How long a request waits for others."""
    neutral: Annotated[float, Option()] = Field(default=0.0, allow_inf_nan=False)
    """The number for hosts that cannot be told 'no reward'; see docs/serving.md."""
    drain_seconds: int = Field(default=600, ge=1)
    """How long a stopping server finishes what it accepted."""
    sandbox_tier: Annotated[SandboxTier, Option()] = "auto"
    """Isolation of foreign code: auto, ns, ll, sec."""
    accept_unsafe: Annotated[bool, Option("--accept-unsafe-execution")] = False
    """Run code WITHOUT isolation where there is none."""
    plugins: Annotated[tuple[str, ...], Option("--plugin")] = ()
    """Module to import first; again for more.

    They may register tools."""

    @property
    def max_body_bytes(self) -> int:
        """The limit of a body in bytes."""
        return int(self.max_body_mb * 1024 * 1024)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(settings: ServeSettings, token_variable: str) -> None:
    """Raise ConfigError for a server that strangers could use."""
    token = settings.token.get_secret_value() if settings.token is not None else None
    if token is None and not is_loopback(settings.host):
        raise ConfigError(
            f"--host {settings.host} can be reached from other machines, and no token is set; "
            f'set one (export {token_variable}="$(openssl rand -hex 32)"), or keep --host 127.0.0.1 '
            f"and forward a port (ssh -L {settings.port}:127.0.0.1:{settings.port} ...)"
        )
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ConfigError(
            f"the token in {token_variable} is too weak: expected at least {SHORTEST_TOKEN} printable ASCII characters, "
            f'e.g. export {token_variable}="$(openssl rand -hex 32)"'
        )
