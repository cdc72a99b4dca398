"""Probes and scores in, rows of the admission table out. Pure: runs nothing, knows no tool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rlar.gate.policy import GatePolicy, Limits
from rlar.gate.probe import Probe, ProbeSet
from rlar.gate.stats import interval
from rlar.types import CheckResult, JsonObject, Score

WORST_SHOWN = 5
TIED = 0.4
"""In a duel with the right answer a kind of wrong one that ties (0.5) has got through, whatever the other kinds do."""


@dataclass(frozen=True)
class Measured:
    """The probes of one task with the scores that a tool gave, on a scale of [0, 1]."""

    probe_set: ProbeSet
    scores: Sequence[Score]
    scale: Callable[[float], float]
    policy: GatePolicy
    limits: Limits
    seed: int
    graded: bool
    """Whether the order among wrong answers counts, too (quality tools)."""
    silence_is_high: bool = False
    """Whether abstaining says "no objection" (guards)."""
    duels: bool = False
    """Whether each score is the outcome of a duel with the row's right answer (of that one: with a wrong answer)."""
    offsets: Mapping[int, float] = field(default_factory=dict)
    """What is taken off a row's scores before they are scaled (scores without a known range)."""
    left_out: frozenset[str] = frozenset()
    """Keys of rows that are set aside as misread."""

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes that the scores belong to, in order."""
        return self.probe_set.probes

    def value(self, index: int) -> float | None:
        """The scaled score of a probe; None where the tool gave no number."""
        score = self.scores[index]
        if score.value is None:
            return 1.0 if self.silence_is_high and score.status == "abstain" else None
        return self.scale(score.value - self.offsets.get(self.probes[index].row, 0.0))

    def unscaled(self, index: int) -> float | None:
        """The score as the tool gave it: for comparisons within a row, where a scale's ends would make ties."""
        score = self.scores[index]
        return self.value(index) if score.value is None else score.value

    def anchors(self) -> dict[tuple[int, str], int]:
        """Index of each row's right and wrong answers by kind: what other probes are compared with."""
        indices: dict[tuple[int, str], int] = {}
        for index, probe in enumerate(self.probes):
            if probe.check in {"oracle", "discrimination"}:
                indices.setdefault((probe.row, probe.kind), index)
        return indices

    def covered_rows(self) -> set[int]:
        """Rows whose first right answer the tool put a number on."""
        return {
            probe.row
            for index, probe in enumerate(self.probes)
            if is_first_right(probe) and self.value(index) is not None and not self.is_left_out(probe)
        }

    def is_left_out(self, probe: Probe) -> bool:
        """Whether the probe is of a row that is set aside as misread."""
        keys = self.probe_set.keys
        return 0 <= probe.row < len(keys) and keys[probe.row] in self.left_out

    def scored_rows(self) -> set[int]:
        """Rows that have an anchor at all."""
        return {probe.row for probe in self.probes if is_first_right(probe)}


def is_first_right(probe: Probe) -> bool:
    """Whether this is its row's anchor."""
    return probe.check == "oracle" and probe.kind == probe.anchor


def mean(values: Sequence[float]) -> float:
    """The mean; 0 for nothing."""
    return sum(values) / len(values) if values else 0.0


def row_count(measured: Measured) -> CheckResult:
    """Whether enough rows gave evidence."""
    tried, covered = len(measured.scored_rows()), len(measured.covered_rows())
    needed = measured.policy.min_rows
    note = ""
    if tried < needed:
        note = f"too few rows to prove anything: {tried} usable, {needed} needed"
    elif covered < needed:
        note = f"only {covered} of {tried} rows got a score for their right answer, {needed} needed"
    return CheckResult(name="rows", passed=covered >= needed, value=covered, threshold=needed, probes=tried, note=note)


def oracle(measured: Measured) -> CheckResult:
    """The reference, dressed as a model would write it, scores near the top."""
    result = _level(measured, "oracle", at_least=measured.limits.oracle_min, kind_bound=measured.limits.oracle_kind_min)
    rows = measured.covered_rows()
    own = len(rows - measured.probe_set.independent)
    if not own or measured.silence_is_high:
        return result
    # A misreading of the row is in such an answer, too, and cannot show.
    note = f"the right answers of {own} of {len(rows)} rows were made by the reading on trial, without a reference"
    return result.model_copy(
        update={
            "note": f"{result.note}; {note}" if result.note else note,
            "details": {**result.details, "independent_rows": len(rows) - own, "rows": len(rows)},
        }
    )


def floor(measured: Measured) -> CheckResult:
    """Empty, refusing, echoing and foreign completions score near the bottom."""
    return _level(measured, "floor", at_most=measured.limits.floor_max, kind_bound=measured.limits.floor_kind_max)


