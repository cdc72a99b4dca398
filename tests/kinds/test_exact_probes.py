"""The gate's own probes find the faults that verifiers of numbers and formulas really have: each planted one is caught."""

from __future__ import annotations

import re
from random import Random

import pytest

from rlar.kinds import exact_probes
from rlar.kinds.material import Material, Notes, Row
from rlar.types import AnswerKind
from tests.fakes.probing_tasks import example, task


def material(kind: AnswerKind, prompt: str, reference: str, seed: int = 0) -> Material:
    row_example = example(1, prompt, reference)
    row = Row(
        example=row_example,
        binding={},
        peers=("4242",),
        task=task(kind, [row_example]),
        rng=Random(seed),
        accepted=(reference,),
    )
    made = {AnswerKind.MATH: exact_probes.math, AnswerKind.NUMBER: exact_probes.number}[kind](row, Notes())
    assert made is not None
    return made


def last_box(text: str) -> str:
    found = re.findall(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}", text)
    return found[-1] if found else text.rstrip(".").split()[-1]


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def words_deleted(completion: str, reference: str) -> bool:
    strip = lambda text: re.sub(r"[^\d]", "", re.sub(r"\\text\{[^{}]*\}", "", text))  # noqa: E731
    return strip(last_box(completion)) == strip(reference)


def names_lost(completion: str, reference: str) -> bool:
    return sorted(re.findall(r"-?\d+", last_box(completion))) == sorted(re.findall(r"-?\d+", reference))


def tiny_values_equal(completion: str, reference: str) -> bool:
    exponents = [re.search(r"10\^\{-(\d+)\}", text) for text in (last_box(completion), reference)]
    return all(each is not None and int(each[1]) > 17 for each in exponents) or bare(last_box(completion)) == bare(
        reference
    )


def denials_unread(completion: str, reference: str) -> bool:
    return last_box(completion) == reference


def units_dropped(completion: str, reference: str) -> bool:
    return re.findall(r"\d+", completion) == re.findall(r"\d+", reference)


def value_only(completion: str, reference: str) -> bool:
    """Takes whatever equals the reference at x = 7, so also the problem's own expression."""

    def value(text: str) -> float | None:
        spelled = re.sub(r"(?<=[\dx)])(?=[x(])", "*", text.replace("^", "**").replace("\\cdot", "*").replace(" ", ""))
        if not re.fullmatch(r"[\dx+*()-]+", spelled):
            return None
        return float(eval(spelled, {"__builtins__": {}}, {"x": 7}))  # texts of this file only

    return value(last_box(completion)) is not None and value(last_box(completion)) == value(reference)


def last_guess_counts(completion: str, reference: str) -> bool:
    return re.findall(r"\d+", completion)[-1:] == [reference]


@pytest.mark.parametrize(
    ("verifier", "kind", "prompt", "reference", "probe"),
    [
        (words_deleted, AnswerKind.MATH, "What is $5^2$?", "25", "words_between_digits"),
        (words_deleted, AnswerKind.MATH, "Which digits?", r"3\text{ and }7", "words_left_out"),
        (names_lost, AnswerKind.MATH, "Solve for $p$ and $q$.", "p=4, q=-1", "names_swapped"),
        (tiny_values_equal, AnswerKind.MATH, "How large?", r"3\pi\cdot 10^{-21}", "other_exponent"),
        (denials_unread, AnswerKind.NUMBER, "How many?", "31", "denied"),
        (units_dropped, AnswerKind.MATH, "How far?", r"31\text{ km}", "other_unit"),
        (value_only, AnswerKind.MATH, "Factor $x^2-16$.", "(x-4)*(x+4)", "problem_restated"),
        (value_only, AnswerKind.MATH, r"Compute $12\cdot 13$.", "156", "problem_reordered"),
        (last_guess_counts, AnswerKind.NUMBER, "How many?", "31", "spray_exclaimed"),
    ],
)
def test_a_planted_verifier_rewards_a_probe_that_the_library_refuses(scored, verifier, kind, prompt, reference, probe):
    made = material(kind, prompt, reference)
    assert verifier(f"\\boxed{{{reference}}}", reference), "it does reward the right answer"
    tried = {each.kind: each.text for each in (*made.wrong, *made.hacks)}
    assert verifier(tried[probe], reference)
    assert scored("math", tried[probe], reference, prompt=prompt).value == 0.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("prompt", "reference"),
    [
        ("Factor $x^2-16$.", "(x-4)(x+4)"), ("What is $5^2$?", "25"), ("Solve for $p$ and $q$.", "p=4, q=-1"), ("How far?", r"31\text{ km}"),
        ("How large?", r"3\pi\cdot 10^{-21}"), ("Which digits?", r"3\text{ and }7"), ("Expand $(x+2)^2$.", "x^2+4x+4"),
    ],
)  # fmt: skip
def test_the_library_passes_its_own_probes(scored, prompt, reference, seed):
    made = material(AnswerKind.MATH, prompt, reference, seed)
    for each in (*made.right, *made.same):
        assert scored("math", each.text, reference, prompt=prompt).value == 1.0, each
    for each in (*made.wrong, *made.hacks):
        assert scored("math", each.text, reference, prompt=prompt).value == 0.0, each


def test_an_expression_that_is_not_to_be_rewritten_may_be_the_answer():
    made = material(AnswerKind.MATH, "Which of $x+1$ and $x+2$ is larger?", "x+2")
    assert not {"problem_restated", "problem_reordered"} & {each.kind for each in made.hacks}
