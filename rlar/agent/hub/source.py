"""Reward models from the Hugging Face Hub as candidates for a task: searched, ranked, vetted, downloaded at one pinned commit.

Nothing that is found is trusted: a model is data until the gate has measured it. A model's files are only ever asked for at the
commit that was vetted; none of its code is run. What is refused and what a person is asked about: docs/hub.md.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from rlar.agent.hub.vetting import (
    CARD,
    ModelFacts,
    Ranking,
    facts_of,
    model_readings,
    rank,
    vet,
    window,
)
from rlar.agent.sources import Approval, Found, PassedOver
from rlar.errors import BudgetSpent, ConfigError, HubError, ToolError, boundary
from rlar.gate.policy import GatePolicy
from rlar.kinds import KINDS
from rlar.tools.reward_model.files import (
    INDEX,
    LONGEST_JSON,
    download,
    file_hashes,
    read_json,
    snapshot_folder,
    told,
)
from rlar.types import JsonObject, LabelledPair, TaskSpec, ToolSpec

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Approve = Literal["ask", "never", "auto"]
WebModels = Callable[[TaskSpec], tuple[tuple[str, ...], tuple[str, ...]]]
"""Names of models for a task, and notes (rlar.agent.hub.web.find_models)."""
PairsOf = Callable[[TaskSpec], Sequence[LabelledPair]]
ValueT = TypeVar("ValueT")

EXPAND = [
    "sha", "tags", "config", "cardData", "safetensors", "gated", "disabled", "siblings", "downloads", "likes",
    "lastModified", "pipeline_tag", "library_name",
]  # fmt: skip
QUERIES: tuple[dict[str, Any], ...] = (
    {"search": "reward"},
    {"filter": ["reward-trainer"]},
    {"filter": ["reward-model"]},
    {"filter": ["reward model"]},
    {"filter": ["prm"]},
    {"filter": ["process-reward-model"]},
    {"search": "rm", "pipeline_tag": "text-classification"},
)
"""What every task asks; ids are searched, tags filtered. No family of reward models has one tag in common."""
LOOKED_AT = 12
"""Models looked at closely (three small files each) for one task, or four for each that may be tried, if that is more."""
SMALL = ("config.json", "tokenizer_config.json", INDEX)
NAMED = 40
"""Models of lower rank that are named one by one; the rest is counted."""
RETRY_SCHEDULE = (4, 0.5, 20.0)
"""Tries of one request, seconds before the second, most seconds between two."""
PAUSE_SECONDS = 60.0
"""How long the Hub is left alone after it did not answer."""
UNREACHABLE = "the Hub cannot be reached"
"""As rlar.tools.reward_model.files.told says it."""
_REFUSED = re.compile(r"Error 4\d\d")
"""An answer to this very query; another one may be answered."""
BUSY = frozenset({429, 502, 503, 504})


class DownloadBudget:
    """Bytes that one build may download; shared by everything that downloads in it, thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._spent = 0
        self._lock = threading.Lock()

    @property
    def spent_bytes(self) -> int:
        """Taken so far."""
        with self._lock:
            return self._spent

    def check(self, size_bytes: int) -> None:
        """Raises BudgetSpent where less than that is left."""
        with self._lock:
            self._check(size_bytes)

    def take(self, size_bytes: int) -> None:
        """Take so much for a download. Raises BudgetSpent, and takes nothing, where less is left."""
        with self._lock:
            self._check(size_bytes)
            self._spent += size_bytes

    def _check(self, size_bytes: int) -> None:
        left = self.limit_bytes - self._spent
        if size_bytes > left:
            raise BudgetSpent(
                f"download budget: {_size(size_bytes)} needed, {_size(left)} of {_size(self.limit_bytes)} left "
                "(--max-download)"
            )

    def give_back(self, size_bytes: int) -> None:
        """Return what was taken for a download that came to nothing."""
        with self._lock:
            self._spent -= size_bytes


class _Ranked(NamedTuple):
    facts: ModelFacts
    ranking: Ranking


class _Ready(NamedTuple):
    """A model that may be downloaded."""

    facts: ModelFacts
    ranking: Ranking
    allowed: JsonObject
    """Who allowed what the policy does not: {"by", "reasons"}; empty where nobody had to."""


