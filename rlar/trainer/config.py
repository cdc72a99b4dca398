"""Settings of `rlar train`, read from TOML; every field has a default that runs on a laptop.

The settings of the loss, without torch, so that configuration files are read quickly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rlar.config import Option, read_toml
from rlar.errors import ConfigError, first_problem
from rlar.types import Frozen


class LossConfig(Frozen):
    """How advantages become a loss. The defaults are GRPO with token-level normalisation, on-policy, no KL."""

    kind: Literal["grpo", "gspo"] = "grpo"
    """grpo: one probability ratio a token. gspo: one a sequence, its length-normalised product (arXiv:2507.18071, eq. 7);
    its clip range is far smaller (the paper: 3e-4 and 4e-4)."""
    clip_low: float = Field(default=0.2, ge=0.0, lt=1.0)
    """The ratio is clipped below at 1 - clip_low."""
    clip_high: float = Field(default=0.2, ge=0.0)
    """... and above at 1 + clip_high; DAPO's clip-higher is 0.28 (arXiv:2503.14476)."""
    normalisation: Literal["token", "sequence", "constant"] = "token"
    """token: the mean over all counted tokens of the step (DAPO). sequence: the mean over rollouts of their mean over
    tokens (GRPO). constant: the sum over rollouts x max_new_tokens (Dr. GRPO, free of length bias)."""
    beta: float = Field(default=0.0, ge=0.0)
    """Weight of the KL term; 0 needs no reference model."""
    kl: Literal["k1", "k2", "k3"] = "k3"
    """Estimator of the KL term (joschu.net/blog/kl-approx.html). k1's gradient is 0 in expectation: use it to look, not
    to hold the policy back."""
    entropy_bonus: float = Field(default=0.0, ge=0.0)
    """Weight of the policy's entropy, which is *added* to the objective; the exact entropy is then computed."""
    importance_cap: float | None = Field(default=None, gt=0.0)
    """Weigh each token by min(trainer probability / sampler probability, cap), for samplers whose numbers differ from
    the trainer's (truncated importance sampling). None: no weights."""
    mask_overlong: bool = False
    """Leave rollouts that ran into max_new_tokens out of the loss and its denominator (DAPO's overlong filtering)."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Table):
    """Which policy to train."""

    name: str | None = None
    """A path or a Hub id of a `transformers` causal LM; None: make a small one from `scratch`."""
    revision: str | None = None
    """Pin a Hub model by commit; ignored for a path."""
    scratch: dict[str, Any] = Field(
        default_factory=lambda: {
            "hidden_size": 128,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "intermediate_size": 384,
        }
    )
    """Sizes of a Qwen3-shaped model made from nothing, with a character tokenizer built from the datasets."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"
    """"cpu", "cuda" or "cuda:0"."""
    lora_rank: int | None = None
    """Train a LoRA adapter of this rank (needs peft); None trains all weights."""
    checkpoint_activations: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, more time."""
    linear: Literal["torch", "onednn"] | None = None
    """Which library multiplies matrices on a CPU; None measures it once, and a resumed run keeps the choice."""


class WarmupConfig(_Table):
    """Supervised warm-up before RL, for a model made from scratch."""

    dataset: str
    """JSONL with `prompt` and `completion`."""
    steps: int = Field(default=400, ge=0)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)


class RewardConfig(_Table):
    """What pays: where the number comes from that all rollouts of a row are compared by, beside the signals."""

    source: Literal["registry", "vote", "none"] = "registry"
    """registry: the tools that were admitted for the row's task. none: nothing but the signals; tools still look on (the
    log and the evaluation say what they think), and their rewards are not read by any update. vote: 1 for an answer that says
    the same as the one with most supporters in its group, by the verifier of the row's task; references are not read."""
    difficulty: tuple[float, float] | None = None
    """Groups whose mean reward lies outside teach nothing (arXiv:2505.20347: 0.2 to 0.8): drawn again as far as
    `resample_limit` allows, else left out."""


