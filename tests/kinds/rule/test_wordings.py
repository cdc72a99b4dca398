"""Wordings that prompts share: found, told again, and their gaps read."""

from __future__ import annotations

import random
import time

import pytest

from rlar.discover.discover import Group, GroupReading, discover
from rlar.kinds.bind import bind
from rlar.kinds.rule.wordings import find_wordings, matches, normal_text, slots
from rlar.types import AnswerKind, Contract, Example, Message

WORDS = [
    "river",
    "stone",
    "lamp",
    "green",
    "winter",
    "paper",
    "horse",
    "cloud",
    "table",
    "music",
    "garden",
    "bridge",
    "window",
    "pencil",
    "orange",
    "market",
]


def countdown(rng: random.Random) -> str:
    numbers = ", ".join(str(rng.randint(1, 50)) for _ in range(rng.choice([3, 4, 5])))
    return (
        f"Numbers: {numbers}. Target: {rng.randint(10, 99)}. Write one sum that uses each number and hits the target."
    )


def chat(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(6, 20))) + "?"


def example(text: str, reference: str | None = None) -> Example:
    references = (reference,) if reference is not None else ()
    return Example(
        id=text[:40], prompt=(Message(role="user", content=text),), reference=reference, references=references
    )


def test_prompts_with_other_contents_share_their_wording():
    rng = random.Random(0)
    texts = [countdown(rng) if place % 3 == 0 else chat(rng) for place in range(60)]
    found = find_wordings(texts, support=4)
    assert [item.wording for item in found] == [
        "numbers : … . target : … . write one sum that uses each number and hits the target ."
    ]
    assert found[0].rows == tuple(range(0, 60, 3))


def test_chat_shares_no_wording():
    rng = random.Random(1)
    assert find_wordings([chat(rng) for _ in range(200)], support=4) == []


def test_a_phrase_in_longer_prompts_is_no_wording():
    rng = random.Random(2)
    texts = [f"{chat(rng)} {chat(rng)} please answer in polite english {chat(rng)} {chat(rng)}" for _ in range(20)]
    assert find_wordings(texts, support=4) == []


def test_too_few_prompts_are_no_task():
    rng = random.Random(3)
    assert find_wordings([countdown(rng) for _ in range(3)], support=4) == []


def test_halves_of_a_file_find_the_same_wording():
    rng = random.Random(4)
    texts = [countdown(rng) for _ in range(40)]
    one, two = find_wordings(texts[::2], support=4), find_wordings(texts[1::2], support=4)
    assert [item.wording for item in one] == [item.wording for item in two]


@pytest.mark.parametrize(
    ("wording", "prompt", "expected"),
    [
        ("turn the word … into … .", "Turn the word CAT  into Dog.", ["CAT", "Dog"]),
        ("turn the word … into … .", "Turn the word CAT into Dog. Now!", None),  # anchored at the end
        ("… of the year … in words", "Say the last day of the year 1,999 in words", ["Say the last day", "1,999"]),
        ("a b c d e", "A b\nc d  e", []),
        ("a b c d e", "a b c d e f", None),
        ("a b c … c d e", "a b c d e", None),  # runs may not overlap
        ("… wie heißt das …", "Und WIE HEISST das hier?", None),  # folding moves letters: no places, no slots
    ],
)
def test_slots_are_what_stands_in_the_gaps(wording: str, prompt: str, expected: list[str] | None):
    assert slots(wording, prompt) == expected


def test_a_wording_never_matches_inside_a_word():
    assert not matches("… art is long …", normal_text("the start is long"))
    assert matches("… art is long …", normal_text("So art is long, they say"))


def test_matching_takes_linear_time_on_a_hostile_prompt():
    wording = "a b … a c … a d … a e … a f … z"
    short, long = normal_text("a b " * 2_000), normal_text("a b " * 20_000)
    started = time.perf_counter()
    matches(wording, short)
    middle = time.perf_counter()
    matches(wording, long)
    assert time.perf_counter() - middle < 50 * max(middle - started, 1e-3)  # 10 times the text


def test_scripts_without_spaces_have_wordings():
    names = ["北京", "上海", "广州", "深圳", "成都", "杭州"]
    found = find_wordings([f"请用三个字描述这座城市并且押韵: {name}" for name in names], support=4)
    assert len(found) == 1
    assert slots(found[0].wording, "请用三个字描述这座城市并且押韵: 南京") == ["南京"]


RULE = AnswerKind.RULE


def rows_with_countdown() -> list[Example]:
    rng = random.Random(5)
    rows = [example(countdown(rng)) for _ in range(20)]
    rows += [example(f"{chat(rng)} {word} {chat(rng)}") for word in WORDS * 2]
    return rows


class Reader:
    """Makes a task of every wording that asks for a target, and records what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Group] = []

    def __call__(self, groups):
        self.asked += groups
        return [
            GroupReading(
                Contract(answer_kind=RULE, has_reference=False, wordings=(group.wording,)), "sums", "Hit a target."
            )
            if "target" in group.wording
            else GroupReading(group.contract, "small talk", criteria=("It is friendly.",))
            for group in groups
        ]


def test_a_reader_makes_a_task_of_a_wording_and_its_rows_are_found_again():
    reader = Reader()
    rows = rows_with_countdown()
    found = discover(rows, read=reader)
    tasks = {task.label: task for task in found.tasks}
    assert {label: task.contract.answer_kind for label, task in tasks.items()} == {
        "sums": RULE,
        "small talk": AnswerKind.OPEN_ENDED,
    }
    assert (tasks["sums"].rows, tasks["small talk"].rows) == (20, 32)
    assert tasks["small talk"].criteria == ("It is friendly.",)
    assert tasks["sums"].description.startswith("Hit a target.")
    fresh = example("Numbers: 7, 8. Target: 56. Write one sum that uses each number and hits the target.")
    other = example("What would you name a cat that likes to swim?")
    assigned = found.router.assign([fresh, other])
    assert [item.fingerprint for item in assigned] == [tasks["sums"].fingerprint, tasks["small talk"].fingerprint]
    assert bind(fresh, tasks["sums"].contract) == {"slots": ["7, 8", "56"]}


def test_a_known_wording_needs_no_reader_and_keeps_its_fingerprint():
    first = discover(rows_with_countdown(), read=Reader())
    again = discover(rows_with_countdown(), known=first.tasks)
    assert {task.fingerprint for task in again.tasks} == {task.fingerprint for task in first.tasks}
    reader = Reader()
    discover(rows_with_countdown(), known=first.tasks, read=reader)
    assert [group.wording for group in reader.asked] == []


def test_readers_are_asked_about_groups_not_rows():
    reader = Reader()
    discover(rows_with_countdown(), read=reader)
    assert [(group.wording != "", group.rows, len(group.examples)) for group in reader.asked] == [
        (False, 52, 8),
        (True, 20, 8),
    ]


def test_a_reading_may_correct_what_a_task_is_judged_by():
    rows = [example(f"How long is the {word} road, in metres?", str(place + 3)) for place, word in enumerate(WORDS)]
    math = Contract(answer_kind=AnswerKind.MATH, has_reference=True)

    def read(groups):
        assert groups[0].fits[AnswerKind.MATH] == 1.0  # a number is an expression, too
        return [GroupReading(math, "lengths") for _ in groups]

    found = discover(rows, read=read)
    assert [(task.contract, task.label) for task in found.tasks] == [(math, "lengths")]
