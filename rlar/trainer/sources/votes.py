"""Rewards by majority vote: an answer is as good as the answers that say the same, by the task's own verifier (SeRL)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, permutations
from typing import Any

from rlar.answered import answered
from rlar.scoring.routes import RoutedSample
from rlar.scoring.scorer import Scorer
from rlar.text.answers import claims, fold, squeeze, visible_answer
from rlar.types import Example, Reward, RewardStatus

SAME_ABOVE = 0.5
"""A verifier that is given one answer in the reference's place rates an answer that says the same above this."""
Same = Callable[[int, int], bool | None]
"""Whether two of some answers say the same; None: what should have told them apart broke."""


def majority(answers: Sequence[int | None], same: Same) -> list[float | None]:
    """The reward of each answer: whether the answer with the most supporters says the same (arXiv:2505.20347, sec. 3.2).

    Of several with as many supporters the first counts. The relation need not be transitive.

    Args:
        answers: what each completion answers, by number; None: nothing, which supports nobody and gets 0.
        same: between different numbers, either way round.

    Returns:
        One or zero each; None where it cannot be told, and for all where nobody answers.
    """
    distinct = sorted({number for number in answers if number is not None})
    if not distinct:
        return [None] * len(answers)
    equal: dict[tuple[int, int], bool | None] = {(number, number): True for number in distinct}
    for one, other in permutations(distinct, 2):
        equal[one, other] = equal[other, one] if (other, one) in equal else same(one, other)
    given = [number for number in answers if number is not None]
    leader = max(given, key=lambda number: sum(equal[number, other] is True for other in given))
    verdicts = [False if number is None else equal[leader, number] for number in answers]
    return [None if verdict is None else float(verdict) for verdict in verdicts]


def said_answer(completion: str, prompt: str = "") -> str | None:
    """What a completion claims as its final answer: the last claim of the strongest kind; None: nothing."""
    text = visible_answer(answered(completion, prompt).text, prompt)
    read = claims(text, prompt)
    for tier in (read.boxed, read.final, read.cued, read.bold, (read.last_line,)):
        given = [squeeze(claim) for claim in tier if squeeze(claim)]
        if given:
            return given[-1]
    return None


def _with_reference(example: Example, reference: str) -> Example:
    """The row as if this were its reference; columns that hold the row's own are left out."""
    known = {*example.references, example.reference}
    columns = {
        name: value for name, value in example.columns.items() if not isinstance(value, str) or value not in known
    }
    return Example(
        id=example.id,
        prompt=example.prompt,
        reference=reference,
        references=(reference,),
        columns=columns,
        origin=example.origin,
    )


class Votes:
    """Scores like `rlar.scoring.scorer.Scorer`, but groups vote; rows of a known task through their own verifier.

    What the tools say of a row with a reference goes along in `Reward.scores`, and pays nothing. A completion alone is
    scored by the tools: that is an evaluation.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scorer, name)

    def score(self, samples: Sequence[RoutedSample]) -> list[Reward]:
        """One Reward per sample, in order; completions of a row stand side by side."""
        rewards: list[Reward] = []
        for _id, members in groupby(samples, key=lambda sample: (sample.example.id, sample.example.identity)):
            group = list(members)
            rewards += self.scorer.score(group) if len(group) == 1 else self._vote(group)
        return rewards

    def _verified(self) -> set[str]:
        """Tasks whose recipe judges by a reference: it can tell whether two answers say the same."""
        tasks = (task for task in self.scorer.tasks() if task.contract.has_reference)
        return {task.fingerprint for task in tasks if self.scorer.standing(task.fingerprint).recipe is not None}

    def _vote(self, group: Sequence[RoutedSample]) -> list[Reward]:
        example = group[0].example
        fingerprint = group[0].fingerprint or self.scorer.assign([example])[0].fingerprint
        has_verifier = fingerprint in self._verified()
        texts = [said_answer(sample.completion, example.text) for sample in group]
        numbers: dict[str, int] = {}
        answers = [None if text is None else numbers.setdefault(fold(text), len(numbers)) for text in texts]
        first = {number: place for place, number in reversed(list(enumerate(answers))) if number is not None}
        status: RewardStatus = "abstain" if all(answer is None for answer in answers) else "failed"

        verdicts: dict[tuple[int, int], bool | None] = {}
        if has_verifier:
            pairs = list(permutations(first, 2))
            asked = []
            for one, other in pairs:
                reference = texts[first[one]] or ""
                row = _with_reference(example, reference)
                completion = group[first[other]].completion
                asked.append(RoutedSample(example=row, completion=completion, fingerprint=fingerprint))
            for pair, reward in zip(pairs, self.scorer.score(asked) if asked else [], strict=True):
                broke = reward.status in ("failed", "timeout")
                verdicts[pair] = None if broke else (reward.reward or 0.0) > SAME_ABOVE

        def same(one: int, other: int) -> bool | None:
            """Either way round; by text alone where the task has no verifier."""
            ways = [verdicts.get((one, other), False), verdicts.get((other, one), False)]
            return True if True in ways else None if None in ways else False

        watched = self.scorer.score(group) if has_verifier and example.reference is not None else [None] * len(group)
        return [
            Reward(
                reward=value,
                status="ok" if value is not None else status,
                fingerprint=fingerprint,
                scores=() if tools is None else tools.scores,
            )
            for value, tools in zip(majority(answers, same), watched, strict=True)
        ]
