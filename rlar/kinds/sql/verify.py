"""Execution match for SQL: the completion's query and the gold query over the same made-up databases.

Both run in SQLite inside the sandbox (query text is code of a sort: it can loop and eat memory), in an in-memory database that an
authorizer keeps read-only; see sql_runner. Databases are kept where the gold query has one answer whatever the order of the
rows, and chosen so that mutants of the gold query give something else. Rows are compared as multisets, in order only where
the gold query sorts; columns in order, or by name where both queries name the same ones.

Leaves out: statements that write, and functions that SQLite and sql_runner do not know (then it abstains).
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any, NamedTuple

from pydantic import ValidationError

from rlar.errors import boundary
from rlar.kinds.programs.run import in_parallel
from rlar.kinds.sql import runner as sql_runner
from rlar.kinds.sql.data import database, shape_of
from rlar.kinds.sql.mutants import sql_mutants, written
from rlar.kinds.sql.rows import MAX_SQL_CHARACTERS, SqlTask, bare_query, parse_sql, read_query
from rlar.tool import LibraryTool, Resources
from rlar.types import AnswerKind, Sample, Score, ToolSpec, abstain, canonical_json, digest, failed, ok

SIZES = (4, 8, 14, 24, 40)
CANDIDATE_DATABASES = 20
KEPT_DATABASES = 8
QUERY_SECONDS = 0.5
CALL_SECONDS = 4.0
"""For all databases together: a single step of SQLite cannot be interrupted from within."""
PREPARE_SECONDS = 20.0
MIN_STABLE_SHARE = 0.3
"""Of the databases made up; below it the gold query's answer is a matter of luck."""
_CACHED_TASKS = 1024

_FENCE = re.compile(r"```[ \t]*+(?P<language>\w*+)[^\n]*+\n(?P<body>.*?)(?:```|\Z)", re.DOTALL)
_QUERY_START = re.compile(
    r"^[ \t>*`-]*+(?:\d+\.[ \t]++)?(?:\*\*)?(?:SQL|Query|Answer)?[ \t]*+:?[ \t*`]*+(?P<query>\(?(?:SELECT|WITH)\b)",
    re.I | re.M,
)
_ANY_QUERY = re.compile(r"\b(?:SELECT|WITH)\b", re.I)
_INLINE = re.compile(r"`([^`\n]*\bSELECT\b[^`\n]*)`", re.I)
_VOLATILE = re.compile(r"\b(random|rand|newid|current_timestamp|current_date|current_time)\b|'now'", re.I)

Answer = dict[str, Any]
"""{"columns": [...], "rows": [[...], ...]} or {"error": text}"""


class Prepared(NamedTuple):
    """What is worked out once a row."""

    databases: list[dict[str, Any]]
    answers: list[Answer]
    """The gold query's answer on each database."""
    ordered: list[bool]
    """Whether the rows' order counts there."""
    dialect: str | None
    """The dialect that the gold query had to be translated from; None when SQLite runs it as it stands."""
    killed: int
    mutants: int


