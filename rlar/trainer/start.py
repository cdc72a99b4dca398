"""From a TrainConfig to a finished run: load or make the model, open the registry, train, write the report."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rlar.errors import ConfigError, DatasetError, RegistryError, RlarError, StorageError, boundary
from rlar.trainer.config import TrainConfig
from rlar.trainer.distributed import Launch
from rlar.trainer.environments import judge_of


def run_training(
    config: TrainConfig,
    *,
    resume: bool = True,
    emit: Callable[[dict[str, Any]], None] = lambda event: None,
    evolve: Callable[..., bool] | None = None,
    launch: Launch = Launch(),  # noqa: B008 (frozen)
) -> dict[str, Any]:
    """Train as configured and write the report; returns the summary with the report's path.

    A report of what was done is also written when training breaks off.

    Args:
        launch: which process of how many this is (`rlar.trainer.distributed.read_launch`); each of them calls this.

    Raises:
        InputError: model, dataset or settings cannot be used.
        RegistryError: there is no registry, it covers nothing, or it cannot be read.
        TrainingDiverged, CheckpointError: see rlar.trainer.train.train.
    """
    # Threads that spin while they wait ruin a busy machine; it must be set before torch starts its own.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    from rlar.registry.engine import keep_secrets

    # The configuration goes into checkpoints, metrics and the report.
    config = config.model_copy(update={"registry": keep_secrets(config.registry)})
    check_settings(config, launch.size)
    import torch

    from rlar.scoring.scorer import Scorer, default_workers
    from rlar.trainer.distributed import join_processes, process_device
    from rlar.trainer.record.page import write_report
    from rlar.trainer.rollout import LocalSampler, Sampler
    from rlar.trainer.train import train

    device = process_device(config.model.device, launch)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    with contextlib.ExitStack() as stack:
        scorer = stack.enter_context(Scorer(config.registry, workers=max(1, default_workers() // launch.size)))
        needs_tools = judged_by_registry(config) and config.unknown != "train"
        if needs_tools and not any(scorer.standing(task.fingerprint).recipe for task in scorer.tasks()):
            raise RegistryError(
                f"{config.registry} covers no task; `rlar tasks list --registry {config.registry}` says why"
            )
        ranks = stack.enter_context(join_processes(launch, device))
        linear = None if ranks.size == 1 else ranks.first(lambda: linear_choice(config, resume=resume, measure=True))
        policy = ranks.agree(
            lambda: make_policy(config, resume=resume, emit=emit, device=device, linear=linear, warms_up=ranks.is_first)
        )
        ranks.copy_from_first(policy.model.parameters())
        sampler: Sampler = LocalSampler(policy, certainty=config.records_certainty)
        if config.sampler_url is not None:
            from rlar.trainer.sampling.server import HttpSampler

            sampler = HttpSampler(config.sampler_url, policy)
        should_stop = stack.enter_context(stop_on_sigterm())
        try:
            summary = train(
                config,
                policy,
                sampler,
                scorer,
                resume=resume,
                emit=emit,
                evolve=evolve,
                should_stop=should_stop,
                ranks=ranks,
            )
        except RlarError:
            if ranks.is_first and (Path(config.output) / "metrics.jsonl").exists():
                with contextlib.suppress(StorageError):
                    write_report(Path(config.output), config)
            raise
        if not ranks.is_first:
            return summary
    return {**summary, "report": str(write_report(Path(config.output), config))}


def check_settings(config: TrainConfig, processes: int) -> None:
    """What can be said before torch is imported and a model loaded. Raises as `run_training`."""
    from rlar.registry.registry import Registry

    if not Registry.exists(config.registry) and (config.unknown == "train" or not judged_by_registry(config)):
        Registry.open(config.registry, create=True).close()  # of no tasks, for the lock files of checkpoints
    if not Registry.exists(config.registry):
        raise RegistryError(
            f"no registry at {config.registry}; make one with "
            f"`rlar agent build-tools --dataset {config.dataset[0]} --registry {config.registry}`"
        )
    check_files(config)
    if processes > config.score_chunks:
        raise ConfigError(
            f"{processes} processes share the {config.score_chunks} parts of a step: set score_chunks = {processes} "
            "or a multiple"
        )
    if config.wandb is not None and importlib.util.find_spec("wandb") is None:
        raise ConfigError("wandb is not installed: pip install 'rlar[wandb]', or leave the setting out")


def judged_by_registry(config: TrainConfig) -> bool:
    """Whether rewards come from the registry's tools. Raises ConfigError for an environment that is none."""
    return config.environment is None or judge_of(config.environment) == "registry"


