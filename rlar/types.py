"""The words of rlar as frozen types; everything else passes these around.

The road: Example -> Contract -> TaskSpec (fingerprint) -> ToolSpec -> Certificate -> Recipe;
Sample -> Score (one tool) -> Reward (combined). No behaviour beyond derived values lives here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from rlar.answered import answered, unwrapped
from rlar.visible import is_visible

JsonObject = dict[str, Any]
"""A dict that holds JSON values only."""


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text, so it can be hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*parts: str, size: int = 16) -> str:
    """Hex BLAKE2b of the parts, which are kept apart ("a","bc" differs from "ab","c"); `size` hex digits."""
    hasher = hashlib.blake2b(digest_size=32)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()[:size]


class Frozen(BaseModel):
    """A value: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed; what was derived from the old fields (id, key) is derived anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name in [name for name in copied.__dict__ if name not in type(self).model_fields]:
            del copied.__dict__[name]
        return copied


# ------------------------------------------------------------------------------------------ rows


class Message(Frozen):
    """One turn of a prompt."""

    role: str
    content: str


class Example(Frozen):
    """One row of a dataset, in rlar's own shape."""

    id: str
    prompt: tuple[Message, ...]
    reference: str | None = None
    """The expected answer; the first where the row gives several."""
    references: tuple[str, ...] = ()
    """All accepted answers (aliases), `reference` first; empty without a reference."""
    columns: JsonObject = Field(default_factory=dict)
    """Every other column of the row, JSON values (tests, entry_point, schema, extra_info ...). Data, never trusted."""
    origin: str = ""
    """Where it came from: "file:line"."""

    @cached_property
    def text(self) -> str:
        """The prompt as one text, turns separated by a blank line, without role names."""
        if len(self.prompt) == 1:
            return self.prompt[0].content
        return "\n\n".join(message.content for message in self.prompt)

    @cached_property
    def prompt_key(self) -> str:
        """Content key of the prompt alone: 32 hex digits."""
        return digest(self.text, size=32)

    @cached_property
    def key(self) -> str:
        """Content key of prompt and references: 32 hex digits. Row assignments and bindings are stored under it."""
        return digest(self.text, *self.references, size=32)

    @cached_property
    def identity(self) -> str:
        """Content key of the whole row, its other columns (where the tests may be) included: 32 hex digits."""
        if not self.columns:
            return self.key
        return digest(self.key, json.dumps(self.columns, sort_keys=True, default=repr), size=32)


# ------------------------------------------------------------------------------------------ tasks


class AnswerKind(StrEnum):
    """How an answer is judged. Part of the fingerprint: values are never renamed."""

    NUMBER = "number"
    MATH = "math"
    CHOICE = "choice"
    SHORT_TEXT = "short_text"
    LONG_TEXT = "long_text"
    TRANSLATION = "translation"
    SUMMARY = "summary"
    CODE_TESTS = "code_tests"
    """Assert lists or a `check(candidate)` function, in the prompt or in a column."""
    CODE_STDIO = "code_stdio"
    """Whole programs judged by stdin/stdout pairs."""
    CODE_REFERENCE = "code_reference"
    """Only a reference program: differential testing."""
    SQL = "sql"
    JSON = "json"
    CONSTRAINTS = "constraints"
    """Verifiable instructions read from the prompt."""
    OPEN_ENDED = "open_ended"
    """No reference and nothing verifiable."""
    RULE = "rule"
    """No reference, but the prompt states a rule that a program can check and no library verifier knows."""


class Contract(Frozen):
    """How answers of a task are judged, inferred from its rows: what the fingerprint hashes.

    Only what changes *judging* belongs here: never a file name, a data source or a template's wording.
    """

    answer_kind: AnswerKind
    has_reference: bool
    target_language: str | None = None
    """ISO 639-1 code that answers are written in, where the task fixes it (translation); else None."""
    labels: tuple[str, ...] = ()
    """Sorted closed set of answers (choice): label words, or the option letters."""
    programming_language: str | None = None
    """What programs are written in, where that is not Python: "cpp", "java" (rlar.kinds.programs.languages)."""
    carries: tuple[str, ...] = ()
    """Sorted: what a row brings for judging: "tests", "schema", "passage", "options", "constraints", "source"."""
    wordings: tuple[str, ...] = ()
    """Sorted; the words that its prompts share (see rlar.kinds.rule.wordings), where only they tell the task from others
    without a reference. A prompt of the task has one of them."""


