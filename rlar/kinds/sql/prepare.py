"""What is worked out once a row: databases on which the gold query tells right from wrong, and its answers there.

A database serves where the gold query has one answer whatever the order of the rows. Those are kept on which mutants of the
gold query answer otherwise; together they must give it several answers that are not empty, or a constant would do. A row
for which none are found is not judged.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from rlar.kinds.sql import runner as sql_runner
from rlar.kinds.sql.compare import Answer, compare
from rlar.kinds.sql.data import database, shape_of
from rlar.kinds.sql.dialects import as_it_stands, as_sqlite, translations
from rlar.kinds.sql.mutants import sql_mutants, with_other_rows, without_conditions, written
from rlar.kinds.sql.rows import SqlTask, read_query
from rlar.tool import Resources
from rlar.types import Score, abstain, failed

SIZES = (4, 8, 14, 24, 40)
FIRM, SOFT = 18, 3
"""Databases that are made up: ordinary ones, and ones with NULLs and ties that the asker may not have thought of."""
KEPT = 8
ENOUGH = 5
"""Databases that are kept although they kill no further mutant."""
QUERY_SECONDS = 0.5
PREPARE_SECONDS = 20.0
MIN_STABLE_SHARE = 0.3
"""Of the databases made up; below it the gold query's answer is a matter of luck."""
SHUFFLES = 2

_CHANCE = re.compile(r"\b(?:random|rand|newid)\s*+\(", re.IGNORECASE)


class Gold(NamedTuple):
    """One right query's answers."""

    answers: list[Answer]
    ordered: list[bool]
    """Whether the rows' order counts, by database."""
    repeats_count: bool


class Prepared(NamedTuple):
    """What completions of one task are judged with: generated databases and the right answers on each."""

    databases: list[dict[str, Any]]
    soft: list[bool]
    """By database: whether it holds NULLs and ties that the asker may not have thought of."""
    golds: list[Gold]
    dialect: str | None
    """The dialect that the gold query was read in; None for sqlglot's superset."""
    killed: int
    """Mutants of the gold query that some database tells from it, of `mutants`."""
    mutants: int
    partial: bool
    """Whether an alternative of the reference could not be used, so that a query that it would accept may be refused."""


def prepare(task: SqlTask, resources: Resources) -> Prepared | Score:
    """The databases on which a task is judged, or why it cannot be."""
    texts = (task.gold, *task.alternatives)
    reads = [read_query(text, task.dialect) for text in texts]
    if reads[0] is None:
        return abstain("the gold query cannot be read")
    if any(_CHANCE.search(text) for text in texts):
        return abstain("the gold query's answer depends on chance")
    tree, dialect = reads[0]
    shape = shape_of(task, tree)
    made = [(seed, SIZES[seed % len(SIZES)], seed >= FIRM) for seed in range(FIRM + SOFT)]
    databases = [database(shape, task, seed + 1, size, soft=soft) for seed, size, soft in made]
    soft = [is_soft for _, _, is_soft in made]
    attempts = [[as_it_stands(text, dialect), *translations(text, dialect)] for text in texts]
    attempts = [list(dict.fromkeys(each)) for each in attempts]
    golds = [query for each in attempts for query in each]
    loose = [text for mutant in without_conditions(tree) if (text := as_sqlite(written(mutant, None), None))]
    mutants = [*sql_mutants(tree), *(written(mutant, None) for mutant in with_other_rows(tree))]
    mutants = [*loose, *(text for mutant in mutants if (text := as_sqlite(mutant, None)) and text not in loose)]
    answers, problem = run_queries(resources, databases, [*golds, *mutants], PREPARE_SECONDS, SHUFFLES, len(golds))
    if problem is None and _ran_out(answers):  # perhaps a mutant did
        loose, mutants = [], []
        answers, problem = run_queries(resources, databases, golds, PREPARE_SECONDS, SHUFFLES, len(golds))
    if problem is not None:
        return problem
    right: list[list[list[Answer]]] = []
    trees: list[Any] = []
    start = 0
    for each, read in zip(attempts, reads, strict=True):
        works = next((i for i in range(start, start + len(each)) if not _fails(answers, i)), None)
        if works is None and not right:
            error = next(str(orders[0][start]["error"]) for orders in answers if "error" in orders[0][start])
            return abstain(f"the gold query does not run: {error}")
        if works is not None and read is not None:
            trees.append(read[0])
            right.append([[answer[works] for answer in orders] for orders in answers])
        start += len(each)
    others = [orders[0][len(golds) :] for orders in answers]
    return _chosen(databases, soft, right, trees, others, len(loose), dialect, len(texts))


