"""The algebra of SQL answers in the real sandbox: equal forms of a query win, unequal ones never do, however they are shown."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlar.answered import answered
from rlar.errors import SandboxRefused
from rlar.kinds import library_class
from rlar.kinds.sql.answer import extract_queries
from rlar.kinds.sql.rows import find_sql, statements, without_comments
from rlar.tool import LibraryTool, Resources
from rlar.tools.library import library_spec
from rlar.types import Example, Message, Sample
from tests.fakes.examples import examples
from tests.fakes.sql_forms import EQUAL_FORMS, WRAPPERS, WRONG_FORMS, forms, spellings

SCHEMA = """CREATE TABLE sqlite_sequence(name, seq);
CREATE TABLE ships (
  id INTEGER PRIMARY KEY, -- the ship's own number, never reused; see the register
  name TEXT, flag TEXT, -- e.g. 'NO', 'SE'
  built TEXT, /* day of launch, as 2001-05-30 */
  tons REAL, captain_id INTEGER REFERENCES captains(id)
);
CREATE TABLE captains (id INTEGER PRIMARY KEY, name TEXT, born INTEGER, licensed BOOLEAN);
CREATE TABLE calls (ship_id INTEGER REFERENCES ships(id), port TEXT, day TEXT, fee INTEGER);

