"""Scores without a known range are judged within each prompt: their level across prompts is nobody's business."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

pytest.importorskip("torch")

from rlar.errors import ToolError
from rlar.gate import build_recipe, certify, rejected_certificate
from rlar.gate.policy import load_policy
from rlar.gate.stats import row_offsets
from rlar.tools.load import load_tool
from rlar.types import Sample, Score, ToolKind, ToolSpec, ok
from tests.fakes import toy_task
from tests.fakes.planted import overlap
from tests.fakes.tiny_hub import cached, planted_models, readings_of, resources_at, spec_of, toy_pairs, toy_rows
from tests.fakes.tiny_models import PLANTED

POLICY = load_policy()
TASK = toy_rows()
ANSWERS = {prompt.text: toy_task.right_answer(prompt) for prompt in toy_task.prompts()}


class Raw:
    """A tool whose scores have no range: how much a completion shares with the right answer, times `slope`, moved by
    a level of its own for every prompt."""

    def __init__(self, *, slope: float = 1.0, level: float = 0.0) -> None:
        self.spec = ToolSpec(kind=ToolKind.REWARD_MODEL, name="raw", source=f"planted/raw-{slope}-{level}")
        self.slope, self.level = slope, level

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        found = []
        for sample in samples:
            answer = ANSWERS[sample.prompt]
            seen = sample.model_copy(update={"reference": answer})
            said = sample.completion.split("</think>")[-1].strip()
            quality = 1.0 if said == answer else 0.5 * float(overlap(seen).value or 0.0) ** 2
            found.append(ok(self.slope * quality + self.level * (sum(map(ord, sample.prompt)) % 17)))
        return found


def reasons(tool: Raw) -> tuple[str, ...]:
    return certify(tool, TASK, policy=POLICY, seed=0, labelled=toy_pairs()).reasons


@pytest.mark.parametrize("level", [0.0, 0.5, 3.0])
def test_the_level_of_a_prompt_does_not_decide(level):
    certificate = certify(Raw(level=level), TASK, policy=POLICY, seed=0, labelled=toy_pairs())

    assert certificate.reasons == ()
    values = {check.name: check.value for check in certificate.checks}
    assert (values["oracle"], values["floor"]) == pytest.approx((1.0, 0.08), abs=0.06)  # as without any level
    assert values["labelled"] == 1.0


@pytest.mark.parametrize("tool", [Raw(slope=-1.0), Raw(slope=-1.0, level=3.0), Raw(slope=0.0, level=1.0)])
def test_inverted_and_prompt_only_scores_are_rejected_all_the_same(tool):
    assert {reason.split()[0] for reason in reasons(tool)} >= {"oracle", "margin", "discrimination"}


def test_row_and_kind_come_apart():
    rows, kinds = {0: 10.0, 1: -2.0, 2: 4.0}, {"right": 3.0, "wrong": 0.0, "empty": -1.0}
    cells = [(row, kind, level + worth) for row, level in rows.items() for kind, worth in kinds.items()]
    cells.remove((1, "right", 1.0))  # kinds rotate over the rows: not every one is tried on each

    found = row_offsets(cells, rounds=100)

    assert found == pytest.approx({0: 6.0, 1: -6.0, 2: 0.0}, abs=1e-6)  # levels less their mean of 4
    assert row_offsets([]) == {}


def test_without_labelled_pairs_nothing_can_be_proved_on_open_ended_rows():
    certificate = certify(Raw(), TASK, policy=POLICY, seed=0)

    assert not certificate.admitted
    assert "only labelled pairs could prove a tool" in certificate.reasons[0]
    assert build_recipe(TASK, [certificate], POLICY) is None


@pytest.mark.slow
def test_of_the_models_that_load_exactly_those_that_learnt_the_task_are_admitted(tmp_path_factory, tmp_path):
    models, resources, certificates, served = (
        planted_models(tmp_path_factory, trained=True),
        resources_at(tmp_path),
        [],
        {},
    )
    for planted in PLANTED:
        if planted.ends not in ("admitted", "gate", "load"):
            continue
        folder, found = cached(models, planted.repo, tmp_path), []
        for reading in readings_of(folder):
            spec = spec_of(folder, reading)
            served[spec.id] = planted.repo
            try:
                tool = load_tool(spec, resources)
            except ToolError as error:
                found.append(rejected_certificate(spec, TASK, policy=POLICY, seed=0, reason=str(error), role="quality"))
                continue
            found.append(
                certify(
                    tool,
                    TASK,
                    policy=POLICY,
                    seed=0,
                    labelled=toy_pairs(),
                    reload=lambda spec=spec: load_tool(spec, resources),
                )
            )
        certificates += found
        for certificate in found:
            print(f"| {certificate.tool_id[:-13]} | {'; '.join(certificate.reasons)[:200] or 'admitted'} |")
        assert any(each.admitted for each in found) == (planted.ends == "admitted"), planted.repo
        assert planted.reason in "; ".join(reason for each in found for reason in each.reasons), planted.repo
    recipe = build_recipe(TASK, certificates, POLICY)
    assert recipe is not None
    good = {planted.repo for planted in PLANTED if planted.ends == "admitted"}
    assert {served[tool] for tool, _weight in recipe.qualities} <= good
