"""Node `retrieve`: line up existing tools for one task, or reuse what already holds a valid certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlar.agent.workbench import Workbench
from rlar.config import BuildConfig
from rlar.tools.policy import load_policy
from rlar.tools.probes import pairs_digest
from rlar.tools.registry import Registry
from rlar.types import Certificate, TaskSpec, ToolSpec


def retrieve_candidates(
    bench: Workbench, config: BuildConfig, task: TaskSpec, decisions: Mapping[str, bool]
) -> dict[str, Any]:
    """Candidates for the gate, certificates that still hold, what was passed over, what waits for a person, and notes.

    A certificate holds when tool, code, policy and seed are the same: then the tool is reused at no cost.
    """
    registry = bench.registry(config.registry)
    candidates: dict[str, ToolSpec] = {}
    notes: list[str] = []
    passed_over: list[dict[str, Any]] = []
    approvals: list[dict[str, Any]] = []
    downloaded = 0
    for source in bench.sources(config):
        found = source.find(task, decisions)
        notes.extend(found.notes)
        passed_over.extend({"source": source.name, **each.model_dump(mode="json")} for each in found.passed_over)
        approvals.extend({"source": source.name, **each.model_dump(mode="json")} for each in found.approvals)
        downloaded += int(found.cost.get("bytes", 0))
        for tool in found.tools:
            candidates.setdefault(tool.id, tool)
    evidence = pairs_digest(bench.labelled(config).get(task.fingerprint, ()))
    waiting, standing = sort_by_standing(registry, config, task, list(candidates.values()), evidence)
    if standing:
        notes.append(f"reused: {len(standing)} certificate(s) of an earlier build still hold")
    return {
        "candidates": [tool.model_dump(mode="json") for tool in waiting],
        "tools": [tool.model_dump(mode="json") for tool in candidates.values()],
        "certificates": [certificate.model_dump(mode="json") for certificate in standing],
        "passed_over": passed_over,
        "approvals": approvals,
        "notes": notes,
        "attempts": 0,
        "downloaded": downloaded,
    }


def sort_by_standing(
    registry: Registry, config: BuildConfig, task: TaskSpec, tools: list[ToolSpec], evidence: str
) -> tuple[list[ToolSpec], list[Certificate]]:
    """The tools that the gate must try, and the certificates of those that it need not try again.

    Args:
        evidence: digest of the user's labelled pairs for the task: with others a certificate is another one.
    """
    policy = load_policy(config.policy)
    waiting: list[ToolSpec] = []
    standing: list[Certificate] = []
    for tool in tools:
        held = None if config.retest else standing_certificate(registry, tool, task, policy.id, config.seed)
        if held is not None and held.environment.get("labelled", "") != evidence and evidence:
            held = None
        if held is None:
            waiting.append(tool)
        else:
            standing.append(held)
    return waiting, standing


def standing_certificate(
    registry: Registry, tool: ToolSpec, task: TaskSpec, policy_id: str, seed: int
) -> Certificate | None:
    """The latest certificate of a tool for a task, if nothing that it depends on has changed since."""
    latest = registry.latest_certificate(tool.id, task.fingerprint)
    if latest is None or latest.policy_version != policy_id or latest.seed != seed:
        return None
    return latest if latest.code_hash == tool.code_hash else None
