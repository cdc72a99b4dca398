"""Runs a registry's tools over labelled sets: the router as trainers use it, and every tool by itself."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rlar.config import read_sandbox_tier
from rlar.errors import boundary
from rlar.evals.sets import LabelledSet
from rlar.evals.systems import Raw, Stopwatch, flat
from rlar.kinds.bind import bind
from rlar.registry.records import RegistrySnapshot
from rlar.registry.registry import Registry
from rlar.scoring import runner as runs
from rlar.scoring.scorer import RoutedSample, Scorer, default_workers
from rlar.tool import Resources, sandbox_factory
from rlar.tools.load import unusable
from rlar.types import Contract, Example, JsonObject, Reward, Sample, Score, ToolScore, ToolSpec, failed


class Measuring:
    """A registry opened for measuring; use it as a context manager."""

    def __init__(self, registry: str, *, sandbox_tier: str = "auto", workers: int | None = None) -> None:
        tier = read_sandbox_tier(sandbox_tier)
        self.registry = Registry.open(registry, readonly=True)
        self.snapshot: RegistrySnapshot = self.registry.snapshot()
        self._resources = Resources(sandbox_factory(tier))
        count = default_workers() if workers is None else workers
        self.scorer = Scorer(self.registry, resources=self._resources, workers=count, quarantine_after=10**9)
        self._runner = runs.Runner(
            self._resources, workers=count, plugins=(), deadline_seconds=10.0, quarantine_after=10**9
        )

    def __enter__(self) -> Measuring:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._runner.close()
        self.scorer.close()
        self._resources.close()
        self.registry.close()

    @property
    def admitted(self) -> list[str]:
        """Ids of the tools that are admitted for some task, guards left out: a guard is never a reward."""
        ids = {
            tool
            for certificates in self.snapshot.certificates.values()
            for tool, certificate in certificates.items()
            if certificate.admitted and certificate.role != "guard" and not unusable(self.snapshot.tools[tool])
        }
        return sorted(ids)

    @property
    def problems(self) -> list[str]:
        """Tools of the registry that cannot be used here, and why: their tasks are measured as uncovered."""
        reasons = {tool: unusable(spec) for tool, spec in self.snapshot.tools.items()}
        return [f"{tool} is not used: {reason}" for tool, reason in reasons.items() if reason]

    def run(self, data: LabelledSet, *, statics: bool = True) -> Raw:
        """Rewards of every completion; with `statics` also every admitted tool on everything."""
        samples = [
            RoutedSample(example=item.example, completion=text) for item in data.items for text in item.responses
        ]
        with Stopwatch() as watch:
            rewards = self.scorer.score(samples)
        places = flat(data.items)
        rows: list[list[Reward]] = [[] for _ in data.items]
        for (at, _place), reward in zip(places, rewards, strict=True):
            rows[at].append(reward)
        raw = Raw(rows, {}, watch.seconds)
        if statics:
            fingerprints = [row[0].fingerprint for row in rows]
            for tool_id in sorted(self.snapshot.tools):
                spec = self.snapshot.tools[tool_id]
                if not unusable(spec):
                    raw.tools[tool_id], raw.tool_seconds[tool_id] = self._static(spec, data, raw, fingerprints)
        return raw

    def _static(
        self, spec: ToolSpec, data: LabelledSet, raw: Raw, fingerprints: Sequence[str | None]
    ) -> tuple[list[list[Score | None]], float]:
        """One tool on every response; what the router has asked it already is not asked again."""
        is_admitted = spec.id in self.admitted
        table: list[list[Score | None]] = [[None] * len(item.responses) for item in data.items]
        wanted: list[tuple[int, int]] = []
        samples: list[Sample] = []
        reused = 0
        for at, item in enumerate(data.items):
            tried_here = spec.id in self.snapshot.certificates.get(fingerprints[at] or "", {})
            if not is_admitted and not tried_here:
                continue
            binding = self._binding(spec.id, item.example, fingerprints[at])
            for place, text in enumerate(item.responses):
                known = next((score for score in raw.rewards[at][place].scores if score.tool == spec.id), None)
                if known is not None:
                    table[at][place] = _raw_score(known)
                    reused += 1
                    continue
                wanted.append((at, place))
                samples.append(Sample.of(item.example, text, binding))
        with Stopwatch() as watch:
            scores = self._runner.run([(spec, samples)])[0] if samples else []
        for (at, place), score in zip(wanted, scores, strict=True):
            table[at][place] = score
        share = reused / max(1, sum(len(item.responses) for item in data.items))
        return table, watch.seconds + share * raw.router_seconds

    def _binding(self, tool_id: str, example: Example, fingerprint: str | None) -> JsonObject:
        """What the row asks for, read as the tool's own kind of task would read it."""
        contract = self._contract(tool_id, fingerprint)
        nothing: JsonObject = {}
        return boundary(lambda: bind(example, contract), lambda _error: nothing) if contract is not None else nothing

    def _contract(self, tool_id: str, fingerprint: str | None) -> Contract | None:
        mine = [key for key, certificates in sorted(self.snapshot.certificates.items()) if tool_id in certificates]
        if fingerprint in mine:
            return self.snapshot.tasks[fingerprint].contract
        mine.sort(key=lambda key: not self.snapshot.certificates[key][tool_id].admitted)
        if not mine:
            return None
        contract = self.snapshot.tasks[mine[0]].contract
        return contract.model_copy(update={"target_language": None, "labels": ()})


def _raw_score(score: ToolScore) -> Score:
    if score.status == "ok":
        return Score(value=score.raw if score.raw is not None else score.value, details=score.details)
    if score.status in ("failed", "timeout"):
        return failed(score.explanation).model_copy(update={"status": score.status})
    return Score(value=None, status="abstain", explanation=score.explanation)
