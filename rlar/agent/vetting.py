"""What to make of a model from what the Hub says of it: rank it, and say what speaks against it. Pure: asks nobody.

Everything here is data that strangers wrote. Tags, downloads and words in a card can be bought, so they only decide what
is tried first; nothing in them can admit a model. The prose of a card is never shown to an LLM and its benchmark tables
are not read at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from rlar.errors import ToolError
from rlar.tools.model_files import weight_files
from rlar.tools.policy import HubPolicy
from rlar.tools.reward_families import Reading, architecture_of, labels_of, readings, refusal
from rlar.types import AnswerKind, Frozen, JsonObject, TaskSpec

REWARD_TAGS = frozenset(
    {"reward-model", "reward model", "reward_model", "reward-trainer", "reward", "rm", "rlhf", "preference-model"}
)
PROCESS_TAGS = frozenset({"prm", "prm-trainer", "process-reward-model", "process reward model"})
NAME = re.compile(r"(?<![a-z])(reward|rm|prm|orm|preference)(?![a-z])", re.IGNORECASE)
LICENCE_TAG = "license:"
USUAL_PARAMETERS = (3e8, 1e10)
"""Sizes of published reward models that one machine can serve; outside of these a model loses points."""


class ModelFacts(Frozen):
    """What the Hub says of one model at one commit."""

    id: str
    sha: str
    downloads: int = 0
    likes: int = 0
    last_modified: str | None = None
    """ISO 8601."""
    pipeline_tag: str | None = None
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    licence: str | None = None
    """As the card spells it, lower case."""
    base_model: str | None = None
    gated: str | None = None
    """None, or how access is granted ("auto", "manual")."""
    disabled: bool = False
    architecture: str = ""
    has_auto_map: bool = False
    parameters: int | None = None
    files: dict[str, int | None] = Field(default_factory=dict)
    """Name -> bytes, where they are known."""
    flagged: tuple[str, ...] = ()
    """Files that the Hub's scanner objects to."""

    @property
    def subject(self) -> str:
        """Unambiguous: "org/model@<commit>"."""
        return f"{self.id}@{self.sha}"


class Ranking(Frozen):
    """How likely a model is a useful reward model for a task, by what it says of itself."""

    points: float
    breakdown: dict[str, float] = Field(default_factory=dict)
    """Reason -> points; they add up."""


class Verdict(Frozen):
    """What speaks against a model."""

    refused: tuple[str, ...] = ()
    """Nobody can allow these."""
    needs_approval: tuple[str, ...] = ()
    """A person may."""


class Plan(Frozen):
    """What to download of a model, and how it can be read."""

    files: tuple[str, ...]
    readings: tuple[Reading, ...]
    max_length: int


def rank(facts: ModelFacts, task: TaskSpec | None = None, *, now: datetime | None = None) -> Ranking:
    """Points for what marks a reward model, then for what makes it likely to serve this task."""
    found = {**_marks(facts), **_fitness(facts, now)}
    if task is not None and (wanted := task.contract.target_language) and facts.languages:
        found["language"] = 1.0 if wanted in facts.languages or "multilingual" in facts.languages else -2.0
    kept = {name: round(points, 2) for name, points in found.items() if points}
    return Ranking(points=round(sum(kept.values()), 2), breakdown=kept)


def looks_like_reward_model(facts: ModelFacts, policy: HubPolicy) -> bool:
    """Whether its marks alone (not its popularity) reach the policy's minimum."""
    return sum(_marks(facts).values()) >= policy.min_rank


def _marks(facts: ModelFacts) -> dict[str, float]:
    tags = {tag.lower() for tag in facts.tags}
    marks = {}
    if tags & (REWARD_TAGS | PROCESS_TAGS):
        marks["tag"] = 3.0
    if NAME.search(facts.id.split("/")[-1]):
        marks["name"] = 2.0
    if (
        facts.architecture.endswith("ForSequenceClassification")
        or (facts.architecture.endswith("ForTokenClassification") and tags & PROCESS_TAGS)
        or "Reward" in facts.architecture
        or facts.architecture.endswith("RM")
    ):
        marks["architecture"] = 2.0
    if facts.pipeline_tag == "text-classification" and marks:
        marks["pipeline"] = 1.0
    return marks


def _fitness(facts: ModelFacts, now: datetime | None) -> dict[str, float]:
    found = {"downloads": min(2.0, 0.4 * math.log10(1 + max(0, facts.downloads)))}
    found["likes"] = min(0.5, 0.2 * math.log10(1 + max(0, facts.likes)))
    if facts.licence:
        found["licence stated"] = 0.5
    if facts.base_model:
        found["base model named"] = 0.25
    low, high = USUAL_PARAMETERS
    if facts.parameters and facts.parameters > high:
        found["size"] = -min(2.0, math.log10(facts.parameters / high) * 2)
    elif facts.parameters and facts.parameters >= low:
        found["size"] = 0.5
    if now is not None and (changed := _date(facts.last_modified)) is not None:
        years = max(0.0, (now - changed).days / 365)
        found["recency"] = max(0.0, 1.0 - 0.5 * years)
    return found


