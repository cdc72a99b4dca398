"""Tries the strict reading of an answer format with a task's recipe, before the recipe may ask for it.

Right answers in the format must score as they do bare, wrong ones too, and ways round the format must be worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from math import fsum
from typing import NamedTuple

from rlar.gate.policy import GatePolicy
from rlar.gate.probe import Probe
from rlar.gate.probes import make_probes
from rlar.registry.records import tool_ids
from rlar.scoring.combine import combine, tool_score
from rlar.scoring.runner import Runner
from rlar.text.answer_format import read_strictly
from rlar.tool import Resources
from rlar.types import AnswerFormat, CheckResult, Recipe, Reward, Sample, TaskSpec, ToolSpec

MARGIN = 0.05
"""By so much the mean of right answers may fall, and that of wrong ones rise, when they come in the format."""
LOW = 0.1
"""Mean reward of ways round the format, at most."""
NEVER = 1 << 31
_DRESSES: dict[AnswerFormat, Callable[[str], str]] = {
    "boxed": lambda answer: f"\\boxed{{{answer}}}",
    "answer_line": lambda answer: f"Answer: {answer}",
    "answer_tags": lambda answer: f"<answer>{answer}</answer>",
    "fenced": lambda answer: f"```\n{answer}\n```",
    "bare": lambda answer: answer,
}


class _Trial(NamedTuple):
    kind: str
    completion: str
    sample: Sample
    """The row; its completion is the bare answer."""


def try_answer_format(
    task: TaskSpec,
    recipe: Recipe,
    answer_format: AnswerFormat,
    tools: Mapping[str, ToolSpec],
    *,
    guards: frozenset[str],
    resources: Resources,
    policy: GatePolicy,
    seed: int,
) -> CheckResult:
    """The check "answer_format" of a recipe; not applicable where no row has an answer that fits the format.

    Args:
        tools: those of the recipe, by id.
        guards: those among them that look at whole completions; they are not tried here.
    """
    probes = make_probes(task, budget=policy.budgets["pool"], seed=seed).probes
    rights = [probe for probe in probes if probe.check == "oracle" and probe.kind == probe.anchor]
    wrongs = {probe.row: probe for probe in probes if probe.check == "discrimination"}
    trials = [trial for probe in rights for trial in _trials(answer_format, probe, wrongs.get(probe.row))]
    if not trials:
        return CheckResult(name="answer_format", passed=None, note=f"no right answer of a row fits {answer_format}")
    bare = recipe.model_copy(update={"gates": tuple(tool for tool in recipe.gates if tool not in guards)})
    runner = Runner(
        resources, workers=0, plugins=(), deadline_seconds=policy.budgets["pool"].call_seconds, quarantine_after=NEVER
    )
    with closing(runner):
        rewards = _rewards(runner, bare, tools, [_read(answer_format, trial) for trial in trials])
        expected = _rewards(runner, bare, tools, [trial.sample for trial in trials])
    means: dict[str, float] = {}
    for kind in dict.fromkeys(trial.kind for trial in trials):
        means[kind] = _mean([reward for reward, trial in zip(rewards, trials, strict=True) if trial.kind == kind])
        means[f"{kind}, bare"] = _mean(
            [reward for reward, trial in zip(expected, trials, strict=True) if trial.kind == kind]
        )
    problems = []
    if means["right"] < means["right, bare"] - MARGIN:
        problems.append(f"right answers score {means['right']:.2f} in the format, {means['right, bare']:.2f} bare")
    if means.get("wrong", 0.0) > means.get("wrong, bare", 0.0) + MARGIN:
        problems.append(f"wrong answers score {means['wrong']:.2f} in the format, {means['wrong, bare']:.2f} bare")
    tricks = [kind for kind in means if kind not in ("right", "wrong") and not kind.endswith(", bare")]
    problems += [f"{kind}: {means[kind]:.2f}" for kind in tricks if means[kind] > LOW]
    return CheckResult(
        name="answer_format",
        passed=not problems,
        value=means["right"],
        threshold=means["right, bare"] - MARGIN,
        probes=len(trials),
        note="; ".join(problems),
        details={"format": answer_format, "means": {kind: round(mean, 4) for kind, mean in means.items()}},
    )


def _trials(answer_format: AnswerFormat, probe: Probe, wrong: Probe | None) -> list[_Trial]:
    """The right answer of a row in the format, a wrong one, and ways round the format; none where it does not fit."""
    dress, answer = _DRESSES[answer_format], probe.sample.completion.strip()
    if read_strictly(answer_format, answer).problem:  # it is not dressed already
        answer = dress(answer)
    if read_strictly(answer_format, answer).problem:
        return []
    sample = probe.sample
    wrong_answer = dress(wrong.sample.completion.strip()) if wrong is not None else ""
    trials = [_Trial("right", answer, sample), _Trial("right", f"<think>Is it so?</think>\n{answer}", sample)]
    if wrong is not None and not read_strictly(answer_format, wrong_answer).problem:
        trials.append(_Trial("wrong", wrong_answer, wrong.sample))
    if answer_format != "bare":
        if read_strictly(answer_format, sample.completion).problem:
            trials.append(_Trial("bare answer", sample.completion, sample))
        trials.append(_Trial("two answers", f"{dress('something else')}\n{answer}\n{dress('something else')}", sample))
        trials.append(_Trial("only in a thought", f"<think>{answer}</think>\nI do not know.\n\nSorry.", sample))
    trials.append(_Trial("a thought without end", f"<think>{answer}", sample))
    return trials


def _read(answer_format: AnswerFormat, trial: _Trial) -> Sample | None:
    reading = read_strictly(answer_format, trial.completion)
    return None if reading.problem else trial.sample.model_copy(update={"completion": reading.answer})


def _rewards(
    runner: Runner, recipe: Recipe, tools: Mapping[str, ToolSpec], samples: Sequence[Sample | None]
) -> list[Reward | None]:
    """The reward of each; None where the format was missed."""
    present = [sample for sample in samples if sample is not None]
    names = tool_ids(recipe)
    scores = runner.run([(tools[name], present) for name in names])
    combined = iter(
        [
            combine(
                recipe,
                {
                    name: tool_score(name, column[place], recipe.calibrations[name])
                    for name, column in zip(names, scores, strict=True)
                },
            )
            for place in range(len(present))
        ]
    )
    return [None if sample is None else next(combined) for sample in samples]


def _mean(rewards: Sequence[Reward | None]) -> float:
    """A missed format is 0.0, and what has no reward counts for nothing."""
    values = [0.0 if reward is None else reward.reward for reward in rewards]
    numbers = [value for value in values if value is not None]
    return fsum(numbers) / len(numbers) if numbers else 0.0