Write one SQL query, sorted where that is asked: """

GOLDS = [
    "SELECT COUNT(*) FROM ships WHERE flag = 'NO'",
    "SELECT COUNT(*) FROM captains",
    "SELECT name FROM ships WHERE tons BETWEEN 100 AND 900 AND flag IN ('NO', 'SE')",
    "SELECT DISTINCT flag FROM ships",
    "SELECT flag, COUNT(*) FROM ships GROUP BY flag HAVING COUNT(*) > 3",
    "SELECT s.name, c.name FROM ships AS s JOIN captains AS c ON s.captain_id = c.id WHERE c.born < 1970",
    "SELECT port FROM calls WHERE fee > 50 INTERSECT SELECT port FROM calls WHERE fee < 20",
    "SELECT id FROM ships EXCEPT SELECT ship_id FROM calls",
    "SELECT COUNT(*) FROM ships WHERE strftime('%Y', built) = '2009'",
    "SELECT strftime('%m', day), SUM(fee) FROM calls GROUP BY strftime('%m', day)",
    "SELECT name FROM ships WHERE built LIKE '2011%'",
    "SELECT name FROM ships WHERE LOWER(name) LIKE LOWER('%Star of%')",
    "SELECT COUNT(*) FROM captains WHERE licensed AND born >= 1980",
    "SELECT name FROM ships WHERE captain_id IS NULL",
    "SELECT name FROM ships WHERE id NOT IN (SELECT ship_id FROM calls)",
    "SELECT name FROM ships ORDER BY tons DESC LIMIT 2",
    "SELECT AVG(fee) FROM calls WHERE SUBSTR(day, 6, 2) = '07'",
    "SELECT CAST(SUM(CASE WHEN fee > 50 THEN 1 ELSE 0 END) AS REAL) / COUNT(*) FROM calls",
]


@pytest.fixture(scope="module")
def tool() -> Iterator[LibraryTool]:
    try:
        resources = Resources()
        _ = resources.sandbox
    except SandboxRefused as refused:
        pytest.skip(str(refused))
    with resources:
        yield library_class("sql")(library_spec("sql"), resources)


def values(tool: LibraryTool, reference: str, completions: list[str], question: str = "") -> list[float | None]:
    prompt = SCHEMA + question
    row = Example(id="r", prompt=(Message(role="user", content=prompt),), reference=reference, references=(reference,))
    task = find_sql(row)
    assert task is not None
    binding = {"sql": task.to_binding()}
    samples = [Sample(prompt=prompt, completion=each, reference=reference, binding=binding) for each in completions]
    return [score.value for score in tool.score(samples)]


@pytest.mark.parametrize("gold", GOLDS)
def test_equal_forms_win_and_unequal_ones_do_not(tool: LibraryTool, gold: str) -> None:
    equal = [("as it is", gold), *forms(gold, EQUAL_FORMS)]
    wrong = list(forms(gold, WRONG_FORMS))
    found = values(tool, gold, [f"```sql\n{query}\n```" for _, query in (*equal, *wrong)])
    # LEFT JOIN, NULLs and ties apart, nothing here is debatable.
    assert {name: value for (name, _), value in zip(equal, found, strict=False) if value != 1.0} == {}
    assert {name: value for (name, _), value in zip(wrong, found[len(equal) :], strict=True) if value == 1.0} == {}


def test_every_way_to_show_a_query_counts(tool: LibraryTool) -> None:
    gold = GOLDS[6]
    shown = [wrapper.format(gold) for wrapper in WRAPPERS.values()]
    assert dict(zip(WRAPPERS, values(tool, gold, shown), strict=True)) == dict.fromkeys(WRAPPERS, 1.0)


@settings(max_examples=examples(150), deadline=None)
@given(gold=st.sampled_from(GOLDS), wrapper=st.sampled_from(sorted(WRAPPERS)), seed=st.integers(0, 10_000))
def test_no_spelling_hides_a_query(gold: str, wrapper: str, seed: int) -> None:
    query = gold if wrapper in ("quote", "fence of one line") else spellings(gold, random.Random(seed))
    (found,) = extract_queries(answered(WRAPPERS[wrapper].format(query)).text)
    (wanted,) = statements(query)

    def bare(text: str) -> list[str]:
        return without_comments(text).lower().replace("<>", "!=").split()

    assert bare(found) == bare(wanted)


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(
        st.sampled_from(["SELECT", " a", " FROM t", "WITH x AS (", ")", "(", "'", '"', "`", "```", ";", "--", "/*", "*/", "\n", ". So", "</", "it's "])
        | st.text(max_size=6),
        max_size=24,
    ).map("".join)
)  # fmt: skip
def test_no_text_breaks_the_search(text: str) -> None:
    assert all(isinstance(query, str) and query for query in extract_queries(text))


def test_a_constant_never_answers_a_count(tool: LibraryTool) -> None:
    for gold in (GOLDS[0], GOLDS[1], "SELECT COUNT(DISTINCT flag) FROM ships", "SELECT MAX(fee) FROM calls"):
        constants = [f"SELECT {constant}" for constant in ("0", "1", "2", "3", "NULL", "'NO'")]
        assert values(tool, gold, constants) == [0.0] * len(constants)


def test_references_joined_by_semicolons_are_alternatives_where_data_link_them(tool: LibraryTool) -> None:
    name, number, both = (f"SELECT {what} FROM ships WHERE flag = 'NO'" for what in ("name", "id", "id, name"))
    assert values(tool, f"{name};{number};\n{both};", [name, number, both, "SELECT built FROM ships", "SELECT 1"]) == [
        1.0, 1.0, 1.0, 0.0, 0.0,
    ]  # fmt: skip


def test_a_script_of_two_answers_is_not_judged(tool: LibraryTool) -> None:
    script = "SELECT COUNT(*) FROM ships; SELECT AVG(tons) FROM ships"
    assert values(tool, script, ["SELECT COUNT(*) FROM ships", script, "SELECT 1"]) == [None, None, None]


def test_several_queries_at_once_must_all_be_right(tool: LibraryTool) -> None:
    gold = GOLDS[0]
    assert values(tool, gold, [f"{gold};\n{gold};", f"SELECT 7;\n{gold};", f"{gold}; SELECT COUNT(*) FROM ships"]) == [
        1.0, 0.0, 0.0,
    ]  # fmt: skip


def test_what_graders_decide_differently_gets_no_number(tool: LibraryTool) -> None:
    years = "SELECT strftime('%Y', built) FROM ships"
    assert values(tool, years, ["SELECT CAST(strftime('%Y', built) AS INTEGER) FROM ships"]) == [None]
    assert values(tool, "SELECT flag, tons FROM ships", ["SELECT tons AS t, flag AS f FROM ships"]) == [None]
    # The heaviest ship: by its weight, or the first of all by weight. Only a tie tells them apart.
    assert values(
        tool,
        "SELECT name FROM ships ORDER BY tons DESC LIMIT 1",
        ["SELECT name FROM ships WHERE tons = (SELECT MAX(tons) FROM ships)"],
    )[0] in (1.0, None)


def test_every_query_runs_on_one_day(tool: LibraryTool) -> None:
    gold = "SELECT COUNT(*) FROM calls WHERE day >= DATE('now', '-30 days')"
    assert values(
        tool,
        gold,
        [
            gold,
            "SELECT COUNT(*) FROM calls WHERE julianday('now', 'start of day') - julianday(day) <= 30",
            "SELECT COUNT(*) FROM calls WHERE day >= DATE('now', '-90 days')",
            "SELECT COUNT(*) FROM calls",
        ],
    ) == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("gold", "same"),
    [
        ("SELECT name FROM ships ORDER BY tons LIMIT 3", "SELECT TOP 3 name FROM ships ORDER BY tons"),
        ("SELECT COUNT(*) FROM ships WHERE strftime('%Y', built) = '2009'", "SELECT COUNT(*) FROM ships WHERE YEAR(built) = 2009"),
        ("SELECT COUNT(*) FROM ships WHERE strftime('%Y', built) = '2009'", "SELECT COUNT(*) FROM ships WHERE EXTRACT(YEAR FROM built) = 2009"),
        ("SELECT port FROM calls WHERE fee > 50 UNION SELECT flag FROM ships", "(SELECT port FROM calls WHERE fee > 50) UNION (SELECT flag FROM ships)"),
        ("SELECT name FROM captains WHERE born != 1970", "SELECT name FROM captains WHERE born ! = 1970"),
    ],
)  # fmt: skip
def test_other_dialects_are_understood(tool: LibraryTool, gold: str, same: str) -> None:
    assert values(tool, gold, [gold, f"```sql\n{same};\n```"]) == [1.0, 1.0]


def test_one_harmful_query_does_not_touch_the_others_of_its_row(tool: LibraryTool) -> None:
    gold = GOLDS[0]
    bomb = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c"
    greedy = "SELECT printf('%.*c', 900000000, 'x') FROM ships, ships, ships"
    assert values(tool, gold, [gold, bomb, greedy, gold, "ATTACH DATABASE 'x' AS y"]) == [1.0, 0.0, 0.0, 1.0, 0.0]
