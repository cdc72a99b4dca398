"""Made-up rows for a schema, such that a query over it has something to find and its near misses give something else.

Values come from the declared types, from the keys, and from the constants that the gold query compares with: the constants
themselves, their neighbours, and values that satisfy the comparison. Pure and seeded; nothing is executed here.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from rlar.kinds.sql.dates import YEARS, around_today, date_format, dates_like, is_day, prefix_format, reads_clock
from rlar.kinds.sql.rows import Column, SqlTask, Table, tables_read

if TYPE_CHECKING:
    from sqlglot import exp

Kind = Literal["int", "real", "text", "date", "datetime", "time", "bool"]
Value = int | float | str | None
_Key = tuple[str, str]
"""(table, column), lower case."""

_WORDS = ["amber", "birch", "cedar", "delta", "ember", "flint", "grove", "haven", "iris", "jade", "karma", "lotus"]
_NUMERIC_NAME = re.compile(
    r"(^|_)(id|age|year|count|num|number|no|qty|quantity|amount|price|cost|salary|total|score|rank|points?|goals?|size|weight|height|"
    r"capacity|population|rate|percent|budget|balance|level|length|width|area|floor|credits?|hours?|days?|months?)(_|$)|(id|count|num)$",
    re.IGNORECASE,
)
_DATE_NAME = re.compile(r"date|(^|_)(day|dob|birthday)(_|$)|_at$|_on$", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_GROUP = 12
"""Rows of a group that a bound on COUNT makes."""
MAX_ASIDE_ROWS = 6
"""Of a table that the gold query does not read."""


@dataclass(slots=True)
class _Hint:
    """What the gold query says about one column."""

    hits: list[Value] = field(default_factory=list)
    """Values that satisfy a comparison."""
    near: list[Value] = field(default_factory=list)
    """Values beside a constant."""
    above: list[int | float] = field(default_factory=list)
    below: list[int | float] = field(default_factory=list)
    """Bounds of the comparisons: rows that satisfy them get different values, or sorting would meet ties."""
    varied: bool = False
    """Counted or listed without repeats: few values would make all answers equal."""
    truth: bool = False
    """Is a condition by itself."""
    dated: bool = False
    """Read as a date somewhere."""
    timed: bool = False
    """... and as a time of the day."""
    numeric: bool = False
    ordered: bool = False
    """In ORDER BY, MIN or MAX: ties would make the answer ambiguous."""


@dataclass(slots=True)
class Shape:
    """Schema and hints of a task, worked out once; `rows` then makes any number of databases."""

    tables: tuple[Table, ...]
    hints: dict[_Key, _Hint]
    groups: dict[_Key, _Key]
    """Columns that are joined share a domain: column -> the group's representative."""
    nullable: frozenset[_Key]
    """Columns that the gold query asks for NULL: they always hold some."""
    kinds: dict[_Key, Kind]
    read: frozenset[str]
    """Lower-case names of the tables that the gold query reads."""
    counts: tuple[int, ...]
    """What the gold query compares sizes of groups with."""
    grouped: frozenset[_Key]
    counted: frozenset[_Key]
    """Columns of a COUNT(column)."""
    ties: bool = False
    """Whether columns by which the gold query sorts may hold equal values."""


def shape_of(task: SqlTask, gold: exp.Expression) -> Shape:
    """Read the hints out of the gold query."""
    from sqlglot import exp

    tables = tuple(table for table in task.tables if not table.name.lower().startswith("sqlite_"))
    task = task.model_copy(update={"tables": tuple(map(_with_key, tables))})
    names = _Names(task.tables, gold)
    hints = {(t.name.lower(), c.name.lower()): _Hint() for t in task.tables for c in t.columns}
    _read_uses(gold, names, hints)
    counts = _read_comparisons(gold, names, hints)
    if reads_clock(task.gold):
        for table in task.tables:
            for column in table.columns:
                hint = hints[table.name.lower(), column.name.lower()]
                if hint.dated or "DATE" in column.type.upper() or "TIMESTAMP" in column.type.upper():
                    hint.near += [day.isoformat() for day in around_today()]
                    hint.hits += hint.near
    kinds = {
        (t.name.lower(), c.name.lower()): _kind(c, hints[t.name.lower(), c.name.lower()])
        for t in task.tables
        for c in t.columns
    }
    return Shape(
        task.tables,
        hints,
        _groups(task.tables, gold, names, hints),
        _nullable(gold, task.tables, names),
        kinds,
        frozenset(tables_read(gold)),
        tuple(counts),
        frozenset(
            key
            for group in gold.find_all(exp.Group)
            for column in group.find_all(exp.Column)
            for key in names.keys(column)
        ),
        frozenset(
            key
            for count in gold.find_all(exp.Count)
            if isinstance(count.this, exp.Column)
            for key in names.keys(count.this)
        ),
    )


