"""The bodies that go over the wire, as our OpenAPI describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, model_validator
from pydantic.json_schema import SkipJsonSchema

from rlar.types import JsonObject, RewardStatus


class _Open(BaseModel):
    """A body that may say more than we read."""

    model_config = ConfigDict(extra="allow")


Text = StrictStr
Messages = Annotated[list[JsonObject], Field(min_length=1)]
Completion = Text | Messages
Status = RewardStatus | Literal["unusable"]
"""A reward's status, or "unusable": the row or completion could not be read; `error` says why."""


class PromptRow(_Open):
    """One row; every field but those named here is a column of it (reference, tests ...)."""

    prompt: Text | Messages | None = None
    messages: Messages | None = None
    """The prompt, for those who call it so."""
    fingerprint: Text | None = None
    """The row's task, where the caller knows it."""
    rlar_row_key: Text | None = None
    rlar_row: Any = None
    """The row as `rlar data export` wrote it; then no prompt is needed."""

    def columns(self) -> JsonObject:
        """The row as the host's dict, without the completions."""
        row = dict(self.model_extra or {})
        prompt = self.prompt if self.prompt is not None else self.messages
        row |= {"prompt": prompt, "fingerprint": self.fingerprint}
        row |= {"rlar_row_key": self.rlar_row_key, "rlar_row": self.rlar_row}
        return {name: value for name, value in row.items() if value is not None}


class Row(PromptRow):
    """One row with `completion` or `completions`; every other field is a column of the row (reference, tests ...)."""

    completion: Completion | SkipJsonSchema[None] = None
    completions: Annotated[list[Completion], Field(min_length=1)] | SkipJsonSchema[None] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Row:
        if (self.completion is None) == (self.completions is None):
            raise ValueError("a row has either `completion` or `completions`")
        return self

    def said(self) -> list[Any]:
        """The completions of the row, one or many."""
        return [self.completion] if self.completions is None else list(self.completions)


class ScoreRequest(BaseModel):
    """Rows to score."""

    model_config = ConfigDict(extra="forbid")

    rows: Annotated[list[Row], Field(min_length=1)]


class PromptsRequest(BaseModel):
    """Rows whose prompts are wanted."""

    model_config = ConfigDict(extra="forbid")

    rows: Annotated[list[PromptRow], Field(min_length=1)]


class PromptOut(BaseModel):
    """A row's prompt as a policy should be asked, or why the row cannot be read."""

    messages: list[JsonObject]
    """With the sentence that asks for the answer format of the row's task, where it has one."""
    error: str | None = None


class PromptsResponse(BaseModel):
    """One entry per row, in order."""

    prompts: list[PromptOut]


class ToolScoreOut(BaseModel):
    """One tool's score."""

    tool: str
    value: float | None
    status: str
    explanation: str


class RewardOut(BaseModel):
    """The reward of one completion, or why there is none."""

    row: int
    """Index into `rows`."""
    completion: int
    """Index into the row's completions."""
    reward: float | None
    """In [0, 1]; null exactly when `status` is not "ok"."""
    status: Status
    fingerprint: str | None
    recipe_version: int | None = None
    scores: list[ToolScoreOut]
    error: str | None = None


class ScoreResponse(BaseModel):
    """One entry per completion: the rows in order, each row's completions in order."""

    rewards: list[RewardOut]


class RemoteRewardRequest(_Open):
    """OpenRLHF's remote reward model call."""

    query: Text | list[Text]
    """Prompt and response as the model saw and wrote them, special tokens kept."""
    prompts: list[Any] | Text | None = None
    """The templated prompts."""
    labels: list[Any] | Text | None = None


class RemoteRewardResponse(BaseModel):
    """Numbers always; which of them are none is in `extra_logs` and `statuses`."""

    rewards: list[float]
    scores: list[float]
    extra_logs: dict[str, list[float]]
    statuses: list[Status]


class RmRequest(_Open):
    """slime's remote reward model call."""

    prompt: Any = None
    """Text (templated or not) or messages."""
    response: Text
    label: Any = None


class RmDetail(BaseModel):
    """`/rm?detail=1`; name `reward` in --reward-key."""

    reward: float
    status: Status
    scored: bool
    fingerprint: str | None


class VerifyRequest(_Open):
    """NeMo-Gym's verify call; every field but these two is a column of the row."""

    responses_create_params: JsonObject
    response: JsonObject


class VerifyResponse(_Open):
    """The request and its reward."""

    reward: float
    rlar_status: Status
    rlar_fingerprint: str | None


class Problem(BaseModel):
    """Why a request got no answer."""

    error: str


Number = StrictFloat | StrictInt
