"""A scorer of our own and rows for it, so that training is tested without any reward tool."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlar.registry.records import Standing
from rlar.registry.registry import Registry
from rlar.scoring.scorer import RoutedSample
from rlar.trainer.config import TrainConfig
from rlar.trainer.rollout import LocalSampler
from rlar.trainer.train import train
from rlar.types import AnswerKind, Assignment, Contract, Example, Recipe, Reward, TaskSpec, ToolScore
from tests.fakes.small_policies import policy

CONTRACT = Contract(answer_kind=AnswerKind.OPEN_ENDED, has_reference=False)


class FakeScorer:
    """Tasks by the first letter of a prompt: a, b are covered, c is uncovered, anything else is unknown.

    The reward is the number of digits among a completion's first eight characters, over eight; "b" rows with an odd
    number of characters are unscored.
    """

    def __init__(self, covered: str = "ab") -> None:
        self.covered = covered
        self.asked: list[list[RoutedSample]] = []
        self.quarantined: dict[str, str] = {}
        self.forgiven: list[str] = []

    def assign(self, examples: Sequence[Example]) -> list[Assignment]:
        return [
            Assignment(fingerprint=f"f1-{example.text[0]}", confidence=1.0)
            if example.text[0] in self.covered + "c"
            else Assignment(fingerprint=None, confidence=0.0)
            for example in examples
        ]

    def formatted(self, examples: Sequence[Example]) -> list[Example]:
        return list(examples)

    def standing(self, fingerprint: str) -> Standing:
        if fingerprint[-1] == "c":
            return Standing(recipe=None, reason="nothing admitted")
        return Standing(recipe=Recipe(fingerprint=fingerprint, version=1, gates=("fake-1",)))

    def tasks(self) -> list[TaskSpec]:
        return [TaskSpec(fingerprint=f"f1-{name}", label=f"task {name}", contract=CONTRACT) for name in self.covered]

    def score(self, samples: Sequence[RoutedSample]) -> list[Reward]:
        self.asked.append(list(samples))
        return [self.reward(sample) for sample in samples]

    def reward(self, sample: RoutedSample) -> Reward:
        name, text = sample.example.text[0], sample.completion[:8]
        if name == "b" and len(sample.completion) % 2:
            return Reward(reward=None, status="failed", fingerprint="f1-b")
        value = sum(character.isdigit() for character in text) / 8
        score = ToolScore(tool="fake-1", value=value, status="ok", explanation="digits")
        return Reward(reward=value, status="ok", fingerprint=f"f1-{name}", scores=(score,))

    def forgive(self, tool: str) -> None:
        self.forgiven.append(tool)
        self.quarantined.pop(tool, None)


def write_rows(path: Path, prompts: Sequence[str]) -> str:
    """A dataset of these prompts; ids are r0, r1, ..."""
    rows = ({"id": f"r{index}", "prompt": prompt} for index, prompt in enumerate(prompts))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def prompts(count: int = 24) -> list[str]:
    """Half of task a, half of task b, all different."""
    return [f"{'ab'[index % 2]}{index}=" for index in range(count)]


def small_config(folder: Path, **more: Any) -> TrainConfig:
    """A run of six updates on 24 rows, two prompts of four rollouts at a time."""
    registry = folder / "registry.db"
    if not registry.exists():
        Registry.open(registry, create=True).close()
    if "dataset" not in more:
        more["dataset"] = (write_rows(folder / "rows.jsonl", prompts()),)
    values = {
        "registry": str(registry), "output": str(folder / "run"), "steps": 6, "prompts_per_step": 4, "group_size": 4,
        "max_new_tokens": 8, "learning_rate": 1e-3, "warmup_updates": 2, "eval_every": 3, "eval_rows": 4,
        "checkpoint_every": 2, "audit_every": 0, "tensorboard": False, **more,
    }  # fmt: skip
    return TrainConfig.model_validate(values)


def small_policy() -> Any:
    """Two layers, 32 wide; always the same weights, and sums in the same order."""
    return policy(spread=2.0, linear="torch")


def run(config: TrainConfig, scorer: Any = None, *, made: Any = None, **options: Any) -> tuple[Any, dict[str, Any]]:
    """Train a fresh small policy; the policy and the summary."""
    made = made or small_policy()
    return made, train(config, made, LocalSampler(made), scorer or FakeScorer(), **options)


def weights(made: Any) -> dict[str, Any]:
    """Copies of all parameters by name."""
    return {name: value.detach().clone() for name, value in made.model.named_parameters()}


def same_bits(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two sets of weights are equal to the last bit."""
    return one.keys() == other.keys() and all(bool((one[name] == other[name]).all()) for name in one)
