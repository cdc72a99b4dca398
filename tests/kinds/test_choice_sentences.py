"""Sentences that choose, and sentences that do not: each with right and wrong options in either place.

A sentence that chooses R scores 1.0 when R is the right option and 0.0 when it is the other one that it names.
"""

from __future__ import annotations

import pytest

from tests.kinds.conftest import Scored

OPTIONS = {"A": "copper", "B": "zinc", "C": "iron", "D": "lead", "E": "tin"}
SETS = [("C", "A"), ("A", "D"), ("E", "B")]
"""(chosen letter, another letter)"""

CHOOSE = [
    "{r}", "({r})", "{r}.", "**{r}**", "Option {r}", "option {r}", "Option_{r}", r"Option\_{r}", r"\boxed{{{r}}}", r"\boxed{{\text{{{r}}}}}", "{R}", "{R}.", "{r}) {R}", "{r}: {R}",
    "It is {R}.", "It is {R}, not {W}.", "It's not {W}, it's {R}.", "{W} is heavier, but the metal in question is {R}.", "Most people say {W}, yet it is {R}.",
    "The metal is {R}, which is lighter than {W}.", "{W} is not a candidate. {R} is.", "{R}, because {W} melts too early.", "{R}, since {W} and copper-nickel are alloys.",
    "Although {W} comes to mind, it is {R}.", "The answer is {R} rather than {W}.", "Unlike {W}, {R} fits.", "One could think of {W}, but that does not hold.\n\nThe answer is {r}.",
    "I'd go with {r}.", "I would choose {r}, as {w} has the wrong mass.", "My choice: {r}", "Choice: {r}", "Verdict: {r}", "Selection: ({r})", "I pick option {r}.", "So the correct one is {r}.",
    "{r} is correct. {w} is not.", "{w} is wrong because it melts early.\n{r} is the right one because it does not.\nThe others are alloys.", "Let us see. {w} fails the test, so {r} is the best option.",
    "We can rule out {w}. Therefore {r}.", "{w} can be ruled out, so it must be {r}.", "Answer: {r} ({R})", "ANSWER: $\\text{{{r}}}$", "The ratio is \\boxed{{0.5}}.\n\nAnswer: {r}",
    "We have \\boxed{{\\alpha \\ll \\beta W}}.\n\n**Answer: {r}**", "No doubt: {R}.", "There is no question that it is {R}.", "Neither {w} nor any alloy works; the answer is {r}.",
    "Many would say {W}. However, the right answer is {R}.", "Die Antwort ist {r}.", "Es ist nicht {W}, sondern {R}.", "Ce n'est pas {W} mais {R}.", "No es {W}, sino {R}.", "答案是{r}。", "不是{w}，而是{r}。", "选{r}。",
    "Thinking about it: the mass is 3.5 g.\n\nFinal answer: {r}", "{R} is the correct answer.", "Clearly {R} is right and {W} is wrong.", "The first thought is {w}. After checking, I choose {r}.",
]  # fmt: skip
NOT_CHOOSE = [
    "{r} or {w}", "{R} or {W}", "option {r} or option {w}", "The answer is option {r} or option {w}.", "either {r} or {w}", "{r}, {w}", "{r} and {w}", "{r}/{w}", "{r}{w}", "It could be {R} or perhaps {W}.",
    r"\boxed{{{r} or {w}}}", r"\boxed{{{r}}} \boxed{{{w}}}", "{r}\n{w}", "The answer is {r}. The answer is {w}.", "not {r}", "It is not {R}.", "{R} is wrong.", "{R} can be ruled out.", "It isn't {r}.",
    "I doubt that it is {R}.", "Anything but {R}.", "{r}) {W}", "Answer: {r}, {w}", "none of them", "I cannot tell.", "A B C D E", "copper zinc iron lead tin", "Some people think that it is {R}.", "Es ist nicht {R}.", "不是{R}。",
    "{R}? No, {W}.", "Answer: {r} or {w} or both", "Options {r} and {w}", "{R}, {W} or both", "{r} as well as {w}",
]  # fmt: skip


def _fill(sentence: str, chosen: str, other: str) -> str:
    return sentence.format(r=chosen, w=other, R=OPTIONS[chosen], W=OPTIONS[other])


@pytest.mark.parametrize("sentence", CHOOSE)
@pytest.mark.parametrize(("chosen", "other"), SETS)
def test_a_sentence_chooses_what_it_says(scored: Scored, sentence: str, chosen: str, other: str) -> None:
    said = _fill(sentence, chosen, other)
    assert scored("choice", said, chosen, options=OPTIONS).value == 1.0
    assert scored("choice", said, other, options=OPTIONS).value == 0.0


@pytest.mark.parametrize("sentence", NOT_CHOOSE)
@pytest.mark.parametrize(("chosen", "other"), SETS)
def test_what_names_several_or_denies_chooses_nothing(scored: Scored, sentence: str, chosen: str, other: str) -> None:
    score = scored("choice", _fill(sentence, chosen, other), chosen, options=OPTIONS)
    assert score.value in {0.0, None}
