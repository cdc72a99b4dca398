"""Prompts that the policy writes from seeds: filtered, kept in a file, made again exactly by a resumed run (SeRL)."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch

from rlar.foreign import parse_json
from rlar.rows.atomic import write_text_atomic
from rlar.scoring.scorer import Scorer
from rlar.trainer.config import SelfInstructionConfig
from rlar.trainer.data import TrainData, TrainRow, permutation
from rlar.trainer.model.policy import Policy
from rlar.trainer.rollout import Sampler
from rlar.types import Example, Message

_NUMBERED = re.compile(r"[ \t]{0,8}\d{1,4}[.)][ \t]{1,8}(\S.*)")
AT_ONCE = 16
"""Lists of questions that are written side by side."""


class NearDuplicates:
    """The texts so far, and how like one of them another text is; only texts that share enough words are compared."""

    def __init__(self) -> None:
        self._texts: list[list[str]] = []
        self._places: dict[str, list[int]] = defaultdict(list)

    def add(self, text: str) -> None:
        """One more text to be unlike of."""
        words = text.lower().split()
        for word in words:
            self._places[word].append(len(self._texts))
        self._texts.append(words)

    def likeness(self, text: str, *, above: float) -> float:
        """The highest ROUGE-L F (2 x longest common subsequence / words of both) to a text, where it is above this; else 0."""
        from rapidfuzz.distance import Indel

        words = text.lower().split()
        shared: Counter[int] = Counter()
        for word, count in Counter(words).items():
            for place, times in Counter(self._places.get(word, ())).items():
                shared[place] += min(count, times)
        best = 0.0
        for place, count in shared.items():
            other = self._texts[place]
            if 2 * count / (len(words) + len(other)) > above:  # no subsequence is longer than what is shared
                best = max(best, Indel.normalized_similarity(words, other))
        return best if best > above else 0.0


def questions_in(completion: str, *, finished: bool) -> list[str]:
    """The questions of a numbered list that goes on in a completion; a last one that was cut off is not one. As written."""
    lines = [line for line in completion.splitlines() if line.strip()]
    if not finished and not completion.endswith("\n"):
        lines = lines[:-1]
    questions = lines[:1]
    for line in lines[1:]:
        numbered = _NUMBERED.fullmatch(line)
        if numbered is None:
            break
        questions.append(numbered[1])
    return [question.strip() for question in questions]


class SelfInstruction:
    """Seeds and what the policy made of them, in the order of a step; `TrainData` for everybody else.

    What was written lies in `prompts.jsonl`: the prompt, the step, what it was shown, and why it was dropped. Draws depend on
    seed, step and weights alone, so a resumed run that lost lines writes them again.
    """

    def __init__(
        self, config: SelfInstructionConfig, seeds: TrainData, policy: Policy, sampler: Sampler, scorer: Scorer,
        folder: Path, *, seed: int, longest: int,
    ) -> None:  # fmt: skip
        """
        Args:
            longest: tokens of a prompt.
        """
        self.config, self.seeds, self.policy, self.sampler, self.scorer = config, seeds, policy, sampler, scorer
        self.path, self.seed, self.longest = folder / "prompts.jsonl", seed, longest
        self.lines: list[dict[str, object]] = []
        self.pool: list[TrainRow] = []

    def resume(self, step: int) -> None:
        """Take over what was written before a step."""
        lines = self.path.read_text("utf-8", "replace").splitlines() if self.path.exists() else []
        for line in lines:
            try:
                entry = parse_json(line)
            except ValueError:
                continue  # a kill cuts lines off
            if isinstance(entry, dict) and isinstance(entry.get("step"), int) and entry["step"] < step:
                self.lines.append(entry)
        last = max((int(str(entry["step"])) for entry in self.lines), default=-1)
        kept = [entry for entry in self.lines if entry["why"] == "" and entry["step"] == last]
        self.pool = [self._row(str(entry["prompt"]), str(entry["task"])) for entry in kept]

    def before(self, step: int) -> None:
        """Write an iteration's prompts where one begins with this step."""
        if step % self.config.every == 0 and self.seeds.train:
            fresh = self._written(step)
            self.lines += fresh
            self.pool = [self._row(str(each["prompt"]), str(each["task"])) for each in fresh if each["why"] == ""]
            write_text_atomic(self.path, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in self.lines))

    def batch(self, step: int, prompts: int, seed: int) -> list[TrainRow]:
        """The rows of a step: a share of written prompts, in a seeded order, the rest seeds."""
        count = round(self.config.share * prompts) if self.pool else 0
        chosen = []
        for position in range(step * count, (step + 1) * count):
            order = permutation(len(self.pool), seed, position // len(self.pool))
            chosen.append(self.pool[order[position % len(self.pool)]])
        return chosen + self.seeds.batch(step, prompts - count, seed)

    def _written(self, step: int) -> list[dict[str, object]]:
        config, entries = self.config, []
        known, kept = NearDuplicates(), [each for each in self.lines if each["why"] == ""]
        for text in [row.example.text for row in self.seeds.train] + [str(each["prompt"]) for each in kept]:
            known.add(text)
        rng, count = Random(f"{self.seed} {step}"), 0
        generator = torch.Generator(device=self.policy.device).manual_seed(rng.getrandbits(62))
        for _ in range(config.most_draws):
            if count >= config.prompts:
                break
            lists = [self._shown(rng, kept) for _ in range(AT_ONCE)]
            ids = [self.policy.encode_prompt(_example(text)) for _task, _shots, text in lists]
            rollouts = self.sampler.sample(
                ids, group_size=1, max_new_tokens=config.max_new_tokens, temperature=config.temperature,
                top_p=config.top_p, generator=generator,
            )  # fmt: skip
            finished = rollouts.finished_N.tolist()
            for (task, shots, _text), text, ended in zip(lists, rollouts.texts, finished, strict=True):
                for question in questions_in(text, finished=ended):
                    why = self._fault(question, known) if count < config.prompts else "enough"
                    entries.append({"step": step, "task": task, "prompt": question, "shown": shots, "why": why})
                    if why == "":
                        known.add(question)
                        count += 1
        return entries

    def _shown(self, rng: Random, kept: Sequence[dict[str, object]]) -> tuple[str, list[str], str]:
        """A task, some of its seeds and kept prompts in any order, and the list that ends where the next is to stand."""
        task = rng.choice(self.seeds.train).fingerprint
        seeds = [row.example.text for row in self.seeds.train if row.fingerprint == task]
        own = [str(each["prompt"]) for each in kept if each["task"] == str(task)]
        shots = rng.sample(seeds, min(len(seeds), self.config.shots[0]))
        shots += rng.sample(own, min(len(own), self.config.shots[1]))
        rng.shuffle(shots)
        numbered = [f"{number}. {' '.join(shot.split())}\n" for number, shot in enumerate(shots, 1)]
        return str(task), shots, f"{self.config.instruction}{''.join(numbered)}{len(shots) + 1}. "

    def _fault(self, question: str, known: NearDuplicates) -> str:
        """Why a prompt is dropped; "" where it is kept."""
        config, words = self.config, len(question.split())
        if not config.words[0] <= words <= config.words[1]:
            return f"{words} words"
        if any(word in config.banned for word in re.findall(r"\w+", question.lower())):
            return "banned"
        if len(self.policy.encode_prompt(_example(question))) > self.longest:
            return "too long"
        return "like another" if known.likeness(question, above=config.max_similarity) else ""

    def _row(self, question: str, task: str) -> TrainRow:
        example = _example(question)
        has_tools = self.scorer.standing(task).recipe is not None
        return TrainRow(example, task, tuple(self.policy.encode_prompt(example)), has_tools)


def _example(text: str) -> Example:
    example = Example(id="", prompt=(Message(role="user", content=text),))
    return example.model_copy(update={"id": f"self-{example.prompt_key[:16]}"})
