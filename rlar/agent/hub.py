"""Reward models from the Hugging Face Hub as candidates: search, rank, vet, pin, download. The gate decides afterwards.

Offline, blocked and empty are notes for a person, never exceptions. After a model's commit is known, nothing but this
commit is asked for. Tokens come from the Hub client's own places (HF_TOKEN) and are stored nowhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from rlar.agent.sources import Approval, Found, PassedOver
from rlar.agent.vetting import (
    UNVERIFIABLE,
    ModelFacts,
    Plan,
    Ranking,
    facts_of,
    looks_like_reward_model,
    plan,
    rank,
    summary,
    vet,
)
from rlar.errors import HubError, RlarError, boundary
from rlar.tools.library import candidates
from rlar.tools.model_files import INDEX, download, file_hashes, is_here, read_json, small_files, told
from rlar.tools.policy import HubPolicy
from rlar.types import AnswerKind, JsonObject, TaskSpec, ToolKind, ToolSpec, digest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Approve = Literal["ask", "never", "auto"]

QUERIES: tuple[dict[str, Any], ...] = (
    {"search": "reward"},
    {"search": "-rm"},
    {"filter": "reward-model"},
    {"filter": "reward model"},
    {"filter": "reward-trainer"},
    {"filter": "prm"},
    {"filter": "process-reward-model"},
    {"filter": "rlhf", "pipeline_tag": "text-classification"},
    {"search": "preference", "pipeline_tag": "text-classification"},
)
"""No tag marks all reward models: some have only a pipeline tag, some only a trainer's, some a tag with a space."""
EXPAND = [
    "author", "cardData", "config", "disabled", "downloads", "gated", "lastModified", "library_name", "likes",
    "pipeline_tag", "safetensors", "sha", "siblings", "tags",
]  # fmt: skip
ATTEMPTS = 4
BUSY = frozenset({429, 500, 502, 503, 504})
MOST_NAMED = 12
"""Models ranked too low to be tried that are named one by one."""


