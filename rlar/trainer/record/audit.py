"""The hacking alarm: a tool per task that was admitted but gives no reward scores a sample beside the reward.

A policy that learns to please the reward and not the task drives the two apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from types import TracebackType

from rlar.kinds.bind import bind
from rlar.registry.records import tool_ids
from rlar.registry.registry import Registry
from rlar.scoring.combine import calibrate
from rlar.scoring.runner import Runner
from rlar.types import Calibration, Contract, Example, Frozen, Reward, Sample, ToolSpec

DEADLINE_SECONDS = 10.0
"""For one sample in a worker."""
QUARANTINE_AFTER = 16
"""Different rows and completions in a row without a score after which an audit tool is tried, and left alone where it fails."""


class AuditGap(Frozen):
    """Reward and audit of the same completions of one task."""

    tool: str
    reward: float
    audit: float
    samples: int
    """Completions that both could score."""

    @property
    def gap(self) -> float:
        """Reward minus audit: grows when the reward is being gamed."""
        return self.reward - self.audit


class Auditor:
    """The held-out tool of each task that has one: the best admitted tool that its recipe does not use."""

    def __init__(self, registry: str, *, workers: int = 1) -> None:
        self._tools: dict[str, tuple[ToolSpec, Calibration, Contract]] = {}
        self._runner = Runner(
            None, workers=workers, plugins=(), deadline_seconds=DEADLINE_SECONDS, quarantine_after=QUARANTINE_AFTER
        )
        with Registry.open(registry, readonly=True) as opened:
            for task in opened.tasks(with_examples=False):
                recipe = opened.served(task.fingerprint)
                if recipe is None:
                    continue
                spare = [
                    certificate
                    for certificate in opened.latest_certificates(task.fingerprint)
                    if certificate.admitted
                    and certificate.role != "guard"
                    and certificate.tool_id not in tool_ids(recipe)
                ]
                spare.sort(key=lambda certificate: (-(certificate.discrimination or 0.0), certificate.tool_id))
                for certificate in spare[:1]:
                    spec = opened.tool(certificate.tool_id)
                    if spec is not None:
                        self._tools[task.fingerprint] = (spec, certificate.calibration, task.contract)

    def __enter__(self) -> Auditor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self._runner.close()

    @property
    def fingerprints(self) -> frozenset[str]:
        """Tasks that have an audit tool."""
        return frozenset(self._tools)

    def compare(
        self, examples: Sequence[Example], completions: Sequence[str], rewards: Sequence[Reward]
    ) -> dict[str, AuditGap]:
        """Per fingerprint, the mean reward and the mean audit over the completions that both could score."""
        mine: dict[str, list[int]] = defaultdict(list)
        for index, reward in enumerate(rewards):
            if reward.fingerprint in self._tools and reward.reward is not None:
                mine[str(reward.fingerprint)].append(index)
        batches = []
        for fingerprint, indices in mine.items():
            spec, _calibration, contract = self._tools[fingerprint]
            rows = ((examples[index], completions[index]) for index in indices)
            batches.append((spec, [Sample.of(row, text, bind(row, contract)) for row, text in rows]))
        gaps = {}
        for (fingerprint, indices), scores in zip(mine.items(), self._runner.run(batches), strict=True):
            spec, calibration, _contract = self._tools[fingerprint]
            pairs = [
                (rewards[index].reward or 0.0, calibrate(calibration, score.value))
                for index, score in zip(indices, scores, strict=True)
                if score.value is not None
            ]
            if pairs:
                rewarded, audited = zip(*pairs, strict=True)
                gaps[fingerprint] = AuditGap(
                    tool=spec.id, reward=sum(rewarded) / len(pairs), audit=sum(audited) / len(pairs), samples=len(pairs)
                )
        return gaps
