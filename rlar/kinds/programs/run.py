"""Running a program against a row's suite in the sandbox, and what the outcome means as a score.

A program that is wrong, crashes, loops or eats memory scores 0.0. A suite that the row's own reference does not pass, or that
checked nothing, cannot tell: the tool abstains. A sandbox that could not run anything is a failed tool, never a number.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from rlar.kinds.programs.completion import extract_program, wanted_names
from rlar.kinds.programs.foreign import foreign_program, judge_foreign
from rlar.kinds.programs.judge_names import with_usual_names
from rlar.kinds.programs.rows import CallCase, TestSuite
from rlar.sandbox.compare import same_number
from rlar.text.python import bound_at_top, compiles, parse_python, unparse
from rlar.types import JsonObject, Sample, Score, abstain, canonical_json, digest, failed, ok

if TYPE_CHECKING:
    from rlar.sandbox import CallResult, Limits, Pool, RunResult

_HEAVY = re.compile(r"^[^\S\n]*+(?:import|from)\s++(?:numpy|sympy|scipy)\b|\bnp\.", re.MULTILINE)
_BY_NAME = "_rlar_entry"
_KEYWORD_CALL = """

def {stub}(arguments, keywords):
    return {entry}(*arguments, **keywords)
"""
_IN_PLACE = """

def {stub}(arguments, keywords):
    {entry}(*arguments, **keywords)
    return (arguments or list(keywords.values()))[0]
"""


def suite_of(sample: Sample) -> TestSuite | None:
    """The suite in a sample's binding; None where there is none, or it cannot be read."""
    body = sample.binding.get("suite")
    if not isinstance(body, dict):
        return None
    try:
        return TestSuite.from_binding(body)
    except ValidationError:
        return None


def judge(program: str, suite: TestSuite, pool: Pool, limits: Limits | None = None) -> Score:
    """The score of one program."""
    if not program.strip():
        return ok(0.0, "no program in the completion", passed=0, total=suite.size)
    if not compiles(program):
        return ok(0.0, "the program is not valid Python", passed=0, total=suite.size)
    if suite.kind == "stdio":
        return _judge_stdio(program, suite, pool, limits)
    if suite.kind == "calls":
        return _judge_calls(program, suite, pool, limits)
    if suite.imports_given:
        program = with_usual_names(program)
    result = pool.run_tests(
        program,
        "\n".join(suite.tests),
        suite.entry_point,
        prelude=suite.setup or None,
        limits=limits,
        mode="auto",
        image=image_for(program, *suite.tests, suite.setup),
    )
    return _score(result, passed=suite.size if result.passed else None, total=suite.size)


def image_for(*texts: str) -> Literal["heavy"] | None:
    """The heavy image for code that uses its libraries; None for the pool's own."""
    return "heavy" if any(_HEAVY.search(text) for text in texts) else None


def _score(result: RunResult, *, passed: int | None, total: int) -> Score:
    details: JsonObject = {"total": total, "tier": result.tier, "forgeable": result.forgeable, "unsafe": result.unsafe}
    if passed is not None:
        details["passed"] = passed
    if result.passed:
        return ok(1.0, f"passed {total} of {total} tests", **details)
    if result.status == "undecided":
        return abstain(result.explanation, undecided=True, **details)
    if result.status == "refused":
        return failed(f"the tests could not be run: {result.explanation}", **details)
    explanation = result.explanation or str(result.status)
    return ok(0.0, explanation if result.status == "failed" else f"{result.status}: {explanation}", **details)


def _judge_stdio(program: str, suite: TestSuite, pool: Pool, limits: Limits | None) -> Score:
    cases = [(case.input, case.output) for case in suite.stdio]
    results = pool.run_stdio(
        program, cases, limits=limits, compare="numbers", stop_after_failure=True, image=image_for(program)
    )
    passed = sum(result.passed for result in results)
    score = _score(results[-1], passed=passed, total=len(cases))
    if score.value == 0.0:
        return score.model_copy(
            update={"explanation": f"case {len(results)} of {len(cases)}: {score.explanation}"[:300]}
        )
    return score


