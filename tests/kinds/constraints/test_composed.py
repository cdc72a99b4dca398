"""Prompts composed of known demands, in other words, orders and scopes: a verdict may be left open, but never wrong."""

from __future__ import annotations

import random
from typing import NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rlar.kinds.constraints.read import Constraint
from rlar.kinds.constraints.verify import Constraints, satisfy, violate
from rlar.tool import Resources
from rlar.types import Sample, ToolKind, ToolSpec
from tests.fakes.examples import examples

TOOL = Constraints(
    ToolSpec(kind=ToolKind.LIBRARY, name="constraints", source="rlar.kinds.constraints.verify:Constraints"),
    Resources(),
)


def value(prompt: str, completion: str) -> float | None:
    return TOOL.score([Sample(prompt=prompt, completion=completion)])[0].value


class Asked(NamedTuple):
    """What is asked, as the writer of probes takes it, and ways to put it."""

    constraint: Constraint
    wordings: tuple[str, ...]


def asked(kind: str, params: dict[str, object], *wordings: str) -> Asked:
    return Asked(Constraint(kind=kind, params=params), wordings)


ASKED: dict[str, Asked] = {
    "words": asked("count", {"unit": "word", "min": 40}, "use at least 40 words", "write no fewer than 40 words", "your response must have 40 words or more", "make it at least forty words long"),
    "sentences": asked("count", {"unit": "sentence", "min": 5, "max": 5}, "write exactly 5 sentences", "answer in exactly five sentences", "there must be exactly 5 sentences"),
    "commas": asked("no_characters", {"characters": ",", "name": "comma"}, "do not use any commas", "avoid commas", "your response must not contain a single comma", "commas are not allowed"),
    "include": asked("include", {"phrases": ["lantern", "gravel"]}, 'include the words "lantern" and "gravel"', "mention both 'lantern' and 'gravel'", 'the words "lantern" and "gravel" must appear'),
    "exclude": asked("exclude", {"phrases": ["river"]}, 'do not use the word "river"', 'the word "river" must not appear', "leave out the word 'river'", "the word \"river\" doesn't appear anywhere"),
    "count": asked("keyword_count", {"keyword": "anvil", "min": 2, "max": 2}, 'use the word "anvil" exactly twice', 'the word "anvil" should appear exactly 2 times'),
    "lower": asked("case", {"case": "lower"}, "write in all lowercase letters", "use no capital letters", "only lowercase letters are allowed"),
    "end": asked("ends_with", {"phrases": ["That is all."]}, 'finish your response with "That is all."', 'the very last sentence must be "That is all."', 'end with the exact phrase "That is all."'),
    "letter": asked("letter_count", {"letter": "z", "min": 3}, "use the letter z at least 3 times", 'the letter "z" must appear three or more times'),
    "quoted": asked("quoted", {"mark": '"'}, "wrap your entire response in double quotation marks", "put double quotation marks around your whole response"),
}  # fmt: skip
TOPICS = ("Describe a harbor.", "Why do bells ring?", "Write a note to a neighbour about the first snow.", "Tell me how tea is made.")  # fmt: skip
JOINTS = (". ", ", and ", " and ", "; also, ", ".\n")


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


@st.composite
def composed(draw: st.DrawFn) -> tuple[str, list[Constraint], int]:
    """A prompt of one to three demands, what they are, and a seed."""
    names = draw(st.lists(st.sampled_from(sorted(ASKED)), min_size=1, max_size=3, unique=True))
    wordings = [draw(st.sampled_from(ASKED[name].wordings)) for name in names]
    text = wordings[0]
    for wording in wordings[1:]:
        joint = draw(st.sampled_from(JOINTS))
        text += joint + (sentence(wording) if joint.startswith(".") else wording)
    topic = draw(st.sampled_from(TOPICS))
    prompt = f"{topic} {sentence(text)}." if draw(st.booleans()) else f"{sentence(text)}. {topic}"
    return prompt, [ASKED[name].constraint for name in names], draw(st.integers(0, 10**6))


@settings(max_examples=examples(120), deadline=None)
@given(composed())
def test_composed_demands_are_judged_right_or_left_open(case: tuple[str, list[Constraint], int]):
    prompt, constraints, seed = case
    rng = random.Random(seed)
    made = satisfy(constraints, rng, topic_text="")
    assume(made is not None)
    assert value(prompt, made) in (1.0, None), (prompt, made)
    for constraint in constraints:
        broken = violate(constraint, made, rng)
        if broken is not None:
            assert value(prompt, broken) != 1.0, (prompt, constraint, broken)


MET = "Grain falls. It waits. The wheel turns."
SCOPES: tuple[tuple[str, str, str], ...] = (
    # what is asked of a part, a response that does it, one that does it elsewhere
    ("in the first sentence", "A lantern hangs. It waits. Wheels turn.", "It waits. Wheels turn. A lantern hangs."),
    ("in every sentence", "A lantern hangs. The lantern glows. No lantern falls.", "A lantern hangs. It waits. Wheels turn."),
    ("in the last sentence only", "It waits. Wheels turn. A lantern hangs.", "A lantern hangs. The lantern glows. A lantern falls."),
    ("as the second word", "The lantern hangs. It waits. Wheels turn.", "Hangs the lantern. It waits. Wheels turn."),
    ("before the word \"wheels\"", "A lantern hangs. It waits. Wheels turn.", "Wheels turn. It waits. A lantern hangs."),
    ("but not at the start", "The lantern hangs. It waits. Wheels turn.", "Lantern light falls. It waits. Wheels turn."),
    ("unless you mention an owl", "An owl sat. It waits. Wheels turn.", MET),
    ("or the word \"anvil\"", "An anvil rings. It waits. Wheels turn.", MET),
    ("in capital letters", "A LANTERN hangs. It waits. Wheels turn.", "A lantern hangs. It waits. Wheels turn."),
    ("right after each full stop", "A mill. Lantern light. Lantern glow.", "A lantern hangs. It waits. Wheels turn."),
)  # fmt: skip
VERBS = ("Include the word", "Use the word", "Mention the word", "Make sure to use the word", "Please work in the word")


@settings(max_examples=examples(100), deadline=None)
@given(
    st.sampled_from(SCOPES),
    st.sampled_from(VERBS),
    st.sampled_from(("Write exactly 3 sentences.", "Use no commas.", "Use at least 4 words.")),
    st.booleans(),
)
def test_what_is_asked_of_a_part_is_not_taken_as_asked_of_the_whole(scope, verb, other, first):
    where, right, wrong = scope
    demand = f'{verb} "lantern" {where}.'
    prompt = f"{demand} {other}" if first else f"Write about a mill. {other} {demand}"
    assert value(prompt, right) in (1.0, None), prompt
    assert value(prompt, wrong) != 1.0, prompt


@settings(max_examples=examples(60), deadline=None)
@given(st.sampled_from(VERBS), st.integers(20, 90), st.sampled_from(["that does not exceed", "of no more than", "that is not longer than"]))  # fmt: skip
def test_a_later_limit_denies_no_word(verb, most, limit):
    prompt = f'{verb} "lantern" in a response {limit} {most} words.'
    assert value(prompt, "A lantern hangs here.") in (1.0, None)
    assert value(prompt, "A lamp hangs here.") != 1.0
    assert value(prompt, "A lantern hangs here." + " River runs" * most) != 1.0
