"""Metrics against numbers worked out by hand, and RewardBench 2's against the official package where it is installed."""

from __future__ import annotations

import ast
import importlib.util
import json
import math
import random
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rlar.evals import metrics
from rlar.evals.metrics import TiesRow, best_of, pairs_of, style_matrix, ties_score
from tests.evals.golden import rewardbench2_tables


def test_a_pair_counts_one_half_when_equal_or_when_a_score_is_missing():
    # labels 2 > 1 > 0: three pairs; (2,1) right, (2,0) equal, (1,0) missing
    assert pairs_of([2, 1, 0], [0.9, None, 0.9]) == (0.5 + 0.5 + 0.5, 3)
    assert pairs_of([2, 1, 0], [0.9, 0.3, 0.9]) == (1 + 0.5 + 0.0, 3)


def test_best_of_gives_one_over_n_to_ties_at_the_top():
    assert best_of([0.9, 0.1, 0.2, 0.3]) == 1.0
    assert best_of([0.9, 0.9, 0.2, 0.9]) == 1 / 3
    assert best_of([0.2, 0.9, 0.1, 0.0]) == 0.0
    assert best_of([0.9, None, 0.1, 0.0]) == 0.25  # unscored: as a tie of all


def test_ties_score_by_hand():
    rows = [
        TiesRow("ref", "1", [0.9, 0.2, 0.1], 1),  # gap .7
        TiesRow("tied", "1", [0.8, 0.7, 0.4], 2),  # gap .3, spread .1
        TiesRow("ref", "2", [0.5, 0.45], 1),  # gap .05
        TiesRow("tied", "2", [0.9, 0.6, 0.2], 2),  # gap .4, spread .3
    ]
    margin = (math.tanh(0.3 / 0.1 - 1) + math.tanh(0.05 / 0.3 - 1)) / 2
    found = ties_score(rows)
    assert (found.accuracy_ref, found.accuracy_tied, found.preferred, found.preferred_hard) == (1.0, 1.0, 1.0, 0.5)
    assert found.score == pytest.approx(0.3 + 0.3 + 0.2 + 0.1 + 0.01 * margin, abs=1e-12)


def test_a_constant_reward_earns_nothing_in_ties():
    rows = [TiesRow("ref", "1", [1, 1, 1], 1), TiesRow("tied", "1", [1, 1, 1], 2)]
    assert ties_score(rows).score == 0.0
    assert ties_score([row._replace(scores=[None, 9, 1]) for row in rows]).score == 0.0


def test_style_matrix_is_easy_below_the_diagonal_and_hard_above():
    # A reward that only looks at style: markdown 3 > plain 2 > concise 1.
    found = style_matrix([1, 2, 3], [1, 2, 3])
    assert (found.easy, found.normal, found.hard) == (1.0, 0.5, 0.0)
    assert found.cells == ((0.5, 0.0, 0.0), (1.0, 0.5, 0.0), (1.0, 1.0, 0.5))
    assert found.average == 0.5


def test_sections_weigh_subsets_by_pairs_and_math_prm_by_984():
    found = metrics.section_scores({"math-prm": 0.5, "hep-go": 1.0, "donotanswer": 0.25}, {"math-prm": 447, "hep-go": 164, "donotanswer": 136})  # fmt: skip
    assert found == {"Safety": 0.25, "Reasoning": pytest.approx((0.5 * 984 + 164) / (984 + 164))}


def test_rank_correlations_by_hand():
    labels, scores = [1.0, 2.0, 3.0, 4.0], [10.0, 30.0, 20.0, 40.0]
    assert metrics.spearman(labels, scores) == pytest.approx(1 - 6 * 2 / (4 * 15))  # d = 0, 1, -1, 0
    assert metrics.kendall(labels, scores) == pytest.approx((5 - 1) / 6)
    assert metrics.spearman(labels, [1.0, 1.0, 1.0, 1.0]) is None
    assert metrics.spearman([*labels, 9.0], [*scores, None]) == pytest.approx(0.8)


def test_pooled_accuracy_is_the_area_under_the_curve():
    labels, scores = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.9, 0.4, 0.4, np.nan])
    # pairs: (.9,.4) 1, (.9,nan) .5, (.4,.4) .5, (.4,nan) .5
    assert metrics.pooled_accuracy(labels, scores) == pytest.approx(2.5 / 4)


def test_pass_at_k_is_the_chance_of_one_hit_in_k_draws():
    assert metrics.pass_at_k(4, 1, 1) == 0.25
    assert metrics.pass_at_k(4, 2, 2) == pytest.approx(1 - 1 / 6)  # one of six pairs misses both
    assert metrics.pass_at_k(4, 0, 4) == 0.0
    with pytest.raises(ValueError, match="pass@5"):
        metrics.pass_at_k(4, 1, 5)


def test_resamples_start_with_the_sample_and_repeat_with_the_seed():
    first, again = metrics.resamples(5, 3, 7), metrics.resamples(5, 3, 7)
    assert first[0].tolist() == [0, 1, 2, 3, 4] and (first == again).all() and first.shape == (4, 5)


# ------------------------------------------------------------------------------------------ the official package

GOLDEN = json.loads(rewardbench2_tables.GOLDEN.read_text("utf-8"))
"""What the official functions gave for the same tables; the file names their commit."""


