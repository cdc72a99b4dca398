"""Episodes: exact tokens, who wrote them, what breaks, what waits, what repeats."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch

from rlar.errors import ConfigError
from rlar.trainer.config import LossConfig
from rlar.trainer.loss import policy_loss_backward
from rlar.trainer.model.logprob import completion_logprobs
from rlar.trainer.sampling.session import Draw, RereadSession
from rlar.types import Reward
from tests.fakes.environments import Counted, Faulty, chat_policy, player, row
from tests.fakes.small_policies import gradients

ROWS = ("one", "two2", "three 3")


def drawn(seed=0, **more):
    return Draw(**{"max_new_tokens": 8, "generator": torch.Generator().manual_seed(seed), **more})


def play(made, kind="Echo", rows=None, *, draw=None, group_size=4, **settings):
    rows = [row(made, text) for text in ROWS] if rows is None else rows
    playing = player(made, kind, **settings)
    return rows, playing, playing.sample(rows, draw or drawn(), group_size=group_size, seeds=range(len(rows)))


@pytest.mark.parametrize("template", [None, ...])
def test_the_policys_tokens_are_trained_on_as_they_were_drawn(template):
    made = chat_policy(**({"template": None} if template is None else {}))
    _rows, _player, rollouts = play(made)
    assert {len(episode.policy_turns) for episode in rollouts.episodes} > {1, 2}
    recomputed = completion_logprobs(made, rollouts)
    assert (recomputed - rollouts.logprobs_N_T).abs().max() < 1e-4
    assert (rollouts.logprobs_N_T[~rollouts.action_mask_N_T] == 0).all()
    for ids, length, episode in zip(
        rollouts.completion_ids_N_T.tolist(), rollouts.lengths_N.tolist(), rollouts.episodes, strict=True
    ):
        ends = [turn.end for turn in episode.turns]
        assert [turn.start for turn in episode.turns] == [0, *ends[:-1]] and ends[-1] == length  # spans without gaps
        for turn in episode.turns:
            said = made.decode(ids[turn.start : turn.end])
            assert said == turn.text if turn.writer == "policy" else turn.text in said


def test_a_kept_cache_and_reading_again_write_the_same_episodes(monkeypatch):
    made = chat_policy()
    greedy = drawn(temperature=0.0)
    _, _, kept = play(made, draw=greedy, ends=0.1)
    monkeypatch.setattr(
        "rlar.trainer.environments.play.open_session",
        lambda sampler, prompts, group_size, capacity, draw: RereadSession(sampler, prompts, group_size, draw),
    )
    _, _, again = play(made, draw=greedy, ends=0.1)
    assert kept.episodes == again.episodes
    assert kept.completion_ids_N_T.equal(again.completion_ids_N_T)


def test_what_an_environment_writes_moves_no_weight():
    made = chat_policy()
    _, _, rollouts = play(made)
    given = torch.randn(rollouts.logprobs_N_T.shape, generator=torch.Generator().manual_seed(1))
    found = []
    for advantages in (given, torch.where(rollouts.action_mask_N_T, given, given + 5.0)):
        made.model.zero_grad(set_to_none=True)
        stats = policy_loss_backward(made, rollouts, advantages, config=LossConfig())
        found.append(gradients(made))
    assert stats.tokens == int(rollouts.action_counts_N.sum()) < int(rollouts.lengths_N.sum())
    assert all(torch.equal(gradient, found[0][name]) for name, gradient in found[1].items())


def test_the_same_seeds_play_the_same_and_others_do_not():
    made = chat_policy()
    one, two, other = (play(made, draw=drawn(seed))[2] for seed in (3, 3, 4))
    assert one.episodes == two.episodes != other.episodes
    assert torch.equal(one.logprobs_N_T, two.logprobs_N_T)


def test_lots_of_a_small_cache_play_every_row():
    made = chat_policy()
    rows = [row(made, text) for text in ROWS]
    playing = player(made, "Echo")
    playing.sampler.cache_bytes = 1
    rollouts = playing.sample(rows, drawn(), group_size=2, seeds=[0, 1, 2])
    assert len(rollouts) == 6 and (rollouts.lengths_N > 0).all()
    assert (completion_logprobs(made, rollouts) - rollouts.logprobs_N_T).abs().max() < 1e-4


# ------------------------------------------------------------------------------------------ how episodes end


FAULTS = ("reset", "raise", "none", "nan", "text", "reward", "no messages", "role", "done", "answer")


@pytest.mark.parametrize("fault", FAULTS)
def test_an_environment_that_breaks_gives_a_status_and_never_a_number(fault):
    made = chat_policy()
    rows = [row(made, "one", fault=fault), row(made, "two")]
    _, playing, rollouts = play(made, "Faulty", rows, group_size=2)
    rewards = playing.rewards(rows, rollouts, lambda chosen: pytest.fail("the environment judges"))
    assert [reward.status for reward in rewards] == ["failed", "failed", "ok", "ok"]
    assert [reward.reward is None for reward in rewards] == [True, True, False, False]
    assert all(episode.broke and episode.problem for episode in rollouts.episodes[:2])
    assert rollouts.turn_rewards_N_K()[:2].isnan().all()
    assert (completion_logprobs(made, rollouts) - rollouts.logprobs_N_T).abs().max() < 1e-4


def test_an_environment_that_cannot_be_made_is_one_episode_that_broke():
    made = chat_policy()
    Faulty.made = 0
    *_, rollouts = play(
        made, "Faulty", group_size=2, breaks_at=4
    )  # two are made at the start, to see whether they can be
    assert sorted(episode.status == "failed" for episode in rollouts.episodes) == [False] * 5 + [True]


def test_a_step_that_hangs_is_a_timeout_and_holds_up_nobody_for_long():
    made = chat_policy()
    rows = [row(made, "one", fault="hang"), row(made, "two")]
    started = time.monotonic()
    _, _, rollouts = play(made, "Faulty", rows, group_size=2, step_seconds=0.3)
    assert time.monotonic() - started < 5.0
    assert [episode.status for episode in rollouts.episodes[:2]] == ["timeout", "timeout"]
    assert not any(episode.broke for episode in rollouts.episodes[2:])


def test_the_registry_is_asked_only_about_episodes_that_did_not_break():
    made = chat_policy()
    rows = [row(made, "one", fault="raise"), row(made, "two")]
    _, playing, rollouts = play(made, "Faulty", rows, group_size=2, reward="registry")
    asked = []

    def score(chosen):
        asked.extend(chosen)
        return [Reward(reward=0.5, status="ok") for _ in chosen]

    assert [reward.reward for reward in playing.rewards(rows, rollouts, score)] == [None, None, 0.5, 0.5]
    assert asked == [2, 3]


def test_turns_tokens_and_context_end_an_episode_with_a_limit():
    made = chat_policy()
    *_, turns = play(made, ends=0.0, max_turns=2)
    assert all(episode.status == "limit" and len(episode.policy_turns) == 2 for episode in turns.episodes)
    assert not turns.finished_N.any()
    *_, tokens = play(made, ends=0.0, max_turns=50, max_tokens=100)
    assert all(episode.status == "limit" for episode in tokens.episodes) and int(tokens.lengths_N.max()) <= 100
    assert all(episode.turns[-1].writer == "policy" for episode in tokens.episodes)  # nothing is read in vain
    small = chat_policy(context=90)
    *_, context = play(small, ends=0.0, max_turns=50)
    assert all(episode.status == "limit" for episode in context.episodes)
    longest = max(len(context.prompts[n // 4]) + int(length) for n, length in enumerate(context.lengths_N))
    assert 60 < longest <= 90


def test_a_prompt_that_leaves_no_room_is_not_played():
    made = chat_policy(context=64)
    rows = [row(made, "x" * 60), row(made, "two")]
    *_, rollouts = play(made, rows=rows, group_size=2)
    assert [episode.status == "failed" for episode in rollouts.episodes] == [True, True, False, False]
    assert rollouts.lengths_N[:2].tolist() == [0, 0]


def test_a_long_message_is_cut():
    made = chat_policy()
    *_, rollouts = play(made, ends=0.0, longest=200, message_tokens=10, max_turns=4)
    spans = [t.end - t.start for e in rollouts.episodes for t in e.turns if t.writer == "environment"]
    # <|im_end|> newline <|im_start|> u s e r newline ... <|im_end|> newline <|im_start|> a s s i s t a n t newline
    around = 1 + 1 + 1 + 4 + 1 + 1 + 1 + 1 + 9 + 1
    assert max(spans) == 10 + len(" [...]") + around  # a token a character


def test_steps_run_side_by_side():
    made = chat_policy()
    Counted.most = 0
    play(made, "Counted", at_once=4, max_turns=2)
    assert 2 <= Counted.most <= 4


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("nothing", {}, "no environment 'nothing'; there are calculator, gridworld"),
        ("no.such.module:X", {}, "cannot be loaded"),
        ("tests.fakes.environments:CHATML", {}, "is no class that extends"),
        ("gridworld", {"walls": 0.9}, "walls 0 to 0.5"),
        ("gridworld", {"colour": 1}, "colour"),
    ],
)
def test_a_wrong_environment_is_named_before_anything_is_played(name, settings, said):
    with pytest.raises(ConfigError, match=said):
        player(chat_policy(), name, **settings)


def test_recorded_and_trained_tokens_agree_for_rows_that_are_picked():
    made = chat_policy()
    *_, rollouts = play(made)
    picked = rollouts.groups([2, 0])
    assert (completion_logprobs(made, picked) - picked.logprobs_N_T).abs().max() < 1e-4
    assert picked.episodes == rollouts.episodes[8:] + rollouts.episodes[:4]
    assert replace(picked, episodes=None).turn_rewards_N_K().isnan().all()
