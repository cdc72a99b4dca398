"""Models that a web search knows of and the Hub's own search misses. A result is a name to look up, nothing more.

Of a page that a search engine returns only its address and the text around it are scanned for the names of models on
the Hub; no page is opened, nothing in it is believed. What was found goes through the same vetting, pinning and gate.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from rlar.agent.hub import HubSource, unwanted
from rlar.agent.sources import Found
from rlar.errors import HubError, boundary
from rlar.types import Frozen, TaskSpec

BACKENDS = ("duckduckgo", "mojeek", "brave", "startpage", "yahoo")
"""Engines of ddgs that search the web; its "auto" would begin with encyclopedias."""
MODEL_LINK = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})"
)
NOT_OWNERS = frozenset(
    {
        "api", "blog", "chat", "collections", "datasets", "docs", "enterprise", "join", "learn", "login", "models",
        "new", "organizations", "papers", "posts", "pricing", "search", "settings", "spaces", "tasks", "terms-of-service",
    }
)  # fmt: skip
"""First parts of addresses on the Hub that are no owner of models."""
MOST_MODELS = 20
LONGEST_SCANNED = 5_000


class WebHit(Frozen):
    """One result of a web search."""

    url: str
    title: str = ""
    text: str = ""
    """The lines that the engine shows."""


class WebSearch(Protocol):
    """Searches the web."""

    def search(self, query: str, limit: int) -> list[WebHit]:
        """Results, best first; empty where there are none. Raises HubError where nothing can be asked."""
        ...


class DdgsSearch:
    """Web search by ddgs: no key, several engines."""

    def __init__(
        self, *, backends: Sequence[str] = BACKENDS, timeout_seconds: int = 10, proxy: str | None = None
    ) -> None:
        self._backends = tuple(backends)
        self._timeout_seconds = timeout_seconds
        self._proxy = proxy

    def search(self, query: str, limit: int) -> list[WebHit]:
        """Results of the first engines that answer. ddgs does not tell "nothing found" from "blocked"."""
        from ddgs import DDGS
        from ddgs.engines import ENGINES
        from ddgs.exceptions import DDGSException

        known = [name for name in self._backends if name in ENGINES["text"]]
        if not known:
            raise HubError(f"this version of ddgs has none of the engines {', '.join(self._backends)}")

        def ask() -> list[WebHit] | HubError:
            try:
                rows = DDGS(proxy=self._proxy, timeout=self._timeout_seconds).text(
                    query, backend=",".join(known), max_results=limit
                )
            except DDGSException as error:
                if "No results" in str(error):
                    return []
                return HubError(f"{type(error).__name__}: {' '.join(str(error).split())[:160]}")
            return [
                WebHit(url=str(row.get("href", "")), title=str(row.get("title", "")), text=str(row.get("body", "")))
                for row in rows
            ]

        found = boundary(ask, lambda error: HubError(f"{type(error).__name__}"))
        if isinstance(found, HubError):
            raise found
        return found


class WebSource:
    """A candidate source that asks a web search for names and hands them to the Hub's vetting."""

    name = "web"

    def __init__(self, search: WebSearch, hub: HubSource, *, limit: int = 20) -> None:
        self._search = search
        self._hub = hub
        self._limit = limit
        self._known: dict[str, tuple[list[str], list[str]]] = {}
        self._lock = threading.Lock()

    def find(self, task: TaskSpec, decisions: Mapping[str, bool]) -> Found:
        """Models that pages name and the Hub's own search does not list; offline, blocked and empty are notes."""
        if reason := unwanted(task):
            return Found(notes=(f"web: not searched: {reason}",))
        repos, notes = self._names(task)
        new = [repo for repo in repos if repo not in self._hub.listed_ids()]
        if not new:
            seen = f" ({len(repos)} named, all known from the Hub's own search)" if repos else ""
            return Found(notes=(*notes, f"web: no further model is named{seen}"))
        facts, lost = self._hub.look_up(new)
        found = self._hub.choose(task, facts, decisions, notes=notes, by="web")
        return found.model_copy(update={"passed_over": (*found.passed_over, *lost)})

    def _names(self, task: TaskSpec) -> tuple[list[str], list[str]]:
        """Names of models, and what went wrong; each query is asked once a build."""
        names: dict[str, None] = {}
        notes: list[str] = []
        for query in queries(task):
            with self._lock:
                if query not in self._known:
                    self._known[query] = self._asked(query)
                found, said = self._known[query]
            names.update(dict.fromkeys(found))
            notes += said
        return list(names)[:MOST_MODELS], notes

    def _asked(self, query: str) -> tuple[list[str], list[str]]:
        hits = boundary(lambda: self._search.search(query, self._limit), _as_note)
        if isinstance(hits, str):
            return [], [f"web: {query!r} failed: {hits}"]
        if not hits:
            return [], [f"web: {query!r}: nothing found, or the search engines block this machine"]
        return model_ids(hits), []


def _as_note(error: Exception) -> list[WebHit] | str:
    return str(error) if isinstance(error, HubError) else type(error).__name__


def queries(task: TaskSpec) -> tuple[str, ...]:
    """What a web search is asked: about the kind of task, never with text of the user's rows."""
    kind = task.contract.answer_kind.value.replace("_", " ")
    language = f" {task.contract.target_language}" if task.contract.target_language else ""
    return (
        "site:huggingface.co reward model text-classification",
        f"huggingface reward model for {kind}{language}",
    )


def model_ids(hits: Iterable[WebHit]) -> list[str]:
    """Names of models on the Hub in addresses and texts of results, in order, each once."""
    found: dict[str, None] = {}
    for hit in hits:
        for text in (hit.url, hit.title, hit.text):
            for link in MODEL_LINK.finditer(text[:LONGEST_SCANNED]):
                repo = link["repo"].rstrip(".-").removesuffix(".git")
                if repo.split("/")[0].lower() not in NOT_OWNERS:
                    found[repo] = None
    return list(found)