def vet(facts: ModelFacts, policy: HubPolicy) -> Verdict:
    """What the Hub's metadata alone says against a model."""
    refused, asked = [], []
    if facts.disabled:
        refused.append("disabled by the Hub")
    if facts.has_auto_map or "custom_code" in facts.tags:
        refused.append("config.json has auto_map: it needs its own code, which is never run")
    if facts.flagged:
        refused.append(f"the Hub's security scan flags {facts.flagged[0][:80]}")
    if not any(name.endswith(".safetensors") for name in facts.files):
        other = sorted(name for name in facts.files if name.endswith((".bin", ".pt", ".pkl", ".pth", ".h5")))
        refused.append(f"no safetensors weights{f' (only {other[0][:80]})' if other else ''}")
    size = sum(size or 0 for name, size in facts.files.items() if name.endswith(".safetensors"))
    stated = max(size, 2 * (facts.parameters or 0))
    if stated > policy.max_bytes:
        refused.append(f"{stated / 1e9:.0f} GB of weights, the policy allows {policy.max_bytes / 1e9:.0f} GB a model")
    if facts.gated:
        asked.append(f"gated ({facts.gated}): its conditions must be accepted on the Hub")
    if facts.licence is None:
        asked.append("no licence stated")
    elif facts.licence not in policy.licences:
        asked.append(f"licence {facts.licence[:60]} is not among those that the policy allows")
    return Verdict(refused=tuple(refused), needs_approval=tuple(asked))


def plan(
    facts: ModelFacts, policy: HubPolicy, *, config: JsonObject, tokenizer_config: JsonObject, index: JsonObject | None
) -> Plan:
    """What to download and how to read it, by the model's own configuration. Raises ToolError with the reason why not."""
    if reason := refusal(config, tokenizer_config):
        raise ToolError(reason)
    weights = weight_files(facts.files, index)
    has_template = bool(tokenizer_config.get("chat_template")) or any(
        name in facts.files for name in ("chat_template.jinja", "chat_template.json")
    )
    documented = {name: readout.weights for name, readout in policy.readouts.items()}
    found = readings(config, tokenizer_config, has_template=has_template, readouts=documented)
    return Plan(files=tuple(weights), readings=found, max_length=_window(config, tokenizer_config, policy))


def _window(config: JsonObject, tokenizer_config: JsonObject, policy: HubPolicy) -> int:
    """Tokens that a model reads: the least of what its files and the policy say."""
    stated = [
        config.get("max_position_embeddings"),
        config.get("n_positions"),
        tokenizer_config.get("model_max_length"),
    ]
    text = config.get("text_config")
    if isinstance(text, dict):
        stated.append(text.get("max_position_embeddings"))
    sizes = [int(each) for each in stated if isinstance(each, int | float) and 16 <= each < 1e9]
    return min([policy.max_length, *sizes])


def summary(config: JsonObject) -> JsonObject:
    """What provenance keeps of a configuration."""
    return {"architecture": architecture_of(config), "labels": list(labels_of(config))[:20]}


def facts_of(info: Any) -> ModelFacts:
    """Facts from a ModelInfo of huggingface_hub; what is missing or of another type is left out."""
    card = info.card_data.to_dict() if info.card_data is not None and hasattr(info.card_data, "to_dict") else {}
    config = info.config if isinstance(info.config, dict) else {}
    tags = tuple(str(tag) for tag in info.tags or ())
    issues = (info.security_repo_status or {}).get("filesWithIssues") if info.security_repo_status else None
    return ModelFacts(
        id=str(info.id),
        sha=str(info.sha or ""),
        downloads=int(info.downloads or 0),
        likes=int(info.likes or 0),
        last_modified=info.last_modified.isoformat() if info.last_modified else None,
        pipeline_tag=info.pipeline_tag,
        tags=tags,
        languages=_texts(card.get("language")),
        licence=_licence(card.get("license"), tags),
        base_model=next(iter(_texts(card.get("base_model"))), None),
        gated=str(info.gated) if info.gated else None,
        disabled=bool(info.disabled),
        architecture=architecture_of(config),
        has_auto_map="auto_map" in config,
        parameters=info.safetensors.total if info.safetensors else None,
        files={str(each.rfilename): each.size for each in info.siblings or ()},
        flagged=tuple(str(each.get("path", each)) if isinstance(each, dict) else str(each) for each in issues or ()),
    )


def _licence(stated: Any, tags: Sequence[str]) -> str | None:
    named = next(iter(_texts(stated)), None) or next(
        (tag.removeprefix(LICENCE_TAG) for tag in tags if tag.startswith(LICENCE_TAG)), None
    )
    said = named.strip().lower() if named else ""
    return None if said in {"", "unknown", "none"} else said


def _texts(value: Any) -> tuple[str, ...]:
    """A text or a list of texts, as many."""
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


UNVERIFIABLE = frozenset({AnswerKind.OPEN_ENDED, AnswerKind.LONG_TEXT, AnswerKind.SUMMARY, AnswerKind.TRANSLATION})
"""Kinds of answers whose quality no exact verifier decides."""