class SelfInstructionConfig(_Table):
    """Prompts that the policy writes itself, from the rows of the dataset as seeds (arXiv:2505.20347)."""

    every: int = Field(default=125, ge=1)
    """Steps of an iteration: new prompts are written at its start."""
    prompts: int = Field(default=2000, ge=1)
    """Wanted in an iteration."""
    most_draws: int = Field(default=1000, ge=1)
    """Of 16 lists each, however few prompts are kept."""
    share: float = Field(default=1.0, ge=0.0, le=1.0)
    """Of a step's rows; the others are seeds."""
    shots: tuple[int, int] = (6, 2)
    """Seeds and kept prompts that are shown."""
    instruction: str = "Write more questions of this kind, one a line, numbered.\n"
    max_new_tokens: int = Field(default=512, ge=1)
    temperature: float = Field(default=0.8, gt=0)
    top_p: float = Field(default=0.95, gt=0, le=1)
    words: tuple[int, int] = (4, 150)
    """Fewest and most of a prompt."""
    max_similarity: float = Field(default=0.7, ge=0, le=1)
    """ROUGE-L F to a seed or a kept prompt, above which one is dropped."""
    banned: tuple[str, ...] = ("image", "graph", "file", "map", "draw", "plot")
    """Words of prompts that ask for what no text can give."""


class SignalConfig(BaseModel):
    """A signal with options of its own; they are checked by the signal (rlar.trainer.signals, rlar.trainer.companions)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    weight: float = 1.0
    """Of its normalised credit in the sum. 0 only records it."""


Signals = dict[str, float | SignalConfig]
"""By name; a number is short for a table with nothing but this weight."""


class PhaseConfig(_Table):
    """Some steps with settings of their own; what is left out is as in the rest of the file."""

    steps: int = Field(ge=1)
    dataset: tuple[str, ...] | None = None
    signals: Signals | None = None
    reward: RewardConfig | None = None
    learning_rate: float | None = Field(default=None, gt=0)


class EnvironmentConfig(BaseModel):
    """What answers the policy between its turns. Further keys are the environment's own settings."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    """Of `rlar env list`, or "module:Class", whose module is imported: its code runs, like that of a script of yours."""
    reward: Literal["registry", "environment"] | None = None
    """Who judges an episode: the registry's tools, by its answer; or the environment, by the sum of what it gave for the
    turns, and then rows need no tool. None: as the environment prefers."""
    max_turns: int = Field(default=6, ge=1)
    """Turns of the policy in an episode."""
    message_tokens: int = Field(default=256, ge=1)
    """A longer message of the environment is cut."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens of an episode after the prompt, whoever writes them; None: 2,048, or what the model's context leaves."""
    at_once: int = Field(default=16, ge=1)
    """Steps that run side by side, in threads."""
    step_seconds: float = Field(default=30.0, gt=0)
    """A step that takes longer is a timeout: its episode is left out of the loss."""

    @property
    def settings(self) -> dict[str, Any]:
        """The environment's own."""
        return dict(self.model_extra or {})


def _named(value: object) -> object:
    """An environment with its usual settings, of its name."""
    return {"name": value} if isinstance(value, str) else value


