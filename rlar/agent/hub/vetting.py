"""Which models of the Hub are worth trying for a task, and which must not be tried. Pure: no network, no torch.

Everything here was written by whoever uploaded the model: it is matched against fixed words and numbers, never obeyed. What a
card says in prose (benchmarks, praise, orders) is not read at all. The gate decides what a model is good for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from rlar.errors import ToolError, boundary
from rlar.gate.policy import HubPolicy
from rlar.tools.reward_model.families import HeadReading, readings, refusal
from rlar.tools.reward_model.files import INDEX, SOURCE, small_files, weight_files
from rlar.types import Frozen, JsonObject, TaskSpec

CARD = "README.md"
TEMPLATE_FILES = frozenset({"chat_template.jinja", "chat_template.json"})
BYTES_OF_TYPE = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}
"""Bytes of one number by the Hub's name of its type; two where it is none of these."""
MOST_WORDS = 300
"""Tags, files' names and the like that are looked at."""

REWARD_TAGS = frozenset(
    {"reward-trainer", "reward-model", "reward model", "reward_model", "reward-modeling", "prm", "process-reward-model"}
)
RELATED_TAGS = frozenset({"rlhf", "preference", "human-feedback", "bradley-terry", "trl"})
REWARD_NAME = re.compile(r"reward|(?<![a-z])[op]?rm(?![a-z])", re.IGNORECASE)
"""In a repository's name: "reward", or RM, PRM, ORM as a word of its own."""
CAMEL_RM = re.compile(r"[a-z](?:RM|PRM|ORM)(?![a-z])")
"""... or as the end of a word: UltraRM, ArmoRM-Llama3."""
PROCESS_TAGS = frozenset({"prm", "process-reward-model"})


class ModelFacts(Frozen):
    """What is known of one model at one commit."""

    repo: str
    sha: str
    tags: tuple[str, ...] = ()
    pipeline_tag: str = ""
    architectures: tuple[str, ...] = ()
    own_code: bool = False
    """The Hub's listing says that it has an auto_map."""
    licences: tuple[str, ...] = ()
    """Lower case, as its card's head states them; empty: none stated."""
    languages: tuple[str, ...] = ()
    base_models: tuple[str, ...] = ()
    gated: str = ""
    """How: "auto", "manual"; empty: open."""
    disabled: bool = False
    downloads: int = 0
    likes: int = 0
    changed: datetime | None = None
    parameters: dict[str, int] = Field(default_factory=dict)
    """Numbers by type, from the headers of its safetensors files as the Hub read them."""
    files: tuple[str, ...] = ()

    # Known once it was looked at more closely; None before.
    sizes: dict[str, int] | None = None
    """Bytes of every file."""
    flagged: tuple[str, ...] = ()
    """Files that the Hub's scanners object to."""
    config: JsonObject | None = None
    tokenizer_config: JsonObject | None = None
    index: JsonObject | None = None
    """model.safetensors.index.json"""

    @property
    def subject(self) -> str:
        """ "org/name@<commit>": what approvals and tools call it."""
        return f"{self.repo}@{self.sha}"

    @property
    def total_parameters(self) -> int:
        """Numbers in all; 0 where the Hub does not say."""
        return sum(self.parameters.values())

    @property
    def wanted_files(self) -> tuple[str, ...]:
        """What is downloaded and loaded: configuration, tokenizer, safetensors. Raises ToolError without weights."""
        return tuple(sorted({*small_files(self.files), *weight_files(self.files, self.index)}))

    def bytes_of(self, names: Iterable[str]) -> int:
        """Size of some of its files; 0 for one of unknown size."""
        return sum((self.sizes or {}).get(name, 0) for name in names)


class Ranking(Frozen):
    """How promising a model looks for a task: points, and where they come from."""

    score: float
    breakdown: dict[str, float]

    @property
    def is_reward_model(self) -> bool:
        """Whether its tags or its name say that it is a reward model: an architecture alone may classify anything."""
        return self.breakdown["tags"] + self.breakdown["name"] >= 2


class Vetted(Frozen):
    """What the policy says of a model."""

    refused: str = ""
    """Why it is not tried whatever anybody allows; empty: nothing speaks against it."""
    approvals: tuple[str, ...] = ()
    """What a person has to allow first."""


# ------------------------------------------------------------------------------------------ facts


