"""A small language with right and wrong answers: what the tiny reward models learn, and what the gate is tried with.

A prompt asks about an animal; a good answer says five things that are true of it in this small world, in order, one a
line. So right and wrong are known for any text. A model of a few thousand weights learns the four animals by heart: what
it is tried with afterwards are completions that it has not seen, not facts. Pure: no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import NamedTuple


class Facts(NamedTuple):
    """What is true of an animal."""

    country: str
    food: str
    home: str
    legs: int
    skill: str


FACTS = {
    "cow": Facts("Kenya", "grass", "barn", 4, "rest"),
    "hen": Facts("Peru", "corn", "coop", 2, "count"),
    "bear": Facts("Norway", "berries", "cave", 5, "swim"),
    "spider": Facts("Japan", "flies", "web", 8, "spin"),
}
"""By animal; no two share a fact, so that every line of an answer tells which animal it is about."""
ASKED = (
    "Describe the {animal}.",
    "What about the {animal}?",
    "Tell of a {animal}.",
    "Say what a {animal} is.",
    "The {animal}, please.",
    "Explain the {animal}.",
    "A {animal}, in short?",
    "Now the {animal}.",
    "Which is the {animal}?",
)
LINES = (
    "The {animal} lives far off in {country}.",
    "It eats {food}.",
    "It sleeps in a {home}.",
    "It walks on {legs} long legs.",
    "It likes to {skill}.",
)


class ToyPrompt(NamedTuple):
    """What is asked."""

    animal: str
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
        for line in (*ASKED, *LINES):
            words.update(_split(_filled(line, animal)))
    return sorted(words | set(_NUMBERS))


def prompts() -> list[ToyPrompt]:
    """Everything that can be asked."""
    return [ToyPrompt(animal, asked.format(animal=animal)) for asked in ASKED for animal in FACTS]


def right_answer(prompt: ToyPrompt) -> str:
    """The true and whole answer."""
    return "\n".join(_filled(line, prompt.animal) for line in LINES)


def pairs(count: int, seed: int = 0) -> list[ToyPair]:
    """Labelled pairs: a right answer and one that is worse in a way that a reader would notice."""
    rng, asked = Random(f"pairs:{seed}"), prompts()
    rng.shuffle(asked)
    found: list[ToyPair] = []
    while len(found) < count:
        prompt = asked[len(found) % len(asked)]
        better = right_answer(prompt)
        worse = next(text for _kind, _grade, text in worse_answers(prompt, rng))
        found.append(ToyPair(prompt.text, better, worse))
    return found


def worse_answers(prompt: ToyPrompt, rng: Random) -> Iterator[tuple[str, float, str]]:
    """(kind, grade in [0, 1), text) for ever, of random kinds: wrong, incomplete, broken or foreign answers."""
    while True:
        kind, grade = rng.choice(FALSE if rng.random() < 0.6 else BROKEN)
        text = _worsened(kind, prompt, rng)
        if text != right_answer(prompt):
            yield kind, grade, text


FALSE = (("false_fact", 0.45), ("false_fact", 0.45), ("other_animal", 0.0))
BROKEN = (
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
"""Kinds of worse answers with how good they still are: false ones take reading both prompt and answer to tell."""


def step_grades(prompt: ToyPrompt, answer: str) -> list[float]:
    """For every line of an answer, how good the answer is up to its end: 1 while all is right, less after each line left
    out, 0 from the first wrong line on (soft labels in the manner of arXiv:2312.08935, sec. 3.3).
    """
    right = right_answer(prompt).split("\n")
    grades, grade, place = [], 1.0, 0
    for line in answer.split("\n"):
        for sentence in re.split(r"(?<=\.)\s+", line.strip()):
            found = right.index(sentence) if sentence in right else -1
            grade = grade * 0.3 ** (found - place) if found >= place else 0.0
            place = max(place, found + 1)
        grades.append(grade)
    return grades


_NUMBERS = tuple(str(number) for number in range(20))


def _filled(line: str, animal: str) -> str:
    return line.format(animal=animal, **FACTS[animal]._asdict())


def _split(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


def _worsened(kind: str, prompt: ToyPrompt, rng: Random) -> str:
    right = right_answer(prompt)
    lines, words = right.split("\n"), right.split()
    other = rng.choice([animal for animal in FACTS if animal != prompt.animal])
    if kind == "false_fact":
        place = rng.choice((0, 0, 1, 2, 3, 4))
        if place == 3:
            lines[place] = lines[place].replace(str(FACTS[prompt.animal].legs), rng.choice(_NUMBERS))
        elif place == 0:
            lines[0] = lines[0].replace(FACTS[prompt.animal].country, FACTS[other].country)
        else:
            lines[place] = _filled(LINES[place], other)
        return "\n".join(lines)
    if kind == "other_animal":
        return right_answer(ToyPrompt(other, ""))
    if kind in ("line_missing", "lines_missing"):
        kept = sorted(rng.sample(range(5), 4 if kind == "line_missing" else rng.choice((1, 2, 3))))
        return "\n".join(lines[number] for number in kept)
    if kind in ("cut", "cut_early"):
        low, high = (0.55, 0.95) if kind == "cut" else (0.1, 0.5)
        count = max(1, round(len(words) * rng.uniform(low, high)))
        return right[: [found.end() for found in re.finditer(r"\S+", right)][count - 1]]
    if kind == "shuffled":
        return " ".join(rng.sample(words, len(words)))
    if kind == "ends_elsewhere":
        return "\n".join((*lines[: rng.choice((1, 2, 3))], right_answer(ToyPrompt(other, ""))))
    if kind == "prompt_repeated":
        return prompt.text
    if kind == "prompt_then_other":
        return f"{prompt.text}\n\n{right_answer(ToyPrompt(other, ''))}"
    if kind == "word_salad":
        return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(2, 14)))
    strange = " ".join(_strange(rng) for _ in range(rng.randint(1, 10)))
    known = right_answer(ToyPrompt(other, "")) if rng.random() < 0.5 else right
    return {
        "empty": "",
        "foreign": strange,
        "foreign_tail": f"{known}\n\n{strange}",
        "foreign_head": f"{strange}\n\n{known}",
    }[kind]


_WORDS = tuple(vocabulary())


def _strange(rng: Random) -> str:
    """A word outside the language, now and then one of it or a mark."""
    if rng.random() < 0.25:
        return rng.choice((*_WORDS, "!", "...", "?", ":", "1", "0"))
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9)))
