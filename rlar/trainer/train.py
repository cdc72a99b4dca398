"""The loop on one page: sample prompts -> rollouts -> rewards by fingerprint -> advantages -> update.

What it leaves to others: rollouts with rewards (collect), advantages and the update (update), what happens between two
steps (run), text to reward (rlar.scoring.scorer), and what a person sees (the command line follows the events).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rlar.scoring.scorer import Scorer
from rlar.trainer.config import TrainConfig
from rlar.trainer.distributed import ALONE, Ranks
from rlar.trainer.model.policy import Policy
from rlar.trainer.record.metrics import step_metrics
from rlar.trainer.record.run import Emit, Evolve, Run, read_data
from rlar.trainer.rollout import Sampler
from rlar.trainer.update import TrainingDiverged

__all__ = ["Emit", "Evolve", "TrainingDiverged", "train"]


def train(
    config: TrainConfig,
    policy: Policy,
    sampler: Sampler,
    scorer: Scorer,
    *,
    resume: bool = True,
    emit: Emit = lambda event: None,
    evolve: Evolve | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    ranks: Ranks = ALONE,
) -> dict[str, Any]:
    """Train to `config.steps` updates, continuing from the newest checkpoint in `config.output`; returns the summary.

    Args:
        resume: False sets earlier checkpoints aside and starts anew.
        ranks: the processes of the run (`rlar.trainer.distributed`); each of them calls this.

    Raises:
        InputError: rows, model or settings cannot be used.
        TrainingDiverged: something is not finite; nothing after the last checkpoint is kept.
        CheckpointError: a file of the run could not be written or read; earlier checkpoints are intact.
    """
    _first, phase = config.phase_at(0)
    data = ranks.agree(lambda: read_data(phase, policy, scorer, strict=phase.unknown == "error"))
    with Run(config, policy, sampler, scorer, data, emit, ranks) as run:
        done, stopped = run.start(resume=resume), False
        if done == 0 and config.eval_every:
            run.evaluate(0)
        while done < config.steps and not stopped:
            row = train_step(run, done)
            run.record("step", row)
            run.look_for_drift(row)
            done += 1
            stopped, last = any(ranks.together(should_stop)), done == config.steps
            if _is_due(config.eval_every, done) or (config.eval_every and last):
                run.evaluate(done)
            asks = config.evolve_every and (run.drifted or done % config.evolve_every == 0)  # drift does not wait
            if evolve is not None and asks and not last:
                run.evolve(evolve, done)
            if stopped or last or _is_due(config.checkpoint_every, done):
                run.save(done)
        return {"steps": done, "stopped": stopped, "left_out": run.data.left_out, "output": config.output}


def train_step(run: Run, step: int) -> dict[str, Any]:
    """One batch, one update (or several passes over it); returns the step's metrics."""
    run.enter(step)
    started = time.perf_counter()
    batch = run.collector.collect(run.source, step)
    update = run.updater.update(batch, step)
    row = step_metrics(step, batch, update, run.labels, seconds=time.perf_counter() - started)
    return {**row, **run.audit(batch, step)}


def _is_due(every: int, done: int) -> bool:
    return every > 0 and done % every == 0