@dataclass
class _Search:
    """What one search came to, while it is put together."""

    notes: list[str] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    ready: list[_Ready] = field(default_factory=list)
    tools: list[ToolSpec] = field(default_factory=list)
    bytes: int = 0

    def pass_over(self, facts: ModelFacts, reason: str) -> None:
        self.passed_over.append(PassedOver(subject=facts.subject, reason=reason))

    def found(self) -> Found:
        return Found(
            tools=tuple(self.tools),
            notes=tuple(self.notes),
            passed_over=tuple(self.passed_over),
            approvals=tuple(self.approvals),
            cost={"bytes": self.bytes} if self.bytes else {},
        )


class HubSource:
    """Finds reward models on the Hub. One for a build: what was listed, looked at and decided is remembered; thread-safe."""

    name = "hub"

    def __init__(
        self,
        policy: GatePolicy,
        *,
        budget: DownloadBudget,
        approve: Approve = "never",
        api: HfApi | None = None,
        cache_dir: str | Path | None = None,
        web: WebModels | None = None,
        labelled: PairsOf = lambda task: (),
        top: int | None = None,
        now: datetime | None = None,
    ) -> None:
        """
        Args:
            approve: what to do about what the policy does not allow by itself: a person is asked, it is refused, or
                it is allowed and written down.
            api: the Hub's client; None: the usual one (HF_ENDPOINT, HF_TOKEN).
            cache_dir: where downloads lie; None: the client's own folder.
            web: names further models; None asks nobody.
            labelled: the user's labelled pairs of a task: without them nothing could prove a model on some tasks.
            top: how many models are tried for a task; None: what the policy says.
            now: recency is counted from here.

        Raises:
            ConfigError: the client's endpoint holds credentials, which would end up in the registry.
        """
        if api is None:
            from huggingface_hub import HfApi

            api = HfApi()
        self._api, self._policy, self._hub = api, policy, policy.hub
        self._endpoint = _other_endpoint(api.endpoint)
        self._budget, self._approve, self._cache_dir = budget, approve, cache_dir
        self._web, self._labelled = web, labelled
        self._top = top or self._hub.top
        self._now = now or datetime.now(UTC)
        self._lists: dict[str, list[ModelFacts]] = {}
        self._named: dict[str, ModelFacts] = {}
        self._looked: dict[str, ModelFacts] = {}
        self._decisions: dict[str, bool] = {}
        self._trouble = "", 0.0
        self._searching, self._fetching = threading.Lock(), threading.Lock()

    def find(self, task: TaskSpec, decisions: Mapping[str, bool]) -> Found:
        """The best-ranked models that may be tried, one tool for each way to read them."""
        if reason := self._pointless(task):
            return Found(notes=(f"hub: {reason}",))
        search = _Search()
        with self._searching:
            self._decisions.update(decisions)
            ranked = self._ranked(task, search)
            self._choose(ranked, search)
        if search.approvals:
            search.notes.append(f"hub: {len(search.approvals)} wait for a decision, nothing is downloaded before")
            return search.found()
        for ready in search.ready:
            self._fetch(ready, search)
        if ranked:
            models = len({tool.source for tool in search.tools})
            search.notes.append(
                f"hub: {models} models to try as {len(search.tools)} tools, {_size(search.bytes)} downloaded"
            )
        return search.found()

    def _pointless(self, task: TaskSpec) -> str:
        """Why nothing is searched for a task; "" where it may be of use."""
        kind = task.contract.answer_kind
        if not KINDS[kind].is_graded:
            return f"not searched: answers of kind {kind.value} can be verified, which no reward model does as well"
        needed = self._policy.labelled_min_pairs
        if KINDS[kind].is_open and (pairs := len(self._labelled(task))) < needed:
            return (
                f"not searched: no row has a reference, so only labelled pairs could prove a model "
                f"({pairs} of {needed}; --labelled)"
            )
        return ""

    # -------------------------------------------------------------------------------------- searching

    def _ranked(self, task: TaskSpec, search: _Search) -> list[_Ranked]:
        """Every reward model that was found, best first."""
        models = {facts.repo: facts for facts in self._listed(task, search)}
        for facts in self._named_by_web(task, search):
            models.setdefault(facts.repo, facts)
        ranked = [_Ranked(facts, rank(facts, task, now=self._now)) for facts in models.values()]
        kept = [each for each in ranked if each.ranking.is_reward_model and each.ranking.score >= self._hub.min_rank]
        if ranked:
            search.notes.append(f"hub: {len(ranked)} models listed, {len(kept)} say that they are reward models")
        return sorted(kept, key=lambda each: (-each.ranking.score, each.facts.repo))

    def _listed(self, task: TaskSpec, search: _Search) -> list[ModelFacts]:
        language = task.contract.target_language
        queries = [*QUERIES, *([{"search": "reward", "filter": [language]}] if language else [])]
        models: list[ModelFacts] = []
        note, until = self._trouble
        if time.monotonic() < until:
            search.notes.append(note)
            return []
        for query in queries:
            key = repr(query)
            if key not in self._lists:
                listed = self._attempt(lambda query=query: self._list(query))  # type: ignore[misc]
                if isinstance(listed, HubError):
                    note = f"hub: search {_shown(query)}: {listed}"
                    search.notes.append(note)
                    if not _REFUSED.search(str(listed)):
                        # The client has tried it for half a minute: neither the next query nor the next task fares better.
                        self._trouble = note, time.monotonic() + PAUSE_SECONDS
                        break
                    continue
                self._lists[key] = listed
            models += self._lists[key]
        if not models and not search.notes:
            search.notes.append("hub: nothing found")
        return models

    def _list(self, query: dict[str, Any]) -> list[ModelFacts]:
        expand: Any = EXPAND
        listed = self._api.list_models(**query, sort="downloads", limit=self._hub.listed, expand=expand)
        return [facts for info in listed if (facts := _readable(info)) is not None]

    def _named_by_web(self, task: TaskSpec, search: _Search) -> list[ModelFacts]:
        if self._web is None:
            return []
        names, notes = self._web(task)
        search.notes += notes
        for name in names:
            if name in self._named:
                continue
            facts = self._attempt(lambda name=name: self._known(name))  # type: ignore[misc]
            if isinstance(facts, HubError):
                search.notes.append(f"hub: {name}: {facts}")
            elif facts is not None:
                self._named[name] = facts
        return [self._named[name] for name in names if name in self._named]

    def _known(self, name: str) -> ModelFacts | None:
        expand: Any = EXPAND
        return _readable(self._api.model_info(name, expand=expand))

    # -------------------------------------------------------------------------------------- choosing

    def _choose(self, ranked: Sequence[_Ranked], search: _Search) -> None:
        """Sort models into those to try, those to ask about, and those passed over, from the best one down."""
        looked_at, limit = 0, max(LOOKED_AT, 4 * self._top)
        planned = 0
        for place, each in enumerate(ranked, 1):
            facts = self._looked.get(each.facts.subject, each.facts)
            if len(search.ready) + len(search.approvals) >= self._top:
                self._leave(ranked[place - 1 :], f"the best {self._top} are tried", place, search)
                return
            verdict = vet(facts, self._hub)
            if not verdict.refused and not self._hidden(facts, verdict.approvals):
                if facts.config is None:
                    if looked_at == limit:
                        self._leave(ranked[place - 1 :], f"{limit} were looked at", place, search)
                        return
                    looked_at += 1
                    looked = self._look(facts, search)
                    if looked is None and UNREACHABLE in search.passed_over[-1].reason:
                        # Each further model would wait half a minute to hear the same.
                        self._leave(ranked[place:], UNREACHABLE, place + 1, search)
                        return
                    if looked is None:
                        continue
                    facts = looked
                verdict = vet(facts, self._hub)
            if verdict.refused:
                search.pass_over(facts, verdict.refused)
                continue
            allowed = self._allowed(facts, each.ranking, verdict.approvals, search)
            if allowed is None:
                continue
            if over := self._over_budget(facts, planned):
                search.pass_over(facts, over)
                continue
            planned += self._missing_bytes(facts)
            search.ready.append(_Ready(facts, each.ranking, allowed))

    def _leave(self, rest: Sequence[_Ranked], why: str, place: int, search: _Search) -> None:
        for offset, each in enumerate(rest[:NAMED]):
            search.pass_over(each.facts, f"ranked {place + offset} with {each.ranking.score:.1f} points: {why}")
        if len(rest) > NAMED:
            search.notes.append(f"hub: {len(rest) - NAMED} models of lower rank are not named")

    def _hidden(self, facts: ModelFacts, approvals: Sequence[str]) -> bool:
        """Whether its files are not asked for: the answer is no, or, behind a gate, nobody said yes yet."""
        if not approvals or (decided := self._decision(facts)) is True:
            return False
        return decided is False or self._approve == "never" or bool(facts.gated)

    def _decision(self, facts: ModelFacts) -> bool | None:
        """What was decided about a model; None: nobody was asked."""
        if self._approve == "auto":
            return True
        return self._decisions.get(facts.subject)

    def _allowed(
        self, facts: ModelFacts, ranking: Ranking, reasons: tuple[str, ...], search: _Search
    ) -> JsonObject | None:
        """Who allowed what the policy does not; None where nobody did (then the search says what became of the model)."""
        if not reasons:
            return {}
        decided = self._decision(facts)
        if decided:
            return {"by": "--approve auto" if self._approve == "auto" else "a person", "reasons": list(reasons)}
        if decided is None and self._approve == "ask":
            search.approvals.append(
                Approval(subject=facts.subject, reasons=reasons, facts=_for_a_person(facts, ranking))
            )
        elif decided is None:
            search.pass_over(facts, f"policy: {'; '.join(reasons)} (--approve ask lets a person decide)")
        else:
            search.pass_over(facts, f"a person said no: {'; '.join(reasons)}")
        return None

    def _over_budget(self, facts: ModelFacts, planned: int) -> str:
        """Why a model is too big for what is left of the build's budget; "" where it is not."""
        try:
            self._budget.check(planned + self._missing_bytes(facts))
        except BudgetSpent as spent:
            return str(spent)
        return ""

    def _missing_bytes(self, facts: ModelFacts) -> int:
        """Bytes that would have to be downloaded."""
        folder = snapshot_folder(facts.repo, facts.sha, self._cache_dir)
        return facts.bytes_of(name for name in facts.wanted_files if not (folder / name).is_file())

    # -------------------------------------------------------------------------------------- looking closely

    def _look(self, facts: ModelFacts, search: _Search) -> ModelFacts | None:
        """The facts with sizes, scan results and configuration; None (passed over) where they cannot be had."""
        seen = self._attempt(lambda: self._inspected(facts))
        if isinstance(seen, HubError):
            search.pass_over(facts, f"cannot be looked at: {seen}")
            return None
        self._looked[facts.subject] = seen
        return seen

    def _inspected(self, facts: ModelFacts) -> ModelFacts:
        """Raises HubError and ToolError for files that are too large or no JSON, and what the client raises."""
        info = self._api.model_info(facts.repo, revision=facts.sha, securityStatus=True, files_metadata=True)
        now = _readable(info)
        if now is None or now.sha != facts.sha:
            raise HubError(f"the Hub answered about another commit than {facts.sha[:12]}")
        known = facts.model_copy(
            update={
                "files": now.files, "sizes": now.sizes or {}, "flagged": now.flagged, "disabled": now.disabled,
                "own_code": facts.own_code or now.own_code, "gated": now.gated or facts.gated,
            }
        )  # fmt: skip
        if vet(known, self._hub).refused:
            return known.model_copy(update={"config": {}})
        names = [name for name in (*SMALL, CARD) if name in known.files and self._readable_size(known, name)]
        folder = download(self._api, known.repo, known.sha, names, self._cache_dir)
        read = {name: read_json(folder / name) for name in SMALL if name in names}
        return known.model_copy(
            update={
                "config": read["config.json"],
                "tokenizer_config": read.get("tokenizer_config.json"),
                "index": read.get(INDEX),
            }
        )

    def _readable_size(self, facts: ModelFacts, name: str) -> bool:
        """Whether a small file is small. Raises HubError for one that is needed and is not."""
        limit = {
            "config.json": self._hub.max_config_bytes,
            "tokenizer_config.json": self._hub.max_tokenizer_bytes,
            CARD: self._hub.max_card_bytes,
        }.get(name, LONGEST_JSON)
        size = facts.bytes_of([name])
        if size > limit and name != CARD:
            raise HubError(f"{name} has {_size(size)}, more than {_size(limit)}")
        return size <= limit

    def _attempt(self, call: Callable[[], ValueT]) -> ValueT | HubError:
        """What a call to the Hub gives; busy answers are waited out, any other failure is one line."""

        def run() -> ValueT | HubError:
            return _patiently(call)

        return boundary(run, _as_hub_error)

    # -------------------------------------------------------------------------------------- fetching

    def _fetch(self, ready: _Ready, search: _Search) -> None:
        """Download one model and make its tools; passed over where it does not come, or something else comes."""
        facts = ready.facts

        def fetch() -> list[ToolSpec]:
            with self._fetching:
                missing = self._missing_bytes(facts)
                self._budget.take(missing)
                try:
                    folder = download(self._api, facts.repo, facts.sha, facts.wanted_files, self._cache_dir)
                except HubError:
                    self._budget.give_back(missing)
                    raise
                search.bytes += missing
            return self._tools(ready, file_hashes(folder, facts.wanted_files))

        try:
            search.tools += fetch()
        except (BudgetSpent, HubError, ToolError) as error:
            search.pass_over(facts, str(error))

    def _tools(self, ready: _Ready, hashes: dict[str, str]) -> list[ToolSpec]:
        from rlar.tools.reward_model.tool import RewardModelParams, reward_model_spec

        provenance = self._provenance(ready)
        name = re.sub(r"[^a-z0-9]+", "-", ready.facts.repo.split("/")[-1].lower()).strip("-")[:40]
        made = []
        for reading in model_readings(ready.facts, self._hub):
            params = RewardModelParams(
                reading=reading,
                files=hashes,
                max_length=window(ready.facts, self._hub),
                endpoint=self._endpoint,
            )
            made.append(
                reward_model_spec(
                    f"{name}-{reading.slug}",
                    ready.facts.subject,
                    params,
                    {**provenance, **({"readout": reading.readout} if reading.readout else {})},
                )
            )
        return made

    def _provenance(self, ready: _Ready) -> JsonObject:
        facts = ready.facts
        return {
            "from": "hub",
            "repo": facts.repo,
            "sha": facts.sha,
            "licence": ", ".join(facts.licences) or None,
            "bytes": facts.bytes_of(facts.wanted_files),
            "parameters": facts.total_parameters or None,
            "downloads": facts.downloads,
            "changed": facts.changed.isoformat() if facts.changed else None,
            "base_model": list(facts.base_models),
            "card_sha256": self._card_digest(facts),
            "rank": {"score": ready.ranking.score, **ready.ranking.breakdown},
            "approved": ready.allowed or None,
        }

    def _card_digest(self, facts: ModelFacts) -> str | None:
        """SHA-256 of the card, so that what it said then can be told from what it says later; it is not read."""
        folder = snapshot_folder(facts.repo, facts.sha, self._cache_dir)
        return file_hashes(folder, [CARD])[CARD] if (folder / CARD).is_file() else None


