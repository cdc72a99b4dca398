"""verl's own dataset, loader, reward worker and reward managers call ours; skipped where verl is not installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("verl")
import numpy as np
import torch

from rlar.integrations.export import export_data
from tests.fakes import serving_rows as rows

pytestmark = pytest.mark.slow

SAID = {"n1": ["4", "5"], "n2": ["42", "24"], "c1": ["A", "B"], "o1": ["Nice."] * 2, "f1": ["x"] * 2, "s1": ["no"] * 2}
EXPECTED = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0] + [-1.0] * 6


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(rows.make_registry(tmp_path_factory.mktemp("registry") / "registry.db"))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Single characters, saved where verl loads it from."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    letters = [chr(code) for code in range(32, 127)] + ["\n"]
    words = {letter: index for index, letter in enumerate(["<pad>", "<eos>", "<unk>", *letters])}
    raw = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    raw.decoder = decoders.Fuse()
    made = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    made.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def config_of(tokenizer: Any, **reward: Any) -> Any:
    """verl's configuration as far as rewards go, from its own YAML."""
    import verl
    from omegaconf import OmegaConf

    folder = Path(verl.__file__).parent / "trainer/config"
    base = OmegaConf.load(folder / "reward/reward.yaml")
    OmegaConf.set_struct(base, False)
    where = tokenizer.name_or_path or None
    return OmegaConf.create(
        {
            "reward": OmegaConf.merge(base, reward),
            "actor_rollout_ref": {"model": {"path": where, "tokenizer_path": where}},
        }
    )


def batch_of(registry: str, tokenizer: Any, folder: Path) -> Any:
    """What verl's own dataset makes of the exported rows, with responses, as a DataProto."""
    from omegaconf import OmegaConf
    from verl import DataProto
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    source = rows.write_rows(folder / "mix.jsonl", [*rows.ROWS, rows.STRANGER])
    export_data(registry, [source], folder / "train.parquet", to="verl", keep_unscored=True)
    data = RLHFDataset(
        data_files=str(folder / "train.parquet"), tokenizer=tokenizer,
        config=OmegaConf.create({"cache_dir": str(folder / "cache"), "prompt_key": "prompt", "max_prompt_length": 256,
                                 "filter_overlong_prompts": False}),
    )  # fmt: skip
    items = [data[index] for index in range(len(data)) for _ in range(2)]
    texts = [text for said in SAID.values() for text in said]
    collated = collate_fn(items)
    length = 8
    responses = torch.zeros(len(items), length, dtype=torch.long)
    mask = torch.ones(len(items), 4 + length, dtype=torch.long)
    for index, text in enumerate(texts):
        ids = [*tokenizer(text)["input_ids"], 1]
        responses[index, : len(ids)] = torch.tensor(ids)
        mask[index, 4 + len(ids) :] = 0
    tensors = {"prompts": torch.ones(len(items), 4, dtype=torch.long), "responses": responses, "attention_mask": mask}
    others = {name: value for name, value in collated.items() if isinstance(value, np.ndarray)}
    return DataProto.from_dict(tensors=tensors, non_tensors=others)


MANAGER = {
    "reward_manager": {
        "source": "importlib",
        "name": "RLARRewardManager",
        "module": {"path": "pkg://rlar.integrations.verl_manager"},
    }
}


def function_settings(registry: str, name: str = "compute_score") -> dict[str, Any]:
    kwargs = {"registry": registry, "neutral": -1.0}
    path = "pkg://rlar.integrations.verl"
    return {"custom_reward_function": {"path": path, "name": name, "reward_kwargs": kwargs}}


def settings_of(how: str, registry: str) -> dict[str, Any]:
    if how == "manager":
        return {**MANAGER, "reward_kwargs": {"registry": registry, "neutral": -1.0}}
    return function_settings(registry, "compute_score" if how == "async" else "compute_score_sync")


@pytest.mark.parametrize("how", ["async", "sync", "manager"])
def test_verls_reward_worker_loads_ours_and_gets_every_reward(how: str, registry: str, tokenizer: Any, tmp_path: Path):
    from verl.experimental.reward_loop.reward_loop import RewardLoopWorker

    async def run() -> list[dict[str, Any]]:
        worker = RewardLoopWorker(config_of(tokenizer, **settings_of(how, registry)))
        return await worker.compute_score_batch(batch_of(registry, tokenizer, tmp_path))

    found = asyncio.run(run())
    assert [item["reward_score"] for item in found] == EXPECTED
    infos = [item["reward_extra_info"] for item in found]
    assert [info["rlar_scored"] for info in infos] == [1.0] * 6 + [0.0] * 6
    assert [info["rlar_status"] for info in infos] == ["ok"] * 6 + ["uncovered"] * 4 + ["unknown"] * 2
    assert all(info.keys() == infos[0].keys() for info in infos)


def test_the_manager_needs_no_exported_columns(registry: str, tokenizer: Any, tmp_path: Path):
    from verl.experimental.reward_loop.reward_loop import RewardLoopWorker

    batch = batch_of(registry, tokenizer, tmp_path)
    batch.non_tensor_batch["extra_info"] = np.array([{"index": 0} for _ in range(len(batch))], dtype=object)

    async def run() -> list[dict[str, Any]]:
        worker = RewardLoopWorker(config_of(tokenizer, **settings_of("manager", registry)))
        return await worker.compute_score_batch(batch)

    assert [item["reward_score"] for item in asyncio.run(run())] == EXPECTED


@pytest.fixture
def ray_here() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True)
    yield ray
    ray.shutdown()


def test_verls_manager_of_ray_workers_assembles_our_rewards_into_its_batch(
    ray_here: Any, registry: str, tokenizer: Any, tmp_path: Path
):
    from verl.experimental.reward_loop.reward_loop import RewardLoopManager

    batch = batch_of(registry, tokenizer, tmp_path)
    manager = RewardLoopManager(config_of(tokenizer, num_workers=2, **settings_of("manager", registry)))
    found = manager.compute_rm_score(batch)
    assert found.batch["rm_scores"].sum(dim=1).tolist() == EXPECTED
    assert list(found.non_tensor_batch["rlar_status"][-2:]) == ["unknown"] * 2
