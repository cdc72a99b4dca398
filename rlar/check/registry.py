"""A checked function into a registry; and the search, run against what a registry serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rlar.check.card import Fooled
from rlar.check.check import Settings, by_kind, check_reward, holds_no_reference
from rlar.check.endings import written
from rlar.check.search import search
from rlar.errors import RegistryError
from rlar.gate.policy import load_policy
from rlar.gate.probes import make_probes
from rlar.gate.recipe import build_recipe
from rlar.registry.records import tool_ids
from rlar.registry.registry import Registry
from rlar.scoring.routes import RoutedSample
from rlar.scoring.scorer import Scorer
from rlar.tool import group_key
from rlar.tools.own import ALLOW_VARIABLE, entries_of
from rlar.types import Example, Sample, Score, TaskSpec, ToolKind, ToolSpec, abstain, failed, ok


def admit(function: str, dataset: Sequence[str | Path], settings: Settings, address: str) -> list[str]:
    """Try a function as scoring will call it, and store it with its certificates for the registry's tasks; a line a task.

    Scoring has a row's prompt and reference, and not its other columns: a function that needs those does not pass here.

    Raises:
        RegistryError: there is no such registry.
    """
    with Registry.open(address) as registry:
        known = {task.fingerprint: task for task in registry.tasks()}
        card, evidence = check_reward(function, dataset, replace(settings, as_served=True, shrink=False, search=0))
        if card.problem:
            return [f"not admitted: {card.problem}"]
        policy, allowed = load_policy(), dict[str, None]()
        lines = []
        for row_task, spec, certificate in evidence:
            task = known.get(row_task.fingerprint)
            if task is None:
                lines.append(f"{row_task.label}: not a task of {registry.name}; build it there first")
            elif not certificate.admitted:
                lines.append(f"{row_task.label}: not admitted: {'; '.join(certificate.reasons)}")
            else:
                held = registry.latest_certificates(task.fingerprint)
                recipe = build_recipe(task, [*held, certificate], policy)
                before = registry.recipe(task.fingerprint)
                if recipe is not None and before is not None:
                    recipe = recipe.model_copy(update={"answer_format": before.answer_format})
                registry.put_outcome(task, tools=[spec], certificates=[certificate], recipe=recipe)
                used = recipe is not None and spec.id in tool_ids(recipe)
                allowed.update(dict.fromkeys(entries_of(spec)))
                lines.append(
                    f"{row_task.label}: {spec.id} admitted, {'in the recipe' if used else 'the recipe keeps a better one'}"
                )
        if allowed:
            lines.append(f"where it is to score: export {ALLOW_VARIABLE}={':'.join(allowed)}")
        return lines


def search_registry(
    address: str, *, calls: int, seed: int, tell: Callable[[str], None]
) -> list[tuple[TaskSpec, tuple[Fooled, ...], int, int]]:
    """Per served task with references: texts without any of them that its reward pays for, calls made, rewards given.

    A reward may be right where it pays: 0.5 is 1/2. Every text is one to look at.

    Raises:
        RegistryError: the registry cannot be used, or serves nothing.
    """
    results = []
    with Registry.open(address, readonly=True) as registry, Scorer(address) as scorer:
        tasks = [task for task in registry.tasks() if task.contract.has_reference and registry.served(task.fingerprint)]
        if not tasks:
            raise RegistryError(f"{registry.name} serves no task whose rows have references")
        policy = load_policy()
        for task in tasks:
            probes = make_probes(task, budget=policy.budget("pool", task.contract.answer_kind), seed=seed)
            served = _Served(task, scorer)
            entries, spent = search(served, probes, holds_no_reference, calls=calls, seed=seed)
            results.append((task, by_kind(entries), spent, served.rewarded))
            tell(f"{task.label}: {len(entries)} to look at after {spent} calls")
    return results


class _Served:
    """The combined reward of a task in the shape of a tool."""

    def __init__(self, task: TaskSpec, scorer: Scorer) -> None:
        self.spec = ToolSpec(kind=ToolKind("own"), name="served", source=task.fingerprint)
        self._scorer = scorer
        self.rewarded = 0
        """Completions that got a reward at all, 0.0 too."""
        self._rows: dict[str, Example] = {group_key(Sample.of(row, "", {})): row for row in task.examples}

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        rows = [self._rows.get(group_key(sample)) for sample in samples]
        routed = [
            RoutedSample(example=row, completion=written(sample))
            for row, sample in zip(rows, samples, strict=True)
            if row is not None
        ]
        scored = self._scorer.score(routed)
        self.rewarded += sum(each.reward is not None for each in scored)
        rewards = iter(scored)
        return [failed("not a row of the task") if row is None else _score(next(rewards).reward) for row in rows]


def _score(reward: float | None) -> Score:
    return abstain("no reward") if reward is None else ok(reward)
