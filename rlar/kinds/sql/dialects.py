"""Queries of other dialects as SQLite runs them. Pure; nothing is executed here."""

from __future__ import annotations

import re
from typing import Any

from rlar.errors import boundary
from rlar.kinds.sql.dates import on_the_day, plain_format
from rlar.kinds.sql.mutants import written
from rlar.kinds.sql.rows import parse_sql, tree_of

DIALECTS: tuple[str | None, ...] = ("sqlite", "postgres", "mysql", "tsql", "snowflake", None)
"""From which a query is translated, in this order, where SQLite does not run it as it stands."""


_ELSEWHERE = re.compile(r"\bAS\s+(?:DATE|DATETIME|TIMESTAMP)\s*\)|::", re.IGNORECASE)
"""What SQLite runs with another meaning: CAST('2020-05-01' AS DATE) is 2020."""
_TSQL = re.compile(r"\bISNULL\s*\(|\bSELECT\s+(?:DISTINCT\s+)?TOP\b|\bGETDATE\b|\bDATEPART\b", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(?:mysql|mariadb|postgres\w*|t-?sql|sql server|mssql|snowflake|bigquery|oracle|redshift|duckdb)\b", re.I
)


_DIVIDES = frozenset({"mysql", "snowflake", "bigquery", "oracle"})
"""Dialects in which 1 / 2 is no 0."""


def as_it_stands(query: str, dialect: str | None) -> str:
    """The query as it is tried first: its own text, where that means in SQLite what it means in its dialect."""
    foreign = dialect in _DIVIDES or _ELSEWHERE.search(query) is not None
    return translations(query, dialect)[0] if foreign else on_the_day(query)


def is_beyond_sqlite(query: str, error: str, prompt: str) -> bool:
    """Whether a query that SQLite does not run may be right elsewhere: where the prompt names another database, or with
    functions and forms that sqlglot knows of other dialects."""
    from sqlglot import exp

    tree = tree_of(query)
    function = re.match(r"no such function: (\w+)", error)
    if tree is None or (function is None and "syntax error" not in error) or re.search(r"\bsqlite", prompt, re.I):
        return False
    if _NAMED.search(prompt):
        return True
    if function is not None:
        return function[1].lower() not in {node.name.lower() for node in tree.find_all(exp.Anonymous)}
    forms = (exp.Any, exp.All, exp.SimilarTo, exp.Interval, exp.WithinGroup, exp.Lateral, exp.Unnest, exp.Qualify)
    return tree.find(*forms) is not None


def translations(query: str, dialect: str | None) -> list[str]:
    """The query's translations from the likely dialects, `dialect` first, and its own text last."""
    variants: dict[str, None] = {}
    first = "tsql" if dialect is None and _TSQL.search(query) else dialect
    for source in dict.fromkeys((first, *DIALECTS) if first is not None else DIALECTS):
        text = as_sqlite(query, source)
        if text:
            variants[text] = None
    variants[on_the_day(query)] = None
    return list(variants)


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
    if isinstance(node, exp.ToChar) and (pattern := plain_format(node.args.get("format"))).startswith("%"):
        return exp.Anonymous(this="STRFTIME", expressions=[exp.Literal.string(pattern), node.this.copy()])
    if isinstance(node, exp.DateTrunc | exp.TimestampTrunc):
        starts = {"YEAR": "%Y-01-01", "MONTH": "%Y-%m-01", "DAY": "%Y-%m-%d"}
        pattern = starts.get(node.args["unit"].name.upper(), "") if node.args.get("unit") is not None else ""
        if pattern:
            return exp.Anonymous(this="STRFTIME", expressions=[exp.Literal.string(pattern), node.this.copy()])
    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        amount, unit = node.expression.this, node.expression.args.get("unit")
        if amount is not None and unit is not None:
            shift = exp.Literal.string(f"{'-' if isinstance(node, exp.Sub) else '+'}{amount.name} {unit.name.lower()}")
            return exp.Anonymous(this="DATE", expressions=[node.this.copy(), shift])
    if isinstance(node, exp.Left | exp.Right):
        start = exp.Literal.number(1) if isinstance(node, exp.Left) else exp.Neg(this=node.expression.copy())
        parts = [node.this.copy(), start] + ([node.expression.copy()] if isinstance(node, exp.Left) else [])
        return exp.Anonymous(this="SUBSTR", expressions=parts)
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