class TrainConfig(_Table):
    """One training run."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    dataset: Annotated[tuple[str, ...], Option("-d", typed=Path)]
    """Rows to train on; again for more files.

    JSONL, JSONL.gz or Parquet."""
    registry: Annotated[str, Option("-r", default="hidden")] = "registry.db"
    """The registry with the rewards.

    Tools are looked up in it by task fingerprint."""
    output: Annotated[str, Option("-o", default="hidden")] = "train"
    """Folder of checkpoints, metrics, report."""
    model: ModelConfig = ModelConfig()
    warmup: WarmupConfig | None = None
    loss: LossConfig = LossConfig()
    environment: Annotated[EnvironmentConfig | None, BeforeValidator(_named), Option(typed=str)] = None
    """Train on several turns with this environment: a name of `rlar env list`, or module:Class.

    A table `[environment]` has its settings."""

    steps: Annotated[int, Option(default="hidden")] = Field(default=250, ge=1)
    """Updates."""
    prompts_per_step: int = Field(default=32, ge=1)
    group_size: int = Field(default=8, ge=2)
    """Rollouts per prompt."""
    estimator: Literal["grpo", "dr_grpo", "rloo", "reinforce++", "reinforce++_baseline"] = "grpo"
    learning_rate: float = Field(default=1e-6, gt=0)
    final_learning_rate_fraction: float = Field(default=0.1, ge=0, le=1)
    """The rate falls to this share of itself; 1 keeps it constant."""
    schedule: Literal["linear", "cosine"] = "linear"
    """How it falls."""
    warmup_updates: int = Field(default=10, ge=0)
    """Updates over which the rate rises from 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    max_gradient_norm: float = Field(default=1.0, gt=0)
    shard_optimizer: bool = False
    """Of several processes, each keeps the optimiser's state of its share of the weights only (ZeRO stage 1)."""
    updates_per_batch: int = Field(default=1, ge=1)
    """Passes over the rollouts of a step; 1 is on-policy."""

    max_new_tokens: int = Field(default=256, ge=1)
    max_prompt_tokens: int | None = None
    """Longer prompts are left out and counted; None: what the model's context leaves."""
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    stop: tuple[str, ...] = ()
    sampler_url: str | None = None
    """An OpenAI-compatible server that samples instead of this process."""
    token_budget: int | None = Field(default=None, ge=1)
    """Tokens in one forward and backward pass; more are accumulated. None: 600 on a CPU, where more only costs memory,
    and 16,384 on a GPU."""
    score_chunks: int = Field(default=2, ge=1)
    """Parts that a step's prompts are generated in, so that one is scored while the next is generated."""
    resample_limit: int = Field(default=0, ge=0)
    """DAPO: draw up to so many more batches in place of groups whose rewards are all equal."""

    signals: Signals = Field(default_factory=dict)
    """Rewards from the policy, the group or a companion, by name with their weight (see rlar.trainer.signals)."""
    reward: RewardConfig = RewardConfig()
    self_instruction: SelfInstructionConfig | None = None
    phases: tuple[PhaseConfig, ...] = ()
    """Phases one after the other, each with its own signals, reward, steps, rows, and a fresh optimiser; none: one phase."""
    unknown: Literal["skip", "error", "train"] = "skip"
    """Rows of unknown or uncovered tasks: left out and counted, an error, or trained on with what needs no tool."""

    seed: Annotated[int, Option(default="hidden")] = 0
    """Seed of everything random."""
    eval_every: int = Field(default=50, ge=0)
    """Steps between evaluations on held-out rows; 0 never."""
    eval_rows: int = Field(default=60, ge=0)
    """Rows held out of training for evaluation, spread over the tasks."""
    checkpoint_every: int = Field(default=50, ge=0)
    """Steps between checkpoints; 0 only at the end."""
    keep_checkpoints: int = Field(default=2, ge=1)
    audit_every: int = Field(default=10, ge=0)
    """Steps between scorings by each task's audit tool; 0 never."""
    drift_every: int = Field(default=50, ge=0)
    """Steps of a window in which the tools' behaviour is compared with that at admission; 0 never."""
    evolve_every: Annotated[int, Option(default="hidden")] = Field(default=0, ge=0)
    """Steps between hand-overs of unknown rows to the agent.

    Quarantined and drifted tools are handed over with them; 0 never."""
    tensorboard: bool = True
    """Write TensorBoard events, where the package is installed."""
    wandb: str | None = None
    """Project of Weights & Biases to send the same numbers to; needs `rlar[wandb]`."""
    threads: int | None = None
    """Torch threads; None leaves torch's choice."""

    @property
    def tokens_per_pass(self) -> int:
        """`token_budget`, or what suits the device."""
        return self.token_budget or (16_384 if self.model.device.startswith("cuda") else 600)

    @property
    def signal_weights(self) -> dict[str, float]:
        """Weight by name."""
        signals = self.signals.items()
        return {name: entry.weight if isinstance(entry, SignalConfig) else entry for name, entry in signals}

    @property
    def records_certainty(self) -> bool:
        """Whether a phase asks for it, so that it is recorded while drawing."""
        return any(
            "certainty" in (signals or ()) for signals in (self.signals, *(each.signals for each in self.phases))
        )

    def signal_options(self, name: str) -> dict[str, Any]:
        """What the table of a signal holds beside its weight."""
        entry = self.signals[name]
        return dict(entry.model_extra or {}) if isinstance(entry, SignalConfig) else {}

    def phase_at(self, step: int) -> tuple[int, TrainConfig]:
        """The first step of the phase that a step lies in, and the settings in it, with the phase's own number of steps."""
        first = 0
        for phase in self.phases:
            if step < first + phase.steps or phase is self.phases[-1]:
                changed = {name: value for name, value in phase if value is not None}
                return first, self.model_copy(update={**changed, "phases": ()})
            first += phase.steps
        return 0, self

    @model_validator(mode="before")
    @classmethod
    def _steps_of_phases(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not values.get("phases"):
            return values
        phases = [
            each if isinstance(each, PhaseConfig) else PhaseConfig.model_validate(each) for each in values["phases"]
        ]
        steps = sum(phase.steps for phase in phases)
        if values.get("steps", steps) != steps:
            raise ValueError(
                f"the phases have {steps} steps together, so steps = {values['steps']} cannot be: leave it out"
            )
        return {**values, "phases": tuple(phases), "steps": steps}

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.score_chunks > self.prompts_per_step:
            raise ValueError(f"score_chunks ({self.score_chunks}) exceeds prompts_per_step ({self.prompts_per_step})")
        if not self.dataset:
            raise ValueError("dataset is empty: name at least one file")
        if self.phases:
            for first in range(len(self.phases)):
                start = sum(phase.steps for phase in self.phases[:first])
                self.phase_at(start)[1]._is_paid()
        else:
            self._is_paid()
        if self.sampler_url is not None and self.loss.importance_cap is None:
            raise ValueError(
                "sampler_url needs loss.importance_cap (2.0, say): a server's probabilities differ from the trainer's"
            )
        return self

    def _is_paid(self) -> None:
        """Raises ValueError where nothing pays some rows."""
        signals = [name for name, weight in self.signal_weights.items() if weight]
        if self.reward.source == "none" and not signals:
            raise ValueError(
                'reward.source = "none" leaves nothing to learn from: give a signal a weight, as [signals] does'
            )
        if self.self_instruction is not None and self.reward.source == "registry":
            raise ValueError(
                'prompts of the policy have no references: self_instruction needs reward.source = "vote" or "none"'
            )
        if self.unknown == "train" and self.reward.source == "registry" and not signals:
            raise ValueError(
                'unknown = "train" needs something that pays rows without tools: a signal, as [signals] does'
            )


def read_train_config(path: str | Path | None, overrides: dict[str, Any]) -> TrainConfig:
    """A TrainConfig from a TOML file (or defaults) and overrides that are not None. Raises ConfigError."""
    values: dict[str, Any] = {}
    if path is not None:
        values = read_toml(path)
    values.update({name: value for name, value in overrides.items() if value is not None})
    if "dataset" not in values:
        raise ConfigError(
            f"{path or 'options'}: no dataset; name the rows to train on with --dataset or dataset = [...]"
        )
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path or 'options'}: {first_problem(error, 'configuration', shown=True)}") from error
