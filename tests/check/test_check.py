"""`rlar check` finds what is wrong with a function that somebody has, passes what is right, and says it in a card."""

from __future__ import annotations

import json
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from rlar.agent.build import build_tools
from rlar.check import Card, check_reward
from rlar.check.card import Fooled, junit, lines_of, markdown, page
from rlar.check.check import Settings
from rlar.check.endings import ended
from rlar.check.registry import admit
from rlar.cli import app
from rlar.config import BuildConfig
from rlar.errors import ToolError
from rlar.registry.registry import Registry
from rlar.tool import Resources
from rlar.tools.load import load_tool
from rlar.tools.own import ALLOW_VARIABLE
from rlar.types import Calibration, Sample
from tests.fakes.planted import Catalogue
from tests.fakes.probing_tasks import number_task, short_text_task, translation_task

FAKES = Path(__file__).resolve().parents[1] / "fakes"
TASKS = {"number": number_task(16), "short_text": short_text_task(), "translation": translation_task()}


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_VARIABLE, "")


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, Path]:
    files = {}
    for kind, task in TASKS.items():
        files[kind] = tmp_path / f"{kind}.jsonl"
        lines = [{"prompt": row.text, "solution": row.reference, **row.columns} for row in task.examples]
        files[kind].write_text("".join(json.dumps(line) + "\n" for line in lines))
    return files


UNSEEN = ("slow", "hanging", "number_with_status_failed", "out_of_range", "wrong_type", "hoarding")
"""Faults that are none of a function's (a float is its score, any scale will do), take minutes, or need --memory-mb."""


def planted(name: str, shape: str) -> str:
    return f"{FAKES / 'own_planted.py'}:{shape}__{name}"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("format_only", "verl"),
        ("wrong_length", "trl"),
        *[
            pytest.param(name, shape, marks=pytest.mark.slow)
            for name, case in Catalogue.BAD.items()
            if case.kind in TASKS and name not in UNSEEN
            for shape in ("trl", "verl")
            # A call of verl's is one completion's: what needs a batch cannot show. The probes and checks are the same.
            if shape == "trl"
            or name in ("sprayable", "inverted", "nan", "reference_echo", "substring_match", "best_line")
        ],
    ],
)
def test_every_planted_fault_is_found_by_the_check_that_is_meant_for_it(rows: dict[str, Path], name: str, shape: str):
    case = Catalogue.BAD[name]
    card, _ = check_reward(planted(name, shape), [rows[case.kind]], Settings(shape=shape))  # type: ignore[arg-type]
    task = card.tasks[0]
    assert not card.is_admitted
    failing = {check for _, check in card.failing()}
    assert case.caught_by in failing or name == "wrong_length", task.reasons


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("exact", "number", "trl"),
        pytest.param("exact", "number", "verl", marks=pytest.mark.slow),
        pytest.param("exact", "short_text", "trl", marks=pytest.mark.slow),
        pytest.param("overlap", "translation", "trl", marks=pytest.mark.slow),
    ],
)
def test_honest_functions_pass(rows: dict[str, Path], name: str, kind: str, shape: str):
    card, [(_, spec, certificate), *_] = check_reward(planted(name, shape), [rows[kind]], Settings())
    assert card.tasks[0].admitted, card.tasks[0].reasons
    assert certificate.admitted and certificate.tool_id == spec.id
    assert not card.tasks[0].lets_through and not card.problem


def test_a_function_that_pays_for_one_format_alone_is_tried_with_that_format(rows: dict[str, Path]):
    card, _ = check_reward(f"{FAKES / 'own_rewards.py'}:boxed_only", [rows["number"]], Settings())
    [task] = card.tasks
    assert task.ending == "\\boxed{{{}}}"
    assert task.admitted, task.reasons


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("6", "6\n\n#### 6"),
        ("The answer is **6**.", "The answer is **6**.\n\n#### 6"),
        ("It is 5.\nThe answer is 6 or 0.", "It is 5.\nThe answer is 6 or 0.\n\n#### 6 or 0"),
        ("<think>6</think>The answer is not 6.", "<think>6</think>The answer is not 6.\n\n#### not 6"),
        ("so\n#### 6", "so\n#### 6"),
        ("<think>6", "<think>6"),
        ("", ""),
    ],
)
def test_what_is_said_last_goes_into_the_ending_unless_nothing_is_said(text: str, becomes: str):
    assert ended(text, "#### {}") == becomes


