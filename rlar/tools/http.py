"""Scores from a server: a reward model behind vLLM or text-embeddings-inference, or another machine's `rlar serve`.

| protocol | form | request | what is read |
|---|---|---|---|
| vllm | messages | POST /classify {"messages": [...]}, one completion a call; the server applies the chat template | data[].probs |
| vllm | text | POST /classify {"input": [text, ...]} | data[].probs |
| vllm | pair | POST /score {"text_1": [...], "text_2": [...]} | data[].score |
| tei | pair, text | POST /predict {"inputs": [[prompt, completion], ...]} | [[{"score"}], ...] |
| rlar | rows | POST /score {"rows": [{"prompt", "completion", ...}]} | rewards[].reward and .status |

Only models with one label can be read: which of several labels is "good" nobody says. Raw logits are asked for, since a
sigmoid flattens the differences between good answers. A server that is down, slow, or answers anything else is "failed"
or "timeout", never a number.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, model_validator

from rlar.errors import ConfigError, ToolError, first_problem
from rlar.foreign import no_constant
from rlar.llm.http_body import PLAIN, BodyLate, BodyRefused, answered_until, read_body, watch_reads
from rlar.network import TOKEN_VARIABLE, Network, host_of
from rlar.process import Slots
from rlar.text.answers import clean, squeeze, visible_answer
from rlar.tool import Resources, pieces
from rlar.types import Frozen, JsonObject, Sample, Score, ToolKind, ToolSpec, abstain, failed, ok, timed_out

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

WireProtocol = Literal["vllm", "tei", "rlar"]
Form = Literal["messages", "text", "pair", "rows"]
FORMS: dict[WireProtocol, tuple[Form, ...]] = {
    "vllm": ("messages", "text", "pair"),
    "tei": ("pair", "text"),
    "rlar": ("rows",),
}
"""What each protocol can carry, the usual one first."""
CHECK_AGAIN_SECONDS = 300.0
"""So often a server that told which model it serves is asked again."""
LONGEST_WAIT_SECONDS = 30.0


class HttpParams(Frozen):
    """The params of an HTTP tool's ToolSpec. Never a token, nor where one is: only the user says what a host is sent."""

    protocol: WireProtocol
    form: Form
    model: str | None = None
    """The name that the server knows the model by (vllm)."""
    served: str | None = None
    """What the server said it serves when the tool was made; another answer later is another tool."""
    template: str = "{prompt}\n\n{completion}"
    """How prompt and completion become one text (form "text")."""
    seconds: float = Field(default=60.0, gt=0)
    """One call may take so long, retries included; then its scores are timeouts."""
    retries: int = Field(default=3, ge=0, le=20)
    """After connection errors, 429 and 503."""
    at_once: int = Field(default=8, ge=1, le=256)
    batch: int = Field(default=16, ge=1, le=1024)
    """Completions a call (form "messages": always one)."""
    check_on_load: bool = False
    """Ask the server for its model when the tool is loaded, and refuse to load where it is down."""
    whole_groups: bool = False
    """The scores of a group depend on one another (an `rlar serve` whose recipes hold pairwise judges)."""
    role: Literal["quality", "verifier"] = "quality"

    @model_validator(mode="before")
    @classmethod
    def _names_no_secret(cls, values: Any) -> Any:
        """Registries of earlier versions name a variable with the token; it is not obeyed."""
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if name != "token_variable"}
        return values

    @model_validator(mode="after")
    def _fits(self) -> HttpParams:
        if self.form not in FORMS[self.protocol]:
            raise ValueError(f"{self.protocol} has no form {self.form!r}, only {', '.join(FORMS[self.protocol])}")
        if not {"{prompt}", "{completion}"} <= set(re.findall(r"\{\w+\}", self.template)):
            raise ValueError("the template holds {prompt} and {completion}")
        return self


def http_spec(
    url: str,
    protocol: WireProtocol,
    *,
    form: Form | None = None,
    name: str = "",
    ask_server: bool = True,
    provenance: JsonObject | None = None,
    **settings: Any,
) -> ToolSpec:
    """The ToolSpec of a model server at its base URL ("http://host:8000").

    Args:
        ask_server: ask it now which model it serves, so that a change is noticed later.
        settings: further fields of HttpParams.

    Raises:
        ToolError: the URL or a setting cannot be used, or the server does not answer.
    """
    address = url.rstrip("/")
    if "token_variable" in settings:
        raise ToolError(
            f"a tool names no token; bind it to the host: export {TOKEN_VARIABLE}=http://host:8000=VARIABLE"
        )
    values = {"protocol": protocol, "form": form or FORMS[protocol][0], **settings}
    params = _params(values, address)
    if ask_server:
        # Who makes a tool has named its host.
        with Resources(network=Network.of_user([str(host_of(address))])) as resources:
            identity = _server(address, params, resources).identity()
        params = params.model_copy(
            update={"model": params.model or identity.get("model"), "served": identity.get("served")}
        )
    return ToolSpec(
        kind=ToolKind.HTTP,
        name=name or f"http_{protocol}",
        source=address,
        params=params.model_dump(mode="json"),
        provenance=provenance or {},
    )


