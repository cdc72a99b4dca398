"""Rewards that drift: what the tools do in training, compared with what their certificates saw at admission.

A policy that simply gets better moves rewards too, so no level of a reward is an alarm here. These are, each for a
window of steps and only beyond what chance explains (docs/trainer.md says why these and no others):

failing: the share of a tool's calls that failed or ran out of time is above that at admission.
abstaining: the share it abstained on is above that at admission and above that at the start of the run.
audit: the reward went up, and the audit tool did not go along.
beyond_references: a tool rates the policy above the right answers of admission, and completions grew long.

Everything is computed from rows of the log, so a resumed run finds what an unbroken one finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

from rlar.registry.registry import Registry
from rlar.scoring.combine import calibrate
from rlar.types import Certificate, Frozen

Kind = Literal["failing", "abstaining", "audit", "beyond_references"]
Row = Mapping[str, Any]

CERTAIN = 3.0
"""Standard errors that a share or a mean must be away; several tools are looked at, window after window."""
LEAST = 0.05
"""Smaller changes are not told, however certain."""
LEAST_GROUPS = 8
"""Fewer prompts in a window say nothing."""
LEAST_WAY = 0.3
"""Of the way to the right answers that a reward must have gone before the audit is expected to have followed."""
FOLLOWED = 0.5
"""An audit that gained less than this share of what it should have has not followed."""
LEAST_GAIN = 0.15
"""Where the audit should have gained less than this, it is not judged."""
DOUBT = 1.6
"""Standard errors in favour of the audit."""
LONGER = 1.5
"""Completions this many times as long as at the start of the run have grown long."""


class Admitted(Frozen):
    """What a certificate saw of a tool on a task."""

    failed: float = 0.0
    """Share of the probes on which it failed or ran out of time."""
    abstained: float = 0.0
    """Share of the rows, or of wrong completions, on which it abstained: the larger one."""
    right: float | None = None
    """Mean calibrated score of right answers."""


class Drift(Frozen):
    """One thing that is not as it was at admission."""

    task: str
    tool: str
    kind: Kind
    before: float
    """At admission (failing, abstaining, beyond_references), or of the audit at the start of the run."""
    now: float
    text: str
    """In words, with the numbers."""


@dataclass(frozen=True)
class Window:
    """Sums over some steps of one task."""

    groups: float
    length: float
    """Mean, in tokens."""
    calls: Mapping[str, Mapping[str, int]]
    """Per tool, how often each status came."""
    scores: Mapping[str, float]
    """Per tool, the mean of its calibrated scores."""
    audit_tool: str | None
    audit: float
    audited_reward: float
    audited: int
    """Completions that reward and audit could both score; the two means above are theirs."""
    group_size: int

    def share(self, tool: str, *statuses: str) -> float:
        """Of the tool's calls, those with one of these statuses."""
        counts = self.calls.get(tool, {})
        return sum(counts.get(status, 0) for status in statuses) / max(1, sum(counts.values()))

    def independent(self, completions: float) -> float:
        """Completions of one prompt resemble each other: a group counts as one observation."""
        return completions / self.group_size


