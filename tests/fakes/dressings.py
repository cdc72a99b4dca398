"""Ways to dress an answer that must not change a verdict, and ways that must: the algebra of what verdicts depend on.

Each table maps a name to a function of texts. THOUGHTS, WRAPPERS and DRESSES keep a verdict, right or wrong;
UNCLOSED_THOUGHTS, DENIALS and SEVERAL leave nothing right. A kind's property tests bring answers of its own: see
tests/kinds/test_dressings.py.
"""

from __future__ import annotations

from collections.abc import Callable

Dress = Callable[[str], str]

THOUGHTS: dict[str, Callable[[str, str], str]] = {
    "think": lambda thought, said: f"<think>\n{thought}\n</think>\n\n{said}",
    "thinking": lambda thought, said: f"<thinking>{thought}</thinking>{said}",
    "thought": lambda thought, said: f"<thought>\n{thought}\n</thought>\n{said}",
    "opened by the prompt": lambda thought, said: f"{thought}\n</think>\n\n{said}",
    "Kimi": lambda thought, said: f"◁think▷{thought}◁/think▷{said}",
    "Magistral": lambda thought, said: f"[THINK]{thought}[/THINK]{said}",
    "Seed-OSS": lambda thought, said: f"<seed:think>{thought}</seed:think>{said}<seed:eos>",
    "Command A": lambda thought, said: f"<|START_THINKING|>{thought}<|END_THINKING|><|START_RESPONSE|>{said}<|END_RESPONSE|>",
    "Sky-T1": lambda thought, said: f"<|begin_of_thought|>\n{thought}\n<|end_of_thought|>\n\n<|begin_of_solution|>\n{said}\n<|end_of_solution|>",
    "Harmony": lambda thought, said: f"<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant<|channel|>final<|message|>{said}<|return|>",
    "Harmony, marks dropped": lambda thought, said: f"analysis{thought}assistantfinal{said}",
    "channel": lambda thought, said: f"<|channel>thought\n{thought}<channel|>{said}",
    "reasoning": lambda thought, said: f"<reasoning>\n{thought}\n</reasoning>\n{said}",
    "scratchpad": lambda thought, said: f"<scratchpad>{thought}</scratchpad>\n{said}",
    "interleaved": lambda thought, said: f"<think>{thought}</think>\nWait.\n<think>{thought}</think>\n{said}",
}  # fmt: skip
"""(thought, answer) -> completion: what the thought says counts for nothing."""

UNCLOSED_THOUGHTS: dict[str, Dress] = {
    "think": lambda said: f"<think>\n{said}",
    "thinking": lambda said: f"<thinking>{said}",
    "Kimi": lambda said: f"◁think▷{said}",
    "Magistral": lambda said: f"[THINK]{said}",
    "Seed-OSS": lambda said: f"<seed:think>{said}",
    "Command A": lambda said: f"<|START_THINKING|>{said}",
    "Sky-T1": lambda said: f"<|begin_of_thought|>\n{said}",
    "Harmony": lambda said: f"<|channel|>analysis<|message|>{said}",
    "Harmony, marks dropped": lambda said: f"analysis{said}",
    "channel": lambda said: f"<|channel>thought\n{said}",
    "second thoughts": lambda said: f"<think>a</think>{said}<think>but",
}
"""Thoughts that never end: whatever they say, nothing was answered."""

WRAPPERS: dict[str, Dress] = {
    "answer": lambda said: f"<answer>{said}</answer>",
    "answer on lines": lambda said: f"<answer>\n{said}\n</answer>",
    "answer in prose": lambda said: f"I have gone through it twice.\n\n<answer>{said}</answer>\n\nLet me know.",
    "answer, cut off by a stop string": lambda said: f"Here it is: <answer>{said}",
    "ANSWER": lambda said: f"[ANSWER]{said}[/ANSWER]",
    "final": lambda said: f"<final>{said}</final>",
    "final_answer": lambda said: f"<final_answer>{said}</final_answer>",
    "solution": lambda said: f"<solution>\n{said}\n</solution>",
    "response": lambda said: f"<response>{said}</response>",
    "output": lambda said: f"<output>{said}</output>",
    "result": lambda said: f"<result>\n{said}\n</result>\n",
    "GLM": lambda said: f"It is <|begin_of_box|>{said}<|end_of_box|>",
    "nested": lambda said: f"<response><answer>{said}</answer></response>",
    "twice": lambda said: f"<answer>{said}</answer>\n\n<answer>{said}</answer>",
    "quoted block": lambda said: f"```\n<answer>{said}</answer>\n```",
}

DRESSES: dict[str, Dress] = {
    "white space": lambda said: f"\n  {said}  \n\n",
    "bold": lambda said: f"**{said}**",
    "zero width": lambda said: f"\u200b{said}\u2060",
    "cue": lambda said: f"Answer: {said}",
    "bold cue": lambda said: f"**Answer:** {said}",
    "final cue": lambda said: f"I went through it.\n\n**Final answer:** {said}",
    "cue on its own line": lambda said: f"**Answer**:\n\n{said}",
    "German cue": lambda said: f"Antwort: {said}",
    "Chinese cue": lambda said: f"答案：{said}",
    "preamble": lambda said: f"Sure, here you are:\n\n{said}",
    "end of turn": lambda said: f"{said}<|im_end|>",
}
"""Ways to write an answer of a few words that change nothing."""

DENIALS: dict[str, Dress] = {
    "not": lambda said: f"It is not {said}.",
    "n't": lambda said: f"It isn't {said}.",
    "doubt": lambda said: f"I doubt that it is {said}.",
    "wrong": lambda said: f"{said} is wrong.",
    "ruled out": lambda said: f"{said} can be ruled out.",
    "anything but": lambda said: f"Anything but {said}.",
    "German": lambda said: f"Es ist nicht {said}.",
    "French": lambda said: f"Ce n'est pas {said}.",
    "Spanish": lambda said: f"No es {said}.",
    "Chinese": lambda said: f"不是{said}。",
}
"""Sentences that name an answer and do not give it."""

SEVERAL: dict[str, Callable[[str, str], str]] = {
    "or": lambda one, other: f"{one} or {other}",
    "cue with or": lambda one, other: f"The answer is {one} or {other}.",
    "lines": lambda one, other: f"{one}\n{other}",
    "cues": lambda one, other: f"The answer is {one}.\nThe answer is {other}.",
    "boxes": lambda one, other: f"\\boxed{{{one}}} \\boxed{{{other}}}",
    "tags": lambda one, other: f"<answer>{one}</answer> <answer>{other}</answer>",
    "two tags": lambda one, other: f"<answer>{one}</answer> <final>{other}</final>",
    "box with or": lambda one, other: f"\\boxed{{{one} \\text{{ or }} {other}}}",
}
"""Two different answers at once."""
