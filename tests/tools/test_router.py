"""The Scorer: from rows and completions to rewards, with tools that hang, crash and lie."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import rlar
from rlar.errors import RegistryError
from rlar.kinds import LIBRARY
from rlar.registry.registry import Registry, RowRecord
from rlar.scoring import runner as runs
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.tools.library import library_spec
from rlar.tools.load import TOOL_KINDS
from rlar.types import (
    Assignment,
    Calibration,
    Contract,
    Example,
    Reward,
    ToolKind,
)
from tests.fakes.scored_rows import (
    FAKES,
    OTHER,
    ROW,
    TASK,
    certificate,
    one_tool,
    row,
    said,
    scorer,
    statuses,
    store,
    task,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    yield
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


def environment() -> dict[str, str]:
    """The environment in which another interpreter finds the same packages."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(path or ".").absolute()) for path in sys.path)}


MISBEHAVIOUR = {
    "abstain": (None, "abstain"),
    "fail": (None, "failed"),
    "raise": (None, "failed"),
    "nan": (None, "failed"),
    "bool": (None, "failed"),
    "large": (None, "failed"),
    "number": (None, "failed"),
    "none": (None, "failed"),
    "lying-status": (None, "failed"),
    "memory": (None, "failed"),
}


@pytest.mark.parametrize("name", ["fake_inline", "fake_pool", "fake_thread"])
def test_a_bad_result_never_becomes_a_number_and_costs_only_its_own_sample(tmp_path: Path, name: str):
    with scorer(one_tool(tmp_path, name)) as router:
        completions = [word for bad in MISBEHAVIOUR for word in (bad, "ok 0.5 " + bad)]
        found = statuses(router.score(said(*completions)))
    expected = [pair for bad in MISBEHAVIOUR for pair in (MISBEHAVIOUR[bad], (0.5, "ok"))]
    assert found == expected