def hack_panel(measured: Measured) -> CheckResult:
    """No attempt to win without solving wins."""
    return _level(measured, "hack_panel", at_most=measured.limits.hack_max, kind_bound=measured.limits.hack_kind_max)


def guard_floor(measured: Measured) -> CheckResult:
    """At least one kind of broken text is caught on nearly every row."""
    by_kind: dict[str, list[float]] = defaultdict(list)
    for index in measured.probe_set.of("floor"):
        if (value := measured.value(index)) is not None:
            by_kind[measured.probes[index].kind].append(value)
    means = {kind: mean(values) for kind, values in by_kind.items() if values}
    caught = sorted(kind for kind, value in means.items() if value <= measured.limits.floor_kind_max)
    if not means:
        return CheckResult(name="floor", passed=None, note="no broken text could be tried")
    lowest = min(means.values())
    note = (
        f"catches {', '.join(caught)}" if caught else f"catches nothing; nearest: {min(means, key=means.__getitem__)}"
    )
    details: JsonObject = {"kinds": _kind_table(by_kind)}
    return CheckResult(
        name="floor",
        passed=bool(caught),
        value=round(lowest, 6),
        threshold=measured.limits.floor_kind_max,
        probes=sum(map(len, by_kind.values())),
        note=note,
        details=details,
    )


def _level(
    measured: Measured, check: str, *, at_least: float | None = None, at_most: float | None = None, kind_bound: float
) -> CheckResult:
    rows = measured.covered_rows()
    by_row: dict[int, list[float]] = defaultdict(list)
    by_kind: dict[str, list[float]] = defaultdict(list)
    missed: list[tuple[float, int, float]] = []
    for index, probe in enumerate(measured.probes):
        if probe.check != check or probe.row not in rows:
            continue
        value = measured.value(index)
        if value is None:
            # What gets no number cannot win; a right answer that gets none is not recognised.
            if at_least is None:
                continue
            value = 0.0
        by_row[probe.row].append(value)
        by_kind[probe.kind].append(value)
        missed.append((value if at_least is not None else -value, index, value))
    values = [value for held in by_row.values() for value in held]
    if not values:
        return CheckResult(name=check, passed=None, note="no probe of this check could be made, or none was scored")
    overall = mean(values)
    enough = {kind: mean(held) for kind, held in by_kind.items() if len(held) >= measured.policy.min_kind_probes}
    if at_least is not None:
        bound, bad = at_least, sorted(kind for kind, value in enough.items() if value < kind_bound)
        passed = overall >= at_least and not bad
        expected, wrong = "high", [entry for entry in missed if entry[2] < at_least]
    else:
        bound = at_most if at_most is not None else 1.0
        # A kind that wins more often than not is a way in, even where it was tried only twice.
        winning = TIED if measured.duels else 0.5
        enough.update({kind: mean(held) for kind, held in by_kind.items() if len(held) >= 2 and mean(held) > winning})
        kind_bound = min(kind_bound, TIED) if measured.duels else kind_bound
        bad = sorted(kind for kind, value in enough.items() if value > kind_bound)
        passed = overall <= bound and not bad
        expected, wrong = "low", [entry for entry in missed if entry[2] > bound]
    note = (
        f"{expected} expected, not so for: {', '.join(f'{kind} ({enough[kind]:.2f})' for kind in bad)}" if bad else ""
    )
    details: JsonObject = {
        "kinds": _kind_table(by_kind),
        "worst": [shown(measured, index, expected) for _, index, _ in sorted(wrong)[:WORST_SHOWN]],
    }
    return CheckResult(
        name=check,
        passed=passed,
        value=round(overall, 6),
        threshold=bound,
        interval=row_interval(measured, by_row),
        probes=len(values),
        note=note,
        details=details,
    )


def margin(measured: Measured) -> CheckResult:
    """Oracle minus floor, row by row; the lower end of its interval counts."""
    rows = measured.covered_rows()
    high: dict[int, list[float]] = defaultdict(list)
    low: dict[int, list[float]] = defaultdict(list)
    for index, probe in enumerate(measured.probes):
        value = measured.value(index)
        if probe.row in rows and value is not None and probe.check in {"oracle", "floor"}:
            (high if probe.check == "oracle" else low)[probe.row].append(value)
    margins = {row: [mean(high[row]) - mean(low[row])] for row in sorted(high) if low.get(row)}
    bounds = row_interval(measured, margins)
    if bounds is None:
        return CheckResult(name="margin", passed=None, note="no row has both a scored right answer and a scored floor")
    threshold = measured.limits.margin_min
    return CheckResult(
        name="margin",
        passed=bounds[0] >= threshold,
        value=round(mean([each[0] for each in margins.values()]), 6),
        threshold=threshold,
        interval=bounds,
        probes=len(margins),
        note="" if bounds[0] >= threshold else "the lower end of the interval is below the threshold",
    )