def facts_of(info: Any) -> ModelFacts | None:
    """The facts in a `huggingface_hub.ModelInfo`, from a listing or of one model; None without a usable name and commit."""
    subject = f"{info.id}@{info.sha}"
    if not SOURCE.fullmatch(subject):
        return None
    card = info.card_data.to_dict() if info.card_data is not None else {}
    config = info.config if isinstance(info.config, dict) else {}
    tags = _words(info.tags)
    stated = _words(card.get("license")) or tuple(t[8:] for t in tags if t.startswith("license:"))
    siblings = info.siblings or []
    sizes = {each.rfilename: each.size for each in siblings if isinstance(each.size, int)}
    return ModelFacts(
        repo=info.id,
        sha=info.sha,
        tags=tags,
        pipeline_tag=str(info.pipeline_tag or ""),
        architectures=_words(config.get("architectures")),
        own_code="auto_map" in config or "custom_code" in tags,
        licences=tuple(licence.lower() for licence in stated if licence.strip().lower() not in ("", "unknown")),
        languages=tuple(language.lower() for language in _words(card.get("language"))),
        base_models=_words(card.get("base_model")),
        gated=str(info.gated) if info.gated else "",
        disabled=bool(info.disabled),
        downloads=int(info.downloads or 0),
        likes=int(info.likes or 0),
        changed=info.last_modified,
        parameters={str(k): int(v) for k, v in (info.safetensors.parameters if info.safetensors else {}).items()},
        files=tuple(each.rfilename for each in siblings),
        sizes=sizes if len(sizes) == len(siblings) and siblings else None,
        flagged=_flagged(getattr(info, "security_repo_status", None)),
    )


def _words(value: Any) -> tuple[str, ...]:
    """Printable one-line texts of a value that should be a text or a list of them."""
    values = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    return tuple(
        "".join(c if c.isprintable() else " " for c in each)[:100].strip()
        for each in values[:MOST_WORDS]
        if isinstance(each, str)
    )


def _flagged(status: Any) -> tuple[str, ...]:
    issues = status.get("filesWithIssues") if isinstance(status, dict) else None
    named = [each.get("path") if isinstance(each, dict) else each for each in issues or []]
    return _words([name for name in named if isinstance(name, str)])


# ------------------------------------------------------------------------------------------ ranking


def rank(facts: ModelFacts, task: TaskSpec, *, now: datetime | None = None) -> Ranking:
    """How promising a model looks, from what can be counted.

    Of its card counts only that there is one. Popularity counts little: at most 3 points of the 10 or so that a reward
    model has, since downloads can be made.

    Args:
        now: recency is counted from here; None: the present.
    """
    points = {
        "tags": _tag_points(facts),
        "name": 3.0 if _says_reward(facts.repo.split("/")[-1]) else 0.0,
        "architecture": _architecture_points(facts),
        "pipeline": {"text-classification": 1.0, "token-classification": 0.5, "text-generation": -1.0}.get(
            facts.pipeline_tag, 0.0
        ),
        "licence": 0.5 if facts.licences else 0.0,
        "size": min(1.5, max(0.0, math.log10(max(1, facts.total_parameters)) - 8.0)),
        "downloads": min(2.5, 0.5 * math.log10(1 + max(0, facts.downloads))),
        "likes": min(0.5, 0.2 * math.log10(1 + max(0, facts.likes))),
        "recency": _recency_points(facts.changed, now or datetime.now(UTC)),
        "language": _language_points(facts, task),
        "card": 0.25 if CARD in facts.files else 0.0,
        # Judged step by step: made for reasoning that is written down, which these tasks seldom ask for.
        "fit": -1.0 if _is_process(facts) else 0.0,
    }
    rounded = {name: round(value, 3) for name, value in points.items()}
    return Ranking(score=round(sum(rounded.values()), 3), breakdown=rounded)


def _says_reward(name: str) -> bool:
    return bool(REWARD_NAME.search(name) or CAMEL_RM.search(name))


def _is_process(facts: ModelFacts) -> bool:
    tagged = PROCESS_TAGS & {tag.lower() for tag in facts.tags}
    return bool(tagged) or any(each.endswith("ForTokenClassification") for each in facts.architectures)


def _tag_points(facts: ModelFacts) -> float:
    tags = {tag.lower() for tag in facts.tags}
    return 4.0 if tags & REWARD_TAGS else 1.0 if tags & RELATED_TAGS else 0.0


def _architecture_points(facts: ModelFacts) -> float:
    named = facts.architectures[0] if facts.architectures else ""
    if named.endswith("ForSequenceClassification"):
        return 2.0
    if named.endswith("ForTokenClassification"):
        return 1.0
    return -2.0 if named.endswith(("ForCausalLM", "ForConditionalGeneration")) else 0.0


def _recency_points(changed: datetime | None, now: datetime) -> float:
    """1 for a model of today, 0.5 for one of two years ago."""
    if changed is None:
        return 0.0
    years = max(0.0, (now - changed).total_seconds() / (365.25 * 86_400))
    return float(0.5 ** (years / 2))