class Witness(Frozen):
    """Answers to one row that somebody proposed, where the row itself has none to probe with."""

    row_key: str
    """Example.key"""
    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    by: str = ""
    """Who says so: a model with its prompt hash. What a witness proves is as good as its author."""


class TaskSpec(Frozen):
    """One discovered task."""

    fingerprint: str
    label: str
    """Short human name, e.g. "translation to French"; not part of the fingerprint."""
    contract: Contract
    rows: int = 0
    """Rows assigned to it in the build that wrote it."""
    description: str = ""
    examples: tuple[Example, ...] = ()
    """A bounded, order-independent sample of its rows (probes are made from them)."""
    criteria: tuple[str, ...] = ()
    """What a good answer does, one sentence each; proposed by an LLM, used by judges and writers of verifiers."""
    witnesses: tuple[Witness, ...] = ()
    """Proposed answers to some of the examples."""


class Assignment(Frozen):
    """The task of one row, or unknown."""

    fingerprint: str | None
    """None: unknown."""
    confidence: float
    """In [0, 1]; for unknown the confidence of the best rejected guess."""
    reason: str = ""


# ------------------------------------------------------------------------------------------ tools


class ToolKind(StrEnum):
    """How a tool is made and run: `rlar.tools.load.TOOL_KINDS`. These ship with rlar.

    Other names are kinds, too: a registry may hold tools of a version that has more (or had others), and is still read.
    """

    LIBRARY = "library"
    GENERATED = "generated"
    REWARD_MODEL = "reward_model"
    JUDGE = "judge"
    HTTP = "http"
    OWN = "own"

    @classmethod
    def _missing_(cls, value: object) -> ToolKind | None:
        if not isinstance(value, str) or not _KIND.fullmatch(value):
            return None
        kind = str.__new__(cls, value)
        kind._name_, kind._value_ = value.upper(), value
        return kind


_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


class ToolSpec(Frozen):
    """A tool as data: enough to rebuild it in another process."""

    kind: ToolKind
    name: str
    """Library: the entry's name. Others: a readable slug."""
    source: str = ""
    """Library: "library:NAME". Generated: the code. Reward model: "repo@sha"."""
    params: JsonObject = Field(default_factory=dict)
    code_hash: str = ""
    """Hash of the code that runs, so that a changed verifier is another tool."""
    provenance: JsonObject = Field(default_factory=dict)
    """Where it came from (not part of the id): model, prompt hash, attempts, licence ..."""

    @cached_property
    def id(self) -> str:
        """`name-<12 hex>`, a hash over kind, source, params and code hash."""
        body = {"kind": self.kind, "source": self.source, "params": self.params, "code": self.code_hash}
        return f"{self.name}-{digest(canonical_json(body), size=12)}"


