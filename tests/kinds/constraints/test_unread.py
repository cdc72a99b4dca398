"""What was not understood is known: a demand that no rule reads whole keeps the score from being full."""

from __future__ import annotations

import pytest

from rlar.kinds.constraints.read import parse_constraints
from rlar.kinds.constraints.verify import Constraints
from rlar.tool import Resources
from rlar.types import Sample, Score, ToolKind, ToolSpec
from tests.fakes.fresh_demands import LATER_READ, LATER_UNREAD, READ, UNREAD
from tests.fakes.unfamiliar_demands import DEMANDS, HELD_OUT, TONES, TUNED, Demand

SPEC = ToolSpec(kind=ToolKind.LIBRARY, name="constraints", source="rlar.kinds.constraints.verify:Constraints")


def score(prompt: str, completion: str, **params: object) -> Score:
    tool = Constraints(SPEC.model_copy(update={"params": params}), Resources())
    return tool.score([Sample(prompt=prompt, completion=completion)])[0]


def unread(prompt: str) -> list[str]:
    return [str(each.params["about"]) for each in parse_constraints(prompt) if each.kind == "unsupported"]


@pytest.mark.parametrize("demands", [TUNED, HELD_OUT], ids=["tuned", "held_out"])
def test_of_full_marks_on_unfamiliar_demands_at_most_one_in_twenty_is_wrong(demands: tuple[Demand, ...]):
    full = [1 for each in demands if score(each.prompt, each.right).value == 1.0]
    wrong = [each.prompt for each in demands if score(each.prompt, each.wrong).value == 1.0]
    assert len(wrong) <= 0.05 * (len(full) + len(wrong)), wrong


def test_right_answers_to_unfamiliar_demands_are_not_refused():
    refused = [each.prompt for each in DEMANDS if score(each.prompt, each.right).value not in (1.0, None)]
    assert refused == []


def test_a_short_sentence_is_more_than_a_sentence():
    prompt = "Write one short sentence about snow. Wrap it in quotation marks."
    assert score(prompt, '"snow"').status == "abstain"
    assert score(prompt, '"Snow"').status == "abstain"
    assert score(prompt, '"Snow is cold."').value == 1.0
    assert score(prompt, "Snow is cold.").value == 0.2  # one sentence, no quotation marks: 0.4 * 1 of 2
    assert unread(prompt) == []


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("Use no commas. Put the word lantern in the 12th sentence, as its 5th word.", "12th"),
        ("Write 2 sentences. Every sentence must be a question.", "question"),
        ("Use at least 5 words, with the letter k or without the letter o.", "or"),
        ("Write 3 words. Jeder Satz muss mit einem Vokal beginnen.", "Vokal"),
        ("Use no commas. The title must be in capital letters.", "title"),
        ("Use at least 4 words. If you use a number, end with \"so\".", "condition"),
        ("Use at least 4 words and mention exactly three animals.", "animals"),
        ("Use no commas. Avoid adjectives.", "adjectives"),
    ],
)  # fmt: skip
def test_what_is_left_of_a_demand_is_named(prompt: str, left: str):
    assert any(left in each for each in unread(prompt)), unread(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a funny poem about the first snow of each winter for children. Use no commas.",
        "Explain why the letters of the alphabet have their order. Answer in exactly 2 sentences.",
        "Tell me about a man who never said a word. Use at least 30 words.",
        "I run a bakery and sell 11 kinds of bread. Can you write me an ad in all lowercase letters?",
        'Summarize the following sentence in at most 5 words: "No two lines of the poem rhyme."',
        "Hi! Please write a short story about two brothers. Thanks! Include the keywords 'oak' and 'well'.",
    ],
)
def test_what_a_response_is_about_is_not_a_demand_on_its_form(prompt: str):
    assert unread(prompt) == []


def test_a_demand_that_is_read_and_missed_is_a_miss_whatever_else_is_unread():
    prompt = "Use no commas. Avoid adjectives."
    assert score(prompt, "Yes, sir.").value == 0.0
    assert score(prompt, "Yes sir.").status == "abstain"


