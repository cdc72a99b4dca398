"""search, python and sql: what they answer, what a completion cannot break, and what means that they broke."""

from __future__ import annotations

import json
import math
from pathlib import Path

import httpx
import pytest

from rlar.errors import ConfigError, InputError
from rlar.tool import Resources
from rlar.trainer.config import EnvironmentConfig
from rlar.trainer.environments import environment_maker
from rlar.trainer.environments.python import Python
from rlar.trainer.environments.search import Index, Search
from rlar.trainer.environments.sql import Sql
from rlar.trainer.environments.tools import write_call
from rlar.types import Example, Message
from tests.fakes.environments import step_of
from tests.fakes.model_server import Answer, ModelServer

DOCUMENTS = (
    "Ostra is the capital of Vell.",
    "Vell has two rivers, the Ime and the Oru.",
    "The Ime is long. The Ime is old.",
)


@pytest.fixture(scope="module")
def shared():
    with Resources() as resources:
        yield resources


def said(environment, name, **arguments):
    return step_of(environment, write_call(name, **arguments)).messages[0].content


# ------------------------------------------------------------------------------------------ search


def corpus(tmp_path: Path, *rows) -> str:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def test_scores_are_bm25s():
    index = Index(["a b", "a a c d"])
    # of "c" in the second: idf = ln(1 + (2 - 1 + .5) / (1 + .5)) = ln 2; length 4 of mean 3: 1.2 (.25 + .75 * 4/3) = 1.5
    weight = index.weights[1, index.words.vocabulary_["c"]]
    assert weight == pytest.approx(math.log(2) * 1 * 2.2 / (1 + 1.5))
    # of "a" in both: idf = ln(1 + .5 / 2.5) = ln 1.2 each; 2 of 4 words against 1 of 2: 2 * 2.2 / 3.5 and 2.2 / 1.9
    assert index.weights[1, index.words.vocabulary_["a"]] == pytest.approx(math.log(1.2) * 2 * 2.2 / 3.5)
    assert index.weights[0, index.words.vocabulary_["a"]] == pytest.approx(math.log(1.2) * 2.2 / (1 + 0.9))


def test_documents_come_best_first_and_only_with_a_word_of_the_query(tmp_path: Path, shared):
    path = corpus(tmp_path, *({"text": text} for text in DOCUMENTS[:2]), {"contents": DOCUMENTS[2], "title": "Rivers"})
    environment = Search(shared, corpus=path, top=2)
    assert said(environment, "search", query="Which IME?") == f"[1] Rivers\n{DOCUMENTS[2]}\n[2] {DOCUMENTS[1]}"
    assert said(environment, "search", query="unheard of words") == f"[1] {DOCUMENTS[0]}"  # "of"
    assert said(environment, "search", query="zzz") == "nothing was found"
    assert Search(shared, corpus=path).index is environment.index  # read once for all episodes


@pytest.mark.parametrize("query", ["", "   ", "x" * 501, "\x00", "'; DROP", "((("])
def test_no_query_breaks_the_search(tmp_path: Path, shared, query):
    environment = Search(shared, corpus=corpus(tmp_path, {"text": "one document"}))
    assert said(environment, "search", query=query).startswith(("error: a query has 1 to 500", "nothing was found"))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "one of them"),
        ({"corpus": "x", "url": "y"}, "one of them"),
        ({"corpus": "nowhere.jsonl"}, "nowhere.jsonl"),
    ],
)
def test_a_search_without_documents_is_refused_at_the_start(shared, settings, problem):
    config = EnvironmentConfig.model_validate({"name": "search", **settings})
    with pytest.raises(InputError, match=problem):
        environment_maker(config, shared)


def test_a_corpus_that_is_none_names_the_line(tmp_path: Path, shared):
    config = EnvironmentConfig.model_validate(
        {"name": "search", "corpus": corpus(tmp_path, {"text": "a"}, {"body": "b"})}
    )
    with pytest.raises(ConfigError, match=r"corpus\.jsonl:2: a document needs `text`"):
        environment_maker(config, shared)


def test_a_server_of_search_r1s_shape_is_asked(shared):
    def handler(path, body, headers):
        assert body == {"queries": ["Ime"], "topk": 2, "return_scores": True}
        found = [{"document": {"id": str(n), "contents": text}, "score": 1.0} for n, text in enumerate(DOCUMENTS)]
        return Answer({"result": [found]})

    with ModelServer(handler) as server:
        environment = Search(shared, url=f"{server.url}/retrieve", top=2)
        assert said(environment, "search", query="Ime") == f"[1] {DOCUMENTS[0]}\n[2] {DOCUMENTS[1]}"