def _fails(answers: list[list[list[Answer]]], query: int) -> bool:
    return any("error" in answer[query] for orders in answers for answer in orders)


def _chosen(
    databases: list[dict[str, Any]],
    soft: list[bool],
    right: list[list[list[Answer]]],
    trees: list[Any],
    mutants: list[list[Answer]],
    loose: int,
    dialect: str | None,
    wanted: int,
) -> Prepared | Score:
    """The databases that are kept; `right` holds [query][database][order], the first query being the one that was mutated.
    The first `loose` mutants lack a condition."""
    stable = [_stable(orders, tree) for orders, tree in zip(right, trees, strict=True)]
    firm = [index for index in stable[0] if not soft[index]]
    if len(firm) < MIN_STABLE_SHARE * soft.count(False):
        return abstain("the gold query's answer depends on the order of the rows")
    used = [0] + [n for n in range(1, len(right)) if len(set(firm) & stable[n].keys()) >= len(firm) / 2]
    if not _agree([right[n] for n in used], firm):
        return abstain("several reference queries whose answers have little in common: perhaps a script")
    usable = [index for index in firm if all(index in stable[n] for n in used)]
    golds = [orders[0] for orders in right[0]]
    repeats_count = not _repeats_by_join(trees[0])
    telling = {index for index in usable if not _says_nothing(golds[index])}
    if not telling:
        return abstain("the gold query finds nothing in any database that was made up")
    kills = {
        index: {
            number
            for number, answer in enumerate(mutants[index])
            if not _passes(answer, golds[index], stable[0][index], repeats_count)
        }
        for index in usable
    }
    if mutants[0] and not set().union(*kills.values()):
        return abstain("no database tells the gold query from its mutants")
    if not set(range(loose)) <= set().union(*kills.values()):
        return abstain("no database shows what a condition of the gold query is for")
    chosen = _best(usable, kills, telling, [_signature(answer) for answer in golds])
    if len({_signature(golds[index]) for index in chosen}) < 2:
        return abstain("a constant answers like the gold query in every database that was made up")
    kept = sorted(chosen) + [index for index in stable[0] if soft[index] and all(index in stable[n] for n in used)]
    return Prepared(
        databases=[databases[index] for index in kept],
        soft=[soft[index] for index in kept],
        golds=[
            Gold(
                [right[n][index][0] for index in kept],
                [stable[n][index] for index in kept],
                not _repeats_by_join(trees[n]),
            )
            for n in used
        ],
        dialect=dialect,
        killed=len(set().union(*(kills[index] for index in chosen))),
        mutants=len(mutants[0]),
        partial=len(used) < wanted,
    )


def _stable(orders: list[list[Answer]], tree: Any) -> dict[int, bool]:
    """The databases on which a query's answer does not depend on the order of the rows -> whether its own order counts."""
    sorts = tree.args.get("order") is not None
    by_database: dict[int, bool] = {}
    for index, (one, *others) in enumerate(orders):
        if sorts and all(_passes(other, one, True) for other in others):
            by_database[index] = True
        elif all(_passes(other, one, False) for other in others):
            by_database[index] = False
    return by_database


def _passes(answer: Answer, gold: Answer, ordered: bool, repeats_count: bool = True) -> bool:
    comparison = compare(answer, gold, ordered=ordered, repeats_count=repeats_count)
    return not comparison.difference or (comparison.debatable and not repeats_count)


