"""Node `generate`: ask the writer for new tools, with the failures of the last ones. Offline it only says what is missing."""

from __future__ import annotations

from typing import Any

from rlar.agent.retrieve import sort_by_standing
from rlar.agent.sources import Tried
from rlar.agent.workbench import Workbench
from rlar.config import BuildConfig
from rlar.tools.probes import pairs_digest
from rlar.types import AnswerKind, Certificate, TaskSpec, ToolSpec

ROUNDS_BESIDE_REPAIRS = 3
"""A first round, and two for a second writer when the first gives up; every writer stops by itself before."""


def generate_tools(
    bench: Workbench,
    config: BuildConfig,
    task: TaskSpec,
    tools: list[ToolSpec],
    certificates: list[Certificate],
    attempts: int,
) -> dict[str, Any]:
    """New candidates from the writer, told which checks the rejected ones failed.

    What the writer made before and the gate has judged before (a killed or repeated build) is not tried again.
    """
    by_id = {tool.id: tool for tool in tools}
    tried = [Tried(tool=by_id[each.tool_id], certificate=each) for each in certificates if each.tool_id in by_id]
    found = bench.writer(config).write(task, tried)
    fresh = [tool for tool in found.tools if tool.id not in by_id]
    evidence = pairs_digest(bench.labelled(config).get(task.fingerprint, ()))
    waiting, standing = sort_by_standing(bench.registry(config.registry), config, task, fresh, evidence)
    return {
        "candidates": [tool.model_dump(mode="json") for tool in waiting],
        "tools": [tool.model_dump(mode="json") for tool in [*tools, *fresh]],
        "certificates": [each.model_dump(mode="json") for each in [*certificates, *standing]],
        "passed_over": [{"source": "writer", **each.model_dump(mode="json")} for each in found.passed_over],
        "notes": list(found.notes),
        "attempts": attempts + 1,
        "written": bool(fresh),
    }


def with_witnesses(bench: Workbench, config: BuildConfig, task: TaskSpec) -> tuple[TaskSpec, list[str]]:
    """The task with answers to probe with, where its rows have none and a program could judge them; and what to tell.

    They are proposed once and stored with the task: a certificate can be run again without the LLM.
    """
    llm = bench.llm(config)
    writes = bench.writer(config).name != "none"
    if llm is None or not writes or task.contract.answer_kind is not AnswerKind.RULE or task.witnesses:
        return task, []
    from rlar.agent.write import propose_witnesses

    notes: list[str] = []
    witnesses = propose_witnesses(llm, task, note=notes.append)
    if witnesses:
        notes.append(f"witnesses: answers to {len(witnesses)} rows proposed by {llm.name}")
    return task.model_copy(update={"witnesses": witnesses}), notes


def wants_writer(bench: Workbench, config: BuildConfig, certificates: list[Certificate], attempts: int) -> bool:
    """Whether to ask the writer (again): nothing that rewards is admitted yet and repairs are left."""
    rewarded = any(certificate.admitted and certificate.role != "guard" for certificate in certificates)
    rounds = 1 if bench.writer(config).name == "none" else config.max_repairs + ROUNDS_BESIDE_REPAIRS
    return not rewarded and attempts < rounds
