"""Environments that do what a test needs, and policies that can talk to them."""

from __future__ import annotations

import random
import string
import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import Qwen3Config

from rlar.tool import Resources
from rlar.trainer.config import EnvironmentConfig
from rlar.trainer.data import TrainRow
from rlar.trainer.environments.base import Completion, Environment, Step
from rlar.trainer.environments.play import Player
from rlar.trainer.environments.tools import ToolEnvironment
from rlar.trainer.model.policy import Policy, load_policy
from rlar.trainer.model.scratch import character_tokenizer
from rlar.trainer.rollout import LocalSampler
from rlar.types import Example, Message

CHATML = (
    "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Echo(Environment):
    """Says some letters after each turn, and ends at random; which ones depends on the seed and on what was written."""

    reward = "environment"

    def __init__(self, resources: Resources, *, ends: float = 0.2, longest: int = 8) -> None:
        super().__init__(resources)
        self.ends, self.longest = ends, longest

    def reset(self, row: Example, seed: int) -> Sequence[Message]:
        self.chance = random.Random(seed)
        return row.prompt

    def step(self, completion: Completion) -> Any:
        self.chance.seed(self.chance.random() + len(completion))
        said = "".join(self.chance.choice("abcdef0123") for _ in range(1 + self.chance.randrange(self.longest)))
        digits = sum(character.isdigit() for character in completion)
        return [{"role": "user", "content": said}], digits / 8, self.chance.random() < self.ends


class Faulty(Echo):
    """Breaks at the place that the row's column `fault` names."""

    made = 0

    def __init__(self, resources: Resources, *, breaks_at: int = 0, **settings: Any) -> None:
        super().__init__(resources, **settings)
        Faulty.made += 1
        if Faulty.made == breaks_at:
            raise OSError("no more of them")

    def reset(self, row: Example, seed: int) -> Sequence[Message]:
        self.fault = row.columns.get("fault")
        if self.fault == "reset":
            raise RuntimeError("no reset")
        return super().reset(row, seed)

    def step(self, completion: Completion) -> Any:
        if self.fault == "hang":
            time.sleep(30)
        wrong: dict[str, Any] = {
            "none": None, "nan": ([], float("nan"), True), "text": "hello", "reward": ([], "1", True),
            "no messages": ([], 0.0, False), "role": ([{"content": "x"}], 0.0, False), "done": ([], 1.0, 1),
        }  # fmt: skip
        if self.fault == "raise":
            raise ZeroDivisionError("in a step")
        return wrong[self.fault] if self.fault in wrong else super().step(completion)

    def answer(self) -> str | None:
        if self.fault == "answer":
            raise RuntimeError("no answer")
        return None


class Counted(Echo):
    """Keeps how many steps ran at once."""

    lock = threading.Lock()
    running = most = 0

    def step(self, completion: Completion) -> Any:
        with Counted.lock:
            Counted.running += 1
            Counted.most = max(Counted.most, Counted.running)
        time.sleep(0.02)
        with Counted.lock:
            Counted.running -= 1
        return super().step(completion)


class Adder(ToolEnvironment):
    """One tool."""

    offers = ("add",)

    def add(self, one: int, other: int = 1) -> str:
        """
        Add two numbers.

        Args:
            one: A number.
            other: Another.
        """
        return str(one + other)

    def judge(self, completion: Completion) -> float | None:
        return float("7" in completion)


def chat_policy(*, template: str | None = CHATML, spread: float = 3.0, context: int = 1024, **more: Any) -> Policy:
    """A small policy whose tokenizer knows printable ASCII, a token a character, and a chat template."""
    tokenizer = character_tokenizer([string.printable])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = template
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=context, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=0,
    )  # fmt: skip
    made = load_policy(config, tokenizer=tokenizer, **{"linear": "torch", **more})
    with torch.no_grad():
        for parameter in made.model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(spread)
    return made


def row(made: Policy, text: str, **columns: Any) -> TrainRow:
    """A row with its prompt as tokens."""
    example = Example(id=text, prompt=(Message(role="user", content=text),), columns=columns)
    return TrainRow(example, "f1-a", tuple(made.encode_prompt(example)))


def player(made: Policy, kind: str, sampler: Any = None, **settings: Any) -> Player:
    """A player with an environment of this file, or a shipped one."""
    name = kind if kind[0].islower() else f"tests.fakes.environments:{kind}"
    config = EnvironmentConfig.model_validate({"name": name, "step_seconds": 5.0, **settings})
    return Player(config, made, sampler or LocalSampler(made), Resources())


def step_of(environment: Environment, text: str) -> Step:
    """A step with the calls of a text, as a policy without a response template has them."""
    from rlar.trainer.environments.base import checked_step
    from rlar.trainer.environments.tools import read_calls

    return checked_step(environment.step(Completion(text, read_calls(text))))


class SecondTurn(Echo):
    """Pays for digits, in the second turn alone."""

    def reset(self, row: Example, seed: int) -> Sequence[Message]:
        self.turn = 0
        return row.prompt

    def step(self, completion: Completion) -> Any:
        self.turn += 1
        if self.turn == 1:
            return ["now"], 0.0, False
        return [], sum(character.isdigit() for character in completion) / 6, True


class Hopeless(Echo):
    """Its service is never there."""

    def step(self, completion: Completion) -> Any:
        raise RuntimeError("no service")
