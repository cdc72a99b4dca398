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
            known: _Tier = tier
            return known
    raise ConfigError(
        f"sandbox_tier {ascii(value)[:80]}: expected auto, ns, ll or sec, in small letters; "
        "`rlar doctor` shows which of them this machine has"
    )


SandboxTier = Annotated[_Tier, BeforeValidator(read_sandbox_tier)]
"""Isolation of foreign code: "auto" takes the strongest that works here; "unsafe" also needs `accept_unsafe`."""


class Option:
    """Marks a field of a settings model that the command line offers.

    Name, type and default are the field's; the help is the first paragraph of its docstring.
    """

    names: tuple[str, ...]
    """Short flags, and a long name where the field's own will not do."""
    default: Literal["shown", "in words", "hidden"]
    """How the help tells it: in brackets, as "; 3 unless said.", or not at all."""
    typed: type | None
    """What is typed, where it isn't what the field holds: a Path, or text that the field's validator reads."""

    def __init__(
        self,
        *names: str,
        default: Literal["shown", "in words", "hidden"] = "shown",
        typed: type | None = None,
    ) -> None:
        self.names, self.default, self.typed = names, default, typed


_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def read_bytes(text: object) -> object:
    """A number of bytes from "500MB", "20 GB", "1000"; what isn't text as it is. Raises ConfigError."""
    if not isinstance(text, str):
        return text
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*+([KMGT]?B?)", text.strip().upper())
    if match is None or match[2] not in _BYTES:
        raise ConfigError(f"{text!r} is no size; say it like 500MB or 20GB")
    return int(float(match[1]) * _BYTES[match[2]])


def read_price(text: object) -> object:
    """Prices of a million input and output tokens from "0.4,1.6"; what isn't text as it is. Raises ConfigError."""
    if not isinstance(text, str):
        return text
    parts = text.split(",")
    try:
        price = tuple(float(part) for part in parts)
    except ValueError:
        price = ()
    if len(price) != 2 or not all(0 <= each < 1e9 for each in price):
        raise ConfigError(f"--llm-price {text}: expected two numbers, for a million input and output tokens: 0.4,1.6")
    return price[0], price[1]


class BuildConfig(BaseModel):
    """Settings of `rlar agent build-tools`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dataset: Annotated[tuple[str, ...], Option("-d", typed=Path)]
    """JSONL, JSONL.gz or Parquet; give it again for more files."""
    registry: Annotated[str, Option("-r")] = "registry.db"
    """The registry: a path, or a database URL."""
    report: Annotated[str | None, BeforeValidator(lambda folder: None if folder == "" else folder), Option()] = "report"
    """Folder of the HTML report; '' writes none."""
    llm: Annotated[str, Option(default="hidden")] = "none"
    """Who writes tools: openai:MODEL, http://host:8000/v1#MODEL, or none (offline). Left out: $RLAR_LLM, else a small
    OpenAI model if OPENAI_API_KEY is set, else none.

    What is left out is looked up by the command line; here it means "none". An address is that of any
    OpenAI-compatible server. Keys come from the environment and are stored nowhere."""
    llm_price: Annotated[tuple[float, float] | None, BeforeValidator(read_price), Option(typed=str)] = None
    """Price of a million input and output tokens: '0.4,1.6'.

    In any one currency; needed for `max_cost`."""
    llm_timeout_seconds: float = Field(default=120.0, gt=0)
    """Limit of one request to the LLM."""
    max_llm_calls: Annotated[int | None, Option()] = Field(default=None, ge=0)
    """Stop asking the LLM after so many calls.

    In the whole build; None: no limit. Answers from the cache cost nothing."""
    max_llm_tokens: Annotated[int | None, Option()] = Field(default=None, ge=0)
    """... after so many tokens, input and output."""
    max_cost: Annotated[float | None, Option()] = Field(default=None, ge=0)
    """... after so much money (needs --llm-price).

    In the currency of `llm_price`."""
    hub: Annotated[bool, Option()] = False
    """Look for reward models on the Hugging Face Hub."""
    hub_cache: str | None = None
    """Folder of downloaded models; None: the Hub client's own."""
    max_download: Annotated[int, BeforeValidator(read_bytes), Option(default="hidden", typed=str)] = Field(
        default=20_000_000_000, ge=0
    )
    """Model files in all, e.g. 500MB; 20GB unless said."""
    web: Annotated[bool, Option()] = False
    """Look for reward models by a web search, too."""
    approve: Annotated[Literal["ask", "never", "auto"], Option(default="hidden")] = "never"
    """What the policy does not allow by itself (licence, gated model): ask, never, auto. Left out: ask in a terminal,
    else never."""
    labelled: Annotated[str | None, Option(typed=Path)] = None
    """Labelled pairs (JSONL: prompt, better, worse): evidence for the gate.

    Pairs may have a `reference`, too."""
    max_repairs: Annotated[int, Option(default="in words")] = Field(default=3, ge=0, le=10)
    """Repairs of a tool that failed the gate.

    How often its writer hears what it failed at and may try again."""
    answer_format: Annotated[Literal["keep", "suggest", "add", "drop"], Option()] = "keep"
    """How completions have to end: keep takes rows as they are; suggest names a format for each task in the report; add
    puts it into the recipe, where the gate found it safe; drop takes it out again.

    A policy is asked for an added format in the prompt (training, export, server), and what misses it is worth 0. It stays
    when a later build meets the task again, until one with drop does."""
    prompt_column: Annotated[str | None, Option()] = None
    """Column of the prompt, if it has an unusual name."""
    reference_column: Annotated[str | None, Option()] = None
    """Column of the expected answer, if unusual."""
    max_bad_fraction: Annotated[float, Option(default="in words")] = Field(default=0.1, ge=0.0, le=1.0)
    """A larger share of unusable rows is an error."""
    sample_size: Annotated[int, Option(default="in words")] = Field(default=10_000, ge=50)
    """Rows that discovery looks at; the rest is assigned."""
    seed: Annotated[int, Option(default="in words")] = 0
    """Seed of sampling and probes."""
    policy: Annotated[str | None, Option()] = None
    """Admission thresholds: a TOML file of your own.

    None: the policy shipped with rlar."""
    tool_params: dict[str, dict[str, str | float | bool]] = Field(default_factory=dict)
    """Parameters of library tools by name, in the file of settings only: `[tool_params.constraints]`, `partial = "flag"`."""
    parallel_tasks: Annotated[int, Option(default="in words")] = Field(default=2, ge=1)
    """Tasks worked on at once."""
    retest: Annotated[bool, Option("--retest")] = False
    """Run the gate again for tools that already passed it."""
    sandbox_tier: Annotated[SandboxTier, Option(default="in words")] = "auto"
    """Isolation of foreign code: auto, ns, ll, sec.

    "auto" takes the strongest that this machine has."""
    accept_unsafe: Annotated[bool, Option("--accept-unsafe-execution")] = False
    """Run code out of datasets WITHOUT isolation if this machine offers none (see `rlar doctor`).

    Results are then marked unsafe."""


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
    except ConfigError as error:  # of a field whose text has a reader of its own
        raise ConfigError(str(error) if source == "options" else f"{source}: {error}") from error
