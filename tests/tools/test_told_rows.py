"""Rows that come through a host: with another prompt, with none, or told which task they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.kinds import LIBRARY
from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.tools.library import library_spec
from rlar.types import AnswerKind, Certificate, Contract, Example, Message, Recipe, TaskSpec

TASK, OTHER = "f1-000000000001", "f1-000000000002"


def row(text: str, reference: str | None = None) -> Example:
    prompt = (Message(role="user", content=text),) if text else ()
    references = () if reference is None else (reference,)
    return Example(id="r", prompt=prompt, reference=reference, references=references)


STORED = row("say it", "it")


@pytest.fixture
def scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scorer]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    tool = library_spec("fake_inline")
    contract = Contract(answer_kind=AnswerKind.SHORT_TEXT, has_reference=True)
    with Registry.open(tmp_path / "registry.db", create=True) as registry:
        for fingerprint in (TASK, OTHER):
            registry.put_outcome(
                TaskSpec(fingerprint=fingerprint, label="a task", contract=contract),
                tools=[tool],
                certificates=[
                    Certificate(tool_id=tool.id, fingerprint=fingerprint, admitted=True, role="verifier", checks=())
                ],
                recipe=Recipe(fingerprint=fingerprint, qualities=((tool.id, 1.0),)),
            )
        registry.put_rows([RowRecord(STORED.key, STORED.prompt_key, TASK, 0.9, {"mark": 0.75})])
    with Scorer(tmp_path / "registry.db", workers=0) as made:
        yield made
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


def test_a_row_key_finds_the_stored_row_and_its_binding_though_the_prompt_was_changed(scorer: Scorer):
    changed = row("You are helpful.\n\nsay it", "it")
    lost, found = scorer.score(
        [
            RoutedSample(example=changed, completion="binding"),
            RoutedSample(example=changed, completion="binding", row_key=STORED.key),
        ]
    )
    assert (lost.reward, lost.status) == (None, "unknown")
    assert (found.reward, found.fingerprint) == (0.75, TASK)


def test_a_told_fingerprint_counts_where_the_row_is_not_stored_and_the_task_is_known(scorer: Scorer):
    new = row("never seen", "x")
    rewards = scorer.score(
        [
            RoutedSample(example=new, completion="ok 0.5", fingerprint=OTHER),
            RoutedSample(example=new, completion="ok 0.5", fingerprint="f1-ffffffffffff"),
            RoutedSample(example=STORED, completion="ok 0.5", fingerprint=OTHER),
        ]
    )
    assert [(reward.status, reward.fingerprint) for reward in rewards] == [
        ("ok", OTHER),
        ("unknown", None),
        ("ok", TASK),  # what is stored for the very row wins
    ]


def test_without_a_prompt_the_task_is_told_and_no_tool_gives_a_number(scorer: Scorer):
    bare = row("", "it")
    by_key, by_fingerprint, by_nothing = scorer.score(
        [
            RoutedSample(example=bare, completion="ok 1.0", row_key=STORED.key),
            RoutedSample(example=bare, completion="ok 1.0", fingerprint=OTHER),
            RoutedSample(example=bare, completion="ok 1.0"),
        ]
    )
    assert (by_key.reward, by_key.status, by_key.fingerprint) == (None, "abstain", TASK)
    assert "without its prompt" in by_key.scores[0].explanation
    assert (by_fingerprint.reward, by_fingerprint.status, by_fingerprint.fingerprint) == (None, "abstain", OTHER)
    assert (by_nothing.status, by_nothing.fingerprint) == ("unknown", None)


@pytest.mark.parametrize("key", ["", "zz", "0" * 31, "G" * 32, "0" * 32, "'; drop table rows"])
def test_a_row_key_that_is_none_changes_nothing(scorer: Scorer, key: str):
    found = scorer.score([RoutedSample(example=STORED, completion="ok 0.5", row_key=key)])[0]
    assert (found.reward, found.fingerprint) == (0.5, TASK)
