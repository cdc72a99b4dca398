"""Tools that only compare (pairwise judges) are tried in duels: each probe against one other completion of its row.

Their score says how a completion stands among its group, so a probe's score would depend on which probes happened to
share its batch. In a duel the question is plain: a right answer against a grave wrong one must win, everything wrong
against the row's right answer must lose, the right answer re-dressed must tie.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

from rlar.gate.probe import Probe
from rlar.process import Slots
from rlar.scoring.runner import PATIENCE_SECONDS
from rlar.tool import RewardTool
from rlar.types import Sample, Score, failed, timed_out

AT_ONCE = 8
"""Duels in flight; a comparing tool waits for an endpoint most of the time."""
GRAVE = ("near_miss", "other_row", "constant", "refusal")
"""What right answers are set against, gravest faults that still say something first."""


class Duels:
    """A RewardTool around a comparing one: scores each sample in a duel with its opponent (alone where it has none).

    Opponents are known by the very sample objects of the probes, since equal completions serve several checks.
    """

    def __init__(self, tool: RewardTool, opponents: Mapping[int, Sample]) -> None:
        self.spec = tool.spec
        self._tool = tool
        self._opponents = opponents
        self._slots = Slots(AT_ONCE)

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        return self._slots.run(
            [partial(self._duel, sample) for sample in samples],
            seconds=PATIENCE_SECONDS,
            on_error=lambda error: failed(f"{type(error).__name__}: {str(error)[:500]}"),
            late=lambda: timed_out(f"no verdict within {PATIENCE_SECONDS:g} s"),
        )

    def _duel(self, sample: Sample) -> Score:
        opponent = self._opponents.get(id(sample))
        return self._tool.score([sample] if opponent is None else [sample, opponent])[0]


def opponents(probes: Sequence[Probe]) -> dict[int, Sample]:
    """Who each probe is set against, by `id` of its sample."""
    rights: dict[int, Probe] = {}
    wrongs: dict[int, list[Probe]] = defaultdict(list)
    for probe in probes:
        if probe.check == "oracle" and probe.kind == probe.anchor:
            rights.setdefault(probe.row, probe)
        elif probe.check in {"floor", "discrimination", "hack_panel"} and probe.sample.completion.strip():
            wrongs[probe.row].append(probe)
    foes: dict[int, Sample] = {}
    for index, probe in enumerate(probes):
        other: Probe | None
        if probe.check == "labelled":
            # Better and worse halves of a pair follow each other.
            other = probes[index + 1 if probe.kind == "better" else index - 1]
        elif probe.check == "oracle":
            other = _gravest(wrongs[probe.row])
        else:
            other = rights.get(probe.row)
        if other is not None:
            foes[id(probe.sample)] = other.sample
    return foes


def _gravest(probes: Sequence[Probe]) -> Probe | None:
    def place(probe: Probe) -> int:
        return GRAVE.index(probe.kind) if probe.kind in GRAVE else len(GRAVE)

    return min(probes, key=place, default=None)