@pytest.mark.slow
def test_an_admitted_function_is_served_with_its_file_and_only_where_that_is_allowed(
    rows: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    registry = str(tmp_path / "registry.db")
    build_tools(BuildConfig(dataset=(str(rows["number"]),), registry=registry, report=None))
    lines = admit(planted("exact", "trl"), [rows["number"]], Settings(), registry)
    assert "trl__exact-" in lines[0] and "admitted" in lines[0], lines
    refused = admit(planted("sprayable", "trl"), [rows["number"]], Settings(), registry)
    assert "not admitted" in refused[0]
    with Registry.open(registry, readonly=True) as opened:
        [spec] = [tool for tool in opened.tools() if tool.kind == "own"]
    sample = Sample(prompt="?", completion="6", reference="6", references=("6",))
    with Resources() as resources:
        assert load_tool(spec, resources).score([sample])[0].value == 1.0
        monkeypatch.setenv(ALLOW_VARIABLE, "")
        with pytest.raises(ToolError, match="runs outside any sandbox"):
            load_tool(spec, resources)


@pytest.mark.slow
def test_the_search_runs_against_what_a_registry_serves(rows: dict[str, Path], tmp_path: Path):
    registry = str(tmp_path / "registry.db")
    build_tools(BuildConfig(dataset=(str(rows["number"]),), registry=registry, report=None))
    result = CliRunner().invoke(app, ["check", "--registry", registry, "--search", "100"])
    assert result.exit_code == 0, result.output
    assert "(100 calls)" in result.output


@pytest.mark.slow
def test_a_registry_that_gives_no_reward_here_is_not_said_to_hold(
    rows: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    registry = str(tmp_path / "registry.db")
    build_tools(BuildConfig(dataset=(str(rows["number"]),), registry=registry, report=None))
    file = FAKES.parents[1] / "examples" / "check" / "my_rewards.py"
    lines = admit(f"{file}:final_answer_reward", [rows["number"]], Settings(), registry)
    assert " admitted, " in lines[0], lines
    assert lines[-1] == f"where it is to score: export {ALLOW_VARIABLE}={file}"
    with Registry.open(registry) as opened:  # which of two equals the recipe keeps hangs on their speed
        [own] = [tool.id for tool in opened.tools() if tool.kind == "own"]
        [recipe] = opened.recipes()
        served = {"gates": (), "qualities": ((own, 1.0),), "calibrations": {own: Calibration()}}
        opened.put_recipe(recipe.model_copy(update=served))
    monkeypatch.setenv(ALLOW_VARIABLE, "")
    result = CliRunner().invoke(app, ["check", "--registry", registry, "--search", "40"])
    assert result.exit_code == 1, result.output
    assert "not searched: none of 40 calls got a reward" in result.output


def test_a_reward_of_minus_one_to_one_is_measured_on_its_own_scale(rows: dict[str, Path]):
    card, _ = check_reward(f"{FAKES / 'own_rewards.py'}:minus_one_to_one", [rows["number"]], Settings())
    assert card.tasks[0].scale == (-1.0, 1.0)
    assert card.shape == "verl"


@pytest.mark.slow
def test_what_fools_it_is_shown_shrunk_and_more_is_searched(rows: dict[str, Path]):
    settings = Settings(shrink=True, search=200)
    card, _ = check_reward(planted("sprayable", "trl"), [rows["number"]], settings)
    [task] = card.tasks
    assert task.searched == 200
    assert any(entry.check == "search" for entry in task.lets_through)
    shortest = min(task.lets_through, key=lambda entry: len(entry.completion))
    assert len(shortest.completion) < 12 and str(shortest.reference) in shortest.completion
    assert len({entry.kind for entry in task.lets_through[:3]}) == 3
    again, _ = check_reward(planted("sprayable", "trl"), [rows["number"]], settings)
    assert again.tasks[0].lets_through == task.lets_through


@pytest.mark.slow
def test_the_command_exits_1_for_what_got_worse_alone_and_writes_the_card(rows: dict[str, Path], tmp_path: Path):
    run = CliRunner().invoke
    arguments = ["check", planted("sprayable", "trl"), "--dataset", str(rows["number"])]
    first = run(app, [*arguments, "--output", str(tmp_path / "card")])
    assert first.exit_code == 1, first.output
    assert "REJECTED" in first.output and "hack_panel" in first.output
    names = sorted(path.name for path in (tmp_path / "card").iterdir())
    assert names == ["card.html", "card.json", "card.md", "junit.xml"]
    second = run(app, [*arguments, "--baseline", str(tmp_path / "card" / "card.json"), "--json"])
    assert second.exit_code == 0, second.output
    third = run(app, [*arguments, "--fail-on", "latency"])
    assert third.exit_code == 0, third.output


def test_a_row_that_cannot_be_used_is_named_in_the_card(rows: dict[str, Path]):
    lines = rows["number"].read_text().splitlines()
    rows["number"].write_text("\n".join([*lines[:3], '{"solution": "1"}', *lines[3:]]) + "\n")
    card, _ = check_reward(f"{FAKES / 'own_rewards.py'}:no_shape", [rows["number"]], Settings())
    assert card.rows == 16
    assert [line for line in card.remarks if "1 rows cannot be used" in line and "number.jsonl:4" in line], card.remarks


@pytest.mark.slow
def test_the_baseline_of_another_function_is_refused(rows: dict[str, Path], tmp_path: Path):
    function = f"{FAKES / 'own_rewards.py'}:last_words"
    arguments = ["check", function, "--dataset", str(rows["number"]), "--output", str(tmp_path)]
    CliRunner().invoke(app, arguments)
    other = ["check", f"{FAKES / 'own_rewards.py'}:plain", *arguments[2:4], "--baseline", str(tmp_path / "card.json")]
    result = CliRunner().invoke(app, other)
    assert result.exit_code == 2 and "a card of own_rewards.py:last_words" in result.output


def test_a_function_that_cannot_be_called_is_a_card_with_a_problem(rows: dict[str, Path]):
    card, evidence = check_reward(f"{FAKES / 'own_rewards.py'}:no_shape", [rows["number"]], Settings())
    assert "none of the known shapes" in card.problem and not evidence
    assert card.failing() == {("", "problem")}
    assert ElementTree.fromstring(junit(card)).get("failures") == "1"


def test_a_column_that_no_row_has_is_said_before_anything_is_tried(rows: dict[str, Path]):
    card, _ = check_reward(f"{FAKES / 'own_rewards.py'}:needs_a_column", [rows["number"]], Settings())
    assert card.problem == "it needs level, and no row has a column of that name; the rows have prompt, solution"


@pytest.mark.slow
def test_a_function_that_never_comes_back_is_rejected_soon_and_the_card_says_why(rows: dict[str, Path], tmp_path: Path):
    (tmp_path / "mine.py").write_text("import time\ndef reward(response):\n    time.sleep(1e6)\n")
    started = time.monotonic()
    card, _ = check_reward(f"{tmp_path / 'mine.py'}:reward", [rows["number"]], Settings(seconds=0.5, limit=5))
    assert time.monotonic() - started < 60.0
    assert not card.is_admitted and "hangs: did not come back" in card.tasks[0].breaks[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "names no function"),
        (["nowhere.py:f"], "no file nowhere.py"),
        ([f"{FAKES / 'own_rewards.py'}:plain", "--shape", "odd"], "--shape odd"),
        ([f"{FAKES / 'own_rewards.py'}:plain", "--range", "1"], "--range 1: expected two numbers"),
        ([f"{FAKES / 'own_rewards.py'}:plain", "--range", "1,0"], "LOW is not below HIGH"),
        ([f"{FAKES / 'own_rewards.py'}:plain", "--role", "guard"], "--role guard"),
        ([f"{FAKES / 'own_rewards.py'}:plain", "--fail-on", "hackpanel"], "--fail-on hackpanel: expected one of"),
        ([], "name a function"),
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_exit_status_2(rows: dict[str, Path], arguments: list[str], says: str):
    result = CliRunner().invoke(app, ["check", *arguments, "--dataset", str(rows["number"])])
    assert result.exit_code == 2
    assert says in result.output


def test_whatever_a_completion_holds_the_card_shows_it_as_text():
    nasty = "<script>alert(1)</script>|`x`\n](http://evil)\x1b[31m\ud800"
    entry = Fooled(check="floor", kind="floor: echo", completion=nasty, score=1.0)
    card = Card.model_validate(
        {
            "function": "f.py:f", "shape": "trl", "code": "c", "rlar": "0", "seed": 0, "rows": 1,
            "tasks": [{"fingerprint": "f1", "label": nasty, "rows": 1, "role": "verifier", "admitted": False,
                       "checks": [{"name": "floor", "passed": False, "mandatory": True, "note": nasty}],
                       "lets_through": [entry.model_dump()]}],
        }
    )  # fmt: skip
    assert "\x1b" not in page(card)
    assert "<script>" not in page(card) and "<script>" not in markdown(card)
    assert "](http" not in markdown(card).replace("\\]", "") and "\x1b" not in markdown(card)
    assert ElementTree.fromstring(junit(card)).get("failures") == "1"
    assert any("alert" in line for line in lines_of(card))