def discrimination(measured: Measured) -> CheckResult:
    """Pair accuracy: the right answer above its corruption (1), equal (one half), below (0); no number counts one half."""
    rows, anchors = measured.covered_rows(), measured.anchors()
    firsts = {probe.row: probe.anchor for probe in measured.probes if is_first_right(probe)}
    by_row: dict[int, list[float]] = defaultdict(list)
    by_kind: dict[str, list[float]] = defaultdict(list)
    missed: list[tuple[float, int]] = []
    for index, probe in enumerate(measured.probes):
        if probe.check != "discrimination" or probe.row not in rows:
            continue
        compared = [firsts[probe.row]]
        if measured.graded and probe.anchor != compared[0]:
            compared.append(probe.anchor)
        for kind in compared:
            anchor = anchors.get((probe.row, kind))
            if anchor is None:
                continue
            credit = _credit(measured, anchor, index)
            by_row[probe.row].append(credit)
            by_kind[probe.kind if kind == compared[0] else f"{probe.kind}<{kind}"].append(credit)
            if credit < 1:
                missed.append((credit, index))
    values = [value for held in by_row.values() for value in held]
    if not values:
        return CheckResult(name="discrimination", passed=None, note="no wrong answer could be made from these rows")
    limits = measured.limits
    enough = {kind: mean(held) for kind, held in by_kind.items() if len(held) >= measured.policy.min_kind_probes}
    # Never once told apart is blindness, even where it was tried only twice.
    enough.update({kind: mean(held) for kind, held in by_kind.items() if len(held) >= 2 and max(held) <= 0.5})
    bad = sorted(
        kind
        for kind, value in enough.items()
        if value < (limits.half_right_min if kind.endswith("<half_right") else limits.discrimination_kind_min)
    )
    overall = mean(values)
    note = f"does not tell apart: {', '.join(f'{kind} ({enough[kind]:.2f})' for kind in bad)}" if bad else ""
    details: JsonObject = {
        "kinds": _kind_table(by_kind),
        "worst": [shown(measured, index, "below the right answer") for _, index in sorted(missed)[:WORST_SHOWN]],
    }
    return CheckResult(
        name="discrimination",
        passed=overall >= limits.discrimination_min and not bad,
        value=round(overall, 6),
        threshold=limits.discrimination_min,
        interval=row_interval(measured, by_row),
        probes=len(values),
        note=note,
        details=details,
    )


def _credit(measured: Measured, anchor: int, index: int) -> float:
    """Of a wrong answer; in a duel its own outcome says it all, the anchor's score is of another duel."""
    value = measured.value(index)
    if measured.duels:
        return 0.5 if value is None else pair_credit(0.5, value)
    return pair_credit(measured.unscaled(anchor), measured.unscaled(index))


def pair_credit(better: float | None, worse: float | None) -> float:
    """1 when the better one scores higher, one half on a tie or a missing score, else 0."""
    if better is None or worse is None or abs(better - worse) < 1e-9:
        return 0.5
    return 1.0 if better > worse else 0.0


def invariance(measured: Measured) -> CheckResult:
    """Share of re-dressed right answers that keep the anchor's score within the tolerance."""
    rows, anchors = measured.covered_rows(), measured.anchors()
    by_row: dict[int, list[float]] = defaultdict(list)
    by_kind: dict[str, list[float]] = defaultdict(list)
    moved: list[int] = []
    limits = measured.limits
    for index, probe in enumerate(measured.probes):
        if probe.check != "invariance" or probe.row not in rows:
            continue
        anchor = 0.5 if measured.duels else measured.value(anchors[(probe.row, probe.anchor)])
        value = measured.value(index)
        kept = anchor is not None and value is not None and abs(anchor - value) <= limits.invariance_tolerance + 1e-9
        by_row[probe.row].append(float(kept))
        by_kind[probe.kind].append(float(kept))
        if not kept:
            moved.append(index)
    values = [value for held in by_row.values() for value in held]
    if not values:
        return CheckResult(name="invariance", passed=None, note="no other dressing of these answers is known")
    enough = {kind: mean(held) for kind, held in by_kind.items() if len(held) >= measured.policy.min_kind_probes}
    bad = sorted(kind for kind, value in enough.items() if value < limits.invariance_kind_min)
    details: JsonObject = {
        "kinds": _kind_table(by_kind),
        "worst": [shown(measured, index, "the score of the plain answer") for index in moved[:WORST_SHOWN]],
    }
    return CheckResult(
        name="invariance",
        passed=mean(values) >= limits.invariance_min and not bad,
        value=round(mean(values), 6),
        threshold=limits.invariance_min,
        interval=row_interval(measured, by_row),
        probes=len(values),
        note=f"moved by: {', '.join(f'{kind} ({enough[kind]:.2f} kept)' for kind in bad)}" if bad else "",
        details=details,
    )