def _judge_calls(program: str, suite: TestSuite, pool: Pool, limits: Limits | None) -> Score:
    """1.0 where the program passes every call of one of the suite's readings; else the score of the likeliest one.

    Abstains where the readings' results are in doubt and the program passes one reading but not another.
    """
    entry = callable_name(program, suite.entry_point or "")
    if entry is None:
        return ok(0.0, f"the program defines no {suite.entry_point}", passed=0, total=len(suite.calls))
    program = with_usual_names(program)
    known: dict[str, list[CallResult]] = {}
    first: Score | None = None
    for calls in (suite.calls, *suite.readings):
        key = canonical_json([(case.arguments, case.keywords) for case in calls])
        if key not in known:
            known[key] = _call(program, entry, suite, calls, pool, limits)
        score = _calls_score(known[key], calls)
        if score.value is None or (score.value == 1.0 and suite.unconfirmed != "results"):
            return score
        if first is not None and score.value != first.value:
            return abstain(
                "the row's calls can be read in several ways, and the program passes some of them", **score.details
            )
        first = first or score
    assert first is not None, suite
    return first


def _call(
    program: str, entry: str, suite: TestSuite, calls: Sequence[CallCase], pool: Pool, limits: Limits | None
) -> list[CallResult]:
    arguments: list[list[Any]] = [list(case.arguments) for case in calls]
    if suite.in_place or any(case.keywords for case in calls):
        owner, _, method = entry.rpartition(".")
        adapter = _IN_PLACE if suite.in_place else _KEYWORD_CALL
        program += adapter.format(stub=_BY_NAME, entry=f"{owner}().{method}" if owner else entry)
        arguments = [[list(case.arguments), dict(case.keywords)] for case in calls]
        entry = _BY_NAME
    return pool.call(program, entry, arguments, limits=limits, image=image_for(program))


def _calls_score(results: Sequence[CallResult], calls: Sequence[CallCase]) -> Score:
    details: JsonObject = {
        "total": len(results),
        "tier": results[0].tier,
        "forgeable": False,
        "unsafe": results[0].unsafe,
    }
    if any(result.status == "refused" for result in results):
        return failed(f"the calls could not be run: {results[0].explanation}", **details)
    good = [_returned(one, case.expected) for one, case in zip(results, calls, strict=True)]
    details["passed"] = sum(good)
    if all(good):
        return ok(1.0, f"passed {len(good)} of {len(good)} calls", **details)
    first = good.index(False)
    problem = (
        "returned something else"
        if results[first].status == "passed"
        else results[first].explanation or str(results[first].status)
    )
    return ok(0.0, f"call {first + 1} of {len(good)}: {problem}"[:300], **details)


def callable_name(program: str, entry: str) -> str | None:
    """The entry point as the program offers it: the function, or the method of its Solution class; None without it."""
    tree = parse_python(program)
    names = bound_at_top(tree) if tree is not None else set()
    owner, _, method = entry.rpartition(".")
    if method in names:
        return method if not owner or owner not in names else entry
    owner = owner or "Solution"
    return f"{owner}.{method}" if owner in names else None


def _returned(result: CallResult, expected: Any) -> bool:
    return result.status == "passed" and same_value(result.value, expected)


def same_value(one: Any, other: Any, depth: int = 0) -> bool:
    """Equality of plain data, never an exception: tuples are lists, dict keys may have become texts, and floats agree as
    `rlar.sandbox.compare.same_number` says (the second value is the expected one).
    """
    if depth > 100:
        return False
    if isinstance(one, float) or isinstance(other, float):
        numbers = isinstance(one, int | float) and isinstance(other, int | float)
        return numbers and same_number(one, other, smallest=1e-9)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same_value(a, b, depth + 1) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        if len(one) != len(other):
            return False
        if set(one) != set(other):
            one, other = _with_text_keys(one), _with_text_keys(other)
        return set(one) == set(other) and all(same_value(one[key], other[key], depth + 1) for key in one)
    return bool(one == other)


def _with_text_keys(table: dict[Any, Any]) -> dict[Any, Any]:
    """Keys as JSON would write them; those that have no text (an integer of too many digits) as they are."""
    made: dict[Any, Any] = {}
    for key, value in table.items():
        try:
            made[str(key)] = value
        except (ValueError, RecursionError):
            made[key] = value
    return made