class DownloadBudget:
    """Bytes of model files that a build may still download; shared by all its tasks, thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._spent = 0
        self._lock = threading.Lock()

    @property
    def spent(self) -> int:
        with self._lock:
            return self._spent

    def take(self, size: int) -> bool:
        """Whether so many bytes are left; then they are taken."""
        with self._lock:
            if self._spent + size > self.limit_bytes:
                return False
            self._spent += size
            return True

    def give_back(self, size: int) -> None:
        """Bytes that were not downloaded after all."""
        with self._lock:
            self._spent -= size


class Ranked(NamedTuple):
    """A model with its points for one task."""

    facts: ModelFacts
    ranking: Ranking
    by: str
    """Who found it: "hub" or "web"."""


class HubSource:
    """A candidate source over one Hub. Listings are kept for the whole build: tasks ask the same."""

    name = "hub"

    def __init__(
        self,
        *,
        policy: HubPolicy,
        budget: DownloadBudget,
        approve: Approve = "never",
        cache_dir: str | None = None,
        make_api: Callable[[], HfApi] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        retry_seconds: float = 1.0,
    ) -> None:
        """
        Args:
            budget: shared by everything that downloads in a build.
            cache_dir: folder of downloaded models; None: the Hub client's own.
            make_api: makes the Hub client; by default the client's own settings hold (HF_ENDPOINT, HF_TOKEN).
            retry_seconds: first wait before a busy Hub is asked again; doubled each time.
        """
        self.policy = policy
        self._budget = budget
        self._approve = approve
        self._cache_dir = cache_dir
        self._make_api = make_api or _default_api
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._listed: tuple[dict[str, ModelFacts], tuple[str, ...]] | None = None
        self._lock = threading.Lock()

    def find(self, task: TaskSpec, decisions: Mapping[str, bool]) -> Found:
        """The best-ranked models that may be tried on a task, as tools; every other one with its reason."""
        if reason := unwanted(task):
            return Found(notes=(f"hub: not searched: {reason}",))
        listed, notes = self._listing()
        if not listed:
            return Found(notes=notes or ("hub: no model was found",))
        return self.choose(task, listed.values(), decisions, notes=notes, by="hub")

    def listed_ids(self) -> frozenset[str]:
        """Models that the Hub's own search lists."""
        return frozenset(self._listing()[0])

    def look_up(self, repos: Iterable[str]) -> tuple[list[ModelFacts], list[PassedOver]]:
        """Facts on models that somebody named; those that cannot be looked up with the reason."""
        found, lost = [], []
        api = self._make_api()
        for repo in repos:
            facts = self._info(api, repo, None)
            if isinstance(facts, ModelFacts):
                found.append(facts)
            else:
                lost.append(PassedOver(subject=repo, reason=str(facts)))
        return found, lost

    def choose(
        self,
        task: TaskSpec,
        models: Iterable[ModelFacts],
        decisions: Mapping[str, bool],
        *,
        notes: Sequence[str] = (),
        by: str,
    ) -> Found:
        """Rank, vet and download: at most `policy.top` models become tools."""
        models = list(models)
        likely = [facts for facts in models if looks_like_reward_model(facts, self.policy)]
        now = self._clock()
        ranked = sorted(
            (Ranked(facts, rank(facts, task, now=now), by) for facts in likely),
            key=lambda each: (-each.ranking.points, each.facts.id),
        )
        chosen = _Choice()
        for place, each in enumerate(ranked):
            if chosen.models >= self.policy.top:
                chosen.leave_rest(ranked[place:], self.policy.top)
                break
            chosen.add(each.facts, self._candidate(each, decisions))
        looked = (
            f"{by}: {len(models)} models looked at, {len(likely)} look like reward models, {chosen.models} to be tried"
        )
        return Found(
            tools=tuple(chosen.tools),
            notes=(*notes, looked, *chosen.notes),
            passed_over=tuple(chosen.passed_over),
            approvals=tuple(chosen.approvals),
            cost={"downloaded_bytes": chosen.downloaded} if chosen.downloaded else {},
        )

    # -------------------------------------------------------------------------------------- asking the Hub

    def _listing(self) -> tuple[dict[str, ModelFacts], tuple[str, ...]]:
        """Every model that the queries list, and what went wrong; asked once, since the client itself asks long enough."""
        with self._lock:
            if self._listed is None:
                found: dict[str, ModelFacts] = {}
                notes: list[str] = []
                api = self._make_api()
                for query in QUERIES:
                    rows = self._asked(api, query)
                    if isinstance(rows, str):
                        notes.append(f"hub: the query {_said(query)} failed: {rows}")
                        if "cannot be reached" in rows or "OFFLINE" in rows:
                            break  # the other queries would wait for the same
                        continue
                    found.update({facts.id: facts for facts in rows})
                self._listed = (found, tuple(notes))
            return self._listed

    def _asked(self, api: HfApi, query: dict[str, Any]) -> list[ModelFacts] | str:
        """The models of one query, or why there are none."""

        def ask() -> list[ModelFacts] | str:
            rows = api.list_models(**query, sort="downloads", limit=self.policy.listed, expand=EXPAND)  # type: ignore[arg-type]
            return [facts_of(info) for info in rows]

        return boundary(ask, told)

    def _info(self, api: HfApi, repo: str, sha: str | None) -> ModelFacts | HubError:
        """Facts at a commit (or at the head, where none is known yet), with sizes and the security scan."""

        def ask() -> ModelFacts | HubError:
            for attempt in self._retrying():
                with attempt:
                    return facts_of(api.model_info(repo, revision=sha, files_metadata=True, securityStatus=True))
            raise AssertionError("tenacity reraises")

        return boundary(ask, lambda error: HubError(f"cannot be looked up: {told(error)}"))

    def _retrying(self) -> Retrying:
        """model_info asks once; the client's listings and downloads retry by themselves."""
        return Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=self._retry_seconds, max=30),
            retry=retry_if_exception(_is_busy),
            reraise=True,
        )

    # -------------------------------------------------------------------------------------- one model

    def _candidate(self, ranked: Ranked, decisions: Mapping[str, bool]) -> _Outcome:
        """What becomes of one model: tools, a question, or the reason why neither."""
        first = vet(ranked.facts, self.policy)
        if first.refused:
            return _Outcome(reason="; ".join(first.refused))
        if (reason := self._unpinnable(ranked.facts)) is not None:
            return _Outcome(reason=reason)
        api = self._make_api()
        facts = self._info(api, ranked.facts.id, ranked.facts.sha)
        if isinstance(facts, HubError):
            return _Outcome(reason=str(facts))
        # The answer is about the commit that was asked for, whatever it calls itself.
        facts = facts.model_copy(update={"id": ranked.facts.id, "sha": ranked.facts.sha})
        verdict = vet(facts, self.policy)
        if verdict.refused:
            return _Outcome(reason="; ".join(verdict.refused))
        if verdict.needs_approval:
            allowed = self._allowed(facts, verdict.needs_approval, decisions)
            if allowed is not None:
                return allowed
        return boundary(
            lambda: self._fetched(api, ranked._replace(facts=facts), verdict.needs_approval),
            lambda error: _Outcome(
                reason=str(error) if isinstance(error, RlarError) else f"{type(error).__name__}: {error}"[:300]
            ),
        )

    def _unpinnable(self, facts: ModelFacts) -> str | None:
        if len(facts.sha) == 40 and all(each in "0123456789abcdef" for each in facts.sha):
            return None
        return "the Hub names no commit to pin"

    def _allowed(self, facts: ModelFacts, reasons: tuple[str, ...], decisions: Mapping[str, bool]) -> _Outcome | None:
        """None when it may be fetched: the settings or a person allow it."""
        if self._approve == "auto" or decisions.get(facts.subject) is True:
            return None
        if decisions.get(facts.subject) is False:
            return _Outcome(reason=f"a person declined: {'; '.join(reasons)}")
        if self._approve == "never":
            return _Outcome(reason=f"{'; '.join(reasons)} (--approve ask lets a person decide)")
        size = sum(size or 0 for size in facts.files.values())
        shown: JsonObject = {
            "licence": facts.licence,
            "gated": facts.gated,
            "gigabytes": round(size / 1e9, 3),
            "downloads": facts.downloads,
            "base_model": facts.base_model,
        }
        return _Outcome(approval=Approval(subject=facts.subject, reasons=reasons, facts=shown))

    def _fetched(self, api: HfApi, ranked: Ranked, approved: tuple[str, ...]) -> _Outcome:
        """Download the small files, decide by them, then download the weights. Raises HubError, ToolError."""
        facts = ranked.facts
        small = small_files(facts.files)
        if "config.json" not in small:
            return _Outcome(reason="no config.json")
        for name in small:
            limit = self.policy.max_config_bytes if name == "config.json" else self.policy.max_tokenizer_bytes
            if (facts.files[name] or 0) > limit:
                return _Outcome(reason=f"{name} has {facts.files[name]} bytes, the policy allows {limit}")
        reading = [*small, *(["README.md"] if self._card_is_small(facts) else [])]
        folder = download(api, facts.id, facts.sha, reading, self._cache_dir)
        config = read_json(folder / "config.json", self.policy.max_config_bytes)
        tokenizer_config = read_json(folder / "tokenizer_config.json") if "tokenizer_config.json" in small else {}
        index = read_json(folder / INDEX) if INDEX in small else None
        planned = plan(facts, self.policy, config=config, tokenizer_config=tokenizer_config, index=index)
        card = (folder / "README.md").read_text("utf-8", "replace") if "README.md" in reading else ""

        if "model.safetensors" in planned.files:
            small = [name for name in small if name != INDEX]
        wanted = [*small, *planned.files]
        needed = sum(facts.files[name] or 0 for name in planned.files)
        here = is_here(facts.id, facts.sha, wanted, self._cache_dir)
        if not here and any(facts.files[name] is None for name in planned.files):
            return _Outcome(reason="the Hub does not say how large its weights are")
        if not here and not self._budget.take(needed):
            left = self._budget.limit_bytes - self._budget.spent
            return _Outcome(reason=f"{needed / 1e9:.3g} GB of weights, {left / 1e9:.3g} GB left of --max-download")
        try:
            folder = download(api, facts.id, facts.sha, wanted, self._cache_dir)
        except HubError:
            if not here:
                self._budget.give_back(needed)
            raise
        hashes = file_hashes(folder, wanted)
        tools = [self._tool(ranked, planned, reading, hashes, config, card, approved) for reading in planned.readings]
        return _Outcome(tools=tuple(tools), downloaded=0 if here else needed)

    def _card_is_small(self, facts: ModelFacts) -> bool:
        size = facts.files.get("README.md")
        return size is not None and size <= self.policy.max_card_bytes

    def _tool(
        self,
        ranked: Ranked,
        planned: Plan,
        reading: Any,
        hashes: dict[str, str],
        config: JsonObject,
        card: str,
        approved: tuple[str, ...],
    ) -> ToolSpec:
        from rlar.tools.reward_model import RewardModelParams, code_hash

        facts = ranked.facts
        params = RewardModelParams(
            reading=reading, files=hashes, max_length=planned.max_length, endpoint=self._endpoint()
        )
        provenance: JsonObject = {
            "found_by": ranked.by,
            "commit": facts.sha,
            "ranking": {"points": ranked.ranking.points, "breakdown": ranked.ranking.breakdown},
            "licence": facts.licence,
            "gated": facts.gated,
            "allowed": {"how": "auto" if self._approve == "auto" else "a person", "reasons": list(approved)}
            if approved
            else None,
            "bytes": sum(facts.files[name] or 0 for name in hashes if name in facts.files),
            "parameters": facts.parameters,
            "base_model": facts.base_model,
            "downloads": facts.downloads,
            "likes": facts.likes,
            "last_modified": facts.last_modified,
            "card_digest": digest(card, size=32) if card else None,
            "readout": self._readout_source(reading),
            **summary(config),
        }
        return ToolSpec(
            kind=ToolKind.REWARD_MODEL,
            name=f"{facts.id.replace('/', '-').lower()[:80]}-{reading.slug}",
            source=facts.subject,
            params=params.model_dump(mode="json", exclude_defaults=True),
            code_hash=code_hash(),
            provenance={key: value for key, value in provenance.items() if value is not None},
        )

    def _endpoint(self) -> str | None:
        """The Hub's address, where a later download must not go to the client's default."""
        from huggingface_hub import constants

        endpoint = str(self._make_api().endpoint)
        return None if endpoint == constants.ENDPOINT or "@" in endpoint else endpoint

    def _readout_source(self, reading: Any) -> str | None:
        return self.policy.readouts[reading.readout].source if reading.readout in self.policy.readouts else None


