from __future__ import annotations

import pytest
import torch
from transformers import Gemma2Config

from rlar.errors import ConfigError
from rlar.trainer.credit import per_token
from rlar.trainer.loss import LossConfig, policy_loss_backward
from rlar.trainer.model.batch import micro_batches, plan_rows
from rlar.trainer.model.logprob import completion_logprobs
from rlar.trainer.model.policy import load_policy
from rlar.trainer.rollout import LocalSampler, cut_at_stop, join_rollouts
from rlar.types import Example, Message
from tests.fakes.small_policies import PROMPTS, character_tokenizer, config, gradients, policy, rollouts_of

KINDS = ["qwen3", "qwen2", "llama", "gpt2"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_recorded_logprobs_are_those_of_the_plain_model(kind, temperature):
    made = policy(kind)
    rollouts = rollouts_of(made, temperature=temperature)
    for row in range(len(rollouts)):
        prompt, length = rollouts.prompts[row // 4], int(rollouts.lengths_N[row])
        ids = rollouts.completion_ids_N_T[row, :length]
        with torch.no_grad():
            logits = made.model(input_ids=torch.tensor([prompt + ids.tolist()])).logits[0, len(prompt) - 1 : -1]
        exact = (logits.double() / (temperature or 1.0)).log_softmax(-1).gather(1, ids[:, None]).squeeze(1)
        assert (rollouts.logprobs_N_T[row, :length] - exact).abs().max() < 1e-4
        assert (rollouts.logprobs_N_T[row, length:] == 0).all()
    assert (completion_logprobs(made, rollouts, token_budget=30) - rollouts.logprobs_N_T).abs().max() < 1e-4


@pytest.mark.parametrize("kind", ["qwen3", "llama", "gpt2"])
def test_rows_end_at_the_end_token_and_only_there(kind):
    made = policy(kind)
    rollouts = rollouts_of(made, group_size=16, max_new_tokens=30)
    assert 0 < int(rollouts.finished_N.sum()) < len(rollouts)  # some of either kind
    for ids, length, finished, text in zip(
        rollouts.completion_ids_N_T.tolist(), rollouts.lengths_N.tolist(), rollouts.finished_N.tolist(),
        rollouts.texts, strict=True,
    ):  # fmt: skip
        assert (1 in ids[:length]) == finished
        assert (ids[length - 1] == 1) if finished else length == 30
        assert all(token == 0 for token in ids[length:])
        assert "<eos>" not in text


def test_groups_are_sampled_from_their_own_prompt_whatever_the_others_are():
    made = policy()
    together = rollouts_of(made, temperature=0.0, group_size=2)
    for place, prompt in enumerate(PROMPTS):
        alone = rollouts_of(made, temperature=0.0, group_size=1, prompts=[prompt])
        length = int(alone.lengths_N[0])
        for row in (2 * place, 2 * place + 1):
            assert int(together.lengths_N[row]) == length
            assert together.completion_ids_N_T[row, :length].equal(alone.completion_ids_N_T[0, :length])


@pytest.mark.parametrize("cache_bytes", [1, 40_000, 1 << 30])
def test_a_small_cache_changes_nothing_but_the_lots(cache_bytes):
    made = policy()
    sampler = LocalSampler(made, cache_bytes=cache_bytes)
    found = sampler.sample(PROMPTS * 4, group_size=2, max_new_tokens=9, temperature=0.0)
    expected = rollouts_of(made, prompts=PROMPTS * 4, group_size=2, max_new_tokens=9, temperature=0.0)
    assert found.texts == expected.texts
    assert torch.allclose(found.logprobs_N_T, expected.logprobs_N_T, atol=1e-5)


def test_very_unequal_prompts_are_decoded_apart_and_stay_right():
    made = policy()
    prompts = [[3 + i % 5, 4] for i in range(10)] + [[5 + i % 40 for i in range(k)] for k in (20, 45)]
    assert len(made.network.split(prompts)) == 1
    made.network.split([[3]] * 10 + [[4] * 500])  # 500 > 2 * 1 + 64
    assert len(made.network.split([[3]] * 10 + [[4] * 500])) == 2
    rollouts = rollouts_of(made, prompts=prompts)
    assert (completion_logprobs(made, rollouts) - rollouts.logprobs_N_T).abs().max() < 1e-4


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
def test_stop_strings_end_a_row_and_leave_the_text(kind):
    made = policy(kind, spread=1.0)
    rollouts = rollouts_of(made, group_size=32, max_new_tokens=25, stop=["a", "5:"])
    hits = 0
    for ids, length, text in zip(
        rollouts.completion_ids_N_T.tolist(), rollouts.lengths_N.tolist(), rollouts.texts, strict=True
    ):
        whole = made.decode(ids[:length])
        assert "a" not in whole[:-1] and "5:" not in whole[:-1]
        assert "a" not in text and "5:" not in text
        hits += whole != text
    assert hits > 5
    assert cut_at_stop("one END two STOP", ["STOP", "END"]) == "one "


def test_sampling_repeats_with_the_seed():
    made = policy()
    first, second, other = (rollouts_of(made, seed=seed) for seed in (4, 4, 5))
    assert first.texts == second.texts != other.texts


@pytest.mark.parametrize("kind", ["qwen3", "qwen2", "llama"])
@pytest.mark.parametrize("tied", [True, False])
def test_fast_and_own_forward_give_the_same_gradients(kind, tied):
    fast = policy(kind, config={"tie_word_embeddings": tied}, spread=4.0)
    own = policy(kind, config={"tie_word_embeddings": tied}, spread=4.0, fast=False)
    assert (fast.network.name, own.network.name) == ("fast", "transformers")
    rollouts = rollouts_of(fast)
    advantages_N = torch.randn(len(rollouts), generator=torch.Generator().manual_seed(0))
    losses = [
        policy_loss_backward(
            made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig(), token_budget=60
        ).loss
        for made in (fast, own)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    expected = gradients(own)
    for name, grad in gradients(fast).items():
        assert (grad - expected[name]).abs().max() < 1e-5 * (1 + float(expected[name].abs().max())), name


@pytest.mark.parametrize("fast", [True, False])
def test_checkpointed_activations_give_the_same_gradients(fast):
    plain, saved = policy(fast=fast), policy(fast=fast, checkpoint_activations=True)
    rollouts = rollouts_of(plain)
    for made in (plain, saved):
        policy_loss_backward(
            made,
            rollouts,
            per_token(torch.randn(12, generator=torch.Generator().manual_seed(0)), rollouts.mask_N_T),
            config=LossConfig(),
        )
    expected = gradients(plain)
    assert all(torch.allclose(grad, expected[name], atol=1e-6) for name, grad in gradients(saved).items())


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
def test_bfloat16_stays_near_and_keeps_float32_weights(kind):
    exact, rough = policy(kind, spread=3.0), policy(kind, spread=3.0, dtype=torch.bfloat16)
    rollouts = rollouts_of(exact)
    assert (completion_logprobs(rough, rollouts) - rollouts.logprobs_N_T).abs().max() < 0.2
    rough_rollouts = rollouts_of(rough)
    again = completion_logprobs(rough, rough_rollouts)
    assert (again - rough_rollouts.logprobs_N_T).abs().mean() < 0.02
    advantages_N = torch.randn(12, generator=torch.Generator().manual_seed(0))
    for made in (exact, rough):
        policy_loss_backward(made, rollouts, per_token(advantages_N, rollouts.mask_N_T), config=LossConfig())
    one, two = (torch.cat([grad.flatten() for grad in gradients(made).values()]) for made in (exact, rough))
    assert two.dtype == torch.float32
    assert float(torch.nn.functional.cosine_similarity(one, two, dim=0)) > 0.98


def test_an_output_that_is_more_than_a_product_is_taken_from_the_model():
    settings = Gemma2Config(
        vocab_size=54, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=64, sliding_window=8, eos_token_id=1, pad_token_id=0,
        bos_token_id=None, final_logit_softcapping=0.5,
    )  # fmt: skip
    made = load_policy(settings, tokenizer=character_tokenizer())
    assert not made.network.linear_head
    rollouts = rollouts_of(made, max_new_tokens=20)
    assert (completion_logprobs(made, rollouts) - rollouts.logprobs_N_T).abs().max() < 1e-4
    stats = policy_loss_backward(
        made, rollouts, per_token(torch.randn(12), rollouts.mask_N_T), config=LossConfig(entropy_bonus=0.01)
    )
    assert stats.entropy == pytest.approx(torch.log(torch.tensor(54.0)).item(), abs=0.1)  # capped at 0.5: nearly flat


def test_a_model_with_a_sliding_window_is_not_taken_by_the_fast_forward():
    made = policy("qwen2", config={"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0})
    assert made.network.name == "transformers"
    rollouts = rollouts_of(made)
    assert (completion_logprobs(made, rollouts) - rollouts.logprobs_N_T).abs().max() < 1e-4


def test_lora_trains_adapters_only_and_its_reference_is_the_model_without_them():
    pytest.importorskip("peft")
    made = policy("qwen3", lora={"r": 4, "target_modules": ["q_proj", "v_proj"]}, spread=2.0)
    with torch.no_grad():
        for name, parameter in made.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    rollouts = rollouts_of(made)
    assert (completion_logprobs(made, rollouts) - rollouts.logprobs_N_T).abs().max() < 1e-4
    reference = completion_logprobs(made.reference(), rollouts)
    assert (reference - rollouts.logprobs_N_T).abs().max() > 0.01
    policy_loss_backward(
        made,
        rollouts,
        per_token(torch.randn(12), rollouts.mask_N_T),
        config=LossConfig(beta=0.1),
        reference=made.reference(),
    )
    trained = set(gradients(made))
    assert trained and all("lora" in name for name in trained)
    assert len(made.parameters()) == len(trained)


def test_a_reference_stays_as_it_was():
    made = policy()
    reference = made.reference()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1)
    rollouts = rollouts_of(made)
    assert (completion_logprobs(reference, rollouts) - completion_logprobs(made, rollouts)).abs().max() > 0.01
    assert not any(parameter.requires_grad for parameter in reference.model.parameters())


# ------------------------------------------------------------------------------------------ batches


def test_micro_batches_hold_every_row_once_within_the_budget():
    r = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 50, (40,), generator=r).tolist()
    prompt_lengths = torch.randint(1, 30, (10,), generator=r).tolist()
    plan = plan_rows(lengths, prompt_lengths, range(40), group_size=4, token_budget=120)
    assert sorted(row for batch in plan for row in batch) == list(range(40))
    for batch in plan:
        groups = {row // 4 for row in batch}
        used = sum(lengths[row] for row in batch) + sum(prompt_lengths[group] for group in groups)
        assert used <= 120 or len(batch) == 1


def test_a_row_beyond_the_budget_goes_alone():
    assert plan_rows([500, 2, 3], [4], [0, 1, 2], group_size=3, token_budget=20) == [[1, 2], [0]]


def test_packed_tokens_are_the_rows_tokens_in_order():
    ids = torch.arange(1, 13).view(3, 4)
    (batch,) = micro_batches([[9], [8], [7]], ids, torch.tensor([2, 0, 4]), group_size=1, token_budget=100)
    assert batch.rows_R.tolist() == [0, 2]  # the row without a token is left out
    assert batch.targets_M.tolist() == [1, 2, 9, 10, 11, 12]
    assert batch.row_of_M.tolist() == [0, 0, 1, 1, 1, 1]
    assert batch.packed(ids * 10).tolist() == [10, 20, 90, 100, 110, 120]


def test_rollouts_can_be_picked_and_joined():
    made = policy()
    rollouts = rollouts_of(made)
    both = join_rollouts([rollouts.groups([2]), rollouts.groups([0])])
    assert both.prompts == [PROMPTS[2], PROMPTS[0]]
    assert both.texts == rollouts.texts[8:12] + rollouts.texts[:4]
    assert (completion_logprobs(made, both) - both.logprobs_N_T).abs().max() < 1e-4


# ------------------------------------------------------------------------------------------ bad input


def test_bad_settings_and_prompts_are_named_before_anything_is_computed():
    sampler = LocalSampler(policy())
    with pytest.raises(ConfigError, match="prompt 1 has 60 tokens"):
        sampler.sample([[3], [3] * 60], group_size=1, max_new_tokens=10)
    with pytest.raises(ConfigError, match="prompt 0 has no tokens"):
        sampler.sample([[]], group_size=1, max_new_tokens=10)
    for bad in ({"temperature": -1.0}, {"top_p": 0.0}, {"max_new_tokens": 0}):
        with pytest.raises(ConfigError):
            sampler.sample([[3]], **{"group_size": 1, "max_new_tokens": 4, **bad})


def test_a_tokenizer_that_does_not_belong_is_refused():
    with pytest.raises(ConfigError, match="do not belong together"):
        load_policy(config("llama", vocab_size=20), tokenizer=character_tokenizer())
    with pytest.raises(ConfigError, match="needs a tokenizer"):
        load_policy(config("llama"))


def test_prompts_are_encoded_with_or_without_a_chat_template():
    made = policy()
    example = Example(id="1", prompt=(Message(role="user", content="2+3="),), origin="x:1")
    assert made.decode(made.encode_prompt(example)) == "2+3="
    made.tokenizer.chat_template = (
        "{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}A:{% endif %}"
    )
    assert made.decode(made.encode_prompt(example)) == "[2+3=]A:"
    with pytest.raises(ConfigError, match="no tokens"):
        made.tokenizer.chat_template = None
        made.encode_prompt(Example(id="2", prompt=(Message(role="user", content=""),), origin="x:2"))


def test_a_model_without_a_pad_token_works():
    tokenizer = character_tokenizer()
    tokenizer.pad_token = None
    made = load_policy(config("llama", pad_token_id=None), tokenizer=tokenizer)
    assert made.pad_id == 1
    rollouts = rollouts_of(made)
    assert (completion_logprobs(made, rollouts) - rollouts.logprobs_N_T).abs().max() < 1e-4


def test_no_prompts_give_no_rollouts():
    assert len(rollouts_of(policy(), prompts=[])) == 0


def test_one_token_completions_train():
    made = policy()
    rollouts = rollouts_of(made, max_new_tokens=1)
    stats = policy_loss_backward(made, rollouts, per_token(torch.randn(12), rollouts.mask_N_T), config=LossConfig())
    assert stats.tokens == 12 and gradients(made)
