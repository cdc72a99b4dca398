"""Policies of a few thousand parameters, made on the spot."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models
from transformers import GPT2Config, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config

from rlar.trainer.model.policy import Policy, load_policy
from rlar.trainer.rollout import LocalSampler, Rollouts

CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz+=:;[]<>?.- ACFN"
VOCABULARY = 2 + len(CHARACTERS)
PROMPTS = [[5, 6, 7], [8, 9], [3, 4, 5, 6, 7, 11, 12]]


def character_tokenizer() -> PreTrainedTokenizerFast:
    """One character a token; <pad> is 0 and <eos> is 1."""
    vocabulary = {text: i for i, text in enumerate(["<pad>", "<eos>", *CHARACTERS])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")


def config(kind: str, **more: Any) -> Any:
    """A configuration of two layers, 32 wide."""
    if kind == "gpt2":
        return GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=None, eos_token_id=1,
            resid_pdrop=0.1,
        )  # fmt: skip
    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": None,
        "eos_token_id": 1, "pad_token_id": 0, **more,
    }  # fmt: skip
    if kind == "qwen3":
        return Qwen3Config(head_dim=8, **settings)
    return {"llama": LlamaConfig, "qwen2": Qwen2Config}[kind](**settings)


def policy(kind: str = "qwen3", *, spread: float = 8.0, **options: Any) -> Policy:
    """A policy whose distributions are not flat: every matrix is `spread` times what it would be made with."""
    more = options.pop("config", {})
    made = load_policy(config(kind, **more), tokenizer=character_tokenizer(), **{"linear": "torch", **options})
    with torch.no_grad():
        for parameter in made.model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(spread)
    return made


def rollouts_of(made: Policy, *, group_size: int = 4, max_new_tokens: int = 12, seed: int = 0, **more: Any) -> Rollouts:
    return LocalSampler(made).sample(
        more.pop("prompts", PROMPTS), group_size=group_size, max_new_tokens=max_new_tokens,
        generator=torch.Generator().manual_seed(seed), **more,
    )  # fmt: skip


def gradients(made: Policy) -> dict[str, torch.Tensor]:
    return {
        name: parameter.grad.clone() for name, parameter in made.model.named_parameters() if parameter.grad is not None
    }
