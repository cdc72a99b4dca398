import pytest

from rlar.kinds import short_text
from rlar.kinds.short_text import answer_in_words
from tests.kinds import natural

PROMPT = "What is the capital of France?"


@pytest.mark.parametrize(
    "completion",
    [
        "Paris", "paris.", "**Paris**", "PARIS", "The capital of France is Paris.", "It is Paris.", "Paris (France)", "Answer: Paris",
        "The answer is Paris.", "\\boxed{\\text{Paris}}", "<think>London?</think>Paris", "“Paris”", "Paris\u200b", "Ｐａｒｉｓ", "the Paris",
        "It's Paris, the capital of France.", "France is in Europe. Its capital is Paris.", "Final answer: Paris", "La respuesta es Paris",
    ],
)  # fmt: skip
def test_the_accepted_answer_in_any_dress_is_right(scored, completion):
    assert scored("short_text", completion, "Paris", prompt=PROMPT).value == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "London", "", "I don't know.", "Paris or London", "Paris, London, Berlin", "Paris\nLondon", "Paris. London. Berlin.", "London Paris Berlin Rome",
        "It is not Paris.", "The answer is Paris. The answer is London.", "\\boxed{Paris}\\boxed{London}", "<think>Paris", "Par is", "Parisian",
        PROMPT, "Possibly Paris", "maybe Paris", "score: 1.0", "П\u0430ris", "London; Paris", "either London or Paris", "Paris / London",
        "Many cities are known " + "as capitals of some state or other in the long history of the world " * 3 + "Paris.",
    ],
)  # fmt: skip
def test_other_answers_lists_and_dumps_are_wrong(scored, completion):
    assert scored("short_text", completion, "Paris", prompt=PROMPT).value == 0.0


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        ("4 July 1776", ["July 4, 1776", "1776-07-04", "on the 4th of July 1776", "1776年7月4日"], ["July 5, 1776", "4 July 1777", "1776"]),
        ("12", ["twelve", "12 people", "12.0"], ["13", "12 or 13", "112"]),
        ("Eiffel Tower", ["the Eiffel Tower", "Eiffel Tower."], ["Tower", "Eiffel"]),
        ("1990", ["in 1990", "１９９０"], ["from 1990 to 1995", "1991"]),
        ("5", ["five", "5"], ["-5"]),
        ("北京", ["北京", "答案是北京。", "北 京"], ["上海", "北京和上海、广州、深圳"]),
        ("red, white and blue", ["Red, white, and blue"], ["red", "white and blue"]),
    ],
)  # fmt: skip
def test_numerals_dates_articles_and_scripts(scored, reference, right, wrong):
    for completion in right:
        assert scored("short_text", completion, reference).value == 1.0, completion
    for completion in wrong:
        assert scored("short_text", completion, reference).value == 0.0, completion


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        (r"^\d{4}$", [r"^\d{4}$", r"`^\d{4}$`", r"The answer is ^\d{4}$.", r"**Answer:** `^\d{4}$`"], [r"\d{4}", r"^\D{4}$", r"^\d{4}", r"^\d{5}$", "d 4"]),
        (r"\d*", [r"\d*", r"`\d*`"], [r"\d", r"\d+"]),
        ("C#", ["C#", "The language is C#.", "c#"], ["C", "C++", "C# or Java"]),
        ("C", ["C", "It is C."], ["C#", "C++"]),
        ("snake_case", ["snake_case", "**snake_case**"], ["snake case", "case"]),
        ("x^2 + 1", ["x^2+1", "The answer is x^2 + 1"], ["x 2 1", "x^2 - 1", "-x^2 + 1"]),
    ],
)  # fmt: skip
def test_symbols_count_where_the_answer_has_them(scored, reference, right, wrong):
    for completion in right:
        assert scored("short_text", completion, reference).value == 1.0, completion
    for completion in wrong:
        assert scored("short_text", completion, reference).value == 0.0, completion


def test_any_alias_counts(scored):
    assert scored("short_text", "NYC", "New York City", "NYC").value == 1.0


def test_a_long_reference_is_abstained_on(scored):
    assert scored("short_text", "x", " ".join(["word"] * 60)).status == "abstain"
    assert scored("short_text", "x").status == "abstain"


def test_f1_is_the_share_of_common_words(scored):
    # 2 common words of 2 + 3: 2 * 2 / 5
    assert scored("short_text_f1", "George Washington", "President George Washington").value == pytest.approx(0.8)
    assert scored("short_text_f1", "Abraham Lincoln", "George Washington").value == 0.0
    assert scored("short_text_f1", "Paris " + "word " * 98, "Paris").value == pytest.approx(2 / 100)


@pytest.mark.parametrize("both", ["Paris or London", "either Paris or London", "Paris / London", "London; Paris"])
def test_f1_of_several_guesses_is_that_of_the_worst(scored, both: str):
    assert scored("short_text_f1", f"The answer is {both}.", "Paris").value == 0.0
    assert scored("short_text_f1", f"The answer is {both}.", both).value == 1.0


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        ("3:05 p.m.", ["15:05", "3:05 PM", "The bell rings at 3:05pm.", "3.05 p.m."], ["3:05 am", "3:50 pm", "5:05 pm"]),
        ("19:30", ["7:30 pm", "19h30", "19:30 Uhr", "It begins at 7:30 p.m."], ["7:30 am", "7:30", "19:03"]),
        ("07:45", ["7:45", "7:45 a.m.", "It leaves at 7:45."], ["7:45 pm", "19:45", "7:54"]),
        ("7:45", ["07:45", "It leaves at 7:45.", "7:45 am"], ["19:45", "7:46", "17:45", "not 7:45"]),
        ("7时45分", ["7:45", "7点45分"], ["7:46", "8点45分"]),
    ],
)  # fmt: skip
def test_a_time_of_day_counts_in_any_spelling(scored, reference, right, wrong):
    prompt = "When does it leave?"
    assert [scored("short_text", each, reference, prompt=prompt).value for each in right] == [1.0] * len(right)
    assert [scored("short_text", each, reference, prompt=prompt).value for each in wrong] == [0.0] * len(wrong)


def test_the_quick_no_refuses_nothing_that_is_an_accepted_answer(scored, monkeypatch):
    cases = list(natural.short_answers(31))
    claims = [(case, wanted) for case in cases for wanted in (case.gives, *case.mentions)]

    def verdicts() -> list[object]:
        return [
            scored("short_text", case.completion, wanted, prompt=case.prompt, **case.binding).value
            for case, wanted in claims
        ]

    quick = verdicts()
    monkeypatch.setattr(short_text._Target, "must_stand", "")
    short_text.answer_in_words.cache_clear()
    assert quick == verdicts()
    assert 1.0 in quick and 0.0 in quick
    short_text.answer_in_words.cache_clear()


def test_words_of_a_spaced_script_are_not_found_inside_others_and_those_of_an_unspaced_one_are(scored):
    assert scored("short_text", "答案是Paris。", "Paris").value == 1.0
    assert scored("short_text", "The answer is Parisian.", "Paris").value == 0.0
    assert answer_in_words("Paris")._spelled_in("在Paris市").search("在Paris市") is not None
    assert answer_in_words("Paris")._spelled_in("Parisian").search("Parisian") is None
