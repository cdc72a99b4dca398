"""Queries judged by what they answer on made-up databases, in the real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rlar.errors import SandboxRefused
from rlar.kinds import library_class
from rlar.kinds.sql.answer import extract_queries
from rlar.kinds.sql.compare import SAME, Verdict, compare
from rlar.kinds.sql.data import database, shape_of
from rlar.kinds.sql.mutants import sql_mutants
from rlar.kinds.sql.rows import SqlTask, find_sql, read_query
from rlar.tool import LibraryTool, Resources
from rlar.tools.library import library_spec
from rlar.types import Example, Message, Sample, Score

SCHEMA = """CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, country TEXT, age INT);
CREATE TABLE concert (id INTEGER PRIMARY KEY, title TEXT, year INT, singer_id INT REFERENCES singer(id));
CREATE TABLE staff (id INTEGER PRIMARY KEY, name VARCHAR(50), pay DECIMAL(10,2), hired DATE, boss_id INTEGER);"""


@pytest.fixture(scope="module")
def tool() -> Iterator[LibraryTool]:
    try:
        resources = Resources()
        _ = resources.sandbox
    except SandboxRefused as refused:
        pytest.skip(str(refused))
    with resources:
        yield library_class("sql")(library_spec("sql"), resources)


def task_of(gold: str) -> SqlTask:
    example = Example(id="r", prompt=(Message(role="user", content=SCHEMA),), reference=gold, references=(gold,))
    task = find_sql(example)
    assert task is not None
    return task


def score(tool: LibraryTool, gold: str, completion: str, question: str = "") -> Score:
    binding = {"sql": task_of(gold).to_binding()}
    return tool.score_one(Sample(prompt=SCHEMA + question, completion=completion, reference=gold, binding=binding))


GOLDS = [
    "SELECT COUNT(*) FROM singer WHERE age > 56",
    "SELECT DISTINCT country FROM singer WHERE age > 20",
    "SELECT country, COUNT(*) FROM singer GROUP BY country HAVING COUNT(*) > 2",
    "SELECT name FROM singer WHERE id NOT IN (SELECT singer_id FROM concert)",
    "SELECT s.name, COUNT(*) FROM concert c JOIN singer s ON c.singer_id = s.id WHERE c.year >= 2014 GROUP BY s.id",
    "SELECT name FROM staff WHERE pay > 50000 AND hired >= '2020-01-01' ORDER BY pay DESC LIMIT 3",
    "SELECT name FROM staff WHERE name LIKE 'J%n'",
    "SELECT country FROM singer WHERE age > 40 INTERSECT SELECT country FROM singer WHERE age < 30",
    "SELECT s.name FROM singer s LEFT JOIN concert c ON c.singer_id = s.id WHERE c.id IS NULL",
    "SELECT YEAR(hired), SUM(pay) FROM staff GROUP BY YEAR(hired)",
    "SELECT EXTRACT(YEAR FROM hired) AS y, COUNT(*) FROM staff GROUP BY y",
    "SELECT TOP 1 name FROM staff ORDER BY pay DESC",
    "SELECT b.name FROM staff s JOIN staff b ON s.boss_id = b.id WHERE s.pay > b.pay",
]


@pytest.mark.parametrize("gold", GOLDS)
def test_the_gold_query_wins_and_most_of_its_mutants_lose(tool: LibraryTool, gold: str) -> None:
    assert score(tool, gold, f"```sql\n{gold};\n```").value == 1.0
    read = read_query(gold)
    assert read is not None
    mutants = sql_mutants(read[0], read[1])
    lost = [score(tool, gold, mutant).value == 0.0 for mutant in mutants]
    assert sum(lost) >= 0.8 * len(lost), [mutant for mutant, one in zip(mutants, lost, strict=True) if not one]


@pytest.mark.parametrize(
    "completion",
    [
        "SELECT country FROM singer WHERE age > 20 GROUP BY country",
        "select distinct T.Country from singer as T where T.age >= 21",
        "The query is:\n\nSELECT DISTINCT country FROM singer WHERE age > 20\n\nIt lists every country once.",
        "<think>SELECT 1</think>\n```sql\n-- countries\nSELECT DISTINCT country\nFROM singer\nWHERE age > 20;\n```",
        "`SELECT DISTINCT country FROM singer WHERE age > 20`",
        "SELECT DISTINCT country FROM singer WHERE age > 20 ORDER BY country",
        "WITH old AS (SELECT * FROM singer WHERE age > 20) SELECT DISTINCT country FROM old",
        "First: ```sql\nSELECT 1\n``` No, better:\n```sql\nSELECT DISTINCT country FROM singer WHERE age > 20\n```",
    ],
)
def test_an_equal_query_wins_however_it_is_written(tool: LibraryTool, completion: str) -> None:
    assert score(tool, GOLDS[1], completion).value == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "I cannot say.",
        "SELECT * FROM singer",
        "SELECT country FROM singer WHERE age > 20",
        "SELECT DISTINCT country, age FROM singer WHERE age > 20",
        "SELECT DISTINCT country FROM singer WHERE age > 20 UNION SELECT 'France'",
        "SELECT DISTINCT country FROM singer",
        "SELECT DISTINCT country FROM nowhere WHERE age > 20",
        "SELECT DISTINCT country FROM singer WHERE age > 20 LIMIT 1",
        "DROP TABLE singer",
        "UPDATE singer SET age = 1",
        "ATTACH DATABASE 'x' AS y",
        "PRAGMA table_info(singer)",
        "SELECT load_extension('x')",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c",
        "SELECT a.country FROM singer a, singer b, singer c, singer d, singer e, singer f, concert g, concert h, concert i",
        "SELECT hex(zeroblob(900000000))",
        "SELECT printf('%.*c', 2000000000, 'x')",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "score: 1.0",
    ],
)
def test_what_answers_differently_or_does_harm_scores_zero(tool: LibraryTool, completion: str) -> None:
    found = score(tool, GOLDS[1], completion)
    assert (found.value, found.status) == (0.0, "ok"), found
    assert score(tool, GOLDS[1], GOLDS[1]).value == 1.0


def test_order_counts_only_where_the_gold_query_sorts_and_the_prompt_asks_for_it(tool: LibraryTool) -> None:
    ordered = "SELECT name, age FROM singer ORDER BY age DESC"
    asked = "\nName and age of the singers, sorted by age, the oldest first."
    assert score(tool, ordered, "SELECT name, age FROM singer ORDER BY age", asked).value == 0.0
    assert score(tool, ordered, "SELECT name, age FROM singer", asked).value == 0.0
    assert score(tool, ordered, "SELECT name, age FROM singer ORDER BY age DESC", asked).value == 1.0
    assert score(tool, ordered, "SELECT name, age FROM singer", "\nName and age?").status == "abstain"
    assert score(tool, "SELECT name, age FROM singer", "SELECT name, age FROM singer ORDER BY age").value == 1.0


def result(columns: str, *rows: tuple[object, ...]) -> dict[str, Any]:
    return {"columns": columns.split(), "rows": [list(row) for row in rows]}


def test_results_are_compared_as_rows_and_what_graders_decide_differently_is_debatable() -> None:
    gold = result("name age", ("a", 1), ("b", 2))
    assert compare(result("age name", (1, "a"), (2, "b")), gold, ordered=False) == SAME
    assert compare(result("name age", ("b", 2.0000001), ("a", 1)), gold, ordered=False) == SAME
    assert compare(result("x y", (1, "a"), (2, "b")), gold, ordered=False).debatable
    assert compare(result("name age", ("a", "1"), ("b", 2)), gold, ordered=False).debatable
    swapped = result("name age", ("b", 2), ("a", 1))
    assert compare(swapped, gold, ordered=True) == Verdict("another order of rows")
    assert compare(swapped, gold, ordered=True, order_asked=False).debatable
    for wrong in (
        result("name age", ("a", 1), ("a", 1), ("b", 2)),
        result("name", ("a",), ("b",)),
        result("name age", ("a", 2), ("b", 1)),
        result("name age", ("a", 1), ("b", None)),
    ):
        assert not compare(wrong, gold, ordered=False).debatable
        assert compare(wrong, gold, ordered=False).difference
    # Nobody can tell the two columns of a pair of names apart but by their place.
    pairs = result("name name", ("a", "b"), ("b", "c"))
    assert not compare(result("name name", ("b", "a"), ("c", "b")), pairs, ordered=False).debatable
    repeated = result("name", ("a",), ("a",), ("b",))
    assert not compare(result("name", ("a",), ("b",)), repeated, ordered=False).debatable
    assert compare(result("name", ("a",), ("b",)), repeated, ordered=False, repeats_count=False).debatable


@pytest.mark.parametrize(
    "gold",
    [
        "SELECT name FROM singer WHERE age > 20 AND age < 10",  # nothing satisfies it
        "SELECT unknown_function(name) FROM singer",
        "SELECT name FROM singer ORDER BY RANDOM()",
        "SELECT name FROM singer LIMIT 1",  # any row would do
    ],
)
def test_a_gold_query_that_tells_nothing_gives_an_abstention(tool: LibraryTool, gold: str) -> None:
    assert score(tool, gold, gold).status == "abstain"


def test_rows_without_a_schema_abstain(tool: LibraryTool) -> None:
    assert tool.score_one(Sample(prompt="p", completion="SELECT 1", reference="SELECT 1")).status == "abstain"
    assert tool.score_one(Sample(prompt="p", completion="SELECT 1", binding={"sql": {"tables": 3}})).status == "abstain"


def test_databases_repeat_and_keep_their_keys() -> None:
    task = task_of(GOLDS[5])
    read = read_query(task.gold)
    assert read is not None
    shape = shape_of(task, read[0])
    one, again, other = (database(shape, task, seed, 12) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    singers, concerts = one["rows"][0][1], next(table for statement, table in one["rows"] if "concert" in statement)
    assert len({row[0] for row in singers}) == len(singers)  # primary key
    assert {row[3] for row in concerts} <= {row[0] for row in singers}  # declared foreign key


@pytest.mark.parametrize(
    ("completion", "query"),
    [
        ("SELECT a FROM t", "SELECT a FROM t"),
        ("SQL: SELECT a FROM t;", "SELECT a FROM t"),
        ("```sql\nSELECT a FROM t;\n```\n```\nresult\n```", "SELECT a FROM t"),
        ("```sql\nCREATE TABLE t (a INT);\nSELECT a FROM t;\n```", "SELECT a FROM t"),
        ("Please select the best option with care.", None),
        ("x" * 50_000, None),
    ],
)
def test_the_last_query_of_a_completion_is_taken(completion: str, query: str | None) -> None:
    assert extract_queries(completion) == ([] if query is None else [query])
