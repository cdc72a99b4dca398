"""sql: queries on a database of the row's tables by tool calls, in the sandbox; the answer is judged by the registry's tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rlar.kinds.sql.data import database, quoted, shape_of
from rlar.kinds.sql.prepare import run_queries
from rlar.kinds.sql.rows import find_sql, read_query
from rlar.tool import Resources
from rlar.trainer.environments.tools import ToolEnvironment
from rlar.types import Example, Message

LONGEST = 10_000
"""Characters of a query."""
SEED = 7_001
"""Of the rows: none that the verifier of SQL judges on."""
SHOWN_CELL = 80


class Sql(ToolEnvironment):
    """One tool, `query`, on tables with made-up rows (and those that the row inserts). They are not made of the reference."""

    summary: ClassVar[str] = "queries on the row's tables by tool calls"
    offers: ClassVar[tuple[str, ...]] = ("query",)

    def __init__(self, resources: Resources, *, rows: int = 8, shown: int = 20) -> None:
        """
        Args:
            rows: of a table, about.
            shown: rows of a result that are shown.
        """
        super().__init__(resources)
        if not 1 <= rows <= 200 or not 1 <= shown <= 1_000:
            raise ValueError("rows must be 1 to 200, shown 1 to 1000")
        self.rows, self.shown = rows, shown

    def reset(self, row: Example, seed: int) -> Sequence[Message]:
        """The row's prompt. Raises ValueError for a row that describes no tables."""
        task = find_sql(row)
        every = ", ".join(quoted(table.name) for table in task.tables) if task is not None else ""
        plain = read_query(f"SELECT * FROM {every}") if every else None
        if task is None or plain is None:
            raise ValueError("the row describes no tables, or its reference is no query over them")
        self.database = database(shape_of(task, plain[0]), task, SEED, self.rows)
        return row.prompt

    def query(self, sql: str) -> str:
        """
        Run one read-only SQLite query on the tables and return its rows.

        Args:
            sql: The query.
        """
        if len(sql) > LONGEST:
            return f"error: the query is longer than {LONGEST:,} characters"
        answers, problem = run_queries(self.resources, [self.database], [sql], 10.0)
        if problem is not None:
            raise RuntimeError(problem.error or problem.explanation)
        answer = answers[0][0][0]
        if "error" in answer:
            return f"error: {answer['error']}"
        lines = [" | ".join(answer["columns"])]
        lines += [" | ".join(_cell(cell) for cell in row) for row in answer["rows"][: self.shown]]
        count = len(answer["rows"])
        return "\n".join([*lines, f"({count} rows)" if count <= self.shown else f"({count} rows, {self.shown} shown)"])


def _cell(value: object) -> str:
    return "NULL" if value is None else str(value)[:SHOWN_CELL]
