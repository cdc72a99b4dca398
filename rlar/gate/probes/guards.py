"""Probes for guards: natural text of the task must never be called broken; at least one kind of broken text must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from rlar.gate.probe import Probe, ProbeSet
from rlar.kinds.texts import NATURAL, OTHER_LANGUAGES, REFUSALS
from rlar.text.language import identify
from rlar.types import Example, JsonObject, Sample, TaskSpec

_FOREIGN = sorted(OTHER_LANGUAGES)


def guard_probes(
    task: TaskSpec, examples: Sequence[Example], *, bind: Callable[[Example], JsonObject], seed: int
) -> ProbeSet:
    """References, texts of other rows and short answers of many shapes against empty, repeating, echoing, foreign ones."""
    probes: list[Probe] = []
    for index, example in enumerate(examples):
        rng = Random(f"{seed}:{example.key}:guard")
        binding = bind(example)
        spoken = identify(example.text).code
        natural = [("reference", reference) for reference in example.references[:1]]
        if not natural:
            natural += _natural(example, rng)
            if not natural:
                continue
        broken = [
            ("empty", ""),
            ("whitespace_only", " \n\t \n"),
            ("prompt_echo", example.text),
            ("repeated_word", "really " * 300),
            ("repeated_sentence", "I think that this is a very good question indeed. " * 60),
            ("repeated_character", "a" * 2000),
            ("refusal", rng.choice(REFUSALS)),
            ("other_language", OTHER_LANGUAGES[rng.choice([code for code in _FOREIGN if code != spoken])]),
            ("only_thinking", "<think>\nLet me see what this is about.\n"),
        ]
        for kind, text in natural:
            probes.append(
                Probe("oracle", kind, Sample.of(example, text, binding), "high", example.id, index, natural[0][0])
            )
        for kind, text in broken:
            probes.append(
                Probe("floor", kind, Sample.of(example, text, binding), "low", example.id, index, natural[0][0])
            )
    return ProbeSet(tuple(probes), len(examples), ())


def _natural(example: Example, rng: Random) -> list[tuple[str, str]]:
    """Natural answers in the prompt's language, as far as it can be told."""
    language = identify(example.text).code
    if language in {"en", ""}:
        return [("natural", text) for text in rng.sample(NATURAL, 4)]
    return [("natural", OTHER_LANGUAGES[language])] if language in OTHER_LANGUAGES else []
