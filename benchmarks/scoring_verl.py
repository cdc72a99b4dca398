"""verl's asynchronous reward worker as a competitor of benchmarks/scoring.py; needs verl (tried with 0.9.1).

The worker runs in this process, as verl runs it in each of its Ray actors: a task a sample, a synchronous reward function in
the event loop's threads. Every completion is one token, so that decoding costs next to nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import verl
from scoring_rollouts import Rollout, plain

END = 1


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any], **_: Any
) -> float:
    """verl's custom reward function: what people write."""
    return plain(Rollout(data_source, extra_info["prompt"], ground_truth, solution_str))


@contextmanager
def reward_loop(completions: Sequence[str]) -> Iterator[Callable[[Sequence[Rollout]], list[float]]]:
    """A function that has verl score rollouts whose completions are among these."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    texts = list(dict.fromkeys(completions))
    ids = {text: number for number, text in enumerate(["<pad>", "<eos>", "<unk>", *texts])}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(ids, unk_token="<unk>")),
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
    )
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        config = _config(folder)

        def score(items: Sequence[Rollout]) -> list[float]:
            from verl.experimental.reward_loop.reward_loop import RewardLoopWorker

            async def run() -> list[dict[str, Any]]:
                return await RewardLoopWorker(config).compute_score_batch(_batch(items, ids))

            return [float(each["reward_score"]) for each in asyncio.run(run())]

        yield score


def _config(tokenizer: str) -> Any:
    from omegaconf import OmegaConf

    base = OmegaConf.load(Path(verl.__file__).parent / "trainer/config/reward/reward.yaml")
    OmegaConf.set_struct(base, False)
    function = {"custom_reward_function": {"path": __file__, "name": "compute_score"}}
    return OmegaConf.create(
        {
            "reward": OmegaConf.merge(base, function),
            "actor_rollout_ref": {"model": {"path": tokenizer, "tokenizer_path": tokenizer}},
        }
    )


def _batch(items: Sequence[Rollout], ids: dict[str, int]) -> Any:
    import torch
    from verl import DataProto

    responses = torch.tensor([[ids[item.completion], END] for item in items])
    tensors = {
        "prompts": torch.full((len(items), 1), 2),
        "responses": responses,
        "attention_mask": torch.tensor([[1, 1, 0]] * len(items)),
    }
    others = {
        "data_source": np.array([item.kind for item in items], dtype=object),
        "reward_model": np.array([{"ground_truth": item.reference} for item in items], dtype=object),
        "extra_info": np.array([{"prompt": item.prompt} for item in items], dtype=object),
    }
    return DataProto.from_dict(tensors=tensors, non_tensors=others)
