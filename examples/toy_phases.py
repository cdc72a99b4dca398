"""LAMP in miniature: a weak learned reward and novelty first, sparse success after.

    python examples/toy_phases.py --seeds 0-4

A room of 7 x 7 squares, ten moves from its middle, written at once; the prompt names one of six marks. The goal of the second
phase is one mark, and pays 1 for the path that touches it. In the first phase, with all marks, pay: novelty, a language reward with fixed
errors (the distance to the mark at the end, plus noise of deviation .35 that is always the same for a square and a mark), or
.9 and .1 of both. Against no first phase. Counted: the share of paths that reach the goal.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import toys

from rlar.trainer.context import Context
from rlar.trainer.credit import Credit
from rlar.trainer.signals import SIGNALS, Signal

SIDE, MOVES = 7, {"n": (0, -1), "s": (0, 1), "e": (1, 0), "w": (-1, 0)}
MARKS = {"1": (0, 0), "2": (6, 0), "3": (0, 6), "4": (6, 6), "5": (3, 0), "6": (0, 3)}
LENGTH, GOAL = 10, "4"
FIRST, SECOND = 40, 40
SHOWN = (0, 10, 20, 40)
WAYS = {"no first phase": {}, "novelty": {"novelty": 1.0}, "weak reward": {"weak": 1.0},
        "0.9 novelty + 0.1 weak": {"novelty": 0.9, "weak": 0.1}}  # fmt: skip


def path(moves: str) -> list[tuple[int, int]]:
    """The squares that moves lead over, the middle first; walls hold back."""
    squares = [(SIDE // 2, SIDE // 2)]
    for move in moves[:LENGTH]:
        x, y = squares[-1]
        right, down = MOVES.get(move, (0, 0))
        squares.append((min(max(x + right, 0), SIDE - 1), min(max(y + down, 0), SIDE - 1)))
    return squares


def reaches(example: object, completion: str) -> float:
    """1 where the path touches the mark that the prompt names."""
    return float(MARKS[example.text[0]] in path(completion))


def weak_reward(seed: int) -> Signal:
    """A language reward that is roughly right: its errors do not average out."""
    rng = random.Random(seed + 70)
    errors = {(x, y, mark): rng.gauss(0, 0.35) for x in range(SIDE) for y in range(SIDE) for mark in MARKS}

    def weak(context: Context) -> Credit:
        import torch

        values = []
        for index, text in enumerate(context.rollouts.texts):
            mark = context.rows[index // context.rollouts.group_size].example.text[0]
            x, y = path(text)[-1]
            distance = abs(x - MARKS[mark][0]) + abs(y - MARKS[mark][1])
            values.append(-distance / 12 + errors[x, y, mark])
        return Credit(torch.tensor(values, dtype=torch.float64))

    return weak


def run(seed: int) -> dict[str, list[float]]:
    """Success at updates of the second phase, by first phase."""
    rng = random.Random(seed)

    def walks(count: int) -> Iterator[tuple[str, str]]:
        for _ in range(count):
            yield rng.choice("123456") + ">", "".join(rng.choices("nsew", k=LENGTH))

    policy = toys.tiny_policy("nsew123456>", seed, width=48)
    toys.teach(policy, walks, steps=100, rate=3e-3)

    def success() -> float:
        (texts,) = toys.sampled(policy, [GOAL + ">"], each=256, tokens=LENGTH)
        return sum(MARKS[GOAL] in path(text) for text in texts) / len(texts)

    walked = sum(len(text) == LENGTH for text in toys.sampled(policy, [GOAL + ">"], each=64, tokens=LENGTH)[0])
    assert walked > 56 and success() < 0.2, f"the warm-up did not teach to walk at random: {walked}, {success():.2f}"
    warm = toys.weights_of(policy)
    SIGNALS["weak"] = weak_reward(seed)
    everywhere, goal = [{"prompt": mark + ">"} for mark in MARKS], [{"prompt": GOAL + ">"} for _ in range(8)]
    results = {}
    for name, signals in WAYS.items():
        policy.model.load_state_dict(warm)
        options = {"max_new_tokens": LENGTH, "prompts_per_step": 8, "loss": {"entropy_bonus": 0.05}}
        if signals:
            first = {"reward": {"source": "none"}, "signals": signals, "steps": FIRST}
            toys.train_on(policy, everywhere, reaches, seed=seed, **options, **first)
        curve: list[float] = []
        toys.train_on(policy, goal, reaches, seed=seed, steps=SECOND, every=10,
                      each=lambda _, to=curve: to.append(success()), **options)  # fmt: skip
        results[name] = [curve[step // 10] for step in SHOWN]
    return results


if __name__ == "__main__":
    toys.main(__doc__, run, columns=[f"success after {step} updates of the second phase" for step in SHOWN])
