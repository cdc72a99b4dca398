"""Times of day: one spelling for one time, another for another."""

from __future__ import annotations

import pytest

from rlar.text.clock import has_half, has_time, in_one_spelling


def spellings(hour: int, minute: int) -> list[str]:
    half = "am" if hour < 12 else "pm"
    short = hour % 12 or 12
    dotted = f"{half[0]}.m."
    return [
        f"{hour:02}:{minute:02}",
        f"{short}:{minute:02} {half}",
        f"{short}:{minute:02}{half.upper()}",
        f"{short}:{minute:02} {dotted}",
        f"{short}.{minute:02} {half}",
        *([f"{short} {half}"] if minute == 0 else []),
        *([f"{hour}h{minute:02}", f"{hour}:{minute:02} Uhr", f"{hour}時{minute:02}分", f"{hour}点{minute:02}分"] if hour > 12 else []),
    ]  # fmt: skip


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("minute", [0, 5, 45])
def test_every_spelling_of_a_time_is_that_time_alone(hour: int, minute: int) -> None:
    for text in spellings(hour, minute):
        assert has_time(text) and (has_half(text) or text == f"{hour}:{minute:02}"), text
        respelled = in_one_spelling(f"The train leaves at {text}")
        assert respelled.removesuffix(" Uhr") == f"The train leaves at {hour:02}:{minute:02}", text


def test_a_bare_hour_below_13_tells_no_half() -> None:
    assert not has_half("7:45")
    assert has_half("07:45") and has_half("19:45") and has_half("7:45 pm")
    assert in_one_spelling("7:45 pm", half=False) == "07:45"
    assert in_one_spelling("19:45", half=False) == "19:45"  # not the 7:45 that was asked for


@pytest.mark.parametrize("text", ["12.5 km", "1:2:3", "10:300", "2:1", "3.14", "25:10", "1914-1918", "12/07/2020", "I am 12", "version 7.45", "5 amps"])  # fmt: skip
def test_what_is_no_time_stays_as_it_is(text: str) -> None:
    assert in_one_spelling(text) == text
