"""A reader that misreads makes its probes from the same misreading: demands written by hand find it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from rlar.kinds.constraints.check import check
from rlar.kinds.constraints.misread import MISREAD
from rlar.kinds.constraints.probes import constraints
from rlar.kinds.constraints.read import Constraint, parse_constraints
from rlar.kinds.constraints.verify import Constraints
from rlar.kinds.material import Notes, Row
from rlar.tool import Resources
from rlar.types import Sample, ToolKind, ToolSpec
from tests.fakes.probing_tasks import constraints_task

TOOL = Constraints(
    ToolSpec(kind=ToolKind.LIBRARY, name="constraints", source="rlar.kinds.constraints.verify:Constraints"),
    Resources(),
)
Reader = Callable[[str], list[Constraint]]


def readable(prompt: str) -> list[Constraint]:
    """Only what a rule hits: the demands that are left over are dropped."""
    return [each for each in parse_constraints(prompt) if each.confidence >= 0.5 and each.strength == "hard"]


def flips_on_a_distant_not(prompt: str) -> list[Constraint]:
    return [
        each.model_copy(update={"kind": "exclude"}) if each.kind == "include" and " not " in prompt else each
        for each in readable(prompt)
    ]


def never_denies(prompt: str) -> list[Constraint]:
    return [
        each.model_copy(update={"kind": "include"}) if each.kind == "exclude" else each for each in readable(prompt)
    ]


def excludes_alternatives(prompt: str) -> list[Constraint]:
    words = [part for part in prompt.split('"')[1::2]] if " or " in prompt else []
    return [Constraint(kind="exclude", params={"phrases": words})] if words else readable(prompt)


def swallows_the_next_verb(prompt: str) -> list[Constraint]:
    if "Include the words" not in prompt:
        return readable(prompt)
    listed = prompt.split("Include the words", 1)[1].strip(" .").replace("avoid the word", "").split(",")
    return [Constraint(kind="include", params={"phrases": [each.strip() for each in listed]})]


PLANTED: dict[str, tuple[Reader, bool]] = {
    "reads_the_readable_part": (readable, False),
    "finds_keywords_inside_words": (readable, True),
    "flips_on_a_distant_not": (flips_on_a_distant_not, False),
    "never_denies": (never_denies, False),
    "excludes_alternatives": (excludes_alternatives, False),
    "swallows_the_next_verb": (swallows_the_next_verb, False),
}


def caught(reader: Reader, *, inside: bool) -> set[str]:
    """Kinds of probes to which a planted reader gives full marks."""
    found = set()
    for each in MISREAD:
        read = reader(f"Write about a mill. {each.demand}")
        keywords = "inside" if inside else "whole"
        if read and all(check(c.kind, c.params, each.broken, keywords).met for c in read):
            found.add(each.kind)
    return found


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_reader_gives_full_marks_to_a_broken_demand(name: str):
    reader, inside = PLANTED[name]
    assert caught(reader, inside=inside) >= ({"misread_inside_words"} if inside else set())
    assert caught(reader, inside=inside), name


def test_the_tool_gives_full_marks_to_none():
    for each in MISREAD:
        score = TOOL.score([Sample(prompt=f"Write about a mill. {each.demand}", completion=each.broken)])[0]
        assert (score.value or 0.0) <= 0.42, each.kind


def test_every_row_brings_them_as_hacks_with_a_prompt_of_their_own():
    task = constraints_task()
    example = task.examples[1]
    binding = {"constraints": [each.model_dump(mode="json") for each in parse_constraints(example.text)]}
    material = constraints(Row(example, binding, (), task, random.Random(0)), Notes())
    assert material is not None
    asked = {hack.kind: hack.prompt for hack in material.hacks if hack.prompt}
    assert set(asked) == {each.kind for each in MISREAD}
    assert all(example.text not in prompt for prompt in asked.values())


def test_what_a_user_chose_by_name_is_not_held_against_the_tool():
    def exempt(**params: object) -> frozenset[str]:
        return Constraints(TOOL.spec.model_copy(update={"params": params}), Resources()).exempt()

    assert exempt() == frozenset()
    assert exempt(keywords="inside") == {"misread_inside_words"}
    assert exempt(partial="flag") == {each.kind for each in MISREAD}
