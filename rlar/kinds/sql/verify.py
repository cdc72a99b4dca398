"""Execution match for SQL: the completion's query and the gold query over the same made-up databases.

Both run in SQLite inside the sandbox (query text is code of a sort: it can loop and eat memory), in an in-memory database that
an authorizer keeps read-only; see runner. Which databases: prepare. What counts as the same result: compare. Where two
queries differ only in what graders of SQL decide differently (columns in another order, numbers written as texts, an order
that nobody asked for) or only in databases with NULLs and ties that the gold query does not speak of, it abstains.

Leaves out: statements that write, and functions that SQLite and the runner do not know (then it abstains).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from pydantic import ValidationError

from rlar.kinds.sql.answer import extract_queries
from rlar.kinds.sql.compare import Answer, compare
from rlar.kinds.sql.dialects import as_it_stands, is_beyond_sqlite, translations
from rlar.kinds.sql.prepare import Prepared, prepare, run_queries
from rlar.kinds.sql.rows import SqlTask
from rlar.tool import LibraryTool, Resources
from rlar.types import AnswerKind, Sample, Score, ToolSpec, abstain, canonical_json, digest, ok

CALL_SECONDS = 4.0
"""For a query on all databases together: a single step of SQLite cannot be interrupted from within."""
MAX_TOGETHER = 16
"""Queries that share a call."""
_CACHED_TASKS = 1024
_ORDER_ASKED = re.compile(
    r"\border(?:ed|ing)?\s{1,4}(?:the\s{1,4}\w{1,20}\s{1,4})?by\b|\bin\s{1,4}(?:\w{1,20}\s{1,4}){0,2}order\b|\bsort|\brank|\b(?:a|de)scending|"
    r"\balphabetic|\bchronologic|\b(?:first|last)\b|\btop\b",
    re.IGNORECASE,
)


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

    def score_one(self, sample: Sample) -> Score:
        """The score of one sample; `score` is cheaper for several of one row."""
        return self.score([sample])[0]

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order; the completions of one row share the calls of the sandbox."""
        scores: dict[int, Score] = {}
        rows: defaultdict[str, list[int]] = defaultdict(list)
        tasks: dict[str, SqlTask] = {}
        for index, sample in enumerate(samples):
            task = _task(sample)
            if isinstance(task, Score):
                scores[index] = task
                continue
            key = digest(canonical_json(task.to_binding()), size=32)
            tasks[key] = task
            rows[key].append(index)

        def judge(key: str) -> None:
            completions = [samples[index] for index in rows[key]]
            scores.update(zip(rows[key], self._row(key, tasks[key], completions), strict=True))

        if len(rows) < 2:
            for key in rows:
                judge(key)
        else:
            self.resources.sandbox.map(judge, rows)
        return [scores[index] for index in range(len(samples))]

    def _row(self, key: str, task: SqlTask, samples: Sequence[Sample]) -> list[Score]:
        """Scores of the completions of one row."""
        prepared = self._prepare(key, task)
        if isinstance(prepared, Score):
            return [prepared] * len(samples)
        given = [extract_queries(sample.answer) for sample in samples]
        runs = self._run(list(dict.fromkeys(query for queries in given for query in queries)), task, prepared)
        if isinstance(runs, Score):
            return [runs] * len(samples)
        scores = []
        for sample, queries in zip(samples, given, strict=True):
            broken = [(query, error) for query in queries if (error := _error(runs[query]))]
            if broken and all(is_beyond_sqlite(query, error, sample.prompt) for query, error in broken):
                scores.append(abstain(f"SQLite cannot run it: {broken[0][1]}"))
                continue
            order_asked = _ORDER_ASKED.search(sample.prompt) is not None
            scores.append(self._scored([runs[query] for query in queries], prepared, order_asked))
        return scores

    def _run(self, queries: list[str], task: SqlTask, prepared: Prepared) -> dict[str, list[Answer]] | Score:
        """The answers of each query on all databases: as it stands, else as the first translation that runs."""
        spellings = {query: as_it_stands(query, prepared.dialect) for query in queries}
        answers = self._answers(list(dict.fromkeys(spellings.values())), prepared)
        if isinstance(answers, Score):
            return answers
        results = {query: answers[text] for query, text in spellings.items()}
        failing = {query: translations(query, prepared.dialect) for query in queries if _is_unknown(results[query])}
        tried = self._answers([text for texts in failing.values() for text in texts], prepared)
        if isinstance(tried, Score):
            return tried
        for query, texts in failing.items():
            results[query] = next((tried[text] for text in texts if not _errors(tried[text])), results[query])
        return results

    def _answers(self, queries: Sequence[str], prepared: Prepared) -> dict[str, list[Answer]] | Score:
        """The answers of each query on all databases. One that breaks a shared call is judged in a call of its own."""
        by_query: dict[str, list[Answer]] = {}
        for start in range(0, len(queries), MAX_TOGETHER):
            some = list(dict.fromkeys(queries[start : start + MAX_TOGETHER]))
            answers, problem = run_queries(self.resources, prepared.databases, some, CALL_SECONDS)
            if problem is not None:
                return problem
            alone = len(some) > 1 and any(
                answer.get("error") in ("timeout", "memory", "crashed") for orders in answers for answer in orders[0]
            )
            for number, query in enumerate(some):
                if alone:
                    answers, problem = run_queries(self.resources, prepared.databases, [query], CALL_SECONDS)
                    if problem is not None:
                        return problem
                by_query[query] = [orders[0][0 if alone else number] for orders in answers]
        return by_query

    def _scored(self, queries: list[list[Answer]], prepared: Prepared, order_asked: bool) -> Score:
        """The score of a completion by its queries' answers: several queries must all be right."""
        if not queries:
            return ok(0.0, "no query in the completion")
        details = {"databases": len(prepared.databases), "mutants_killed": prepared.killed, "mutants": prepared.mutants}
        verdicts = [_verdict(answers, prepared, order_asked) for answers in queries]
        worst = min(verdicts, key=lambda verdict: (0.0, None, 1.0).index(verdict.value))
        if worst.value is None:
            return abstain(worst.why)
        several = f"one of {len(queries)} queries: " if len(queries) > 1 and not worst.value else ""
        return ok(worst.value, f"{several}{worst.why}", **details)

    def _prepare(self, key: str, task: SqlTask) -> Prepared | Score:
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = prepare(task, self.resources)
            if isinstance(prepared, Prepared) or prepared.status == "abstain":
                with self._lock:
                    if len(self._prepared) >= _CACHED_TASKS:
                        self._prepared.pop(next(iter(self._prepared)))
                    self._prepared[key] = prepared
        return prepared


