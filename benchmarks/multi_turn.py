"""Rollouts of several turns: the cache kept between turns against reading every conversation again, in one run.

    python benchmarks/multi_turn.py [--repeats 3]

CPU seconds of one thread, the two alternating; a turn is 16 tokens of the policy and 32 of the environment.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, Qwen3Config

from rlar.trainer.model.policy import load_policy
from rlar.trainer.rollout import LocalSampler
from rlar.trainer.sampling.session import Draw, RereadSession, open_session

VOCABULARY, PROMPT, ACTION, OBSERVATION, GROUPS, GROUP_SIZE = 4096, 64, 16, 32, 4, 8
SIZES = {
    "1M": {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
           "intermediate_size": 384},
    "5M": {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 8,
           "intermediate_size": 768},
}  # fmt: skip


def tokens(count: int, seed: int) -> list[int]:
    """Some ids that end nothing."""
    generator = torch.Generator().manual_seed(seed)
    return [int(token) for token in torch.randint(2, VOCABULARY - 1, (count,), generator=generator)]


def seconds(sampler: LocalSampler, turns: int, *, kept: bool) -> float:
    """CPU seconds of the episodes of one batch."""
    draw = Draw(max_new_tokens=ACTION, generator=torch.Generator().manual_seed(0))
    prompts = [tokens(PROMPT, place) for place in range(GROUPS)]
    rows = list(range(GROUPS * GROUP_SIZE))
    started = time.process_time()
    if kept:
        session = open_session(sampler, prompts, GROUP_SIZE, turns * (ACTION + OBSERVATION), draw)
    else:
        session = RereadSession(sampler, prompts, GROUP_SIZE, draw)
    for turn in range(turns):
        session.turn(rows, [tokens(OBSERVATION, turn * 1000 + row) if turn else [] for row in rows])
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    names = {f"t{index}": index for index in range(VOCABULARY)}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(names, unk_token="t0")))
    for name, sizes in SIZES.items():
        config = Qwen3Config(
            vocab_size=VOCABULARY, head_dim=32, max_position_embeddings=4096, eos_token_id=VOCABULARY - 1,
            bos_token_id=None, pad_token_id=0, **sizes,
        )  # fmt: skip
        sampler = LocalSampler(load_policy(config, tokenizer=tokenizer))
        for turns in (2, 5, 10):
            pairs = [(seconds(sampler, turns, kept=True), seconds(sampler, turns, kept=False)) for _ in range(repeats)]
            ratio = statistics.median(again / kept for kept, again in pairs)
            kept, again = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"{name} {turns:2d} turns: kept {kept:.2f} s, read again {again:.2f} s, {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
