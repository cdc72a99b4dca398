"""Demands that the parser cannot read, put to an LLM: only what can be tried is believed."""

from __future__ import annotations

import pytest

from rlar.agent.read_clauses import ClauseReading, UnreadClauses, checked
from rlar.llm.chat import OpenAIChat, parse_endpoint
from rlar.llm.ledger import Llm
from rlar.registry.registry import RowRecord
from rlar.testing.openai_server import Reply, ScriptedOpenAI

CLAUSE = "Do not go beyond a baker's dozen of words."


def unread(clause: str) -> dict:
    return {"kind": "unsupported", "params": {"about": "x"}, "quote": clause, "strength": "hard", "confidence": 0.4}


def row(key: str, *constraints: dict) -> RowRecord:
    return RowRecord(key * 32, key * 32, "f1-abc", 0.9, {"constraints": list(constraints)})


@pytest.mark.parametrize(
    ("kind", "params", "problem"),
    [
        ("count", '{"unit": "word", "max": 13}', ""),
        ("count", '{"unit": "word", "max": "many"}', "cannot be checked"),
        ("count", '{"unit": "wish", "max": 3}', "could be made"),
        ("count", "[13]", "no object"),
        ("count", "thirteen", "no JSON"),
        ("count", "{}", "could be made"),
        ("unsupported", "{}", "no such kind"),
        ("__import__('os').system('id')", "{}", "no such kind"),
    ],
)
def test_a_reading_counts_only_if_it_can_be_met_and_broken(kind: str, params: str, problem: str):
    constraint, why = checked(CLAUSE, ClauseReading(number=1, kind=kind, params=params))
    assert (constraint is not None) == (problem == "")
    assert problem in why or "could be made" in why or "cannot be checked" in why


def test_equal_clauses_are_asked_once_and_rows_keep_what_was_read():
    readings = {"readings": [{"number": 1, "kind": "count", "params": '{"unit": "word", "max": 13}'}]}
    collected = UnreadClauses()
    read = {"kind": "case", "params": {"case": "lower"}, "quote": "", "strength": "hard", "confidence": 0.9}
    for key in "abcdef":
        collected.notice(row(key, read, unread(CLAUSE)))
    collected.notice(row("0", read))
    with ScriptedOpenAI() as server:
        server.script(Reply(json=readings))
        llm = Llm(OpenAIChat(parse_endpoint(server.endpoint), retries=0))
        changed, told = collected.read(llm)
        assert len(server.requests) == 1
    assert [each.row_key[0] for each in changed] == list("abcdef")
    kinds = [item["kind"] for item in changed[0].binding["constraints"]]
    assert kinds == ["case", "count"] and changed[0].binding["read_by"].endswith("#scripted")
    assert (told["unread"], told["read"], told["rows"]) == (1, 1, 6)


def test_a_row_with_one_demand_still_unread_stays_as_it_was():
    readings = {"readings": [{"number": 1, "kind": "count", "params": '{"unit": "word", "max": 13}'}]}
    collected = UnreadClauses()
    collected.notice(row("a", unread(CLAUSE), unread("Please write like a river.")))
    with ScriptedOpenAI() as server:
        server.script(Reply(json=readings))
        changed, told = collected.read(Llm(OpenAIChat(parse_endpoint(server.endpoint), retries=0)))
    assert changed == [] and told["rows"] == 0


def test_nothing_unread_asks_nothing():
    with ScriptedOpenAI() as server:
        collected = UnreadClauses()
        changed, told = collected.read(Llm(OpenAIChat(parse_endpoint(server.endpoint), retries=0)))
        assert (changed, told["unread"], server.requests) == ([], 0, [])
