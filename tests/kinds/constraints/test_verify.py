"""The constraints verifier: hand-worked verdicts, what it abstains from, and probes made for it."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlar.kinds.constraints.check import check
from rlar.kinds.constraints.check import text as t
from rlar.kinds.constraints.read import Constraint, parse_constraints
from rlar.kinds.constraints.verify import Constraints, satisfy, violate
from rlar.tool import Resources
from rlar.types import Sample, Score, ToolKind, ToolSpec
from tests.fakes.examples import examples

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "lab_if_responses_train.jsonl"
TOOL = Constraints(
    ToolSpec(kind=ToolKind.LIBRARY, name="constraints", source="rlar.kinds.constraints.verify:Constraints"),
    Resources(),
)


def score(prompt: str, completion: str, **binding) -> Score:
    return TOOL.score([Sample(prompt=prompt, completion=completion, binding=binding)])[0]


# ------------------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize(
    ("prompt", "good", "bad"),
    [
        ("Use at least 5 words.", "one two three four five", "one two three four"),
        ("Use fewer than 5 words.", "one two three four", "one two three four five"),
        ("Answer in exactly 2 sentences.", "Dr. Lee came at 5 p.m. today. He left!", "He came. He saw. He left."),
        ("Write exactly 2 paragraphs separated by ***.", "One.\n\n***\n\nTwo.", "One.\n\nTwo."),
        ("Use exactly 2 bullet points.", "Intro\n* one\n- two", "* one\n* two\n* three"),
        ("Highlight at least 2 phrases, like *this*.", "*one* and **two words** and *three*", "only *one*"),
        ("Include at least 2 placeholders in square brackets, such as [name].", "[name] and [city]", "[name]"),
        ("Use the letter q at least 3 times.", "Quick queens quit.", "Quick queens."),
        ("Do not use the letter e.", "A gray dog sat.", "The dog."),
        ('Use the word "tea" exactly twice.', "Tea is tea.", "tea tea tea"),
        ('Do not use the word "key".', "A monkey has it.", "The Key is here."),
        ("Do not use any commas.", "One two.", "One, two."),
        ("Write in all lowercase letters.", "all small 3!", "Not small"),
        ("Write in all capital letters.", "LOUD 3!", "LOUd"),
        ("Respond only in German.", "Das ist ein schöner Tag, und wir gehen jetzt in den Park.", "This is a lovely day and we go out."),
        ('Begin your answer with "Well,".', "Well, no.", "No. Well,"),
        ('End your answer with "Good night."', 'Sleep now. "Good night."', "Good night. Bye."),
        ("Wrap your entire response in double quotation marks.", '"All of it."', '"Some" of it.'),
        ("Add a postscript starting with P.P.S at the end.", "Hi.\nP.P.S. Call me.", "Hi.\nPS call me."),
        ("Put a title in double angular brackets, such as <<title>>.", "<<Owls>>\nThey fly.", "<< >>\nThey fly."),
        ("Give your whole output as JSON.", '```json\n{"a": [1]}\n```', 'Sure: {"a": 1}'),
        ("Mark the beginning of each of your 2 sections with SECTION X.", "SECTION 1\na\nSECTION 2\nb", "SECTION 1\na\nPart 2\nb"),
        ("Give two different answers separated by ******.", "Yes.\n******\nNo.", "Yes.\n******\nyes."),
        ('Write 2 paragraphs separated by two new lines. Paragraph 2 must start with "So".', "One.\n\nSo two.", "One.\n\nThus so."),
        ('Answer with one of the following: "It is so.", "It is not so."', "It is not so.", "It is so. It is not so."),
        ("Present your answer as a markdown table.", "| a | b |\n| --- | --- |\n| 1 | 2 |", "a: 1, b: 2"),
        ("Every sentence must have at most 3 words.", "We go now. Bye.", "We go now. Bye my dear friend."),
        ("Words in all capital letters should appear at least 2 times.", "STOP that NOW.", "STOP that now."),
    ],
)  # fmt: skip
def test_a_response_that_meets_the_prompt_wins_and_one_that_does_not_loses(prompt, good, bad):
    assert score(prompt, good).value == 1.0
    lost = score(prompt, bad)
    assert lost.value is not None and lost.value <= 0.4
    assert lost.explanation.startswith("unmet")


def test_partial_credit_is_a_part_of_two_fifths():
    prompt = "Use no commas. Write in all lowercase letters."
    lost = score(prompt, "small, still")
    assert lost.value == pytest.approx(0.2)  # 0.4 * 1 of 2
    assert lost.details["met"] == 1 and lost.details["total"] == 2
    assert "comma" in lost.explanation and "lower" not in lost.explanation


def test_partial_credit_can_be_turned_off():
    spec = TOOL.spec.model_copy(update={"params": {"partial_credit": 0.0}})
    (lost,) = Constraints(spec, Resources()).score(
        [Sample(prompt="Use no commas. Use lowercase only.", completion="a, b")]
    )
    assert lost.value == 0.0


def test_reasoning_is_not_part_of_the_response():
    assert score("Use no commas.", "<think>well, maybe, but</think>\nNo.").value == 1.0
    assert score("Use no commas.", "<think>it never closes").value == 0.0


def test_an_empty_response_scores_nothing():
    assert score("Use no commas.", " \n ").value == 0.0


def test_abstains_where_nothing_is_asked_of_the_form():
    assert score("Why is the sky blue?", "Because.").status == "abstain"
    assert score("Give me 5 ideas.", "Ideas.").status == "abstain"  # soft only


def test_abstains_from_what_it_cannot_check():
    unsure = {"kind": "unsupported", "params": {"about": "x"}, "confidence": 0.4}
    assert score("", "text", constraints=[unsure]).status == "abstain"
    assert score("", "text", constraints=[{"kind": "from the future", "params": {}}]).status == "abstain"
    assert score("", "text", constraints=[{"kind": "count", "params": {}}]).status == "abstain"
    assert score("", "text", constraints="nonsense").status == "abstain"
    assert score("", "text", constraints=[{"kind": 3}]).status == "abstain"


def test_the_binding_beats_the_prompt():
    bound = [c.model_dump(mode="json") for c in parse_constraints("Use at least 3 words.")]
    assert score("Use no commas.", "one, two, three", constraints=bound).value == 1.0
    assert score("Use no commas.", "one two", constraints=bound).value == 0.0


def test_a_completion_cannot_talk_its_way_to_a_reward():
    assert score("Use at least 50 words.", "score: 1.0. All constraints are met.").value == 0.0


def test_repeating_a_part_of_the_request_is_not_repeating_it():
    prompt = "Name two seas. Where are they?\n\nFirst repeat the request word for word, then answer."
    assert score(prompt, "Name two seas. Where are they?\n\nThe North Sea and the Baltic.").value == 1.0
    assert score(prompt, "Name two seas.\n\nThe North Sea and the Baltic.").value == 0.0
    assert score(prompt, "Sure! Name two seas. Where are they?").value == 0.0


# ------------------------------------------------------------------------------------------ counting


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("One. Two! Three?", 3),
        ("Mr. Fox saw Dr. Who at 5 p.m. in the U.S. embassy.", 1),
        ("1. Boil water.\n2. Add tea.", 2),
        ("It costs 3.50 euros. Fine.", 2),
        ('He said "Stop." Then he left.', 2),
        ("No full stop here", 1),
        ("Wait... what?!", 2),
        ("你好。再见。", 2),
        ("", 0),
    ],
)
def test_sentences_are_counted_as_a_reader_would(text, n):
    assert len(t.sentences(text)) == n


def test_words_are_runs_of_word_characters():
    assert len(t.words("It's a well-known fact: 3.5")) == 8  # It s a well known fact 3 5


def test_bold_lines_are_no_bullets_and_dividers_are_none():
    assert len(t.bullets("* one\n**bold**\n***\n---\n- two\n• three")) == 3


def test_an_emphasised_stretch_counts_once_however_it_is_marked():
    assert t.highlights("*a* **b** *c*") == 3
    assert t.highlights("** ** * *") == 0


# ------------------------------------------------------------------------------------------ probes

KINDS = [
    "Use at least 120 words and at most 140 words.",
    "Answer in exactly 7 sentences.",
    "Write exactly 4 paragraphs separated by ***. Add a postscript starting with P.S. at the end.",
    "Use exactly 5 bullet points and no commas.",
    "Do not use the letter e. Write at least 40 words.",
    "Use the letter z at least 9 times. Write in all capital letters.",
    'Use the word "harbor" at least 4 times and do not use the words "ship" and "sea".',
    "Include the keywords lantern, gravel and harmonica. Use all lowercase letters.",
    "Highlight at least 6 phrases, like *this*. Put a title in double angular brackets, such as <<title>>.",
    "Include at least 7 placeholders in square brackets, such as [name].",
    "Respond only in Finnish, no other language is allowed. Wrap your entire response in double quotation marks.",
    "Give your whole output as JSON. Include the word lamp.",
    "Write a story with 3 sections. Mark the beginning of each section with SECTION X.",
    "Give two different answers separated by ******.",
    'Write 3 paragraphs separated by two new lines. The second paragraph must start with "Meanwhile".',
    'Begin your answer with "Well," and end it with the phrase "That is all."',
    "Words in all capital letters should appear at least 8 times.",
    "Every sentence must have at most 9 words. Use at least 5 sentences.",
    "Present your answer as a markdown table.",
    "Your reply must stay within 200 characters. Include 3 hashtags.",
]


@settings(max_examples=examples(120), deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6))
def test_responses_made_to_meet_constraints_meet_them_and_broken_ones_do_not(prompt, seed):
    rng = random.Random(seed)
    constraints = parse_constraints(prompt)
    made = satisfy(constraints, rng, topic_text=prompt)
    assert made is not None
    assert score(prompt, made).value == 1.0, (made, score(prompt, made).explanation)
    for constraint in constraints:
        broken = violate(constraint, made, rng)
        if broken is not None:
            assert (score(prompt, broken).value or 0.0) < 0.5, (constraint, broken)
            assert score(prompt, broken).status == "ok"


def test_the_same_seed_makes_the_same_response():
    constraints = parse_constraints(KINDS[0])
    assert satisfy(constraints, random.Random(3)) == satisfy(constraints, random.Random(3))
    assert satisfy(constraints, random.Random(3)) != satisfy(constraints, random.Random(4))


def test_nothing_is_made_where_constraints_exclude_each_other():
    both = [Constraint(kind="include", params={"phrases": ["a, b"]}), Constraint(kind="no_characters", params={"characters": ",", "name": "comma"})]  # fmt: skip
    assert satisfy(both, random.Random(0)) is None
    assert satisfy([Constraint(kind="unsupported", params={"about": "rhyme"})], random.Random(0)) is None


# ------------------------------------------------------------------------------------------ hostile lengths

PARAMS = {
    "count": [{"unit": unit, "min": 3} for unit in ("word", "sentence", "paragraph", "line", "bullet", "numbered", "character", "letter", "placeholder", "highlight", "capital_word", "hashtag", "emoji", "heading", "section", "link")]
    + [{"unit": "word", "each": "sentence", "max": 9}],
    "letter_count": [{"letter": "a", "max": 2}],
    "keyword_count": [{"keyword": "aa", "max": 2}],
    "include": [{"phrases": ["zebra"]}],
    "exclude": [{"phrases": ["zebra"]}],
    "case": [{"case": "title"}],
    "language": [{"code": "ta"}, {"code": "en"}],
    "starts_with": [{"phrases": ["zebra"]}],
    "ends_with": [{"phrases": ["zebra"]}],
    "postscript": [{"marker": "P.P.S"}],
    "title": [{}],
    "sections": [{"marker": "SECTION", "min": 2}],
    "parts": [{"separator": "***", "min": 2}, {"separator": "******", "min": 2, "distinct": True}],
    "paragraph_starts": [{"paragraph": 2, "word": "zebra"}],
    "one_of": [{"options": ["zebra", "lion king"]}],
    "repeat": [{"text": "zebra", "shortest": "zebra"}],
    "structured": [{"format": name} for name in ("json", "xml", "html", "csv", "yaml", "code")],
    "contains_format": [{"element": name} for name in ("table", "link", "bold", "italic", "html", "markdown", "list")],
    "each": [{"unit": "sentence", "starts": "z"}],
    "pattern": [{"name": name} for name in ("palindrome", "unique_words", "no_contractions", "words_in_square_brackets", "bigrams_in_angle_brackets", "sentence_hyphens")],
}  # fmt: skip
UNITS = ["a", " ", "\n", "*", "* ", "*a", "<<a", "[", "[a] ", ". ", ".", '"', "# ", "- a\n", "p. ", "1. ", "`", "```a\n", "|a|\n", "\n \t", "<think>", "</think>", "A-", "A'", "😀\u200d", '{"a":', "<a>", "_a ", "SECTION ", "http://", "aba ", "中"]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_hostile_text_is_scored_in_linear_time(unit):
    assert more_than_linear(unit, 15_000, 60_000) == []


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_a_megabyte_of_hostile_text_is_scored_in_linear_time(unit):
    assert more_than_linear(unit, 250_000, 1_000_000) == []


FELT_SECONDS = 0.25


def more_than_linear(unit: str, shorter: int, longer: int) -> list[object]:
    """Checks that take over ten times as long for four times the text (quadratic ones take sixteen), if it is to be felt."""
    check("language", {"code": "en"}, "The first call loads the model.")
    slow: list[object] = []
    for kind, several in PARAMS.items():
        for params in several:
            seconds = seconds_of(kind, params, unit, longer)
            if seconds > FELT_SECONDS:
                before = max(seconds_of(kind, params, unit, shorter), 0.005)
                again = min(seconds, seconds_of(kind, params, unit, longer))
                if again > FELT_SECONDS and again / before > 10:
                    slow.append((kind, params, round(again, 2), round(before, 3)))
    return slow


def seconds_of(kind: str, params: dict[str, object], unit: str, characters: int) -> float:
    text = (unit * characters)[:characters]
    started = time.process_time()
    check(kind, params, text)
    return time.process_time() - started


# ------------------------------------------------------------------------------------------ official verdicts


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside this checkout")
def test_agrees_with_the_official_checker_on_most_responses():
    agreed = decided = abstained = total = 0
    for line in SHARED.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        total += 1
        verdict = score(row["prompt"], row["responses"][0])
        abstained += verdict.status != "ok"
        if verdict.status == "ok" and row["labels"][0] is not None:
            decided += 1
            agreed += (verdict.value == 1.0) == (row["labels"][0] == 1)
    assert agreed / decided >= 0.96
    assert abstained / total <= 0.22
