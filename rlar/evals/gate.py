"""`rlar eval gate`: does the gate reject what is wrong in one place, and nothing that is right?

Every library tool that claims a task is mutated; a mutant counts when it changes a verdict on completions that the gate
does not see: probes drawn from the same task with another seed and, where labelled sets are given, their completions.
Those that change a verdict on the labelled ones are counted by themselves, too: the gate's makers had no part in these.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlar.discover.discover import discover
from rlar.discover.row_router import RowRouter
from rlar.errors import DatasetError
from rlar.evals.hub_sets import load_sets, record_of
from rlar.evals.mutants import Mutant, make, rewritten, verdicts, wrapped
from rlar.evals.record import make_record
from rlar.evals.sets import Item
from rlar.gate import OtherProcess, certify
from rlar.gate.gate import run_class, tool_role
from rlar.gate.policy import GatePolicy, load_policy
from rlar.gate.probes import make_probes
from rlar.kinds import candidates, library_class
from rlar.kinds.bind import bind
from rlar.rows.read import RowStats, usable_rows
from rlar.tool import LibraryTool, Resources, RewardTool
from rlar.tools.library import library_spec
from rlar.types import Certificate, JsonObject, Sample, TaskSpec

MOST_WITNESSES = 240
GRADED_CHANGE = 0.05
"""A quality's score counts as another verdict from this difference on; a verifier's when it crosses one half."""


@dataclass(frozen=True)
class _Case:
    tool: LibraryTool
    task: TaskSpec
    witnesses: tuple[Sample, ...]
    """What tells a mutant from its original: labelled completions first."""
    labelled: int
    """How many of the witnesses are labelled completions."""
    seconds: float
    """What scoring all of them may take."""


def evaluate_gate(
    dataset: Sequence[str | Path] = (),
    *,
    registry: str | None = None,
    data: Sequence[str | Path] = (),
    tools: Sequence[str] = (),
    rewrites: int = 12,
    seed: int = 0,
    seconds: float = 0.0,
    command: Sequence[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> JsonObject:
    """Mutation testing of the gate on the tasks of a dataset or of a registry.

    Args:
        dataset: rows whose tasks are discovered on the spot; or `registry`, whose tasks are taken as they are.
        data: labelled sets; their completions are witnesses of the task that their row belongs to. Without a registry
            their rows are rows of the dataset, too.
        tools: library names to mutate; empty: every one that claims a task.
        rewrites: rewritten mutants per tool and task, beside the wrapped ones.
        seconds: stop starting new tools after so long; 0: never. What was left out is told.

    Raises:
        DatasetError: neither rows nor registry, or one that cannot be used.
    """
    started = time.monotonic()
    sets = [each for path in data for each in load_sets(path)]
    items = [item for each in sets for item in each.items]
    tasks, router = _tasks(dataset, registry, items, seed)
    witnesses = _witnesses(items, tasks, router)
    policy = load_policy()
    record = make_record("gate", command=command, seed=seed, registry=registry, data=[record_of(each) for each in sets])
    rows: list[JsonObject] = []
    mutants: list[JsonObject] = []
    left_out: list[str] = []
    with Resources() as resources:
        for task, name in _pairs(tasks, tools, witnesses):
            if seconds and time.monotonic() - started > seconds:
                left_out.append(f"{name} on {task.label}")
                continue
            case = _case(name, task, witnesses.get(task.fingerprint, []), resources, policy, seed)
            row, results = _one(case, resources, policy, rewrites=rewrites, seed=seed)
            rows.append(row)
            mutants += results
            by_labels = f" ({row['labelled_killed']} of {row['labelled_counted']} by labels)" if sets else ""
            tell(
                f"{name} on {task.label}: {row['killed']} of {row['counted']} killed{by_labels}, {row['seconds']:.0f} s"
            )
    counted = sum(row["counted"] for row in rows)
    killed = sum(row["killed"] for row in rows)
    verdict_counts = Counter(each["verdict"] for each in mutants)
    return {
        "record": record,
        "tools": rows,
        "counted": counted,
        "killed": killed,
        "share": round(killed / counted, 6) if counted else 0.0,
        "labelled": _by_labels(mutants) if sets else None,
        "equivalent": verdict_counts["no change"],
        "broken": verdict_counts["cannot be made"],
        "false_rejections": [f"{row['tool']} on {row['task']}: {row['why']}" for row in rows if not row["admitted"]],
        "killed_by": dict(Counter(check for each in mutants for check in each["checks"])),
        "left_out": left_out,
        "mutants": mutants,
        "seconds": round(time.monotonic() - started, 1),
    }


def _tasks(
    dataset: Sequence[str | Path], registry: str | None, items: Sequence[Item], seed: int
) -> tuple[list[TaskSpec], RowRouter | None]:
    """The tasks to try the gate on, and what says to which of them a row belongs."""
    if registry is None:
        if not dataset and not items:
            raise DatasetError(
                "no tasks to try the gate on; name --dataset rows.jsonl, --data or --registry registry.db"
            )
        rows = list(usable_rows(dataset, RowStats())) if dataset else []
        known = {row.key for row in rows}
        # Rows of two files may have one id; the row itself says which it is.
        more = {item.example.key: item.example for item in items if item.example.key not in known}
        discovery = discover([*rows, *(row.model_copy(update={"id": key}) for key, row in more.items())], seed=seed)
        return list(discovery.tasks), discovery.router
    from rlar.registry.registry import Registry

    with Registry.open(registry, readonly=True) as opened:
        tasks, arrays = opened.tasks(), opened.router_arrays()
    return tasks, RowRouter.from_arrays(arrays, tuple(tasks), source=opened.name) if arrays else None


def _witnesses(items: Sequence[Item], tasks: Sequence[TaskSpec], router: RowRouter | None) -> dict[str, list[Sample]]:
    """Labelled completions by the fingerprint of the task that their rows belong to, an item's one after the other."""
    contracts = {task.fingerprint: task.contract for task in tasks}
    witnesses: dict[str, list[Sample]] = {}
    assigned = router.assign([item.example for item in items]) if router is not None else []
    for item, assignment in zip(items, assigned, strict=False):
        fingerprint = assignment.fingerprint
        if fingerprint is None or fingerprint not in contracts:
            continue
        contract = contracts[fingerprint]
        binding = bind(item.example, contract)
        for text, label in zip(item.responses, item.labels, strict=True):
            if label is not None:
                witnesses.setdefault(fingerprint, []).append(Sample.of(item.example, text, binding))
    return witnesses