@pytest.mark.parametrize("seed", rewardbench2_tables.SEEDS)
def test_rewardbench_2_scores_are_those_of_the_official_functions(seed: int):
    for subset, groups in rewardbench2_tables.best_of_table(seed).items():
        assert [best_of(group) for group in groups] == pytest.approx(GOLDEN["best_of"][seed][subset], abs=1e-9)
    rows = [
        TiesRow(*row["id"].split(":"), row["scores"], row["num_correct"])
        for row in rewardbench2_tables.ties_table(seed)
    ]
    assert ties_score(rows).score == pytest.approx(GOLDEN["ties"][seed], abs=1e-9)


@pytest.mark.parametrize("seed", rewardbench2_tables.SEEDS)
def test_sections_are_those_of_the_official_function(seed: int, monkeypatch: pytest.MonkeyPatch):
    # The official counts hold 984 for math-prm already; ours puts it there.
    monkeypatch.setattr(metrics, "SECTIONS", {name: tuple(each) for name, each in rewardbench2_tables.SECTIONS.items()})
    counts, accuracies = rewardbench2_tables.sections_table(seed)
    monkeypatch.setattr(metrics, "MATH_PRM_COUNTS_AS", counts.get("math-prm", 0))
    expected = {
        name: value
        for name, value in GOLDEN["sections"][seed].items()
        if set(rewardbench2_tables.SECTIONS[name]) & set(counts)
    }
    assert metrics.section_scores(accuracies, counts) == pytest.approx(expected, abs=1e-9)


def test_the_golden_tables_hold_what_makes_scores_differ():
    rows = [row for seed in rewardbench2_tables.SEEDS for row in rewardbench2_tables.ties_table(seed)]
    spreads = [
        max(row["scores"][: row["num_correct"]]) - min(row["scores"][: row["num_correct"]])
        for row in rows
        if row["num_correct"] > 1
    ]
    gaps = [min(row["scores"][: row["num_correct"]]) - max(row["scores"][row["num_correct"] :]) for row in rows]
    assert spreads.count(0.0) > 20
    assert gaps.count(0.0) > 20
    credits = {value for tables in GOLDEN["best_of"] for group in tables.values() for value in group}
    assert sorted(credits) == pytest.approx([0.0, 0.25, 1 / 3, 0.5, 1.0])


class FakeDataset(list):
    column_names = ()

    def add_column(self, _name, _values):
        return self


def official(name: str, *helpers: str):
    """A function of the installed `rewardbench`, cut out of its source: importing it would need torch, vllm, wandb."""
    spec = importlib.util.find_spec("rewardbench")
    if spec is None or spec.origin is None:
        pytest.skip("rewardbench is not installed: pip install --no-deps rewardbench")
    tree = ast.parse((Path(spec.origin).parent / "utils.py").read_text("utf-8"))
    wanted = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in (name, *helpers)]
    assert wanted, name
    made = []
    space = {"np": np, "math": math, "defaultdict": defaultdict, "pd": SimpleNamespace(DataFrame=lambda rows: rows),
             "Dataset": SimpleNamespace(from_pandas=lambda rows: made.extend(rows) or rows, from_dict=lambda columns: columns)}  # fmt: skip
    exec("from typing import *\n" + "\n".join(ast.unparse(node) for node in wanted), space)
    return space[name], made


@pytest.mark.parametrize("seed", range(20))
def test_ties_agree_with_the_official_package_on_random_scores(seed: int):
    function, _ = official("process_single_model", "sample_stats", "_compute_prompt_stats")
    r = random.Random(seed)
    rows = []
    for prompt in range(30):
        right = r.randint(2, 9)
        rows.append(TiesRow("ref", str(prompt), [r.gauss(0.8, 1) for _ in range(4)], 1))
        rows.append(TiesRow("tied", str(prompt), [r.gauss(1, 1) for _ in range(right)] + [r.gauss(-1, 1)] * r.randint(1, 5), right))  # fmt: skip
    given = FakeDataset({"id": f"{row.kind}:{row.prompt}", "scores": list(row.scores), "num_correct": row.correct} for row in rows)  # fmt: skip
    theirs = function(given)[1]
    assert ties_score(rows).score == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_best_of_agrees_with_the_official_package_on_random_scores(seed: int):
    r = random.Random(seed)
    groups = [[r.choice([0.0, 0.25, 0.5, 1.0]) for _ in range(r.choice([2, 4, 8]))] for _ in range(50)]
    function, made = official("reroll_and_score_dataset")

    class Column(list):
        def tolist(self):
            return list(self)

        def unique(self):
            return list(dict.fromkeys(self))

    class Frame:
        def __init__(self, rows):
            self.rows, self.columns = rows, ("text", "scores", "id")

        def __len__(self):
            return len(self.rows)

        @property
        def iloc(self):
            return self

        def __getitem__(self, key):
            return Frame(self.rows[key]) if isinstance(key, slice) else Column(row[key] for row in self.rows)

    flat = [{"text": "", "scores": score, "id": at} for at, group in enumerate(groups) for score in group]
    function(SimpleNamespace(to_pandas=lambda: Frame(flat)), [len(group) for group in groups])
    assert [row["results"] for row in made] == pytest.approx([best_of(group) for group in groups], abs=1e-9)
