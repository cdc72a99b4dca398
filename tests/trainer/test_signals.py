from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rlar.errors import ConfigError
from rlar.trainer.context import Context
from rlar.trainer.signals import SIGNALS, signal
from tests.fakes.small_policies import policy, rollouts_of


def context(made=None, **more):
    made = made or policy()
    rollouts = rollouts_of(made, max_new_tokens=8, **more)
    return Context(rollouts, torch.zeros(3, 4), made)


def written():
    given = context()
    given.rollouts.completion_ids_N_T[:3, :4] = torch.tensor([[5, 6, 7, 8], [5, 5, 5, 5], [5, 6, 5, 6]])
    given.rollouts.lengths_N[:4] = torch.tensor([4, 4, 4, 1])
    return given


def test_brevity_is_the_unused_share_of_the_limit():
    credit = signal("brevity")(written())
    assert credit.values[:4].tolist() == [0.5, 0.5, 0.5, 0.875] and credit.per == "rollout"


def test_variety_is_the_share_of_different_bigrams():
    # 3 of 3; "55" of three; 56, 65, 56: two of three; one token has no bigram
    values = signal("variety")(written()).values[:4]
    assert values[:3].tolist() == pytest.approx([1.0, 1 / 3, 2 / 3])
    assert values[3].isnan()


def test_tokens_of_an_environment_count_neither_for_brevity_nor_for_variety():
    given = written()
    turns_N_T = torch.where(given.rollouts.mask_N_T, 0, -1)
    turns_N_T[2, 1] = -1  # 5 [6] 5 6: the policy wrote 5 5 6
    read = Context(replace(given.rollouts, turns_N_T=turns_N_T), given.rewards_P_G, given.policy)
    assert signal("brevity")(read).values[2] == 1 - 3 / 8
    assert signal("variety")(read).values[2] == 1.0  # 55 and 56


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
@pytest.mark.parametrize("token_budget", [1, 40, 8192])
def test_a_signal_may_look_at_the_logits_of_every_token_of_the_policy(kind, token_budget):
    """The entropy of each next-token distribution, against one plain forward a row."""
    given = replace(context(policy(kind)), token_budget=token_budget)

    def entropy(logits_K_V, _tokens_K):
        table = logits_K_V.log_softmax(-1)
        return -(table.exp() * table).sum(-1)

    entropies_N_T = given.over_logits(entropy)
    rollouts = given.rollouts
    for n in range(len(rollouts)):
        prompt, length = rollouts.prompts[n // 4], int(rollouts.lengths_N[n])
        ids = torch.tensor([prompt + rollouts.completion_ids_N_T[n, :length].tolist()])
        with torch.no_grad():
            logits = given.policy.model.eval()(input_ids=ids).logits[0, len(prompt) - 1 : -1]
        assert torch.allclose(entropies_N_T[n, :length], entropy(logits.float(), None), atol=1e-3)
        assert not entropies_N_T[n, length:].any()
    assert not entropies_N_T.requires_grad


def test_an_unknown_signal_names_those_that_there_are():
    with pytest.raises(
        ConfigError, match=r"no signal 'beauty'; there are brevity, certainty, information_gain, tool, variety"
    ):
        signal("beauty")
    assert set(SIGNALS) == {"brevity", "certainty", "information_gain", "tool", "variety"}
