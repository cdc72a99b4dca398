"""Turns with a kept cache: what is drawn is what the training forward says, whoever rests, reads or leaves."""

from __future__ import annotations

import random

import pytest
import torch

from rlar.trainer.model.fast_session import FastSession
from rlar.trainer.rollout import LocalSampler
from rlar.trainer.sampling.session import Draw, KeptSession, RereadSession, lots, open_session
from tests.fakes.small_policies import PROMPTS, policy

LONG = {"max_position_embeddings": 512}


def play(made, session, rows, *, turns=5, width=9, seed=0):
    """Each row's tokens after the prompt, and its own as (place, id, log-probability); rows end at random and read at random."""
    chance = random.Random(seed)
    after = {row: [] for row in rows}
    wrote = {row: [] for row in rows}
    alive, read = list(rows), [[] for _ in rows]
    for _turn in range(turns):
        for row, tokens in zip(alive, read, strict=True):
            after[row] += tokens
        for row, written in zip(alive, session.turn(alive, read), strict=True):
            wrote[row] += [
                (len(after[row]) + place, token, logprob)
                for place, (token, logprob) in enumerate(zip(written.ids, written.logprobs, strict=True))
            ]
            after[row] += written.ids
        alive = [row for row in alive if chance.random() < 0.8]
        read = [[chance.randrange(2, 40) for _ in range(chance.randrange(0, width))] for _ in alive]
        if not alive:
            break
    return after, wrote


@pytest.mark.parametrize("kind", ["qwen3", "qwen2", "llama"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prompts", [PROMPTS, [[5, 6, 7], [8, 9, 4]]], ids=["uneven", "even"])
def test_tokens_are_drawn_with_the_probabilities_of_the_plain_model(kind, seed, prompts):
    made = policy(kind, spread=3.0, config=LONG)
    draw = Draw(max_new_tokens=10, generator=torch.Generator().manual_seed(seed))
    session = open_session(LocalSampler(made), prompts, 4, 120, draw)
    assert isinstance(session, KeptSession)
    after, wrote = play(made, session, list(range(4 * len(prompts))), seed=seed)
    assert max(map(len, after.values())) > 30
    check(made, prompts, after, wrote)


def check(made, prompts, after, wrote):
    """Recorded log-probabilities beside those of the plain model, four rows a prompt."""
    for row, tokens in after.items():
        prompt = prompts[row // 4]
        with torch.no_grad():
            logits = made.model(input_ids=torch.tensor([prompt + tokens])).logits[0].double().log_softmax(-1)
        for place, token, logprob in wrote[row]:
            assert tokens[place] == token
            assert abs(float(logits[len(prompt) + place - 1, token]) - logprob) < 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_a_kept_cache_writes_what_reading_everything_again_writes(seed):
    made = policy(spread=3.0, config=LONG)
    sampler, draw = LocalSampler(made), Draw(max_new_tokens=9, temperature=0.0)
    rows = [0, 1, 2, 4, 7, 8, 11]  # some never begin
    kept, again = (
        play(made, session, rows, seed=seed)[0]
        for session in (open_session(sampler, PROMPTS, 4, 120, draw), RereadSession(sampler, PROMPTS, 4, draw))
    )
    assert kept == again


def test_a_row_that_ended_early_is_not_moved_by_the_steps_of_the_others():
    # the trap: it is stepped on with them, and what it "wrote" then must not stay in its cache
    made = policy(spread=3.0, config=LONG)
    sampler = LocalSampler(made, leave_below=0.0)  # ended rows never leave
    draw = Draw(max_new_tokens=20, generator=torch.Generator().manual_seed(1))
    session = open_session(sampler, PROMPTS, 4, 200, draw)
    after, wrote = play(made, session, list(range(12)), seed=3)
    assert len({len(tokens) for tokens in wrote.values()}) > 4
    check(made, PROMPTS, after, wrote)


def test_models_without_a_kept_cache_are_read_again_and_share_one_lot():
    made = policy("gpt2")
    sampler = LocalSampler(made)
    assert isinstance(open_session(sampler, PROMPTS, 2, 40, Draw(5)), RereadSession)
    assert lots(sampler, PROMPTS, 2, 40) == [[0, 1, 2]]


def test_a_small_cache_makes_more_lots():
    made = policy(config=LONG)
    assert len(lots(LocalSampler(made, cache_bytes=1), PROMPTS, 2, 100)) == 3
    assert [sorted(lot) for lot in lots(LocalSampler(made), PROMPTS, 2, 100)] == [[0, 1, 2]]


def test_the_table_of_caches_is_as_large_as_was_said():
    made = policy(config=LONG)
    with torch.inference_mode():
        session = FastSession(made.network, PROMPTS, 2, 30)
        session.start()
    assert all(keys.shape[:3] == (6, 2, 30) for keys, _values in session.table)
