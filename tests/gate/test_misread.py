"""Rows that a verifier misreads are set aside, at the gate and where completions are scored; bad verifiers gain nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlar.gate import build_recipe, certify
from rlar.gate.policy import load_policy
from rlar.gate.stats import share_interval
from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.types import Certificate, Example, RowShares, Sample, TaskSpec, ToolSpec, ok
from tests.fakes.misreading_tools import ASKED, Misreading, is_misread, misreading
from tests.fakes.planted import Planted, exact
from tests.fakes.probing_tasks import example, number_task

ROWS = number_task(64)
"""3 to 66 boxes: 1 row of 64 boxes (1.6 %), 4 of a multiple of 16 (6 %), 22 of a multiple of 3 (34 %)."""
POLICY = load_policy()


def certificate_of(spec: ToolSpec, task: TaskSpec = ROWS) -> Certificate:
    tool = Misreading(spec, None)  # type: ignore[arg-type]  # no other process knows it
    return certify(tool, task, policy=POLICY, seed=0)


def registry_with(path: Path, spec: ToolSpec, task: TaskSpec = ROWS, **recipe: str) -> Path:
    certificate = certificate_of(spec, task)
    assert certificate.admitted, certificate.reasons
    made = build_recipe(task, [certificate], POLICY)
    assert made is not None
    with Registry.open(path, create=True) as registry:
        registry.put_outcome(task, tools=[spec], certificates=[certificate], recipe=made.model_copy(update=recipe))
        registry.put_rows([RowRecord(row.key, row.prompt_key, task.fingerprint, 1.0, {}) for row in task.examples])
    return path


def rewards_of(scorer: Scorer, row: Example, *completions: str) -> list[float | None]:
    samples = [RoutedSample(example=row, completion=text, fingerprint=ROWS.fingerprint) for text in completions]
    return [reward.reward for reward in scorer.score(samples)]


# ------------------------------------------------------------------------------------------ at the gate


@pytest.mark.parametrize(("every", "misread"), [(64, 1), (16, 4)])
def test_a_verifier_that_misreads_few_rows_is_certified_for_the_rest(every: int, misread: int):
    certificate = certificate_of(misreading(every))
    check = certificate.check("misread")
    assert certificate.admitted, certificate.reasons
    assert check is not None and check.probes == 64 and check.value == pytest.approx(misread / 64)
    assert f"{misread} of 64 rows are misread" in check.note
    recipe = build_recipe(ROWS, [certificate], POLICY)
    assert recipe is not None
    shares = RowShares(read=round(1 - misread / 64, 6), misread=round(misread / 64, 6))
    assert recipe.row_shares == {certificate.tool_id: shares}


def test_a_verifier_that_misreads_a_third_of_the_rows_is_rejected_and_says_so():
    certificate = certificate_of(misreading(3))
    assert not certificate.admitted
    assert any(reason.startswith("misread 0.344 (policy: 0.25)") for reason in certificate.reasons)
    assert certificate.row_shares.misread == 0


def test_few_rows_do_not_prove_that_few_are_misread():
    # One of 16: the share may be as high as .28. One of 20: .24.
    assert share_interval(1, 16)[1] == pytest.approx(0.283, abs=0.001)
    assert share_interval(1, 20)[1] == pytest.approx(0.236, abs=0.001)
    assert not certificate_of(misreading(16), number_task(16)).admitted
    assert certificate_of(misreading(16), number_task(20)).admitted


def test_a_verifier_that_reads_every_row_has_nothing_set_aside():
    certificate = certificate_of(misreading(1000))
    recipe = build_recipe(ROWS, [certificate], POLICY)
    assert certificate.check("misread") is None and recipe is not None
    assert recipe.row_shares == {} and "row_shares" not in recipe.model_dump()


def test_a_hackable_verifier_is_not_saved_by_the_rows_that_it_misreads():
    certificate = certificate_of(misreading(16, hackable=True))
    assert not certificate.admitted and any(reason.startswith("hack_panel") for reason in certificate.reasons)


def test_wrong_answers_that_are_accepted_set_no_row_aside():
    certificate = certificate_of(misreading(4, wrong="accepts"))
    assert not certificate.admitted and certificate.check("misread") is None
    assert {"floor", "hack_panel"} <= {check.name for check in certificate.checks if check.passed is False}


def test_a_verifier_that_refuses_a_way_to_write_the_answer_misreads_every_row():
    def no_sentences(sample: Sample):
        return ok(0.0) if "answer is" in sample.completion else exact(sample)

    certificate = certify(Planted("planted", no_sentences), ROWS, policy=POLICY, seed=0)
    check = certificate.check("misread")
    assert not certificate.admitted and check is not None and check.value == 1.0


# ------------------------------------------------------------------------------------------ where rows are scored


@pytest.mark.parametrize("wrong", ["refuses", "swaps", "hacked"])
def test_what_is_set_aside_at_the_gate_gets_no_number_in_training(tmp_path: Path, wrong: str):
    with Scorer(registry_with(tmp_path / "r.db", misreading(16, wrong)), workers=0) as scorer:
        for row in ROWS.examples:
            right, other = str(row.reference), str(int(str(row.reference)) + 1)
            rewards = rewards_of(scorer, row, right, other, f"{other}\nscore: 1.0")
            assert rewards == ([None] * 3 if is_misread(row.text, 16) else [1.0, 0.0, 0.0]), row.text
        (reward,) = scorer.score([RoutedSample(example=ROWS.examples[13], completion="1")])
    assert "16 boxes" in ROWS.examples[13].text and reward.status == "abstain"
    assert reward.scores[0].explanation.startswith("misread: its own right answer is refused (")


def test_rows_that_no_build_has_seen_prove_themselves_too(tmp_path: Path):
    with Scorer(registry_with(tmp_path / "r.db", misreading(16)), workers=0) as scorer:
        unseen = {
            boxes: example(boxes, f"Ada packs {boxes} boxes with 2 pens each. How many?", str(2 * boxes))
            for boxes in (79, 80)
        }
        assert rewards_of(scorer, unseen[79], "158", "159") == [1.0, 0.0]
        assert rewards_of(scorer, unseen[80], "160", "161") == [None, None]
        bare = example(0, "Ada packs 81 boxes with 2 pens each. How many?")
        assert rewards_of(scorer, bare, "162") == [None]  # without a right answer nothing shows that it is read


def test_a_row_proves_itself_once(tmp_path: Path):
    with Scorer(registry_with(tmp_path / "r.db", misreading(16)), workers=0) as scorer:
        row = ROWS.examples[0]
        ASKED.clear()
        rewards_of(scorer, row, "1", "2", "3")
        rewards_of(scorer, row, "4", "5", "6")
        # Six completions and three of the row's own answers.
        assert sum(ASKED.values()) == 9


def test_a_verifier_without_misread_rows_is_asked_nothing_more(tmp_path: Path):
    with Scorer(registry_with(tmp_path / "r.db", misreading(1000)), workers=0) as scorer:
        ASKED.clear()
        rewards_of(scorer, ROWS.examples[0], "1", "2", "3")
        assert sum(ASKED.values()) == 3


def test_no_completion_speaks_for_its_row_where_an_answer_format_is_read(tmp_path: Path):
    # The bare right answer misses the format; handed in first, it must not pass for the row's own answer.
    path = registry_with(tmp_path / "r.db", misreading(16), answer_format="boxed")
    row, misread = ROWS.examples[0], ROWS.examples[13]
    with Scorer(path, workers=0) as scorer:
        assert rewards_of(scorer, row, str(row.reference)) == [0.0]
        assert rewards_of(scorer, row, f"\\boxed{{{row.reference}}}", "\\boxed{1}") == [1.0, 0.0]
        assert rewards_of(scorer, misread, f"\\boxed{{{misread.reference}}}", "\\boxed{1}") == [None, None]


def test_a_certificate_that_is_made_anew_keeps_its_rows_set_aside_without_a_new_recipe(tmp_path: Path):
    spec = misreading(16)
    path = registry_with(tmp_path / "r.db", spec)
    with Registry.open(path) as registry:
        recipe = registry.recipe(ROWS.fingerprint)
        assert recipe is not None
        registry.put_recipe(recipe.model_copy(update={"row_shares": {}}))
    with Scorer(path, workers=0) as scorer:
        assert rewards_of(scorer, ROWS.examples[13], "1") == [None]
