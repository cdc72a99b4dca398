"""Node `register`: write a task's tools, certificates and recipe in one transaction. The agent is the only writer."""

from __future__ import annotations

from typing import Any

from rlar.agent.budget import Spent
from rlar.agent.workbench import Workbench
from rlar.config import BuildConfig
from rlar.tools.certify import build_recipe, why_uncovered
from rlar.tools.policy import load_policy
from rlar.types import Certificate, TaskSpec, ToolSpec


def register_task(
    bench: Workbench,
    config: BuildConfig,
    task: TaskSpec,
    tools: list[ToolSpec],
    certificates: list[Certificate],
    notes: list[str],
    *,
    passed_over: list[dict[str, Any]] | None = None,
    downloaded: int = 0,
) -> dict[str, Any]:
    """Store the evidence and the recipe; says what covers the task or why nothing does.

    Running it again after a kill stores nothing twice: equal certificates and recipes are one row.
    """
    registry = bench.registry(config.registry)
    policy = load_policy(config.policy)
    recipe = build_recipe(task, certificates, policy)
    registry.put_outcome(task, tools=tools, certificates=certificates, recipe=recipe)
    llm = bench.llm(config)
    spent = llm.spent(task.fingerprint) if llm is not None else Spent()
    used = [*recipe.gates, *(tool for tool, _weight in recipe.qualities)] if recipe else []
    return {
        "fingerprint": task.fingerprint,
        "label": task.label,
        "answer_kind": task.contract.answer_kind.value,
        "covered": recipe is not None,
        "tools": used,
        "gates": list(recipe.gates) if recipe else [],
        "qualities": [list(item) for item in recipe.qualities] if recipe else [],
        "admitted": [item.tool_id for item in certificates if item.admitted],
        "rejected": {item.tool_id: list(item.reasons) for item in certificates if not item.admitted},
        "reason": None if recipe else why_uncovered(task, certificates),
        "passed_over": passed_over or [],
        "notes": notes,
        "cost": {**spent.model_dump(mode="json"), "downloaded": downloaded},
    }
