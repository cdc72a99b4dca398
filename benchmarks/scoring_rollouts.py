"""Rollouts of a mixed task, the reward functions that people write for them, and the tools that rlar runs instead.

Everything is generated from a seed. Imported by benchmarks/scoring.py, by its competitors' processes and by rlar's workers.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from rlar.kinds import LIBRARY
from rlar.kinds.programs.rows import TestSuite
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Example, Message, Sample, Score, ToolKind, ToolSpec, abstain, ok

GROUP = 8
KINDS = ("math", "exact", "chrf", "code", "model")
WORDS = [
    "the",
    "model",
    "learns",
    "a",
    "reward",
    "for",
    "each",
    "task",
    "and",
    "then",
    "a",
    "policy",
    "is",
    "trained",
    "with",
    "it",
    "while",
    "we",
    "measure",
    "how",
    "fast",
    "every",
    "part",
    "of",
    "the",
    "loop",
    "runs",
    "on",
    "one",
    "machine",
    "because",
    "nobody",
    "likes",
    "to",
    "wait",
    "for",
    "a",
    "number",
    "that",
    "was",
    "asked",
    "for",
    "before",
]


FLAGS = os.environ.get("RLAR_BENCHMARK_PYTHON_FLAGS", "").split()
"""Of the fresh interpreter; "-I -S" halves its start and leaves out site-packages."""


class Rollout(NamedTuple):
    """A completion with its row."""

    kind: str
    prompt: str
    reference: str
    """Code: the tests. The classifier has none."""
    completion: str


def make_rollouts(groups: int, kinds: Sequence[str], seed: int, repeats: float) -> list[Rollout]:
    """Groups of 8 completions, the kinds in turn; `repeats`: the share that repeats an earlier one of its group."""
    rng = random.Random(seed)
    found: list[Rollout] = []
    for number in range(groups):
        kind = kinds[number % len(kinds)]
        slope = rng.randrange(2, 9)
        reference = _reference(kind, slope, rng)
        prompt = f"{_ASKS[kind]} ({seed}.{number}): {_words(rng, rng.randrange(8, 40))}."
        said: list[str] = []
        for _ in range(GROUP):
            if said and rng.random() < repeats:
                said.append(rng.choice(said))
            else:
                said.append(_completion(kind, reference, slope, rng))
        found += [Rollout(kind, prompt, reference, text) for text in said]
    return found


_ASKS = {
    "math": "Give the value",
    "exact": "Which option is right",
    "chrf": "Translate",
    "code": "Write the function f",
    "model": "Say something about",
}


def _words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def _reference(kind: str, slope: int, rng: random.Random) -> str:
    if kind == "math":
        forms = (
            rf"\frac{{{rng.randrange(1, 9)}}}{{{rng.randrange(2, 9)}}}",
            str(rng.randrange(500)),
            rf"{rng.randrange(2, 9)}\sqrt{{{rng.choice([2, 3, 5])}}}",
            f"x^{rng.randrange(2, 5)}+{rng.randrange(1, 9)}x",
        )
        return rng.choice(forms)
    if kind == "exact":
        return rng.choice("ABCD")
    if kind == "chrf":
        return _words(rng, 25)
    if kind == "code":
        return "\n".join(f"assert f({given}) == {slope * given + 1}" for given in range(6))
    return ""


def _completion(kind: str, reference: str, slope: int, rng: random.Random) -> str:
    if kind == "math":
        wrong = rng.choice(
            [f"{rng.randrange(400)}/7", rf"\frac{{{rng.randrange(9, 40)}}}{{11}}", f"{rng.randrange(900)}"]
        )
        answer = reference if rng.random() < 0.5 else wrong
        return rf"Let me think. {_words(rng, rng.randrange(20, 200))}. The answer is $\boxed{{{answer}}}$."
    if kind == "exact":
        return f"{_words(rng, rng.randrange(10, 120))}.\nAnswer: {rng.choice('ABCD')}"
    if kind == "chrf":
        return _words(rng, rng.randrange(15, 35))
    if kind == "code":
        used = slope if rng.random() < 0.5 else rng.randrange(9)
        return f"```python\ndef f(x):\n    y = {used} * x + 1  # {_words(rng, rng.randrange(4, 12))}\n    return y\n```"
    return _words(rng, rng.randrange(20, 200))


# ------------------------------------------------------------------------------------------ as people write them


def plain_math(rollout: Rollout) -> float:
    """math-verify, without its alarm: it works in a main thread only."""
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns at every call that it has no alarm
    from math_verify import parse, verify

    gold = parse(f"${rollout.reference}$", parsing_timeout=None)
    return float(verify(gold, parse(rollout.completion, parsing_timeout=None), timeout_seconds=None))


def plain_exact(rollout: Rollout) -> float:
    """The last letter that is said to be the answer."""
    said = re.findall(r"Answer:\s*([A-D])", rollout.completion)
    return float(bool(said) and said[-1] == rollout.reference)


def plain_chrf(rollout: Rollout) -> float:
    """chrF of sacrebleu."""
    from sacrebleu import sentence_chrf

    return float(sentence_chrf(rollout.completion, [rollout.reference]).score / 100)


def plain_code(rollout: Rollout) -> float:
    """The program with its tests in a fresh interpreter."""
    match = re.search(r"```python\n(.*?)```", rollout.completion, re.S)
    program = (match[1] if match else rollout.completion) + "\n" + rollout.reference
    done = subprocess.run([sys.executable, *FLAGS, "-c", program], capture_output=True, timeout=10, check=False)
    return float(done.returncode == 0)


def plain_model(rollout: Rollout) -> float:
    """The classifier, one text a call; its logit brought from [-4, 4] to [0, 1]."""
    import torch

    tokenizer, model = classifier()
    with torch.inference_mode():
        encoded = tokenizer(rollout.prompt, rollout.completion, return_tensors="pt", truncation=True, max_length=512)
        return min(1.0, max(0.0, (float(model(**encoded).logits[0, 0]) + 4) / 8))


PLAIN: dict[str, Callable[[Rollout], float]] = {
    "math": plain_math,
    "exact": plain_exact,
    "chrf": plain_chrf,
    "code": plain_code,
    "model": plain_model,
}


def plain(rollout: Rollout) -> float:
    """The reward of one rollout, as people write it."""
    return PLAIN[rollout.kind](rollout)


@cache
def classifier() -> tuple[Any, Any]:
    """A tokenizer and a random BERT classifier of 19.6 million parameters."""
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", *sorted(set(WORDS))]
    words = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_input_names=["input_ids", "attention_mask"]
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=8192,
        hidden_size=384,
        num_hidden_layers=9,
        num_attention_heads=6,
        intermediate_size=1536,
        num_labels=1,
        pad_token_id=0,
    )
    return tokenizer, BertForSequenceClassification(config).eval()


# ------------------------------------------------------------------------------------------ as rlar runs them


class Chrf(LibraryTool):
    """The same chrF as `plain_chrf`."""

    name: ClassVar[str] = "benchmark_chrf"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset()
    role = "quality"
    runs = "pool"
    summary: ClassVar[str] = "chrF of sacrebleu"

    def score_one(self, sample: Sample) -> Score:
        if sample.reference is None:
            return abstain("no reference")
        return ok(plain_chrf(Rollout("chrf", sample.prompt, sample.reference, sample.completion)))


LIBRARY["benchmark_chrf"] = f"{__name__}:Chrf"


def classifier_spec(cache: Path) -> ToolSpec:
    """The classifier as a reward model: its files in a folder that looks like the Hub client's cache."""
    from rlar.tools.reward_model.tool import code_hash

    tokenizer, model = classifier()
    folder = cache / "models--benchmark--random" / "snapshots" / ("0" * 40)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    reading = {"family": "scalar", "template": "pair"}
    return ToolSpec(
        kind=ToolKind.REWARD_MODEL,
        name="random_classifier",
        source=f"benchmark/random@{'0' * 40}",
        params={"reading": reading, "files": files, "max_length": 512},
        code_hash=code_hash(),
    )


def example_of(rollout: Rollout) -> Example:
    """The row of a rollout."""
    reference = rollout.reference if rollout.kind not in ("code", "model") else None
    return Example(
        id=rollout.prompt,
        prompt=(Message(role="user", content=rollout.prompt),),
        reference=reference,
        references=(reference,) if reference is not None else (),
        columns={"tests": rollout.reference.split("\n")} if rollout.kind == "code" else {},
    )


def binding_of(rollout: Rollout) -> dict[str, Any]:
    """What a build would have stored for the row."""
    if rollout.kind == "exact":
        return {"labels": ["A", "B", "C", "D"]}
    if rollout.kind == "code":
        tests = tuple(rollout.reference.split("\n"))
        suite = TestSuite(kind="asserts", tests=tests, entry_point="f", entry_points=("f",), source="column")
        return {"suite": suite.to_binding()}
    return {}


if __name__ == "__main__":
    for each in make_rollouts(5, KINDS, 0, 0.3)[::GROUP]:
        print(json.dumps(each._asdict()))
