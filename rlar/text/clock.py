"""Times of day in one spelling: "7:45 a.m.", "07:45", 7时45分."""

from __future__ import annotations

import re

_HALF = r"(?P<half>[ap])\.?[ ]?m\b\.?"
_CLOCK = re.compile(
    r"(?<![\d:.,/\-])(?P<hour>[01]?\d|2[0-3])"
    r"(?:(?:[:h]|[ ]?(?:uhr|[時时点點시])[ ]?)(?P<minute>[0-5]\d)(?![\d:]|\.\d)(?:[ ]?(?:分|분|uhr\b))?"
    rf"(?:[ ]?{_HALF})?|(?:\.(?P<dotted>[0-5]\d))?[ ]?{_HALF.replace('half', 'only')})",
    re.IGNORECASE,
)


def has_half(text: str) -> bool:
    """Whether every time in a text says which half of the day it means: by a.m. or p.m., a leading zero, or an hour past 12."""
    return all(
        match["half"] or match["only"] or match["hour"][0] == "0" or int(match["hour"]) > 12
        for match in _CLOCK.finditer(text)
    )


def has_time(text: str) -> bool:
    """Whether a time of day stands in a text."""
    return _CLOCK.search(text) is not None


def in_one_spelling(text: str, *, half: bool = True) -> str:
    """The text with its times of day as "19:45", hours as they are written where nothing tells the half of the day.

    Args:
        half: False: without a.m. and p.m. ("7:45" for 7:45 pm), for a reference that does not say which.
    """

    def respelled(match: re.Match[str]) -> str:
        hour, of_day = int(match["hour"]), (match["half"] or match["only"] or "").lower()
        if half and of_day and 1 <= hour <= 12:
            hour = hour % 12 + (12 if of_day == "p" else 0)
        return f"{hour:02}:{match['minute'] or match['dotted'] or '00'}"

    return _CLOCK.sub(respelled, text)
