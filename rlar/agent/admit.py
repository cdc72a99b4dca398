"""Node `self_test`: the gate. Every candidate is probed on this task's own rows; nothing else admits a tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlar.agent.workbench import Workbench
from rlar.config import BuildConfig
from rlar.errors import ToolError
from rlar.tools.base import load_tool
from rlar.tools.certify import certify, rejected_certificate
from rlar.tools.policy import load_policy
from rlar.types import Certificate, TaskSpec, ToolSpec


def test_candidates(
    bench: Workbench,
    config: BuildConfig,
    task: TaskSpec,
    candidates: list[ToolSpec],
    emit: Callable[[dict[str, Any]], None],
) -> list[Certificate]:
    """One certificate per candidate, in order; a candidate that cannot even be loaded is rejected with that reason."""
    policy = load_policy(config.policy)
    resources = bench.resources(config)
    labelled = bench.labelled(config).get(task.fingerprint, ()) if candidates else ()
    certificates = []
    for spec in candidates:
        emit({"event": "testing", "fingerprint": task.fingerprint, "tool": spec.id})
        try:
            tool = load_tool(spec, resources)
        except ToolError as error:
            certificate = rejected_certificate(spec, task, policy=policy, seed=config.seed, reason=str(error))
        else:
            certificate = certify(
                tool,
                task,
                policy=policy,
                seed=config.seed,
                labelled=labelled,
                reload=lambda spec=spec: load_tool(spec, resources),  # type: ignore[misc]
            )
        certificates.append(certificate)
        emit(
            {
                "event": "tested",
                "fingerprint": task.fingerprint,
                "tool": spec.id,
                "admitted": certificate.admitted,
                "reasons": list(certificate.reasons),
                "discrimination": certificate.discrimination,
                "cost_ms_p50": certificate.cost_ms_p50,
            }
        )
    return certificates
