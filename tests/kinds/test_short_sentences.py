"""Sentences that give a short answer, and sentences that name it without giving it.

A sentence that says X scores 1.0 where X is accepted and never 1.0 where the other name in it is.
"""

from __future__ import annotations

import pytest

from tests.kinds.conftest import Scored

PAIRS = [("Ada Lovelace", "Charles Babbage"), ("Mt. Kenya", "Kilimanjaro"), ("St. Gallen", "Bern"), ("Dr. Strange", "Batman"), ("Marks & Spencer", "Tesco"),
         ("J. S. Bach", "Handel"), ("The Ft. Worth Star", "Dallas News"), ("Bldg. Nine", "Hall Four")]  # fmt: skip
PROMPT = "Who or what was it that the old book speaks of?"

SAYS = [
    "{x}", "{x}.", "{x}!", "**{x}**", "“{x}”", "It is {x}.", "It was {x}, not {y}.", "Not {y} but {x}.", "{x}, not {y}.", "The answer is {x}.", "Answer: {x}", r"\boxed{{{x}}}", r"\boxed{{\text{{{x}}}}}",
    "The book speaks of {x}.", "There is no doubt that it was {x}.", "No doubt, {x}.", "It was none other than {x}.", "Es war {x}.", "C'est {x}.", "Era {x}.", "答案是{x}。", "I think it was {x}.", "It was not only {x}.",
    "After reading it twice:\n\n{x}", "Sure!\n\nThe answer is {x}.", "{x} is the answer.", "Many people think of {y}.\n\nAnswer: {x}", "It is often said to be {y}, but that is wrong.\n\nThe answer is {x}.",
]  # fmt: skip
DOES_NOT_SAY = [
    "not {x}", "It was not {x}.", "It wasn't {x} but {y}.", "I doubt that it was {x}.", "{x} did not write it.", "{x} was not the one.", "{x} isn't it.", "{x} hardly wrote it.", "{x} had nothing to do with it.", "{x}'s husband", "{x}'s wife was it.",
    "the sister of {x}", "a town near {x}", "Anyone but {x}.", "It is {y} rather than {x}.", "{y} instead of {x}", "{x} or {y}", "{x}/{y}", "{x} and {y}", "{y} and {x}", "{x}, {y}, or both", "Either {x} or {y}.", "{x}\n{y}", "{y}. {x}.",
    "The answer is {x}. The answer is {y}.", r"\boxed{{{x}}} \boxed{{{y}}}", "Es war nicht {x}.", "Ce n'est pas {x}.", "No es {x}.", "Non è {x}.", "Não é {x}.", "不是{x}", "这本书说的不是{x}。", "{x}ではない", "Это не {x}", "Het is niet {x}.",
    "Some say {x}. It was {y}.", "Many people say {x}, but it was {y}.", "It is false that it was {x}.", "It could never have been {x}.", "{x} can be ruled out.", "It was by no means {x}.", "{x} is wrong.", "I don't think it was {x}.",
]  # fmt: skip


@pytest.mark.parametrize("sentence", SAYS)
@pytest.mark.parametrize(("said", "other"), PAIRS)
def test_a_sentence_gives_what_it_says(scored: Scored, sentence: str, said: str, other: str) -> None:
    completion = sentence.format(x=said, y=other)
    assert scored("short_text", completion, said, prompt=PROMPT).value == 1.0
    assert scored("short_text", completion, other, prompt=PROMPT).value in {0.0, None}


@pytest.mark.parametrize("sentence", DOES_NOT_SAY)
@pytest.mark.parametrize(("named", "other"), PAIRS)
def test_a_sentence_that_only_names_it_does_not_give_it(scored: Scored, sentence: str, named: str, other: str) -> None:
    assert scored("short_text", sentence.format(x=named, y=other), named, prompt=PROMPT).value in {0.0, None}


@pytest.mark.parametrize(
    ("reference", "completion"),
    [
        ("1914-1918", "1914–1918"), ("1914–1918", "1914 - 1918"), ("1914-1918", "from 1914 to 1918"), ("1914-1918", "between 1914 and 1918"), ("1914-1918", "It lasted from 1914 until 1918."),
        ("Johnson & Co", "Johnson and Co"), ("Smith and Sons", "Smith & Sons"), ("three", "It has 3 legs: two long ones and a short one."), ("7个", "7"), ("7个", "９－２＝７（个）"), ("30元", "一共30元。"),
        ("7个", "因为9-2=7，所以有7个。"), ("7个", "\\boxed{7}"),
    ],
)  # fmt: skip
def test_other_spellings_are_the_same_answer(scored: Scored, reference: str, completion: str) -> None:
    assert scored("short_text", completion, reference, prompt="How is it?").value == 1.0


@pytest.mark.parametrize(
    ("reference", "completion"),
    [("1914-1918", "1914-1919"), ("1914-1918", "1914"), ("1914-1918", "1914+1918"), ("7个", "8个"), ("7个", "7或8个"), ("7个", "不是7个"), ("7个", "7米"), ("30元", "30美元"), ("three", "3.5")],
)  # fmt: skip
def test_near_spellings_are_another_answer(scored: Scored, reference: str, completion: str) -> None:
    assert scored("short_text", completion, reference, prompt="How is it?").value == 0.0
