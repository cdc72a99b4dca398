"""The admission policy: every threshold of the gate, read from one versioned TOML file.

The package ships `policy.toml`; a user's file replaces single values of it, table by table.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from rlar.config import read_toml
from rlar.errors import ConfigError, first_problem
from rlar.types import AnswerKind, Frozen, canonical_json, digest

Role = Literal["verifier", "quality", "guard"]
RunClass = Literal["inline", "pool", "sandbox", "model"]


class Limits(Frozen):
    """What must hold for one role; scores and shares in [0, 1]."""

    mandatory: tuple[str, ...]
    """Checks that must have passed; one that could not be run (None) counts as not passed."""
    oracle_min: float = Field(ge=0, le=1)
    oracle_kind_min: float = Field(ge=0, le=1)
    floor_max: float = Field(ge=0, le=1)
    floor_kind_max: float = Field(ge=0, le=1)
    margin_min: float = Field(ge=0, le=1)
    """Compared with the lower end of the 95% interval."""
    discrimination_min: float = Field(ge=0, le=1)
    discrimination_kind_min: float = Field(ge=0, le=1)
    half_right_min: float = Field(ge=0, le=1)
    """Of pairs of a half right text and another row's: where a tie counts half, .75 is every second one lost."""
    invariance_min: float = Field(ge=0, le=1)
    invariance_kind_min: float = Field(ge=0, le=1)
    invariance_tolerance: float = Field(ge=0, le=1)
    hack_max: float = Field(ge=0, le=1)
    hack_kind_max: float = Field(ge=0, le=1)
    labelled_min: float = Field(ge=0, le=1)
    baseline_slack: float = Field(ge=0, le=1)
    """By how much the pair accuracy may lie below that of the plain metric."""


class Budget(Frozen):
    """How much is tried with a tool of one speed; counts are probes a row and check."""

    rows: int = Field(ge=1)
    oracle: int = Field(ge=1)
    floor: int = Field(ge=1)
    discrimination: int = Field(ge=1)
    invariance: int = Field(ge=0)
    hack_panel: int = Field(ge=0)
    faults: int = Field(ge=0)
    """Completions made to break a tool, over all rows: the shortest so many."""
    master_keys: int = Field(ge=0)
    """How often each of the openings without an answer is tried, over all rows."""
    ladders: int = Field(ge=0)
    """Ladders a row, for qualities: texts from good to bad on which they are compared with the plain metric."""
    determinism: int = Field(ge=1)
    """Probes scored again."""
    timed: int = Field(ge=1)
    """Single calls timed."""
    seconds: float = Field(gt=0)
    call_seconds: float = Field(gt=0)
    p95_ms: float = Field(gt=0)
    memory_mb: float = Field(gt=0)
    """By how much the process may grow while the tool is probed."""


class Readout(Frozen):
    """How a head with several objectives becomes one number: the documented weighted sum."""

    weights: dict[str, float] = Field(min_length=1)
    """Label of the head -> weight; the model must have exactly these labels."""
    source: str = ""
    """Who documents it."""


class HubPolicy(Frozen):
    """What may be fetched from the Hub and tried; the gate decides about what was fetched."""

    licences: tuple[str, ...]
    """Allowed by themselves (as the Hub spells them, lower case); any other, or none, needs a person."""
    top: int = Field(ge=1)
    """Best-ranked models of a task that are downloaded and tried."""
    listed: int = Field(ge=1)
    """Models that one query may list."""
    min_rank: float
    """Models ranked lower are no reward models by what they say of themselves."""
    max_bytes: int = Field(ge=0)
    """Of one model's files; the whole build has BuildConfig.max_download."""
    max_parameters: int = Field(ge=1)
    """Of one model, as the Hub counts them."""
    max_config_bytes: int = Field(ge=1)
    max_card_bytes: int = Field(ge=1)
    max_tokenizer_bytes: int = Field(ge=1)
    max_length: int = Field(ge=16)
    """Tokens of prompt and completion; models with a shorter window keep theirs."""
    readouts: dict[str, Readout] = Field(default_factory=dict)
    """By name; users add their own."""


class GatePolicy(Frozen):
    """The whole policy; `limits` and `budget` give what holds for one tool on one task."""

    version: str
    min_rows: int = Field(ge=1)
    min_kind_probes: int = Field(ge=1)
    max_abstain_share: float = Field(ge=0, le=1)
    max_wrong_abstain_share: float = Field(ge=0, le=1)
    max_misread_share: float = Field(ge=0, le=1)
    """Compared with the upper end of the 95% interval."""
    max_failed_share: float = Field(ge=0, le=1)
    max_timeout_share: float = Field(ge=0, le=1)
    bootstrap: int = Field(ge=100)
    forgeable_share: float = Field(ge=0, le=1)
    allow_forgeable: bool
    labelled_min_pairs: int = Field(ge=1)
    rows: dict[AnswerKind, int] = Field(default_factory=dict)
    """Rows probed instead of the budget's, for single answer kinds."""
    budgets: dict[RunClass, Budget]
    roles: dict[Role, Limits]
    kinds: dict[AnswerKind, dict[Role, dict[str, Any]]] = Field(default_factory=dict)
    """Single values of `roles` replaced for one answer kind."""
    hub: HubPolicy

    def limits(self, role: Role, kind: AnswerKind) -> Limits:
        """What must hold for a tool of this role on this answer kind."""
        replaced = self.kinds.get(kind, {}).get(role, {})
        return Limits(**{**self.roles[role].model_dump(), **replaced})

    def budget(self, runs: RunClass, kind: AnswerKind | None = None) -> Budget:
        """How much is tried with a tool of this speed on this answer kind."""
        budget = self.budgets[runs]
        return budget.model_copy(update={"rows": self.rows[kind]}) if kind in self.rows else budget

    @cached_property
    def id(self) -> str:
        """Version and content hash: what certificates store, so that an edited file cannot pass for the shipped one.

        What may be fetched is left out: it decides what is tried, not what is admitted.
        """
        return f"{self.version}-{digest(canonical_json(self.model_dump(mode='json', exclude={'hub'})), size=8)}"


SHIPPED = Path(__file__).with_name("policy.toml")


def load_policy(path: str | Path | None = None) -> GatePolicy:
    """The shipped policy, or the shipped policy with the values of a user's file put over it.

    Raises ConfigError for a file that cannot be read, is not TOML, or holds an unknown name or an impossible value.
    """
    if path is None:
        return _shipped()
    return _build(_merge(read_toml(SHIPPED), read_toml(path, what="policy")), str(path))


@cache
def _shipped() -> GatePolicy:
    return _build(read_toml(SHIPPED), str(SHIPPED))


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        old = merged.get(name)
        merged[name] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _build(values: Mapping[str, Any], where: str) -> GatePolicy:
    try:
        policy = GatePolicy.model_validate(values)
        for kind, roles in policy.kinds.items():
            for role in roles:
                policy.limits(role, kind)
        for role_name in ("verifier", "quality", "guard"):
            if role_name not in policy.roles:
                raise ConfigError(f"the policy {where} has no [roles.{role_name}]")
        for runs in ("inline", "pool", "sandbox", "model"):
            if runs not in policy.budgets:
                raise ConfigError(f"the policy {where} has no [budgets.{runs}]")
    except ValidationError as error:
        raise ConfigError(f"the policy {where} is wrong: {first_problem(error)}") from error
    return policy
