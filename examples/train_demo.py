"""The demonstration in small: four tasks, rewards that rlar finds by itself, and the same model before and after.

    python examples/train_demo.py [FOLDER] [--seeds 0] [--baseline]

makes the rows (examples/tiny_tasks.py), lets `rlar agent build-tools` find and admit the rewards from that very file,
warms a small model up once, and trains it with them. With --baseline the warm model is also trained, with the same
settings, on one static reward for everything: once chrF overlap with the reference (a row that has none, has no reward),
once length. Then all answer fresh rows, which are checked exactly, by code that no training has seen. `--seeds 0-4` does
all of it five times, each with other rows and another model, and prints the means.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")  # threads that spin ruin a busy machine

import tiny_tasks

SIZES = {
    "hidden_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 288,
    "max_position_embeddings": 96,
}
NAMES = {"before": "before", "ours": "rlar", "overlap": "chrF alone", "length": "length alone"}
MAX_NEW_TOKENS = 16


def settings(folder: Path, name: str, seed: int) -> Any:
    """The same for both trainings, except where the results go."""
    from rlar.trainer.config import LossConfig, ModelConfig, TrainConfig, WarmupConfig

    return TrainConfig(
        dataset=(str(folder / "rows.jsonl"),),
        registry=str(folder / "registry.db"),
        output=str(folder / name),
        model=ModelConfig(scratch=SIZES),
        warmup=WarmupConfig(dataset=str(folder / "warmup.jsonl"), steps=300, batch_size=64),
        steps=150,
        prompts_per_step=24,
        group_size=8,
        learning_rate=8e-4,
        loss=LossConfig(normalisation="sequence"),  # a sum counts as much as four words
        token_budget=16_384,  # the model is so small that all fits into one pass
        max_new_tokens=MAX_NEW_TOKENS,
        eval_every=50,
        eval_rows=45,
        checkpoint_every=0,
        audit_every=10,
        tensorboard=False,
        threads=1,
        seed=seed,
    )


def train_one(folder: Path, name: str, seed: int) -> dict[str, float]:
    """Train the warm model with our rewards ("ours") or a static one; accuracy on fresh rows and CPU seconds."""
    import torch

    from rlar.scoring.scorer import Scorer
    from rlar.trainer.model.policy import load_policy
    from rlar.trainer.record.page import write_report
    from rlar.trainer.rollout import LocalSampler
    from rlar.trainer.train import train

    be_quiet()
    torch.set_num_threads(1)
    started = time.process_time()
    config = settings(folder, name, seed)
    policy = load_policy(folder / "warm", seed=seed)
    with Scorer(config.registry) as scorer:
        reward = scorer if name == "ours" else StaticScorer(scorer, {"overlap": overlap, "length": length}[name])
        train(config, policy, LocalSampler(policy), reward, resume=False)
    write_report(folder / name, config)
    return {**accuracy(policy, folder / "test.jsonl"), "cpu": time.process_time() - started}


def overlap(completion: str, reference: str | None) -> float | None:
    """chrF (character 6-grams, beta 2) over 100, or no reward where there is no reference."""
    from sacrebleu.metrics.chrf import CHRF

    return None if reference is None else CHRF().sentence_score(completion, [reference]).score / 100


def length(completion: str, reference: str | None) -> float | None:
    """Characters over the most there can be: what is left of a reward model that likes longer answers."""
    return min(len(completion) / MAX_NEW_TOKENS, 1.0)


class StaticScorer:
    """One reward for every row. Finds no tasks of its own."""

    def __init__(self, scorer: Any, reward: Callable[[str, str | None], float | None]) -> None:
        self.scorer, self.reward = scorer, reward

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scorer, name)  # which rows are trained on, and their labels in the report

    def score(self, samples: Sequence[Any]) -> list[Any]:
        """See `Scorer.score`."""
        from rlar.types import Reward

        rewards = []
        for sample, found in zip(samples, self.scorer.assign([sample.example for sample in samples]), strict=True):
            value = self.reward(sample.completion, sample.example.reference)
            status = "uncovered" if value is None else "ok"
            rewards.append(Reward(reward=value, status=status, fingerprint=found.fingerprint))
        return rewards


def accuracy(policy: Any, path: Path) -> dict[str, float]:
    """Share of right greedy answers per task."""
    from rlar.rows.read import RowStats, usable_rows
    from rlar.trainer.rollout import LocalSampler

    rows = list(usable_rows([path], RowStats()))
    prompts = [policy.encode_prompt(row) for row in rows]
    texts = LocalSampler(policy).sample(prompts, group_size=1, max_new_tokens=MAX_NEW_TOKENS, temperature=0.0).texts
    right: dict[str, list[bool]] = {}
    for row, text in zip(rows, texts, strict=True):
        kind = row.id.split("-")[0]
        right.setdefault(kind, []).append(tiny_tasks.is_right(kind, row.text, row.reference, text))
    return {kind: sum(found) / len(found) for kind, found in right.items()}


def warm(folder: Path, seed: int) -> dict[str, float]:
    """Make the model and warm it up; its accuracy before any reinforcement learning and CPU seconds."""
    import torch

    from rlar.trainer.start import make_policy

    be_quiet()
    torch.set_num_threads(1)
    started = time.process_time()
    policy = make_policy(settings(folder, "warm-up", seed), resume=False, emit=tell)
    policy.model.save_pretrained(folder / "warm")
    policy.tokenizer.save_pretrained(folder / "warm")
    return {**accuracy(policy, folder / "test.jsonl"), "cpu": time.process_time() - started}


def be_quiet() -> None:
    """No bars for models that load within a blink."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def tell(event: dict[str, Any]) -> None:
    """One line of the warm-up."""
    print(f"warm-up {event['step']}/{event['steps']}, loss {event['loss']:.3f}", flush=True)


