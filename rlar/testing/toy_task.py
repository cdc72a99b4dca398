"""A small language with right and wrong answers: what the tiny reward models learn, and what the gate is tried with.

A prompt asks about an animal of a country; a good answer says four true things about it, in order, one a line. Every
fact can be checked, so that right and wrong are known for any text. Models of a few thousand weights see every animal
with every country while they learn: what they are tried with are other completions, not other facts. Pure: no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

FACTS: dict[str, tuple[str, str, int]] = {
    "cow": ("grass", "barn", 4),
    "hen": ("corn", "coop", 2),
    "bear": ("berries", "cave", 4),
    "spider": ("flies", "web", 8),
    "ant": ("leaves", "mound", 6),
    "owl": ("mice", "tree", 2),
}
"""Animal -> food, home, legs."""
COUNTRIES = ("Kenya", "Peru", "Norway", "Japan", "Egypt", "Chile")
ASKED = ("Describe the {animal} of {country}.", "What about a {animal} from {country}?")
FIRST = ("The {animal} of {country}.", "A {animal} from {country}.")
REST = ("It eats {food}.", "It sleeps in a {home}.", "It has {legs} legs.")


class ToyPrompt(NamedTuple):
    """What is asked."""

    animal: str
    country: str
    text: str


class ToyPair(NamedTuple):
    """Two completions of one prompt of which the first is better."""

    prompt: str
    better: str
    worse: str


def vocabulary() -> list[str]:
    """Every word and mark of the language, sorted."""
    words: set[str] = set()
    for animal in FACTS:
        for country in COUNTRIES:
            for line in (*ASKED, *FIRST, *REST):
                words.update(_split(_filled(line, animal, country)))
    return sorted(words | {str(number) for number in range(20)})


def prompts() -> list[ToyPrompt]:
    """Everything that can be asked."""
    return [
        ToyPrompt(animal, country, asked.format(animal=animal, country=country))
        for animal in FACTS
        for country in COUNTRIES
        for asked in ASKED
    ]


def right_answer(prompt: ToyPrompt, rng: Random) -> str:
    """A true and whole answer."""
    return "\n".join(_filled(line, prompt.animal, prompt.country) for line in (rng.choice(FIRST), *REST))


def pairs(count: int, seed: int = 0) -> list[ToyPair]:
    """Labelled pairs: a right answer and one that is worse in a way that a reader would notice."""
    rng, asked = Random(f"pairs:{seed}"), prompts()
    rng.shuffle(asked)
    found = []
    while len(found) < count:
        prompt = asked[len(found) % len(asked)]
        better = right_answer(prompt, rng)
        worse = next(text for _kind, _grade, text in worse_answers(prompt, better, rng) if text != better)
        found.append(ToyPair(prompt.text, better, worse))
    return found


def worse_answers(prompt: ToyPrompt, right: str, rng: Random) -> Iterator[tuple[str, float, str]]:
    """(kind, grade in [0, 1), text) for ever, of random kinds: wrong, incomplete, broken or foreign answers."""
    while True:
        kind, grade = rng.choice(WORSE)
        yield kind, grade, _worsened(kind, prompt, right, rng)


WORSE = (
    *(("false_fact", 0.5),) * 4,
    *(("other_animal", 0.1),) * 2,
    ("other_country", 0.3),
    ("line_missing", 0.5),
    ("line_missing", 0.5),
    ("lines_missing", 0.2),
    ("cut", 0.4),
    ("cut_early", 0.15),
    ("shuffled", 0.1),
    ("ends_elsewhere", 0.1),
    ("prompt_repeated", 0.0),
    ("prompt_then_other", 0.0),
    ("empty", 0.0),
    ("foreign", 0.0),
    ("foreign_tail", 0.0),
    ("foreign_head", 0.0),
    ("word_salad", 0.0),
)
"""Kinds of worse answers with how good they still are."""


def step_labels(prompt: ToyPrompt, answer: str) -> list[bool]:
    """For every line of an answer: whether it says what a right answer says at this place."""
    animal, country = prompt.animal, prompt.country
    allowed = [{_filled(line, animal, country) for line in FIRST}, *({_filled(line, animal, country)} for line in REST)]
    lines = answer.split("\n")
    return [number < len(allowed) and line in allowed[number] for number, line in enumerate(lines)]


def _filled(line: str, animal: str, country: str) -> str:
    food, home, legs = FACTS[animal]
    return line.format(animal=animal, country=country, food=food, home=home, legs=legs)


def _split(text: str) -> list[str]:
    return text.lower().replace(".", " . ").replace("?", " ? ").split()


def _other(rng: Random, mine: str, among: tuple[str, ...]) -> str:
    return rng.choice([each for each in among if each != mine])


def _worsened(kind: str, prompt: ToyPrompt, right: str, rng: Random) -> str:
    lines, words = right.split("\n"), right.split()
    animal, country = prompt.animal, prompt.country
    other = ToyPrompt(_other(rng, animal, tuple(FACTS)), rng.choice(COUNTRIES), "")
    if kind == "false_fact":
        place = rng.choice((0, 0, 1, 2, 3))
        if place == 0:
            lines[0] = lines[0].replace(country, _other(rng, country, COUNTRIES))
        elif place == 3:
            lines[3] = lines[3].replace(str(FACTS[animal][2]), _other(rng, str(FACTS[animal][2]), _NUMBERS))
        else:
            lines[place] = _filled(REST[place - 1], other.animal, country)
        return "\n".join(lines)
    if kind == "other_animal":
        return right_answer(other, rng)
    if kind == "other_country":
        return right_answer(ToyPrompt(animal, _other(rng, country, COUNTRIES), ""), rng)
    if kind in ("line_missing", "lines_missing"):
        kept = sorted(rng.sample(range(4), 3 if kind == "line_missing" else rng.choice((1, 2))))
        return rng.choice(("\n", " ")).join(lines[number] for number in kept)
    if kind in ("cut", "cut_early"):
        low, high = (0.55, 0.95) if kind == "cut" else (0.1, 0.5)
        return " ".join(words[: max(1, round(len(words) * rng.uniform(low, high)))])
    if kind == "shuffled":
        return " ".join(rng.sample(words, len(words)))
    if kind == "ends_elsewhere":
        return "\n".join((*lines[: rng.choice((1, 2, 3))], right_answer(other, rng)))
    if kind == "prompt_repeated":
        return prompt.text
    if kind == "prompt_then_other":
        return f"{prompt.text}\n\n{right_answer(other, rng)}"
    if kind == "word_salad":
        return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(2, 14)))
    strange = " ".join(_strange(rng) for _ in range(rng.randint(1, 10)))
    known = right_answer(other, rng) if rng.random() < 0.5 else right
    return {
        "empty": "",
        "foreign": strange,
        "foreign_tail": f"{known}\n\n{strange}",
        "foreign_head": f"{strange}\n\n{known}",
    }[kind]


_NUMBERS = tuple(str(number) for number in range(20))
_WORDS = tuple(vocabulary())


def _strange(rng: Random) -> str:
    """A word outside the language, now and then one of it or a mark."""
    if rng.random() < 0.25:
        return rng.choice((*_WORDS, "!", "...", "?", ":", "1", "0"))
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9)))
