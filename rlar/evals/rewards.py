"""`rlar eval rewards`: how right are the routed rewards, beside everything they should beat and what bounds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rlar.config import read_sandbox_tier
from rlar.evals import systems
from rlar.evals.hub_sets import load_sets, record_of
from rlar.evals.measure import Measure, measure
from rlar.evals.metrics import Floats, interval
from rlar.evals.record import make_record
from rlar.evals.scoring import Measuring
from rlar.evals.sets import LabelledSet
from rlar.evals.systems import Raw, Scored
from rlar.tools.load import TOOL_KINDS
from rlar.types import Calibration, JsonObject

_KINDS = {row.ablation: frozenset({kind}) for kind, row in TOOL_KINDS.items() if row.ablation}
ABLATIONS = (*_KINDS, "gate", "calibration", "router")
"""What `--without` can take away: a kind of tool, admission, calibration, or routing (a random tool per prompt)."""


def evaluate_rewards(
    registry: str,
    paths: Sequence[str | Path],
    *,
    reference: str | None = None,
    without: Sequence[str] = ABLATIONS,
    limit: int = 0,
    seed: int = 0,
    sandbox_tier: str = "auto",
    command: Sequence[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> JsonObject:
    """Every system on every labelled set, with the record.

    Args:
        reference: column of the expected answer where it has an unusual name ("meta.ground_truth").
        without: the ablations to run; one that would change nothing (no tool of that kind) is left out and noted.
        limit: at most so many items of a set; 0: all.
        tell: gets one line per set.

    Raises:
        ConfigError: no such sandbox tier.
        DatasetError: a set cannot be used.
        RegistryError: the registry cannot be used.
    """
    read_sandbox_tier(sandbox_tier)  # before the sets are read, which takes a while
    sets = [each for path in paths for each in load_sets(path, reference=reference, limit=limit)]
    data = [record_of(each, limit=limit) for each in sets]
    record = make_record("rewards", command=command, seed=seed, registry=registry, data=data)
    results: list[JsonObject] = []
    draws: list[dict[str, Floats]] = []
    notes: list[str] = []
    with Measuring(registry, sandbox_tier=sandbox_tier) as bench, systems.Stopwatch() as watch:
        notes += bench.problems
        for each in sets:
            result, drawn = _one_set(bench, each, without=without, seed=seed, notes=notes)
            results.append(result)
            draws.append(drawn)
            mine = next(row for row in result["systems"] if row["system"] == "router")
            value = "-" if mine["value"] is None else f"{mine['value']:.3f}"
            tell(f"{each.name}: router {value}, coverage {mine['coverage']:.0%}, {result['seconds']:.1f} s")
    return {
        "record": record,
        "sets": results,
        "overall": _overall(results, draws),
        "notes": list(dict.fromkeys(notes)),
        "seconds": round(watch.seconds, 2),
    }


def _one_set(
    bench: Measuring, data: LabelledSet, *, without: Sequence[str], seed: int, notes: list[str]
) -> tuple[JsonObject, dict[str, Floats]]:
    """Every system on one set, and the bootstrap draws of each."""
    draws: dict[str, Floats] = {}
    with systems.Stopwatch() as watch:
        raw = bench.run(data)
        scored_systems = _systems(bench, data, raw, without=without, seed=seed, notes=notes)
        rows = []
        accuracies: dict[str, dict[str, float]] = {}
        for name, kind, scored in scored_systems:
            result = measure(data, scored.table, failed=scored.failed, seed=seed)
            draws[name] = result.draws
            if kind == "tool":
                accuracies[name] = result.subsets
            rows.append(_row(name, kind, scored, result, len(systems.flat(data.items))))
        oracle = systems.best_static_per_subset(data, accuracies, raw)
        bounds = {"oracle router (best tool per subset)": oracle}
        if (bound := systems.item_bound(data, raw, list(accuracies))) is not None:
            bounds["per-item bound"] = bound
        for name, scored in bounds.items():
            result = measure(data, scored.table, seed=seed)
            draws[name] = result.draws
            rows.append(_row(name, "bound", scored, result, 1))
        if bound is None:
            notes.append(f"{data.name}: no per-item bound, because a prompt alone makes no comparison")
    statuses: dict[str, int] = {}
    tasks: dict[str, int] = {}
    for reward in (reward for row in raw.rewards for reward in row):
        statuses[reward.status] = statuses.get(reward.status, 0) + 1
    for row in raw.rewards:
        task = bench.snapshot.tasks.get(row[0].fingerprint or "")
        label = task.label if task else "unknown"
        tasks[label] = tasks.get(label, 0) + 1
    found_here: JsonObject = {
        "set": data.name,
        "layout": data.layout,
        "items": len(data.items),
        "completions": sum(len(item.responses) for item in data.items),
        "rejected_rows": list(data.rejected),
        "statuses": statuses,
        "routed_to": dict(sorted(tasks.items(), key=lambda item: -item[1])),
        "systems": rows,
        "seconds": round(watch.seconds, 2),
    }
    return found_here, draws


def _systems(
    bench: Measuring, data: LabelledSet, raw: Raw, *, without: Sequence[str], seed: int, notes: list[str]
) -> list[tuple[str, str, Scored]]:
    tools = [tool for tool in bench.admitted if tool in raw.tools]
    calibrations: dict[str, Calibration] = {}
    for tool in tools:
        for fingerprint in sorted(bench.snapshot.certificates):
            certificate = bench.snapshot.certificates[fingerprint].get(tool)
            if certificate is not None and certificate.admitted:
                calibrations.setdefault(tool, certificate.calibration)
    measured: list[tuple[str, str, Scored]] = []
    baselines: dict[str, Callable[[], systems.Table]] = {
        "random": lambda: systems.random_scores(data, seed),
        "longest": lambda: systems.longest(data),
        "shortest": lambda: systems.shortest(data),
        "reference overlap (chrF)": lambda: systems.overlap(data),
    }
    for name, table in baselines.items():
        with systems.Stopwatch() as watch:
            scores = table()
        measured.append((name, "baseline", Scored(scores, seconds=watch.seconds)))
    measured += [(tool, "tool", systems.static(raw, tool)) for tool in tools]
    measured.append(("always-on ensemble", "baseline", systems.ensemble(raw, tools, calibrations)))
    measured.append(("router", "router", systems.router(raw)))
    kinds = {spec.kind for spec in bench.snapshot.tools.values()}
    for name in without:
        label = f"router without {name}"
        if name in _KINDS:
            if not kinds & _KINDS[name]:
                notes.append(f"without {name}: left out, the registry holds no such tool")
                continue
            measured.append((label, "ablation", systems.without_kinds(raw, bench.snapshot, _KINDS[name])))
        elif name == "gate":
            measured.append((label, "ablation", systems.without_gate(raw, bench.snapshot)))
        elif name == "calibration":
            measured.append((label, "ablation", systems.without_calibration(raw, bench.snapshot)))
        elif name == "router":
            measured.append(("random tool instead of the router", "ablation", systems.random_router(data, raw, tools, seed)))  # fmt: skip
    return measured


def _row(name: str, kind: str, scored: Scored, estimate: Measure, completions: int) -> JsonObject:
    return {
        "system": name,
        "kind": kind,
        "value": _rounded(estimate.value),
        "low": _rounded(estimate.low),
        "high": _rounded(estimate.high),
        "coverage": _rounded(estimate.coverage),
        "failed": _rounded(estimate.failed),
        "pairs": estimate.pairs,
        "seconds": round(scored.seconds, 3),
        "ms_per_completion": round(1000 * scored.seconds / max(1, completions), 3),
        "tokens": scored.tokens,
        "subsets": {subset: _rounded(value) for subset, value in estimate.subsets.items()},
        "extras": {extra: _rounded(value) for extra, value in estimate.extras.items()},
        "note": scored.note,
    }


def _overall(results: Sequence[JsonObject], draws: Sequence[dict[str, Floats]]) -> list[JsonObject]:
    """The macro average over sets of every system that was measured on all of them.

    Its interval is over the items of the sets, each set resampled by itself; the sets are these and no sample.
    """
    names: dict[str, str] = {row["system"]: row["kind"] for result in results for row in result["systems"]}
    rows: list[JsonObject] = []
    for name, kind in names.items():
        mine = [row for result in results for row in result["systems"] if row["system"] == name]
        mine = [row for row in mine if row["value"] is not None]
        if len(mine) == len(results):
            given = [each[name] for each in draws]
            size = max(len(each) for each in given)
            low, high = interval(np.mean(np.stack([np.resize(each, size) for each in given]), axis=0))
            rows.append(
                {
                    "system": name,
                    "kind": kind,
                    "value": _rounded(math.fsum(row["value"] for row in mine) / len(mine)),
                    "low": _rounded(low),
                    "high": _rounded(high),
                    "coverage": _rounded(math.fsum(row["coverage"] for row in mine) / len(mine)),
                    "failed": _rounded(math.fsum(row["failed"] for row in mine) / len(mine)),
                    "seconds": round(sum(row["seconds"] for row in mine), 2),
                    "tokens": sum(row["tokens"] for row in mine),
                }
            )
    return rows


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
