"""A recipe with an answer format: asked for in the prompt, read strictly, worth nothing where it is missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.integrations.export import export_data
from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.lock_file import make_lock
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.server.app import create_app
from rlar.server.settings import ServeSettings
from rlar.tools.library import library_spec
from rlar.trainer.data import load_rows
from rlar.types import AnswerKind, Certificate, Contract, Example, Recipe, TaskSpec
from tests.fakes.scored_rows import TASK, row

ROW = row("How many eggs are in a dozen?", "12")
ASKED = "How many eggs are in a dozen?\n\nPut your final answer within \\boxed{}."
NUMBER, GUARD = library_spec("number"), library_spec("guards")


def write_registry(path: Path, answer_format: str | None = "boxed") -> Path:
    contract = Contract(answer_kind=AnswerKind.NUMBER, has_reference=True)
    recipe = Recipe.model_validate(
        {"fingerprint": TASK, "gates": (GUARD.id,), "qualities": ((NUMBER.id, 1.0),), "answer_format": answer_format}
    )
    certificates = [
        Certificate(tool_id=tool.id, fingerprint=TASK, admitted=True, role=role, checks=())
        for tool, role in ((NUMBER, "verifier"), (GUARD, "guard"))
    ]  # type: ignore[arg-type]
    with Registry.open(path, create=True) as registry:
        registry.put_outcome(
            TaskSpec(fingerprint=TASK, label="numbers", contract=contract),
            tools=[NUMBER, GUARD],
            certificates=certificates,
            recipe=recipe,
        )
        registry.put_rows([RowRecord(ROW.key, ROW.prompt_key, TASK, 0.9, {})])
    return path


@pytest.fixture
def scorer(tmp_path: Path) -> Iterator[Scorer]:
    with Scorer(write_registry(tmp_path / "registry.db"), workers=0) as scorer:
        yield scorer


def rewards_of(scorer: Scorer, *completions: str, example: Example = ROW) -> list[float | None]:
    samples = [RoutedSample(example=example, completion=completion) for completion in completions]
    return [reward.reward for reward in scorer.score(samples)]


def test_the_prompt_asks_for_the_format_once(scorer: Scorer):
    (asked,) = scorer.formatted([ROW])
    assert asked.prompt[-1].content == ASKED
    assert scorer.formatted([asked]) == [asked]


def test_an_answer_outside_its_format_is_worth_nothing_and_says_so(scorer: Scorer):
    assert rewards_of(scorer, r"It is \boxed{12}.", "12", r"\boxed{12} or \boxed{13}", r"\boxed{13}") == [
        1.0,
        0.0,
        0.0,
        0.0,
    ]
    (reward,) = scorer.score([RoutedSample(example=ROW, completion="12")])
    (score,) = [score for score in reward.scores if score.tool == NUMBER.id]
    assert score.explanation == "no answer in the format boxed" and score.details == {"answer_format": "missed"}


def test_both_spellings_of_a_row_are_the_same_row(scorer: Scorer):
    (asked,) = scorer.formatted([ROW])
    assert [one.reason for one in scorer.assign([asked, ROW])] == ["stored for this row"] * 2
    assert rewards_of(scorer, r"\boxed{12}", "12", example=asked) == [1.0, 0.0]


def test_guards_see_the_whole_completion(scorer: Scorer):
    looping = "so it is so it is " * 400 + r"\boxed{12}"
    (whole,) = scorer.score([RoutedSample(example=ROW, completion=looping)])
    seen = {score.tool: score.value for score in whole.scores}
    assert seen[GUARD.id] == 0.0 and seen[NUMBER.id] == 1.0 and whole.reward == 0.0


def test_a_recipe_without_a_format_is_stored_as_it_always_was(tmp_path: Path):
    assert "answer_format" not in Recipe(fingerprint=TASK).model_dump(mode="json")
    kept = Recipe(fingerprint=TASK, answer_format="bare")
    assert Recipe.model_validate_json(kept.model_dump_json()) == kept
    with Scorer(write_registry(tmp_path / "kept.db", None), workers=0) as scorer:
        assert scorer.formatted([ROW]) == [ROW] and rewards_of(scorer, "12") == [1.0]


def test_a_lock_file_pins_the_format(tmp_path: Path):
    path = write_registry(tmp_path / "registry.db")
    with Registry.open(path, readonly=True) as registry:
        lock = make_lock(registry)
    with Registry.open(path) as registry:
        registry.put_recipe(Recipe(fingerprint=TASK, qualities=((NUMBER.id, 1.0),)))
    with Scorer(path, workers=0) as today, Scorer(path, lock=lock, workers=0) as pinned:
        assert rewards_of(today, "12") == [1.0] and rewards_of(pinned, "12") == [0.0]


def test_training_and_export_ask_for_it_and_keep_the_row(scorer: Scorer, tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": ROW.text, "reference": "12"}) + "\n")
    encoded: list[str] = []

    def encode(example: Example) -> list[int]:
        encoded.append(example.text)
        return [1]

    data = load_rows([str(rows)], scorer, encode, held_out=0, max_prompt_tokens=9, seed=0, strict=True)
    assert encoded == [ASKED] and data.train[0].example.text == ROW.text
    export_data(str(tmp_path / "registry.db"), [rows], tmp_path / "out.jsonl", to="trl")
    written = json.loads((tmp_path / "out.jsonl").read_text())
    assert written["prompt"][-1]["content"] == ASKED
    assert written["rlar_row_key"] == ROW.key


def test_the_server_says_what_to_ask(scorer: Scorer):
    testclient = pytest.importorskip("starlette.testclient")
    web = testclient.TestClient(create_app(ServeSettings(), scorer=scorer), base_url="http://127.0.0.1:8000")
    body = {"rows": [{"prompt": ROW.text, "reference": "12"}, {"prompt": "", "reference": "1"}, {"prompt": "Hm?"}]}
    first, empty, stranger = web.post("/prompts", json=body).json()["prompts"]
    assert first == {"messages": [{"role": "user", "content": ASKED}], "error": None}
    assert empty["messages"] == [] and "rows[1]" in empty["error"]
    assert stranger["messages"] == [{"role": "user", "content": "Hm?"}]
