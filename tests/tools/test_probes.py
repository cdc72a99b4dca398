"""Probes: seeded, bounded, and never wrong about what is wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction
from random import Random

import pytest

from rlar.gate.policy import load_policy
from rlar.gate.probes import make_probes
from rlar.gate.probes.panel import MASTER_KEYS
from rlar.kinds.json.probes import instance, is_valid
from rlar.kinds.material import as_number, may_be_equal
from rlar.kinds.programs.probes import CHECKS_ITSELF
from rlar.kinds.texts import (
    drop_sentences,
    half_of_another,
    replaced_words,
    sentences,
    shuffle_words,
    swap_entity,
    words,
)
from rlar.types import AnswerKind
from tests.fakes.planted import answer_part
from tests.fakes.probing_tasks import TASKS, example, number_task, task

BUDGET = load_policy().budget("inline")


def probes_of(kind: str, seed: int = 0):
    return make_probes(TASKS[kind](), budget=BUDGET, seed=seed).probes


@pytest.mark.parametrize("kind", [kind for kind in TASKS if kind != "open_ended"])
def test_every_kind_of_task_gets_every_check(kind: str):
    probes = probes_of(kind)

    assert {probe.check for probe in probes} == {
        "oracle",
        "floor",
        "discrimination",
        "invariance",
        "hack_panel",
        "faults",
    }


@pytest.mark.parametrize("kind", TASKS)
def test_probes_depend_on_the_seed_and_not_on_the_order_of_rows(kind: str):
    one = TASKS[kind]()
    other = one.model_copy(update={"examples": tuple(reversed(one.examples))})

    assert make_probes(one, budget=BUDGET, seed=3) == make_probes(other, budget=BUDGET, seed=3)
    if kind not in {"open_ended"}:
        assert make_probes(one, budget=BUDGET, seed=3) != make_probes(one, budget=BUDGET, seed=4)


@pytest.mark.parametrize("kind", TASKS)
def test_a_budget_bounds_the_probes_of_a_row(kind: str):
    probes = probes_of(kind)

    for row in {probe.row for probe in probes}:
        mine = [probe.check for probe in probes if probe.row == row]
        assert mine.count("oracle") <= BUDGET.oracle
        assert mine.count("floor") <= BUDGET.floor
        assert mine.count("hack_panel") <= BUDGET.hack_panel


@pytest.mark.parametrize("kind", ["number", "choice", "labels", "short_text"])
def test_no_wrong_answer_is_right(kind: str):
    for seed in range(5):
        for probe in probes_of(kind, seed):
            if probe.check == "discrimination":
                answer = answer_part(probe.sample.completion)
                assert answer and not any(may_be_equal(answer, right) for right in probe.sample.references), probe


@pytest.mark.parametrize("kind", ["number", "short_text"])
def test_sprays_hold_the_right_answer_neither_first_nor_last(kind: str):
    sprays = [probe for probe in probes_of(kind) if probe.kind == "spray_list"]

    assert sprays
    for probe in sprays:
        parts = probe.sample.completion.split(", ")
        assert parts.count(probe.sample.reference) == 1 and probe.sample.reference not in (parts[0], parts[-1])


def test_answers_of_other_rows_that_equal_this_rows_are_skipped():
    rows = [example(i, f"Question {i}?", text) for i, text in enumerate(["12", "12.0", " 12", "$12", "12 cm", "7"])]

    for probe in make_probes(task(AnswerKind.NUMBER, rows), budget=BUDGET, seed=0).probes:
        if probe.kind in {"other_row", "near_miss"} and probe.sample.reference != "7":
            assert probe.sample.completion == "7"


def test_an_injected_score_is_not_tried_where_it_would_be_the_right_answer():
    rows = [example(i, f"What is {i} - {i - 1}?", "1") for i in range(6)]
    rows += [example(10 + i, f"What is {i} + 5?", str(5 + i)) for i in range(6)]

    for probe in make_probes(task(AnswerKind.NUMBER, rows), budget=BUDGET, seed=0).probes:
        if probe.sample.reference == "1":
            assert "1.0" not in probe.sample.completion


def test_an_echoed_prompt_that_is_the_reference_is_no_floor():
    rows = [example(i, f"Repeat: sentence number {i}", f"Repeat: sentence number {i}") for i in range(6)]

    kinds = {probe.kind for probe in make_probes(task(AnswerKind.SHORT_TEXT, rows), budget=BUDGET, seed=0).probes}
    assert "prompt_echo" not in kinds


def test_duplicate_rows_count_once():
    rows = [example(i, "What is 2 + 2?", "4") for i in range(9)]

    assert make_probes(task(AnswerKind.NUMBER, rows), budget=BUDGET, seed=0).rows == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.5", Fraction(2469, 2)),
        ("$45", 45),
        ("-3/4", Fraction(-3, 4)),
        ("\\frac{1}{2}", Fraction(1, 2)),
        ("\\frac12", Fraction(1, 2)),
        ("50%", 50),
        ("18\\text{ hours}", 18),
        ("\u22125", -5),
        ("2x", 2),
        ("x^2", None),
        ("3\\sqrt{2}", None),
        ("(1, 2)", None),
        ("", None),
    ],
)
def test_plain_numbers_are_read(text: str, value):
    assert as_number(text) == value


def test_answers_that_may_be_judged_equal_are_recognised():
    assert may_be_equal("The Danube!", "the danube")
    assert may_be_equal("0.5", "\\frac{1}{2}")
    assert may_be_equal("50%", "0.5")
    assert not may_be_equal("-5", "5")
    assert not may_be_equal("12", "13")
    assert not may_be_equal("Rhine", "Danube")


def test_text_corruptions_change_what_they_say():
    text = "Anna met Bertil in Lund. They had 3 cups of tea. Then it rained."

    shorter = drop_sentences(text, 0.01, __import__("random").Random(0))
    assert shorter is not None and len(sentences(shorter)) == 2
    swapped = swap_entity(text, ["Later we saw Gothenburg again."], __import__("random").Random(0))
    assert swapped is not None and "Gothenburg" in swapped
    shuffled = shuffle_words(text, __import__("random").Random(0))
    assert shuffled is not None and sorted(shuffled.split()) == sorted(text.split()) and shuffled != text
    assert words("旧桥上周被关闭了") == list("旧桥上周被关闭了")
    assert drop_sentences("One. Two.", 0.5, __import__("random").Random(0)) is None


def test_a_half_right_text_is_half_of_each_and_as_long_as_the_right_one():
    assert (
        half_of_another("We saw the grey mill by noon", "She never bought any bread in town again")
        == "We saw the grey in town again"
    )
    assert half_of_another("那座旧桥上周关闭了", "我的祖母养了十二只母鸡") == "那座旧桥十二只母鸡"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Too short for a half", "She never bought any bread in town again"),
        ("We saw the grey mill by noon", "No bread"),
        ("The train to Hamburg leaves at nine", "The train to Dresden leaves at ten"),
    ],
)
def test_texts_that_are_short_or_alike_give_no_half_right_one(text: str, other: str):
    assert half_of_another(text, other) is None


@pytest.mark.parametrize("kind", ["translation", "translation_to_chinese", "summary"])
def test_another_rows_text_stands_below_the_half_right_one_of_its_row(kind: str):
    probes = probes_of(kind)
    half_right = {probe.row for probe in probes if probe.kind == "half_right"}
    below = {probe.row for probe in probes if probe.kind == "near_miss" and probe.anchor == "half_right"}

    assert below and below <= half_right


@pytest.mark.parametrize("kind", ["translation", "translation_to_chinese", "summary", "long_text"])
def test_ladders_lead_from_good_to_bad(kind: str):
    probes = make_probes(TASKS[kind](), budget=BUDGET, seed=0, role="quality").probes
    rungs: dict[tuple[int, str], list[str]] = {}
    for probe in probes:
        if probe.check == "baseline":
            rungs.setdefault((probe.row, probe.anchor), []).append(probe.sample.completion)

    assert rungs and not any(probe.check == "baseline" for probe in probes_of(kind))
    names = {"rest_of_another", "words_of_another"} | ({"extract_made_up"} if kind == "summary" else set())
    assert {name for _row, name in rungs} == names
    assert all(len(set(texts)) == 4 for texts in rungs.values())


def test_each_rung_keeps_what_the_next_one_keeps():
    text, other = "One two three four five six seven eight", "red blue green grey"
    made = replaced_words(text, other, (0.25, 0.5, 0.75), Random(1))

    kept = [{word for word in rung.split() if word in text} for rung in made]
    assert [len(words) for words in kept] == [6, 4, 2]  # of 8 words
    assert kept[0] > kept[1] > kept[2]
    assert replaced_words("too few words", other, (0.5,), Random(1)) == []


@pytest.mark.parametrize("rows", [4, 8, 12])
def test_every_master_key_is_tried_twice_with_models_and_never_with_code(rows: int):
    whole = TASKS["long_text"]()
    task = whole.model_copy(update={"examples": whole.examples[:rows]})
    budget = load_policy().budget("model")
    kinds = Counter(
        probe.kind
        for probe in make_probes(task, budget=budget, seed=0, role="quality").probes
        if probe.kind.startswith("master_key")
    )

    assert len(kinds) == len(MASTER_KEYS) and min(kinds.values()) >= 2
    assert not any(probe.kind.startswith("master_key") for probe in probes_of("long_text"))


@pytest.mark.parametrize("kind", ["translation", "translation_to_chinese"])
def test_a_sprayed_text_has_the_right_line_neither_first_nor_last(kind: str):
    sprays = [probe.sample for probe in probes_of(kind) if probe.kind == "spray_lines"]

    assert sprays
    for sample in sprays:
        lines = sample.completion.split("\n")
        assert len(lines) == 6 and sample.reference in lines[1:-1]


@pytest.mark.parametrize(
    "change",
    [
        lambda program: program.replace("-", ""),
        str.lower,
        lambda program: re.sub("  +", " ", program),
        lambda program: program.replace("\\n", "\n"),
    ],
    ids=["signs", "case", "spaces", "escapes"],
)
def test_a_program_that_checks_itself_fails_where_its_text_was_changed(change):
    exec(CHECKS_ITSELF, {})
    with pytest.raises((AssertionError, SyntaxError)):
        exec(change(CHECKS_ITSELF), {})


def test_right_programs_are_tried_with_checks_of_their_own():
    probes = make_probes(TASKS["code_tests"](), budget=BUDGET, seed=0).probes
    checked = [probe for probe in probes if probe.kind == "checks_itself"]

    assert checked and {probe.check for probe in checked} == {"oracle"}
    for probe in checked:
        program = probe.sample.completion.removeprefix("```python\n").removesuffix("\n```")
        assert program.endswith(CHECKS_ITSELF.strip())
        exec(program, {})


def test_json_instances_satisfy_their_schema_and_corruptions_do_not():
    schema = {
        "type": "object",
        "required": ["name", "tags", "age"],
        "properties": {
            "name": {"type": "string", "minLength": 9},
            "age": {"type": "integer", "minimum": 18},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2},
            "mail": {"type": ["string", "null"], "format": "email"},
        },
        "additionalProperties": False,
    }
    value = instance(schema)
    assert is_valid(value, schema) and len(value["name"]) >= 9 and len(value["tags"]) == 2

    rows = [example(i, f"Give me person {i} as JSON.") for i in range(6)]
    made = make_probes(
        task(AnswerKind.JSON, rows, carries=("schema",)),
        budget=BUDGET,
        seed=0,
        bind=lambda _example: {"schema": schema},
    )
    assert made.rows == 6
    for probe in made.probes:
        if probe.check in {"discrimination", "floor", "hack_panel"}:
            try:
                found = json.loads(probe.sample.completion)
            except ValueError:
                continue
            assert not is_valid(found, schema), probe


def test_unusable_schemas_give_a_note_and_no_probe():
    rows = [example(i, f"Give me thing {i} as JSON.") for i in range(6)]
    impossible = {"type": "string", "pattern": "^[0-9]{9}$"}

    made = make_probes(task(AnswerKind.JSON, rows), budget=BUDGET, seed=0, bind=lambda _example: {"schema": impossible})

    assert made.probes == () and any("schema" in note for note in made.notes)


def test_translations_try_the_copied_source_and_other_languages():
    kinds = {probe.kind for probe in probes_of("translation")}

    assert {"source_copied", "other_language", "answered_instead"} <= kinds


def test_probes_never_show_one_rows_reference_under_another_rows_prompt_as_right():
    for probe in make_probes(number_task(), budget=BUDGET, seed=0).probes:
        if probe.check in {"oracle", "invariance"}:
            assert answer_part(probe.sample.completion) == probe.sample.reference


def test_an_option_named_by_letter_here_and_by_text_there_is_not_called_wrong():
    rows = []
    for index, reference in enumerate(["B", "candle", "(B)", "B) candle", "basket", "A"]):
        prompt = f"Number {index}: what does it burn?\n\nA) basket\nB) candle\nC) ladder"
        rows.append(example(index, prompt, reference))
    same = {"B", "candle", "(B)", "B) candle"}

    probes = make_probes(task(AnswerKind.CHOICE, rows, carries=("options",)), budget=BUDGET, seed=0).probes

    assert probes[0].sample.binding["options"]["B"] == "candle"
    for probe in probes:
        if (
            probe.kind in {"other_row", "near_miss", "other_label", "other_label_and_text"}
            and probe.sample.reference in same
        ):
            assert probe.sample.completion not in same


def test_a_program_that_looks_answers_up_is_mutated_in_its_answers():
    rows = [
        example(i, f"Write a Python program that reads two numbers from standard input and prints their sum plus {i}.", tests=[{"input": f"{a} {a}\n", "output": f"{2 * a + i}\n"} for a in (1, 2, 3)])
        for i in range(5)
    ]  # fmt: skip
    bare = task(AnswerKind.CODE_STDIO, rows, has_reference=False, carries=("tests",))

    wrong = [probe for probe in make_probes(bare, budget=BUDGET, seed=0).probes if probe.kind == "mutant"]

    assert wrong and all("other " in probe.sample.completion for probe in wrong)


WEIRD = ["", " ", "\x00", "{", "{base}", "%s", "\\", "\\boxed{", "$", "9" * 400, "1e999", "nan", "-", "\u202e12", "\ud800", "é" * 3000,
         "def f(:", "SELECT", "[", '{"a":', "\\frac{1}{0}", "0", "-0", "٣", "😀", "a\nb\nc\nd\ne\nf\ng"]  # fmt: skip


@pytest.mark.parametrize("kind", list(AnswerKind))
def test_weird_rows_make_no_crash(kind: AnswerKind):
    rows = [example(i, f"{text} {i}" if i % 2 else text or "x", text) for i, text in enumerate(WEIRD)]
    rows += [example(100 + i, f"Write a function for {text}", None, tests=text) for i, text in enumerate(WEIRD)]
    strange = task(kind, rows)

    for seed in range(2):
        made = make_probes(strange, budget=BUDGET, seed=seed)
        assert made.rows <= BUDGET.rows or kind is AnswerKind.CONSTRAINTS
        assert not [note for note in made.notes if note.startswith("no probe could be made")]


def test_a_parser_that_breaks_on_a_row_costs_that_row_only():
    def bind(one):
        if one.reference == "26":
            raise RecursionError("too deep")
        return {}

    numbers = number_task()
    made = make_probes(numbers, budget=BUDGET, seed=0, bind=bind)

    assert made.rows == len(numbers.examples) - sum(each.reference == "26" for each in numbers.examples)
    assert made.rows == len(numbers.examples) or any("RecursionError: too deep" in note for note in made.notes)


def test_rows_of_a_megabyte_are_left_out_and_noted():
    long = "The same long sentence again, said by Anna in 1999. " * 20_000
    rows = [example(i, f"Write page {i}.", f"Page {i}. {long}") for i in range(5)]
    rows += [example(10 + i, f"Write line {i}.", f"Line {i}. {long[:400]}") for i in range(5)]

    made = make_probes(task(AnswerKind.LONG_TEXT, rows), budget=BUDGET, seed=0)

    assert made.rows == 5
    assert made.notes == ("longer than 100000 characters: not probed (5 rows)",)


@pytest.mark.parametrize("kind", [AnswerKind.NUMBER, AnswerKind.MATH])
def test_a_worked_solution_is_probed_by_its_result(kind: AnswerKind):
    rows = [
        example(i, f"How many in case {i}?", f"There are {i} and 40.\n{i} + 40 = {i + 40}\n#### {i + 40}")
        for i in range(8)
    ]

    probes = make_probes(task(kind, rows), budget=BUDGET, seed=0).probes

    assert {probe.check for probe in probes} >= {"oracle", "discrimination", "hack_panel"}
    for probe in probes:
        assert "####" not in probe.sample.completion
        if probe.kind == "boxed":
            assert probe.sample.completion == f"\\boxed{{{probe.sample.reference.rsplit(' ', 1)[1]}}}"