def coverage(measured: Measured) -> CheckResult:
    """Share of rows, and of wrong completions on covered rows, that the tool abstains on.

    Rows that the tool abstains on by their own reading are set aside, and so are rows that no right answer could be made
    for; the certificate is about the rest, and says which share of the rows looked at was set aside.
    """
    rows, covered = measured.scored_rows(), measured.covered_rows()
    if not rows:
        return CheckResult(name="coverage", passed=None, note="no row could be tried")

    def abstained(index: int) -> bool:
        return measured.scores[index].status == "abstain" and measured.value(index) is None

    firsts = [index for index, probe in enumerate(measured.probes) if is_first_right(probe)]
    abstained_rows = {
        measured.probes[index].row
        for index in firsts
        if abstained(index) or measured.is_left_out(measured.probes[index])
    }
    wrong = [
        index
        for index, probe in enumerate(measured.probes)
        if probe.row in covered and probe.check in {"floor", "discrimination", "hack_panel"} and not probe.may_abstain
    ]
    on_wrong = mean([float(abstained(index)) for index in wrong])
    misread = sum(measured.is_left_out(measured.probes[index]) and not abstained(index) for index in firsts)
    share = len(abstained_rows) / len(rows)
    limit, limit_on_wrong = measured.policy.max_abstain_share, measured.policy.max_wrong_abstain_share
    looked_at = max(measured.probe_set.looked_at, len(rows))
    set_aside = looked_at - len(rows) + len(abstained_rows)
    note = f"{set_aside} of {looked_at} rows looked at are set aside" if set_aside else ""
    if abstained_rows:
        why = next((measured.scores[index].explanation[:160] for index in firsts if abstained(index)), "misread")
        note += f"; abstains on {share:.0%} of those tried, e.g.: {why}"
    if on_wrong > limit_on_wrong:
        note = f"abstains on {on_wrong:.0%} of wrong completions instead of scoring them 0"
    return CheckResult(
        name="coverage",
        passed=share <= limit and on_wrong <= limit_on_wrong,
        value=round(share, 6),
        threshold=limit,
        probes=len(rows),
        note=note,
        details={
            "abstained_rows": len(abstained_rows),
            "rows": len(rows),
            "rows_looked_at": looked_at,
            "set_aside_share": round(set_aside / looked_at, 6),
            "unread_share": round((set_aside - misread) / looked_at, 6),
            "abstain_share_on_wrong": round(on_wrong, 6),
        },
    )


def labelled(measured: Measured) -> CheckResult | None:
    """Pair accuracy on the user's labelled pairs; None where none were given."""
    indices = measured.probe_set.of("labelled")
    if not indices:
        return None
    better = [index for index in indices if measured.probes[index].kind == "better"]
    credits = {
        number: [pair_credit(measured.unscaled(index), measured.unscaled(index + 1))]
        for number, index in enumerate(better)
    }
    accuracy = mean([each[0] for each in credits.values()])
    bounds = row_interval(measured, credits)
    needed, threshold = measured.policy.labelled_min_pairs, measured.limits.labelled_min
    if len(better) < needed:
        note = f"too few labelled pairs: {len(better)}, {needed} needed"
        return CheckResult(
            name="labelled", passed=None, value=round(accuracy, 6), interval=bounds, probes=len(better), note=note
        )
    scored = mean([float(measured.scores[i].status == "ok" and measured.scores[i + 1].status == "ok") for i in better])
    return CheckResult(
        name="labelled",
        passed=accuracy >= threshold and bounds is not None and bounds[0] > 0.5,
        value=round(accuracy, 6),
        threshold=threshold,
        interval=bounds,
        probes=len(better),
        details={"scored_share": round(scored, 6)},
    )


def _kind_table(by_kind: Mapping[str, Sequence[float]]) -> JsonObject:
    return {kind: {"mean": round(mean(held), 4), "probes": len(held)} for kind, held in sorted(by_kind.items())}


def shown(measured: Measured, index: int, expected: str) -> JsonObject:
    """One failure for a person or a writer to learn from; long completions are cut."""
    probe, score = measured.probes[index], measured.scores[index]
    completion = probe.sample.completion
    return {
        "kind": probe.kind,
        "example": probe.example_id,
        "expected": expected,
        "got": score.value,
        "status": score.status,
        "why": (score.error or score.explanation)[:200],
        "completion": completion if len(completion) <= 200 else f"{completion[:120]} ... {completion[-60:]}",
        "reference": (probe.sample.reference or "")[:120],
    }


def row_interval(measured: Measured, by_row: Mapping[int, Sequence[float]]) -> tuple[float, float] | None:
    """95% interval of the mean over all values, rows drawn."""
    return interval(by_row, resamples=measured.policy.bootstrap, seed=measured.seed)