class _Outcome(NamedTuple):
    """What became of one model."""

    tools: tuple[ToolSpec, ...] = ()
    reason: str = ""
    approval: Approval | None = None
    downloaded: int = 0


class _Choice:
    """Collects outcomes until enough models are chosen."""

    def __init__(self) -> None:
        self.tools: list[ToolSpec] = []
        self.passed_over: list[PassedOver] = []
        self.approvals: list[Approval] = []
        self.notes: list[str] = []
        self.models = 0
        self.downloaded = 0

    def add(self, facts: ModelFacts, outcome: _Outcome) -> None:
        self.downloaded += outcome.downloaded
        if outcome.tools:
            self.models += 1
            self.tools += outcome.tools
        elif outcome.approval is not None:
            self.approvals.append(outcome.approval)
        else:
            self.passed_over.append(PassedOver(subject=facts.subject, reason=outcome.reason))

    def leave_rest(self, rest: Sequence[Ranked], top: int) -> None:
        """Models ranked too low: the first by name, the others as a count."""
        for each in rest[:MOST_NAMED]:
            reason = f"ranked lower ({each.ranking.points:g} points); the best {top} are tried (policy: hub.top)"
            self.passed_over.append(PassedOver(subject=each.facts.subject, reason=reason))
        if len(rest) > MOST_NAMED:
            self.notes.append(f"{len(rest) - MOST_NAMED} more models are ranked lower and were not looked into")


def unwanted(task: TaskSpec) -> str:
    """Why no reward model is looked for; empty where one may help."""
    kind = task.contract.answer_kind
    if kind in UNVERIFIABLE or kind is AnswerKind.RULE or not candidates(kind):
        return ""
    return f"{kind.value} answers are verified exactly, which a reward model can only imitate"


def _default_api() -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(library_name="rlar")


def _is_busy(error: BaseException) -> bool:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status in BUSY or type(error).__name__ in {"ConnectError", "ReadTimeout", "ConnectTimeout", "ReadError"}


def _said(query: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in query.items())
