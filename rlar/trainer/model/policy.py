"""The model that is trained: weights, tokenizer, and the quickest way of running it that is known to be right."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PretrainedConfig

from rlar.errors import ConfigError, boundary
from rlar.text.chat import ThoughtMarks, thought_marks
from rlar.trainer.model.batch import micro_batches
from rlar.trainer.model.fast import FastNetwork, supports
from rlar.trainer.model.generic import TransformersNetwork
from rlar.trainer.model.linear import LinearChoice, fastest_linear
from rlar.trainer.model.network import Network
from rlar.types import Example, JsonObject


@dataclass(frozen=True, eq=False)
class Policy:
    """A causal language model with its tokenizer."""

    model: Any
    """Of transformers (or wrapped by peft); its parameters are float32 whatever the dtype of the computation."""
    tokenizer: Any
    network: Network
    dtype: torch.dtype
    """Of the computation."""
    device: torch.device
    linear: LinearChoice
    """Pass it to `load_policy` to repeat a run bit for bit."""
    eos_ids: tuple[int, ...]
    """A completion ends with one of these."""
    pad_id: int
    """Only fills tables; never read by the model."""
    context: int | None
    """Longest prompt and completion together; None: no limit."""
    _adapters_off: bool = field(default=False, repr=False)

    @property
    def vocabulary(self) -> int:
        """Size of the output layer."""
        return int(self.network.head()[0].shape[0])

    def parameters(self) -> list[torch.nn.Parameter]:
        """What an optimiser should train."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def encode_prompt(self, example: Example, tools: Sequence[JsonObject] = ()) -> list[int]:
        """Token ids of the prompt: by the chat template where the tokenizer has one, else of the plain text.

        Args:
            tools: shown by the template; plain text shows none.
        """
        if self.tokenizer.chat_template:
            messages = [{"role": message.role, "content": message.content} for message in example.prompt]
            ids = boundary(
                lambda: self.tokenizer.apply_chat_template(
                    messages, tools=list(tools) or None, add_generation_prompt=True, tokenize=True, return_dict=False
                ),
                lambda error: _unrenderable(example, error),
            )
        else:
            ids = self.tokenizer(example.text)["input_ids"]
            while len(ids) > 1 and ids[-1] in self.eos_ids:
                ids = ids[:-1]
        if not ids:
            raise ConfigError(f"the prompt of {example.id} ({example.origin}) gives no tokens")
        return [int(token) for token in ids]

    def decode(self, ids: list[int]) -> str:
        """The text of a completion, without end or padding tokens; its thought stands between <think> and </think>."""
        thoughts = self.thoughts
        if thoughts is None:
            return str(self.tokenizer.decode(ids, skip_special_tokens=True))
        special = {
            self.tokenizer.convert_tokens_to_ids(mark): mark
            for mark in (thoughts.opening, thoughts.closing)
            if mark in self.tokenizer.all_special_tokens
        }
        parts = [
            "".join(special[token] for token in run)
            if is_mark
            else str(self.tokenizer.decode(list(run), skip_special_tokens=True))
            for is_mark, run in groupby(ids, key=special.__contains__)
        ]
        return thoughts.spelled("".join(parts))

    @cached_property
    def thoughts(self) -> ThoughtMarks | None:
        """The marks that the chat template declares for thoughts; None where it declares none, or renders no answer."""
        if not self.tokenizer.chat_template:
            return None

        def render(turns: list[dict[str, str]], opens: bool) -> str:
            return str(self.tokenizer.apply_chat_template(turns, add_generation_prompt=opens, tokenize=False))

        return boundary(lambda: thought_marks(str(self.tokenizer.chat_template), render), lambda _: None)

    def reference(self) -> Policy:
        """The policy as it is now, frozen: a copy, or the same weights without the adapters where LoRA is trained."""
        if _is_peft(self.model):
            return Policy(**{**_shallow(self), "_adapters_off": True})
        model = copy.deepcopy(self.model).requires_grad_(False).eval()
        network = _network(
            model, self.dtype, self.linear, checkpoint_activations=False, fast=self.network.name == "fast"
        )
        return Policy(**{**_shallow(self), "model": model, "network": network})

    @contextmanager
    def active(self) -> Iterator[None]:
        """Run the network inside this: for a LoRA reference it takes the adapters off."""
        if not self._adapters_off:
            yield
            return
        with self.model.disable_adapter():
            yield


