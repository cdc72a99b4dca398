"""Small changes to a query that almost always change what it answers: to choose databases by, and to probe tools with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rlar.errors import boundary

if TYPE_CHECKING:
    from sqlglot import exp

MAX_MUTANTS = 40


def sql_mutants(gold: exp.Expression, dialect: str | None = None) -> list[str]:
    """Distinct texts of mutated queries, the strongest changes first; each differs from the original."""
    original = written(gold, dialect)
    mutants: dict[str, None] = {}
    for make in (_constants, _comparisons, _conditions, _aggregates, _parts, _order, _columns, _connectives, _outputs):
        for mutant in make(gold):
            text = written(mutant, dialect)
            if text and text != original:
                mutants[text] = None
            if len(mutants) >= MAX_MUTANTS:
                return list(mutants)
    return list(mutants)


def written(tree: exp.Expression, dialect: str | None) -> str:
    """The query's text in a dialect; "" where sqlglot cannot write it."""

    def write() -> str:
        text: str = tree.sql(dialect=dialect)
        return text

    return boundary(write, lambda _error: "")


def _edited(
    gold: exp.Expression,
    kinds: tuple[Any, ...],
    edit: Callable[[Any], Any],
) -> Iterator[exp.Expression]:
    """One copy of the query for each node of these kinds that `edit` changes (it returns the new node, or None for no)."""
    count = sum(1 for _ in gold.find_all(*kinds))
    for index in range(count):
        copy = gold.copy()
        node = list(copy.find_all(*kinds))[index]
        new = edit(node)
        if new is None:
            continue
        if new is not node:
            if node is copy:
                copy = new
            else:
                node.replace(new)
        yield copy


def _constants(gold: exp.Expression) -> Iterator[exp.Expression]:
    from sqlglot import exp

    formats = {"%Y": "%m", "%m": "%d", "%d": "%m", "%H": "%M"}

    def edit(node: Any) -> Any:
        if isinstance(node.parent, exp.Limit | exp.Offset | exp.Ordered | exp.Interval):
            return None
        if node.is_string and node.this in formats:
            return exp.Literal.string(formats[node.this])
        if node.is_string:
            return exp.Literal.string(f"{node.this}zq" if "%" not in node.this else node.this.replace("%", "%zq", 1))
        return exp.Literal.number(int(node.this) + 7) if node.this.isdigit() else None

    return _edited(gold, (exp.Literal,), edit)


def _comparisons(gold: exp.Expression) -> Iterator[exp.Expression]:
    from sqlglot import exp

    swaps: dict[Any, Any] = {
        exp.GT: exp.LTE,
        exp.LT: exp.GTE,
        exp.GTE: exp.LT,
        exp.LTE: exp.GT,
        exp.EQ: exp.NEQ,
        exp.NEQ: exp.EQ,
    }

    def edit(node: Any) -> Any:
        if (
            node.find_ancestor(exp.Join) is not None
            and isinstance(node.this, exp.Column)
            and isinstance(node.expression, exp.Column)
        ):
            return None
        return swaps[type(node)](this=node.this.copy(), expression=node.expression.copy())

    yield from _edited(gold, tuple(swaps), edit)
    soft: dict[Any, Any] = {exp.GT: exp.GTE, exp.LT: exp.LTE, exp.GTE: exp.GT, exp.LTE: exp.LT}
    yield from _edited(
        gold, tuple(soft), lambda node: soft[type(node)](this=node.this.copy(), expression=node.expression.copy())
    )


def without_conditions(
    gold: exp.Expression, clauses: tuple[str, ...] = ("where", "having")
) -> Iterator[exp.Expression]:
    """The query without each of its WHERE and HAVING clauses: data on which it answers the same shows nothing."""
    from sqlglot import exp

    for kind in (exp.Where, exp.Having):
        if kind.key in clauses:
            for index in range(sum(1 for _ in gold.find_all(kind))):
                copy = gold.copy()
                list(copy.find_all(kind))[index].pop()
                yield copy


def _conditions(gold: exp.Expression) -> Iterator[exp.Expression]:
    from sqlglot import exp

    yield from without_conditions(gold)
    yield from _edited(gold, (exp.And,), lambda node: node.this.copy())
    yield from _edited(gold, (exp.And,), lambda node: node.expression.copy())
    yield from _edited(gold, (exp.Not,), lambda node: node.this.copy())


