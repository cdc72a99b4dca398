"""The worker pool: the same scores as in this process, whatever else its samples do."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.errors import ToolError
from rlar.kinds import LIBRARY, library_class
from rlar.scoring.workers import WorkerPool
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.tools.load import load_tool
from rlar.types import Sample

HERE = Path(__file__).parent

SAMPLES = [
    Sample(prompt=prompt, completion=completion, reference=reference, references=(reference,) if reference else ())
    for prompt, reference in [
        ("What is 6 times 7?", "42"),
        ("Which letter? A) yes B) no", "A"),
        ("Translate to French: Good morning, my friends.", "Bonjour, mes amis."),
        ("Summarise: The cat sat on the mat. It was happy there.", "A happy cat sat on a mat."),
        ('Answer in JSON with the key "a".', '{"a": 1}'),
        ("Say something nice in two sentences.", None),
    ]
    for completion in [
        "",
        "42",
        "The answer is (A).",
        "Bonjour, mes amis.",
        '{"a": 1}',
        "x " * 2000,
        "\ud800\x00\U0001f600",
    ]
]


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(1)
    yield pool
    pool.close()


@pytest.mark.parametrize("name", sorted(name for name in LIBRARY if not name.startswith("fake_")))
def test_a_tool_gives_the_same_scores_in_a_worker_as_here(pool: WorkerPool, name: str):
    if library_class(name).runs == "sandbox":
        pytest.skip("drives the sandbox from threads, never in a worker")
    spec = library_spec(name)
    with Resources() as resources:
        here = load_tool(spec, resources).score(SAMPLES)
    there = pool.submit(spec, SAMPLES, deadline_seconds=60.0).wait()
    assert there == here


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    monkeypatch.syspath_prepend(str(HERE))
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    pool = WorkerPool(2, plugins=["tests.fakes.scorer_fakes"])
    yield pool
    pool.close()
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


def test_every_sample_of_a_wild_mix_gets_the_status_it_earned(fakes: WorkerPool):
    earned = {"ok 0.5": "ok", "abstain": "abstain", "raise": "failed", "crash": "failed", "hang": "timeout"}
    wild = random.Random(0).choices(list(earned), weights=[60, 20, 20, 6, 3], k=120)
    job = fakes.submit(
        library_spec("fake_pool"), [Sample(prompt="p", completion=word) for word in wild], deadline_seconds=1.0
    )
    assert [score.status for score in job.wait()] == [earned[word] for word in wild]


def test_no_samples_is_no_work(fakes: WorkerPool):
    assert fakes.submit(library_spec("fake_pool"), [], deadline_seconds=1.0).wait() == []


def test_closing_ends_what_runs_and_what_waits(fakes: WorkerPool):
    samples = [Sample(prompt="p", completion="hang")] * 100
    job = fakes.submit(library_spec("fake_pool"), samples, deadline_seconds=600.0)
    fakes.close()
    assert {score.value for score in job.wait()} == {None}
    with pytest.raises(ToolError, match="has been closed"):
        fakes.submit(library_spec("fake_pool"), samples, deadline_seconds=1.0)


def test_a_plugin_that_cannot_be_imported_is_a_failure_that_names_it(monkeypatch: pytest.MonkeyPatch):
    pool = WorkerPool(1, plugins=["no_such_plugin"])
    job = pool.submit(library_spec(next(iter(LIBRARY))), SAMPLES[:2], deadline_seconds=1.0)
    assert {score.status for score in job.wait()} == {"failed"}
    assert "no_such_plugin" in str(job.wait()[0].error)
    pool.close()


def test_an_interpreter_that_cannot_start_is_a_failure_and_no_hang(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    pool = WorkerPool(1)
    (score,) = pool.submit(library_spec(next(iter(LIBRARY))), SAMPLES[:1], deadline_seconds=1.0).wait()
    assert score.status == "failed"
    assert "FileNotFoundError" in str(score.error)
    pool.close()