def _agree(answers: Sequence[list[list[Answer]]], indexes: list[int]) -> bool:
    """Whether queries answer one question, as far as data can tell: each is linked to the first, by a column that both give
    or by giving as many rows everywhere. Two numbers about the same rows are no such link."""
    linked, rest = [0], list(range(1, len(answers)))
    for one in linked:
        more = [other for other in rest if _linked(answers[one], answers[other], indexes)]
        linked += more
        rest = [other for other in rest if other not in more]
    return not rest


def _linked(one: list[list[Answer]], other: list[list[Answer]], indexes: list[int]) -> bool:
    pairs = [(one[index][0], other[index][0]) for index in indexes]
    sizes = [len(answer["rows"]) for answer, _ in pairs]
    if max(sizes) > 1 and len(set(sizes)) > 1 and all(len(a["rows"]) == len(b["rows"]) for a, b in pairs):
        return True
    shared: set[tuple[int, int]] | None = None
    for a, b in pairs:
        if not a["rows"] or not b["rows"]:
            continue
        mine, theirs = _columns(a), _columns(b)
        same = {(i, j) for i, x in enumerate(mine) for j, y in enumerate(theirs) if x == y}
        shared = same if shared is None else shared & same
    return bool(shared)


def _columns(answer: Answer) -> list[set[str]]:
    return [{repr(row[index]) for row in answer["rows"]} for index in range(len(answer["columns"]))]


def _best(usable: list[int], kills: dict[int, set[int]], telling: set[int], signatures: list[str]) -> list[int]:
    """Databases by the mutants that they kill; then by answers that no other one gives."""
    alive = set().union(*kills.values())
    chosen: list[int] = []
    while len(chosen) < min(KEPT, len(usable)):
        given = {signatures[index] for index in chosen}
        rest = [index for index in usable if index not in chosen]
        best = max(
            rest,
            key=lambda index: (
                len(kills[index] & alive), index in telling and signatures[index] not in given, index in telling,
                len(kills[index]), -index,
            ),
        )  # fmt: skip
        if len(chosen) >= ENOUGH and not kills[best] & alive and len(given) > 1:
            break
        chosen.append(best)
        alive -= kills[best]
    if not telling & set(chosen):
        chosen[-1] = min(telling)
    return chosen


def _repeats_by_join(tree: Any) -> bool:
    """Whether the query may give a row more than once only because it joins."""
    from sqlglot import exp

    if not isinstance(tree, exp.Select) or tree.args.get("distinct") or tree.args.get("group"):
        return False
    return bool(tree.args.get("joins")) and tree.find(exp.AggFunc) is None and tree.args.get("limit") is None


def _signature(answer: Answer) -> str:
    return repr(answer.get("rows"))


def _says_nothing(answer: Answer) -> bool:
    return all(cell in (None, 0) for row in answer["rows"] for cell in row)


def _ran_out(answers: list[list[list[Answer]]]) -> bool:
    return all(
        one.get("error") in ("timeout", "memory", "crashed")
        for orders in answers
        for answer in orders
        for one in answer
    )


@cache
def _runner() -> str:
    return inspect.getsource(sql_runner)


def run_queries(
    resources: Resources,
    databases: Sequence[dict[str, Any]],
    queries: Sequence[str],
    seconds: float,
    shuffles: int = 0,
    shuffled: int = 0,
) -> tuple[list[list[list[Answer]]], Score | None]:
    """(answers[database][order][query], None), or ([], a score) where the sandbox could not run them; see the runner."""
    from rlar.sandbox import Limits

    result = resources.sandbox.call(
        _runner(),
        "run",
        [[list(databases), list(queries), QUERY_SECONDS, shuffles, shuffled]],
        limits=Limits(seconds=seconds, memory_mb=256),
    )[0]
    if result.status == "passed" and isinstance(result.value, list):
        return result.value, None
    if result.status in ("timeout", "memory", "crashed"):
        lost: Answer = {"error": str(result.status)}
        orders = [[lost] * len(queries), *([[lost] * shuffled] * shuffles)]
        return [orders for _ in databases], None
    return [], failed(f"the databases could not be queried: {result.explanation or result.error or result.status}")
