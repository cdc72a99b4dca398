"""How a reward model's output is read: recipes by family, decided from its configuration and tokenizer as data. No torch.

| family | architecture | read as |
|---|---|---|
| scalar | `...ForSequenceClassification`, one label | the raw logit (no sigmoid); prompt and completion by the chat template, or as a text pair where there is none |
| objectives | the same with several labels | the documented weighted sum of the labels (policy `hub.readouts`); unknown labels are refused |
| process | `...ForTokenClassification`, two labels | P(good) at the separator after each step; the least or the mean of the steps |

Generative judges are no family here: they run behind an endpoint as judges. What needs its own code is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from rlar.errors import ToolError
from rlar.types import Frozen, JsonObject

Family = Literal["scalar", "objectives", "process"]
Template = Literal["chat", "pair", "steps"]

ENCODERS = ("bert", "electra", "xlnet", "mpnet", "ernie", "funnel", "camembert")
"""Model types, or parts of them, that read text pairs by nature (also roberta, deberta, modernbert)."""
GOOD = frozenset({"good", "correct", "right", "positive", "true", "yes", "+", "1"})
BAD = frozenset({"bad", "incorrect", "wrong", "negative", "false", "no", "-", "0"})
STEP_TOKENS = ("<extra_0>", "<|step|>", "<step>")
"""Special tokens that models mark the end of a step with (Qwen2.5-Math-PRM and its kin)."""
SEPARATED = {"\n": "lines", "\n\n": "paragraphs"}
LINE_ENDS = ("\n", "\n\n")
"""TRL's PRM trainer puts its `step_separator` after each step: a line break by default, often two."""
CODE_KEYS = ("auto_map", "custom_pipelines")


OVER: tuple[Literal["min", "mean"], ...] = ("min", "mean")
"""How the steps' P(good) are put together: the least (arXiv:2312.08935, sec. 3.4), or the mean. No file says which."""


class HeadReading(Frozen):
    """One way to read a model; the gate decides which is right where several are possible."""

    family: Family
    template: Template
    weights: dict[str, float] = Field(default_factory=dict)
    """objectives: label -> weight."""
    readout: str = ""
    """objectives: name of the documented read-out."""
    good: int = 1
    """process: index of the label that means good."""
    separator: str = "\n"
    """process: text after each step."""
    over: Literal["min", "mean", "last"] = "min"
    """process: how the steps' P(good) become one number."""

    @property
    def slug(self) -> str:
        """Short name: "chat", "pair", "objectives-chat", "min-of-lines"."""
        if self.family == "process":
            return f"{self.over}-of-{SEPARATED.get(self.separator, 'steps')}"
        return self.template if self.family == "scalar" else f"objectives-{self.template}"


def refusal(config: JsonObject, tokenizer_config: JsonObject) -> str:
    """Why a model may not be loaded whatever anybody allows; empty when nothing speaks against it."""
    for name, held in (("config.json", config), ("tokenizer_config.json", tokenizer_config)):
        for key, value in _entries(held):
            if key in CODE_KEYS:
                return f"{name} has {key}: it needs its own code, which is never run"
            if "attn_implementation" in key and "/" in str(value):
                return f"{name} asks for code from {str(value)[:80]!r}"
            if key == "quantization_config":
                return "its weights are quantised: scores would depend on another package's kernels"
    if pad_token(config, tokenizer_config) is None:
        return "no pad token: which token the head reads would depend on the batch"
    return ""


def pad_token(config: JsonObject, tokenizer_config: JsonObject) -> Any:
    """The pad token's id, or its text where only the tokenizer says it; None without one."""
    for key, value in _entries(config):
        if key == "pad_token_id" and value is not None and value != -1:
            return value
    return tokenizer_config.get("pad_token")


def readings(
    config: JsonObject, tokenizer_config: JsonObject, *, has_template: bool, readouts: Mapping[str, Mapping[str, float]]
) -> tuple[HeadReading, ...]:
    """How a model can be read, likeliest first; more than one where its files do not tell.

    Args:
        has_template: its tokenizer has a chat template.
        readouts: documented read-outs by name, each label -> weight.

    Raises:
        ToolError: no recipe fits; the message says why.
    """
    architecture = architecture_of(config)
    labels = labels_of(config)
    if architecture.endswith("ForSequenceClassification"):
        templates = _templates(config, has_template)
        if len(labels) == 1:
            return tuple(HeadReading(family="scalar", template=template) for template in templates)
        name, weights = _readout(labels, readouts)
        return tuple(
            HeadReading(family="objectives", template=t, weights=dict(weights), readout=name) for t in templates
        )
    if architecture.endswith("ForTokenClassification"):
        good = _good_label(labels)
        return tuple(
            HeadReading(family="process", template="steps", good=good, separator=separator, over=over)
            for separator in _separators(tokenizer_config)
            for over in OVER
        )
    if architecture.endswith(("ForCausalLM", "ForConditionalGeneration")):
        raise ToolError(
            f"{architecture} writes text: as a judge it needs an endpoint, as a reward model it has no head"
        )
    raise ToolError(f"no recipe for the architecture {architecture or 'that config.json does not name'}")


def architecture_of(config: JsonObject) -> str:
    """The first architecture that config.json names, or ""."""
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else ""


def labels_of(config: JsonObject) -> tuple[str, ...]:
    """The labels of the head, in order; transformers takes two where config.json names none."""
    named = config.get("id2label")
    if isinstance(named, dict) and named:
        try:
            return tuple(str(named[key]) for key in sorted(named, key=int))
        except ValueError as error:
            raise ToolError("config.json numbers its labels by something other than numbers") from error
    count = config.get("num_labels", 2)
    return tuple(f"LABEL_{number}" for number in range(count if isinstance(count, int) and 0 < count < 1000 else 2))


def _templates(config: JsonObject, has_template: bool) -> tuple[Template, ...]:
    reads_pairs = any(part in str(config.get("model_type", "")) for part in ENCODERS)
    if not has_template:
        return ("pair",)
    return ("chat", "pair") if reads_pairs else ("chat",)


def _readout(labels: Sequence[str], readouts: Mapping[str, Mapping[str, float]]) -> tuple[str, Mapping[str, float]]:
    for name, weights in readouts.items():
        if sorted(weights) == sorted(labels):
            return name, weights
    shown = ", ".join(labels[:6])
    raise ToolError(f"{len(labels)} labels ({shown}) and no documented read-out for them (policy: hub.readouts)")


def _good_label(labels: Sequence[str]) -> int:
    if len(labels) != 2:
        raise ToolError(f"a process reward model has 2 labels, this one {len(labels)}")
    if tuple(labels) == ("LABEL_0", "LABEL_1"):
        return 1  # TRL's convention
    names = [label.strip().lower() for label in labels]
    for good in (0, 1):
        if names[good] in GOOD and names[1 - good] in BAD:
            return good
    raise ToolError(f"its labels {', '.join(labels)} do not say which one means a good step")


def _separators(tokenizer_config: JsonObject) -> tuple[str, ...]:
    special = {str(value) for key, value in _entries(tokenizer_config) if key == "content"}
    listed = tokenizer_config.get("additional_special_tokens") or tokenizer_config.get("extra_special_tokens") or []
    special |= {str(token) for token in listed}
    return next(((token,) for token in STEP_TOKENS if token in special), LINE_ENDS)


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield str(key), held
            yield from _entries(held)
    elif isinstance(value, list):
        for held in value:
            yield from _entries(held)
