"""Intuitor in miniature: what is learnt from certainty alone, and how a frozen judge of certainty is hacked.

    python examples/toy_certainty.py --seeds 0-4

64 questions with three-digit answers. The warm policy gives the right one in 40% of the cases and random digits in the others; in
the second part, one and the same wrong answer to a question. Trained 100 updates on: the right answer (gold), certainty of the
policy as it is (online), certainty as the warm policy judges it (offline; this signal is made here, because it is known to fail),
without a KL term and with one. Counted: the share of right answers at temperature 1.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import toys

from rlar.trainer.context import Context
from rlar.trainer.credit import Credit
from rlar.trainer.model.logprob import self_certainty, token_statistic
from rlar.trainer.model.policy import Policy
from rlar.trainer.signals import SIGNALS, Signal

LETTERS, DIGITS = "abcdefgh", "0123456789"
QUESTIONS = [one + other + ">" for one in LETTERS for other in LETTERS]
RIGHT_SHARE = 0.4
STEPS = 100
SHOWN = (0, 20, 40, 100)
WAYS = {
    "gold": ({}, 0.0),
    "certainty": ({"signals": {"certainty": 1.0}, "reward": {"source": "none"}}, 0.0),
    "certainty, KL": ({"signals": {"certainty": 1.0}, "reward": {"source": "none"}}, 0.5),
    "offline": ({"signals": {"offline": 1.0}, "reward": {"source": "none"}}, 0.0),
    "offline, KL": ({"signals": {"offline": 1.0}, "reward": {"source": "none"}}, 0.5),
}


def judged_by(judge: Policy) -> Signal:
    """Certainty as another policy sees it."""

    def offline(context: Context) -> Credit:
        known = len(judge.tokenizer)
        values = token_statistic(judge, context.rollouts, lambda logits, _tokens: self_certainty(logits, known=known))
        return Credit(values.double().sum(1) / context.rollouts.action_counts_N)

    return offline


def accuracies(seed: int, *, is_fixed: bool, ways: dict, steps: int = STEPS) -> Iterator[tuple[str, list[float]]]:
    """Of every way of training, the share of right answers at the start and every 20 updates."""
    rng = random.Random(seed)

    def digits() -> str:
        return "".join(rng.choice(DIGITS) for _ in range(3))

    right, other = {each: digits() for each in QUESTIONS}, {each: digits() for each in QUESTIONS}

    def draw(count: int) -> Iterator[tuple[str, str]]:
        for question in rng.choices(QUESTIONS, k=count):
            wrong = other[question] if is_fixed else digits()
            yield question, right[question] if rng.random() < RIGHT_SHARE else wrong

    policy = toys.tiny_policy(LETTERS + DIGITS + ">", seed)
    toys.teach(policy, draw, steps=600)

    def accuracy() -> float:
        groups = zip(QUESTIONS, toys.sampled(policy, QUESTIONS, tokens=5), strict=True)
        hits = [text == right[question] for question, texts in groups for text in texts]
        return sum(hits) / len(hits)

    assert 0.25 < accuracy() < 0.6, f"the warm-up did not teach what it should: right {accuracy():.2f}"
    warm = toys.weights_of(policy)
    SIGNALS["offline"] = judged_by(policy.reference())
    rows = [{"prompt": question, "reference": right[question]} for question in QUESTIONS]
    for name, (settings, beta) in ways.items():
        policy.model.load_state_dict(warm)
        curve: list[float] = []
        options = {"steps": steps, "max_new_tokens": 5, "learning_rate": 5e-4, "loss": {"beta": beta}, **settings}
        toys.train_on(
            policy, rows, toys.is_reference, seed=seed, each=lambda _, to=curve: to.append(accuracy()), **options
        )
        yield name, curve


def run(seed: int) -> dict[str, list[float]]:
    """The accuracies shown, by way of training."""
    one_answer = {name: WAYS[name] for name in ("gold", "certainty, KL")}
    curves = dict(accuracies(seed, is_fixed=False, ways=WAYS))
    limit = {f"{name}; wrong is one": curve for name, curve in accuracies(seed, is_fixed=True, ways=one_answer)}
    return {name: [curve[step // 20] for step in SHOWN] for name, curve in {**curves, **limit}.items()}


if __name__ == "__main__":
    toys.main(__doc__, run, columns=[f"right after {step} updates" for step in SHOWN])
