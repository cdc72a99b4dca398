"""What the miniatures of docs/algorithms.md share: a tiny policy, its warm-up, rewards by a function, and a table.

Each miniature runs `rlar.trainer.train.train` itself on a model of some 100,000 parameters; nothing here is a loop of its own.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")  # threads that spin ruin a busy machine

import torch

from rlar.registry.records import Standing
from rlar.registry.registry import Registry
from rlar.trainer.config import LossConfig, TrainConfig
from rlar.trainer.loss import policy_loss_backward
from rlar.trainer.model.policy import Policy, load_policy
from rlar.trainer.model.scratch import character_tokenizer, supervised_rollouts
from rlar.trainer.rollout import LocalSampler
from rlar.trainer.train import train
from rlar.types import AnswerKind, Assignment, Contract, Recipe, Reward, TaskSpec, ToolScore

TASK = "f1-toy"
Check = Callable[[Any, str], "float | None"]
"""From a row (`rlar.types.Example`) and a completion to its reward; None: no tool can tell."""


class Tools:
    """Stands where a registry's tools are: one task, whose reward is a function of ours."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.quarantined: dict[str, str] = {}

    def assign(self, examples: Sequence[Any]) -> list[Assignment]:
        """See `rlar.scoring.scorer.Scorer`, here and below."""
        return [Assignment(fingerprint=TASK, confidence=1.0) for _ in examples]

    def formatted(self, examples: Sequence[Any]) -> list[Any]:
        return list(examples)

    def standing(self, fingerprint: str) -> Standing:
        return Standing(recipe=Recipe(fingerprint=fingerprint, version=1, gates=("toy",)))

    def tasks(self) -> list[TaskSpec]:
        contract = Contract(answer_kind=AnswerKind.SHORT_TEXT, has_reference=True)
        return [TaskSpec(fingerprint=TASK, label="toy", contract=contract)]

    def score(self, samples: Sequence[Any]) -> list[Reward]:
        rewards = []
        for sample in samples:
            value = self.check(sample.example, sample.completion)
            status = "abstain" if value is None else "ok"
            score = ToolScore(tool="toy", value=value, status=status, explanation="")
            rewards.append(Reward(reward=value, status=status, fingerprint=TASK, scores=(score,)))
        return rewards

    def forgive(self, tool: str) -> None:
        pass


def is_reference(example: Any, completion: str) -> float:
    """1 for the very reference."""
    return float(completion == example.reference)


def tiny_policy(alphabet: str, seed: int, *, width: int = 64, layers: int = 2, context: int = 128) -> Policy:
    """A Qwen3-shaped model with one token a character. Wide at the start, or it learns to copy in some runs only."""
    from transformers import Qwen3Config

    tokenizer = character_tokenizer([alphabet])
    shape = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=width // 4,
        intermediate_size=3 * width,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        initializer_range=0.08,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return load_policy(shape, tokenizer=tokenizer, seed=seed, linear="torch")


def teach(policy: Policy, draw: Callable[[int], Iterable[tuple[str, str]]], *, steps: int, rate: float = 4e-3) -> None:
    """Supervised steps on (prompt, completion) pairs, 64 at a time."""
    optimiser = torch.optim.AdamW(policy.parameters(), lr=rate, weight_decay=0.0)
    ids = lambda text: policy.tokenizer(text)["input_ids"]  # noqa: E731
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 40) * (1 - 0.9 * step / steps)
        pairs = [(ids(prompt), [*ids(text), policy.eos_ids[0]]) for prompt, text in draw(64)]
        given = supervised_rollouts(policy, pairs)
        policy_loss_backward(policy, given, given.mask_N_T.float(), config=LossConfig(), token_budget=16_384)
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def weights_of(policy: Policy) -> dict[str, Any]:
    """To start the next run from, with `policy.model.load_state_dict`."""
    return copy.deepcopy(policy.model.state_dict())


def sampled(policy: Policy, prompts: Sequence[str], *, each: int = 8, tokens: int = 8) -> list[list[str]]:
    """`each` completions of every prompt at temperature 1, always with the same draws."""
    ids = [policy.tokenizer(prompt)["input_ids"] for prompt in prompts]
    generator = torch.Generator().manual_seed(3)
    texts = LocalSampler(policy).sample(ids, group_size=each, max_new_tokens=tokens, generator=generator).texts
    return [texts[first : first + each] for first in range(0, len(texts), each)]


def train_on(
    policy: Policy,
    rows: Sequence[Mapping[str, Any]],
    check: Check,
    *,
    seed: int,
    each: Callable[[int], None] = lambda done: None,
    every: int = 20,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Train the policy on rows with these settings; returns the log's rows of the steps.

    Args:
        each: called before the first step and after every `every` steps.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        (files / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        Registry.open(files / "registry.db", create=True).close()
        values = {
            "dataset": (str(files / "rows.jsonl"),),
            "registry": str(files / "registry.db"),
            "output": str(files / "run"),
            "seed": seed,
            "learning_rate": 5e-4,
            "final_learning_rate_fraction": 1.0,
            "warmup_updates": 0,
            "prompts_per_step": 16,
            "group_size": 8,
            "eval_every": 0,
            "checkpoint_every": 0,
            "audit_every": 0,
            "drift_every": 0,
            "token_budget": 16_384,
            "tensorboard": False,
            **settings,
        }
        log: list[dict[str, Any]] = []

        def follow(event: dict[str, Any]) -> None:
            if event["event"] == "step":
                log.append(event)
                if len(log) % every == 0:
                    each(len(log))

        each(0)
        config = TrainConfig.model_validate(values)
        sampler = LocalSampler(policy, certainty="certainty" in config.signals)
        train(config, policy, sampler, Tools(check), resume=False, emit=follow)
        return log


def seeds_of(text: str) -> list[int]:
    """ "3" or "0-4"."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main(description: str | None, run: Callable[[int], dict[str, list[float]]], *, columns: Sequence[str]) -> None:
    """Run every seed and print a table: a line a way of training, of every column the values by seed and their mean."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=seeds_of, default=[0], help="a seed, or the first and the last: 0-4")
    torch.set_num_threads(1)
    seeds = parser.parse_args().seeds
    results = []
    for seed in seeds:
        started = time.process_time()
        results.append(run(seed))
        print(f"seed {seed}: {time.process_time() - started:.0f} CPU s", flush=True)
    for index, column in enumerate(columns):
        print(f"\n{column}\n{'':34s}" + "".join(f"{seed:>7d}" for seed in seeds) + f"{'mean':>9s}")
        for name in results[0]:
            values = [result[name][index] for result in results]
            print(f"{name:34s}" + "".join(f"{value:7.2f}" for value in values) + f"{statistics.mean(values):9.3f}")
