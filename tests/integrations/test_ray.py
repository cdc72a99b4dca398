"""RayScorer on a local Ray: the rewards of Scorer, and workers that are killed in mid-batch."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")

from rlar.errors import ConfigError  # noqa: E402
from rlar.integrations.ray import RayScorer  # noqa: E402
from rlar.kinds import LIBRARY  # noqa: E402
from rlar.registry.registry import Registry, RowRecord  # noqa: E402
from rlar.scoring.scorer import RoutedSample, Scorer  # noqa: E402
from rlar.tool import Resources  # noqa: E402
from rlar.tools.library import library_spec  # noqa: E402
from rlar.types import AnswerKind, Certificate, Contract, Example, Message, Recipe, TaskSpec  # noqa: E402

pytestmark = pytest.mark.slow
FAKES = "tests.fakes.scorer_fakes"
STDIO = {"tests": {"inputs": ["2\n", "5\n"], "outputs": ["4\n", "10\n"]}}


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    """A Ray of two CPUs whose workers find what this process finds, and know the fakes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(str(Path(entry or ".").absolute()) for entry in sys.path))
        # Nothing is written into the user's home, where Ray would keep a token.
        patch.setenv("RAY_AUTH_MODE", "disabled")
        from tests.fakes import scorer_fakes

        LIBRARY.update(scorer_fakes.NAMES)
        ray.init(num_cpus=2, num_gpus=0, object_store_memory=80_000_000, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()
        for name in scorer_fakes.NAMES:
            LIBRARY.pop(name, None)


def example(text: str, reference: str | None = None) -> Example:
    references = (reference,) if reference is not None else ()
    return Example(id=text, prompt=(Message(role="user", content=text),), reference=reference, references=references)


def store(path: Path, *served: tuple[str, dict[str, object], Example, dict[str, object]]) -> Path:
    """A registry with a task for every (tool name, its parameters, row, the row's binding)."""
    with Registry.open(path, create=True) as registry:
        for number, (name, params, row, binding) in enumerate(served):
            fingerprint = f"f1-{number:012x}"
            tool = library_spec(name, params)
            contract = Contract(answer_kind=AnswerKind.SHORT_TEXT, has_reference=True)
            passed = Certificate(tool_id=tool.id, fingerprint=fingerprint, admitted=True, role="verifier", checks=())
            registry.put_outcome(
                TaskSpec(fingerprint=fingerprint, label=name, contract=contract),
                tools=[tool],
                certificates=[passed],
                recipe=Recipe(fingerprint=fingerprint, qualities=((tool.id, 1.0),)),
            )
            registry.put_rows([RowRecord(row.key, row.prompt_key, fingerprint, 1.0, binding)])
    return path


def said(row: Example, *completions: str) -> list[RoutedSample]:
    return [RoutedSample(example=row, completion=completion) for completion in completions]


MATHS, PROGRAM = example("Factor $x^2-5x+6$.", "(x-2)(x-3)"), example("Write a program that doubles a number.")
NUMBER, FAKE, THREAD = example("What is 6 times 7?", "42"), example("say it"), example("think it")


def mixed(path: Path) -> tuple[Path, list[RoutedSample]]:
    """Five tasks whose tools run inline, in worker processes and in the sandbox, and completions of all sorts."""
    store(
        path,
        ("math", {}, MATHS, {}),
        ("code_stdio", {}, PROGRAM, STDIO),
        ("number", {}, NUMBER, {}),
        ("fake_pool", {}, FAKE, {}),
        ("fake_thread", {}, THREAD, {}),
    )
    samples = []
    for number in range(10):
        samples += said(MATHS, f"\\boxed{{(x-{number})(x-3)}}", f"I think it is {number}")
        samples += said(PROGRAM, f"```python\nprint(int(input()) * {number})\n```")
        samples += said(NUMBER, f"The answer is {40 + number}.")
        samples += said(FAKE, f"ok 0.{number}", "abstain", f"raise {number}")
        samples += said(THREAD, f"ok 0.{number}", f"nan {number}")
    # One is enough: a worker process that has to be started again takes seconds.
    samples += [*said(FAKE, "crash"), *said(example("a row of no task"), "anything")]
    return path, samples


def summary(rewards: list) -> list[tuple[object, ...]]:
    """What must be equal: all but process ids and words of errors."""
    return [
        (
            reward.reward,
            reward.status,
            reward.fingerprint,
            [(item.tool, item.value, item.status) for item in reward.scores],
        )
        for reward in rewards
    ]


def test_rewards_on_a_cluster_are_those_of_a_scorer(tmp_path: Path):
    path, samples = mixed(tmp_path / "registry.db")
    settings = {"plugins": [FAKES], "deadline_seconds": 60.0, "quarantine_after": 1000}
    with Scorer(path, workers=2, **settings) as local:
        expected = summary(local.score(samples))
    assert {status for _reward, status, *_rest in expected} >= {"ok", "abstain", "failed", "unknown"}
    with RayScorer(path, cpu_workers=2, **settings) as spread:
        assert summary(spread.score(samples)) == expected
        assert spread.rescored == 0
        again = spread.score(samples)
        assert summary(again) == expected
        # What failed was tried again there, and ran elsewhere than here.
        assert not any(f"in process {os.getpid()}" in item.explanation for reward in again for item in reward.scores)
        pickled = pickle.dumps(spread)
    # The CPUs are free again: two scorers of this size would wait for each other's.
    with pickle.loads(pickled) as other:
        assert isinstance(other, RayScorer)
        assert summary(other.score(samples[:8])) == expected[:8]


def test_samples_of_a_worker_killed_in_mid_batch_are_scored_again_none_lost_none_twice(tmp_path: Path):
    log = tmp_path / "log"
    path = store(tmp_path / "registry.db", ("fake_pool", {"log": str(log)}, FAKE, {}))
    completions = [f"ok 0.{number:03}" for number in range(60)] + [f"sleep 0.{number:03}" for number in range(101, 141)]
    with RayScorer(path, cpu_workers=2, plugins=[FAKES]) as scorer:
        assert [reward.status for reward in scorer.score(said(FAKE, "ok 1"))] == ["ok"]
        actor = scorer._cluster.of("cpu")[0]
        process = ray.get(actor.handle.__ray_call__.remote(lambda _self: os.getpid()))
        before = len(log.read_text().splitlines())

        def kill() -> None:
            while len(log.read_text().splitlines()) < before + 65:
                time.sleep(0.02)
            os.kill(process, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        rewards = scorer.score(said(FAKE, *completions))
        killer.join()
        expected = [float(text.split()[1]) if text.startswith("ok") else 1.0 for text in completions]
        assert [reward.reward for reward in rewards] == expected
        assert 1 <= scorer.rescored < len(completions)
        # Given once each, whatever was tried: this is what the scorer counted.
        assert scorer.status_counts()["reward"] == {"ok": len(completions) + 1}
        tried = Counter(line.split(" ", 1)[1] for line in log.read_text().splitlines())
        assert set(tried) == {"ok 1", *completions}
        assert sum(tried.values()) - len(tried) <= scorer.rescored
        assert scorer._cluster.of("cpu")[0] is not actor
        assert scorer.quarantined == {}


def test_a_sample_that_brings_every_worker_down_fails_and_gives_nobody_a_wrong_number(tmp_path: Path):
    path = store(tmp_path / "registry.db", ("fake_thread", {}, THREAD, {}))
    completions = [f"ok 0.{number}" for number in range(1, 7)]
    completions.insert(2, "hard-exit")
    with RayScorer(path, cpu_workers=1, plugins=[FAKES]) as scorer:
        rewards = scorer.score(said(THREAD, *completions))
        assert rewards[2].status == "failed"
        # On a crowded machine a neighbour was once lost with it; never did one get another's number.
        expected = [0.1, 0.2, None, 0.3, 0.4, 0.5, 0.6]
        assert all(reward.reward in (right, None) for reward, right in zip(rewards, expected, strict=True))
        assert sum(reward.reward is None for reward in rewards) <= 2
        assert "its Ray worker was lost 3 times" in rewards[2].scores[0].explanation


def test_a_worker_that_cannot_start_fails_its_samples_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = store(tmp_path / "registry.db", ("fake_pool", {}, FAKE, {}), ("fake_inline", {}, THREAD, {}))
    with RayScorer(path, cpu_workers=1, plugins=[FAKES]) as scorer:
        # Here this module can be imported and on the workers it cannot.
        scorer._cluster._settings["plugins"] = ("module_of_this_machine_only",)
        there, here = scorer.score([*said(FAKE, "ok 0.5"), *said(THREAD, "ok 0.5")])
        assert (there.reward, there.status) == (None, "failed")
        assert "module_of_this_machine_only" in there.scores[0].explanation
        assert here.reward == 0.5


def test_several_callers_share_the_workers(tmp_path: Path):
    path = store(tmp_path / "registry.db", ("fake_pool", {}, FAKE, {}))
    found: dict[int, list[float | None]] = {}
    with RayScorer(path, cpu_workers=2, plugins=[FAKES]) as scorer:

        def score(caller: int) -> None:
            completions = [f"ok 0.{caller}{number:02}" for number in range(50)]
            found[caller] = [reward.reward for reward in scorer.score(said(FAKE, *completions))]

        threads = [threading.Thread(target=score, args=(caller,)) for caller in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {caller: [float(f"0.{caller}{number:02}") for number in range(50)] for caller in range(1, 5)}


def test_what_cannot_travel_is_refused(tmp_path: Path):
    path = store(tmp_path / "registry.db", ("fake_pool", {}, FAKE, {}))
    with pytest.raises(ConfigError, match="resources cannot be sent"):
        RayScorer(path, resources=Resources())


def test_a_cluster_that_cannot_be_reached_is_a_failure_with_the_reason_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = store(tmp_path / "registry.db", ("fake_pool", {}, FAKE, {}))
    with RayScorer(path, plugins=[FAKES]) as scorer:

        def unreachable(_place: str) -> None:
            raise ConnectionError("no cluster at this address")

        monkeypatch.setattr(scorer._cluster, "of", unreachable)
        (reward,) = scorer.score(said(FAKE, "ok 0.5"))
    assert reward.status == "failed" and "no cluster at this address" in reward.scores[0].explanation