def _for_a_person(facts: ModelFacts, ranking: Ranking) -> JsonObject:
    try:
        size = facts.bytes_of(facts.wanted_files) or None
    except ToolError:
        size = None
    return {
        "licence": ", ".join(facts.licences) or None,
        "gated": facts.gated or None,
        "bytes": size,
        "parameters": facts.total_parameters or None,
        "downloads": facts.downloads,
        "base_model": list(facts.base_models),
        "rank": ranking.score,
    }


def _other_endpoint(endpoint: str) -> str | None:
    """The endpoint that a tool has to name, None for the client's own. Raises ConfigError for one with credentials."""
    from huggingface_hub import constants

    parts = urlsplit(endpoint)
    if parts.username or parts.password or parts.query:
        raise ConfigError("the Hub's endpoint holds credentials; give them as HF_TOKEN instead")
    return None if endpoint.rstrip("/") == constants.ENDPOINT.rstrip("/") else endpoint


def _patiently(call: Callable[[], ValueT]) -> ValueT:
    """What a call gives; tried again where the Hub is busy (model_info does not by itself)."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    tries, first, most = RETRY_SCHEDULE

    def wait(state: Any) -> float:
        error = state.outcome.exception()
        wanted = str(getattr(getattr(error, "response", None), "headers", {}).get("retry-after", ""))
        return min(most, float(wanted) if wanted.isdigit() else first * 2.0 ** (state.attempt_number - 1))

    return Retrying(stop=stop_after_attempt(tries), wait=wait, retry=retry_if_exception(_is_busy), reraise=True)(call)


def _is_busy(error: BaseException) -> bool:
    return getattr(getattr(error, "response", None), "status_code", None) in BUSY


def _as_hub_error(error: Exception) -> HubError:
    if isinstance(error, HubError | ToolError):
        return HubError(str(error))
    return HubError(told(error))


def _readable(info: Any) -> ModelFacts | None:
    """The facts of a listed model; None for one whose metadata are no metadata: it must not spoil the others' listing."""
    return boundary(lambda: facts_of(info), lambda error: None)


def _shown(query: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={' '.join(v) if isinstance(v, list) else v}" for key, v in query.items())


def _size(count: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
