"""Node `retrieve`: line up existing tools for one task, or reuse what already holds a valid certificate."""

from __future__ import annotations

from typing import Any

from rlar.agent.workbench import Workbench
from rlar.config import BuildConfig
from rlar.tools.policy import load_policy
from rlar.tools.registry import Registry
from rlar.types import Certificate, TaskSpec, ToolSpec


def retrieve_candidates(bench: Workbench, config: BuildConfig, task: TaskSpec) -> dict[str, Any]:
    """Candidates for the gate, certificates that still hold, and notes.

    A certificate holds when tool, code, policy and seed are the same: then the tool is reused at no cost.
    """
    registry = bench.registry(config.registry)
    policy = load_policy(config.policy)
    waiting: list[ToolSpec] = []
    standing: list[Certificate] = []
    notes: list[str] = []
    seen: set[str] = set()
    for source in bench.sources:
        found = source.find(task, {})
        notes.extend(found.notes)
        for tool in found.tools:
            if tool.id in seen:
                continue
            seen.add(tool.id)
            certificate = None if config.retest else standing_certificate(registry, tool, task, policy.id, config.seed)
            if certificate is None:
                waiting.append(tool)
            else:
                standing.append(certificate)
    if standing:
        notes.append(f"reused: {len(standing)} certificate(s) of an earlier build still hold")
    return {
        "candidates": [tool.model_dump(mode="json") for tool in waiting],
        "certificates": [certificate.model_dump(mode="json") for certificate in standing],
        "notes": notes,
        "attempts": 0,
    }


def standing_certificate(
    registry: Registry, tool: ToolSpec, task: TaskSpec, policy_id: str, seed: int
) -> Certificate | None:
    """The latest certificate of a tool for a task, if nothing that it depends on has changed since."""
    latest = registry.latest_certificate(tool.id, task.fingerprint)
    if latest is None or latest.policy_version != policy_id or latest.seed != seed:
        return None
    return latest if latest.code_hash == tool.code_hash else None
