"""A graded tool must not rank worse than the plain metric that costs nothing: chrF++ with the reference.

Compared where both can be wrong: on ladders (texts from good to bad between the reference and another row's text) for
tools that read the reference, and on the user's labelled pairs that have one. On the pairs of the other checks the right
half is the reference itself, which a metric that compares with it cannot miss.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

from rlar.gate.checks import WORST_SHOWN, Measured, mean, pair_credit, row_interval, shown
from rlar.kinds.prose.overlap import plain_metric
from rlar.types import CheckResult, JsonObject, Sample

NOTHING = "nothing to compare with: no ladder of texts for these rows and this kind of tool, and too few labelled pairs"


def baseline(measured: Measured) -> CheckResult:
    """Pair accuracy of the tool on ladders and labels, against that of chrF++."""
    results = [
        _against_plain(measured, "ladders", _ladder_pairs(measured), least=1),
        _against_plain(measured, "labelled pairs", _labelled_pairs(measured), least=measured.policy.labelled_min_pairs),
    ]
    made = [result for result in results if result is not None]
    if not made:
        # What cannot be below anything is not held up by it.
        return CheckResult(name="baseline", passed=True, note=NOTHING)
    return min(made, key=lambda result: (bool(result.passed), (result.value or 0.0) - (result.threshold or 0.0)))


Pairs = list[tuple[int, int, int]]
"""Row, index of the better probe, index of the worse one."""


def _ladder_pairs(measured: Measured) -> Pairs:
    rows = measured.covered_rows()
    ladders: dict[tuple[int, str], list[int]] = defaultdict(list)
    for index in measured.probe_set.of("baseline"):
        probe = measured.probes[index]
        if probe.row in rows:
            ladders[probe.row, probe.anchor].append(index)
    return [(row, *pair) for (row, _), rungs in ladders.items() for pair in combinations(rungs, 2)]


def _labelled_pairs(measured: Measured) -> Pairs:
    """Each pair a row of its own."""
    better = [index for index in measured.probe_set.of("labelled") if measured.probes[index].kind == "better"]
    return [(row, index, index + 1) for row, index in enumerate(better) if measured.probes[index].sample.references]


def _against_plain(measured: Measured, where: str, pairs: Pairs, *, least: int) -> CheckResult | None:
    if len(pairs) < least:
        return None
    plain = {index: _plain(measured.probes[index].sample) for pair in pairs for index in pair[1:]}
    tool_credits: list[float] = []
    plain_credits: list[float] = []
    gains: dict[int, list[float]] = defaultdict(list)
    missed: list[tuple[float, int]] = []
    for row, good, bad in pairs:
        credit = pair_credit(measured.unscaled(good), measured.unscaled(bad))
        tool_credits.append(credit)
        plain_credits.append(pair_credit(plain[good], plain[bad]))
        gains[row].append(credit - plain_credits[-1])
        if gains[row][-1] < 0:
            missed.append((gains[row][-1], bad))
    accuracy, reached = mean(tool_credits), mean(plain_credits)
    bounds = row_interval(measured, gains)
    slack = measured.limits.baseline_slack
    passed = accuracy >= reached - slack or (bounds is not None and bounds[1] >= 0)
    note = f"{where}: pair accuracy {accuracy:.3f}, chrF++ {reached:.3f}"
    details: JsonObject = {
        "on": where,
        "chrf++": round(reached, 6),
        "difference": None if bounds is None else list(bounds),
        "worst": [shown(measured, index, "below the better text") for _, index in sorted(missed)[:WORST_SHOWN]],
    }
    return CheckResult(
        name="baseline",
        passed=passed,
        value=round(accuracy, 6),
        threshold=round(reached - slack, 6),
        probes=len(pairs),
        note=note,
        details=details,
    )


def _plain(sample: Sample) -> float:
    return plain_metric(sample.completion, sample.references)
