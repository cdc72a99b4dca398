"""What travels through the build graph: plain JSON values only, so that every checkpoint is readable in Studio."""

from __future__ import annotations

import operator
from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict, get_type_hints

from rlar.types import Certificate, TaskSpec, ToolSpec


class BuildInput(TypedDict):
    """Input of the graph: the fields of rlar.config.BuildConfig (Studio shows them as a form)."""

    dataset: list[str]
    registry: NotRequired[str]
    report: NotRequired[str | None]
    llm: NotRequired[str]
    llm_price: NotRequired[list[float] | None]
    llm_timeout_seconds: NotRequired[float]
    max_llm_calls: NotRequired[int | None]
    max_llm_tokens: NotRequired[int | None]
    max_cost: NotRequired[float | None]
    hub: NotRequired[bool]
    hub_cache: NotRequired[str | None]
    max_download: NotRequired[int]
    web: NotRequired[bool]
    approve: NotRequired[str]
    labelled: NotRequired[str | None]
    max_repairs: NotRequired[int]
    prompt_column: NotRequired[str | None]
    reference_column: NotRequired[str | None]
    max_bad_fraction: NotRequired[float]
    sample_size: NotRequired[int]
    seed: NotRequired[int]
    policy: NotRequired[str | None]
    parallel_tasks: NotRequired[int]
    retest: NotRequired[bool]
    sandbox_tier: NotRequired[str]
    accept_unsafe: NotRequired[bool]


class BuildState(BuildInput):
    """State of the outer graph."""

    tasks: NotRequired[list[dict[str, Any]]]
    """TaskSpecs found by classify."""
    rows: NotRequired[dict[str, Any]]
    """Counts: read, rejected, by reason; after assign also assigned, unknown and per fingerprint."""
    rejected_rows: NotRequired[list[dict[str, str]]]
    """The first rejected rows: origin and reason."""
    router: NotRequired[str]
    """Digest of the row router that classify learned."""
    readings: NotRequired[list[dict[str, Any]]]
    """What the LLM said of every group of rows, and what was kept of it."""
    reading_cost: NotRequired[dict[str, Any]]
    """What that cost: calls, tokens, money."""
    outcomes: Annotated[list[dict[str, Any]], operator.add]
    """One per task, from the fan-out."""
    summary: NotRequired[dict[str, Any]]
    """What `--json` prints."""


class TaskState(TypedDict):
    """State of the per-task subgraph."""

    task: dict[str, Any]
    """The TaskSpec."""
    settings: dict[str, Any]
    """The BuildConfig."""
    candidates: NotRequired[list[dict[str, Any]]]
    """ToolSpecs waiting for the gate."""
    tools: NotRequired[list[dict[str, Any]]]
    """ToolSpecs of all candidates so far, whatever the gate said of them."""
    certificates: NotRequired[list[dict[str, Any]]]
    """Certificates so far, of admitted and rejected candidates."""
    passed_over: NotRequired[list[dict[str, Any]]]
    """Candidates that were rejected before the gate: source, subject, reason."""
    approvals: NotRequired[list[dict[str, Any]]]
    """Candidates that a person has to decide about."""
    decisions: NotRequired[dict[str, bool]]
    """What was decided, by subject."""
    attempts: NotRequired[int]
    """How often the writer was asked."""
    written: NotRequired[bool]
    """Whether the writer had something new the last time."""
    downloaded: NotRequired[int]
    """Bytes of model files."""
    notes: NotRequired[list[str]]
    """What each step has to say to a person."""
    outcomes: NotRequired[list[dict[str, Any]]]


class TaskResult(TypedDict):
    """What the subgraph hands to the outer graph."""

    outcomes: list[dict[str, Any]]


class Outcome(TypedDict):
    """What a build says of one task at its end (rlar.agent.register)."""

    fingerprint: str
    label: str
    answer_kind: str
    covered: bool
    tools: list[str]
    reason: str | None
    notes: list[str]
    rejected: NotRequired[dict[str, list[str]]]
    passed_over: NotRequired[list[dict[str, Any]]]
    cost: NotRequired[dict[str, float | None]]


class Rows(TypedDict):
    """Counts of rows; the last of them come from `assign`."""

    read: int
    rejected: int
    accepted: int
    counts: NotRequired[dict[str, int]]


STORED: dict[str, Any] = {
    **{name: kind for name, kind in get_type_hints(BuildState).items() if name not in BuildInput.__annotations__},
    **get_type_hints(TaskState),
    "task": TaskSpec,
    "tasks": list[TaskSpec],
    "candidates": list[ToolSpec],
    "tools": list[ToolSpec],
    "certificates": list[Certificate],
    "rows": Rows,
    "outcomes": list[Outcome],
}
"""What a stored state must hold by name, to the depth that nodes rely on. Settings are not here: nodes validate them."""
TASK_NODE = "build_task"
"""The node that the fan-out sends tasks to."""
