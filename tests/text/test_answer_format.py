"""A format that was agreed on is read strictly, and asked for in the row's language."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlar.text.answer_format import (
    StrictReading,
    agreed_format,
    read_strictly,
    sentence_of,
    with_sentence,
    without_sentence,
)
from rlar.types import AnswerFormat

DRESSED = {
    "boxed": r"So it is \boxed{42}.",
    "answer_line": "Six times seven.\n\n**Answer: 42**",
    "answer_tags": "Six times seven.\n<answer>42</answer>",
    "fenced": "Here it is:\n```python\n42\n```\nDone.",
    "bare": "42",
}
FORMATS = get_args(AnswerFormat)
PROMPTS = {
    "en": "How many apples does Anna have left after she gives two to each of her friends?",
    "de": "Wie viele Äpfel hat Anna noch, nachdem sie jeder Freundin zwei gegeben hat?",
    "es": "¿Cuántas manzanas le quedan a Ana después de dar dos a cada una de sus amigas?",
    "fr": "Combien de pommes reste-t-il à Anne après en avoir donné deux à chacune de ses amies ?",
    "ru": "Сколько яблок осталось у Анны после того, как она дала каждой подруге по два?",
    "zh": "安娜给每个朋友两个苹果之后，还剩下多少个苹果？",
    "ja": "アンナは友達にりんごを二つずつあげました。りんごはいくつ残っていますか。",
}


@pytest.mark.parametrize("name", FORMATS)
def test_an_answer_in_its_format_is_read(name: AnswerFormat):
    wanted = r"\boxed{42}" if name == "boxed" else "42"
    assert read_strictly(name, DRESSED[name]) == StrictReading(wanted)
    assert read_strictly(name, f"<think>Is it {DRESSED[name]} or 41?</think>\n{DRESSED[name]}").answer == wanted


@pytest.mark.parametrize("name", FORMATS)
def test_every_other_format_is_missed(name: AnswerFormat):
    for other, text in DRESSED.items():
        reading = read_strictly(name, text)
        if other != name and not (name == "bare" and "\n" not in text):
            assert reading.answer == "" and "no answer in the format" in reading.problem, (name, other)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_inside_a_thought_is_no_answer(name: AnswerFormat):
    assert read_strictly(name, f"<think>{DRESSED[name]}").problem == "the thought never ends"
    if name != "bare":
        assert read_strictly(name, f"<think>{DRESSED[name]}</think>\nI do not know.\nSorry.").answer == ""


def test_several_answers_that_differ_are_refused_and_equal_ones_are_not():
    assert "2 answers" in read_strictly("boxed", r"\boxed{41} or \boxed{42}").problem
    assert read_strictly("boxed", r"\boxed{42}, hence \boxed{ 42 }").answer == r"\boxed{42}"
    assert "2 answers" in read_strictly("answer_tags", "<answer>A</answer><answer>B</answer>").problem
    assert "2 answers" in read_strictly("fenced", "```\na\n```\n```\nb\n```").problem


def test_an_answer_line_must_be_the_last_line_and_hold_something():
    assert read_strictly("answer_line", "Answer: 42\nBut I may be wrong.").answer == ""
    assert read_strictly("answer_line", "It is 42.\nAnswer:").answer == ""
    assert read_strictly("answer_line", "答案：42").answer == "42"
    assert read_strictly("answer_line", "Réponse : 42").answer == "42"


def test_what_is_left_open_is_missed():
    assert read_strictly("answer_tags", "<answer>42").answer == ""
    assert read_strictly("fenced", "```python\nx = 1").answer == ""
    assert read_strictly("boxed", r"\boxed{42").answer == ""


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("language", PROMPTS)
def test_the_sentence_speaks_the_language_of_the_row_and_can_be_taken_off_again(name: AnswerFormat, language: str):
    prompt = PROMPTS[language]
    asked = with_sentence(prompt, name)
    assert asked == f"{prompt}\n\n{sentence_of(name, prompt)}"
    assert with_sentence(asked, name) == asked and without_sentence(asked) == prompt
    assert (sentence_of(name, prompt) == sentence_of(name, PROMPTS["en"])) == (language == "en")


def test_a_language_that_we_do_not_speak_is_asked_in_english():
    assert sentence_of("bare", "Kolik jablek zbude Anně, když dá každé kamarádce dvě?") == sentence_of(
        "bare", "How many?"
    )


def test_the_sentences_ask_for_what_the_reader_reads():
    for language, prompt in PROMPTS.items():
        cue = re.search(r"[\"«“「](.+?)\s?[:：]", sentence_of("answer_line", prompt))
        assert cue is not None, language
        assert read_strictly("answer_line", f"{cue[1]}: 42").answer == "42"


def test_a_completion_is_in_an_agreed_format_or_has_to_be_searched():
    assert {name: agreed_format(text) for name, text in DRESSED.items()} == {name: name for name in DRESSED}
    assert agreed_format("Six times seven.\nThat makes 42, I think.") is None


@given(st.sampled_from(FORMATS), st.text(max_size=300))
def test_any_text_is_read_or_refused_with_a_reason(name: AnswerFormat, text: str):
    reading = read_strictly(name, text)
    assert bool(reading.answer) != bool(reading.problem)
