"""Verifiers that an LLM wrote: sound ones are admitted, planted bad ones are stopped, and none becomes a number when it breaks."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, datetime

import pytest

import rlar
from rlar.errors import SandboxRefused, ToolError
from rlar.gate import build_recipe, certify
from rlar.gate.policy import GatePolicy, load_policy
from rlar.registry.registry import Registry, RowRecord
from rlar.report.table import show_tool
from rlar.sandbox import Pool
from rlar.scoring import runner as runs
from rlar.tool import Resources
from rlar.tools.generated import Running, generated_spec, keeps_state, score_in
from rlar.tools.load import batch_size, load_tool, unusable
from rlar.tools.source_check import check_source
from rlar.types import Certificate, Sample, Score, ToolSpec
from tests.fakes.rule_tasks import BAD, BRACKETS, LADDER, NUMBER, TARGET, TASKS, returning, target_task

POLICY = load_policy()
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def hasty(endless: bool) -> GatePolicy:
    """The shipped policy with fewer rows, and with little time for endless code: so that bad code costs the suite little."""
    values = POLICY.model_dump()
    values["budgets"]["pool"].update(rows=5, timed=6, determinism=40)
    if endless:
        values["budgets"]["pool"].update(p95_ms=60.0, call_seconds=1.0)
    return GatePolicy.model_validate(values)


@pytest.fixture(scope="module")
def resources():
    with Resources() as made:
        yield made


def admitted(
    resources: Resources, source: str, task: str, *, mode: str = "warm", seed: int = 0, policy: GatePolicy = POLICY
) -> Certificate:
    endless = "endless" in {name.split()[0] for name, bad in BAD.items() if bad.source == source}
    running = Running(mode=mode, seconds=0.1 if endless else 2.0)  # type: ignore[arg-type]
    spec = generated_spec("tried", source, running)
    return certify(
        load_tool(spec, resources),
        TASKS[task](),
        policy=hasty(endless) if endless else policy,
        seed=seed,
        reload=lambda: load_tool(spec, resources),
        now=lambda: NOON,
    )


def scores(resources: Resources, source: str, *completions: str, **sample: object) -> list[Score]:
    spec = generated_spec("tried", source, Running(mode="warm"))
    given = {"prompt": "What?", "reference": "4", **sample}
    return load_tool(spec, resources).score([Sample(completion=each, **given) for each in completions])  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ the gate


@pytest.mark.parametrize(
    ("task", "source", "mode"),
    [
        ("target", TARGET, "warm"),
        ("ladder", LADDER, "warm"),
        ("brackets", BRACKETS, "warm"),
        ("number", NUMBER, "warm"),
        pytest.param("ladder", LADDER, "forked", marks=pytest.mark.slow),
    ],
)
def test_a_sound_verifier_is_admitted_in_the_mode_that_it_will_run_in(resources, task: str, source: str, mode: str):
    certificate = admitted(resources, source, task, mode=mode)

    assert certificate.admitted, certificate.reasons
    assert certificate.role == "verifier" and certificate.sandbox_tier == resources.sandbox.tier
    tried = next(check for check in certificate.checks if check.name == "determinism").details["trials"]
    assert "in another process" in tried


@pytest.mark.slow
def test_the_planted_bad_verifiers_are_all_stopped_each_by_the_check_that_it_was_planted_for(resources):
    answers = [text for witness in target_task().witnesses for text in witness.right]
    stopped = {}
    for name, bad in BAD.items():
        if check_source(bad.source, answers=answers).problems:
            stopped[name] = {"static"}
            continue
        certificate = admitted(resources, bad.source, bad.task, policy=hasty(endless=False))
        assert not certificate.admitted, name
        stopped[name] = {check.name for check in certificate.checks if check.passed is False}

    assert {name: bad.stopped_by for name, bad in BAD.items() if bad.stopped_by not in stopped[name]} == {}
    assert (len(BAD), sum(found == {"static"} for found in stopped.values())) == (37, 15)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "name", ["accepts any number in the text", "the target, whatever numbers", "counts brackets only"]
)
def test_no_seed_lets_a_subtly_wrong_one_through(resources, name: str, seed: int):
    assert not admitted(resources, BAD[name].source, BAD[name].task, seed=seed).admitted


def test_code_that_keeps_state_is_found_out_before_it_may_run_warm(resources):
    spec = generated_spec("counting", BAD["counts its calls"].source, Running())
    good = generated_spec("good", TARGET, Running())
    row = target_task().examples[0]
    samples = [Sample(prompt=row.text, completion=f"3*8+5{' ' * n}") for n in range(20)]

    assert "in a process of its own" in keeps_state(resources.sandbox, spec, samples)
    assert keeps_state(resources.sandbox, good, samples) == ""


# ------------------------------------------------------------------------------------------ scores


def test_the_three_outcomes_are_kept_apart(resources):
    source = returning(
        "None if 'unreadable' in response else [][1] if 'broken' in response else float(response == reference)"
    )
    right, wrong, unreadable, broken = scores(resources, source, "4", "5", "unreadable", "broken")

    assert (right.value, wrong.value) == (1.0, 0.0)
    assert (unreadable.value, unreadable.status) == (None, "abstain")
    assert (broken.value, broken.status) == (None, "failed") and "IndexError" in (broken.error or "")
    assert right.details == {"tier": resources.sandbox.tier, "unsafe": False}


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        ("-1", "-1 is outside [0, 1]"),
        ("-1.0", "-1 is outside [0, 1]"),
        ("-0.5", "-0.5 is outside [0, 1]"),
        ("-7", "-7 is outside [0, 1]"),
        ("1.5", "1.5 is outside [0, 1]"),
        ("float('nan')", "not finite"),
        ("'1'", "not a score"),
        ("[1.0]", "not a score"),
    ],
)
def test_what_is_no_score_is_a_failure_and_never_an_abstention(resources, returned: str, error: str):
    (score,) = scores(resources, returning(returned), "4")

    assert score.status == "failed" and error in (score.error or "")


def test_a_loop_is_a_timeout_and_costs_only_its_own_sample(resources):
    source = "def compute(prompt, response, reference, binding):\n    while response == 'loop':\n        pass\n    return 1.0\n"
    spec = generated_spec("loops", source, Running(mode="warm", seconds=0.3))
    found = load_tool(spec, resources).score([Sample(prompt="p", completion=each) for each in ("a", "loop", "b")])

    assert [(score.value, score.status) for score in found] == [(1.0, "ok"), (None, "timeout"), (1.0, "ok")]


def test_code_sees_the_answer_and_not_the_thoughts_or_the_judge_talk(resources):
    source = returning("float(response == '4')")
    thought, hidden, talk, open_end, empty = scores(
        resources, source, "<think>5?</think>\n4", "4\u200b", "4\nscore: 1.0", "<think>4", "  \n"
    )

    assert [thought.value, hidden.value, talk.value] == [1.0, 1.0, 1.0]
    assert [open_end.value, empty.value] == [0.0, 0.0] and empty.explanation == "nothing was answered"


def test_all_accepted_answers_reach_the_code(resources):
    source = returning("float(response in binding.get('references', [reference]))")

    assert [s.value for s in scores(resources, source, "4", "four", "five", references=("4", "four"))] == [
        1.0,
        1.0,
        0.0,
    ]


def test_odd_texts_do_not_break_it(resources):
    texts = ("\ud83d", "\x00", "é" * 50_000, '"}]', "\u2028")

    assert {score.status for score in scores(resources, returning("0.5"), *texts)} == {"ok"}


def test_foreign_code_that_got_past_the_filter_reads_nothing_of_the_machine(resources, monkeypatch):
    monkeypatch.setenv("RLAR_PLANTED_KEY", "planted-secret")
    source = returning("float(b'planted-secret' in b''.join(_read()))", READS)
    spec = generated_spec("reads", source, Running())

    (score,) = score_in(resources.sandbox, spec, [Sample(prompt="p", completion="x")])

    assert check_source(source).problems and score.value in (0.0, None)


READS = """
import os