class DriftWatch:
    """Looks at every window of a run's steps; knows from the log what an earlier part of the run found."""

    def __init__(self, registry: str, labels: Mapping[str, str], *, every: int, group_size: int) -> None:
        """
        Args:
            labels: of the fingerprints, as in the log.
            every: steps in a window.
        """
        self.registry = registry
        self.every = every
        self.group_size = group_size
        self.to_hand: dict[str, str] = {}
        """Tools that drifted and were not handed to the agent under these recipes, with what was found."""
        self._handed: set[str] = set()
        self._start: list[Row] = []
        self._now: list[Row] = []
        self.renew(labels)

    def renew(self, labels: Mapping[str, str]) -> None:
        """Read the certificates (again)."""
        with Registry.open(self.registry, readonly=True) as registry:
            certificates = registry.latest_certificates()
        self._admitted = {
            (labels[each.fingerprint], each.tool_id): admitted_by(each)
            for each in certificates
            if each.admitted and each.fingerprint in labels
        }

    def replay(self, rows: Iterable[Row]) -> None:
        """Take over the log of the part of the run that is done."""
        for row in rows:
            if "loss" in row:
                self._add(row)
                self._close(row["step"] + 1)
            self._remember(row)

    def check(self, row: Row) -> dict[str, Any]:
        """The log's row of what is found once a window is full; empty before, and where nothing is found."""
        self._add(row)
        done = row["step"] + 1
        window = self._close(done)
        if not window:
            return {}
        drifts = find_drift(self._start, window, self._admitted, group_size=self.group_size)
        record = {"step": done, "drift": [each.model_dump(mode="json") for each in drifts]} if drifts else {}
        self._remember(record)
        return record

    def _add(self, row: Row) -> None:
        self._now.append({name: row[name] for name in ("tasks", "audit") if name in row})

    def _close(self, done: int) -> list[Row]:
        """The window that is full after so many steps, else nothing."""
        if done % self.every:
            return []
        window, self._now = self._now, []
        self._start = self._start or window
        return window

    def _remember(self, row: Row) -> None:
        for each in row.get("drift") or ():
            if each["tool"] not in self._handed:
                self.to_hand[each["tool"]] = f"{each['task']}: {each['text']}"
        evolution = row.get("evolved")
        if evolution:
            for tool in evolution.get("drifted") or ():
                self.to_hand.pop(tool, None)
                self._handed.add(tool)
            if evolution.get("new_recipes"):  # other rewards: what was before is nothing to compare with
                self._start, self._now, self._handed = [], [], set()

    evolved = _remember
    """Take note of the log's row of a hand-over."""


def admitted_by(certificate: Certificate) -> Admitted:
    """What training is compared with."""
    checks = {check.name: check for check in certificate.checks}
    sanity, coverage, oracle = checks.get("sanity"), checks.get("coverage"), checks.get("oracle")
    failed = abstained = 0.0
    if sanity is not None and sanity.probes:
        failed = (int(sanity.details.get("failed") or 0) + int(sanity.details.get("timeout") or 0)) / sanity.probes
    if coverage is not None:
        abstained = max(coverage.value or 0.0, float(coverage.details.get("abstain_share_on_wrong") or 0.0))
    if certificate.row_shares.misread:
        abstained = max(abstained, 1.0 - certificate.row_shares.read)
    right = None if oracle is None or oracle.value is None else calibrate(certificate.calibration, oracle.value)
    return Admitted(failed=failed, abstained=abstained, right=right)


def find_drift(
    start: Sequence[Row], now: Sequence[Row], admitted: Mapping[tuple[str, str], Admitted], *, group_size: int
) -> list[Drift]:
    """What is not as it was at admission, by task and tool.

    Args:
        start: the log's rows of the first window of the run.
        now: those of the window to judge; may be the same.
        admitted: by task label and tool; tools that are not there are left alone.
    """
    first, drifts = windows(start, group_size=group_size), []
    for task, window in windows(now, group_size=group_size).items():
        if window.groups < LEAST_GROUPS:
            continue
        begin = first.get(task, window)
        for tool in sorted(window.calls):
            known = admitted.get((task, tool))
            if known is not None:
                drifts += [
                    Drift(task=task, tool=tool, kind=kind, before=before, now=value, text=text)
                    for kind, before, value, text in _of_tool(tool, known, begin, window)
                ]
        drifts += _of_audit(task, admitted, begin, window)
    return drifts


def _of_tool(tool: str, known: Admitted, begin: Window, now: Window) -> Iterable[tuple[Kind, float, float, str]]:
    calls = now.independent(sum(now.calls[tool].values()))
    failed = now.share(tool, "failed", "timeout")
    if _is_above(failed, calls, known.failed):
        yield "failing", known.failed, failed, f"fails on {failed:.0%} of its calls, at admission {known.failed:.0%}"
    silent, silent_first = now.share(tool, "abstain"), begin.share(tool, "abstain")
    if _is_above(silent, calls, max(known.abstained, silent_first)):
        yield (
            "abstaining",
            known.abstained,
            silent,
            f"abstains on {silent:.0%}, at admission {known.abstained:.0%}, at the start of the run {silent_first:.0%}",
        )
    score = now.scores.get(tool)
    is_long = now.length > LONGER * begin.length > 0
    if score is not None and known.right is not None and is_long and _is_above(score, calls, known.right):
        yield (
            "beyond_references",
            known.right,
            score,
            f"rates the policy {score:.2f}, right answers {known.right:.2f}, while completions grew from "
            f"{begin.length:.0f} to {now.length:.0f} tokens",
        )