def _with_key(table: Table) -> Table:
    """The table with the column that is by its name the table's key, where the schema declares none."""
    name = table.name.lower()
    names = {"id", *(f"{word}{mark}id" for word in (name, name.rstrip("s"), name[:1]) for mark in ("_", ""))}
    key = next((column for column in table.columns if column.name.lower() in names), None)
    if key is None or any(column.primary_key for column in table.columns):
        return table
    columns = tuple(
        column.model_copy(update={"primary_key": True}) if column is key else column for column in table.columns
    )
    return table.model_copy(update={"columns": columns})


class _Names:
    """Which tables' columns a column expression may mean."""

    def __init__(self, tables: tuple[Table, ...], gold: exp.Expression) -> None:
        from sqlglot import exp

        self.columns = {t.name.lower(): {c.name.lower() for c in t.columns} for t in tables}
        self.aliases: dict[str, set[str]] = {}
        for table in gold.find_all(exp.Table):
            for name in (table.alias_or_name.lower(), table.name.lower()):
                self.aliases.setdefault(name, set()).add(table.name.lower())

    def keys(self, column: exp.Column) -> list[_Key]:
        name = column.name.lower()
        tables = self.aliases.get(column.table.lower(), set()) if column.table else set(self.columns)
        return [(table, name) for table in sorted(tables) if name in self.columns.get(table, ())]


def _read_comparisons(gold: exp.Expression, names: _Names, hints: dict[_Key, _Hint]) -> list[int]:
    """Notes the constants that columns are compared with; returns those that counts are."""
    from sqlglot import exp

    counts: list[int] = []

    flipped: dict[Any, Any] = {exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE}
    for node in gold.find_all(
        exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.ILike, exp.Glob, exp.In, exp.Between
    ):
        if isinstance(node, exp.In):
            left, constants = node.this, [item for item in node.expressions if _constant(item) is not None]
            operator: Any = exp.EQ
        elif isinstance(node, exp.Between):
            left, constants, operator = node.this, [node.args["low"], node.args["high"]], exp.EQ
            middle = _middle(_constant(node.args["low"]), _constant(node.args["high"]))
            constants += [middle] if middle is not None else []
        else:
            left, right = node.this, node.expression
            operator = type(node)
            if _constant(left) is not None:
                left, right = right, left
                operator = flipped.get(operator, operator)
            constants = [right]
        values = [value for item in constants if (value := _constant(item)) is not None]
        if left.find(exp.Count) is not None:
            bound = next((value for value in values if isinstance(value, int)), 0)
            if 1 < bound <= MAX_GROUP:
                counts.append(bound)
            continue
        for column in [left] if isinstance(left, exp.Column) else left.find_all(exp.Column):
            for key in names.keys(column):
                for value in values:
                    _add_reading(hints[key], operator, value, left)
    for case in gold.find_all(exp.Case):
        if isinstance(case.this, exp.Column):
            for key in names.keys(case.this):
                for branch in case.args.get("ifs") or []:
                    value = _constant(branch.this)
                    if value is not None:
                        _add_hint(hints[key], exp.EQ, value)
    return counts