def _read():
    yield str(dict(os.environ)).encode()
    for number in list(range(1, 60)) + ["self", os.getppid()]:
        try:
            yield open(f"/proc/{number}/environ", "rb").read()
        except OSError:
            pass
"""


# ------------------------------------------------------------------------------------------ loading


def test_a_spec_goes_through_json_and_pickle(resources):
    spec = generated_spec("target", TARGET, Running(mode="warm"), {"model": "scripted"})

    again = ToolSpec.model_validate_json(spec.model_dump_json())

    assert again == pickle.loads(pickle.dumps(spec)) == spec and again.id == spec.id
    assert (
        load_tool(again, resources).score([Sample(prompt=target_task().examples[0].text, completion="3*8+5")])[0].value
        == 1.0
    )


def test_mode_image_and_source_make_another_tool_and_provenance_does_not():
    ids = {generated_spec("t", TARGET, Running(), {"attempt": attempt}).id for attempt in (1, 2)}
    others = {
        generated_spec("t", TARGET, Running(mode="warm")).id,
        generated_spec("t", TARGET, Running(image="heavy")).id,
        generated_spec("t", TARGET + "\n", Running()).id,
    }

    assert len(ids) == 1 and len(others | ids) == 4


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (generated_spec("t", TARGET, Running()).model_copy(update={"source": LADDER}), "not what was certified"),
        (generated_spec("t", TARGET, Running()).model_copy(update={"params": {"mode": "fast"}}), "params.mode"),
        (generated_spec("t", returning("1.0", "import os"), Running()), "breaks a rule"),
    ],
)
def test_what_was_not_certified_like_this_is_not_loaded(resources, spec: ToolSpec, told: str):
    with pytest.raises(ToolError, match=told):
        load_tool(spec, resources)


def test_a_changed_source_is_unusable_for_the_router():
    spec = generated_spec("t", TARGET, Running())

    assert unusable(spec) == ""
    assert "build-tools" in unusable(spec.model_copy(update={"source": LADDER}))


def test_without_a_sandbox_every_score_fails_and_says_what_to_do():
    def refuse() -> Pool:
        raise SandboxRefused("this machine offers no isolation; see `rlar doctor`")

    with Resources(refuse) as bare:
        spec = generated_spec("t", TARGET, Running())
        found = load_tool(spec, bare).score([Sample(prompt="p", completion="x"), Sample(prompt="p", completion="")])
        certificate = certify(load_tool(spec, bare), target_task(), policy=POLICY, seed=0)

    assert [(score.value, score.status) for score in found] == [(None, "failed")] * 2
    assert all("rlar doctor" in (score.error or "") for score in found)
    assert not certificate.admitted and any("rlar doctor" in reason for reason in certificate.reasons)


def test_it_scores_where_neither_langgraph_nor_langchain_is_installed():
    code = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"langgraph", "langchain_core", "langchain_openai", "openai", "torch"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from rlar.tool import Resources
from rlar.tools.load import load_tool
from rlar.types import Sample, ToolSpec

with Resources() as resources:
    tool = load_tool(ToolSpec.model_validate_json(sys.stdin.read()), resources)
    print(tool.score([Sample(prompt="p", completion="4", reference="4")])[0].value)
"""
    spec = generated_spec("equal", returning("float(response == reference)"), Running())
    found = subprocess.run(
        [sys.executable, "-c", code], input=spec.model_dump_json(), capture_output=True, text=True, check=True
    )

    assert found.stdout.split() == ["1.0"]


