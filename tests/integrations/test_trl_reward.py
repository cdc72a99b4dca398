"""TRL's own GRPOTrainer trains on mixed tasks with RLARReward, unscored rows among them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")
pytest.importorskip("torch")
from rlar.integrations.export import export_data
from rlar.integrations.trl import RLARReward
from tests.fakes import serving_rows as rows

pytestmark = pytest.mark.slow


def tiny_policy() -> tuple[Any, Any]:
    """A random Qwen3 of a few thousand weights over single characters, with a chat template."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    letters = [chr(code) for code in range(32, 127)] + ["\n"]
    words = {letter: index for index, letter in enumerate(["<pad>", "<eos>", "<unk>", *letters])}
    raw = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left"
    )
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'][0] + ': ' + m['content'] + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'a: ' }}{% endif %}"
    )
    config = Qwen3Config(
        vocab_size=len(words), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=256, eos_token_id=1, pad_token_id=0, bos_token_id=None,
    )  # fmt: skip
    return Qwen3ForCausalLM(config), tokenizer


@pytest.mark.parametrize("prompt_as", ["text", "messages"])
def test_grpo_trains_some_steps_and_unscored_rows_move_nothing(tmp_path: Path, prompt_as: str):
    import torch
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    registry = str(rows.make_registry(tmp_path / "registry.db"))
    dataset = rows.write_rows(tmp_path / "mix.jsonl", [*rows.ROWS, rows.STRANGER])
    export_data(registry, [dataset], tmp_path / "t.jsonl", to="trl", prompt_as=prompt_as, keep_unscored=True)  # type: ignore[arg-type]
    exported = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    model, tokenizer = tiny_policy()
    seen: list[float | None] = []

    class Watched(RLARReward):
        def __call__(self, *args: Any, **columns: Any) -> list[float | None]:
            found = super().__call__(*args, **columns)
            seen.extend(found)
            return found

    trainer = GRPOTrainer(
        model=model,
        reward_funcs=Watched(registry, workers=0),
        args=GRPOConfig(
            output_dir=str(tmp_path / "out"), num_generations=2, per_device_train_batch_size=12, max_steps=3, use_cpu=True,
            max_completion_length=6, report_to=[], gradient_checkpointing=False, bf16=False, logging_steps=1, beta=0.0,
            save_strategy="no", learning_rate=1e-3, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(exported),
        processing_class=tokenizer,
    )  # fmt: skip
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "rewards/rlar/mean" in entry]
    assert len(logs) == 3
    # Six prompts a step, each with two completions; those of o1, f1 (no tool) and s1 (unknown) are never scored.
    abstained = round(12 * sum(entry["rlar/status/abstain"] for entry in logs))  # at what a random policy writes
    assert len(seen) == 36 and sum(value is None for value in seen) == 18 + abstained
    for entry in logs:
        assert entry["rlar/status/ok"] + entry["rlar/status/abstain"] == pytest.approx(0.5)
        assert entry["rlar/status/uncovered"] == pytest.approx(1 / 3) and entry["rlar/status/unknown"] == pytest.approx(
            1 / 6
        )
        assert math.isfinite(entry["loss"]) and math.isfinite(entry["rewards/rlar/mean"])
    after = dict(model.named_parameters())
    assert all(torch.isfinite(weight).all() for weight in after.values())
    if len({value for value in seen if value is not None}) == 1:
        # A random policy answers nothing right: all groups are equal, and unscored ones must not have made a difference.
        assert all(torch.equal(weight, before[name]) for name, weight in after.items())


def test_an_unscored_completion_gets_advantage_zero_and_leaves_its_groups_mean_alone(tmp_path: Path):
    import torch
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    model, tokenizer = tiny_policy()

    class Judge(RLARReward):
        """Gives the rewards of one group as if one tool call had failed: 1, 0, None, 0."""

        def __call__(self, prompts: Any, completions: Any, **columns: Any) -> list[float | None]:
            return [1.0, 0.0, None, 0.0] * (len(completions) // 4)

    trainer = GRPOTrainer(
        model=model, reward_funcs=Judge("unused"), processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"prompt": "1 + 1?"}] * 4),
        args=GRPOConfig(
            output_dir=str(tmp_path), num_generations=4, per_device_train_batch_size=4, max_steps=1, use_cpu=True,
            max_completion_length=4, report_to=[], gradient_checkpointing=False, bf16=False, beta=0.0,
            save_strategy="no", scale_rewards="none", disable_tqdm=True,
        ),
    )  # fmt: skip
    kept: list[Any] = []
    make = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda inputs: kept.append(make(inputs)) or kept[-1]
    trainer.train()
    # The mean of 1, 0, 0 is 1/3; the unscored one counts for nothing.
    assert torch.allclose(kept[0]["advantages"].flatten(), torch.tensor([2 / 3, -1 / 3, 0.0, -1 / 3]), atol=1e-6)
