"""Queries of other dialects as SQLite runs them. Pure; nothing is executed here."""

from __future__ import annotations

from typing import Any

from rlar.errors import boundary
from rlar.kinds.sql.dates import on_the_day
from rlar.kinds.sql.mutants import written
from rlar.kinds.sql.rows import parse_sql

DIALECTS: tuple[str | None, ...] = ("sqlite", "postgres", "mysql", "tsql", "snowflake", None)
"""From which a query is translated, in this order, where SQLite does not run it as it stands."""


def translations(query: str, dialect: str | None) -> list[str]:
    """The query's translations from the likely dialects, at least one; `dialect` is tried first."""
    found: dict[str, None] = {}
    for source in dict.fromkeys((dialect, *DIALECTS) if dialect is not None else DIALECTS):
        text = as_sqlite(query, source)
        if text:
            found[text] = None
    return list(found) or [on_the_day(query)]


def as_sqlite(query: str, dialect: str | None) -> str:
    """One query of a dialect as SQLite writes it, on a fixed day; "" where sqlglot cannot."""
    trees = parse_sql(query, dialect)
    if not trees or len(trees) != 1:
        return ""
    tree = trees[0]
    return on_the_day(written(boundary(lambda: tree.transform(_for_sqlite), lambda _error: tree), "sqlite"))


def _for_sqlite(node: Any) -> Any:
    """What sqlglot leaves as it is though SQLite does not know it."""
    from sqlglot import exp

    if isinstance(node, exp.Extract):
        formats = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "DOW": "%w"}
        wanted = formats.get(node.this.name.upper())
        if wanted is not None:
            text = exp.Anonymous(this="STRFTIME", expressions=[exp.Literal.string(wanted), node.expression.copy()])
            return exp.cast(text, "INTEGER")
    if isinstance(node, exp.SetOperation):
        # SQLite knows no brackets around the members of a set operation.
        for side in ("this", "expression"):
            member = node.args.get(side)
            if isinstance(member, exp.Subquery) and not member.alias:
                plain = isinstance(member.this, exp.Select) and not (
                    member.this.args.get("order") or member.this.args.get("limit")
                )
                node.set(
                    side, member.this if plain else exp.select("*").from_(exp.alias_(member.copy(), "m", table=True))
                )
        return node
    if isinstance(node, exp.DateAdd | exp.DateSub | exp.TsOrDsAdd) and isinstance(
        node.expression, exp.Literal | exp.Interval
    ):
        amount = node.expression.this if isinstance(node.expression, exp.Interval) else node.expression
        unit = node.args.get("unit") or (
            node.expression.args.get("unit") if isinstance(node.expression, exp.Interval) else None
        )
        sign = "-" if isinstance(node, exp.DateSub) else "+"
        shift = exp.Literal.string(f"{sign}{amount.name} {unit.name.lower() if unit is not None else 'day'}")
        return exp.Anonymous(this="DATE", expressions=[node.this.copy(), shift])
    return node
