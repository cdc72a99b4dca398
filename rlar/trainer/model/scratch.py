"""A small model made from nothing: a character tokenizer from the rows, a Qwen3-shaped network, a supervised warm-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rlar.errors import ConfigError, DatasetError
from rlar.rows.read import RowStats, completions_of, usable_rows
from rlar.trainer.config import TrainConfig, WarmupConfig

if TYPE_CHECKING:
    from rlar.trainer.model.policy import Policy

PAD, END, UNKNOWN = "<pad>", "<eos>", "<unk>"
LARGEST_ALPHABET = 4_000
CONTEXT = 1_024


def character_tokenizer(texts: Iterable[str]) -> Any:
    """A `transformers` tokenizer with one token a character of the texts, in a fixed order."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    characters = sorted({character for text in texts for character in text})
    if len(characters) > LARGEST_ALPHABET:
        raise ConfigError(
            f"{len(characters):,} different characters are too many for a character model; name a model: [model] name = ..."
        )
    vocabulary = {token: index for index, token in enumerate([PAD, END, UNKNOWN, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, unk_token=UNKNOWN, clean_up_tokenization_spaces=False
    )


def scratch_policy(config: TrainConfig, texts: Iterable[str], **options: Any) -> Policy:
    """A policy with random weights of the sizes in `config.model.scratch`."""
    from transformers import Qwen3Config

    from rlar.trainer.model.policy import load_policy

    tokenizer = character_tokenizer(texts)
    sizes = dict(config.model.scratch)
    for name in sizes.keys() - Qwen3Config().to_dict().keys() - {"head_dim"}:
        raise ConfigError(f"model.scratch: a Qwen3 model has no {name!r}")
    try:
        heads = int(sizes.setdefault("num_attention_heads", 4))
        sizes.setdefault("num_key_value_heads", heads)
        sizes.setdefault("head_dim", int(sizes.get("hidden_size", 128)) // heads)
        sizes.setdefault("max_position_embeddings", CONTEXT)
        shape = Qwen3Config(
            vocab_size=len(tokenizer),
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
            **sizes,
        )
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"model.scratch: {error}") from error
    return load_policy(shape, tokenizer=tokenizer, seed=config.seed, **options)


def warm_up(
    policy: Policy, config: WarmupConfig, *, token_budget: int, seed: int, emit: Callable[[dict[str, Any]], None]
) -> None:
    """Supervised steps on prompt-completion rows: the policy gradient with every advantage 1 is the gradient of the likelihood."""
    import numpy as np
    import torch

    from rlar.trainer.config import LossConfig
    from rlar.trainer.loss import policy_loss_backward
    from rlar.trainer.model.logprob import completion_logprobs

    pairs = warmup_pairs(policy, config)
    optimiser = torch.optim.AdamW(policy.parameters(), lr=config.learning_rate, weight_decay=0.0)
    draws = np.random.default_rng([seed, 11])
    for step in range(config.steps):
        rate = config.learning_rate * min(1.0, (step + 1) / 40) * (1 - 0.9 * step / config.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        chosen = [pairs[index] for index in draws.integers(0, len(pairs), config.batch_size)]
        given = supervised_rollouts(policy, chosen)
        is_logged = step % 50 == 0 or step == config.steps - 1
        if is_logged:
            loss = -float(completion_logprobs(policy, given, token_budget=token_budget)[given.mask_N_T].mean())
        policy_loss_backward(policy, given, given.mask_N_T.float(), config=LossConfig(), token_budget=token_budget)
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if is_logged:
            emit({"event": "warmup", "step": step + 1, "steps": config.steps, "loss": loss})


def warmup_pairs(policy: Policy, config: WarmupConfig) -> list[tuple[list[int], list[int]]]:
    """(prompt ids, completion ids with the end token) of the warm-up rows that fit. Raises DatasetError for one without."""
    pairs = []
    for example in usable_rows([config.dataset], RowStats()):
        prompt = policy.encode_prompt(example)
        completion = [*policy.tokenizer(completions_of(example.columns)[0])["input_ids"], *policy.eos_ids[:1]]
        if policy.context is None or len(prompt) + len(completion) <= policy.context:
            pairs.append((prompt, completion))
    if not pairs:
        raise DatasetError(f"{config.dataset}: no warm-up rows that fit the model")
    return pairs


def supervised_rollouts(policy: Policy, pairs: Sequence[tuple[list[int], list[int]]]) -> Any:
    """Given completions in the shape of rollouts, one a prompt."""
    import torch

    from rlar.trainer.rollout import Rollouts

    lengths = torch.tensor([len(completion) for _prompt, completion in pairs])
    width = int(lengths.max())
    ids = torch.tensor([completion + [policy.pad_id] * (width - len(completion)) for _prompt, completion in pairs])
    return Rollouts(
        prompts=[prompt for prompt, _completion in pairs],
        completion_ids_N_T=ids,
        lengths_N=lengths,
        logprobs_N_T=torch.zeros(len(pairs), width),
        finished_N=torch.ones(len(pairs), dtype=torch.bool),
        texts=["" for _ in pairs],
        group_size=1,
        temperature=1.0,
        max_new_tokens=width,
    )
