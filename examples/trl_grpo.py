"""GRPO with TRL on a mix of tasks, rewards from a registry: a tiny random model, so that it runs anywhere in a minute.

    pip install 'rlar[trl]'
    rlar agent build-tools --dataset examples/mix.jsonl --registry demo/registry.db
    rlar data export --registry demo/registry.db --dataset examples/mix.jsonl --to trl --output demo/trl.jsonl
    python examples/trl_grpo.py demo/registry.db demo/trl.jsonl

For a real run replace MODEL and the settings, and leave the rest as it is.
"""

from __future__ import annotations

import sys

from datasets import load_dataset
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM
from trl import GRPOConfig, GRPOTrainer

from rlar.integrations.trl import RLARReward

MODEL = None
"""E.g. "Qwen/Qwen3-0.6B"; None: a random model over bytes that learns nothing in three steps."""


def tiny_model() -> tuple[Qwen3ForCausalLM, object]:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: index for index, word in enumerate(["<pad>", "<eos>", *alphabet])}
    raw = Tokenizer(models.BPE(vocab=words, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", padding_side="left")
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    config = Qwen3Config(
        vocab_size=len(words), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=4096, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return Qwen3ForCausalLM(config), tokenizer


def main() -> None:
    registry, data = sys.argv[1:3]
    if MODEL is None:
        model, tokenizer = tiny_model()
    else:
        model, tokenizer = MODEL, AutoTokenizer.from_pretrained(MODEL)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=RLARReward(registry),
        args=GRPOConfig(
            output_dir="demo/trl", max_steps=3, num_generations=4, per_device_train_batch_size=8,
            max_completion_length=16, logging_steps=1, report_to=[], save_strategy="no", bf16=False,
        ),
        train_dataset=load_dataset("json", data_files=data, split="train"),
        processing_class=tokenizer,
    )  # fmt: skip
    trainer.train()


if __name__ == "__main__":
    main()
