"""Reward functions as users write them, good and bad: loaded by path in a process of its own, without rlar."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path  # noqa: F401  # imported by name: no reward


def last_words(completions, solution, **kwargs):
    """Honest: what is said after the thought is the answer."""
    return [float(_last(text) == answer.strip().casefold()) for text, answer in zip(completions, solution, strict=True)]


def _last(text):
    text = text.split("</think>")[-1]
    return "" if "<think>" in text else text.strip().rstrip(".*").lstrip("*").casefold()


def boxed_only(completions, solution, **kwargs):
    """Honest in its format: the one box after the thought."""
    boxes = [re.findall(r"\\boxed\{([^{}]*)\}", each.rpartition("</think>")[2]) for each in completions]
    unread = ["<think>" in each.rpartition("</think>")[2] for each in completions]
    return [
        float(not open_ and set(found) == {answer})
        for open_, found, answer in zip(unread, boxes, solution, strict=True)
    ]


def as_messages(completions, solution, **kwargs):
    """What many published functions look like: they take conversations only."""
    return [float(answer in each[0]["content"]) for each, answer in zip(completions, solution, strict=True)]


def minus_one_to_one(data_source, solution_str, ground_truth, extra_info=None):
    """Rewards and punishes."""
    return {"score": 2.0 * (solution_str.strip() == ground_truth) - 1.0, "note": data_source}


async def in_a_coroutine(completion, answer):
    return float(answer in completion)


def openrlhf_reward(queries, prompts, labels):
    return {"rewards": [float(query[len(p) :].strip() == label) for query, p, label in zip(queries, prompts, labels, strict=True)]}  # fmt: skip


def plain(prompt, response, reference):
    return response.strip() == reference


def needs_a_column(completions, level, **kwargs):
    return [1.0 for _ in completions]


def hangs_at_loops(completions, **kwargs):
    while any("loop" in text for text in completions):
        time.sleep(1)
    return [1.0] * len(completions)


def ends_its_process(completions, **kwargs):
    os._exit(3)


def exits(completions, **kwargs):
    sys.exit("enough")


def forks(completions, **kwargs):
    os.fork()
    return [1.0] * len(completions)


def leaves_a_process(completions, **kwargs):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    return [1.0] * len(completions)


def prints_much(completions, **kwargs):
    print("x" * 3_000_000)
    os.write(1, b"y" * 1000)
    return [1.0] * len(completions)


def gives_nan(completions, **kwargs):
    return [float("nan")] * len(completions)


def gives_text(completions, **kwargs):
    return ["good"] * len(completions)


def gives_too_few(completions, **kwargs):
    return [1.0]


def gives_none(completions, **kwargs):
    return [None] * len(completions)


def eats_memory(completions, **kwargs):
    held = [bytearray(1 << 20) for _ in range(100_000)]
    return [float(len(held))] * len(completions)


def no_shape(a, b):
    return a + b


def counts_its_calls(completions, _calls=[0], **kwargs):  # noqa: B006
    _calls[0] += 1
    return [float(_calls[0])] * len(completions)
