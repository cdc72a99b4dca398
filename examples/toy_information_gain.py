"""IGPO in miniature: a look-up in three hops, with and without the gain of each turn.

    python examples/toy_information_gain.py --seeds 0-4

A door shows one of five letters, the policy says one; the right partner opens it and shows a digit, any other shows "?". After three
doors it answers the three digits. The warm policy says letters at random and answers what it saw. The outcome is the
share of right digits (GRPO), or 1 for all three and else 0, and beside it, or not, the information gain of each door. Counted: answers
that are wholly right, at temperature 1.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
import toys

from rlar.tool import Resources
from rlar.trainer.config import EnvironmentConfig, LossConfig
from rlar.trainer.data import TrainRow
from rlar.trainer.environments.base import Completion, Environment, Step
from rlar.trainer.environments.play import Player
from rlar.trainer.loss import policy_loss_backward
from rlar.trainer.model.policy import Policy
from rlar.trainer.model.scratch import supervised_rollouts
from rlar.trainer.rollout import LocalSampler
from rlar.trainer.sampling.session import Draw
from rlar.types import Example, Message

LETTERS, DIGITS, DOORS = "abcde", "0123456789", 3
PARTNER = dict(zip(LETTERS, "cdeab", strict=True))
STEPS, EVERY = 120, 20
GAIN = {"information_gain": {"weight": 1.0, "answer": "={answer}"}}
WAYS = {
    "share of digits": ("share", {}),
    "share of digits + gain": ("share", GAIN),
    "all or nothing": ("all", {}),
    "all or nothing + gain": ("all", GAIN),
}


class Doors(Environment):
    """Shows a letter, then what its door hides and the next letter, then "=" for the answer."""

    reward = "environment"

    def __init__(self, resources: Resources, *, pays: str = "share") -> None:
        super().__init__(resources)
        self.pays = pays

    def reset(self, row: Example, seed: int) -> Sequence[Message]:
        """The first letter."""
        self.letters, self.digits, self.door = str(row.columns["letters"]), str(row.reference), 0
        return [Message(role="user", content=self.letters[0])]

    def step(self, completion: Completion) -> Step:
        """A digit or "?", and what comes next; the share of right digits for the answer, or 1 for all."""
        if self.door == DOORS:
            share = sum(one == other for one, other in zip(completion, self.digits, strict=False)) / DOORS
            return Step((), float(completion == self.digits) if self.pays == "all" else share, True)
        opens = str(completion) == PARTNER[self.letters[self.door]]
        shown = self.digits[self.door] if opens else "?"
        self.door += 1
        return Step([Message(role="user", content=shown + (self.letters + "=")[self.door])])


def rows_of(rng: random.Random, count: int) -> list[dict]:
    return [{"prompt": letters[0], "letters": letters, "reference": digits} for letters, digits in (
        ("".join(rng.choices(LETTERS, k=DOORS)), "".join(rng.choices(DIGITS, k=DOORS))) for _ in range(count))]  # fmt: skip


def teach(policy: Policy, rng: random.Random, *, steps: int, rate: float = 4e-3) -> None:
    """Episodes with random letters, and answers that copy what was seen."""
    optimiser = torch.optim.AdamW(policy.parameters(), lr=rate, weight_decay=0.0)
    ids = lambda text: policy.tokenizer(text)["input_ids"]  # noqa: E731
    end = policy.eos_ids[0]
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 40) * (1 - 0.9 * step / steps)
        pairs, wrote = [], []
        for row in rows_of(rng, 64):
            tokens, mine, answer = [], [], ""
            for door, letter in enumerate(row["letters"]):
                # half of the letters are right, or nothing is ever seen that could be copied
                said = PARTNER[letter] if rng.random() < 0.5 and step < 0.75 * steps else rng.choice(LETTERS)
                digit = row["reference"][door] if said == PARTNER[letter] else "?"
                answer += rng.choice(DIGITS) if digit == "?" else digit
                shown = ids(digit + (row["letters"] + "=")[door + 1])
                tokens += [*ids(said), end, *shown]
                mine += [True, True, *[False] * len(shown)]
            tokens += [*ids(answer), end]
            pairs.append((ids(row["prompt"]), tokens))
            wrote.append(mine + [True] * (DOORS + 1))
        given = supervised_rollouts(policy, pairs)
        weights = torch.tensor(wrote).float()
        policy_loss_backward(policy, given, weights, config=LossConfig(), token_budget=16_384)
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def run(seed: int) -> dict[str, list[float]]:
    """Share of answers that are wholly right, by update and on average over the run."""
    rng = random.Random(seed)
    policy = toys.tiny_policy(LETTERS + DIGITS + "?=", seed)
    teach(policy, rng, steps=400)
    rows, tests = rows_of(rng, 256), rows_of(random.Random(99), 200)
    with Resources() as resources:
        player = Player(EnvironmentConfig(name=f"{__name__}:Doors"), policy, LocalSampler(policy), resources)
        asked = [
            TrainRow(Example(id=str(n), prompt=(Message(role="user", content=row["prompt"]),), reference=row["reference"],
                             references=(row["reference"],), columns={"letters": row["letters"]}), "", ())
            for n, row in enumerate(tests)
        ]  # fmt: skip

        def right() -> tuple[float, float]:
            """Wholly right answers; and of digits that were seen, those that are answered."""
            draw = Draw(max_new_tokens=4, generator=torch.Generator().manual_seed(5))
            played = player.sample(asked, draw, group_size=1, seeds=[0] * len(asked))
            whole, seen, copied = 0, 0, 0
            for row, episode in zip(tests, played.all_episodes(), strict=True):
                answer = episode.policy_turns[-1].text
                shown = [turn.text[0] for turn in episode.turns if turn.writer == "environment"]
                whole += answer == row["reference"]
                seen += sum(digit != "?" for digit in shown)
                copied += sum(digit != "?" and digit == said for digit, said in zip(shown, answer, strict=False))
            return whole / len(tests), copied / max(seen, 1)

        start, skill = right()
        assert skill > 0.9, f"the warm-up did not teach to answer what was seen: {skill:.2f}"
        warm, results = toys.weights_of(policy), {}
        for name, (pays, signals) in WAYS.items():
            policy.model.load_state_dict(warm)
            curve: list[float] = []
            log = toys.train_on(policy, rows, lambda *_: None, seed=seed, steps=STEPS, every=EVERY, max_new_tokens=4,
                                prompts_per_step=8, signals=signals, environment={"name": f"{__name__}:Doors", "pays": pays},
                                each=lambda _, to=curve: to.append(right()[0]))  # fmt: skip
            cost = sorted(row["seconds"]["update"] + row["seconds"]["generate"] for row in log)[len(log) // 2]
            results[name] = [start, curve[2], curve[-1], sum(curve) / len(curve), 1000 * cost]
    return results


if __name__ == "__main__":
    columns = ("right before", "right after 40 updates", "right after 120 updates", "mean over the run", "ms a step")
    toys.main(__doc__, run, columns=columns)
