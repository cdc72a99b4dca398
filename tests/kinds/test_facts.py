"""What single rows give away: shapes of references, what prompts carry, and the contract that follows."""

from __future__ import annotations

from typing import Any

import pytest

from rlar.kinds.carries import (
    asks_for_json,
    asks_for_summary,
    find_json_schema,
    find_options,
    find_passage,
)
from rlar.kinds.contracts import guesses
from rlar.kinds.facts import describe
from rlar.rows.example import row_to_example
from rlar.text.shapes import Shape, final_answer, has_latex, option_letter, shape_of
from rlar.types import Example


def example(prompt: str, reference: str | None = None, **columns: Any) -> Example:
    row = {"prompt": prompt, **({} if reference is None else {"reference": reference}), **columns}
    made = row_to_example(row, "test:1")
    assert isinstance(made, Example), made
    return made


def kind(prompt: str, reference: str | None = None, **columns: Any) -> str:
    return guesses(describe(example(prompt, reference, **columns)))[0].contract.answer_kind.value


@pytest.mark.parametrize(
    "text",
    ["45", "-3", "1,234.50", "$40", "12%", "3,5", "20 km/h", "1e5", r"\$15,\!000", "$45$", "10{,}000", "7.", ".5"],
)
def test_numbers(text: str) -> None:
    assert shape_of(text) is Shape.NUMBER


@pytest.mark.parametrize(
    "text", ["3/4", "x^2 - 1", r"\frac{1}{2}", r"\text{Tuesday}", "[1, 5)", "(2, 3)", "x = 3", "1112112_3", "√2"]
)
def test_formulas(text: str) -> None:
    assert shape_of(text) is Shape.MATH


@pytest.mark.parametrize(
    "text", ["2021-05-04", "N/A", "3:30 pm", "555-1234", "[0-9]+", r"^\d{3}$", "Paris", "seven", "5 apples", "v1.2.3"]
)
def test_words_dates_and_patterns_are_no_mathematics(text: str) -> None:
    assert shape_of(text) is Shape.SHORT


COUNTED = {
    "How many apples are left?": ("12 apples", "12 apple"),
    "箱子里还剩多少？": ("12个", "12 个", "3人", "25名", "120円", "5개"),
    "箱子里还剩多少苹果？": ("3个苹果",),
    "Wie viele Personen passen hinein?": ("8 Personen", "8 Person"),
    "Wie viel ist es?": ("3 Stück", "1,5 Liter", "5 kg", "20 km/h"),
    "Сколько книг на полке?": ("7 книг", "2 книги"),
    "How many?": ("20 pieces", "2 dozen", "100 kcal"),
}
NOT_COUNTED = ("50 Foxtrots", "3 Doors Down", "7 Up", "4 July", "1945年", "3月", "7 Uhr", "7:45", "19:30", "7:45 am", "7時45分", "2 Chronicles", "3rd", "8 BC")  # fmt: skip


@pytest.mark.parametrize(("prompt", "reference"), [(prompt, each) for prompt, all_ in COUNTED.items() for each in all_])
def test_a_number_of_something_is_a_number_that_the_verifier_of_numbers_reads(prompt: str, reference: str) -> None:
    from rlar.kinds.number import read_reference

    assert kind(prompt, reference) == "number"
    assert read_reference(reference) is not None


@pytest.mark.parametrize("reference", NOT_COUNTED)
def test_names_dates_and_times_of_day_are_no_numbers(reference: str) -> None:
    assert kind("Say when it was, or what they are called.", reference) == "short_text"


@pytest.mark.parametrize("reference", ["7:45", "19:30", "7:45 am", "7時45分"])
def test_a_time_of_day_never_joins_a_task_of_numbers(reference: str) -> None:
    own = guesses(describe(example("When does the train leave?", reference)))
    assert "number" not in {guess.contract.answer_kind.value for guess in own}


def test_other_shapes() -> None:
    assert shape_of("B") is shape_of("(c)") is shape_of("B. Paris") is Shape.LETTER
    assert shape_of("Yes.") is shape_of("false") is Shape.BOOLEAN
    assert shape_of('{"a": 1}') is shape_of('["x"]') is shape_of('```json\n{"a": 1}\n```') is Shape.JSON
    assert shape_of("[1, 2]") is Shape.MATH  # a list of numbers is a tuple of numbers
    assert shape_of("word " * 30) is Shape.LONG
    assert shape_of("  ") is Shape.NONE
    assert option_letter("(b)") == "B" and option_letter("Berlin") is None


def test_the_final_answer_of_a_worked_solution() -> None:
    assert final_answer("2 + 2 = 4\n4 * 3 = 12\n#### 12") == "12"
    assert final_answer(r"so we get \boxed{\frac{1}{2}} as claimed") == r"\frac{1}{2}"
    assert final_answer("She sells 9 eggs.\nA: 18") == "18"
    assert final_answer("We think about it. The answer is B.") == "B."
    assert final_answer("plain") == "plain"


def test_money_is_no_latex() -> None:
    assert not has_latex("Sets are $40.00 each and the others are $50.00 each.")
    assert not has_latex("He has $5 and she has $7 left, so who has more?")
    assert has_latex("Let $x$ be real.") and has_latex(r"Compute \(2^3\).") and has_latex("If $x+1=3$, find x.")


def test_a_regular_expression_in_the_prompt_is_no_latex() -> None:
    assert not has_latex(r"Explain the pattern \d+\s*\w")


