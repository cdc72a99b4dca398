"""What of a completion is its answer."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rlar.answered import NO_FINAL_CHANNEL, NOTHING_AFTER, SEVERAL, UNCLOSED, answered
from rlar.tool import LibraryTool, Resources, score_checked
from rlar.types import Sample, Score, ToolKind, ToolSpec, ok
from tests.fakes.dressings import THOUGHTS, UNCLOSED_THOUGHTS, WRAPPERS


@pytest.mark.parametrize("name", sorted(THOUGHTS))
def test_a_thought_is_no_part_of_the_answer(name):
    dressed = THOUGHTS[name]("Perhaps it is 54, says <answer>53</answer> \\boxed{52}.", "It is 56.")
    assert answered(dressed) == ("It is 56.", "")


@pytest.mark.parametrize("name", sorted(UNCLOSED_THOUGHTS))
def test_a_thought_that_never_ends_is_no_answer(name):
    text, missing = answered(UNCLOSED_THOUGHTS[name]("So the answer is 56."))
    assert text == ""
    assert missing in {UNCLOSED, NO_FINAL_CHANNEL}


@pytest.mark.parametrize("name", sorted(WRAPPERS))
@pytest.mark.parametrize(
    "said", ["56", "Le pont est fermé.\n\nOui.", "SELECT a\nFROM t", "[]", "{}", "-", ">", "a < b"]
)
def test_a_wrapper_is_no_part_of_the_answer(name, said):
    assert answered(WRAPPERS[name](said)) == (said, "")


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("<think>a</think>b<think>c</think> d", "d"),
        ("<think>a <think> b </think> c </think> d", "d"),
        ("hm\n</think>\n\n    return a + b", "    return a + b"),  # a program below the mark keeps its indentation
        ("<answer><think>3?</think>5</answer>", "5"),
        ("<think><answer>4</answer></think><answer>5</answer>", "5"),
        ("<solution>3 + 2 = 5, so <answer>5</answer></solution>", "5"),
        ("<solution>Three and two are\nfive, as one can count.</solution>\n<answer>5</answer>", "5"),
        ("<answer>5</answer> <answer>5</answer>", "5"),
        ("<answer>...</answer> is the form.\n<answer>5</answer>", "5"),
        ("<answer>5", "5"),  # the closing tag was a stop string
        ("5</answer>", "5"),  # the prompt opened it
        ("5<|im_end|>\n<|endoftext|>", "5"),
        ("<answer>5</answer><|im_end|>", "5"),
        ("<answer>\n```python\nx = 1\n```\n</answer>", "```python\nx = 1\n```"),
        ("```\n<answer>5</answer>\n```", "5"),
    ],
)
def test_marks_are_undone_however_they_are_nested(completion, text):
    assert answered(completion) == (text, "")


@pytest.mark.parametrize(
    "text",
    [
        "a < b and b > c",
        "The `<think>` mark opens a thought, `</think>` closes it.",
        'if "<think>" in text: pass',
        "```python\nprint('<answer>5</answer>')\n```",
        "```html\n<think>x</think>\n```\nis no HTML.",
        'page = "<answer>" + text + "</answer>"',
        "<details><summary>More</summary>\nThe long text.</details>",
        "<config><output>a</output><result>b</result></config>",
        "I think> so", "[THINKING] hard", "analysis of variance", "x<answerable>y",
    ],
)  # fmt: skip
def test_what_is_spoken_about_or_part_of_a_document_stays(text):
    assert answered(text) == (text, "")


@pytest.mark.parametrize(
    "completion",
    [
        "<answer>4</answer><answer>5</answer>",
        "<answer>4</answer> or <final>5</final>",
        "<solution>4</solution> <answer>5</answer>",
        "<answer>4</answer><think>hm</think><answer>5</answer> <answer>6</answer>",
        "<|begin_of_box|>4<|end_of_box|> <|begin_of_box|>5<|end_of_box|>",
        "[ANSWER]4[/ANSWER][ANSWER]5[/ANSWER]",
    ],
)
def test_different_answers_in_tags_are_no_answer(completion):
    assert answered(completion) == ("", SEVERAL)


def test_a_wrapper_that_the_prompt_names_stays_for_whoever_checks_it_and_goes_for_whoever_compares():
    sample = Sample(
        prompt="Six times seven? Put it in <answer> tags.", completion="<think>6*7</think>\n<answer>42</answer>"
    )
    assert sample.completion == "<answer>42</answer>"
    assert sample.answer == "42"
    twice = sample.model_copy(update={"completion": "<answer>42</answer><answer>43</answer>"})
    assert twice.answer == ""


class _Generous(LibraryTool):
    """Gives full marks for whatever it gets."""

    name = "generous"
    role = "verifier"

    def score_one(self, sample: Sample) -> Score:
        return ok(1.0, sample.completion)


def test_no_tool_sees_a_thought_and_no_tool_pays_for_an_unfinished_one():
    tool = _Generous(ToolSpec(kind=ToolKind.LIBRARY, name="generous"), Resources())
    said = ["<think>42</think>43", "<think>42", "<think>42</think>", "<answer>1</answer><answer>2</answer>"]
    scores = score_checked(tool, [Sample(prompt="?", completion=each) for each in said])
    assert [(score.value, score.explanation) for score in scores] == [
        (1.0, "43"), (0.0, UNCLOSED), (0.0, NOTHING_AFTER), (0.0, SEVERAL),
    ]  # fmt: skip


_PIECES = ["<think>", "</think>", "<answer>", "</answer>", "<final>", "</final>", "```", "```python", "\n", "`", '"', "5", "six", " ",
           "<|channel|>final<|message|>", "<|channel|>analysis<|message|>", "<|end|>", "[THINK]", "[/THINK]", "<|im_end|>", "</s>",
           "<response>", "</response>", "<output>", "</output>", "...", "\u200b"]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
@example("<answer></answer></answer>5")
def test_undoing_is_done_once_and_for_all(text):
    once = Sample(prompt="", completion=text)
    again = Sample.model_validate(once.model_dump())
    assert (again.completion, again.missing) == (once.completion, once.missing)


@pytest.mark.parametrize("piece", ["<think>", "</think>", "<answer>", "</answer>", "<answer>a</answer>", "```\n", "```\n<think></think>", "<|channel|>a", "<|im_end|>", " \n", "`<think>`"])  # fmt: skip
def test_a_megabyte_of_marks_is_read_in_linear_time(piece):
    started = time.process_time()
    answered(piece * (400_000 // len(piece)))
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ('<think>He wrote "so"</think>"Der Laden"', '"Der Laden"'),
        ('<answer>"X"</answer>', '"X"'),
        ('<answer>Er sagte "nein."</answer>', 'Er sagte "nein."'),
        ('Hence:\n<answer>"X"</answer>', '"X"'),
        ('Close it with "</think>" and go on. 4', 'Close it with "</think>" and go on. 4'),
    ],
)
def test_a_quote_that_ends_before_a_mark_does_not_quote_it(completion: str, answer: str) -> None:
    assert answered(completion) == (answer, "")


@pytest.mark.parametrize("end", ["<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>", "<end_of_turn>"])
@pytest.mark.parametrize(
    "more", ["", "\n<|im_start|>user\nAnd 3?", "\nassistant\n7", "Human: and 3?\nAssistant: 7", "<pad>"]
)
def test_a_turn_after_the_end_of_turn_is_not_read(end: str, more: str) -> None:
    assert answered(f"5{end}{more}").text == "5"


@pytest.mark.parametrize(
    "text", ["Write `</s>` at the end.", "```\n5</s>\n```\n6", "Say </s> here: 4", "</s> is the mark"]
)
def test_an_end_of_turn_that_is_spoken_about_ends_nothing(text: str) -> None:
    assert answered(text).text == text
