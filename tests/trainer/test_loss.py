from __future__ import annotations

import copy
import math

import pytest
import torch

from rlar.errors import ConfigError
from rlar.trainer.credit import per_token
from rlar.trainer.loss import (
    LossConfig,
    clipped_loss,
    importance_weights,
    is_clipped,
    kl_estimate,
    policy_loss_backward,
    sequence_log_ratio,
    token_weights,
)
from rlar.trainer.model.logprob import completion_logprobs
from tests.fakes.small_policies import gradients, policy, rollouts_of

nan = math.nan


# ------------------------------------------------------------------------------------------ by hand


def test_ratios_are_clipped_only_where_the_advantage_pushes_on():
    ratios = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.1])
    advantages = torch.tensor([2.0, -2.0, 2.0, -2.0, 2.0])
    clip = {"clip_low": 0.2, "clip_high": 0.3}
    found = clipped_loss(ratios.log(), advantages, **clip)
    # min(3, 2.6), min(-3, -2.6), min(1, 1.6), min(-1, -1.6), min(2.2, 2.2), negated
    assert found.tolist() == pytest.approx([-2.6, 3.0, -1.0, 1.6, -2.2])
    assert is_clipped(ratios.log(), advantages, **clip).tolist() == [True, False, False, True, False]


def test_no_gradient_is_left_where_a_ratio_is_clipped():
    log_ratio = torch.tensor([0.5, -0.5], requires_grad=True)
    clipped_loss(log_ratio, torch.tensor([1.0, 1.0]), clip_low=0.2, clip_high=0.2).sum().backward()
    assert log_ratio.grad.tolist() == pytest.approx([0.0, -math.exp(-0.5)])


def test_kl_estimates_by_hand():
    now, reference = torch.log(torch.tensor([0.5, 0.2])), torch.log(torch.tensor([0.25, 0.4]))
    two = math.log(2)
    assert kl_estimate(now, reference, "k1").tolist() == pytest.approx([two, -two])
    assert kl_estimate(now, reference, "k2").tolist() == pytest.approx([two**2 / 2] * 2)
    # 0.25 / 0.5 - 1 + log 2, and 0.4 / 0.2 - 1 - log 2
    assert kl_estimate(now, reference, "k3").tolist() == pytest.approx([two - 0.5, 1 - two])
    with pytest.raises(ValueError, match="k4"):
        kl_estimate(now, reference, "k4")


@pytest.mark.parametrize("kind", ["k1", "k3"])
def test_kl_estimates_have_the_divergence_as_their_mean(kind):
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.3, 0.5])
    exact = float((p * (p / q).log()).sum())
    assert float((p * kl_estimate(p.log(), q.log(), kind)).sum()) == pytest.approx(exact, abs=1e-6)


def test_sequence_ratio_is_the_geometric_mean():
    now = torch.log(torch.tensor([[0.4, 0.9, 7.0]]))  # the last is padding
    old = torch.log(torch.tensor([[0.1, 0.9, 1.0]]))
    mask = torch.tensor([[True, True, False]])
    assert sequence_log_ratio(now, old, mask).exp().tolist() == pytest.approx([2.0])  # sqrt(4 x 1)


def test_importance_weights_are_cut_at_the_cap_and_carry_no_gradient():
    trainer = torch.log(torch.tensor([0.5, 0.1, 0.9])).requires_grad_()
    weights = importance_weights(trainer, torch.log(torch.tensor([0.25, 0.2, 0.1])), 3.0)
    assert weights.tolist() == pytest.approx([2.0, 0.5, 3.0])
    assert not weights.requires_grad


def test_token_weights_of_each_normalisation():
    lengths, counted = torch.tensor([4, 1, 5]), torch.tensor([True, True, False])
    for name, expected in {
        "token": [1 / 5, 1 / 5, 0.0],  # 4 + 1 counted tokens
        "sequence": [1 / 8, 1 / 2, 0.0],  # 2 rows of 4 and 1
        "constant": [1 / 20, 1 / 20, 0.0],  # 2 rows x 10
    }.items():
        found = token_weights(lengths, counted, normalisation=name, max_new_tokens=10)
        assert found.tolist() == pytest.approx(expected), name
    none = token_weights(lengths, torch.zeros(3, dtype=torch.bool), normalisation="token", max_new_tokens=10)
    assert none.tolist() == [0.0, 0.0, 0.0]


# ------------------------------------------------------------------------------------------ against float64