def test_a_tone_is_told_and_not_judged():
    for each in TONES:
        for response in (each.right, each.wrong):
            told = score(each.prompt, response)
            assert told.value == 1.0 and told.details["unjudged"], each.prompt


@pytest.mark.parametrize(
    "clause",
    [
        "Be polite.", "Keep it in a warm and friendly tone.", "Use the style of a president.", "It should be funny and suitable for teenagers.",
        "Answer as if you were a pirate.", "Do not be sarcastic.", "Make the text sound more interesting.", "The audience is a group of engineers.",
        "Schreibe höflich.", "Sois poli.",
    ],
)  # fmt: skip
def test_tone_style_audience_and_persona_are_no_demand_on_form(clause: str):
    told = score(f"Describe tea. Use no commas. {clause}", "Tea is hot.")
    assert (told.value, told.details["unjudged"]) == (1.0, [clause])


@pytest.mark.parametrize(
    "clause",
    [
        "Mention why it is hot.", "Focus on the smell.", "Do not talk about the price.", "Include a description of the cup, the pot and the leaves.",
        "End with a call to action.", "To make it lively, describe the steam.", "I run a shop and sell 12 kinds of it.", "Avoid naming brands, because my readers dislike it.",
        "It is not necessary to use commas.", "Follow this carefully.",
    ],
)  # fmt: skip
def test_content_reasons_and_permissions_are_no_demand_on_form(clause: str):
    assert score(f"Describe tea. Write exactly 1 sentence. {clause}", "Tea is hot.").value == 1.0


@pytest.mark.parametrize(
    "clause",
    [
        "Be rhymed.", "Use the passive voice.", "Write in a foreign language.", "Use the style of a numbered list with Roman numerals.", "Speak in questions only.",
        "Include a footnote.", "Do not mention any numbers.", "Start with a verb.", "Address it to readers in two columns.", "Keep it in the past tense.",
    ],
)  # fmt: skip
def test_what_stands_in_the_same_frames_and_speaks_of_form_is_unread(clause: str):
    assert score(f"Describe tea. Write exactly 1 sentence. {clause}", "Tea is hot and has 1 smell.").value != 1.0


@pytest.mark.parametrize(
    ("prompt", "completion", "expected"),
    [
        ("Use no commas. Write two short sentences.", "Tea is hot. It is good.", 1.0),
        ("Use no commas. Write two short sentences.", "Tea is hot. " + "It is good and " * 9 + "warm.", None),
        ("Use no commas. Keep it brief.", "Tea is hot.", 1.0),
        ("Use no commas. Be concise.", "Tea is hot. " * 90, None),
        ("Use no commas. Write a long paragraph on tea.", "Tea is hot.", None),
        ("Use no commas. List exactly 3 rivers in Asia.", "* Indus\n* Ob\n* Lena", 1.0),
        ("Use no commas. List exactly 3 rivers in Asia.", "The Indus and the Ob", None),
    ],
)  # fmt: skip
def test_a_size_without_a_number_grants_only_what_every_reader_takes_for_it(prompt, completion, expected):
    assert score(prompt, completion).value == expected


@pytest.mark.parametrize(
    ("prompt", "completion", "expected"),
    [
        ('Use the word "riddle".', "Two riddles wait.", None),
        ('Use the word "riddle" at least twice.', "A riddle and two riddles.", None),
        ('Use the word "riddle" at least twice.', "Riddles in plenty.", 0.0),
        ('Use the word "pin" exactly twice.', "A pin spins among pins.", 0.0),  # one, or three as the official checker counts
        ('Use the word "art".', "The smartest party.", 0.0),
        ("Write exactly one sentence in English.", "Yes!", None),
        ("Write exactly 2 sentences.", "Tea is hot. Really?", 1.0),
        ("Choose from the options: \"My answer is yes.\", \"My answer is no.\"", "I think my answer is yes.", None),
    ],
)  # fmt: skip
def test_what_readers_differ_on_gets_no_number(prompt, completion, expected):
    assert score(prompt, completion).value == expected


