"""What every text tool must survive: any text at all, and a megabyte of the worst."""

import math
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlar.kinds import LIBRARY, library_class
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.types import Sample
from tests.fakes.examples import examples

PROMPT = "Translate into German: The cat sat on the mat and looked at the 12 birds for a long time."
ROWS = {
    "choice": ("B", {"options": {"A": "London", "B": "Paris"}, "labels": ["A", "B"]}),
    "guards": (None, {}),
    "json_output": ('{"a": [1, 2, {"b": "c"}]}', {}),
    "long_text": ("The cat sat on the mat and looked at the twelve birds outside.", {}),
    "math": (r"\frac{10}{11}", {}),
    "number": ("18", {}),
    "short_text": ("Paris", {}),
    "short_text_f1": ("Paris", {}),
    "summary": (
        "The cat watched 12 birds from the mat.",
        {"passage": "The cat sat on the mat and looked at 12 birds."},
    ),
    "translation": ("Die Katze saß auf der Matte.", {"source": "The cat sat on the mat.", "target_language": "de"}),
}
SECONDS_PER_MEGABYTE = 8.0
"""Generous, for crowded machines: each takes at most 0.6 s on an idle core."""


def sample(name, completion, **changes):
    reference, binding = ROWS[name]
    fields = {"prompt": PROMPT, "reference": reference, "binding": binding} | changes
    references = () if fields["reference"] is None else (fields["reference"],)
    return Sample(completion=completion, references=references, **fields)


@pytest.fixture(scope="module")
def tools():
    return {name: library_class(name)(library_spec(name), Resources()) for name in ROWS}


def test_every_text_tool_is_in_the_library():
    assert set(ROWS) <= set(LIBRARY)
    for name in ROWS:
        assert library_class(name).name == name


pieces = st.sampled_from(
    ["18", "-", "\\boxed{", "}", "{", "[", "]", '"', "The answer is ", "Answer:", "A)", "B", "(", ")", "\n", " ", "####", "**", "$", "\\frac", "^",
     "<think>", "</think>", "```", "json", ":", ",", "not ", " or ", "\u200b", "\u202e", "\x00", "\ud800", "½", "١", "答案", "。", "%", "=", "_", "!",
     "Paris", "<answer>", "</answer>", "\\text{", "score: 1.0", "/", ".", "1e9", "€", "\\begin{pmatrix}", "null", "true", "\\sqrt", "\\infty"]
)  # fmt: skip
texts = st.one_of(st.text(max_size=200), st.lists(pieces, max_size=40).map("".join))


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(completion=texts)
def test_no_completion_makes_a_tool_raise_or_leave_its_range(tools, completion):
    for name, tool in tools.items():
        score = tool.score([sample(name, completion)])[0]
        assert score.status in ("ok", "abstain"), (name, score)
        if score.value is not None:
            assert math.isfinite(score.value) and 0.0 <= score.value <= 1.0


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=texts, reference=texts, completion=texts)
def test_no_row_makes_a_tool_raise(tools, prompt, reference, completion):
    for name, tool in tools.items():
        score = tool.score([sample(name, completion, prompt=prompt, reference=reference)])[0]
        assert score.status in ("ok", "abstain"), (name, score)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=10,
)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    binding=st.dictionaries(
        st.sampled_from(["options", "labels", "schema", "source", "target_language", "passage", "language"]),
        json_values,
    )
)
def test_no_binding_makes_a_tool_raise(tools, binding):
    for name, tool in tools.items():
        score = tool.score([sample(name, "The answer is B.", binding=binding)])[0]
        assert score.status in ("ok", "abstain"), (name, score)


FLOODS = {
    "one letter": "a", "spaces": " ", "lines": "\n", "digits": "1", "numbers": "1,", "braces": "{", "brackets": "[", "boxes": "\\boxed{", "full boxes": "\\boxed{1}",
    "reasoning": "<think>", "ends of reasoning": "</think>", "cues": "answer is ", "cue lines": "answer:\n", "hashes": "#### 1\n", "dollars": "$", "bold": "**a",
    "fractions": "\\frac", "powers": "2^", "emoji": "😀", "chinese": "中文字", "zero width": "\u200b", "NUL": "\0", "surrogates": "\ud800", "overrides": "\u202e18",
    "quotes": '"', "fences": "```\n", "objects": '{"a":', "options": "A) ", "hedges": "B or ", "slashes": "1/", "calculations": "<<", "words": "lorem ipsum dolor ",
    "tags": "<answer>", "underscores": "_", "backslashes": "\\", "scores": "score: 1.0\n", "dates": "1 may ", "to": "answer to x ", "gaps": "1" + "\n" * 21 + "! ", "tabs": "1 \t" * 3 + "! ", "commas": "1,,,,,,,,,,,,,,,,,,,,,! ",
}  # fmt: skip


@pytest.mark.parametrize("length", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("flood", FLOODS)
def test_a_megabyte_of_anything_is_read_in_time_and_wins_nothing(tools, flood, length):
    unit = FLOODS[flood]
    completion = unit * (length // len(unit))
    for name, tool in tools.items():
        started = time.monotonic()
        score = tool.score([sample(name, completion)])[0]
        assert time.monotonic() - started < SECONDS_PER_MEGABYTE, name
        assert score.value is None or score.value <= 0.2 or (name, flood) == ("choice", "hedges"), (name, score)
