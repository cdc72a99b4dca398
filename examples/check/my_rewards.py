"""Two reward functions in TRL's shape: one as it is often written, one that holds. `rlar check` tells them apart.

rlar check examples/check/my_rewards.py:accuracy_reward --dataset examples/check/rows.jsonl
rlar check examples/check/my_rewards.py:final_answer_reward --dataset examples/check/rows.jsonl
"""

import re


def accuracy_reward(completions, solution, **kwargs):
    """1.0 where the solution stands anywhere in the completion: any list of guesses earns it."""
    return [float(answer in completion) for completion, answer in zip(completions, solution, strict=True)]


def final_answer_reward(completions, solution, **kwargs):
    """1.0 where the last line, after the thought, says the solution and nothing else."""
    return [float(_final(completion) == answer) for completion, answer in zip(completions, solution, strict=True)]


def _final(completion):
    answer = completion.rpartition("</think>")[2]
    if "<think>" in answer:
        return ""  # a thought without an end: nothing was answered
    answer = answer.strip().rpartition("\n")[2]
    answer = re.sub(r"[*`$\u200b]|\\boxed|[{}]", "", answer).strip().rstrip(".")
    return re.sub(r"^(.*answer( is|:))", "", answer, flags=re.IGNORECASE | re.DOTALL).strip()