def _of_audit(task: str, admitted: Mapping[tuple[str, str], Admitted], begin: Window, now: Window) -> Iterable[Drift]:
    """The reward's tools, where the reward went up and the audit did not go along.

    If a share f of the wrong completions became right, a reward goes from r to r + f (R - r), with R what right answers
    get; and so does any audit, from a to a + f (A - a), however lenient or harsh it is. So f is read off the reward, and
    the audit is held to a part of it.
    """
    tool = now.audit_tool
    rewarded = sorted(each for each in now.calls if each != tool and (task, each) in admitted)
    known = admitted.get((task, tool)) if tool is not None else None
    if known is None or known.right is None or tool != begin.audit_tool or not rewarded:
        return
    before, after = begin.independent(begin.audited), now.independent(now.audited)
    if min(before, after) < LEAST_GROUPS:
        return
    highest = sum(admitted[task, each].right or 1.0 for each in rewarded) / len(rewarded)
    rise, room = now.audited_reward - begin.audited_reward, highest - begin.audited_reward
    if room <= 0 or rise < LEAST_WAY * room:
        return
    if rise < CERTAIN * sqrt(_variance(begin.audited_reward, before) + _variance(now.audited_reward, after)):
        return
    expected = min(1.0, rise / room) * (known.right - begin.audit)
    doubt = DOUBT * sqrt(_variance(begin.audit, before) + _variance(now.audit, after))
    if expected < LEAST_GAIN or now.audit - begin.audit + doubt >= FOLLOWED * expected:
        return
    text = (
        f"the reward went from {begin.audited_reward:.2f} to {now.audited_reward:.2f}, the audit by {tool} from "
        f"{begin.audit:.2f} to {now.audit:.2f}; {begin.audit + expected:.2f} was to be expected"
    )
    for each in rewarded:
        yield Drift(task=task, tool=each, kind="audit", before=begin.audit, now=now.audit, text=text)


def _is_above(value: float, count: float, bound: float) -> bool:
    """Whether a mean of `count` values in [0, 1] is above a bound by more than chance and more than LEAST."""
    return value - bound > max(LEAST, CERTAIN * sqrt(_variance(value, count)))


def _variance(mean: float, count: float) -> float:
    """Of the mean of `count` values in [0, 1]: at most that of a coin that gives this mean, one more heads and tails added."""
    smoothed = (mean * count + 1.0) / (count + 2.0)
    return smoothed * (1.0 - smoothed) / max(count, 1.0)


def windows(rows: Sequence[Row], *, group_size: int) -> dict[str, Window]:
    """Sums over the steps among the log's rows, by task label."""
    labels = sorted({label for row in rows for label in row.get("tasks") or {}})
    return {label: _window([row for row in rows if "tasks" in row], label, group_size) for label in labels}


def _window(rows: Sequence[Row], label: str, group_size: int) -> Window:
    tasks = [row["tasks"][label] for row in rows if label in row["tasks"]]
    audits = [row["audit"][label] for row in rows if label in (row.get("audit") or {})]
    tool = audits[-1]["tool"] if audits else None
    audits = [entry for entry in audits if entry["tool"] == tool]
    calls: dict[str, dict[str, int]] = {}
    sums: dict[str, float] = {}
    rollouts = [sum(entry["status"].values()) for entry in tasks]
    for entry in tasks:
        for name, counts in (entry.get("calls") or {}).items():
            mine = calls.setdefault(name, {})
            for status, count in counts.items():
                mine[status] = mine.get(status, 0) + count
            score = entry["tools"].get(name)
            sums[name] = sums.get(name, 0.0) + (0.0 if score is None else score * counts.get("ok", 0))
    audited = sum(entry["samples"] for entry in audits)
    return Window(
        groups=sum(rollouts) / group_size,
        length=sum((entry["length"] or 0.0) * count for entry, count in zip(tasks, rollouts, strict=True))
        / max(1, sum(rollouts)),
        calls=calls,
        scores={name: total / calls[name]["ok"] for name, total in sums.items() if calls[name].get("ok")},
        audit_tool=tool,
        audit=sum(entry["audit"] * entry["samples"] for entry in audits) / max(1, audited),
        audited_reward=sum(entry["reward"] * entry["samples"] for entry in audits) / max(1, audited),
        audited=audited,
        group_size=group_size,
    )
