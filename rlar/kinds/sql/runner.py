"""The program that runs queries over made-up databases, inside the sandbox. Needs only sqlite3; imports nothing of rlar.

Its text is handed to the sandbox as a program, with the queries as data: a query gets an in-memory database that it can
only read, a step limit, and size limits. It never sees the gold query or its result.
"""

from __future__ import annotations

import contextlib
import datetime
import random
import sqlite3
import time
from typing import Any

_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    33,  # SQLITE_RECURSIVE, not named in Python 3.11
}
_FORBIDDEN_FUNCTIONS = {
    "load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "random", "randomblob", "zeroblob",
}  # fmt: skip
_TODAY = "2024-01-15"
_MAX_ROWS = 5000


def run(
    databases: list[dict[str, Any]], queries: list[str], seconds: float, shuffles: int = 0, shuffled: int = 0
) -> list[list[list[dict[str, Any]]]]:
    """Answers [database][order][query]: {"columns", "rows"} or {"error"} ({"error": "timeout"}).

    The first order of the rows is the database's own and answers all queries; `shuffles` further ones answer the first
    `shuffled` queries. `seconds` is for one query on one database; a query that ran out of time is not tried again.
    """
    slow: set[str] = set()
    answers = []
    for database in databases:
        orders = []
        for order in range(1 + shuffles):
            batch = queries[: shuffled if order else len(queries)]
            results = _on_one(database, [query for query in batch if query not in slow], seconds, order)
            slow |= {query for query, answer in results.items() if answer.get("error") == "timeout"}
            orders.append([results.get(query, {"error": "timeout"}) for query in batch])
        answers.append(orders)
    return answers


def _on_one(database: dict[str, Any], queries: list[str], seconds: float, order: int) -> dict[str, dict[str, Any]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statement in database["create"]:
            connection.execute(statement)
        for statement, rows in database["rows"]:
            rows = list(rows)
            if order:
                random.Random(order).shuffle(rows)
            connection.executemany(statement, rows)
        for statement in database.get("inserts", ()):
            with contextlib.suppress(sqlite3.Error):
                connection.execute(statement)
        _add_functions(connection)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200)
        connection.set_authorizer(_authorize)
        return {query: _answer(connection, query, time.monotonic() + seconds) for query in queries}
    except sqlite3.Error as error:
        return {query: {"error": f"database: {error}"} for query in queries}
    finally:
        connection.close()


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
    if action not in _READS:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or first or "").lower() in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _answer(connection: sqlite3.Connection, query: str, deadline: float) -> dict[str, Any]:
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 20_000)
    try:
        cursor = connection.execute(query)
        if cursor.description is None:
            return {"error": "no result"}
        rows = cursor.fetchmany(_MAX_ROWS + 1)
        if len(rows) > _MAX_ROWS:
            return {"error": f"more than {_MAX_ROWS} rows"}
        return {"columns": [str(column[0]) for column in cursor.description], "rows": [list(row) for row in rows]}
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        return {"error": "timeout" if time.monotonic() > deadline else str(error)[:200]}


# ------------------------------------------------------------------------------------------ functions of other dialects


def _part(start: int, end: int) -> Any:
    return lambda value: None if value is None or not str(value)[start:end].isdigit() else int(str(value)[start:end])


def _day_number(value: Any) -> int | None:
    try:
        return datetime.date.fromisoformat(str(value)[:10]).toordinal()
    except ValueError:
        return None


def _days_between(later: Any, earlier: Any) -> int | None:
    one, other = _day_number(later), _day_number(earlier)
    return None if one is None or other is None else one - other


def _concat(*parts: Any) -> str:
    return "".join("" if part is None else str(part) for part in parts)


class _Spread:
    """Sample variance in one pass; `power` 0.5 gives the standard deviation."""

    power = 0.5
    sample = 1

    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: Any) -> None:
        if value is not None:
            self.values.append(float(value))

    def finalize(self) -> float | None:
        count = len(self.values)
        if count <= self.sample:
            return None
        mean = sum(self.values) / count
        return float((sum((value - mean) ** 2 for value in self.values) / (count - self.sample)) ** self.power)


class _Variance(_Spread):
    power = 1.0


class _PopulationSpread(_Spread):
    sample = 0


def _add_functions(connection: sqlite3.Connection) -> None:
    pure: list[tuple[str, int, Any]] = [
        ("year", 1, _part(0, 4)),
        ("month", 1, _part(5, 7)),
        ("day", 1, _part(8, 10)),
        ("concat", -1, _concat),
        ("left", 2, lambda text, count: None if text is None else str(text)[: max(int(count), 0)]),
        ("right", 2, lambda text, count: None if text is None else str(text)[-int(count) :] if int(count) > 0 else ""),
        ("datediff", 2, _days_between),
        ("now", 0, lambda: f"{_TODAY} 12:00:00"),
        ("curdate", 0, lambda: _TODAY),
        ("getdate", 0, lambda: f"{_TODAY} 12:00:00"),
        ("mod", 2, lambda one, other: None if one is None or not other else one % other),
        ("if", 3, lambda condition, yes, no: yes if condition else no),
        ("len", 1, lambda text: None if text is None else len(str(text))),
        ("mid", 3, lambda text, start, count: None if text is None else str(text)[int(start) - 1 :][: int(count)]),
        ("concat_ws", -1, lambda mark, *parts: str(mark).join(str(part) for part in parts if part is not None)),
        ("quarter", 1, lambda day: None if day is None else (int(str(day)[5:7]) + 2) // 3),
        (
            "lpad",
            3,
            lambda text, count, fill: None if text is None else str(text).rjust(int(count), fill)[: int(count)],
        ),
        ("reverse", 1, lambda text: None if text is None else str(text)[::-1]),
        ("char_length", 1, lambda text: None if text is None else len(str(text))),
    ]
    for name, arity, function in pure:
        with contextlib.suppress(sqlite3.Error):
            connection.create_function(name, arity, function, deterministic=True)
    for name, aggregate in (("stddev", _Spread), ("stddev_samp", _Spread), ("stdev", _Spread), ("variance", _Variance),
                            ("stddev_pop", _PopulationSpread)):  # fmt: skip
        connection.create_aggregate(name, 1, aggregate)  # type: ignore[arg-type]
