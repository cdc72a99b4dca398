"""What the registry keeps beside the domain types: rows, builds, events, standings and a reader's snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rlar.types import Calibration, Certificate, Frozen, JsonObject, Recipe, TaskSpec, ToolSpec

if TYPE_CHECKING:
    import numpy as np


class RowRecord(NamedTuple):
    """The task and the binding of one dataset row (a tuple: a build makes a million of them)."""

    row_key: str
    """Example.key"""
    prompt_key: str
    """Example.prompt_key"""
    fingerprint: str | None
    """None: unknown."""
    confidence: float
    binding: JsonObject


class Build(Frozen):
    """One run of the agent on this registry."""

    id: str
    status: str
    """running, finished, failed ..."""
    config: JsonObject
    summary: JsonObject
    started_at: str
    finished_at: str | None = None


class Event(Frozen):
    """Who did what to which thing, and when."""

    id: int
    at: str
    who: str
    what: str
    subject: str
    build: str | None
    details: JsonObject


class LlmCall(Frozen):
    """A question to an LLM with its validated answer: the ledger, and the cache of equal questions."""

    key: str
    """Hash of endpoint, messages, schema and temperature: what makes two questions equal."""
    fingerprint: str
    """The task it was first asked for."""
    node: str
    """The step of the build that asked."""
    prompt_name: str
    prompt_hash: str
    model: str
    """Endpoint.name"""
    request: JsonObject
    """Messages (turns that had to be repaired included), schema, temperature."""
    answer: str
    input_tokens: int
    """Of all turns."""
    output_tokens: int
    cost: float | None = None
    """In the currency of the price that the build was given; None: no price."""
    created_at: str = ""
    """UTC, ISO 8601; given by the registry."""


class Standing(Frozen):
    """What is served for a task, or why nothing is."""

    recipe: Recipe | None
    reason: str = ""
    """Empty when a recipe is served."""


@dataclass(frozen=True)
class RegistrySnapshot:
    """All that scoring needs, read in one transaction; rows are looked up as they come."""

    data_version: int
    tasks: dict[str, TaskSpec]
    """By fingerprint, without examples."""
    tools: dict[str, ToolSpec]
    """By id."""
    certificates: dict[str, dict[str, Certificate]]
    """fingerprint -> tool id -> latest certificate."""
    recipes: dict[str, Recipe]
    """Latest by fingerprint, served or not."""
    standings: dict[str, Standing]
    """By fingerprint, for every task."""
    router: dict[str, np.ndarray]
    """The row router's arrays; empty where none is stored."""

    def calibration(self, fingerprint: str, tool_id: str) -> Calibration:
        """How a tool's raw score becomes [0, 1] for a task: the recipe's map, else its latest certificate's."""
        recipe = self.recipes.get(fingerprint)
        if recipe is not None and tool_id in recipe.calibrations:
            return recipe.calibrations[tool_id]
        certificate = self.certificates.get(fingerprint, {}).get(tool_id)
        return certificate.calibration if certificate is not None else Calibration()


def tool_ids(recipe: Recipe) -> tuple[str, ...]:
    """Every tool of a recipe once, gates first."""
    return tuple(dict.fromkeys((*recipe.gates, *(tool for tool, _weight in recipe.qualities))))


def standing(recipe: Recipe | None, latest: dict[str, Certificate]) -> Standing:
    """Whether a recipe may be served, given the latest certificates (by tool id) of its task.

    Every tool's latest verdict must be "admitted": one that failed re-testing takes the whole recipe down, because
    a reward from the rest would be on another scale than the one that was certified.
    """
    if recipe is None:
        if not latest:
            return Standing(recipe=None, reason="no tool has been tested for it")
        names = ", ".join(sorted(tool for tool, item in latest.items() if not item.admitted)[:3])
        return Standing(
            recipe=None, reason=f"no recipe: {names} did not pass" if names else "no recipe: only guards passed"
        )
    used = tool_ids(recipe)
    if not used:
        return Standing(recipe=None, reason=f"recipe {recipe.version} names no tool")
    for tool in used:
        certificate = latest.get(tool)
        if certificate is None:
            return Standing(recipe=None, reason=f"recipe {recipe.version} uses {tool}, which has no certificate for it")
        if not certificate.admitted:
            why = "; ".join(certificate.reasons) or "no reason stored"
            return Standing(recipe=None, reason=f"{tool} failed its latest test ({certificate.created_at}): {why}")
    if all(latest[tool].role == "guard" for tool in used):
        return Standing(recipe=None, reason=f"recipe {recipe.version} holds only guards, which never make a reward")
    return Standing(recipe=recipe)
