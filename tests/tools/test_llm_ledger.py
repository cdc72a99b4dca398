"""The ledger of LLM calls and the details of tasks in the registry, and registries from before they were there."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.errors import RegistryError
from rlar.registry import migrations
from rlar.registry.registry import LlmCall, Registry
from rlar.types import AnswerKind, Contract, Example, Message, TaskSpec, Witness

FINGERPRINT = "f1-0123456789ab"


def call(key: str = "k1", **changes: object) -> LlmCall:
    made = LlmCall(
        key=key,
        fingerprint=FINGERPRINT,
        node="generate",
        prompt_name="write_verifier",
        prompt_hash="0123456789ab",
        model="http://host/v1#m",
        request={"messages": [{"role": "user", "content": "lone \ud800, NUL \x00"}], "temperature": 0.0},
        answer='{"code": "é"}',
        input_tokens=12,
        output_tokens=5,
        cost=0.25,
        created_at="2026-01-01T00:00:00.000+00:00",
    )
    return made.model_copy(update=changes)


def task(**changes: object) -> TaskSpec:
    row = Example(id="1", prompt=(Message(role="user", content="Reach 24 with 4 6."),))
    contract = Contract(answer_kind=AnswerKind.RULE, has_reference=False, wordings=("reach …",))
    made = TaskSpec(fingerprint=FINGERPRINT, label="reach", contract=contract, rows=1, examples=(row,))
    return made.model_copy(update=changes)


WITNESS = Witness(row_key="0" * 32, right=("4*6",), wrong=("4+6", "\ud800"), by="http://host/v1#m/propose@0123456789ab")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture
def registry(path: Path) -> Iterator[Registry]:
    with Registry.open(path, create=True) as opened:
        yield opened


def test_a_call_comes_back_as_it_went_in(registry: Registry):
    registry.put_llm_call(call())
    registry.put_llm_call(call("k2", fingerprint="", cost=None, created_at="2026-01-02"))
    assert registry.llm_answer("k1") == call()
    assert registry.llm_answer("k3") is None
    assert [found.key for found in registry.llm_calls()] == ["k1", "k2"]
    assert [found.key for found in registry.llm_calls(FINGERPRINT)] == ["k1"]
    assert registry.llm_calls("")[0].cost is None


def test_a_call_put_again_is_replaced(registry: Registry):
    registry.put_llm_call(call())
    registry.put_llm_call(call(answer="{}", created_at=""))
    (found,) = registry.llm_calls()
    assert found.answer == "{}"
    assert found.created_at.startswith("20")


def test_the_ledger_is_no_content_and_no_news_to_readers(registry: Registry):
    registry.put_task(task())
    digest, version = registry.content_digest(), registry.data_version()
    registry.put_llm_call(call())
    assert (registry.content_digest(), registry.data_version()) == (digest, version)


def test_many_threads_may_store_calls(registry: Registry):
    threads = [threading.Thread(target=registry.put_llm_call, args=(call(f"k{number}"),)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.llm_calls()) == 16


def test_criteria_and_witnesses_are_kept_and_count_as_content(registry: Registry):
    registry.put_task(task())
    plain = registry.content_digest()
    full = task(criteria=("uses each number once", "é\ud800"), witnesses=(WITNESS,))
    registry.put_task(full)
    assert registry.task(FINGERPRINT) == full
    assert registry.tasks(with_examples=False) == [full.model_copy(update={"examples": ()})]
    assert registry.snapshot().tasks[FINGERPRINT].criteria == full.criteria
    assert registry.content_digest() != plain
    registry.put_task(task())
    assert registry.task(FINGERPRINT) == task()
    assert registry.content_digest() == plain


def test_damaged_details_are_an_error_and_not_an_empty_task(path: Path):
    with Registry.open(path, create=True) as opened:
        opened.put_task(task())
    for damaged in ("{", '{"criteria": 3}', '{"unknown": 1}'):
        with sqlite3.connect(path) as raw:
            raw.execute("UPDATE rlar_tasks SET details = ?", [damaged])
        raw.close()
        with (
            Registry.open(path, readonly=True) as reader,
            pytest.raises(RegistryError, match="stored TaskDetails cannot be read"),
        ):
            reader.tasks()


# ------------------------------------------------------------------------------------------ registries of the first release


@pytest.fixture
def first_release(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry made by the script 0001 alone, with a task in it."""
    scripts = tmp_path / "scripts"
    shutil.copytree(migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    for script in (scripts / "versions").glob("0*.py"):
        if not script.name.startswith("0001"):
            script.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "SCRIPTS", scripts)
        Registry.open(path, create=True).close()
    made = task()
    with sqlite3.connect(path) as raw:
        raw.execute(
            "INSERT INTO rlar_tasks (fingerprint, label, contract, rows, description, created_at, updated_at) "
            "VALUES (?, ?, ?, 1, '', 'then', 'then')",
            [FINGERPRINT, made.label, json.dumps(made.contract.model_dump(mode="json"))],
        )
        body = json.dumps(made.examples[0].model_dump(mode="json"))
        raw.execute("INSERT INTO rlar_task_examples VALUES (?, 0, ?)", [FINGERPRINT, body])
        assert raw.execute("SELECT version_num FROM rlar_alembic_version").fetchone() == ("0001",)
    raw.close()
    return path


def test_a_registry_of_the_first_release_is_brought_forward_with_its_tasks(first_release: Path):
    with pytest.raises(RegistryError, match=r"schema 1, older than this rlar's \d+: open it once for writing"):
        Registry.open(first_release, readonly=True)
    with Registry.open(first_release) as opened:
        assert opened.tasks() == [task()]
        assert opened.llm_calls() == []
        opened.put_llm_call(call())
        opened.put_task(task(criteria=("c",)))
    with Registry.open(first_release, readonly=True) as reader:
        assert reader.task(FINGERPRINT) == task(criteria=("c",))
        assert reader.llm_answer("k1") == call()
        reader.check()


def test_a_forward_step_that_fails_leaves_the_old_registry_whole(first_release: Path):
    with sqlite3.connect(first_release) as raw:
        # In the way of the new table, so that the script fails after it has begun.
        raw.execute("ALTER TABLE rlar_tasks ADD COLUMN details TEXT")
    raw.close()
    with pytest.raises(RegistryError, match="details"):
        Registry.open(first_release)
    with sqlite3.connect(first_release) as raw:
        assert raw.execute("SELECT version_num FROM rlar_alembic_version").fetchone() == ("0001",)
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert raw.execute("SELECT COUNT(*) FROM rlar_tasks").fetchone() == (1,)
    raw.close()
    assert "rlar_llm_calls" not in tables
