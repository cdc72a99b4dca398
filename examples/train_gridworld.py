"""Train a small model from nothing to walk through text mazes, a move a turn: `python examples/train_gridworld.py`.

The warm-up teaches the words and which answers are moves, half of them random ones; what is learnt after it comes from the
environment's rewards. Some minutes on a CPU core; the share of mazes that are solved greedily is printed before and after.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from rlar.tool import Resources
from rlar.trainer.config import TrainConfig
from rlar.trainer.environments.base import Completion
from rlar.trainer.environments.gridworld import MOVES, Gridworld
from rlar.trainer.record.metrics import read_metrics
from rlar.trainer.start import run_training
from rlar.types import Example, Message

SIZE, TURNS = 3, 5


def mazes(count: int, seed: int) -> list[str]:
    """Names of different mazes: the environment makes one of each."""
    return [f"maze {number}" for number in random.Random(seed).sample(range(10**6), count)]


def walk(name: str, chance: random.Random) -> list[dict[str, str]]:
    """Warm-up rows of one maze: what was read so far, and a move, the right one half of the time."""
    world = Gridworld(Resources(), size=SIZE)
    example = Example(id=name, prompt=(Message(role="user", content=name),))
    text, rows = world.reset(example, 0)[0].content, []
    for _turn in range(TURNS):
        way = world.solution()
        move = way[0] if way and chance.random() < 0.5 else chance.choice(sorted(MOVES))
        rows.append({"prompt": text, "completion": move})
        step = world.step(Completion(move))
        if step.done:
            break
        text += f"{move}{step.messages[0].content}"
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("gridworld"))
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(options.seed)
    rows = [{"prompt": name} for name in mazes(400, options.seed)]
    warmup = [row for name in mazes(1_500, options.seed + 1) for row in walk(name, chance)]
    for name, lines in (("rows", rows), ("warmup", warmup)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    config = TrainConfig.model_validate({
        "dataset": [str(folder / "rows.jsonl")], "registry": str(folder / "registry.db"), "output": str(folder / "run"),
        "model": {"scratch": {"hidden_size": 96, "num_hidden_layers": 2, "intermediate_size": 256}},
        "warmup": {"dataset": str(folder / "warmup.jsonl"), "steps": 400, "batch_size": 32},
        "environment": {"name": "gridworld", "size": SIZE, "max_turns": TURNS, "message_tokens": 64},
        "steps": options.steps, "seed": options.seed, "prompts_per_step": 12, "group_size": 8, "max_new_tokens": 6,
        "learning_rate": 5e-4, "eval_every": options.steps, "eval_rows": 60, "checkpoint_every": 0, "audit_every": 0,
        "tensorboard": False, "threads": 1,
    })  # fmt: skip
    run_training(config, resume=False)
    for row in read_metrics(folder / "run"):
        if "eval" in row:
            print(
                f"after {row['step']:3d} updates: {row['eval']['environment gridworld']['accuracy']:.2f} of the mazes solved"
            )


if __name__ == "__main__":
    main()
