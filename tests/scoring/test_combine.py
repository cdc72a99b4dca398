"""Calibration and combination, worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlar.scoring.combine import calibrate, combine, combine_group, group_z_sum, tool_score
from rlar.types import Calibration, Recipe, ToolScore, abstain, failed, ok, timed_out

RECIPE = Recipe(fingerprint="f1-0", version=3, gates=("gate",), qualities=(("good", 0.75), ("nice", 0.25)))


def scored(**scores: object) -> dict[str, ToolScore]:
    """Tool scores from numbers, or from "abstain", "failed", "timeout"."""
    made = {"abstain": abstain("cannot tell"), "failed": failed("boom"), "timeout": timed_out("slow")}
    return {
        name: tool_score(name, ok(value) if isinstance(value, float) else made[str(value)])
        for name, value in scores.items()
    }


# ------------------------------------------------------------------------------------------ calibration


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(-5.0, 0.1), (0.0, 0.1), (1.0, 0.2), (2.0, 0.3), (3.0, 0.6), (4.0, 0.9), (99.0, 0.9)],
)
def test_calibration_is_linear_between_knots_and_flat_outside(raw: float, expected: float):
    # knots (0, .1), (2, .3), (4, .9): half way to the second is .2, half way to the third .6
    assert calibrate(Calibration(x=(0.0, 2.0, 4.0), y=(0.1, 0.3, 0.9)), raw) == pytest.approx(expected)


def test_one_knot_is_a_constant():
    assert [calibrate(Calibration(x=(3.0,), y=(0.4,)), raw) for raw in (-1.0, 3.0, 9.0)] == [0.4, 0.4, 0.4]


NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


# ------------------------------------------------------------------------------------------ one reward


@pytest.mark.parametrize(
    ("scores", "reward", "status"),
    [
        ({"gate": 1.0, "good": 0.8, "nice": 0.4}, 0.7, "ok"),  # .75*.8 + .25*.4
        ({"gate": 0.5, "good": 1.0, "nice": 1.0}, 1.0, "ok"),  # half is enough
        ({"gate": 0.49, "good": 1.0, "nice": 1.0}, 0.0, "ok"),
        ({"gate": 0.0, "good": "failed", "nice": "timeout"}, 0.0, "ok"),  # nothing could save it
        ({"gate": "abstain", "good": 0.8, "nice": 0.4}, 0.7, "ok"),
        ({"gate": "failed", "good": 1.0, "nice": 1.0}, None, "failed"),
        ({"gate": "timeout", "good": 1.0, "nice": 1.0}, None, "timeout"),
        ({"gate": 1.0, "good": "failed", "nice": 1.0}, None, "failed"),
        ({"gate": 1.0, "good": "timeout", "nice": "failed"}, None, "failed"),
        ({"gate": 1.0, "good": 1.0, "nice": "timeout"}, None, "timeout"),
        ({"gate": 1.0, "good": "abstain", "nice": 0.4}, 0.4, "ok"),
        ({"gate": 1.0, "good": "abstain", "nice": "abstain"}, None, "abstain"),
        ({"gate": 1.0, "good": 1.0}, None, "failed"),  # "nice" was not run
    ],
)
def test_gates_times_the_mean_of_qualities(scores: dict[str, object], reward: float | None, status: str):
    found = combine(RECIPE, scored(**scores))
    assert (found.reward, found.status) == (pytest.approx(reward) if reward is not None else None, status)
    assert (found.fingerprint, found.recipe_version) == ("f1-0", 3)
    assert [item.tool for item in found.scores] == ["gate", "good", "nice"]


@pytest.mark.parametrize(
    ("scores", "reward", "status"),
    [
        ({"a": 1.0, "b": 0.6}, 1.0, "ok"),
        ({"a": 1.0, "b": 0.4}, 0.0, "ok"),
        ({"a": 1.0, "b": "abstain"}, 1.0, "ok"),
        ({"a": "abstain", "b": "abstain"}, None, "abstain"),
        ({"a": 0.1, "b": "failed"}, 0.0, "ok"),
    ],
)
def test_gates_alone_say_right_or_wrong(scores: dict[str, object], reward: float | None, status: str):
    found = combine(Recipe(fingerprint="f1-0", gates=("a", "b")), scored(**scores))
    assert (found.reward, found.status) == (reward, status)


def test_an_abstaining_gate_says_that_it_does_not_block():
    found = combine(RECIPE, scored(gate="abstain", good=1.0, nice=1.0))
    assert found.scores[0].explanation == "gate abstains and does not block: cannot tell"


def test_tools_outside_the_recipe_are_listed_and_change_nothing():
    found = combine(RECIPE, scored(gate=1.0, good=0.8, nice=0.4, watcher=0.0))
    assert (found.reward, found.scores[-1].tool) == (pytest.approx(0.7), "watcher")


def test_one_tool_may_be_gate_and_quality():
    recipe = Recipe(fingerprint="f1-0", gates=("a",), qualities=(("a", 1.0),))
    found = combine(recipe, scored(a=0.7))
    assert (found.reward, len(found.scores)) == (0.7, 1)


# ------------------------------------------------------------------------------------------ groups


def group(*scores: object) -> list[ToolScore]:
    return [scored(x=item)["x"] for item in scores]


def test_group_z_scores_are_summed_by_weight():
    # a: mean .5, deviation .5 -> -1, 1; b: mean .25, deviation .25 -> 1, -1 with weight 2
    found = group_z_sum({"a": group(0.0, 1.0), "b": group(0.5, 0.0)}, {"a": 1.0, "b": 2.0})
    assert found == pytest.approx([1.0, -1.0])


def test_a_failed_call_moves_no_group():
    with_failure = group_z_sum({"a": group(0.0, 1.0, 0.9), "b": group(0.2, 0.4, "failed")})
    without = group_z_sum({"a": group(0.0, 1.0), "b": group(0.2, 0.4)})
    assert with_failure == [*without, None]


def test_abstaining_adds_the_tools_mean_and_all_abstaining_gives_none():
    # a's z over the two it scored: -1, 1; the third gets a's mean, 0, from a and has b's z alone
    assert group_z_sum({"a": group(0.0, 1.0, "abstain"), "b": group(0.5, 0.5, 0.5)}) == pytest.approx([-1.0, 1.0, 0.0])
    assert group_z_sum({"a": group("abstain", 1.0)}) == [None, 0.0]


def test_a_tool_that_scores_all_alike_adds_nothing():
    third = 1 / 3
    assert group_z_sum({"a": group(third, third, third)}) == [0.0, 0.0, 0.0]


@given(
    st.lists(st.floats(-10, 10).map(lambda value: round(value, 3)), min_size=2, max_size=8),
    st.floats(0.01, 100),
    st.floats(-100, 100),
)
def test_a_positive_affine_change_of_a_tool_changes_nothing(values: list[float], scale: float, shift: float):
    other = group(*(float(index) for index in range(len(values))))
    before = group_z_sum({"a": group(*values), "b": other})
    after = group_z_sum({"a": group(*(scale * value + shift for value in values)), "b": other})
    assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(before, after, strict=True))  # type: ignore[arg-type]


def test_uneven_groups_are_refused():
    with pytest.raises(ValueError, match="one score per completion"):
        group_z_sum({"a": group(1.0), "b": group(1.0, 0.0)})


# ------------------------------------------------------------------------------------------ groups with gates


def rewards_of(recipe: Recipe, *completions: dict[str, object]) -> list[float | None]:
    return [reward.reward for reward in combine_group(recipe, [scored(**item) for item in completions])]


TWO = Recipe(fingerprint="f1-0", version=3, qualities=(("a", 0.75), ("b", 0.25)))


def test_each_quality_is_normalised_before_it_is_weighted():
    # a: 0, 1 -> z -1, 1; b: .5, 0 -> z 1, -1; sums .75 * -1 + .25 * 1 = -.5 and .5
    assert rewards_of(TWO, {"a": 0.0, "b": 0.5}, {"a": 1.0, "b": 0.0}) == pytest.approx([-0.5, 0.5])


def test_a_failed_call_moves_no_completion_of_its_group():
    whole = rewards_of(TWO, {"a": 0.0, "b": 0.5}, {"a": 1.0, "b": 0.0})
    for broken in ("failed", "timeout"):
        assert rewards_of(TWO, {"a": 0.0, "b": 0.5}, {"a": 0.9, "b": broken}, {"a": 1.0, "b": 0.0}) == [
            whole[0],
            None,
            whole[1],
        ]


def test_a_rejected_completion_counts_with_the_groups_lowest_quality():
    # gate: 0, 1, 1 -> mean 2/3, deviation sqrt(2)/3 -> -sqrt 2, 1/sqrt 2, 1/sqrt 2
    # good: the first would have .9 but counts with .2: .2, .2, .8 -> mean .4, deviation .2 sqrt 2 -> -1/sqrt 2 twice, sqrt 2
    # nice: flat -> 0; good weighs .75
    root = 2**0.5
    found = rewards_of(
        RECIPE,
        {"gate": 0.1, "good": 0.9, "nice": 0.5},
        {"gate": 0.9, "good": 0.2, "nice": 0.5},
        {"gate": 0.9, "good": 0.8, "nice": 0.5},
    )
    assert found == pytest.approx([-root - 0.75 / root, 1 / root - 0.75 / root, 1 / root + 0.75 * root])


def test_what_broke_on_a_rejected_completion_changes_nothing():
    rest = ({"gate": 0.9, "good": 0.2, "nice": 0.5}, {"gate": 0.9, "good": 0.8, "nice": 0.1})
    sound = rewards_of(RECIPE, {"gate": 0.1, "good": 0.9, "nice": 0.9}, *rest)
    broken = rewards_of(RECIPE, {"gate": 0.1, "good": "failed", "nice": "timeout"}, *rest)
    assert broken == pytest.approx(sound)


def test_gates_alone_are_centred_on_the_share_that_passes():
    recipe = Recipe(fingerprint="f1-0", gates=("a",))
    # 1, 0, 0, 0 -> mean 1/4, deviation sqrt(3)/4 -> sqrt 3, -1/sqrt 3
    root = 3**0.5
    found = rewards_of(recipe, {"a": 0.8}, {"a": 0.4}, {"a": 0.0}, {"a": 0.1})
    assert found == pytest.approx([root, -1 / root, -1 / root, -1 / root])


def test_tools_that_share_a_group_between_them_are_made_comparable():
    # half of the group was scored by a (range 0 to 1), half by b (range 0 to .01); each half becomes -1, 1
    recipe = Recipe(fingerprint="f1-0", qualities=(("a", 0.5), ("b", 0.5)))
    found = rewards_of(
        recipe,
        {"a": 0.0, "b": "abstain"},
        {"a": 1.0, "b": "abstain"},
        {"a": "abstain", "b": 0.0},
        {"a": "abstain", "b": 0.01},
    )
    assert found == pytest.approx([-0.5, 0.5, -0.5, 0.5])


def test_a_group_keeps_statuses_versions_and_what_every_tool_said():
    found = combine_group(
        TWO, [scored(a=0.5, b="abstain"), scored(a="abstain", b="abstain"), scored(a="failed", b=0.1)]
    )
    assert [item.status for item in found] == ["ok", "abstain", "failed"]
    assert {item.recipe_version for item in found} == {3}
    assert [(score.tool, score.status) for score in found[2].scores] == [("a", "failed"), ("b", "ok")]


@given(
    st.lists(st.floats(0, 1).map(lambda value: round(value, 3)), min_size=2, max_size=8),
    st.integers(0, 255),
    st.floats(0.01, 100),
    st.floats(-100, 100),
)
def test_no_affine_change_of_a_quality_changes_a_gated_group(
    values: list[float], passes: int, scale: float, shift: float
):
    def rewards(change: Callable[[float], float]) -> list[float | None]:
        group = [
            {
                "gate": ToolScore(tool="gate", value=float(passes >> place & 1), status="ok"),
                "good": ToolScore(tool="good", value=0.5, raw=change(value), status="ok"),
                "nice": ToolScore(tool="nice", value=0.5, raw=float(place), status="ok"),
            }
            for place, value in enumerate(values)
        ]
        return [reward.reward for reward in combine_group(RECIPE, group)]

    before, after = rewards(lambda value: value), rewards(lambda value: scale * value + shift)
    assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(before, after, strict=True))  # type: ignore[arg-type]
