"""Node `self_test`: the gate. Every candidate is probed on this task's own rows; nothing else admits a tool."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rlar.agent.metered import MeteredChat
from rlar.agent.workbench import Workbench, network_of
from rlar.config import BuildConfig
from rlar.errors import HostRefused, ToolError
from rlar.tools.base import Resources, load_tool
from rlar.tools.certify import certify, rejected_certificate
from rlar.tools.policy import load_policy
from rlar.tools.probes import LabelledPair
from rlar.types import Certificate, TaskSpec, ToolKind, ToolSpec


class Tested(NamedTuple):
    """What the gate said."""

    certificates: list[Certificate]
    """One for each candidate that could be tried."""
    notes: list[str]
    """Candidates that could not, and why: they are neither admitted nor rejected."""


def test_candidates(
    bench: Workbench,
    config: BuildConfig,
    task: TaskSpec,
    candidates: list[ToolSpec],
    emit: Callable[[dict[str, Any]], None],
) -> Tested:
    """Try the candidates in order; one that cannot even be loaded is rejected with that reason.

    A judge that could not be asked to the end (budget, network) gets no certificate: nothing was proven either way.
    """
    labelled = bench.labelled(config).get(task.fingerprint, ()) if candidates else ()
    found = Tested([], [])
    for spec in candidates:
        emit({"event": "testing", "fingerprint": task.fingerprint, "tool": spec.id})
        try:
            with _resources(bench, config, task, spec) as (resources, meter):
                certificate = _certificate(spec, task, config, resources, labelled)
        except HostRefused as error:
            found.notes.append(f"{spec.id} was not tried: {error}")
            continue
        if meter is not None and meter.trouble:
            found.notes.append(f"{spec.id} was not tried to the end: {meter.trouble}")
            continue
        found.certificates.append(certificate)
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
    return found


def _certificate(
    spec: ToolSpec, task: TaskSpec, config: BuildConfig, resources: Resources, labelled: tuple[LabelledPair, ...]
) -> Certificate:
    policy = load_policy(config.policy)
    try:
        tool = load_tool(spec, resources)
    except HostRefused:
        raise
    except ToolError as error:
        return rejected_certificate(spec, task, policy=policy, seed=config.seed, reason=str(error))
    return certify(
        tool, task, policy=policy, seed=config.seed, labelled=labelled, reload=lambda: load_tool(spec, resources)
    )


@contextlib.contextmanager
def _resources(
    bench: Workbench, config: BuildConfig, task: TaskSpec, spec: ToolSpec
) -> Iterator[tuple[Resources, MeteredChat | None]]:
    """What a candidate is loaded with; a judge asks through the build's budget."""
    llm = bench.llm(config) if spec.kind is ToolKind.JUDGE else None
    if llm is None:
        yield bench.resources(config), None
        return
    from rlar.tools.judge import share_chat

    meter = MeteredChat(llm, task.fingerprint)
    with Resources(network=network_of(config)) as resources:
        share_chat(resources, meter)
        yield resources, meter
