"""What a run holds between its steps, and what happens there: evaluation, audit, checkpoints, evolution, the log."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import torch

from rlar.errors import ConfigError, RlarError
from rlar.registry.registry import Registry
from rlar.rows.atomic import write_errors, write_text_atomic
from rlar.scoring.lock_file import make_lock
from rlar.scoring.scorer import Scorer
from rlar.tool import Resources
from rlar.trainer.collect import Collector, RolloutBatch
from rlar.trainer.config import TrainConfig
from rlar.trainer.data import PromptSource, TrainData, load_rows
from rlar.trainer.distributed import ALONE, Ranks
from rlar.trainer.environments import judge_of
from rlar.trainer.environments.play import Player
from rlar.trainer.model.policy import Policy
from rlar.trainer.record.audit import Auditor
from rlar.trainer.record.boards import open_boards
from rlar.trainer.record.checkpoint import (
    CheckpointError,
    latest_checkpoint,
    load_checkpoint,
    load_companion,
    remove_leftovers,
    save_checkpoint,
    set_aside,
)
from rlar.trainer.record.collapse import signs_of_collapse
from rlar.trainer.record.drift import DriftWatch
from rlar.trainer.record.evaluate import audit, evaluation, task_labels
from rlar.trainer.record.metrics import MetricsLog, read_metrics
from rlar.trainer.rollout import Sampler
from rlar.trainer.sources.self_instruction import SelfInstruction
from rlar.trainer.sources.votes import Votes
from rlar.trainer.update import TrainingDiverged, Updater, way_out
from rlar.types import Example, digest

Emit = Callable[[dict[str, Any]], None]
Evolve = Callable[[Sequence[Example], dict[str, str]], bool]
"""(rows of unknown tasks, quarantined and drifted tools with reasons) -> whether the registry changed."""

UNLIMITED = 1 << 30
"""Tokens, for a model without a limit."""
SAME_ON_RESUME = ("dataset", "model", "seed", "prompts_per_step", "group_size", "score_chunks", "environment", "phases")
"""Settings that a run may not change half-way: with others it would be another run."""
ABSENT: dict[str, Any] = {"phases": []}
"""What checkpoints meant that were written before there were such settings."""


class Run:
    """Rows, policy, optimiser, log and auditor of a run; a context manager that closes what it opened.

    Of several processes all have one and call the same methods; the first alone writes, audits, asks the agent and emits.
    """

    def __init__(
        self,
        config: TrainConfig,
        policy: Policy,
        sampler: Sampler,
        scorer: Scorer,
        data: TrainData,
        emit: Emit,
        ranks: Ranks = ALONE,
    ) -> None:
        self.config = config
        self.policy = policy
        self.scorer = scorer
        self.data = data
        self.emit = emit if ranks.is_first else lambda event: None
        self.ranks = ranks
        self.labels = self._labels()
        self.updater = Updater(config, policy, ranks)
        self._opened = contextlib.ExitStack()
        player = None
        if config.environment is not None:
            player = Player(config.environment, policy, sampler, self._opened.enter_context(Resources()))
        self.collector = Collector(config, policy, sampler, scorer, ranks, player)
        self.folder = Path(config.output)
        self.checkpoints = self.folder / "checkpoints"
        self.log: MetricsLog | None = None
        self.auditor: Auditor | None = None
        self.watch: DriftWatch | None = None
        self.drifted: dict[str, str] = {}
        """Tools that the agent is to look at, with what was found; the same in all processes."""
        self.source: PromptSource = data
        self._begin(0)
        self._opened.callback(self.collector.close)
        self._opened.callback(self.updater.close)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def start(self, *, resume: bool) -> int:
        """Prepare the folder, put the newest checkpoint back, open log and audit; the number of updates done so far."""
        self.ranks.check_same("settings and rows", self._name())
        self.ranks.first(lambda: self._prepare_folder(resume))
        newest = latest_checkpoint(self.checkpoints)
        first = self.ranks.agree(lambda: self._restore(newest) if newest is not None else 0)
        self.ranks.check_same("checkpoint to go on from", first)
        self.ranks.first(lambda: self._open_log(first))
        self._begin(first)
        self.emit({"event": "training", "step": first, "steps": self.config.steps, "train": len(self.data.train),
                   "held_out": len(self.data.held_out), "left_out": self.data.left_out,
                   "parameters": sum(each.numel() for each in self.policy.parameters())})  # fmt: skip
        for text in self._warnings():
            self.emit({"event": "note", "text": text})
        self.ranks.first(self._open_auditor)
        self.ranks.first(self._open_watch)
        return first

    def enter(self, step: int) -> None:
        """Be ready for a step: where a phase begins with it, its rows, signals and a fresh optimiser; prompts that are due."""
        self._enter_phase(step)
        if isinstance(self.source, SelfInstruction):
            self.source.before(step)

    def _begin(self, step: int) -> None:
        """Who pays in this phase, and where its rows come from at a step."""
        phase, written = self.updater.config, self.config.self_instruction
        pays = Votes(self.scorer) if phase.reward.source == "vote" else self.scorer
        self.collector.scorer = cast("Scorer", pays)
        self.collector.config = phase.model_copy(update={"steps": self.config.steps})
        self.source = self.data
        if written is not None:
            longest = prompt_limit(phase, self.policy)
            self.source = SelfInstruction(
                written, self.data, self.policy, self.collector.sampler, self.scorer, self.folder,
                seed=phase.seed, longest=longest,
            )  # fmt: skip
            self.source.resume(step)

    def _enter_phase(self, step: int) -> None:
        first, phase = self.config.phase_at(step)
        if first == self.updater.first:
            return
        if phase.dataset != self.updater.config.dataset:
            self.data = self.ranks.agree(
                lambda: read_data(phase, self.policy, self.scorer, strict=phase.unknown == "error")
            )
        self.updater.begin(first, phase)
        self._begin(step)
        for text in self._warnings():
            self.emit({"event": "note", "text": f"from step {first} on: {text}"})

    def record(self, event: str, row: dict[str, Any]) -> None:
        """Write a row to the log and tell whoever follows; an empty row is nothing."""

        def write() -> None:
            assert self.log is not None, "record before start"
            self.log.write(row)
            self.emit({"event": event, **row})

        if row:
            self.ranks.first(write)

    def evaluate(self, step: int) -> None:
        """Record how good greedy completions of the held-out rows are; nothing where none are held out."""
        if self.data.held_out:
            found = evaluation(self.collector.greedy(self.data.held_out), self.labels)
            self.record("eval", {"step": step, **found})

    def audit(self, batch: RolloutBatch, step: int) -> dict[str, Any]:
        """The audit of a batch as part of the step's row; empty where it is not its turn."""
        if not self.config.audit_every or step % self.config.audit_every:
            return {}
        auditor, labels = self.auditor, self.labels
        return {"audit": self.ranks.first(lambda: audit(batch, auditor, labels) if auditor is not None else {})}

    def look_for_drift(self, row: dict[str, Any]) -> None:
        """Record what the tools do otherwise than at admission, once a window of steps is full."""

        def look() -> tuple[dict[str, Any], dict[str, str]]:
            return (self.watch.check(row), dict(self.watch.to_hand)) if self.watch is not None else ({}, {})

        found, self.drifted = self.ranks.first(look)
        self.record("drift", found)
        every, done = self.config.drift_every, row["step"] + 1
        if every and done % every == 0 and self.updater.config.reward.source != "registry":
            signs = self.ranks.first(lambda: signs_of_collapse(read_metrics(self.folder), every=every))
            self.record("collapse", {"step": done, "collapse": [vars(sign) for sign in signs]} if signs else {})

    def save(self, step: int) -> None:
        """A checkpoint after `step` updates; weights that are not finite are refused."""
        if self.ranks.size > 1:
            sums = [float(weights.detach().double().sum()) for weights in self.policy.parameters()]
            self.ranks.check_same(f"weights after step {step}", digest(repr(sums)))
        self.ranks.collect_state(self.updater.optimiser)
        self.ranks.first(lambda: self._save(step))

    def _save(self, step: int) -> None:
        if not all(bool(weights.isfinite().all()) for weights in self.policy.parameters()):
            raise TrainingDiverged(
                f"the weights after step {step} are not finite, so not saved. {way_out(self.config)}"
            )
        with Registry.open(self.config.registry, readonly=True) as registry:
            lock = make_lock(registry).to_text()
        path = save_checkpoint(
            self.checkpoints,
            step,
            self.policy.model,
            self.updater.optimiser,
            {
                "config": self.config.model_dump(mode="json"),
                "linear": self.policy.linear,
                "rows": len(self.data.train),
                "torch": torch.__version__,
            },
            keep=self.config.keep_checkpoints,
            extras={"registry.lock": lock},
            companions={name: companion.state() for name, companion in self.updater.companions.items()},
            describe=self._describe_model,
        )
        self.emit({"event": "checkpoint", "path": str(path), "step": step})

    def evolve(self, evolve: Evolve, step: int) -> None:
        """Hand unknown rows, quarantined and drifted tools to the agent; what it admits counts from the next step on."""
        everywhere = self.ranks.together(lambda: dict(self.scorer.quarantined))
        quarantined = {tool: why for here in everywhere for tool, why in here.items()}
        unknown, drifted, recipes = self.data.unrouted, self.drifted, self._recipes()
        if not unknown and not quarantined and not drifted:
            return

        def ask() -> tuple[bool, str | None]:
            try:
                return evolve(unknown, {**drifted, **quarantined}), None
            except RlarError as error:  # training goes on with the rewards that it has
                return False, str(error)

        changed, problem = self.ranks.first(ask)
        told = {
            "unknown": len(unknown),
            "quarantined": sorted(quarantined),
            "drifted": sorted(drifted),
            "changed": changed,
            "problem": problem,
            "rows_before": len(self.data.train),
        }
        if changed:
            for tool in quarantined:
                self.scorer.forgive(tool)
            phase = self.updater.config
            self.data = self.ranks.agree(lambda: read_data(phase, self.policy, self.scorer, strict=False))
            self.ranks.check_same("settings and rows", self._name())
            self._begin(step)
            self.labels = self._labels()
            self.ranks.first(self._open_auditor)
        told |= {"rows_after": len(self.data.train), "new_recipes": self._recipes() != recipes}
        self.record("evolved", {"step": step, "evolved": told})
        self.ranks.first(lambda: self._tell_watch({"evolved": told}))
        self.drifted = {}

    def _labels(self) -> dict[str, str]:
        """Names of the tasks of the registry, and of the rows that an environment judges."""
        own = unjudged_task(self.config)
        return {**({own: own.replace(":", " ", 1)} if own is not None else {}), **task_labels(self.scorer.tasks())}

    def _tell_watch(self, row: dict[str, Any]) -> None:
        if self.watch is not None:
            self.watch.evolved(row)
            self.watch.renew(self.labels)

    def _warnings(self) -> list[str]:
        """What somebody who starts such a run should know."""
        config, texts = self.updater.config, []
        without_tools = sum(not row.has_tools for row in self.data.train)
        paid = ", ".join(sorted(name for name, weight in config.signal_weights.items() if weight))
        if without_tools:
            texts.append(f"{without_tools:,} rows have no tool: what they learn from is {paid}")
        if config.reward.source == "none":
            texts.append(f"no tool pays in this run, only {paid}; tools look on")
        if config.reward.source == "vote":
            texts.append("groups vote in this run; tools look on where a row has a reference")
        if "certainty" in paid and config.loss.beta == 0:
            texts.append("certainty without a KL term collapses sooner or later: set loss.beta, to 0.005 for a start")
        return texts

    def _recipes(self) -> dict[str, int | None]:
        """The version of the recipe that is served, by task."""
        standing = {task.fingerprint: self.scorer.standing(task.fingerprint) for task in self.scorer.tasks()}
        return {name: found.recipe.version if found.recipe is not None else None for name, found in standing.items()}

    def _name(self) -> str:
        """A digest of what must be the same in all processes."""
        rows = (row.example.id + str(row.fingerprint) for row in (*self.data.train, *self.data.held_out))
        return digest(self.config.model_dump_json(), *rows)

    def _open_log(self, first: int) -> None:
        boards = open_boards(self.config, self.folder, from_step=first)
        self.log = MetricsLog(self.folder, from_step=first, boards=boards)
        self._opened.callback(self.log.close)

    def _open_auditor(self) -> None:
        if self.config.audit_every:
            self.auditor = self._opened.enter_context(Auditor(self.config.registry))

    def _open_watch(self) -> None:
        config = self.config
        if config.drift_every:
            self.watch = DriftWatch(
                config.registry, self.labels, every=config.drift_every, group_size=config.group_size
            )
            self.watch.replay(read_metrics(self.folder))

    def _restore(self, path: Path) -> int:
        """Put a checkpoint back; the number of updates it holds. Raises ConfigError for one of another run."""
        written = int(path.name.removeprefix("step-"))
        self._enter_phase(max(written - 1, 0))
        step, state = load_checkpoint(path, self.policy.model, self.updater.optimiser)
        now = self.config.model_dump(mode="json")
        before, rows = state.get("config"), state.get("rows")
        if not isinstance(before, dict) or type(rows) is not int:
            raise CheckpointError(f"{path}: holds no settings of a run")
        changed = [name for name in SAME_ON_RESUME if before.get(name, ABSENT.get(name)) != now[name]]
        if changed:
            raise ConfigError(
                f"{path} was trained with another {', '.join(changed)}; say --fresh to start anew, or use another output"
            )
        for name, companion in self.updater.companions.items():
            load_companion(path, name, companion.load)
        if rows != len(self.data.train):
            self.emit({"event": "note", "text": f"{len(self.data.train):,} rows to train on; {rows:,} before"})
        return step

    def _prepare_folder(self, resume: bool) -> None:
        with write_errors(self.folder, CheckpointError):
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.checkpoints)
            aside = None if resume else set_aside(self.checkpoints)
        write_text_atomic(self.folder / "config.json", json.dumps(self.config.model_dump(mode="json"), indent=2))
        if aside is not None:
            self.emit({"event": "note", "text": f"the checkpoints of the earlier run are now in {aside}"})

    def _describe_model(self, folder: Path) -> None:
        """What `transformers` needs beside the weights to open a checkpoint as a model."""
        self.policy.model.config.save_pretrained(folder)
        self.policy.tokenizer.save_pretrained(folder)


def read_data(config: TrainConfig, policy: Policy, scorer: Scorer, *, strict: bool) -> TrainData:
    """The rows of the run as they are routed now."""
    return load_rows(
        config.dataset,
        scorer,
        policy.encode_prompt,
        held_out=config.eval_rows if config.eval_every else 0,
        max_prompt_tokens=prompt_limit(config, policy),
        seed=config.seed,
        strict=strict,
        without_tools=config.unknown == "train",
        unjudged=unjudged_task(config),
    )


def unjudged_task(config: TrainConfig) -> str | None:
    """The task of rows that the environment judges and no tool of the registry; None: the registry judges."""
    environment = config.environment
    return f"environment:{environment.name}" if environment and judge_of(environment) == "environment" else None


def prompt_limit(config: TrainConfig, policy: Policy) -> int:
    """The longest prompt, in tokens, that leaves room for a whole completion in the model's context."""
    room = UNLIMITED if policy.context is None else policy.context - config.max_new_tokens
    if room < 1:
        raise ConfigError(
            f"max_new_tokens = {config.max_new_tokens} leaves no room for a prompt: the context is {policy.context}"
        )
    return min(room, config.max_prompt_tokens or room)