def check_files(config: TrainConfig) -> None:
    """Raises DatasetError or ConfigError for files that are not there."""
    rows = [path for phase in config.phases for path in phase.dataset or ()]
    for path in (*config.dataset, *rows, *((config.warmup.dataset,) if config.warmup is not None else ())):
        if not Path(path).exists():
            raise DatasetError(f"{path}: no such file")
    name = config.model.name
    if name is not None and name.startswith(("/", ".", "~")) and not Path(name).is_dir():
        raise ConfigError(f"model.name = {name!r}: no such folder")


def linear_choice(config: TrainConfig, *, resume: bool, measure: bool = False) -> Any:
    """How matrices are multiplied: as set, else as in the run that is continued (sums in another order would make it
    another run), else as measured now or, None, when the model is loaded."""
    from rlar.trainer.model.linear import fastest_linear
    from rlar.trainer.record.checkpoint import latest_checkpoint, stored_state

    newest = latest_checkpoint(Path(config.output) / "checkpoints") if resume else None
    found = config.model.linear or (stored_state(newest).get("linear") if newest is not None else None)
    return fastest_linear() if found is None and measure and config.model.device == "cpu" else found


def make_policy(
    config: TrainConfig,
    *,
    resume: bool,
    emit: Callable[[dict[str, Any]], None],
    device: str | None = None,
    linear: Any = None,
    warms_up: bool = True,
) -> Any:
    """The policy to train: a model by name, or a small one made from the rows and warmed up.

    Args:
        device: of this process; None: as configured.
        linear: None finds it out (`linear_choice`).
        warms_up: False leaves that to another process, which hands the weights on.
    """
    import torch

    from rlar.trainer.model.policy import load_policy
    from rlar.trainer.model.scratch import scratch_policy, warm_up
    from rlar.trainer.record.checkpoint import latest_checkpoint

    if config.model.device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"model.device = {config.model.device!r}, but torch sees no GPU")
    newest = latest_checkpoint(Path(config.output) / "checkpoints") if resume else None
    options: dict[str, Any] = {
        "dtype": getattr(torch, config.model.dtype),
        "device": device or config.model.device,
        "checkpoint_activations": config.model.checkpoint_activations,
        "linear": linear or linear_choice(config, resume=resume),
    }
    if config.model.lora_rank is not None:
        options["lora"] = {"r": config.model.lora_rank, "lora_alpha": 2 * config.model.lora_rank}
    if config.model.name is not None:

        def load() -> Any:
            return load_policy(_pinned(str(config.model.name), config.model.revision), seed=config.seed, **options)

        def unusable(error: Exception) -> Any:
            if isinstance(error, ConfigError):
                raise error
            raise ConfigError(
                f"model {config.model.name!r} cannot be loaded: {' '.join(str(error).split())[:300]}"
            ) from error

        return boundary(load, unusable)
    policy = scratch_policy(config, _scratch_texts(config), **options)
    # A resumed run needs the warm-up only for the reference that its KL term holds on to.
    if warms_up and config.warmup is not None and (newest is None or config.loss.beta > 0):
        warm_up(policy, config.warmup, token_budget=config.tokens_per_pass, seed=config.seed, emit=emit)
    return policy


def _pinned(name: str, revision: str | None) -> str:
    """The model's name, or where its pinned commit lies."""
    if revision is None or Path(name).exists():
        return name
    from huggingface_hub import snapshot_download

    return snapshot_download(name, revision=revision)


def _scratch_texts(config: TrainConfig) -> Iterator[str]:
    """Whatever a model made from scratch must be able to read and write."""
    from rlar.rows.read import RowStats, completions_of, usable_rows

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
