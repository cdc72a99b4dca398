"""From a TrainConfig to a finished run: load or make the model, open the registry, train, write the report."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rlar.errors import ConfigError, RegistryError, RlarError, boundary
from rlar.trainer.config import TrainConfig


def run_training(
    config: TrainConfig,
    *,
    resume: bool = True,
    emit: Callable[[dict[str, Any]], None] = lambda event: None,
    evolve: Callable[..., bool] | None = None,
) -> dict[str, Any]:
    """Train as configured and write the report; returns the summary with the report's path.

    A report of what was done is also written when training breaks off.

    Raises:
        InputError: model, dataset or settings cannot be used.
        RegistryError: there is no registry, it covers nothing, or it cannot be read.
        TrainingDiverged, CheckpointError: see rlar.trainer.train.train.
    """
    # Threads that spin while they wait ruin a busy machine; it must be set before torch starts its own.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    from rlar.tools.engine import keep_secrets
    from rlar.tools.registry import Registry

    # The configuration goes into checkpoints, metrics and the report.
    config = config.model_copy(update={"registry": keep_secrets(config.registry)})
    if not Registry.exists(config.registry):
        raise RegistryError(
            f"no registry at {config.registry}; make one with "
            f"`rlar agent build-tools --dataset {config.dataset[0]} --registry {config.registry}`"
        )
    import torch

    from rlar.tools.router import Scorer
    from rlar.trainer.report import write_report
    from rlar.trainer.rollout import LocalSampler, Sampler
    from rlar.trainer.train import train

    if config.threads is not None:
        torch.set_num_threads(config.threads)
    with contextlib.ExitStack() as stack:
        scorer = stack.enter_context(Scorer(config.registry))
        if not any(scorer.standing(task.fingerprint).recipe for task in scorer.tasks()):
            raise RegistryError(
                f"{config.registry} covers no task; `rlar tasks list --registry {config.registry}` says why"
            )
        policy = make_policy(config, resume=resume, emit=emit)
        sampler: Sampler = LocalSampler(policy)
        if config.sampler_url is not None:
            from rlar.trainer.sampler import HttpSampler

            sampler = HttpSampler(config.sampler_url, policy)
        should_stop = stack.enter_context(stop_on_sigterm())
        try:
            summary = train(
                config, policy, sampler, scorer, resume=resume, emit=emit, evolve=evolve, should_stop=should_stop
            )
        except RlarError:
            if (Path(config.output) / "metrics.jsonl").exists():
                with contextlib.suppress(OSError):
                    write_report(Path(config.output), config)
            raise
    return {**summary, "report": str(write_report(Path(config.output), config))}


def make_policy(config: TrainConfig, *, resume: bool, emit: Callable[[dict[str, Any]], None]) -> Any:
    """The policy to train: a model by name, or a small one made from the rows and warmed up."""
    import torch

    from rlar.trainer.checkpoint import latest_checkpoint, stored_state
    from rlar.trainer.policy import load_policy
    from rlar.trainer.scratch import scratch_policy, warm_up

    if config.model.device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"model.device = {config.model.device!r}, but torch sees no GPU")
    newest = latest_checkpoint(Path(config.output) / "checkpoints") if resume else None
    options: dict[str, Any] = {
        "dtype": getattr(torch, config.model.dtype),
        "device": config.model.device,
        "checkpoint_activations": config.model.checkpoint_activations,
        # Sums in another order would make the resumed run another run.
        "linear": config.model.linear or (stored_state(newest).get("linear") if newest is not None else None),
    }
    if config.model.lora_rank is not None:
        options["lora"] = {"r": config.model.lora_rank, "lora_alpha": 2 * config.model.lora_rank}
    if config.model.name is not None:

        def load() -> Any:
            return load_policy(_pinned(str(config.model.name), config.model.revision), seed=config.seed, **options)

        def unusable(error: Exception) -> Any:
            if isinstance(error, ConfigError):
                raise error
            raise ConfigError(f"model {config.model.name!r} cannot be loaded: {error}") from error

        return boundary(load, unusable)
    policy = scratch_policy(config, _scratch_texts(config), **options)
    # A resumed run needs the warm-up only for the reference that its KL term holds on to.
    if config.warmup is not None and (newest is None or config.loss.beta > 0):
        warm_up(policy, config.warmup, token_budget=config.token_budget, seed=config.seed, emit=emit)
    return policy


def _pinned(name: str, revision: str | None) -> str:
    """The model's name, or where its pinned commit lies."""
    if revision is None or Path(name).exists():
        return name
    from huggingface_hub import snapshot_download

    return snapshot_download(name, revision=revision)


def _scratch_texts(config: TrainConfig) -> Iterator[str]:
    """Whatever a model made from scratch must be able to read and write."""
    from rlar.tasks.data import RowStats, completions_of, usable_rows

    for example in usable_rows(config.dataset, RowStats()):
        yield example.text
        yield from example.references
    if config.warmup is not None:
        for example in usable_rows([config.warmup.dataset], RowStats()):
            yield example.text
            yield from completions_of(example.columns)


@contextlib.contextmanager
def stop_on_sigterm() -> Iterator[Callable[[], bool]]:
    """SIGTERM asks for a checkpoint and a clean stop after the step; outside the main thread nothing is installed."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: asked.set())
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
