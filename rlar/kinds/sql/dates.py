"""What a query says about the dates in a column, and dates that satisfy it. Pure; nothing is executed here."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Any

TODAY = datetime.date(2024, 1, 15)
"""The day on which every query runs."""
NOW = f"{TODAY.isoformat()} 12:00:00"
YEARS = (2018, 2019, 2020, 2021, 2022)
"""Of dates that no query speaks of."""

_SLICES = {(1, 4): "%Y", (6, 2): "%m", (9, 2): "%d", (1, 7): "%Y-%m", (1, 10): "%Y-%m-%d", (12, 2): "%H"}
"""(start, length) of a substring of an ISO date -> its format."""
_PARTS = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M"}
_READERS = {
    "strftime": 0, "date_format": 1, "to_char": 1, "julianday": None, "date": None, "datetime": None, "unixepoch": None,
    "dayofweek": None, "weekday": None, "quarter": None, "timestampdiff": None, "date_part": None, "age": None,
}  # fmt: skip
"""Functions of a date -> the place of their format, where they have one."""
_SQL_FORMAT = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "MI": "%M"}
_PREFIX = re.compile(r"(?P<year>(?:1[89]|20)\d\d)(?:-(?P<month>\d\d))?-?%\Z")
_CLOCK = re.compile(
    r"'now'|\bCURRENT_(?:DATE|TIMESTAMP|TIME)\b(?:\s*+\(\s*+\))?|\b(?:NOW|CURDATE|GETDATE|SYSDATE)\s*+\(\s*+\)",
    re.IGNORECASE,
)


def date_format(node: Any) -> str | None:
    """How an expression reads a date: its format ("%Y"), "" for a reading without one; None where it reads no date."""
    from sqlglot import exp

    if isinstance(node, exp.Cast):
        named = node.to.this in (exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP, exp.DataType.Type.DATETIME)
        return "" if named else date_format(node.this)
    if isinstance(node, exp.Year | exp.Month | exp.Day):
        return _PARTS[type(node).__name__.upper()]
    if isinstance(node, exp.Extract):
        return _PARTS.get(node.this.name.upper(), "")
    if isinstance(node, exp.TimeToStr | exp.ToChar):
        return plain_format(node.args.get("format"))
    if isinstance(node, exp.Substring):
        start, length = node.args.get("start"), node.args.get("length")
        places = (start.name, length.name) if start is not None and length is not None else ("", "")
        return _SLICES.get((int(places[0]), int(places[1]))) if all(place.isdecimal() for place in places) else None
    if isinstance(node, exp.Left):
        length = node.expression.name
        return _SLICES.get((1, int(length))) if length.isdecimal() else None
    if isinstance(node, exp.Anonymous) and node.name.lower() in _READERS:
        place = _READERS[node.name.lower()]
        return plain_format(node.expressions[place]) if place is not None and place < len(node.expressions) else ""
    dated = (exp.Date, exp.Datetime, exp.TsOrDsToDate, exp.TsOrDsToTimestamp, exp.DateTrunc, exp.DateDiff, exp.DateAdd,
             exp.DateSub, exp.DayOfWeek, exp.DayOfMonth, exp.TimestampTrunc)  # fmt: skip
    return "" if isinstance(node, dated) else None


def is_day(node: Any) -> bool:
    """Whether an expression is a day itself, so that what it is compared with is one."""
    from sqlglot import exp

    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        return is_day(node.this)
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in ("date", "datetime", "now", "getdate", "curdate")
    days = (exp.Date, exp.Datetime, exp.TsOrDsToDate, exp.TsOrDsToTimestamp, exp.DateTrunc, exp.DateAdd, exp.DateSub,
            exp.CurrentDate, exp.CurrentTimestamp, exp.TimestampTrunc)  # fmt: skip
    return isinstance(node, days) or (isinstance(node, exp.Cast) and date_format(node) == "")


def plain_format(node: Any) -> str:
    """The format of a date as strftime writes it, from a literal in that or in PostgreSQL's notation."""
    text = str(node.name) if node is not None else ""
    for word, sign in _SQL_FORMAT.items():
        text = text.replace(word, sign)
    return text.replace("%i", "%M").replace("%s", "%S")


def prefix_format(pattern: str) -> tuple[str, str] | None:
    """(what it asks, its format) of a LIKE pattern that asks for a year or a month: "2012%", "2012-03%"."""
    match = _PREFIX.match(pattern)
    if match is None:
        return None
    return (f"{match['year']}-{match['month']}", "%Y-%m") if match["month"] else (match["year"], "%Y")


def dates_like(value: Any, pattern: str) -> dict[int, list[datetime.date]]:
    """Dates whose reading by a format is the value (0), and is less (-1) or more (1); empty where it is no such reading."""
    text = str(value)
    if pattern in ("%Y", "%m", "%d", "%H") and text.isdecimal():
        text = text.zfill(4 if pattern == "%Y" else 2)
    try:
        read = datetime.datetime.strptime(text, pattern or "%Y-%m-%d")
    except (ValueError, re.error):
        return {}
    pattern = pattern or "%Y-%m-%d"
    years = [read.year] if "%Y" in pattern else [2019, 2021, 2022]
    months = [read.month] if "%m" in pattern else [2, 11]
    days = [min(read.day, 28)] if "%d" in pattern else [5, 21]
    base = [datetime.date(year, month, day) for year in years for month in months for day in days]
    if "%d" in pattern:
        base = [_moved(day, days=read.day - day.day) for day in base] if read.day > 28 else base
        steps: list[dict[str, int]] = [{"days": 1}, {"days": 3}]
    else:
        steps = [{"months": 1}, {"months": 3}] if "%m" in pattern else [{"months": 12}, {"months": 36}]
    dates = {0: base}
    for sign in (-1, 1):
        dates[sign] = [
            _moved(day, **{unit: sign * count for unit, count in step.items()}) for day in base for step in steps
        ]
    return dates


def _moved(day: datetime.date, *, days: int = 0, months: int = 0) -> datetime.date:
    month = day.year * 12 + day.month - 1 + months
    year = min(max(month // 12, 1), 9998)
    return datetime.date(year, month % 12 + 1, min(day.day, 28) if months else day.day) + datetime.timedelta(days=days)


def reads_clock(query: str) -> bool:
    """Whether a query asks what day it is."""
    return _CLOCK.search(query) is not None


def on_the_day(query: str) -> str:
    """The query as it runs on TODAY, whenever it is run."""

    def fixed(match: re.Match[str]) -> str:
        word = match[0].upper()
        if "DATE" in word and "GET" not in word:
            return f"'{TODAY.isoformat()}'"
        return "'12:00:00'" if word.startswith("CURRENT_TIME") and "STAMP" not in word else f"'{NOW}'"

    return _CLOCK.sub(fixed, query)


def around_today() -> Iterable[datetime.date]:
    """Days that "within the last week", "month" or "year" tell apart."""
    return [
        TODAY + datetime.timedelta(days=days) for days in (-800, -400, -200, -95, -75, -45, -20, -6, -3, -1, 0, 1, 20)
    ]
