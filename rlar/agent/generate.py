"""Node `generate`: ask the writer for new tools, with the failures of the last ones. Offline it only says what is missing."""

from __future__ import annotations

from typing import Any

from rlar.agent.sources import Tried
from rlar.agent.workbench import Workbench
from rlar.types import Certificate, TaskSpec, ToolSpec


def generate_tools(
    bench: Workbench, task: TaskSpec, tools: list[ToolSpec], certificates: list[Certificate], attempts: int
) -> dict[str, Any]:
    """New candidates from the writer, told which checks the rejected ones failed."""
    by_id = {tool.id: tool for tool in tools}
    tried = [Tried(tool=by_id[each.tool_id], certificate=each) for each in certificates if each.tool_id in by_id]
    found = bench.writer.write(task, tried)
    return {
        "candidates": [tool.model_dump(mode="json") for tool in found.tools],
        "notes": list(found.notes),
        "attempts": attempts + 1,
    }


def wants_writer(bench: Workbench, certificates: list[Certificate], attempts: int) -> bool:
    """Whether to ask the writer (again): nothing that rewards is admitted yet and repairs are left."""
    rewarded = any(certificate.admitted and certificate.role != "guard" for certificate in certificates)
    return not rewarded and attempts < (bench.max_repairs if bench.writer.name != "none" else 1)