def _aggregates(gold: exp.Expression) -> Iterator[exp.Expression]:
    from sqlglot import exp

    swaps: dict[Any, Any] = {
        exp.Max: exp.Min,
        exp.Min: exp.Max,
        exp.Sum: exp.Avg,
        exp.Avg: exp.Sum,
    }
    yield from _edited(gold, tuple(swaps), lambda node: swaps[type(node)](this=node.this.copy()))

    yield from _edited(gold, (exp.Sum, exp.Avg), lambda _node: exp.Count(this=exp.Star()))

    def count_to_max(node: Any) -> Any:
        inner = node.find(exp.Column)
        return exp.Max(this=inner.copy()) if inner is not None else None

    yield from _edited(gold, (exp.Count,), count_to_max)


def _parts(gold: exp.Expression) -> Iterator[exp.Expression]:
    from sqlglot import exp

    def shift(node: Any) -> Any:
        number = node.expression
        if not isinstance(number, exp.Literal) or not number.this.isdigit():
            return None
        return type(node)(expression=exp.Literal.number(int(number.this) + 1))

    yield from _edited(gold, (exp.Limit,), shift)
    for name in ("limit", "distinct", "group"):
        for index, select in enumerate(gold.find_all(exp.Select)):
            if select.args.get(name) is not None:
                copy = gold.copy()
                list(copy.find_all(exp.Select))[index].set(name, None)
                yield copy
    swaps: dict[Any, Any] = {
        exp.Union: exp.Intersect, exp.Intersect: exp.Except, exp.Except: exp.Intersect,
    }  # fmt: skip
    yield from _edited(
        gold,
        tuple(swaps),
        lambda node: swaps[type(node)](
            **{key: value.copy() if hasattr(value, "copy") else value for key, value in node.args.items()}
        ),
    )


def _order(gold: exp.Expression) -> Iterator[exp.Expression]:
    from sqlglot import exp

    def flip(node: Any) -> Any:
        return exp.Ordered(this=node.this.copy(), desc=not node.args.get("desc"))

    yield from _edited(gold, (exp.Ordered,), flip)


def _columns(gold: exp.Expression) -> Iterator[exp.Expression]:
    """Another column of the query in the place of a selected one."""
    from sqlglot import exp

    names = list(dict.fromkeys((column.name, column.table) for column in gold.find_all(exp.Column) if column.name))
    for index, select in enumerate(gold.find_all(exp.Select)):
        for position, item in enumerate(select.expressions):
            column = item if isinstance(item, exp.Column) else item.find(exp.Column)
            if column is None or (
                isinstance(column.parent, exp.Count) and not isinstance(column.parent.this, exp.Distinct)
            ):
                continue  # COUNT of another column counts the same rows, NULLs apart
            for name, table in names:
                if name.lower() != column.name.lower():
                    copy = gold.copy()
                    place = list(copy.find_all(exp.Select))[index].expressions[position]
                    target = place if isinstance(place, exp.Column) else place.find(exp.Column)
                    if target is not None:
                        target.replace(exp.column(name, table=table or None))
                        yield copy
                    break


def _connectives(gold: exp.Expression) -> Iterator[exp.Expression]:
    from sqlglot import exp

    swaps: dict[Any, Any] = {exp.And: exp.Or, exp.Or: exp.And}
    return _edited(
        gold, tuple(swaps), lambda node: swaps[type(node)](this=node.this.copy(), expression=node.expression.copy())
    )


def _outputs(gold: exp.Expression) -> Iterator[exp.Expression]:
    """A constant in the place of an aggregate."""
    from sqlglot import exp

    return _edited(gold, (exp.AggFunc,), lambda _node: exp.Literal.number(1))


def with_other_rows(gold: exp.Expression) -> Iterator[exp.Expression]:
    """The query with every row once, and with its first row only: no probes, for they may well be the same query."""
    from sqlglot import exp

    if isinstance(gold, exp.Select):
        if not gold.args.get("distinct"):
            yield gold.copy().distinct()
        if not gold.args.get("limit"):
            yield gold.copy().limit(1)
