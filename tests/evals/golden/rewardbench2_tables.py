"""Random score tables for RewardBench 2's scoring functions, and the numbers that the official functions give for them.

`python tests/evals/golden/rewardbench2_tables.py CHECKOUT` runs the functions of a checkout of allenai/reward-bench on the
tables and writes `rewardbench2.json` (needs pandas and datasets). Nothing of theirs is kept but the numbers.
"""

from __future__ import annotations

import ast
import json
import math
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "rewardbench2.json"
SEEDS = range(40)
SUBSETS = {"Factuality": 4, "Precise IF": 4, "Math": 4, "Safety": 4, "Focus": 4}
SECTIONS = {
    "Chat": ["alpacaeval-easy", "mt-bench-easy", "mt-bench-med"],
    "Reasoning": ["math-prm", "hep-cpp", "hep-go"],
    "Empty": ["donotanswer"],
}


def best_of_table(seed: int) -> dict[str, list[list[float]]]:
    """Scores by subset and prompt, the chosen completion's first; on even seeds coarse, so that many are equal."""
    r = random.Random(seed)
    draw = (lambda: r.choice([0.0, 0.25, 0.5, 1.0])) if seed % 2 == 0 else (lambda: r.gauss(0, 3))
    return {name: [[draw() for _ in range(size)] for _ in range(r.randint(5, 40))] for name, size in SUBSETS.items()}


def ties_table(seed: int) -> list[dict[str, Any]]:
    """Rows of Ties: id, num_correct, scores; on even seeds coarse, so that gaps and spreads of exactly 0 occur."""
    r = random.Random(1000 + seed)
    draw = (lambda mean: round(r.gauss(mean, 1))) if seed % 2 == 0 else (lambda mean: r.gauss(mean, 1))
    rows = []
    for prompt in range(r.randint(5, 60)):
        right = r.randint(2, 9)
        if prompt % 7:
            rows.append({"id": f"ref:{prompt}", "num_correct": 1, "scores": [float(draw(0.8)) for _ in range(4)]})
        if prompt % 11:
            scores = [float(draw(1)) for _ in range(right)] + [float(draw(-1)) for _ in range(r.randint(1, 5))]
            rows.append({"id": f"tied:{prompt}", "num_correct": right, "scores": scores})
    return rows


def sections_table(seed: int) -> tuple[dict[str, int], dict[str, float]]:
    """Pairs and accuracy by subset, of some subsets."""
    r = random.Random(2000 + seed)
    names = [name for members in SECTIONS.values() for name in members if name != "donotanswer" and r.random() < 0.8]
    return {name: r.randint(1, 500) for name in names}, {name: r.random() for name in names}


def main(checkout: str) -> None:
    """Run theirs, write the numbers."""
    import datasets
    import numpy as np
    import pandas

    source = Path(checkout) / "rewardbench" / "utils.py"
    commit = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    wanted = (
        "_compute_prompt_stats",
        "process_single_model",
        "reroll_and_score_dataset",
        "calculate_scores_per_section",
    )
    # Their module imports more than its functions need (vllm, wandb); the functions are run as they stand.
    nodes = [
        node
        for node in ast.parse(source.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name in wanted
    ]
    theirs: dict[str, Any] = {
        "np": np,
        "math": math,
        "pd": pandas,
        "Dataset": datasets.Dataset,
        "defaultdict": defaultdict,
    }
    exec("from __future__ import annotations\nfrom typing import *\n" + "\n".join(map(ast.unparse, nodes)), theirs)
    best, ties, sections = [], [], []
    for seed in SEEDS:
        results = {}
        for name, groups in best_of_table(seed).items():
            flat = [{"text": "", "scores": score} for group in groups for score in group]
            made = theirs["reroll_and_score_dataset"](
                datasets.Dataset.from_list(flat), [len(group) for group in groups]
            )
            results[name] = [float(value) for value in made["results"]]
        best.append(results)
        with np.errstate(all="ignore"):
            ties.append(theirs["process_single_model"](datasets.Dataset.from_list(ties_table(seed)))[1])
        counts, accuracies = sections_table(seed)
        sections.append(theirs["calculate_scores_per_section"](counts, SECTIONS, accuracies))
    found = {
        "official": f"allenai/reward-bench@{commit.stdout.strip()}",
        "best_of": best,
        "ties": ties,
        "sections": sections,
    }
    GOLDEN.write_text(json.dumps(found, separators=(",", ":")) + "\n", "utf-8")
    print(f"{GOLDEN}: {len(ties)} tables, {found['official']}")


if __name__ == "__main__":
    main(sys.argv[1])