def _by_labels(mutants: Sequence[JsonObject]) -> JsonObject:
    """The count over mutants that change a verdict on labelled completions."""
    counted = [each for each in mutants if each["changed_labelled"]]
    survivors = [each for each in counted if each["verdict"] == "survived"]
    killed = len(counted) - len(survivors)
    return {
        "counted": len(counted),
        "killed": killed,
        "share": round(killed / len(counted), 6) if counted else None,
        "survivors": [f"{each['tool']}: {each['mutant']}, changes {each['changed_labelled']}" for each in survivors],
    }


def _pairs(
    tasks: Sequence[TaskSpec], tools: Sequence[str], witnesses: Mapping[str, Sequence[Sample]]
) -> list[tuple[TaskSpec, str]]:
    """Each tool on every task with labelled completions, else on the biggest of each kind that it claims.

    A second task of a kind shows the same checks again; labelled completions of it are other evidence.
    """
    pairs: dict[tuple[str, str], tuple[TaskSpec, str]] = {}
    for task in sorted(tasks, key=lambda each: (each.fingerprint not in witnesses, -each.rows, each.fingerprint)):
        kind = task.contract.answer_kind
        for name in candidates(kind):
            if (tools and name not in tools) or library_class(name).role == "guard":
                continue
            if task.fingerprint in witnesses or not any(
                (tool, other.contract.answer_kind) == (name, kind) for other, tool in pairs.values()
            ):
                pairs[name, task.fingerprint] = (task, name)
    return sorted(pairs.values(), key=lambda pair: (library_class(pair[1]).runs == "sandbox", pair[1]))


