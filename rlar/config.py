"""One pydantic model per job. Every field has a default that runs on a laptop, and a line saying what it does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rlar import foreign
from rlar.errors import ConfigError, first_problem

_Tier = Literal["auto", "ns", "ll", "sec", "unsafe"]


def read_sandbox_tier(value: object) -> _Tier:
    """A setting of isolation, spelled exactly; a mistyped one must never mean less of it. Raises ConfigError."""
    if value == "wasm":
        raise ConfigError(
            "sandbox_tier 'wasm' is no longer offered: on macOS and Windows use a Linux container or WSL, where "
            "'auto' takes the strongest tier"
        )
    for tier in get_args(_Tier):
        if type(value) is str and value == tier:
            found: _Tier = tier
            return found
    raise ConfigError(
        f"sandbox_tier {ascii(value)[:80]}: expected auto, ns, ll or sec, in small letters; "
        "`rlar doctor` shows which of them this machine has"
    )


SandboxTier = Annotated[_Tier, BeforeValidator(read_sandbox_tier)]
"""Isolation of foreign code: "auto" takes the strongest that works here; "unsafe" also needs `accept_unsafe`."""


class BuildConfig(BaseModel):
    """Settings of `rlar agent build-tools`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: tuple[str, ...]
    """Files to read: JSONL, JSONL.gz or Parquet."""
    registry: str = "registry.db"
    """The registry to write: a path (SQLite) or a database URL."""
    report: str | None = "report"
    """Folder of the HTML report; None writes none."""
    llm: str = "none"
    """Who writes verifiers and judges: "openai:MODEL", "http://host:8000/v1#MODEL" (any OpenAI-compatible server), or
    "none": the offline build (library tools only). Keys come from the environment and are stored nowhere."""
    llm_price: tuple[float, float] | None = None
    """Price of a million input and output tokens, in any one currency; needed for `max_cost`."""
    llm_timeout_seconds: float = Field(default=120.0, gt=0)
    """Limit of one request to the LLM."""
    max_llm_calls: int | None = Field(default=None, ge=0)
    """Calls to the LLM in the whole build; None: no limit. Answers from the cache cost nothing."""
    max_llm_tokens: int | None = Field(default=None, ge=0)
    """Tokens (input and output) in the whole build."""
    max_cost: float | None = Field(default=None, ge=0)
    """Money in the whole build, in the currency of `llm_price`."""
    hub: bool = False
    """Look for reward models on the Hugging Face Hub."""
    hub_cache: str | None = None
    """Folder of downloaded models; None: the Hub client's own."""
    max_download: int = Field(default=20_000_000_000, ge=0)
    """Bytes of model files in the whole build."""
    web: bool = False
    """Look for reward models by a web search, too."""
    approve: Literal["ask", "never", "auto"] = "never"
    """What the policy does not allow by itself (an unusual licence, a gated model): ask a person, refuse, or allow."""
    labelled: str | None = None
    """JSONL of labelled pairs {prompt, better, worse, reference?}: further evidence for the gate."""
    max_repairs: int = Field(default=3, ge=0, le=10)
    """How often the writer of a tool hears what its tool failed at and may try again."""
    prompt_column: str | None = None
    """Column that holds the prompt, where it is none of the usual names."""
    reference_column: str | None = None
    """Column that holds the expected answer, where it is none of the usual names."""
    max_bad_fraction: float = Field(default=0.1, ge=0.0, le=1.0)
    """More unusable rows than this share of the file is an error."""
    sample_size: int = Field(default=20_000, ge=50)
    """Rows that discovery looks at; the rest is assigned in one pass."""
    seed: int = 0
    """Seed of everything random: sampling, probes, intervals."""
    policy: str | None = None
    """Admission thresholds: a TOML file; None: the policy shipped with rlar."""
    parallel_tasks: int = Field(default=2, ge=1)
    """Tasks worked on at the same time."""
    retest: bool = False
    """Run the gate again for tools that already hold a valid certificate."""
    sandbox_tier: SandboxTier = "auto"
    """Isolation of foreign code; "auto" takes the strongest that this machine has."""
    accept_unsafe: bool = False
    """Run foreign code without isolation where the machine has none; results are marked unsafe."""


_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def read_bytes(text: str) -> int:
    """A number of bytes from "500MB", "20 GB", "1000". Raises ConfigError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*+([KMGT]?B?)", text.strip().upper())
    if found is None or found[2] not in _BYTES:
        raise ConfigError(f"{text!r} is no size; say it like 500MB or 20GB")
    return int(float(found[1]) * _BYTES[found[2]])


def read_price(text: str) -> tuple[float, float]:
    """Prices of a million input and output tokens from "0.4,1.6". Raises ConfigError."""
    parts = text.split(",")
    try:
        price = tuple(float(part) for part in parts)
    except ValueError:
        price = ()
    if len(price) != 2 or not all(0 <= each < 1e9 for each in price):
        raise ConfigError(f"--llm-price {text}: expected two numbers, for a million input and output tokens: 0.4,1.6")
    return price[0], price[1]


def read_config(path: str | Path, **overrides: object) -> BuildConfig:
    """A BuildConfig from a TOML file, with overrides (None means: not given). Raises ConfigError."""
    values = read_toml(path)
    values.update({name: value for name, value in overrides.items() if value is not None})
    return make_config(values, source=str(path))


def read_toml(path: str | Path, *, what: str = "configuration file") -> dict[str, Any]:
    """The values of a TOML file. Raises ConfigError where it cannot be read, is not TOML, or is no file of settings."""
    try:
        return foreign.read_toml(Path(path))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such {what}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML for a {what}: {error}") from error


def make_config(values: dict[str, object], *, source: str = "options") -> BuildConfig:
    """A BuildConfig from plain values. Raises ConfigError that names the field and the expectation."""
    try:
        return BuildConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {first_problem(error, 'configuration', shown=True)}") from error
