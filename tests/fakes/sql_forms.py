"""The algebra of SQL answers: what never changes a query's meaning, what always does, and how a completion may show it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

import sqlglot
from sqlglot import exp

Rewrite = Callable[[exp.Expression], exp.Expression]


def _swapped_comparisons(tree: exp.Expression) -> exp.Expression:
    flips = {exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE, exp.EQ: exp.EQ, exp.NEQ: exp.NEQ}

    def flip(node: exp.Expression) -> exp.Expression:
        kind = flips.get(type(node))
        return kind(this=node.expression.copy(), expression=node.this.copy()) if kind else node

    return tree.transform(flip)


def _between_as_bounds(tree: exp.Expression) -> exp.Expression:
    def bounds(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Between):
            return node
        low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
        high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
        return exp.paren(exp.and_(low, high))

    return tree.transform(bounds)


def _bounds_reversed(tree: exp.Expression) -> exp.Expression:
    def turn(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.And | exp.Or):
            return type(node)(this=node.expression.copy(), expression=node.this.copy())
        return node

    return tree.transform(turn)


def _double_negation(tree: exp.Expression) -> exp.Expression:
    where = tree.args.get("where")
    if where is not None:
        where.set("this", exp.not_(exp.not_(exp.paren(where.this.copy()))))
    return tree


def _in_as_or(tree: exp.Expression) -> exp.Expression:
    def alternatives(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.In) and node.expressions:
            equal = [exp.EQ(this=node.this.copy(), expression=item.copy()) for item in node.expressions]
            return exp.paren(exp.or_(*equal))
        return node

    return tree.transform(alternatives)


def _distinct_as_group(tree: exp.Expression) -> exp.Expression:
    simple = (
        isinstance(tree, exp.Select) and tree.args.get("distinct") and not tree.find(exp.AggFunc, exp.Group, exp.Star)
    )
    if simple:
        tree.set("distinct", None)
        return tree.group_by(*[item.unalias().copy() for item in tree.expressions])
    return tree


def _count_of_one(tree: exp.Expression) -> exp.Expression:
    def one(node: exp.Expression) -> exp.Expression:
        return (
            exp.Count(this=exp.Literal.number(1))
            if isinstance(node, exp.Count) and isinstance(node.this, exp.Star)
            else node
        )

    return tree.transform(one)


def _wrapped(tree: exp.Expression) -> exp.Expression:
    if tree.args.get("order") or tree.args.get("limit"):
        return tree
    return sqlglot.parse_one(f"WITH answer AS ({tree.sql('sqlite')}) SELECT * FROM answer", read="sqlite")


def _inner_joins_turned(tree: exp.Expression) -> exp.Expression:
    joins = tree.args.get("joins") or []
    source = tree.args.get("from_") or tree.args.get("from")
    if len(joins) != 1 or tree.find(exp.Star) or source is None:
        return tree
    join = joins[0]
    if join.side or join.kind or not join.args.get("on"):
        return tree
    first, second = source.this.copy(), join.this.copy()
    source.set("this", second)
    join.set("this", first)
    return tree


def _renamed_aliases(tree: exp.Expression) -> exp.Expression:
    names = {table.alias for table in tree.find_all(exp.Table) if table.alias}

    def rename(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Table) and node.alias in names:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(f"{node.alias}_x")))
        elif isinstance(node, exp.Column) and node.table in names:
            node.set("table", exp.to_identifier(f"{node.table}_x"))
        return node

    return tree.transform(rename)


def _named_outputs(tree: exp.Expression) -> exp.Expression:
    if isinstance(tree, exp.Select) and not tree.find(exp.Star) and not tree.args.get("group"):
        used = {column.name.lower() for column in tree.find_all(exp.Column)}
        items = [
            item if isinstance(item, exp.Alias) else exp.alias_(item.copy(), f"out_{index}")
            for index, item in enumerate(tree.expressions)
        ]
        if not any(name.startswith("out_") for name in used):
            tree.set("expressions", items)
    return tree


EQUAL_FORMS: dict[str, Rewrite] = {
    "sides swapped": _swapped_comparisons,
    "between as bounds": _between_as_bounds,
    "conditions in another order": _bounds_reversed,
    "not not": _double_negation,
    "in as or": _in_as_or,
    "distinct as group": _distinct_as_group,
    "count of one": _count_of_one,
    "wrapped in with": _wrapped,
    "joins turned": _inner_joins_turned,
    "other aliases": _renamed_aliases,
    "named outputs": _named_outputs,
}
"""Rewrites under which a query means the same."""


def _other_constant(tree: exp.Expression) -> exp.Expression:
    for literal in tree.find_all(exp.Literal):
        if not literal.is_string and literal.this.isdigit() and not literal.find_ancestor(exp.Limit, exp.Ordered):
            literal.replace(exp.Literal.number(int(literal.this) + 13))
            return tree
        if literal.is_string and "%" not in literal.this:
            literal.replace(exp.Literal.string(f"{literal.this} nowhere"))
            return tree
    return tree


def _without_where(tree: exp.Expression) -> exp.Expression:
    tree.set("where", None)
    return tree


def _one_row(tree: exp.Expression) -> exp.Expression:
    return (
        tree.limit(1)
        if isinstance(tree, exp.Select) and not tree.args.get("limit") and not _is_one_number(tree)
        else tree
    )


def _is_one_number(tree: exp.Select) -> bool:
    return tree.find(exp.AggFunc) is not None and tree.args.get("group") is None


def _other_aggregate(tree: exp.Expression) -> exp.Expression:
    others = {exp.Max: exp.Min, exp.Min: exp.Max, exp.Sum: exp.Avg, exp.Avg: exp.Sum}
    node = tree.find(*others)
    if node is not None and not node.find_ancestor(exp.Subquery):
        node.replace(others[type(node)](this=node.this.copy()))
    return tree


def _counted(tree: exp.Expression) -> exp.Expression:
    return sqlglot.parse_one(f"SELECT COUNT(*) FROM ({tree.sql('sqlite')}) AS t", read="sqlite")


WRONG_FORMS: dict[str, Rewrite] = {
    "other constant": _other_constant,
    "no where": _without_where,
    "one row": _one_row,
    "other aggregate": _other_aggregate,
    "counted": _counted,
    "select 1": lambda _tree: sqlglot.parse_one("SELECT 1"),
    "select null": lambda _tree: sqlglot.parse_one("SELECT NULL"),
}
"""Rewrites under which a query means something else, wherever they change it and data can show it."""


def forms(query: str, rewrites: dict[str, Rewrite]) -> Iterator[tuple[str, str]]:
    """(name, text) of the rewrites that change the text of a query."""
    tree = sqlglot.parse_one(query, read="sqlite")
    for name, rewrite in rewrites.items():
        text = rewrite(tree.copy()).sql("sqlite")
        if text != tree.sql("sqlite"):
            yield name, text


def spellings(query: str, rng: random.Random) -> str:
    """The query with other white space, case of keywords, comments and operators."""
    words = re.split(r"('(?:[^']|'')*'|\"[^\"]*\"|\s+)", query)
    made = []
    for word in words:
        if not word.strip():
            word = rng.choice([" ", "  ", "\n", "\n\t", " /* so */ "]) if word else word
        elif word[0] not in "'\"" and word.upper() in _KEYWORDS:
            word = rng.choice([word.upper(), word.lower(), word.title()])
        elif word == "!=":
            word = rng.choice(["!=", "<>"])
        made.append(word)
    return (
        rng.choice(["", "-- the query\n", "/* it's; so */ "])
        + "".join(made)
        + rng.choice(["", ";", " ;\n", "\n-- done"])
    )


_KEYWORDS = set(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "IN",
        "GROUP",
        "BY",
        "ORDER",
        "HAVING",
        "LIMIT",
        "JOIN",
        "ON",
        "AS",
        "DISTINCT",
        "DESC",
        "ASC",
        "LIKE",
        "BETWEEN",
    ]
)

WRAPPERS: dict[str, str] = {
    "bare": "{}",
    "fence": "```sql\n{}\n```",
    "fence without name": "```\n{}\n```",
    "other fence": "~~~sql\n{}\n~~~",
    "fence of a dialect": "```sqlite3\n{}\n```",
    "fence in prose": "Let's see; we need a join.\n\n```sql\n{}\n```\n\nThis doesn't repeat rows.",
    "fence of one line": "```sql {} ```",
    "two fences": "A first try:\n```sql\nSELECT 1\n```\nBetter:\n```sql\n{}\n```",
    "result after": "```sql\n{}\n```\n\n```\nname\n----\nann\n```",
    "thought": "<think>SELECT 1 is not enough; we'd select from more.</think>\n{}",
    "sentence after": "The query is:\n\n{}\n\nIt's what was asked for.",
    "headed": "**SQL:**\n{}",
    "quote": "> {}",
}
"""Ways to show a query; {} takes it. Only for queries on one line: "quote", "fence of one line"."""