class ReferenceCheck:
    """How a row's own reference does on its suite; every row is tried once."""

    def __init__(self, capacity: int = 4096) -> None:
        self._known: dict[str, float | None] = {}
        self._capacity = capacity

    def value(self, sample: Sample, suite: TestSuite, pool: Pool, limits: Limits | None) -> float | None:
        """The reference's score; None where it is no program for this suite (or the suite itself), or has no score."""
        if not sample.reference or suite.source == "reference":
            return None
        key = digest(sample.reference, canonical_json(suite.to_binding()), size=32)
        if key not in self._known and foreign_program(sample.reference, suite) is not None:
            own = _judge_completion(sample.reference, suite, pool, limits)
            if own.status == "failed":
                return None
            self._known[key] = own.value
        if key not in self._known:
            program = extract_program(sample.reference, suite)
            tree = parse_python(program) if program else None
            wanted = wanted_names(suite)
            is_program = tree is not None and bool(wanted & bound_at_top(tree) if wanted else tree.body)
            score = judge(program, suite, pool, limits) if is_program else None
            if len(self._known) >= self._capacity:
                self._known.pop(next(iter(self._known)), None)
            if score is not None and score.status not in ("ok", "abstain"):
                return None  # the sandbox failed, which the next try may not
            self._known[key] = None if score is None else score.value
        return self._known[key]

    def reading(self, sample: Sample, suite: TestSuite, pool: Pool, limits: Limits | None) -> TestSuite:
        """The suite in those readings of its calls that the row's own reference passes; as it is where none tells.

        Of several such readings a program has to pass all: it is not known which of them it was written for.
        """
        if suite.kind != "calls" or not (suite.readings or suite.unconfirmed) or not sample.reference:
            return suite
        passed = []
        for calls in (suite.calls, *suite.readings):
            alone = suite.model_copy(update={"calls": calls, "readings": (), "unconfirmed": ""})
            if self.value(sample, alone, pool, limits) == 1.0:
                passed.append(alone)
        if len(passed) < 2:
            return passed[0] if passed else suite
        others = tuple(each.calls for each in passed[1:])
        return passed[0].model_copy(update={"readings": others, "unconfirmed": "results"})


def score_program(
    sample: Sample, suite: TestSuite, pool: Pool, limits: Limits | None, references: ReferenceCheck
) -> Score:
    """The score of a sample's completion, seen beside the row's own reference.

    Abstains where the reference fails too, and about a program that fails calls of which nothing tells how they are to be
    read. A suite that cannot tell about this program, but passes the reference, was led past its checks by the program: 0.0.
    """
    suite = references.reading(sample, suite, pool, limits)
    score = _judge_completion(sample.answer, suite, pool, limits)
    undecided = bool(score.details.get("undecided"))
    if score.value == 0.0 or undecided:
        expected = references.value(sample, suite, pool, limits)
        if undecided and expected == 1.0:
            return ok(0.0, f"{score.explanation}, but they pass the row's own reference", **score.details)
        if not undecided and expected == 0.0:
            return abstain("the row's own reference does not pass its tests", **score.details)
        if suite.unconfirmed and expected is None and "tier" in score.details and not score.details.get("passed"):
            return abstain("nothing tells how the row's calls are to be read", **score.details)
    return score


def _judge_completion(completion: str, suite: TestSuite, pool: Pool, limits: Limits | None) -> Score:
    """The score of the program that a completion means, whatever its language."""
    foreign = foreign_program(completion, suite)
    if foreign is not None:
        return judge_foreign(foreign, suite, pool, limits)
    return judge(extract_program(completion, suite), suite, pool, limits)


def carries_arguments(program: str, suite: TestSuite) -> bool:
    """Whether a program's own code holds the arguments of at least half of the tests: it may know them by rote.

    Demonstrations (top-level calls, prints and asserts) do not count, nor do arguments that any code may hold, such as 1.
    """
    tree = parse_python(program)
    if tree is None:
        return False
    held = {
        text
        for node in tree.body
        if not isinstance(node, ast.Expr | ast.Assert | ast.If)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set) and (text := unparse([inner]))
    }
    tests = [arguments for test in suite.tests if (arguments := _telling_arguments(test, suite.entry_point))]
    return bool(tests) and sum(bool(arguments & held) for arguments in tests) * 2 >= len(tests)


def _telling_arguments(test: str, entry: str | None) -> set[str]:
    tree = parse_python(test)
    arguments: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and unparse([node.func]) == entry:
            arguments |= {text for argument in node.args if len(text := unparse([argument])) > 3}
    return arguments
