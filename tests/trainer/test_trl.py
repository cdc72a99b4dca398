"""The same batch through TRL's own loss: skipped where trl is not installed."""

from __future__ import annotations

import math

import pytest
import torch

from rlar.trainer.advantage import group_advantages
from rlar.trainer.credit import per_token
from rlar.trainer.loss import LossConfig, policy_loss_backward
from tests.fakes.small_policies import gradients, policy, rollouts_of

pytest.importorskip("trl")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    made = policy("qwen3", spread=4.0)
    made.tokenizer.padding_side = "left"
    settings = GRPOConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")), num_generations=4, per_device_train_batch_size=12, use_cpu=True,
        max_completion_length=12, report_to=[], gradient_checkpointing=False, bf16=False, max_steps=1,
    )  # fmt: skip
    made_trainer = GRPOTrainer(
        model=made.model, reward_funcs=[lambda completions, **_: [0.0] * len(completions)], args=settings,
        train_dataset=Dataset.from_list([{"prompt": "1"}] * 12), processing_class=made.tokenizer,
    )  # fmt: skip
    made_trainer.current_gradient_accumulation_steps = 1
    return made, made_trainer


def inputs_of(rollouts, advantages_N, old, reference):
    """A batch in TRL's shape: prompts padded on the left."""
    width = max(len(prompt) for prompt in rollouts.prompts)
    rows = [rollouts.prompts[n // rollouts.group_size] for n in range(len(rollouts))]
    inputs = {
        "prompt_ids": torch.tensor([[0] * (width - len(row)) + row for row in rows]),
        "prompt_mask": torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows]),
        "completion_ids": rollouts.completion_ids_N_T,
        "completion_mask": rollouts.mask_N_T.long(),
        "advantages": advantages_N,
        "num_items_in_batch": rollouts.lengths_N.sum(),
    }
    if old is not None:
        inputs["old_per_token_logps"] = old
    if reference is not None:
        inputs["ref_per_token_logps"] = reference
    return inputs


LOSSES = {
    "dapo": LossConfig(clip_high=0.28),
    "grpo": LossConfig(normalisation="sequence"),
    "dr_grpo": LossConfig(normalisation="constant"),
    "gspo": LossConfig(kind="gspo", normalisation="sequence", clip_low=0.03, clip_high=0.04),
    "kl": LossConfig(normalisation="sequence", beta=0.2),
}


@pytest.mark.parametrize("off_policy", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_gradients_equal_trls_to_a_millionth(trainer, name, off_policy):
    made, theirs = trainer
    config = LOSSES[name]
    rollouts = rollouts_of(made, seed=len(name))
    noise = torch.Generator().manual_seed(5)
    shape = rollouts.logprobs_N_T.shape
    old = rollouts.logprobs_N_T + 0.2 * torch.randn(shape, generator=noise) if off_policy else None
    reference = rollouts.logprobs_N_T + 0.2 * torch.randn(shape, generator=noise) if config.beta else None
    advantages_N = torch.randn(12, generator=noise)

    theirs.loss_type = name if name in ("dapo", "grpo", "dr_grpo") else "grpo"
    theirs.importance_sampling_level = "sequence" if config.kind == "gspo" else "token"
    theirs.beta, theirs.epsilon_low, theirs.epsilon_high = config.beta, config.clip_low, config.clip_high
    theirs.args.use_bias_correction_kl = False  # its default weighs the estimate by the ratio
    made.model.train()
    made.model.zero_grad()
    expected_loss = theirs._compute_loss(made.model, inputs_of(rollouts, advantages_N, old, reference))
    expected_loss.backward()
    expected = gradients(made)
    made.model.zero_grad()
    stats = policy_loss_backward(
        made,
        rollouts,
        per_token(advantages_N, rollouts.mask_N_T),
        config=config,
        token_budget=60,
        old_logprobs=old,
        reference=reference,
    )
    assert stats.loss == pytest.approx(float(expected_loss.detach()), abs=1e-6)
    for parameter, grad in gradients(made).items():
        assert (grad - expected[parameter]).abs().max() < 1e-6, parameter


def test_advantages_equal_trls_but_for_the_kind_of_deviation():
    from trl.trainer.utils import nanstd

    torch.manual_seed(0)
    rewards = torch.rand(6, 8)
    rewards[0, 3] = rewards[2, :5] = math.nan
    mean = rewards.nanmean(1, keepdim=True)
    sample_deviation = nanstd(rewards, dim=1)[:, None]
    centred = torch.nan_to_num(rewards - mean, nan=0.0)
    assert torch.allclose(group_advantages(rewards, estimator="dr_grpo"), centred, atol=1e-6)
    counts = (~rewards.isnan()).sum(1, keepdim=True)
    population = sample_deviation * ((counts - 1) / counts).sqrt()  # TRL divides by n - 1, the paper by n
    assert torch.allclose(group_advantages(rewards), centred / (population + 1e-4), atol=1e-5)
