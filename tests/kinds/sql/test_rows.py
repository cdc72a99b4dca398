"""The SQL task of a row: gold query and schema, from statements or from notes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rlar.kinds.sql.rows import SqlTask, find_sql
from rlar.types import Example, Message

GOLD = "SELECT name FROM singer WHERE age > 30"


def row(prompt: str, reference: str = GOLD, **columns: Any) -> Example:
    return Example(
        id="r",
        prompt=(Message(role="user", content=prompt),),
        reference=reference,
        references=(reference,),
        columns=columns,
    )


def columns_of(task: SqlTask | None, table: str) -> list[str]:
    assert task is not None
    return [column.name for one in task.tables if one.name == table for column in one.columns]


@pytest.mark.parametrize(
    ("prompt", "more"),
    [
        ("CREATE TABLE singer (id INTEGER, name VARCHAR, age INT)\nWho?", {}),
        ("Who is older than 30?", {"context": "CREATE TABLE singer (id int, name text, age int);"}),
        ("Who?", {"extra_info": {"db": {"schema": ["CREATE TABLE singer (id int, name text, age int)"]}}}),
        ("Schema:\nsinger(id, name, age)\nconcert(id, year)\nWho?", {}),
        ("# singer ( id , name , age )\n# concert ( id )\n### Who?", {}),
        ("Table singer, columns = [*,id,name,age]\nTable concert, columns = [*,id]\nWho?", {}),
        ("db | singer : id , name , age | concert : id", {}),
        ("Tables:\n- singer: id (int), name (text), age (int)\nWho?", {}),
    ],
)
def test_schemas_are_read_from_statements_and_from_notes(prompt: str, more: dict[str, Any]) -> None:
    assert columns_of(find_sql(row(prompt, **more)), "singer") == ["id", "name", "age"]


def test_keys_types_and_rows_are_read() -> None:
    text = (
        "CREATE TABLE `dept` (`id` int(11) NOT NULL AUTO_INCREMENT, `kind` enum('a','b'), PRIMARY KEY (`id`)) ENGINE=InnoDB;\n"
        "INSERT INTO `dept` VALUES (1,'a');\n"
        "CREATE TABLE emp (id INTEGER PRIMARY KEY, dept_id INT REFERENCES dept(id), pay DECIMAL(10,2), boss INT, FOREIGN KEY (boss) REFERENCES emp(id));"
    )
    task = find_sql(row(text, "SELECT COUNT(*) FROM emp JOIN dept ON emp.dept_id = dept.id"))
    assert task is not None
    dept, emp = task.tables
    assert [c.primary_key for c in dept.columns] == [True, False]
    assert dept.columns[1].values == ("a", "b")
    assert [c.references for c in emp.columns] == [None, ("dept", "id"), None, ("emp", "id")]
    assert task.inserts == ("INSERT INTO \"dept\" VALUES (1, 'a')",) or len(task.inserts) == 1


@pytest.mark.parametrize(
    "gold", [f"```sql\n{GOLD};\n```", f"  {GOLD} ;", f"WITH s AS (SELECT * FROM singer) {GOLD.replace('singer', 's')}"]
)
def test_a_gold_query_may_be_dressed(gold: str) -> None:
    task = find_sql(row("CREATE TABLE singer (id int, name text, age int)", gold))
    assert task is not None
    assert not task.gold.endswith(";")


@pytest.mark.parametrize(
    "reference",
    [
        "Select the best option.",
        "With love from me to you",
        "DROP TABLE singer",
        "DELETE FROM singer",
        "SELECT 1",
        f"{GOLD}; DROP TABLE singer",
        "SELECT * FROM unknown_table",
        "SELECT " + "(" * 9000,
        "",
    ],
)
def test_what_is_no_query_over_the_schema_is_no_task(reference: str) -> None:
    assert find_sql(row("CREATE TABLE singer (id int, name text, age int)", reference)) is None


def test_prose_notes_must_name_the_columns_that_the_query_reads() -> None:
    assert find_sql(row("Ask the singer (a nice person, tall) about it.")) is None


def test_a_task_survives_json() -> None:
    task = find_sql(row("CREATE TABLE singer (id INTEGER PRIMARY KEY, name text CHECK (name IN ('x','y')), age int)"))
    assert task is not None
    assert SqlTask.from_binding(json.loads(json.dumps(task.to_binding()))) == task


def test_texts_in_double_quotes_are_no_columns():
    notes = "Schema: singer : name , age , city | concert : id , singer_name\nWho lives in Paris?"

    task = find_sql(row(notes, 'SELECT name FROM singer WHERE city = "Paris"'))

    assert columns_of(task, "singer") == ["name", "age", "city"]
    assert find_sql(row(notes, 'SELECT name FROM singer WHERE town = "Paris"')) is None
    assert find_sql(row(notes, 'SELECT "height" FROM singer')) is None


def test_unusual_names_of_tables_and_columns_end_where_the_gold_query_says():
    notes = "Table: 2-17-4\nColumns: No., School/Club Team, Years\nQuestion: who had number 7?"

    task = find_sql(row(notes, 'SELECT "School/Club Team" FROM "2-17-4" WHERE "No." = 7'))

    assert columns_of(task, "2-17-4") == ["No.", "School/Club Team", "Years"]