class Sample(Frozen):
    """One completion to be scored, with all a tool may look at."""

    prompt: str
    completion: str
    """What it answers (`rlar.answered`): without thoughts, without the wrapper around the answer unless the prompt names
    it, without the turn's end; "" where a person could see nothing of it: what cannot be seen is no answer."""
    reference: str | None = None
    references: tuple[str, ...] = ()
    binding: JsonObject = Field(default_factory=dict)
    """What this very row asks for (its tests, constraints, schema, options, languages); see rlar.kinds.bind."""
    missing: str = ""
    """Why nothing was answered, where the completion's own marks say so ("the thought never ends")."""
    written: str | None = None
    """The completion as it was written, where that is another text: what a host shows a user's own reward function."""

    @cached_property
    def answer(self) -> str:
        """The completion without the wrapper that the prompt asks for, too: for whoever compares it with a reference."""
        inside = unwrapped(self.completion)
        return "" if inside is None else inside

    @classmethod
    def of(cls, example: Example, completion: str, binding: JsonObject) -> Sample:
        """A completion of a row; see rlar.kinds.bind for the binding."""
        return cls(
            prompt=example.text,
            completion=completion,
            reference=example.reference,
            references=example.references,
            binding=binding,
        )

    @model_validator(mode="before")
    @classmethod
    def _answered(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(completion := data.get("completion"), str):
            return data
        prompt = data.get("prompt")
        text, missing = answered(completion, prompt if isinstance(prompt, str) else "")
        text = text if is_visible(text) else ""
        if text != completion:
            data = {**data, "written": completion}
        return {**data, "completion": text, "missing": missing} if missing else {**data, "completion": text}


ScoreStatus = Literal["ok", "abstain", "failed", "timeout"]


class Score(Frozen):
    """One tool's output for one completion. `value` is a number exactly when `status` is "ok"."""

    value: float | None
    """In [0, 1] for library tools; raw range of the model for reward models (calibrated later)."""
    status: ScoreStatus = "ok"
    explanation: str = ""
    """One line for a person; never contains the whole completion."""
    error: str | None = None
    details: JsonObject = Field(default_factory=dict)
    """E.g. {"forgeable": true, "tier": "ns", "unsafe": false, "passed": 3, "total": 5}."""

    def model_post_init(self, _context: Any) -> None:
        """Raises ValueError for a value without status "ok", the reverse, and a value that is not finite."""
        if (self.value is None) == (self.status == "ok"):
            raise ValueError(f"Score with value {self.value!r} cannot have status {self.status!r}")
        if self.value is not None and not (self.value - self.value == 0.0):
            raise ValueError(f"Score value must be finite, not {self.value!r}")


def ok(value: float, explanation: str = "", **details: Any) -> Score:
    """A score: the tool could tell."""
    return Score(value=float(value), status="ok", explanation=explanation, details=details)


def abstain(explanation: str, **details: Any) -> Score:
    """The tool cannot tell (no reference, outside its range, unparseable reference)."""
    return Score(value=None, status="abstain", explanation=explanation, details=details)


def failed(error: str, **details: Any) -> Score:
    """The tool broke; never a number."""
    return Score(value=None, status="failed", error=error, details=details)


def timed_out(error: str, **details: Any) -> Score:
    """The tool ran past its limit; never a number."""
    return Score(value=None, status="timeout", error=error, details=details)


class ToolScore(Frozen):
    """A score with the tool that gave it."""

    tool: str
    """ToolSpec.id"""
    value: float | None
    """Calibrated to [0, 1]."""
    status: ScoreStatus
    explanation: str = ""
    raw: float | None = None
    """Before calibration."""
    details: JsonObject = Field(default_factory=dict)


RewardStatus = Literal["ok", "abstain", "failed", "timeout", "unknown", "uncovered"]


class Reward(Frozen):
    """The combined number of one completion, or why there is none."""

    reward: float | None
    """In [0, 1], or None. With `combination="group_z"` centred on 0 instead."""
    status: RewardStatus
    fingerprint: str | None = None
    recipe_version: int | None = None
    scores: tuple[ToolScore, ...] = ()


# ------------------------------------------------------------------------------------------ evidence


class LabelledPair(Frozen):
    """Two completions of one prompt of which a person (or an official checker) found one better."""

    prompt: str
    better: str
    worse: str
    reference: str | None = None
    references: tuple[str, ...] = ()
    binding: JsonObject = Field(default_factory=dict)


class CheckResult(Frozen):
    """One row of the admission table (design section 7)."""

    name: str
    """oracle, floor, margin, discrimination, invariance, hack_panel, determinism, sanity, latency, coverage, labelled ..."""
    passed: bool | None
    """None: not applicable here (says why in `note`); never counted as passed."""
    value: float | None = None
    threshold: float | None = None
    interval: tuple[float, float] | None = None
    """95% bootstrap interval of `value`."""
    probes: int = 0
    note: str = ""
    details: JsonObject = Field(default_factory=dict)
    """Per-probe-kind numbers and the worst failures (which probe, expected, got)."""


class Calibration(Frozen):
    """Monotone, piecewise-linear map from a tool's raw score to [0, 1]; flat outside its knots."""

    x: tuple[float, ...] = (0.0, 1.0)
    y: tuple[float, ...] = (0.0, 1.0)


class Certificate(Frozen):
    """The evidence for one (tool, task); the latest decides what is served."""

    tool_id: str
    fingerprint: str
    admitted: bool
    role: Literal["verifier", "quality", "guard"]
    """verifier: decides right/wrong, may gate. quality: graded. guard: can only say "broken"; never a reward by itself."""
    checks: tuple[CheckResult, ...]
    reasons: tuple[str, ...] = ()
    """Why it was rejected; empty when admitted."""
    discrimination: float | None = None
    """Pair accuracy on graded corruptions, [0, 1]: ranks candidates and sets weights."""
    calibration: Calibration = Calibration()
    cost_ms_p50: float | None = None
    cost_ms_p95: float | None = None
    forgeable: bool = False
    """A program could forge the verdict (tests that cannot be split)."""
    unsafe: bool = False
    """Measured without isolation."""
    sandbox_tier: str | None = None
    policy_version: str = ""
    seed: int = 0
    code_hash: str = ""
    environment: JsonObject = Field(default_factory=dict)
    """Versions of Python, rlar and the libraries that matter."""
    created_at: str = ""
    """UTC, ISO 8601."""

    def check(self, name: str) -> CheckResult | None:
        """The result of one check, where it was made."""
        return next((check for check in self.checks if check.name == name), None)

    @property
    def row_shares(self) -> RowShares:
        """How much of the task the tool reads, by the rows that the gate looked at."""
        coverage, misread = self.check("coverage"), self.check("misread")
        details = coverage.details if coverage is not None else {}
        unread = float(details.get("unread_share", details.get("set_aside_share")) or 0.0)
        refused = (misread.value or 0.0) * (1.0 - unread) if misread is not None and misread.passed else 0.0
        return RowShares(read=round(1.0 - unread - refused, 6), unread=round(unread, 6), misread=round(refused, 6))


class RowShares(Frozen):
    """What a tool makes of the rows of a task: shares that sum to 1."""

    read: float = 1.0
    """Its number for a completion counts."""
    unread: float = 0.0
    """Set aside: it abstains by the row's own reading, or there is no right answer to try it with."""
    misread: float = 0.0
    """Set aside: it refuses the row's own right answer. Where this is not 0, scoring tries each row's own answers first and
    abstains on rows that it does not prove to read."""


AnswerFormat = Literal["boxed", "answer_line", "answer_tags", "fenced", "bare"]
"""How a completion ends where that was agreed on: `\\boxed{X}`; a last line `Answer: X`; `<answer>X</answer>`; one block
of code; the answer and nothing else."""


class Recipe(Frozen):
    """How a task's rewards are made: gates times the weighted mean of qualities."""

    fingerprint: str
    version: int = 0
    """Given by the registry: 1, 2, ... per fingerprint."""
    gates: tuple[str, ...] = ()
    """Tool ids that must pass (calibrated score >= 0.5), else the reward is 0."""
    qualities: tuple[tuple[str, float], ...] = ()
    """(tool id, weight); weights are positive and sum to 1."""
    calibrations: dict[str, Calibration] = Field(default_factory=dict)
    answer_format: AnswerFormat | None = None
    """How completions have to end: asked for in the prompt, read strictly, 0 where it is missed. None: as they come."""
    row_shares: dict[str, RowShares] = Field(default_factory=dict)
    """Tool id -> how much of the task it reads; only those that do not read all of it."""

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> JsonObject:
        """A recipe without these is written as it was before there were any: its digest stays."""
        body: JsonObject = handler(self)
        for name in ("answer_format", "row_shares"):
            if not body.get(name):
                body.pop(name, None)
        return body