def test_a_reading_of_half_a_clause_decides_nothing():
    # "Include lantern" is all that a rule sees here; a response without the word may be wrong for certain, but the
    # rule cannot know that.
    prompt = 'Write two sentences. Either include the word "lantern" in the first or the word "anvil" in the last.'
    assert score(prompt, "An owl sat. It saw an anvil.").status == "abstain"


def test_partial_credit_for_what_is_read_is_asked_for_by_name():
    prompt = "Use no commas. Avoid adjectives."
    flagged = score(prompt, "Yes sir.", partial="flag")
    assert flagged.value == 0.5  # one demand of two is known to be met
    assert flagged.details["unread"] == ["Avoid adjectives."]
    assert "Avoid adjectives." in flagged.explanation
    assert score(prompt, "Yes sir.").details["unread"] == ["Avoid adjectives."]


def test_a_loose_amount_refuses_nothing_and_grants_nothing():
    prompt = "Write a 2 paragraph critique of tea. Use no commas."
    assert score(prompt, "It is hot.\n\nIt is wet.").value == 1.0
    assert score(prompt, "It is hot.").status == "abstain"


@pytest.mark.parametrize(
    ("prompt", "completion", "whole", "inside"),
    [
        ('Use the word "art".', "We left the party.", 0.0, 1.0),
        ('Use the word "art".', "We like _art_ here.", 1.0, 1.0),
        ('Use the word "ring" exactly twice.', "A ring, a ring in spring.", 1.0, 0.0),
        ('Use the word "绿茶".', "我喝绿茶水。", 1.0, 1.0),  # no spaces, no whole words
    ],
)
def test_keywords_are_whole_words_unless_the_official_reading_is_asked_for(prompt, completion, whole, inside):
    assert score(prompt, completion).value == whole
    assert score(prompt, completion, keywords="inside").value == inside


@pytest.mark.parametrize(
    ("prompt", "completion", "met"),
    [
        ("Write 2 paragraphs separated by ***.", "One.\n\n***\n\nTwo is ***bold***.", True),
        ("Write 2 paragraphs separated by ***.", "One.\n***\nTwo.\n***\nThree.", False),
        ("Use exactly 5 words.", "Rain is a well-known friend", None),  # five, or six
        ("Use exactly 5 words.", "Rain is an old friend", True),
        ("Wrap your entire response in double quotation marks.", '"Ink" is "blue"', None),
        ("Wrap your entire response in double quotation marks.", '"He said "ink" to me."', True),
        ("Each sentence must start with the letter A.", "Ants ran. (Also bees.)", True),
        ('Finish your response with "That is all."', "No. **That is all.**", True),
    ],
)  # fmt: skip
def test_what_two_careful_readers_count_differently_is_left_open(prompt, completion, met):
    assert {1.0: True, 0.0: False, None: None}[score(prompt, completion).value] is met


def test_what_is_not_to_be_forgotten_is_asked_for():
    prompt = "Write about snow. Don't forget to include the keywords sledge and ice."
    assert unread(prompt) == []
    assert score(prompt, "A sledge glides on ice.").value == 1.0
    assert (score(prompt, "It is cold.").value or 0.0) < 1.0


def test_prompts_of_one_sitting_bring_full_marks_to_no_violation():
    for each in (*UNREAD, *LATER_UNREAD):
        assert score(each.prompt, each.wrong).value != 1.0, each.prompt
        assert score(each.prompt, each.right).value in (1.0, None), each.prompt


def test_prompts_of_one_sitting_whose_demands_on_form_are_read_are_judged():
    for each in (*READ, *LATER_READ):
        assert score(each.prompt, each.right).value == 1.0, each.prompt
        lost = score(each.prompt, each.wrong).value
        assert lost is not None and lost <= 0.4, each.prompt