class SqlExecution(LibraryTool):
    """1.0 when the query answers like the gold query on every database, else 0.0."""

    name = "sql"
    answer_kinds = frozenset({AnswerKind.SQL})
    role = "verifier"
    runs = "sandbox"
    summary = "runs the query and the gold query over generated SQLite databases and compares the results"

    def __init__(self, spec: ToolSpec, resources: Resources) -> None:
        super().__init__(spec, resources)
        self._lock = Lock()
        self._prepared: dict[str, Prepared | Score] = {}

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order; as many at a time as the sandbox has workers."""
        if not any("sql" in sample.binding for sample in samples):
            return [self.score_one(sample) for sample in samples]
        return in_parallel(self.resources.sandbox, self.score_one, samples)

    def score_one(self, sample: Sample) -> Score:
        body = sample.binding.get("sql")
        if not isinstance(body, dict):
            return abstain("the row has no schema to build a database from")
        try:
            task = SqlTask.from_binding(body)
        except ValidationError:
            return abstain("the row's schema cannot be read")
        if sample.reference is not None and bare_query(sample.reference) != task.gold:
            task = task.model_copy(update={"gold": bare_query(sample.reference)})
        prepared = self._prepare(task)
        if isinstance(prepared, Score):
            return prepared
        query = extract_query(sample.answer)
        if query is None:
            return ok(0.0, "no query in the completion")
        return self._judge(query, task, prepared)

    def _judge(self, query: str, task: SqlTask, prepared: Prepared) -> Score:
        attempts = translations(
            query, prepared.dialect if prepared.dialect is not None else task.dialect, raw=prepared.dialect is None
        )
        answers, problem = run_queries(self.resources, prepared.databases, attempts)
        if problem is not None:
            return problem
        details = {"databases": len(prepared.databases), "mutants_killed": prepared.killed, "mutants": prepared.mutants}
        chosen = next((index for index in range(len(attempts)) if all("error" not in one[index] for one in answers)), 0)
        for number, (mine, gold, ordered) in enumerate(
            zip(answers, prepared.answers, prepared.ordered, strict=True), start=1
        ):
            difference = compare(mine[chosen], gold, ordered=ordered)
            if difference:
                return ok(0.0, f"database {number} of {len(answers)}: {difference}", **details)
        return ok(1.0, f"equal results on {len(answers)} databases", **details)

    def _prepare(self, task: SqlTask) -> Prepared | Score:
        key = digest(canonical_json(task.to_binding()), size=32)
        found = self._prepared.get(key)
        if found is None:
            found = prepare(task, self.resources)
            if isinstance(found, Prepared) or found.status == "abstain":
                with self._lock:
                    if len(self._prepared) >= _CACHED_TASKS:
                        self._prepared.pop(next(iter(self._prepared)))
                    self._prepared[key] = found
        return found


# ------------------------------------------------------------------------------------------ databases for a row


def prepare(task: SqlTask, resources: Resources) -> Prepared | Score:
    """The databases on which a task is judged, or why it cannot be."""
    read = read_query(task.gold, task.dialect)
    if read is None:
        return abstain("the gold query cannot be read")
    if _VOLATILE.search(task.gold):
        return abstain("the gold query's answer depends on chance or on the clock")
    tree, dialect = read
    shape = shape_of(task, tree)
    seeds = [(index + 1, SIZES[index % len(SIZES)]) for index in range(CANDIDATE_DATABASES)]
    databases = [database(shape, task, seed, size) for seed, size in seeds]
    golds = translations(task.gold, dialect, raw=True)
    shuffled = [
        {**database(shape, task, seed, size, shuffle=seed + order), "only": len(golds)}
        for order in (0, 1000)
        for seed, size in seeds
    ]
    mutants = [text for mutant in sql_mutants(tree, None) if (text := as_sqlite(mutant, None))]
    answers, problem = run_queries(resources, [*databases, *shuffled], [*golds, *mutants], PREPARE_SECONDS)
    if problem is None and _ran_out(answers):  # perhaps a mutant did
        mutants = []
        answers, problem = run_queries(resources, [*databases, *shuffled], golds, PREPARE_SECONDS)
    if problem is not None:
        return problem
    works = next((i for i in range(len(golds)) if all("error" not in answer[i] for answer in answers)), None)
    if works is None:
        reason = next(answer[0]["error"] for answer in answers if "error" in answer[0])
        return abstain(f"the gold query does not run: {reason}")
    count = len(databases)
    first, second, third = answers[:count], answers[count : 2 * count], answers[2 * count :]
    return _choose(
        databases,
        [one[works] for one in first],
        [[one[works], other[works]] for one, other in zip(second, third, strict=True)],
        [one[len(golds) :] for one in first],
        dialect if golds[works] != task.gold else None,
        tree,
    )


def _choose(
    databases: list[dict[str, Any]],
    golds: list[Answer],
    shuffled: list[list[Answer]],
    mutants: list[list[Answer]],
    dialect: str | None,
    tree: Any,
) -> Prepared | Score:
    sorts = tree.args.get("order") is not None
    usable: dict[int, bool] = {}
    for index, (one, others) in enumerate(zip(golds, shuffled, strict=True)):
        if sorts and not any(compare(other, one, ordered=True) for other in others):
            usable[index] = True
        elif not any(compare(other, one, ordered=False) for other in others):
            usable[index] = False
    if len(usable) < MIN_STABLE_SHARE * len(golds):
        return abstain("the gold query's answer depends on the order of the rows")
    telling = [index for index in usable if not _says_nothing(golds[index])]
    if not telling:
        return abstain("the gold query finds nothing in any database that was made up")
    kills = {
        index: {
            number
            for number, answer in enumerate(mutants[index])
            if compare(answer, golds[index], ordered=usable[index])
        }
        for index in usable
    }
    all_killed = set().union(*kills.values())
    if mutants[0] and not all_killed:
        return abstain("no database tells the gold query from its mutants")
    chosen: list[int] = []
    alive = set(all_killed)
    while len(chosen) < KEPT_DATABASES and len(chosen) < len(usable):
        rest = [index for index in usable if index not in chosen]
        best = max(rest, key=lambda index: (len(kills[index] & alive), index in telling, len(kills[index]), -index))
        if not kills[best] & alive and len(chosen) >= 5:
            break
        chosen.append(best)
        alive -= kills[best]
    if not any(index in telling for index in chosen):
        chosen[-1] = telling[0]
    chosen.sort()
    return Prepared(
        databases=[databases[index] for index in chosen],
        answers=[golds[index] for index in chosen],
        ordered=[usable[index] for index in chosen],
        dialect=dialect,
        killed=len(set().union(*(kills[index] for index in chosen))),
        mutants=len(mutants[0]),
    )


def _ran_out(answers: list[list[Answer]]) -> bool:
    return all(one.get("error") in ("timeout", "memory", "crashed") for answer in answers for one in answer)


def _says_nothing(answer: Answer) -> bool:
    return all(cell in (None, 0) for row in answer["rows"] for cell in row)


def translations(query: str, dialect: str | None, *, raw: bool) -> list[str]:
    """The query as SQLite may run it: as it stands first (when `raw`), then translated from the likely dialects."""
    found = dict.fromkeys([query] if raw else [])
    for source in dict.fromkeys((dialect, "sqlite", "postgres", "mysql", None)):
        text = as_sqlite(query, source)
        if text:
            found[text] = None
    return list(found) or [query]


def as_sqlite(query: str, dialect: str | None) -> str:
    """One query of a dialect as SQLite writes it; "" where sqlglot cannot."""
    trees = parse_sql(query, dialect)
    if not trees or len(trees) != 1:
        return ""
    tree = trees[0]
    return written(boundary(lambda: tree.transform(_for_sqlite), lambda _error: tree), "sqlite")


def _for_sqlite(node: Any) -> Any:
    """What sqlglot leaves as it is though SQLite does not know it."""
    from sqlglot import exp

    if isinstance(node, exp.Extract):
        formats = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "DOW": "%w"}
        wanted = formats.get(node.this.name.upper())
        if wanted is not None:
            text = exp.Anonymous(this="STRFTIME", expressions=[exp.Literal.string(wanted), node.expression.copy()])
            return exp.cast(text, "INTEGER")
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


@cache
def _runner() -> str:
    return inspect.getsource(sql_runner)


def run_queries(
    resources: Resources, databases: Sequence[dict[str, Any]], queries: Sequence[str], seconds: float = CALL_SECONDS
) -> tuple[list[list[Answer]], Score | None]:
    """(answers[database][query], None), or ([], a score) where the sandbox could not run them."""
    from rlar.sandbox import Limits

    result = resources.sandbox.call(
        _runner(),
        "run",
        [[list(databases), list(queries), QUERY_SECONDS]],
        limits=Limits(seconds=seconds, memory_mb=256),
    )[0]
    if result.status == "passed" and isinstance(result.value, list):
        return result.value, None
    if result.status in ("timeout", "memory", "crashed"):
        return [[{"error": str(result.status)} for _ in queries] for _ in databases], None
    return [], failed(f"the databases could not be queried: {result.explanation or result.error or result.status}")


# ------------------------------------------------------------------------------------------ comparing


def compare(mine: Answer, gold: Answer, *, ordered: bool) -> str:
    """What differs, in a few words; "" for equal results."""
    if "error" in mine:
        return str(mine["error"])[:200]
    if "error" in gold:
        return "the gold query failed here"
    rows, expected = mine["rows"], gold["rows"]
    if len(mine["columns"]) != len(gold["columns"]):
        return f"{len(mine['columns'])} columns instead of {len(gold['columns'])}"
    if len(rows) != len(expected):
        return f"{len(rows)} rows instead of {len(expected)}"
    if _same_rows(rows, expected, ordered):
        return ""
    permutation = _by_name(mine["columns"], gold["columns"])
    if permutation is not None and _same_rows([[row[i] for i in permutation] for row in rows], expected, ordered):
        return ""
    return "other values" if not ordered or not _same_rows(rows, expected, False) else "another order of rows"


def _by_name(mine: list[str], gold: list[str]) -> list[int] | None:
    one, other = [name.lower() for name in mine], [name.lower() for name in gold]
    if one == other or sorted(one) != sorted(other) or len(set(one)) != len(one):
        return None
    return [one.index(name) for name in other]


def _same_rows(one: list[list[Any]], other: list[list[Any]], ordered: bool) -> bool:
    if not ordered:
        one, other = sorted(one, key=_row_key), sorted(other, key=_row_key)
    return all(
        len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True)
    )


def _row_key(row: list[Any]) -> list[tuple[int, Any]]:
    return [_cell_key(cell) for cell in row]


def _cell_key(cell: Any) -> tuple[int, Any]:
    if cell is None:
        return (0, 0)
    if isinstance(cell, int | float):
        return (1, round(float(cell), 6))
    return (2, str(cell))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
    return type(one) is type(other) and one == other


# ------------------------------------------------------------------------------------------ the completion's query


def extract_query(completion: str) -> str | None:
    """The last query that a completion gives: in a code block, else bare; None when it gives none."""
    answer = completion[-MAX_SQL_CHARACTERS:]
    for match in reversed(list(_FENCE.finditer(answer))):
        if match["language"].lower() in (
            "",
            "sql",
            "sqlite",
            "mysql",
            "postgresql",
            "postgres",
            "tsql",
            "plsql",
            "text",
        ):
            query = _last_query(match["body"])
            if query is not None:
                return query
    if "```" in answer:
        answer = _FENCE.sub("\n", answer)
    for match in reversed(list(_QUERY_START.finditer(answer))[-8:]):
        query = _bare(answer[match.start("query") :])
        if query is not None:
            return query
    inline = _INLINE.findall(answer)
    if inline:
        return _last_query(inline[-1])
    for match in reversed(list(_ANY_QUERY.finditer(answer))[-8:]):
        query = _bare(answer[match.start() :])
        if query is not None:
            return query
    return None


def _last_query(text: str) -> str | None:
    """The last read-only statement of a text of SQL."""
    text = text.strip()
    if not _ANY_QUERY.search(text) or len(text) > MAX_SQL_CHARACTERS:
        return None
    statements = [part.strip() for part in re.split(r";[ \t]*(?:\n|\Z)", text) if part.strip()]
    for statement in reversed(statements):
        start = re.match(
            r"(?:\s*+(?:--[^\n]*+\n|/\*(?>.*?\*/)))*+\s*+(?=\(*+\s*+(?:SELECT|WITH)\b)", statement, re.I | re.S
        )
        if start is not None:
            return str(statement[start.end() :]).strip()
    return None


def _bare(text: str) -> str | None:
    """The query at the start of a text: up to the semicolon, a blank line, or as far as it parses."""
    text = text[:MAX_SQL_CHARACTERS]
    for end in (text.find(";"), text.find("\n\n"), len(text)):
        query = text[:end].strip().strip("`").strip() if end > 0 else ""
        if query and read_query(query) is not None:
            return query
    return None