def _middle(low: Value, high: Value) -> Any:
    """A literal between two constants."""
    from sqlglot import exp

    if isinstance(low, int | float) and isinstance(high, int | float):
        return exp.Literal.number((low + high) // 2)
    if isinstance(low, str) and isinstance(high, str) and _is_date(low[:10]) and _is_date(high[:10]):
        one, other = (datetime.date.fromisoformat(text[:10]) for text in (low, high))
        return exp.Literal.string((one + (other - one) // 2).isoformat())
    return None


def _add_reading(hint: _Hint, operator: Any, value: Value, left: exp.Expression) -> None:
    """What a comparison says about a column that stands on its left, perhaps inside functions."""
    from sqlglot import exp

    pattern = next((candidate for node in left.walk() if (candidate := date_format(node)) is not None), None)
    if isinstance(left, exp.Column) and operator in (exp.Like, exp.ILike):
        prefix = prefix_format(str(value))
        if prefix is not None:
            value, pattern, operator = prefix[0], prefix[1], exp.EQ
            hint.dated = True
    dates = dates_like(value, pattern) if pattern is not None else {}
    if dates:
        texts = {sign: [day.isoformat() for day in days] for sign, days in dates.items()}
        good: dict[Any, tuple[int, ...]] = {
            exp.GT: (1,), exp.GTE: (0, 1), exp.LT: (-1,), exp.LTE: (0, -1), exp.NEQ: (1, -1),
        }  # fmt: skip
        hint.hits += [text for sign in good.get(operator, (0,)) for text in texts[sign]]
        hint.near += [text for sign in (0, 1, -1) for text in texts[sign]]
    elif left.find(exp.Upper, exp.Lower) is not None and isinstance(value, str):
        for written in (value, value.title(), value.upper()):
            _add_hint(hint, operator, written)
    elif left.find(exp.Length) is not None and isinstance(value, int):
        count = min(max(value, 1), 200)
        lengths = {exp.GT: (count + 1, count + 4), exp.LT: (count - 1,)}.get(operator, (count,))
        hint.hits += ["abcdefghij"[index % 10] + "x" * (length - 1) for index, length in enumerate(lengths)]
        hint.near += ["x" * (count + shift) for shift in (-1, 0, 1)]
    else:
        _add_hint(hint, operator, value)


def _constant(node: Any) -> Value:
    from sqlglot import exp

    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        number = _number(node.this.this)
        return -number if number is not None else None
    if isinstance(node, exp.Literal):
        return str(node.this) if node.is_string else _number(node.this)
    if isinstance(node, exp.Cast | exp.Date | exp.TsOrDsToDate | exp.Lower | exp.Upper | exp.Trim):
        return _constant(node.this)
    if isinstance(node, exp.Boolean):
        return int(bool(node.this))
    if isinstance(node, exp.Column) and not node.table and getattr(node.this, "quoted", False):
        return str(node.name)  # SQLite reads an unknown "quoted" name as a text
    return None


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None


def _add_hint(hint: _Hint, operator: Any, value: Value) -> None:
    from sqlglot import exp

    number = value if isinstance(value, int | float) else _number(value) if isinstance(value, str) else None
    if number is not None:
        greater, less = operator in (exp.GT, exp.GTE), operator in (exp.LT, exp.LTE)
        hint.numeric = hint.numeric or not isinstance(value, str)
        if not isinstance(value, str):
            hint.above += [number] if greater else []
            hint.below += [number] if less else []
        step = 1 if isinstance(number, int) else 0.5
        above, below = number + step, number - step
        good: dict[Any, list[Value]] = {
            exp.GT: [above],
            exp.GTE: [number, above],
            exp.LT: [below],
            exp.LTE: [number, below],
            exp.NEQ: [above],
        }
        hint.hits += [_like(value, one) for one in good.get(operator, [number])]
        hint.near += [_like(value, one) for one in (number, above, below, number * 2)]
        return
    text = str(value)
    if operator in (exp.Like, exp.ILike, exp.Glob):
        star, one = ("*", "?") if operator is exp.Glob else ("%", "_")
        for filling in ("", "ab"):
            hint.hits.append(text.replace(star, filling).replace(one, "x"))
        bare = text.replace(star, "").replace(one, "x")
        hint.near += [f"zz{bare}", f"{bare}zz", bare[: max(1, len(bare) // 2)], f"z{bare}z"]
    elif _DATE.match(text):
        day = datetime.date.fromisoformat(text[:10]) if _is_date(text[:10]) else datetime.date(2020, 1, 1)
        around = [(day + datetime.timedelta(days=shift)).isoformat() + text[10:] for shift in (-1, 0, 1, 40, -40)]
        good_days: dict[Any, list[str]] = {
            exp.GT: around[2:4],
            exp.LT: [around[0], around[4]],
            exp.GTE: around[1:4],
            exp.LTE: [around[0], text],
        }
        hint.hits += good_days.get(operator, [text])
        hint.near += around
    else:
        hint.hits += [text] if operator is not exp.NEQ else [f"{text}x"]
        hint.near += [text, f"{text} II"]


def _like(value: Value, number: Value) -> Value:
    return str(number) if isinstance(value, str) else number


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _read_uses(gold: exp.Expression, names: _Names, hints: dict[_Key, _Hint]) -> None:
    from sqlglot import exp

    for node in gold.walk():
        pattern = date_format(node)
        if pattern is not None:
            for column in node.find_all(exp.Column):
                for key in names.keys(column):
                    hints[key].dated = True
                    hints[key].timed |= any(sign in pattern for sign in ("%H", "%M", "%S"))
    for node in gold.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between):
        sides = [side for name in ("this", "expression", "low", "high") if (side := node.args.get(name)) is not None]
        if any(is_day(side) for side in sides):
            for column in (side for side in sides if isinstance(side, exp.Column)):
                for key in names.keys(column):
                    hints[key].dated = True
    for node in gold.find_all(exp.Sum, exp.Avg, exp.Add, exp.Sub, exp.Mul, exp.Div):
        for column in node.find_all(exp.Column):
            for key in names.keys(column):
                hints[key].numeric |= not hints[key].dated
    for node in gold.find_all(exp.Not, exp.And, exp.Or, exp.If, exp.Where):
        for child in node.iter_expressions():
            bare = child.this if isinstance(child, exp.Paren) else child
            if isinstance(bare, exp.Column) and child.arg_key not in ("true", "false"):
                for key in names.keys(bare):
                    hints[key].truth = True
    for distinct in gold.find_all(exp.Distinct):
        select = distinct.parent
        outputs = select.expressions if isinstance(select, exp.Select) else [distinct]
        for column in (column for output in outputs for column in output.find_all(exp.Column)):
            for key in names.keys(column):
                hints[key].varied = True
    for sorted_by in gold.find_all(exp.Ordered, exp.Max, exp.Min):
        for column in sorted_by.find_all(exp.Column):
            for key in names.keys(column):
                hints[key].ordered = True


def _groups(
    tables: tuple[Table, ...], gold: exp.Expression, names: _Names, hints: dict[_Key, _Hint]
) -> dict[_Key, _Key]:
    from sqlglot import exp

    parent: dict[_Key, _Key] = {key: key for key in hints}

    def root(key: _Key) -> _Key:
        while parent[key] != key:
            key = parent[key]
        return key

    def join(one: _Key, other: _Key) -> None:
        if one in parent and other in parent:
            parent[root(one)] = root(other)

    for node in gold.find_all(exp.EQ):
        if isinstance(node.this, exp.Column) and isinstance(node.expression, exp.Column):
            for one in names.keys(node.this):
                for other in names.keys(node.expression):
                    join(one, other)
    for member in gold.find_all(exp.In):
        query = member.args.get("query")
        inner = query.this.selects if query is not None and isinstance(query.this, exp.Select) else []
        if isinstance(member.this, exp.Column) and len(inner) == 1 and isinstance(inner[0], exp.Column):
            for one in names.keys(member.this):
                for other in names.keys(inner[0]):
                    join(one, other)
    for joined in gold.find_all(exp.Join):
        for identifier in joined.args.get("using") or []:
            keys = [key for key in hints if key[1] == identifier.name.lower()]
            for key in keys[1:]:
                join(keys[0], key)
    for table in tables:
        for column in table.columns:
            if column.references is not None:
                join(
                    (table.name.lower(), column.name.lower()),
                    (column.references[0].lower(), column.references[1].lower()),
                )
    by_name: dict[str, list[_Key]] = {}
    for key in hints:
        if re.search(r"(^|_)(id|code|key|no)$|id$", key[1]) and key[1] != "id":
            by_name.setdefault(key[1], []).append(key)
    for keys in by_name.values():
        for key in keys[1:]:
            join(keys[0], key)
    return {key: root(key) for key in parent}


def _nullable(gold: exp.Expression, tables: tuple[Table, ...], names: _Names) -> frozenset[_Key]:
    """Columns that the gold query asks for NULL."""
    from sqlglot import exp

    keys = {
        key
        for node in gold.find_all(exp.Is, exp.Coalesce, exp.Nullif)
        for column in node.find_all(exp.Column)
        for key in names.keys(column)
    }
    return _may_be_null(tables) & keys


def _may_be_null(tables: tuple[Table, ...]) -> frozenset[_Key]:
    return frozenset(
        (table.name.lower(), column.name.lower())
        for table in tables
        for column in table.columns
        if not column.not_null and not column.primary_key
    )


def _kind(column: Column, hint: _Hint) -> Kind:
    declared = column.type.upper()
    kind: Kind = "text"
    if "BOOL" in declared or hint.truth:
        kind = "bool"
    elif "INT" in declared or "SERIAL" in declared:
        kind = "int"
    elif any(word in declared for word in ("REAL", "FLOA", "DOUB", "DEC", "NUM", "MONEY")):
        kind = "real"
    elif "DATETIME" in declared or "TIMESTAMP" in declared:
        kind = "datetime"
    elif declared.startswith("DATE"):
        kind = "date"
    elif declared.startswith("TIME"):
        kind = "time"
    elif not declared or "CHAR" in declared or "TEXT" in declared:
        constants = [value for value in (*hint.hits, *hint.near) if isinstance(value, str)]
        if hint.dated:
            kind = "datetime" if hint.timed else "date"
        elif hint.numeric:
            kind = "int"
        elif any(_DATE.match(value) for value in constants) or (not constants and _DATE_NAME.search(column.name)):
            kind = "date"
        elif not declared and not constants and _NUMERIC_NAME.search(column.name):
            kind = "int"
    return kind


# ------------------------------------------------------------------------------------------ databases


def database(shape: Shape, task: SqlTask, seed: int, size: int, *, soft: bool = False) -> dict[str, Any]:
    """One database as the runner wants it; the same seed gives the same rows.

    Args:
        soft: with NULLs in what the gold query counts and ties wherever it sorts: what many askers do not think of,
            so that two right queries may differ there. Elsewhere a NULL is the asker's blind spot, and there is none.
    """
    rng = Random(seed)
    if soft:
        shape = replace(shape, nullable=shape.nullable | (shape.counted & _may_be_null(shape.tables)), ties=True)
    domains: dict[_Key, list[Value]] = {}
    create, rows = [], []
    for table in _parents_first(shape.tables):
        count = max(2, rng.randint(size - size // 3, size + size // 3))
        count = count if table.name.lower() in shape.read else min(count, MAX_ASIDE_ROWS)
        columns = [_values(shape, table, column, count, rng, domains) for column in table.columns]
        made = [list(row) for row in zip(*columns, strict=True)]
        _plant_hits(shape, table, made, rng)
        names = ", ".join(
            f"{quoted(c.name)} {_affinity(shape.kinds[table.name.lower(), c.name.lower()], c)}" for c in table.columns
        )
        create.append(f"CREATE TABLE {quoted(table.name)} ({names})")
        rows.append([f"INSERT INTO {quoted(table.name)} VALUES ({', '.join('?' * len(table.columns))})", made])
    return {"create": create, "rows": rows, "inserts": list(task.inserts)}


def quoted(name: str) -> str:
    """An SQLite identifier."""
    return '"' + name.replace('"', '""') + '"'


def _affinity(kind: Kind, column: Column) -> str:
    declared = column.type.upper()
    if "CHAR" in declared or "TEXT" in declared:
        return "TEXT"
    return {"int": "INTEGER", "bool": "INTEGER", "real": "REAL"}.get(kind, "TEXT")


def _parents_first(tables: Iterable[Table]) -> list[Table]:
    waiting, done = list(tables), []
    while waiting:
        names = {table.name.lower() for table in waiting}
        ready = next(
            (
                table
                for table in waiting
                if not any(
                    c.references and c.references[0].lower() in names - {table.name.lower()} for c in table.columns
                )
            ),
            waiting[0],
        )
        waiting.remove(ready)
        done.append(ready)
    return done


def _values(
    shape: Shape, table: Table, column: Column, count: int, rng: Random, domains: dict[_Key, list[Value]]
) -> list[Value]:
    key = (table.name.lower(), column.name.lower())
    hint, kind = shape.hints[key], shape.kinds[key]
    group = shape.groups[key]
    shared = [other for other, representative in shape.groups.items() if representative == group]
    unique = column.primary_key or column.unique or column.name.lower() == "id"
    if len(shared) > 1:
        domain = domains.get(group)
        if domain is None:
            constants = [value for other in shared for value in shape.hints[other].hits]
            domain = domains[group] = _domain(kind, max(count, 4) if unique else max(3, count * 2 // 3), constants, rng)
        if unique:
            extra = _domain(kind, count, [], rng) if len(domain) < count else []
            pool = list(dict.fromkeys([*domain, *extra]))[:count]
            while len(pool) < count:
                pool.append(_fresh(kind, len(pool) + 100))
            return pool
        dangling = [] if column.references else _domain(kind, 2, [], rng, start=900)
        picked = _in_groups(domain, count, shape, rng) or [rng.choice(domain) for _ in range(count)]
        drawn = [rng.choice(dangling) if dangling and rng.random() < 0.08 else value for value in picked]
        return _with_nulls(drawn, key in shape.nullable, rng)
    if unique:
        return _domain(kind, count, hint.hits, rng)[:count]
    if column.values:
        return _with_nulls([rng.choice(column.values) for _ in range(count)], key in shape.nullable, rng)
    if hint.ordered and not shape.ties:
        drawn = rng.sample(_domain(kind, count * 2, [*hint.hits, *hint.near], rng), count)
        return _with_nulls(drawn, key in shape.nullable, rng)
    pool = _domain(kind, count if hint.varied else rng.randint(3, 6), [], rng, name=column.name)
    constants = _fitting((*hint.hits, *hint.near), kind)
    drawn = _in_groups(list(dict.fromkeys([*constants, *pool])), count, shape, rng) if key in shape.grouped else []
    if not drawn:
        drawn = [rng.choice(constants) if constants and rng.random() < 0.55 else rng.choice(pool) for _ in range(count)]
    return _with_nulls(drawn, key in shape.nullable, rng)


def _in_groups(values: list[Value], count: int, shape: Shape, rng: Random) -> list[Value]:
    """Values in groups of the sizes about which the gold query asks; [] where it asks about none."""
    drawn: list[Value] = []
    sizes = [max(1, bound + shift) for bound in shape.counts for shift in (0, 1, -1, 2, bound)]
    if not sizes or min(shape.counts) > count or rng.random() < 0.3:
        return []
    for value in rng.sample(values, len(values)):
        drawn += [value] * rng.choice(sizes)
    drawn = (drawn + [rng.choice(values) for _ in range(count)])[:count]
    rng.shuffle(drawn)
    return drawn


def _with_nulls(values: list[Value], nullable: bool, rng: Random) -> list[Value]:
    share = rng.choice((0.15, 0.4)) if nullable else 0.0
    return [None if nullable and rng.random() < share else value for value in values]


def _cast(value: Value, kind: Kind) -> Value:
    if kind in ("int", "bool") and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _fitting(values: Iterable[Value], kind: Kind) -> list[Value]:
    """The values that a column of a kind may hold: a column of dates holds no "2012"."""
    cast_values = [_cast(value, kind) for value in values]
    if kind in ("date", "datetime"):
        dates = [value for value in cast_values if isinstance(value, str) and _DATE.match(value)]
        return [f"{value} 12:30:00" if kind == "datetime" and len(str(value)) == 10 else value for value in dates]
    return cast_values


def _fresh(kind: Kind, index: int) -> Value:
    if kind in ("int", "bool"):
        return index
    return index + 0.25 if kind == "real" else f"{_WORDS[index % len(_WORDS)]}{index}"


def _domain(
    kind: Kind,
    count: int,
    constants: list[Value],
    rng: Random,
    *,
    start: int = 1,
    name: str = "",
) -> list[Value]:
    """At least `count` different values, the constants first."""
    domain: dict[Value, None] = dict.fromkeys(_fitting(constants, kind))
    index = 0
    if kind in ("int", "real"):
        low = 1990 if "year" in name.lower() else start
        step = rng.choice((1, 1, 3, 7))
    while len(domain) < count + len(constants):
        if kind == "int":
            value: Value = low + index * (1 if "year" in name.lower() else step)
        elif kind == "real":
            value = round((low + index * step) * 1.25, 2)
        elif kind == "bool":
            value = index % 2
            if index > 1:
                break
        elif kind in ("date", "datetime"):
            day = datetime.date(YEARS[index % len(YEARS)], 1, 1) + datetime.timedelta(days=rng.randrange(360))
            value = day.isoformat() + (
                f" {rng.randrange(24):02d}:{rng.randrange(60):02d}:00" if kind == "datetime" else ""
            )
        elif kind == "time":
            value = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:00"
        else:
            word = _WORDS[(start + index) % len(_WORDS)]
            value = word if index < len(_WORDS) else f"{word}{index}"
        domain[value] = None
        index += 1
        if index > 10_000:
            break
    values = list(domain)
    while kind == "bool" and len(values) < count:
        values.append(len(values) % 2)
    return values


def _plant_hits(shape: Shape, table: Table, rows: list[list[Value]], rng: Random) -> None:
    """Some rows satisfy the query's comparisons all at once, or long conditions would find nothing; some miss by one."""
    hinted = []
    for index, column in enumerate(table.columns):
        key = (table.name.lower(), column.name.lower())
        alone = sum(group == shape.groups[key] for group in shape.groups.values()) == 1
        hint, kind = shape.hints[key], shape.kinds[key]
        hits, near = _fitting(hint.hits, kind), _fitting(hint.near, kind)
        nullable = key in shape.nullable
        if (
            ((hits and near) or nullable)
            and alone
            and not (column.primary_key or column.unique or column.name.lower() == "id")
        ):
            hinted.append((index, hint, kind, [*hits, *[None] * (len(hits) + 1)] if nullable else hits, near))
    used = {index: {row[index] for row in rows} for index, hint, *_ in hinted if hint.ordered and not shape.ties}
    share = rng.choice((0.6, 0.95)) if shape.counts else 0.6
    for row in rows:
        draw = rng.random()
        if not hinted or draw > share:
            continue
        missed = rng.randrange(len(hinted)) if draw > share - 0.2 else None
        for place, (index, hint, kind, hits, near) in enumerate(hinted):
            if place != missed and rng.random() > 0.95:
                continue
            if place == missed and not near:
                continue
            value = rng.choice(near) if place == missed else _cast(_satisfying(hint, hits, rng), kind)
            if value in used.get(index, ()):
                continue  # a tie
            used.get(index, set()).add(value)
            row[index] = value


def _satisfying(hint: _Hint, hits: list[Value], rng: Random) -> Value:
    bound = rng.choice([*hint.above, *hint.below]) if (hint.above or hint.below) and rng.random() < 0.7 else None
    if bound is None:
        return rng.choice(hits)
    step = max(1, abs(int(bound)) // 20)
    distance = step * rng.randint(1, 15)
    return bound + distance if bound in hint.above else bound - distance
