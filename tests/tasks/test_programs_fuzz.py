"""Whatever a row holds, looking for tests, references and schemas never raises, and what is found survives JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlar.kinds.programs.completion import extract_program
from rlar.kinds.programs.mutants import mutate_program, oracle_program
from rlar.kinds.programs.rows import TestSuite, find_reference_program, find_suite
from rlar.kinds.sql.answer import extract_queries
from rlar.kinds.sql.rows import SqlTask, find_sql
from rlar.types import Example, Message
from tests.fakes.examples import examples

PIECES = [
    "assert f(1) == 2", "assert (", "def check(candidate):\n    assert candidate(1)", "def f(x):\n", "    return x\n", "```python\n", "```", "~~~\n",
    "import unittest\nclass T(unittest.TestCase): pass", ">>> f(1)\n2\n", "f(1) -> 2", "SELECT a FROM t WHERE b = 'x'", "CREATE TABLE t (a INT, b TEXT)",
    "t(a, b)", "<think>", "</think>", "\x00", "\ud800", "é漢", "((((", '"""', "'''", "\\", "{", "}", "[", "]", "inputs", "class Solution:\n    def f(self):\n",
    "assert f(" + "[" * 400, "Table t, columns = [a, b]", "WITH x AS (", "; DROP TABLE t", "print(input())", "\r\n", "\t", " ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=10).map("\n".join) | st.lists(
    st.sampled_from(PIECES), max_size=6
).map("".join)
KEYS = st.sampled_from(
    ["inputs", "outputs", "input", "output", "fn_name", "entry_point", "tests", "test", "x", "testtype"]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | inner.map(lambda value: json.dumps(value))
    ),
    max_leaves=12,
)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(prompt=TEXTS, reference=st.none() | TEXTS, columns=st.dictionaries(KEYS, VALUES, max_size=4), completion=TEXTS)
def test_no_row_and_no_completion_breaks_the_readers(
    prompt: str, reference: str | None, columns: dict[str, Any], completion: str
) -> None:
    references = (reference,) if reference is not None else ()
    row = Example(
        id="r",
        prompt=(Message(role="user", content=prompt),),
        reference=reference,
        references=references,
        columns=columns,
    )
    suite = find_suite(row)
    if suite is not None:
        assert suite.size > 0
        assert all(test.strip() for test in suite.tests)
        oracle_program(suite)
        if not any("\ud800" <= letter <= "\udfff" for letter in json.dumps(suite.to_binding(), ensure_ascii=False)):
            assert TestSuite.from_binding(json.loads(json.dumps(suite.to_binding()))) == suite
    extract_program(completion, suite)
    extract_queries(completion)
    program = find_reference_program(row)
    if program is not None:
        mutate_program(program, seed=1, count=2)
    task = find_sql(row)
    if task is not None:
        assert SqlTask.from_binding(json.loads(json.dumps(task.to_binding()))) == task