def float64_logprobs(model, rollouts, row):
    """Of one row's completion, with its table of all log-probabilities."""
    prompt, length = rollouts.prompts[row // rollouts.group_size], int(rollouts.lengths_N[row])
    ids = rollouts.completion_ids_N_T[row, :length]
    logits = model(input_ids=torch.tensor([prompt + ids.tolist()])).logits[0, len(prompt) - 1 : -1]
    table = (logits / rollouts.temperature).log_softmax(-1)
    return table.gather(1, ids[:, None]).squeeze(1), table


def float64_loss(model, rollouts, advantages_N, config, old, reference, counted):
    """The same loss written the long way: row by row, all logits, plain autograd."""
    rows = [n for n in range(len(rollouts)) if counted[n]]
    tokens = sum(int(rollouts.lengths_N[n]) for n in rows)
    total = torch.zeros((), dtype=torch.float64)
    for n in rows:
        now, table = float64_logprobs(model, rollouts, n)
        length = len(now)
        before = now.detach() if old is None else old[n, :length].double()
        a = float(advantages_N[n])
        ratio = (now - before).exp()
        if config.kind == "gspo":
            ratio = (now - before).mean().exp().expand(length)
        clipped = ratio.clamp(1 - config.clip_low, 1 + config.clip_high)
        losses = -torch.min(ratio * a, clipped * a)
        if config.importance_cap is not None:
            losses = losses * (before - rollouts.logprobs_N_T[n, :length]).exp().clamp(max=config.importance_cap)
        if config.beta:
            gap = now - (before if reference is None else reference[n, :length].double())
            losses = losses + config.beta * {"k1": gap, "k2": gap**2 / 2, "k3": (-gap).exp() - 1 + gap}[config.kl]
        losses = losses - config.entropy_bonus * -(table.exp() * table).sum(-1)
        share = {
            "token": 1 / tokens, "sequence": 1 / (len(rows) * length), "constant": 1 / (len(rows) * rollouts.max_new_tokens)
        }[config.normalisation]  # fmt: skip
        total = total + share * losses.sum()
    return total


CASES = {
    "on-policy": (LossConfig(), False),
    "sequence": (LossConfig(normalisation="sequence"), False),
    "constant": (LossConfig(normalisation="constant"), False),
    "off-policy": (LossConfig(), True),
    "clip-higher": (LossConfig(clip_low=0.1, clip_high=0.28, normalisation="sequence"), True),
    "gspo on-policy": (LossConfig(kind="gspo", normalisation="sequence"), False),
    "gspo": (LossConfig(kind="gspo", clip_low=0.05, clip_high=0.05, normalisation="sequence"), True),
    "k1": (LossConfig(beta=0.3, kl="k1"), False),
    "k2": (LossConfig(beta=0.3, kl="k2"), True),
    "k3": (LossConfig(beta=0.3, kl="k3"), False),
    "entropy": (LossConfig(entropy_bonus=0.2), False),
    "importance": (LossConfig(importance_cap=1.1), False),
    "all": (LossConfig(beta=0.1, entropy_bonus=0.05, importance_cap=1.2, normalisation="constant"), True),
    "overlong": (LossConfig(mask_overlong=True), False),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
def test_loss_and_gradients_are_those_of_float64(name, kind):
    config, off_policy = CASES[name]
    made = policy(kind, spread=5.0)
    rollouts = rollouts_of(made, temperature=0.8, max_new_tokens=10)
    noise = torch.Generator().manual_seed(1)
    old = (
        rollouts.logprobs_N_T + 0.3 * torch.randn(rollouts.logprobs_N_T.shape, generator=noise) if off_policy else None
    )
    reference = rollouts.logprobs_N_T + 0.3 * torch.randn(rollouts.logprobs_N_T.shape, generator=noise)
    if config.importance_cap:  # a sampler whose numbers are off
        rollouts.logprobs_N_T.add_(0.3 * torch.randn(rollouts.logprobs_N_T.shape, generator=noise))
    advantages_N = torch.randn(12, generator=noise)
    advantages_N[3] = nan  # unscored
    advantages_N[4:8] = 0.0  # nothing to learn
    counted = ~advantages_N.isnan() & (rollouts.finished_N | (not config.mask_overlong))

    stats = policy_loss_backward(
        made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=config, token_budget=50, old_logprobs=old,
        reference=reference if config.beta else None,
    )  # fmt: skip

    exact = copy.deepcopy(made.model).double()
    exact.zero_grad()
    expected = float64_loss(exact, rollouts, advantages_N, config, old, reference, counted)
    expected.backward()
    assert stats.loss == pytest.approx(float(expected.detach()), abs=1e-5)
    assert stats.counted_rows == int(counted.sum())
    mine = gradients(made)
    for parameter_name, parameter in exact.named_parameters():
        if parameter.grad is not None:
            gap = (mine[parameter_name].double() - parameter.grad).abs().max()
            assert gap < 2e-5 * (1 + float(parameter.grad.abs().max())), parameter_name


def test_the_gradient_points_where_the_loss_grows():
    """Finite differences, so that nothing of autograd is taken on trust."""
    made = policy("qwen3", spread=4.0)
    rollouts = rollouts_of(made)
    advantages_N = torch.randn(12, generator=torch.Generator().manual_seed(0))
    old = rollouts.logprobs_N_T.clone()
    config = LossConfig(clip_low=0.9, clip_high=9.0)
    policy_loss_backward(made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=config, old_logprobs=old)
    generator = torch.Generator().manual_seed(2)
    directions = [torch.randn(p.shape, generator=generator) for p in made.parameters()]
    directions[0][0] = 0.0  # the embedding of the padding token is held at zero and gets no gradient
    slope = sum(float((p.grad * d).double().sum()) for p, d in zip(made.parameters(), directions, strict=True))

    def loss_at(step):
        moved = copy.deepcopy(made.model).double()
        with torch.no_grad():
            for p, d in zip(moved.parameters(), directions, strict=True):
                p += step * d
            return float(float64_loss(moved, rollouts, advantages_N, config, old, None, [True] * 12))

    assert (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5 == pytest.approx(slope, rel=1e-3)


# ------------------------------------------------------------------------------------------ what must not matter


@pytest.mark.parametrize("token_budget", [1, 20, 60, 10_000])
def test_the_token_budget_changes_nothing_but_memory(token_budget):
    made = policy()
    rollouts = rollouts_of(made)
    advantages_N = torch.randn(12, generator=torch.Generator().manual_seed(0))
    config = LossConfig(entropy_bonus=0.01)
    whole = policy_loss_backward(
        made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=config, token_budget=10_000
    )
    expected = gradients(made)
    made.model.zero_grad()
    found = policy_loss_backward(
        made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=config, token_budget=token_budget
    )
    assert found.loss == pytest.approx(whole.loss, abs=1e-6)
    assert found.micro_batches == (12 if token_budget == 1 else found.micro_batches)
    for name, grad in gradients(made).items():
        assert torch.allclose(grad, expected[name], atol=1e-5), name


def test_gradients_add_up_over_calls():
    made = policy()
    rollouts = rollouts_of(made)
    advantages_N = torch.randn(12)
    policy_loss_backward(made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig())
    once = gradients(made)
    policy_loss_backward(made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig())
    assert all(torch.allclose(grad, 2 * once[name], atol=1e-6) for name, grad in gradients(made).items())


def test_rows_without_a_gradient_are_never_computed_and_still_counted():
    made = policy()
    rollouts = rollouts_of(made)
    advantages_N = torch.zeros(12)
    advantages_N[:2] = torch.tensor([1.0, -1.0])
    stats = policy_loss_backward(made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig())
    assert (stats.rows, stats.skipped_rows, stats.counted_rows) == (2, 10, 12)
    assert stats.tokens == int(rollouts.lengths_N[:2].sum())
    lean = gradients(made)
    made.model.zero_grad()
    held = policy_loss_backward(
        made,
        rollouts,
        per_token(advantages_N, rollouts.mask_N_T),
        config=LossConfig(beta=1e-12),
        reference=rollouts.logprobs_N_T,
    )
    assert held.rows == 12  # a KL term acts on every row
    assert all(torch.allclose(grad, lean[name], atol=1e-6) for name, grad in gradients(made).items())


def test_nothing_to_learn_leaves_the_gradients_alone():
    made = policy()
    rollouts = rollouts_of(made)
    for advantages_N in (torch.zeros(12), torch.full((12,), nan)):
        stats = policy_loss_backward(made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig())
        assert (stats.loss, stats.rows, stats.micro_batches) == (0.0, 0, 0)
    assert gradients(made) == {}


def test_unscored_rows_do_not_count_in_the_denominator():
    made = policy()
    rollouts = rollouts_of(made)
    advantages_N = torch.randn(12)
    counted_N = torch.tensor([True] * 8 + [False] * 4)
    some = policy_loss_backward(
        made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig(), counted_N=counted_N
    )
    by_mask = gradients(made)
    made.model.zero_grad()
    alone = policy_loss_backward(
        made,
        rollouts.groups([0, 1]),
        per_token(advantages_N[:8], rollouts.groups([0, 1]).mask_N_T),
        config=LossConfig(),
    )
    assert some.loss == pytest.approx(alone.loss, abs=1e-6)
    assert all(torch.allclose(grad, by_mask[name], atol=1e-6) for name, grad in gradients(made).items())


# ------------------------------------------------------------------------------------------ statistics


def test_on_policy_statistics_are_those_of_no_change():
    made = policy()
    rollouts = rollouts_of(made)
    stats = policy_loss_backward(
        made,
        rollouts,
        per_token(torch.randn(12), rollouts.mask_N_T),
        config=LossConfig(beta=0.1, importance_cap=2.0),
        reference=made.reference(),
    )
    assert stats.kl == pytest.approx(0.0, abs=1e-6)
    assert (stats.policy_kl, stats.clip_fraction, stats.capped_fraction) == (0.0, 0.0, 0.0)
    assert stats.importance_mean == pytest.approx(1.0, abs=1e-5)


def test_exact_entropy_and_its_estimate_are_near():
    made = policy(spread=4.0)
    rollouts = rollouts_of(made, group_size=64)
    estimate = policy_loss_backward(
        made, rollouts, per_token(torch.randn(192), rollouts.mask_N_T), config=LossConfig()
    ).entropy
    exact = policy_loss_backward(
        made, rollouts, per_token(torch.randn(192), rollouts.mask_N_T), config=LossConfig(entropy_bonus=1e-9)
    ).entropy
    assert estimate == pytest.approx(exact, rel=0.1)


def test_off_policy_statistics_count_what_was_clipped():
    made = policy()
    rollouts = rollouts_of(made)
    old = completion_logprobs(made, rollouts) - math.log(1.5) * rollouts.mask_N_T  # every ratio is 1.5
    stats = policy_loss_backward(
        made, rollouts, per_token(torch.ones(12), rollouts.mask_N_T), config=LossConfig(), old_logprobs=old
    )
    assert stats.clip_fraction == 1.0
    assert stats.loss == pytest.approx(-1.2, abs=1e-4)
    assert stats.policy_kl == pytest.approx(1 / 1.5 - 1 + math.log(1.5), abs=1e-4)
    assert all(float(grad.abs().max()) == 0.0 for grad in gradients(made).values())


def test_a_bonus_raises_entropy_and_a_penalty_on_divergence_brings_back():
    made = policy(spread=6.0)
    reference = made.reference()
    optimiser = torch.optim.SGD(made.parameters(), lr=0.05)
    rollouts = rollouts_of(made, group_size=16)
    first = policy_loss_backward(
        made, rollouts, per_token(torch.zeros(48), rollouts.mask_N_T), config=LossConfig(entropy_bonus=1.0)
    )
    optimiser.step()
    made.model.zero_grad()
    after = policy_loss_backward(
        made, rollouts, per_token(torch.zeros(48), rollouts.mask_N_T), config=LossConfig(entropy_bonus=1.0)
    )
    assert after.entropy > first.entropy
    optimiser.step()
    made.model.zero_grad()
    config = LossConfig(beta=1.0, kl="k2")
    drifted = policy_loss_backward(
        made, rollouts, per_token(torch.zeros(48), rollouts.mask_N_T), config=config, reference=reference
    )
    for _ in range(5):
        torch.optim.SGD(made.parameters(), lr=0.01).step()
        made.model.zero_grad()
        back = policy_loss_backward(
            made, rollouts, per_token(torch.zeros(48), rollouts.mask_N_T), config=config, reference=reference
        )
    assert drifted.kl is not None and back.kl is not None and 0 < back.kl < drifted.kl


def test_divergence_without_a_reference_is_refused_or_is_from_the_old_policy():
    made = policy()
    rollouts = rollouts_of(made)
    with pytest.raises(ConfigError, match="reference"):
        policy_loss_backward(made, rollouts, per_token(torch.ones(12), rollouts.mask_N_T), config=LossConfig(beta=0.1))
    old = rollouts.logprobs_N_T - 0.1
    stats = policy_loss_backward(
        made, rollouts, per_token(torch.ones(12), rollouts.mask_N_T), config=LossConfig(beta=0.1), old_logprobs=old
    )
    assert stats.kl == pytest.approx(math.exp(-0.1) - 1 + 0.1, abs=1e-4)


def test_a_broken_model_gives_a_loss_that_is_not_finite():
    made = policy()
    rollouts = rollouts_of(made)
    with torch.no_grad():
        made.model.model.norm.weight.fill_(nan)
    assert math.isnan(
        policy_loss_backward(made, rollouts, per_token(torch.ones(12), rollouts.mask_N_T), config=LossConfig()).loss
    )


def test_training_raises_the_reward():
    """A few steps towards a token: sign errors anywhere would turn this round."""
    made = policy(spread=2.0)
    optimiser = torch.optim.AdamW(made.parameters(), lr=3e-3)
    rewards = []
    for step in range(12):
        rollouts = rollouts_of(made, group_size=16, max_new_tokens=6, seed=step)
        share = ((rollouts.completion_ids_N_T >= 30) & rollouts.mask_N_T).sum(1) / rollouts.lengths_N
        rewards.append(float(share.mean()))
        advantages_N = (share.view(3, 16) - share.view(3, 16).mean(1, keepdim=True)).flatten()
        policy_loss_backward(made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig())
        optimiser.step()
        optimiser.zero_grad()
    assert rewards[-1] > rewards[0] + 0.15
