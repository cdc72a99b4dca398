"""`rlar tools test`: run the admission probes of stored tools again and compare with what is stored."""

from __future__ import annotations

from collections.abc import Sequence

from rlar.errors import HostRefused
from rlar.gate import certify_spec, compare_certificates
from rlar.gate.labelled import stored_pairs
from rlar.gate.policy import load_policy
from rlar.registry.records import tool_ids
from rlar.registry.registry import Registry
from rlar.report.table import Listing, find_tool, latest_certificates
from rlar.tool import Resources
from rlar.tools.outdated import renewed
from rlar.types import Certificate, LabelledPair, ToolSpec


def retest(address: str, tool: str | None = None, *, store: bool = False, labelled: str | None = None) -> Listing:
    """Certify one tool (or every served one) again on each of its tasks, with the stored seed.

    Args:
        tool: id or its beginning; None: every tool that a recipe uses, and those whose code has changed since.
        store: write the new certificates; the latest decides what is served.
        labelled: file of the labelled pairs that certificates rest on; without it those are not tested again.

    Raises:
        RegistryError: no such tool, or the registry cannot be used.
    """
    with Registry.open(address, readonly=not store) as registry:
        old = latest_certificates(registry)
        if tool is not None:
            wanted = find_tool(registry, tool).id
            old = [item for item in old if item.tool_id == wanted]
        else:
            wanted_pairs = {(used, recipe.fingerprint) for recipe in registry.recipes() for used in tool_ids(recipe)}
            # Admitted ones beside the recipes (guards of tasks without a reward) would be lost with their old code.
            tested = {(item.tool_id, item.fingerprint) for item in old}
            now = {spec.id: renewed(spec).id for spec in registry.tools()}
            wanted_pairs |= {
                (item.tool_id, item.fingerprint)
                for item in old
                if item.admitted and (now[item.tool_id], item.fingerprint) not in tested
            }
            old = [item for item in old if (item.tool_id, item.fingerprint) in wanted_pairs]
        data, rows, changed, outdated = [], [], False, 0
        pairs = stored_pairs(registry, labelled) if labelled is not None else {}
        with Resources() as resources:
            for before in old:
                if before.environment.get("labelled") and labelled is None:
                    why = "not tested: it rests on labelled pairs; give them with --labelled"
                    rows.append((before.tool_id, before.fingerprint, "-", why))
                    continue
                spec = registry.tool(before.tool_id)
                assert spec is not None, before.tool_id
                current = renewed(spec)
                try:
                    after = certify_again(registry, before, current, resources, pairs.get(before.fingerprint, ()))
                except HostRefused as error:
                    rows.append((before.tool_id, before.fingerprint, "-", f"not tested: {error}"))
                    continue
                outdated += current != spec
                differences = compare_certificates(before, after)
                changed = changed or before.admitted != after.admitted
                if store and current == spec:
                    registry.put_certificate(after)
                elif store:
                    _replace(registry, spec, current, after)
                verdict = "admitted" if after.admitted else "rejected"
                if before.admitted != after.admitted:
                    verdict = f"{'admitted' if before.admitted else 'rejected'} -> {verdict}"
                rows.append((before.tool_id, before.fingerprint, verdict, "; ".join(differences) or "same"))
                data.append(
                    {
                        "tool": before.tool_id,
                        "fingerprint": before.fingerprint,
                        "was_admitted": before.admitted,
                        "admitted": after.admitted,
                        "differences": differences,
                        "reasons": list(after.reasons),
                    }
                )
    foot = f"{len(data)} tested, " + ("verdicts changed" if changed else "no verdict changed")
    if outdated:
        foot += f"; {outdated} had been certified with other code" + (
            "" if store else ": --store keeps the new verdicts"
        )
    if not rows:
        foot = "nothing to test: no tool is served; name one (`rlar tools list`)"
    return Listing(data, ("tool", "task", "verdict", "differences"), rows, footing=[foot], changed=changed)


def _replace(registry: Registry, old: ToolSpec, new: ToolSpec, certificate: Certificate) -> None:
    """Store a tool with other code and its certificate; the task's recipe uses it where it used the old one."""
    task, recipe = registry.task(certificate.fingerprint), registry.recipe(certificate.fingerprint)
    assert task is not None, certificate.fingerprint
    if recipe is not None:
        names = {old.id: new.id}
        calibrations = {names.get(tool, tool): calibration for tool, calibration in recipe.calibrations.items()}
        if old.id in recipe.calibrations:
            calibrations[new.id] = certificate.calibration
        row_shares = {tool: shares for tool, shares in recipe.row_shares.items() if tool != old.id}
        if certificate.row_shares.read < 1.0 and new.id in calibrations:
            row_shares[new.id] = certificate.row_shares
        recipe = recipe.model_copy(
            update={
                "gates": tuple(names.get(tool, tool) for tool in recipe.gates),
                "qualities": tuple((names.get(tool, tool), weight) for tool, weight in recipe.qualities),
                "calibrations": calibrations,
                "row_shares": row_shares,
            }
        )
    registry.put_outcome(task, tools=[new], certificates=[certificate], recipe=recipe)


def certify_again(
    registry: Registry,
    before: Certificate,
    spec: ToolSpec,
    resources: Resources,
    labelled: Sequence[LabelledPair] = (),
) -> Certificate:
    """A fresh certificate under the same task, seed and shipped policy; a tool that no longer loads is rejected.

    Raises HostRefused where it talks to a host that the user has not allowed: nothing is known about it then.
    """
    task = registry.task(before.fingerprint)
    assert task is not None, before.fingerprint
    labelled = labelled if before.environment.get("labelled") else ()
    return certify_spec(spec, task, resources, policy=load_policy(), seed=before.seed, labelled=labelled)
