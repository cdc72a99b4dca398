"""Web search for what the Hub's own search misses: names of models on the Hub, and of metrics that others use.

Hits are data from anybody. Of a hit's address only the name of a model on the Hub is taken, which then goes through the
same vetting and the same gate as any other; titles are notes for a person. No page is opened, nothing on one is obeyed.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

from rlar.errors import boundary
from rlar.kinds import KINDS
from rlar.process import FRUGAL, Child, to_json
from rlar.types import Frozen, JsonObject, TaskSpec

BACKENDS = ("duckduckgo", "brave", "mojeek")
"""Asked in this order until one has something. Named, since ddgs by itself begins with encyclopedias."""
HITS = 10
SECONDS = 10
STARTING_SECONDS = 30
MOST_IDS = 5
MOST_TITLES = 3
TITLE_CHARACTERS = 80

_HUB_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_NOT_MODELS = frozenset({
    "datasets", "spaces", "docs", "blog", "papers", "collections", "models", "posts", "tasks", "learn", "join", "login",
    "api", "pricing", "search", "settings", "organizations", "chat", "inference-endpoints", "enterprise", "new",
})  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}\Z", re.ASCII)


class WebHit(Frozen):
    """One result of a search."""

    title: str
    url: str


class WebSearch(Protocol):
    """Something that searches the web."""

    def search(self, query: str, limit: int) -> Sequence[WebHit]:
        """Hits, best first. Raises SearchFailed."""
        ...


class SearchFailed(Exception):
    """A search came to nothing: offline, blocked, or nothing found. An ordinary outcome."""


class DdgsSearch:
    """Web search without a key, through the ddgs package."""

    def __init__(self, *, backends: Sequence[str] = BACKENDS, seconds: int = SECONDS, proxy: str | None = None) -> None:
        self._backends, self._seconds, self._proxy = tuple(backends), seconds, proxy

    def search(self, query: str, limit: int) -> list[WebHit]:
        """Hits of the first backend that has any. Raises SearchFailed with what each one said."""
        problems = []
        for backend in self._backends:
            request = {
                "query": query,
                "limit": limit,
                "backend": backend,
                "proxy": self._proxy,
                "seconds": self._seconds,
            }
            reply = boundary(partial(self._ask, request), lambda error: f"{type(error).__name__}: {str(error)[:120]}")
            if isinstance(reply, list) and reply:
                return [WebHit(title=title, url=url) for title, url in reply]
            problems.append(f"{backend}: {reply or 'nothing found'}")
        raise SearchFailed("; ".join(problems))

    def _ask(self, request: JsonObject) -> list[list[str]] | str:
        """Titles and addresses from a process of its own, or how that ended."""
        limit = STARTING_SECONDS + 2 * self._seconds
        with Child("rlar.agent.hub.web_worker", environment=FRUGAL) as process:
            try:
                process.send(to_json(request))
                hits: list[list[str]] = json.loads(process.receive(until=time.monotonic() + limit))
            except TimeoutError:
                return f"no answer within {limit} s"
            except (EOFError, OSError):
                return str(process.end())[:200]
        return hits


def find_models(search: WebSearch, task: TaskSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of models on the Hub that a web search brings up for a task, and notes. Raises nothing."""
    topic = KINDS[task.contract.answer_kind].web_query or "preference"
    language = f" {task.contract.target_language}" if task.contract.target_language else ""
    queries = (f"reward model for {topic}{language} huggingface", f"automatic metric for {topic}{language} huggingface")
    ids: list[str] = []
    titles: list[str] = []
    notes: list[str] = []
    for query in queries:
        try:
            hits = search.search(query, HITS)
        except SearchFailed as failed:
            notes.append(f"web: {query!r}: {failed}")
            continue
        ids += [name for hit in hits if (name := model_id(hit.url)) is not None]
        titles += [_line(hit.title) for hit in hits if hit.title.strip()][:MOST_TITLES]
    repos = tuple(dict.fromkeys(ids))[:MOST_IDS]
    if titles:
        notes.append(
            f"web: {len(repos)} models on the Hub named ({', '.join(repos) or 'none'}); hits: {'; '.join(titles)}"
        )
    return repos, tuple(notes)


def model_id(url: str) -> str | None:
    """ "org/name" of a model's page on the Hub; None for any other address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or host not in _HUB_HOSTS:
        return None
    names = [name for name in parts.path.split("/") if name]
    if len(names) < 2 or names[0].casefold() in _NOT_MODELS or not all(map(_NAME.match, names[:2])):
        return None
    if any(".." in name or name.endswith((".", "-")) for name in names[:2]):
        return None
    return f"{names[0]}/{names[1]}"


def _line(title: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in title).split())[:TITLE_CHARACTERS]