def test_a_hung_call_is_a_timeout_that_names_its_sample_and_blocks_no_other(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_pool")) as router:
        rewards = router.score(said("ok 0.1", "hang", "ok 0.2", "hang-in-c", "ok 0.3"))
    assert statuses(rewards) == [(0.1, "ok"), (None, "timeout"), (0.2, "ok"), (None, "timeout"), (0.3, "ok")]
    assert "no score after 1 s" in rewards[1].scores[0].explanation
    assert "prompt 'say it'" in rewards[1].scores[0].explanation
    assert "4 characters" in rewards[1].scores[0].explanation


def test_a_crash_costs_one_sample_and_says_how_it_went(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_pool")) as router:
        rewards = router.score(said("ok 0.1", "crash", "ok 0.2", "exit", "hard-exit", "ok 0.3"))
    assert [reward.reward for reward in rewards] == [0.1, None, 0.2, None, None, 0.3]
    assert {rewards[index].status for index in (1, 3, 4)} == {"failed"}
    assert "SIGABRT" in rewards[1].scores[0].explanation
    assert "exit code 0" in rewards[4].scores[0].explanation


def test_what_a_tool_prints_does_not_reach_the_protocol(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_pool")) as router:
        assert statuses(router.score(said("print", "ok 0.5", "set"))) == [(0.25, "ok"), (0.5, "ok"), (None, "failed")]


def test_a_tool_that_cannot_be_loaded_fails_every_sample_with_the_reason(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_broken")) as router:
        rewards = router.score(said("ok 1.0", "ok 0.0"))
    assert statuses(rewards) == [(None, "failed")] * 2
    assert "no such model file" in rewards[0].scores[0].explanation


@pytest.mark.parametrize("how", ["short", "not_a_list"])
@pytest.mark.parametrize("name", ["fake_inline", "fake_pool"])
def test_a_result_of_the_wrong_shape_is_a_failure(tmp_path: Path, name: str, how: str):
    with scorer(one_tool(tmp_path, name, **{how: True})) as router:
        assert statuses(router.score(said("ok 1.0", "ok 0.0"))) == [(None, "failed")] * 2


def test_pool_tools_run_outside_this_process_and_inline_tools_in_it(tmp_path: Path):
    pool, inline = library_spec("fake_pool"), library_spec("fake_inline")
    path = store(tmp_path / "registry.db", qualities=[(pool, 0.5), (inline, 0.5)], rows=[(ROW, {})])
    with scorer(path) as router:
        reward = router.score(said("ok 1.0"))[0]
        assert reward.scores[0].explanation != f"in process {os.getpid()}"
        assert reward.scores[1].explanation == f"in process {os.getpid()}"


def test_a_very_long_completion_of_an_inline_tool_goes_to_a_worker_in_the_same_order(tmp_path: Path):
    long = "ok 0.5 " + "x" * runs.INLINE_CHARACTERS
    with scorer(one_tool(tmp_path, "fake_inline")) as router:
        rewards = router.score(said("ok 0.1", long, "ok 0.2", "hang " + long))
    assert statuses(rewards) == [(0.1, "ok"), (0.5, "ok"), (0.2, "ok"), (None, "timeout")]
    assert str(os.getpid()) not in rewards[1].scores[0].explanation


def test_the_same_sample_is_scored_once_and_a_failure_is_tried_again(tmp_path: Path):
    log = tmp_path / "calls"
    with scorer(one_tool(tmp_path, "fake_inline", log=str(log))) as router:
        router.score(said("ok 0.5", "ok 0.5", "fail"))
        router.score(said("ok 0.5", "fail"))
    calls = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert sorted(calls) == ["fail", "fail", "ok 0.5"]


def test_a_tool_that_keeps_failing_is_quarantined_loudly_and_can_be_forgiven(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    log = tmp_path / "calls"
    rows = [row(f"say it {number}", "raise") for number in range(200)]  # the tool raises on the reference, too
    tool = library_spec("fake_pool", {"log": str(log)})
    path = store(tmp_path / "registry.db", qualities=[(tool, 1.0)], rows=[(each, {}) for each in (*rows, ROW)])
    with scorer(path, quarantine_after=3, workers=1) as router, caplog.at_level(logging.WARNING):
        samples = [sample for number, each in enumerate(rows) for sample in said(f"raise {number}", example=each)]
        rewards = router.score(samples)
        assert {reward.status for reward in rewards} == {"failed"}
        assert len(log.read_text().splitlines()) < 60  # 3 failures, the trial, and what its worker had at hand
        (tool_id,) = router.quarantined
        assert "different rows and completions" in router.quarantined[tool_id]
        assert any(tool_id in record.message for record in caplog.records)
        assert statuses(router.score(said("ok 1.0"))) == [(None, "failed")]
        router.forgive(tool_id)
        assert statuses(router.score(said("ok 1.0"))) == [(1.0, "ok")]


def test_failures_between_successes_do_not_quarantine(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_inline"), quarantine_after=2) as router:
        router.score(said(*(word for number in range(9) for word in (f"raise {number}", f"ok 0.{number}"))))
        assert router.quarantined == {}


def test_the_stored_binding_of_the_row_reaches_the_tool(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_pool")) as router:
        assert statuses(router.score(said("binding"))) == [(0.75, "ok")]


def test_a_row_without_its_reference_is_found_by_its_prompt(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_inline")) as router:
        assert statuses(router.score(said("binding", example=row("say it")))) == [(0.75, "ok")]
        # Another reference makes another row: the stored binding is not its own.
        assert statuses(router.score(said("binding", example=row("say it", "something else")))) == [(None, "unknown")]


def test_unknown_and_uncovered_rows_get_no_reward_and_say_which(tmp_path: Path):
    path = one_tool(tmp_path, "fake_inline")
    elsewhere = row("another task", "x")
    with Registry.open(path) as registry:
        registry.put_rows([RowRecord(elsewhere.key, elsewhere.prompt_key, OTHER, 0.8, {})])
    with scorer(path) as router:
        rewards = router.score([*said("ok 1.0", example=row("never seen", "x")), *said("ok 1.0", example=elsewhere)])
        assert [(item.reward, item.status, item.fingerprint) for item in rewards] == [
            (None, "unknown", None),
            (None, "uncovered", OTHER),
        ]
        assert router.status_counts()["reward"] == {"uncovered": 1, "unknown": 1}
        assert router.standing(OTHER).reason == "no tool has been tested for it"


def test_guards_of_an_uncovered_task_are_listed_and_make_no_reward(tmp_path: Path):
    guard = library_spec("fake_guard")
    path = tmp_path / "registry.db"
    with Registry.open(path, create=True) as registry:
        registry.put_outcome(task(), tools=[guard], certificates=[certificate(guard, role="guard")])
        registry.put_rows([RowRecord(ROW.key, ROW.prompt_key, TASK, 0.9, {"mark": 1.0})])
    with scorer(path) as router:
        (reward,) = router.score(said("ok 1.0"))
    assert (reward.reward, reward.status) == (None, "uncovered")
    assert [(score.tool, score.value) for score in reward.scores] == [(guard.id, 1.0)]


def test_only_tools_whose_latest_verdict_passed_are_served_even_by_a_running_scorer(tmp_path: Path):
    path = one_tool(tmp_path, "fake_inline")
    tool = library_spec("fake_inline")
    with scorer(path) as router:
        assert statuses(router.score(said("ok 1.0"))) == [(1.0, "ok")]
        with Registry.open(path) as registry:
            registry.put_certificate(certificate(tool, admitted=False, at="2026-02-02"))
        assert statuses(router.score(said("ok 1.0"))) == [(None, "uncovered")]
        assert "floor: 0.9 > 0.2" in router.standing(TASK).reason
        with Registry.open(path) as registry:
            registry.put_certificate(certificate(tool, at="2026-03-03"))
        assert statuses(router.score(said("ok 1.0"))) == [(1.0, "ok")]


def test_a_scorer_told_not_to_follow_keeps_what_it_started_with(tmp_path: Path):
    path = one_tool(tmp_path, "fake_inline")
    with scorer(path, follow=False) as router:
        with Registry.open(path) as registry:
            registry.put_certificate(certificate(library_spec("fake_inline"), admitted=False, at="2026-02-02"))
        assert statuses(router.score(said("ok 1.0"))) == [(1.0, "ok")]


def test_a_tool_whose_code_changed_since_its_certificate_is_not_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    changed = library_spec("fake_inline").model_copy(update={"code_hash": "0123456789abcdef"})
    path = store(tmp_path / "registry.db", qualities=[(changed, 1.0)], rows=[(ROW, {})])
    with caplog.at_level(logging.WARNING), scorer(path) as router:
        assert statuses(router.score(said("ok 1.0"))) == [(None, "uncovered")]
        assert "changed since it was certified" in router.standing(TASK).reason
    assert any(changed.id in record.message for record in caplog.records)


def test_gates_and_calibration_apply(tmp_path: Path):
    gate, quality = library_spec("fake_inline", {"as": "gate"}), library_spec("fake_pool")
    halved = Calibration(x=(0.0, 1.0), y=(0.0, 0.5))
    path = store(
        tmp_path / "registry.db",
        gates=[gate],
        qualities=[(quality, 1.0)],
        rows=[(ROW, {})],
        calibrations={quality.id: halved},
    )
    with scorer(path) as router:
        rewards = router.score(said("ok 0.8", "ok 0.4"))
    # 0.8 passes the gate and is halved; 0.4 fails the gate.
    assert statuses(rewards) == [(0.4, "ok"), (0.0, "ok")]
    assert rewards[0].recipe_version == 1
    assert (rewards[0].scores[1].raw, rewards[0].scores[1].value) == (0.8, 0.4)


def test_order_is_kept_over_many_samples_and_tasks(tmp_path: Path):
    rows = [row(f"row {number}", "x") for number in range(40)]
    path = store(
        tmp_path / "registry.db",
        qualities=[(library_spec("fake_pool"), 1.0)],
        rows=[(item, {"mark": number / 40}) for number, item in enumerate(rows)],
    )
    samples = [RoutedSample(example=item, completion="binding") for item in reversed(rows)]
    with scorer(path) as router:
        assert [reward.reward for reward in router.score(samples)] == [number / 40 for number in reversed(range(40))]


def test_ascore_scores_beside_the_event_loop(tmp_path: Path):
    async def both(router: Scorer) -> list[list[Reward]]:
        return await asyncio.gather(router.ascore(said("sleep 0.6")), router.ascore(said("sleep 0.61")))

    with scorer(one_tool(tmp_path, "fake_pool")) as router:
        router.score(said("ok 1.0", "ok 0.9"))
        start = time.monotonic()
        found = asyncio.run(both(router))
        assert time.monotonic() - start < 1.15
    assert [rewards[0].reward for rewards in found] == [1.0, 1.0]


def test_a_hung_call_of_one_caller_does_not_hold_up_another(tmp_path: Path):
    async def both(router: Scorer) -> float:
        slow = asyncio.create_task(router.ascore(said("hang")))
        await asyncio.sleep(0.1)
        start = time.monotonic()
        await router.ascore(said("ok 0.4"))
        waited = time.monotonic() - start
        await slow
        return waited

    with scorer(one_tool(tmp_path, "fake_pool"), deadline_seconds=3.0) as router:
        router.score(said("ok 0.1"))
        assert asyncio.run(both(router)) < 2.5


def test_load_is_public_and_a_scorer_survives_pickling(tmp_path: Path):
    path = one_tool(tmp_path, "fake_inline")
    with rlar.load(path, plugins=[FAKES], workers=0) as router, pickle.loads(pickle.dumps(router)) as other:
        assert statuses(other.score(said("ok 0.5"))) == [(0.5, "ok")]


def test_a_missing_registry_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(RegistryError, match="rlar agent build-tools"):
        rlar.load(tmp_path / "nothing.db")


def test_a_scorer_carried_over_a_fork_says_so_instead_of_hanging(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_pool")) as router:
        router.score(said("ok 1.0"))
        child = os.fork()
        if child == 0:
            try:
                router.score(said("ok 1.0"))
            except RegistryError:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_no_worker_outlives_a_killed_trainer(tmp_path: Path):
    log = tmp_path / "calls"
    path = one_tool(tmp_path, "fake_pool", log=str(log))
    script = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from rlar.scoring.scorer import RoutedSample, Scorer
        from rlar.types import Example, Message
        row = Example.model_validate_json({ROW.model_dump_json()!r})
        scorer = Scorer({str(path)!r}, plugins=["tests.fakes.scorer_fakes"], workers=1, deadline_seconds=600)
        scorer.score([RoutedSample(example=row, completion="hang-in-c")])
    """
    trainer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], env=environment())
    until = time.monotonic() + 60
    while not log.exists() and time.monotonic() < until:
        time.sleep(0.05)
    worker = int(log.read_text().split()[0])
    trainer.kill()
    trainer.wait()
    until = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and "Z" not in _state(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists() or "Z" in _state(worker)


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def test_content_keys_tell_bindings_apart(tmp_path: Path):
    one, two = row("same prompt", "a"), row("same prompt", "b")
    path = store(
        tmp_path / "registry.db",
        qualities=[(library_spec("fake_inline"), 1.0)],
        rows=[(one, {"mark": 0.1}), (two, {"mark": 0.9})],
    )
    with scorer(path) as router:
        rewards = router.score([*said("binding", example=one), *said("binding", example=two)])
    assert [reward.reward for reward in rewards] == [0.1, 0.9]


def test_unstored_rows_with_the_same_prompt_keep_their_own_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Router:
        def assign(self, examples: Sequence[Example]) -> list[Assignment]:
            return [Assignment(fingerprint=TASK, confidence=1.0) for _ in examples]

    def mark(example: Example, _contract: Contract) -> dict[str, object]:
        if "mark" not in example.columns:
            raise KeyError("mark")
        return {"mark": example.columns["mark"]}

    monkeypatch.setattr("rlar.kinds.bind.bind", mark)
    monkeypatch.setattr(Scorer, "_row_router", staticmethod(lambda _snapshot: Router()))
    one, two, none = row("new", mark=0.1), row("new", mark=0.9), row("new")
    with scorer(one_tool(tmp_path, "fake_inline")) as router:
        for _ in range(2):
            rewards = router.score([said("binding", example=item)[0] for item in (one, two, none)])
            assert [reward.reward for reward in rewards] == [0.1, 0.9, None]
            assert "binding cannot be made: KeyError" in rewards[2].scores[0].explanation


def test_many_threads_may_score_at_once(tmp_path: Path):
    with scorer(one_tool(tmp_path, "fake_pool")) as router, ThreadPoolExecutor(8) as threads:
        asked = [said(*(f"ok 0.{number}{digit}" for digit in range(10))) for number in range(10)] * 4
        found = list(threads.map(router.score, asked))
    assert [[reward.reward for reward in rewards] for rewards in found] == [
        [float(sample.completion[3:]) for sample in samples] for samples in asked
    ]


def test_a_scorer_that_is_never_closed_lets_the_process_end(tmp_path: Path):
    path = one_tool(tmp_path, "fake_pool")
    code = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        import rlar
        from rlar.types import Example
        row = Example.model_validate_json({ROW.model_dump_json()!r})
        scorer = rlar.load({str(path)!r}, plugins=["tests.fakes.scorer_fakes"], workers=2)
        print(scorer.score([rlar.RoutedSample(example=row, completion="ok 0.5")])[0].reward)
    """
    arguments = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment(), timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("0.5\n", "")


def test_scoring_needs_no_agent_and_no_torch(tmp_path: Path):
    path = one_tool(tmp_path, "fake_inline")
    code = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        import json, rlar
        from rlar.types import Example
        row = Example.model_validate_json({ROW.model_dump_json()!r})
        with rlar.load({str(path)!r}, plugins=["tests.fakes.scorer_fakes"], workers=0) as scorer:
            found = scorer.score([rlar.RoutedSample(example=row, completion="ok 0.5")])
        print(json.dumps([found[0].reward, sorted({{name.split(".")[0] for name in sys.modules}})]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, env=environment()
    )
    reward, modules = json.loads(done.stdout)
    assert reward == 0.5
    assert not {"torch", "langgraph", "alembic", "sklearn"} & set(modules)
    assert "sqlmodel" in modules


def test_only_what_a_model_or_a_server_still_has_to_score_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(TOOL_KINDS, ToolKind.LIBRARY, replace(TOOL_KINDS[ToolKind.LIBRARY], is_distant=True))
    with scorer(one_tool(tmp_path, "fake_inline")) as router:
        assert router.takes_long(said("ok 0.5"))
        router.score(said("ok 0.5"))
        assert not router.takes_long(said("ok 0.5")), "its score is remembered"
        assert router.takes_long(said("ok 0.5", "ok 0.7"))
        strange = RoutedSample(example=row("what is that?"), completion="ok 0.5")
        assert not router.takes_long([strange]), "an unknown row is scored by nobody"
    monkeypatch.undo()
    with scorer(tmp_path / "registry.db") as router:
        assert not router.takes_long(said("ok 0.5"))