def _params(values: JsonObject, address: str) -> HttpParams:
    try:
        host_of(address)
    except ValueError as error:
        raise ToolError(f"an http tool needs a base URL: {error}") from None
    try:
        return HttpParams.model_validate(values)
    except ValidationError as error:
        raise ToolError(f"http tool at {address}: params.{first_problem(error)}") from error


# ------------------------------------------------------------------------------------------ the server


class _Trouble(Exception):
    """Why a call came to nothing."""

    late = False
    status = 0

    def score(self, address: str) -> Score:
        message = str(self) if address in str(self) else f"{address}: {self}"
        return timed_out(message) if self.late else failed(message)


class _Again(_Trouble):
    """May pass: try again."""

    wait_seconds: float | None = None


class _Server:
    """One address: its connections, its limit of calls at once, and what it says it serves."""

    def __init__(self, address: str, token: str, params: HttpParams) -> None:
        import httpx

        headers = {"Accept": "application/json", **PLAIN}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._token = token
        self.address, self.params = address, params
        self.slots = Slots(params.at_once)
        self._client: httpx.Client = httpx.Client(headers=headers, follow_redirects=False)
        self._lock = threading.Lock()
        self._checked_at: float | None = None

    def close(self) -> None:
        self._client.close()
        self.slots.close()

    def call(self, method: str, path: str, body: JsonObject | None = None) -> Any:
        """The JSON that the server answers, after retries. Raises _Trouble."""
        from tenacity import (
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            stop_before_delay,
            wait_random_exponential,
        )

        deadline = time.monotonic() + self.params.seconds
        backoff = wait_random_exponential(multiplier=0.2, max=5)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            retry_after = error.wait_seconds if isinstance(error, _Again) else None
            return backoff(state) if retry_after is None else retry_after

        retrying = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(self.params.retries + 1) | stop_before_delay(self.params.seconds),
            wait=wait,
            reraise=True,
        )
        return retrying(self._once, method, path, body, deadline)

    def _once(self, method: str, path: str, body: JsonObject | None, deadline: float) -> Any:
        import httpx

        left = max(0.05, deadline - time.monotonic())
        where = f"{self.address}{path}"
        try:
            timeout, watch = httpx.Timeout(left), {"trace": watch_reads}
            request = self._client.stream(method, where, json=body, timeout=timeout, extensions=watch)
            with answered_until(deadline), request as response:
                return self._read(response, read_body(response, until=deadline), where)
        except BodyRefused as error:
            raise _Trouble(f"the answer of {where} {error}") from None
        except (httpx.TimeoutException, BodyLate):
            raise self._late(where) from None
        except httpx.TransportError as error:
            raise _Again(f"{where} cannot be reached: {type(error).__name__}") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _Trouble(f"{where}: {type(error).__name__}") from None

    def _late(self, where: str) -> _Trouble:
        trouble = _Trouble(f"{where} gave no answer within {self.params.seconds:g} s")
        trouble.late = True
        return trouble

    def _read(self, response: httpx.Response, content: bytes, where: str) -> Any:
        status = response.status_code
        if status in (429, 503):
            again = _Again(f"{where} answered {status}")
            again.status, again.wait_seconds = status, _retry_after(response.headers.get("retry-after"))
            raise again
        if status != 200:
            hint = (
                f"; bind its token: export {TOKEN_VARIABLE}={host_of(self.address)}=VARIABLE" if status == 401 else ""
            )
            trouble = _Trouble(f"{where} answered {status}: {self._excerpt(content)}{hint}")
            trouble.status = status
            raise trouble
        try:
            return json.loads(content, parse_constant=no_constant)
        except (ValueError, RecursionError):
            raise _Trouble(f"{where} did not answer JSON: {self._excerpt(content)}") from None

    def _excerpt(self, content: bytes) -> str:
        """The beginning of a body for an error; never the token, which a proxy may echo."""
        text = squeeze(clean(content[:2000].decode("utf-8", "replace")))
        if self._token:
            text = text.replace(self._token, "***")
        return text[:160] or "nothing"

    def identity(self) -> JsonObject:
        """What it says it serves: {"model", "served"}; empty where the protocol does not tell. Raises ToolError."""
        try:
            return _identity(self)
        except _Trouble as error:
            raise ToolError(f"cannot tell what is served: {error}") from None

    def changed(self) -> str:
        """Why what is served is not what the tool was made for; "" where it is, or where the server does not tell."""
        wanted = self.params.served
        with self._lock:
            now = time.monotonic()
            if wanted is None or (self._checked_at is not None and now - self._checked_at < CHECK_AGAIN_SECONDS):
                return ""
        try:
            served = _identity(self).get("served")
        except _Trouble:
            # The scores that follow will say what is wrong.
            return ""
        if served is not None and served != wanted:
            return f"{self.address} serves {served} and served {wanted} when the tool was made: another tool"
        with self._lock:
            self._checked_at = time.monotonic()
        return ""

    def forget(self) -> None:
        """After a lost connection another server may be there."""
        with self._lock:
            self._checked_at = None


