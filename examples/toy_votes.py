"""SeRL's reward in miniature: majority votes, where they must work and where they must fail.

    python examples/toy_votes.py --seeds 0-4

The 64 questions of toy_certainty.py. The warm policy is right in 40% of the cases; the others are random digits (the right answer
is the one most often given: votes must find it), or one and the same wrong answer to a question (it is not: they must not).
Trained 60 updates on the right answer, on votes, and on votes of groups of medium difficulty. Counted: right answers at temperature 1.
"""

from __future__ import annotations

import toy_certainty
import toys

WAYS = {
    "gold": ({}, 0.0),
    "vote": ({"reward": {"source": "vote"}}, 0.0),
    "vote, .2 to .8": ({"reward": {"source": "vote", "difficulty": [0.2, 0.8]}}, 0.0),
}
SHOWN = (0, 20, 60)


def run(seed: int) -> dict[str, list[float]]:
    """The accuracies shown, by way of training."""
    results = {}
    for is_fixed, what in ((False, "random"), (True, "wrong is one")):
        for name, curve in toy_certainty.accuracies(seed, is_fixed=is_fixed, ways=WAYS, steps=60):
            results[f"{what}: {name}"] = [curve[step // 20] for step in SHOWN]
    return results


if __name__ == "__main__":
    toys.main(__doc__, run, columns=[f"right after {step} updates" for step in SHOWN])