def _case(
    name: str, task: TaskSpec, labelled: Sequence[Sample], resources: Resources, policy: GatePolicy, seed: int
) -> _Case:
    spec = library_spec(name)
    tool = library_class(name)(spec, resources)
    budget = policy.budget(run_class(tool), task.contract.answer_kind)
    probes = make_probes(task, budget=budget, seed=seed + 1_000_003, role=tool_role(tool))
    samples = [probe.sample for probe in probes.probes if not probe.may_loop]
    most = 48 if tool.runs == "sandbox" else MOST_WITNESSES
    given = _spread(labelled, most)
    return _Case(tool, task, (*given, *_spread(samples, most)), len(given), 2 * budget.seconds)


def _spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of them, from the whole list."""
    if len(samples) <= most:
        return list(samples)
    return [samples[index * len(samples) // most] for index in range(most)]


def _one(
    case: _Case, resources: Resources, policy: GatePolicy, *, rewrites: int, seed: int
) -> tuple[JsonObject, list[JsonObject]]:
    started = time.monotonic()
    slow = case.tool.runs == "sandbox"
    unmutated = _certify(case, case.tool, resources, policy, seed)
    expected = verdicts(case.tool, case.witnesses, case.seconds)
    chosen = wrapped(case.tool) + rewritten(case.tool, resources, count=rewrites // 3 if slow else rewrites, seed=seed)
    results = [_try(case, mutant, expected, resources, policy, seed) for mutant in chosen]
    counted = [each for each in results if each["verdict"] in ("killed", "survived")]
    row: JsonObject = {
        "tool": case.tool.name,
        "task": case.task.label,
        "admitted": unmutated.admitted,
        "why": "; ".join(unmutated.reasons),
        "counted": len(counted),
        "killed": sum(each["verdict"] == "killed" for each in counted),
        "labelled_counted": sum(each["changed_labelled"] > 0 for each in counted),
        "labelled_killed": sum(each["changed_labelled"] > 0 and each["verdict"] == "killed" for each in counted),
        "survivors": [each["mutant"] for each in counted if each["verdict"] == "survived"],
        "witnesses": len(case.witnesses),
        "labelled": case.labelled,
        "seconds": round(time.monotonic() - started, 1),
    }
    return row, results


def _try(
    case: _Case,
    mutant: Mutant,
    expected: Sequence[tuple[str, float | None]],
    resources: Resources,
    policy: GatePolicy,
    seed: int,
) -> JsonObject:
    tool, problem = make(mutant)
    base: JsonObject = {"tool": case.tool.name, "task": case.task.label, "mutant": mutant.name, "operator": mutant.operator, "checks": [], "changed": 0, "changed_labelled": 0}  # fmt: skip
    if tool is None:
        return {**base, "verdict": "cannot be made", "why": problem}
    graded = case.tool.role == "quality"
    differs = [
        _differs(one, other, graded)
        for one, other in zip(expected, verdicts(tool, case.witnesses, case.seconds), strict=True)
    ]
    changed = sum(differs)
    if not changed:
        return {**base, "verdict": "no change", "why": ""}
    base |= {"changed": changed, "changed_labelled": sum(differs[: case.labelled])}
    certificate = _certify(case, tool, resources, policy, seed)
    if certificate.admitted:
        return {**base, "verdict": "survived", "why": f"changes {changed} of {len(expected)}"}
    checks = [check.name for check in certificate.checks if check.passed is False]
    return {**base, "verdict": "killed", "why": ", ".join(checks) or certificate.reasons[0], "checks": checks}  # fmt: skip


def _differs(one: tuple[str, float | None], other: tuple[str, float | None], graded: bool) -> bool:
    if one[1] is None or other[1] is None:
        return one[0] != other[0]
    return abs(one[1] - other[1]) >= GRADED_CHANGE if graded else (one[1] >= 0.5) != (other[1] >= 0.5)


def _certify(case: _Case, tool: RewardTool, resources: Resources, policy: GatePolicy, seed: int) -> Certificate:
    elsewhere = resources.shared("certify.elsewhere", OtherProcess)
    return certify(tool, case.task, policy=policy, seed=seed, reload=None, elsewhere=elsewhere)