def _language_points(facts: ModelFacts, task: TaskSpec) -> float:
    target = task.contract.target_language
    stated = set(facts.languages)
    if target is None or not stated:
        return 0.0
    return 1.0 if target in stated or "multilingual" in stated else -1.0


# ------------------------------------------------------------------------------------------ vetting


def vet(facts: ModelFacts, policy: HubPolicy) -> Vetted:
    """What the policy says of a model, as far as it is known: call it again once its files were looked at.

    A refusal is final: no approval and no setting allows code of its own, pickles, or a head that nobody can read.
    """
    refused = boundary(lambda: _refusal(facts, policy), _unreadable)
    return Vetted(refused=refused, approvals=() if refused else _needs(facts, policy))


def model_readings(facts: ModelFacts, policy: HubPolicy) -> tuple[HeadReading, ...]:
    """How a model that was looked at can be read, likeliest first. Raises ToolError where no recipe fits."""
    tokenizer = facts.tokenizer_config or {}
    return readings(
        facts.config or {},
        tokenizer,
        has_template=bool(tokenizer.get("chat_template")) or bool(TEMPLATE_FILES & set(facts.files)),
        readouts={name: readout.weights for name, readout in policy.readouts.items()},
    )


def window(facts: ModelFacts, policy: HubPolicy) -> int:
    """Tokens of prompt and completion that a model is given at most."""
    config = facts.config or {}
    nested = config.get("text_config")
    positions = config.get("max_position_embeddings") or (
        nested.get("max_position_embeddings") if isinstance(nested, dict) else None
    )
    if isinstance(positions, int) and "roberta" in str(config.get("model_type", "")):
        positions -= 2  # its positions are counted from the pad token's on
    stated = (facts.tokenizer_config or {}).get("model_max_length")
    limits = [limit for limit in (positions, stated) if isinstance(limit, int | float) and 16 <= limit < 1e9]
    return int(min([policy.max_length, *limits]))


def _unreadable(error: Exception) -> str:
    """Configurations are written by anybody: one that no recipe can even look at is refused, too."""
    return str(error) if isinstance(error, ToolError) else f"its configuration cannot be read: {type(error).__name__}"


def _refusal(facts: ModelFacts, policy: HubPolicy) -> str:
    """Raises ToolError (from the recipes), or gives the reason, or "" where nothing is found."""
    if facts.disabled:
        return "disabled by the Hub"
    if facts.own_code:
        return "it has an auto_map: it needs its own code, which is never run"
    if facts.flagged:
        return f"the Hub's security scan objects to {facts.flagged[0][:80]!r}"
    if INDEX not in facts.files:
        weight_files(facts.files, None)
    if "config.json" not in facts.files:
        return "no config.json"
    if reason := _too_big(facts, policy):
        return reason
    if facts.config is None:
        return ""
    if reason := refusal(facts.config, facts.tokenizer_config or {}):
        return reason
    model_readings(facts, policy)
    return _oversized(facts, policy)


def _too_big(facts: ModelFacts, policy: HubPolicy) -> str:
    size = sum(count * BYTES_OF_TYPE.get(kind, 2) for kind, count in facts.parameters.items())
    if facts.total_parameters > policy.max_parameters:
        return (
            f"{facts.total_parameters / 1e9:.1f} billion parameters ({size / 1e9:.1f} GB), "
            f"more than the {policy.max_parameters / 1e9:.1f} billion that the policy allows"
        )
    return _over(size, policy)


def _oversized(facts: ModelFacts, policy: HubPolicy) -> str:
    """Too big by the sizes of the files themselves. Raises ToolError for weights that are not there."""
    wanted = facts.wanted_files
    if unknown := [name for name in wanted if name not in (facts.sizes or {})]:
        return f"the Hub does not say how large {unknown[0]} is"
    for name in small_files(facts.files):
        if (size := facts.bytes_of([name])) > policy.max_tokenizer_bytes:
            return f"{name} has {size / 1e6:.0f} MB"
    return _over(facts.bytes_of(wanted), policy)


def _over(size: int, policy: HubPolicy) -> str:
    if size <= policy.max_bytes:
        return ""
    return f"{size / 1e9:.1f} GB, more than the {policy.max_bytes / 1e9:.1f} GB that the policy allows"


def _needs(facts: ModelFacts, policy: HubPolicy) -> tuple[str, ...]:
    reasons = []
    if facts.gated:
        reasons.append(f"gated ({'open to all who ask' if facts.gated == 'auto' else 'its owner decides who gets it'})")
    unlisted = [licence for licence in facts.licences if licence not in policy.licences]
    if unlisted:
        reasons.append(f"licence {', '.join(unlisted[:3])} is not on the policy's list")
    elif not facts.licences:
        reasons.append("no licence stated")
    return tuple(reasons)