def _retry_after(header: str | None) -> float | None:
    """Seconds that a server asks for; None where it names none that we would wait for."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds <= LONGEST_WAIT_SECONDS else None


def _server(address: str, params: HttpParams, resources: Resources) -> _Server:
    resources.network.permit(address, f"the http tool at {address}")
    try:
        token = resources.network.secret(address)
    except ConfigError as error:
        raise ToolError(f"{address}: {error}") from error
    name = f"http:{address}:{params.model_dump_json()}"
    return resources.shared(name, lambda: _Server(address, token, params))


# ------------------------------------------------------------------------------------------ protocols


def _identity(server: _Server) -> JsonObject:
    protocol = server.params.protocol
    if protocol == "tei":
        info = _dict(server.call("GET", "/info"), "/info")
        name = str(info.get("model_id") or "")
        return {"model": name, "served": f"{name}@{info.get('model_sha') or 'unknown'}"} if name else {}
    if protocol == "vllm":
        models = _list(_dict(server.call("GET", "/v1/models"), "/v1/models").get("data"), "/v1/models")
        cards = [_dict(model, "/v1/models") for model in models]
        wanted = server.params.model
        card = next((each for each in cards if wanted is None or each.get("id") == wanted), None)
        if card is None:
            raise _Trouble(f"{server.address} does not serve {wanted}")
        name = str(card.get("id") or "")
        return {"model": name, "served": f"{name}@{card.get('root') or name}"}
    # Any answer of the right shape will do: it is the registry behind it that may change, and that is meant to.
    server.call("GET", "/healthz")
    return {}


def _request(params: HttpParams, samples: Sequence[Sample]) -> tuple[str, JsonObject]:
    """Path and body of one call."""
    if params.protocol == "rlar":
        return "/score", {"rows": [_row(sample) for sample in samples]}
    prompts = [clean(sample.prompt) for sample in samples]
    answers = [visible_answer(sample.completion, sample.prompt) for sample in samples]
    pairs = list(zip(prompts, answers, strict=True))
    texts = [_filled(params.template, prompt, answer) for prompt, answer in pairs]
    if params.protocol == "tei":
        inputs = [[prompt, answer] for prompt, answer in pairs] if params.form == "pair" else [[text] for text in texts]
        return "/predict", {"inputs": inputs, "raw_scores": True, "truncate": False}
    model = {"model": params.model} if params.model else {}
    if params.form == "pair":
        return "/score", {**model, "text_1": prompts, "text_2": answers, "use_activation": False}
    if params.form == "text":
        return "/classify", {**model, "input": texts, "use_activation": False}
    ((prompt, answer),) = pairs
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return "/classify", {**model, "messages": messages, "use_activation": False}


def _filled(template: str, prompt: str, answer: str) -> str:
    return re.sub(r"\{(prompt|completion)\}", lambda match: prompt if match[1] == "prompt" else answer, template)


def _row(sample: Sample) -> JsonObject:
    row: JsonObject = {"prompt": clean(sample.prompt), "completion": clean(sample.completion)}
    if len(sample.references) > 1:
        row["reference"] = [clean(reference) for reference in sample.references]
    elif sample.reference is not None:
        row["reference"] = clean(sample.reference)
    return row


def _scores(params: HttpParams, answer: Any, count: int) -> list[Score]:
    """One Score per completion of a call. Raises _Trouble where the answer is not one."""
    if params.protocol == "rlar":
        rewards = _list(_dict(answer, "the answer").get("rewards"), "rewards", count)
        entries = [_dict(each, "a reward") for each in rewards]
        if any(each.get("row", place) != place for place, each in enumerate(entries)):
            raise _Trouble("the rewards are not in the order of the rows")
        return [_reward(each) for each in entries]
    if params.protocol == "tei":
        rows = _list(answer, "the answer", count)
        return [ok(_number(_dict(_single(row), "a prediction").get("score"))) for row in rows]
    body = _dict(answer, "the answer")
    model = body.get("model")
    if params.model and model is not None and model != params.model:
        raise _Trouble(f"asked for {params.model}, and {_brief(model)} answered")
    items = [_dict(each, "data") for each in _list(body.get("data"), "data", count)]
    if sorted(_index(item) for item in items) != list(range(count)):
        raise _Trouble(f"the indices in data are not 0 to {count - 1}")
    items.sort(key=_index)
    if params.form == "pair":
        return [ok(_number(item.get("score"))) for item in items]
    return [ok(_number(_single(item.get("probs")))) for item in items]


def _reward(entry: JsonObject) -> Score:
    """What `rlar serve` says of one row; the only place that knows its words."""
    status, value = entry.get("status"), entry.get("reward")
    if status == "ok":
        number = _number(value)
        if not 0.0 <= number <= 1.0:
            raise _Trouble(f"a reward of {number!r}, outside [0, 1]")
        return ok(number)
    if value is not None:
        raise _Trouble(f"a reward with the status {_brief(status)}")
    if status in ("abstain", "unknown", "uncovered"):
        return abstain(f"the server says: {status}")
    if status == "timeout":
        return timed_out("the server says: timeout")
    return failed(f"the server says: {_brief(status)}")


def _dict(value: Any, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise _Trouble(f"{where} is {_brief(value)}, not an object")
    return value


def _list(value: Any, where: str, count: int | None = None) -> list[Any]:
    if not isinstance(value, list):
        raise _Trouble(f"{where} is {_brief(value)}, not a list")
    if count is not None and len(value) != count:
        raise _Trouble(f"{where} has {len(value)} entries for {count} completions")
    return value


def _single(value: Any) -> Any:
    values = _list(value, "a prediction")
    if len(values) != 1:
        raise _Trouble(f"the model has {len(values)} labels; only one label can be read as a reward")
    return values[0]


def _index(item: JsonObject) -> int:
    index = item.get("index")
    return index if isinstance(index, int) and not isinstance(index, bool) else -1


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Trouble(f"a score is {_brief(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Trouble("a score is not finite")
    return number


def _brief(value: Any) -> str:
    text = squeeze(clean(json.dumps(value, default=repr)))
    return text if len(text) <= 60 else text[:57] + "..."


# ------------------------------------------------------------------------------------------ the tool


class HttpTool:
    """A model server as a RewardTool; keeps several calls in flight by itself."""

    def __init__(self, spec: ToolSpec, resources: Resources) -> None:
        """Raises ToolError: wrong params, no token, or (with `check_on_load`) the server is down or another."""
        self.spec = spec
        self.params = _params(spec.params, spec.source)
        self.whole_groups = self.params.whole_groups
        self.concurrency = self.params.at_once
        self.batch_size = self.params.batch
        self._server = _server(spec.source, self.params, resources)
        if self.params.check_on_load:
            served = self._server.identity().get("served")
            if self.params.served is not None and served is not None and served != self.params.served:
                raise ToolError(
                    f"{spec.id}: {spec.source} serves {served} and served {self.params.served} when the tool was made; "
                    "run `rlar agent build-tools` again"
                )

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        if problem := self._server.changed():
            return [failed(problem)] * len(samples)
        size = 1 if self.params.form == "messages" else self.params.batch
        # Behind another rlar there may be judges that compare.
        whole = self.params.protocol == "rlar" or self.params.whole_groups
        parts = pieces(samples, size, whole_groups=whole)
        jobs: list[Callable[[], list[Score]]] = [
            partial(self._score_part, [samples[index] for index in part]) for part in parts
        ]
        # The server's own limit ends a call first; ours is for a thread that hangs all the same.
        limit = 1.5 * self.params.seconds * (2 if size > 1 else 1) + 5
        answers = self._server.slots.run(
            jobs,
            seconds=limit,
            on_error=lambda error: [failed(type(error).__name__)],
            late=lambda: [timed_out(f"no answer within {limit:g} s")],
        )
        scores: dict[int, Score] = {}
        for part, got in zip(parts, answers, strict=True):
            scores.update(zip(part, got if len(got) == len(part) else got[:1] * len(part), strict=True))
        return [scores[index] for index in range(len(samples))]

    def _score_part(self, samples: Sequence[Sample]) -> list[Score]:
        path, body = _request(self.params, samples)
        try:
            return _scores(self.params, self._server.call("POST", path, body), len(samples))
        except _Trouble as trouble:
            if isinstance(trouble, _Again):
                self._server.forget()
            # One completion that is too long makes a server refuse the whole call: find out which.
            if trouble.status in (400, 413, 422) and len(samples) > 1 and self.params.protocol != "rlar":
                return [self._score_part([sample])[0] for sample in samples]
            return [trouble.score(self._server.address)] * len(samples)