@pytest.mark.parametrize(
    "answer", [Answer({}, status=500), Answer(text="<html>"), Answer({"result": []}), Answer({"result": [[{"a": 1}]]}), Answer(drop=True)],
    ids=["500", "html", "empty", "shape", "dropped"],
)  # fmt: skip
def test_a_server_that_fails_breaks_the_episode_and_is_no_answer(shared, answer):
    with (
        ModelServer(lambda path, body, headers: answer) as server,
        pytest.raises((RuntimeError, ValueError, LookupError, httpx.HTTPError)),
    ):
        said(Search(shared, url=server.url), "search", query="Ime")


# ------------------------------------------------------------------------------------------ python


def test_a_program_is_run_and_what_it_prints_is_answered(shared):
    environment = Python(shared, seconds=5)
    assert said(environment, "python", code="print(6 * 7)") == "42\n"
    assert said(environment, "python", code="x = 1") == "(the program printed nothing)"
    assert said(environment, "python", code="print(x)").startswith("error: ")  # nothing is kept


@pytest.mark.parametrize(
    "code", ["1/0", "(", "import os; os._exit(3)", "while True: pass", "x = 'a' * 10**10", "import socket; socket.create_connection(('127.0.0.1', 1))", "\x00", "raise SystemExit(4)"],
    ids=["raises", "syntax", "exits", "endless", "memory", "network", "nul", "status"],
)  # fmt: skip
def test_a_program_that_fails_is_told_so_and_breaks_nothing(shared, code):
    assert "error: " in said(Python(shared, seconds=1.0), "python", code=f"print('before', flush=True)\n{code}")


# ------------------------------------------------------------------------------------------ sql

SCHEMA = "CREATE TABLE pets (name TEXT, legs INTEGER); CREATE TABLE owners (pet TEXT, person TEXT)"


def sql_row(reference="SELECT name FROM pets WHERE legs = 31", inserts=""):
    text = f"{SCHEMA}; {inserts}\nWhich pets have 31 legs?"
    return Example(id="1", prompt=(Message(role="user", content=text),), reference=reference, references=(reference,))


def begun(shared, row=None, **settings):
    environment = Sql(shared, **settings)
    environment.reset(row or sql_row(), 0)
    return environment


def test_queries_run_on_the_rows_tables(shared):
    environment = begun(shared)
    answer = said(environment, "query", sql="SELECT COUNT(*) AS n, COUNT(DISTINCT name) FROM pets")
    assert answer.splitlines()[0].startswith("n | ") and answer.endswith("(1 rows)")
    assert int(answer.splitlines()[1].split(" | ")[0]) >= 2
    assert said(environment, "query", sql="SELECT person FROM owners").startswith("person\n")
    again = begun(shared)
    assert said(again, "query", sql="SELECT * FROM pets") == said(environment, "query", sql="SELECT * FROM pets")


def test_the_tables_are_not_made_of_the_reference(shared):
    one, other = (begun(shared, sql_row(f"SELECT name FROM pets WHERE legs = {legs}")) for legs in (31, 977))
    assert one.database == other.database
    assert "977" not in json.dumps(other.database)


@pytest.mark.parametrize(
    "sql", ["", "SELECT", "DROP TABLE pets", "INSERT INTO pets VALUES ('x', 1)", "SELECT load_extension('x')", "SELECT * FROM nothing", "x" * 10_001, "SELECT 1; SELECT 2", "PRAGMA table_info(pets)", "\x00",
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT COUNT(*) FROM t"],
    ids=range(11),
)  # fmt: skip
def test_a_query_that_fails_is_told_so_and_breaks_nothing(shared, sql):
    assert said(begun(shared), "query", sql=sql).startswith("error: ")


def test_long_results_are_cut_and_counted(shared):
    answer = said(begun(shared, rows=30, shown=3), "query", sql="SELECT * FROM pets")
    assert len(answer.splitlines()) == 5 and answer.endswith("rows, 3 shown)")


def test_a_row_without_tables_breaks_and_is_no_zero(shared):
    with pytest.raises(ValueError, match="describes no tables"):
        begun(shared, Example(id="1", prompt=(Message(role="user", content="2+2"),), reference="4"))