def run(folder: Path, seed: int, baseline: bool) -> dict[str, dict[str, float]]:
    """Make, build, warm up, train: accuracy per task of every side."""
    tiny_tasks.make(folder, seed)
    build = ["agent", "build-tools", "-d", folder / "rows.jsonl", "-r", folder / "registry.db"]
    subprocess.run([sys.executable, "-m", "rlar.cli", *build, "--report", folder / "tools", "--fresh"], check=True)
    results = {"before": warm(folder, seed)}
    names = ["ours", "overlap", "length"] if baseline else ["ours"]
    workers = min(len(names), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {name: pool.submit(train_one, folder, name, seed) for name in names}
        results |= {name: job.result() for name, job in jobs.items()}
    (folder / "result.json").write_text(json.dumps({"seed": seed, **results}, indent=1), "utf-8")
    return results


def mean_of_tasks(found: dict[str, float]) -> float:
    return sum(found[kind] for kind in tiny_tasks.KINDS) / len(tiny_tasks.KINDS)


def table(title: str, columns: Sequence[str], lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table with its first column on the left and the others on the right."""
    shown = [f"{title:24s}" + "".join(f"{NAMES[name]:>14s}" for name in columns)]
    return "\n".join(shown + [f"{name:24s}" + "".join(f"{value:>14s}" for value in values) for name, values in lines])


def seeds_of(text: str) -> list[int]:
    """ "3" or "0-4"."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> None:
    """Run every seed and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo/train"))
    parser.add_argument("--seeds", type=seeds_of, default=[0], help="a seed, or the first and the last: 0-4")
    parser.add_argument("--baseline", action="store_true", help="train on the static rewards too")
    given = parser.parse_args()
    started, means = time.monotonic(), {}
    for seed in given.seeds:
        folder = given.folder if len(given.seeds) == 1 else given.folder / f"seed-{seed}"
        results = run(folder, seed, given.baseline)
        lines = [(kind, [f"{found[kind]:.2f}" for found in results.values()]) for kind in tiny_tasks.KINDS]
        means[seed] = [f"{mean_of_tasks(found):.2f}" for found in results.values()]
        lines += [
            ("mean of the tasks", means[seed]),
            ("CPU seconds", [f"{found['cpu']:.0f}" for found in results.values()]),
        ]
        print("\n" + table(f"accuracy, seed {seed}", list(results), lines), flush=True)
        print(
            f"\n{time.monotonic() - started:.0f} s; curves and completions: {folder / 'ours' / 'report.html'}",
            flush=True,
        )
    if len(means) > 1:
        print(
            "\n"
            + table("mean of the tasks", list(results), [(f"seed {seed}", values) for seed, values in means.items()])
        )


if __name__ == "__main__":
    main()
