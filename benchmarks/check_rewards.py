"""What published reward functions let through: `rlar check` on checkouts of their repositories, with rows of our own.

    python benchmarks/check_rewards.py --checkout open-r1=PATH --checkout verl=PATH [--markdown table.md]

TRL's are those of the installed package. Nothing of the checkouts is copied: their files are called where they lie. What a
function refuses is often its stated format, which is no fault where the prompt asks for that format; our rows ask for none.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections import Counter
from pathlib import Path

from rlar.check import Card, check_reward
from rlar.check.check import Settings

ROWS = Path(__file__).resolve().parents[1] / "examples" / "check" / "rows.jsonl"
KNOWN = (
    ("trl", "rewards/accuracy_rewards.py:accuracy_reward", "trl"),
    ("trl", "rewards/accuracy_rewards.py:reasoning_accuracy_reward", "trl"),
    ("open-r1", "src/open_r1/rewards.py:accuracy_reward", "trl"),
    ("verl", "verl/utils/reward_score/gsm8k.py:compute_score", "verl"),
    ("verl", "verl/utils/reward_score/math_reward.py:compute_score", "verl"),
    ("verl", "verl/utils/reward_score/math_dapo.py:compute_score", "verl"),
    ("verl", "verl/utils/reward_score/prime_math/__init__.py:compute_score", "plain"),
    ("ours", "examples/check/my_rewards.py:final_answer_reward", "trl"),
)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkout", action="append", default=[], help="NAME=PATH")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    roots = dict(each.partition("=")[::2] for each in options.checkout)
    roots["ours"] = str(ROWS.parents[2])
    if (spec := importlib.util.find_spec("trl")) is not None and spec.submodule_search_locations:
        roots.setdefault("trl", next(iter(spec.submodule_search_locations)))
    lines = ["| function | verdict | lets through | refuses | breaks | s |", "|---|---|---|---|---|---:|"]
    for name, function, shape in KNOWN:
        if name in roots:
            started = time.monotonic()
            card, _ = check_reward(f"{Path(roots[name]) / function}", [options.rows], Settings(shape=shape))  # type: ignore[arg-type]
            lines.append(row(f"{name}: {function.rpartition('/')[2]}", card, time.monotonic() - started))
            print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", "utf-8")


def row(name: str, card: Card, seconds: float) -> str:
    """One line of the table: kinds of completions, with how many of each."""
    if card.problem:
        return f"| {name} | cannot be called: {card.problem[:80]} | | | | {seconds:.0f} |"
    cells = [
        kinds([entry.kind for task in card.tasks for entry in getattr(task, field)])
        for field in ("lets_through", "refuses")
    ]
    breaks = "; ".join(fault for task in card.tasks for fault in task.breaks)[:120].replace("|", "/")
    return f"| {name} | {'passed' if card.is_admitted else 'rejected'} | {cells[0]} | {cells[1]} | {breaks} | {seconds:.0f} |"


def kinds(names: list[str]) -> str:
    """Kinds by how often they came up."""
    return ", ".join(f"{kind.partition(': ')[2]} {count}" for kind, count in Counter(names).most_common(8))


if __name__ == "__main__":
    main()