@pytest.mark.parametrize(
    "prompt",
    [
        "Pick one.\nA) red\nB) green\nC) blue",
        "Pick one. (A) red (B) green (C) blue",
        "Pick one.\nA. red\nB. green\nC. blue\nAnswer:",
        "Pick one.\n**A**: red\n**B**: green\n**C**: blue",
        "Pick one.\n[a] red\n[b] green\n[c] blue",
    ],
)
def test_options_in_many_styles(prompt: str) -> None:
    assert {name: text.strip("* ") for name, text in find_options(example(prompt)).items()} == {
        "A": "red",
        "B": "green",
        "C": "blue",
    }


def test_the_last_listing_of_options_counts() -> None:
    shots = "Q: one?\nA) x\nB) y\nAnswer: A\n\nQ: two?\nA) left\nB) right\nAnswer:"
    assert find_options(example(shots)) == {"A": "left", "B": "right"}


def test_prose_with_capital_letters_lists_no_options() -> None:
    assert find_options(example("Vitamin A. Vitamin C. A man met B. Smith and I. Newton.")) == {}


def test_options_from_columns() -> None:
    assert find_options(example("Q?", "b", choices=["a", "b"])) == {"A": "a", "B": "b"}
    assert find_options(example("Q?", "B", choices={"text": ["x", "y"], "label": ["A", "B"]})) == {"A": "x", "B": "y"}


def test_a_passage_is_found_apart_from_its_question() -> None:
    passage = "The river rises in the hills and " + "runs on and on through the plain, " * 8 + "to the sea."
    assert find_passage(f"{passage}\n\nWhere does the river rise?") == passage
    assert find_passage("Where does the river rise?") is None


def test_json_and_summaries_must_be_asked_for() -> None:
    assert asks_for_json("Return a JSON object with two keys.") and asks_for_json("Answer in JSON")
    assert not asks_for_json("What does JSON stand for?")
    assert (
        asks_for_summary("Summarise this:")
        and asks_for_summary("TL;DR")
        and asks_for_summary("Fasse den Text zusammen")
    )
    assert not asks_for_summary("What is the sum of 3 and 4?")


@pytest.mark.parametrize(
    "prompt",
    [
        "Tell me about the moon. Every sentence must be one word longer than the sentence before.",
        "What do sailors eat on long journeys, and who cooks it for them on board? Your response must alternate long and short sentences.",
        "Describe a storm at sea for children who have never seen one, with all its noises and colours.\nUse no adjectives in the last two paragraphs.",
    ],
)
def test_a_demand_on_the_form_is_seen_whether_it_can_be_read_or_not(prompt: str) -> None:
    facts = describe(example(prompt))
    assert facts.form_asked or facts.constraints


@pytest.mark.parametrize(
    "prompt",
    [
        "Which is the longest word of the English language, and how many letters must it have?",
        "Write a letter to my aunt and thank her for the lamp.",
        "My sentence was reduced to two years. What should I do first?",
        "Rewrite the paragraph so that it sounds friendlier.",
        "I never use the last line of the underground. Which one should I use, and why is it between two stations for so long?",
        "Write a program that finds the longest words of a file whose letters stand in order, and prints a grid of characters.",
    ],
)
def test_talk_of_words_and_lines_is_no_demand_on_the_form(prompt: str) -> None:
    facts = describe(example(prompt))
    assert not facts.form_asked and not facts.constraints


def test_a_schema_is_found_in_prompt_and_columns() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert find_json_schema(example("Fill in.", json_schema=schema)) == schema
    assert (
        find_json_schema(example('Use {"type": "object", "properties": {"a": {"type": "string"}}} please.')) == schema
    )
    assert find_json_schema(example('An example is {"a": 1}.')) is None


@pytest.mark.parametrize(
    ("expected", "prompt", "reference", "columns"),
    [
        ("number", "How many legs have 4 dogs?", "16", {}),
        ("math", "If $x+1=3$, what is $x$?", "2", {}),
        ("math", "Simplify the ratio.", r"\frac{2}{3}", {}),
        ("choice", "Which?\nA) x\nB) y", "B", {}),
        ("choice", "Which?\nA) a red fox\nB) a blue one", "a blue one", {}),
        ("choice", "Is water wet?", "yes", {}),
        ("json", "Give JSON for Ann, 3.", '{"name": "Ann", "age": 3}', {}),
        ("sql", "Write SQL for all names.", "SELECT name FROM people WHERE age > 3", {}),
        ("code_tests", "Write f.\nassert f(1) == 2\nassert f(2) == 3", "def f(x):\n    return x + 1", {}),
        (
            "code_stdio",
            "Write a program that reads n from standard input and prints 2n.",
            None,
            {"test_cases": {"inputs": ["1\n"], "outputs": ["2\n"]}},
        ),
        ("code_reference", "Write a Python function f(x) that adds one.", "def f(x):\n    return x + 1", {}),
        ("short_text", "Who wrote it?", "Ada Byron", {}),
        ("constraints", "Write a poem. Do not use any commas. Use at least 60 words.", None, {}),
        ("open_ended", "Why do cats purr?", None, {}),
        ("translation", "Translate to German: The house is very old.", "Das Haus ist sehr alt.", {}),
    ],
)
def test_the_contract_that_one_row_suggests(
    expected: str, prompt: str, reference: str | None, columns: dict[str, Any]
) -> None:
    assert kind(prompt, reference, **columns) == expected


def test_hostile_rows_are_described_quickly_and_without_raising() -> None:
    for prompt in (
        "(" * 50_000,
        "A) " * 20_000,
        "{" * 30_000,
        "$" * 30_000,
        "\\" * 30_000,
        "a,b/" * 20_000,
        "\n" * 60_000 + "x",
    ):
        describe(example(prompt, "x" * 10_000))
        describe(Example(id="x", prompt=example("q").prompt, reference=prompt[:20_000], references=(prompt[:20_000],)))