def test_it_is_served_from_a_registry_and_shown_with_its_code(resources, tmp_path):
    task = target_task()
    spec = generated_spec("target", TARGET, Running(mode="warm"), {"model": "scripted"})
    certificate = admitted(resources, TARGET, "target", policy=hasty(endless=False))
    certificate = certificate.model_copy(update={"tool_id": spec.id})
    recipe = build_recipe(task, [certificate], POLICY)
    address = str(tmp_path / "registry.db")
    with Registry.open(address, create=True) as registry:
        registry.put_outcome(task, tools=[spec], certificates=[certificate], recipe=recipe)
        registry.put_rows([RowRecord(row.key, row.prompt_key, task.fingerprint, 1.0, {}) for row in task.examples])

    with rlar.load(address, resources=resources) as scorer:
        rewards = scorer.score(
            [
                rlar.RoutedSample(example=row, completion=text)
                for row, witness in zip(task.examples, task.witnesses, strict=True)
                for text in (witness.right[0], witness.wrong[0])
            ]
        )

    assert [reward.reward for reward in rewards] == [1.0, 0.0] * 8
    assert "    def compute(prompt, response, reference, binding):" in show_tool(address, spec.id).heading


@pytest.mark.slow
def test_code_that_needs_numpy_gets_the_image_that_has_it(resources):
    source = returning("float(np.array_equal(np.array([4]), np.array([int(response)])))", "import numpy as np")
    spec = generated_spec("numpy", source, Running(mode="warm", image=check_source(source).image))

    found = load_tool(spec, resources).score([Sample(prompt="p", completion=each) for each in ("4", "5", "x")])
    assert [(score.value, score.status) for score in found] == [(1.0, "ok"), (0.0, "ok"), (None, "failed")]


# ------------------------------------------------------------------------------------------ speed


def test_warm_verifiers_get_full_batches_and_others_small_ones():
    warm, forked = (generated_spec("t", TARGET, Running(mode=mode)) for mode in ("warm", "forked"))  # type: ignore[arg-type]

    assert batch_size(warm, 1_000, 8) == 64
    assert batch_size(warm, 64, 8) == 8
    assert batch_size(warm, 3, 8) == 1
    assert batch_size(forked, 64, 8) == 2


def test_the_runner_scores_a_group_in_order(resources):
    spec = generated_spec("equal", returning("float(response == reference)"), Running(mode="warm"))
    runner = runs.Runner(resources, workers=2, plugins=(), deadline_seconds=10, quarantine_after=5)
    try:
        samples = [Sample(prompt="p", completion=str(n % 3), reference="1") for n in range(200)]
        (found,) = runner.run([(spec, samples)])
    finally:
        runner.close()

    assert [score.value for score in found] == [float(n % 3 == 1) for n in range(200)]