class _Verdict(NamedTuple):
    value: float | None
    why: str


def _task(sample: Sample) -> SqlTask | Score:
    body = sample.binding.get("sql")
    if not isinstance(body, dict):
        return abstain("the row has no schema to build a database from")
    try:
        task = SqlTask.from_binding(body)
    except ValidationError:
        return abstain("the row's schema cannot be read")
    return task if sample.reference is None else task.answered_by(sample.references or (sample.reference,))


def _verdict(answers: list[Answer], prepared: Prepared, order_asked: bool) -> _Verdict:
    """The best verdict over the right queries."""
    best = _Verdict(0.0, "")
    for gold in prepared.golds:
        verdict = _Verdict(1.0, f"equal results on {len(answers)} databases")
        for number, (mine, right, ordered, soft) in enumerate(
            zip(answers, gold.answers, gold.ordered, prepared.soft, strict=True), start=1
        ):
            comparison = compare(
                mine, right, ordered=ordered, order_asked=order_asked, repeats_count=gold.repeats_count
            )
            if not comparison.difference:
                continue
            where = f"database {number} of {len(answers)}: {comparison.difference}"
            if not comparison.debatable and not soft:
                verdict = _Verdict(0.0, where)
                break
            verdict = _Verdict(None, f"NULLs or ties decide: {where}" if soft else f"graders differ: {where}")
        if verdict.value == 1.0:
            return verdict
        best = verdict if not best.why or verdict.value is None else best
    if best.value == 0.0 and prepared.partial:
        return _Verdict(None, "one of the reference queries could not be used")
    return best


def _is_unknown(answers: list[Answer]) -> bool:
    """Whether SQLite did not understand the query; running out of time is another matter."""
    return any(answer.get("error", "timeout") not in ("timeout", "memory", "crashed") for answer in answers)


def _error(answers: list[Answer]) -> str:
    return next((str(answer["error"]) for answer in answers if "error" in answer), "")


def _errors(answers: list[Answer]) -> bool:
    return any("error" in answer for answer in answers)