def load_policy(
    source: str | Path | PretrainedConfig,
    *,
    tokenizer: Any = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    seed: int = 0,
    checkpoint_activations: bool = False,
    linear: LinearChoice | None = None,
    lora: dict[str, Any] | None = None,
    fast: bool = True,
) -> Policy:
    """A policy from a folder, a Hub name or, with fresh weights, a configuration.

    Args:
        source: weights in safetensors only, and no code of the model's own. A PretrainedConfig makes a model with random weights, drawn with `seed`.
        tokenizer: a tokenizer, or where to load one; by default the model's own.
        dtype: of the computation (bfloat16 halves memory traffic); the weights stay float32, so that small updates add up.
        checkpoint_activations: compute each block's activations again in the backward instead of keeping them.
        linear: which library multiplies matrices; None measures it.
        lora: arguments of `peft.LoraConfig`; only the adapters are trained then.
        fast: False always uses the model's own forward.
    """
    device = torch.device(device)
    torch.manual_seed(seed)
    if isinstance(source, PretrainedConfig):
        if tokenizer is None:
            raise ConfigError("a model made from a configuration needs a tokenizer: pass a tokenizer or its folder")
        model = AutoModelForCausalLM.from_config(source, dtype=torch.float32)
    else:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(source), dtype=torch.float32, output_loading_info=True, use_safetensors=True, trust_remote_code=False
        )
        model = _complete(str(source), *loaded)
    if tokenizer is None or isinstance(tokenizer, (str, Path)):
        tokenizer = AutoTokenizer.from_pretrained(
            str(source if tokenizer is None else tokenizer), trust_remote_code=False
        )
    if not tokenizer.get_vocab().keys() - tokenizer.all_special_tokens:
        raise ConfigError(f"{source} has no tokenizer: put the files of the model's own tokenizer beside its weights")
    model = model.to(device)
    vocabulary = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > vocabulary:
        raise ConfigError(
            f"the tokenizer has {len(tokenizer)} tokens and the model {vocabulary}: they do not belong together; take the "
            "model's own tokenizer, or resize the model's embeddings first (resize_token_embeddings)"
        )
    if lora is not None:
        model = _with_adapters(model, lora)
    chosen = linear or (fastest_linear() if device.type == "cpu" else "torch")
    eos_ids = _eos_ids(model, tokenizer)
    pad = tokenizer.pad_token_id
    return Policy(
        model=model,
        tokenizer=tokenizer,
        network=_network(model, dtype, chosen, checkpoint_activations=checkpoint_activations, fast=fast),
        dtype=dtype,
        device=device,
        linear=chosen,
        eos_ids=eos_ids,
        pad_id=int(pad) if pad is not None else (eos_ids[0] if eos_ids else 0),
        context=getattr(model.config, "max_position_embeddings", None),
    )


def _complete(source: str, model: Any, told: dict[str, Any]) -> Any:
    """The model. Raises ConfigError for weights that transformers made up or that nothing can be learnt from."""
    made_up = sorted({*told["missing_keys"], *(str(key[0]) for key in told["mismatched_keys"])})
    if made_up:
        raise ConfigError(
            f"{source} is not a complete causal language model: {len(made_up)} weights are missing or of another size, e.g. "
            f"{made_up[0]}"
        )
    spoiled = [name for name, weights in model.named_parameters() if not bool(weights.isfinite().all())]
    if spoiled:
        raise ConfigError(f"{source}: weights that are not finite, e.g. {spoiled[0]}; take an earlier checkpoint")
    return model


def _unrenderable(example: Example, error: Exception) -> Any:
    roles = ", ".join(message.role for message in example.prompt)
    raise ConfigError(
        f"the model's chat template cannot render {example.id} ({example.origin}, turns: {roles}): {error}; change the "
        "row's turns, or take the chat_template out of the tokenizer to train on the plain text"
    ) from error


def _network(
    model: Any, dtype: torch.dtype, linear: LinearChoice, *, checkpoint_activations: bool, fast: bool
) -> Network:
    """The fast network where it gives the model's own numbers, else the model's own forward."""
    model.eval()  # no dropout: the sampled log-probabilities must be those of the training forward
    if fast and not _is_peft(model) and supports(model):
        network = FastNetwork(model, dtype=dtype, linear=linear, checkpoint_activations=checkpoint_activations)
        difference = _disagreement(model, FastNetwork(model, dtype=torch.float32, linear=linear))
        if difference < 1e-3:
            return network
        warnings.warn(
            f"the fast forward differs from {type(model).__name__}'s own by {difference:.2g}; using its own",
            stacklevel=3,
        )
    return TransformersNetwork(model, dtype=dtype, checkpoint_activations=checkpoint_activations)


def _disagreement(model: Any, network: FastNetwork) -> float:
    """Largest difference of logits on a made-up prompt and two completions, over the spread of the logits."""
    device = next(model.parameters()).device
    size = model.get_input_embeddings().weight.shape[0]
    prompts = [[1 % size, 5 % size, 3 % size], [2 % size]]
    completions = torch.tensor([[4, 7, 9], [8, 2, 0]], device=device) % size
    lengths = torch.tensor([3, 2], device=device)
    worst = 0.0
    with torch.no_grad():
        for batch in micro_batches(prompts, completions, lengths, group_size=1, token_budget=1000):
            with network.forwards() as forward:
                mine = network.logits(forward(batch))
            for row, prompt in enumerate(batch.prompts):
                count = int(batch.lengths_R[row])
                ids = torch.tensor([prompt + batch.completion_ids_R_T[row, : count - 1].tolist()], device=device)
                theirs = model(input_ids=ids).logits[0, len(prompt) - 1 :].float()
                gap = (mine[batch.row_of_M == row] - theirs).abs().max() / theirs.std().clamp(min=1e-6)
                worst = max(worst, float(gap))
    return worst if worst == worst else float("inf")


def _eos_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """End tokens by the generation settings, the configuration and the tokenizer; may be empty."""
    found: list[int] = []
    for owner in (getattr(model, "generation_config", None), model.config, tokenizer):
        value = getattr(owner, "eos_token_id", None)
        found += [] if value is None else [value] if isinstance(value, int) else list(value)
    return tuple(dict.fromkeys(int(token) for token in found))


def _is_peft(model: Any) -> bool:
    return hasattr(model, "peft_config") and hasattr(model, "disable_adapter")


def _with_adapters(model: Any, lora: dict[str, Any]) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ConfigError("LoRA needs peft: pip install peft") from error
    return get_peft_model(model, LoraConfig(**{"task_type": "CAUSAL_LM", **lora}))


def _shallow(policy: Policy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in Policy.__dataclass_fields__}
