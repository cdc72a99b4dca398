"""A stand-in for the Hugging Face Hub: folders on disk served over real HTTP, so that the real clients can be tested.

    with HubServer(folder) as hub:
        api = HfApi(endpoint=hub.url)

A repository is a folder `root/org/name`; an optional `.hub.json` in it says what the Hub would know of it: downloads,
likes, gated, disabled, pipeline_tag, tags, last_modified, and what it may lie about: `parameters`, `sizes`, `security`
(files flagged by the scanner). The commit sha is a hash of the files, so it changes when a file does; commits that were
served once stay. Needs the extra `rlar[serve]`. What it leaves out: uploads, pull requests, data sets, Xet storage.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    import uvicorn

LARGE = (".safetensors", ".bin", ".pt", ".pkl", ".h5", ".onnx")
"""Kept in large-file storage: their ETag is a SHA-256."""
EPOCH = "2026-01-01T00:00:00.000Z"


class Asked(NamedTuple):
    """One request that reached the stand-in. Tokens are not kept: only whether there was one."""

    method: str
    path: str
    query: str
    authorized: bool


@dataclass
class Fault:
    """Something that goes wrong with requests whose path (and query) match."""

    pattern: str
    status: int = 503
    times: int = 1
    """How many requests it spoils."""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    """Wait first; with status 200 the request is then served."""
    cut_after: int | None = None
    """Send so many bytes of the file and drop the connection."""
    method: str | None = None


class HubServer:
    """Serves the folders under `root` on loopback until the block ends; thread-safe."""

    def __init__(self, root: str | Path, *, token: str | None = None, page_size: int = 50) -> None:
        self.root = Path(root)
        self.page_size = page_size
        """Most models a page of a listing holds."""
        self.requests: list[Asked] = []
        self._token = token
        self._faults: list[Fault] = []
        self._commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self._heads: dict[str, tuple[tuple[tuple[str, int, int], ...], str]] = {}
        self._lock = threading.Lock()
        self._port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        repo = "/api/models/{org}/{name}"
        self.app = Starlette(
            routes=[
                Route("/api/models", self._list),
                Route(repo, self._info),
                Route(repo + "/refs", self._refs),
                Route(repo + "/revision/{rev}", self._info),
                Route(repo + "/tree/{rev}", self._tree),
                Route(repo + "/tree/{rev}/{path:path}", self._tree),
                Route(repo + "/paths-info/{rev}", self._paths_info, methods=["POST"]),
                Route("/{org}/{name}/resolve/{rev}/{path:path}", self._resolve, methods=["GET", "HEAD"]),
            ]
        )

    # -------------------------------------------------------------------------------------- life

    @property
    def url(self) -> str:
        """The address to give to the clients (`HfApi(endpoint=...)`, HF_ENDPOINT)."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> HubServer:
        import uvicorn

        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self._port = listening.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="stand-in hub", daemon=True
        )
        self._thread.start()
        until = time.monotonic() + 30
        while not self._server.started:
            if time.monotonic() > until:
                raise RuntimeError("the stand-in Hub did not start within 30 s")
            time.sleep(0.01)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)

    def fault(self, pattern: str, status: int = 503, **more: Any) -> None:
        """Spoil the next request (or `times` of them) whose path matches `pattern`; see Fault."""
        with self._lock:
            self._faults.append(Fault(pattern, status, **more))

    def clear(self) -> None:
        """Forget requests and faults."""
        with self._lock:
            self.requests.clear()
            self._faults.clear()

    def sha(self, repo: str) -> str:
        """The commit that `main` of a repository is at."""
        return self._commit(repo)[0]

    # -------------------------------------------------------------------------------------- content

    def _commit(self, repo: str) -> tuple[str, dict[str, bytes]]:
        """Head commit and its files; remembered, so that it can be asked for after the folder has changed."""
        folder = self.root / repo
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".hub.json"]
        state = tuple((str(path), (status := path.stat()).st_size, status.st_mtime_ns) for path in paths)
        with self._lock:
            if (known := self._heads.get(repo)) is not None and known[0] == state:
                return known[1], self._commits[repo][known[1]]
        files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
        hasher = hashlib.sha1()
        for name, content in files.items():
            hasher.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        sha = hasher.hexdigest()
        with self._lock:
            self._commits.setdefault(repo, {})[sha] = files
            self._heads[repo] = (state, sha)
        return sha, files

    def _told(self, repo: str) -> dict[str, Any]:
        path = self.root / repo / ".hub.json"
        told: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return told

    def _files(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        sha, files = self._commit(repo)
        if revision in ("main", sha):
            return sha, files
        with self._lock:
            older = self._commits[repo].get(revision)
        return None if older is None else (revision, older)

    def _meta(self, repo: str, revision: str = "main") -> dict[str, Any]:
        found = self._files(repo, revision)
        assert found is not None, "callers have checked the revision"
        sha, files = found
        told, card, config = self._told(repo), _card(files), json.loads(files.get("config.json", b"{}"))
        weights = _weights(files, told)
        tags = [
            *told.get("tags", []),
            *(["safetensors"] if weights else []),
            *(card.get("tags") or []),
            *([config["model_type"]] if "model_type" in config else []),
            *(["custom_code"] if "auto_map" in config else []),
            *([f"license:{card['license']}"] if "license" in card else []),
        ]
        changed = told.get("last_modified", EPOCH)
        return {
            "_id": sha[:24],
            "id": repo,
            "modelId": repo,
            "author": repo.split("/")[0],
            "sha": sha,
            "private": False,
            "disabled": told.get("disabled", False),
            "gated": told.get("gated", False),
            "downloads": told.get("downloads", 0),
            "likes": told.get("likes", 0),
            "trendingScore": told.get("likes", 0),
            "lastModified": changed,
            "createdAt": changed,
            "pipeline_tag": told.get("pipeline_tag") or card.get("pipeline_tag"),
            "library_name": told.get("library_name") or card.get("library_name"),
            "tags": list(dict.fromkeys(tags)),
            "cardData": card,
            "usedStorage": sum(_size(told, name, content) for name, content in files.items()),
            "config": {key: config[key] for key in ("architectures", "model_type", "auto_map") if key in config},
            "siblings": [{"rfilename": name} for name in files],
            **({"safetensors": weights} if weights else {}),
        }

    def _repos(self) -> list[str]:
        return [
            f"{org.name}/{folder.name}"
            for org in sorted(self.root.iterdir())
            if org.is_dir()
            for folder in sorted(org.iterdir())
            if folder.is_dir()
        ]

    # -------------------------------------------------------------------------------------- requests

    async def _trouble(self, request: Request) -> tuple[Response | None, int | None]:
        """Notes the request; a scripted answer, or after how many bytes to cut."""
        path, query = request.url.path, request.url.query
        with self._lock:
            self.requests.append(Asked(request.method, path, query, "authorization" in request.headers))
            whole = path + (f"?{query}" if query else "")
            fault = next(
                (f for f in self._faults if re.search(f.pattern, whole) and f.method in (None, request.method)), None
            )
            if fault is None:
                return None, None
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault.cut_after is not None:
            return None, fault.cut_after
        if fault.status < 400:
            return None, None
        return JSONResponse({"error": "scripted fault"}, fault.status, headers=fault.headers), None

    def _refusal(self, request: Request, repo: str, revision: str) -> Response | None:
        """What the Hub answers where it does not serve: unknown repository or revision, wrong token, gate."""
        if (answer := self._wrong_token(request)) is not None:
            return answer
        given = request.headers.get("authorization")
        known = (self.root / repo).is_dir() and not any(part.startswith(".") for part in repo.split("/"))
        if not known:
            return _error(404 if given else 401, "RepoNotFound", "Repository not found")
        if self._files(repo, revision) is None:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if self._told(repo).get("gated") and "/resolve/" in request.url.path and given is None:
            return _error(401, "GatedRepo", f"Access to model {repo} is restricted. You must be authenticated.")
        return None

    def _wrong_token(self, request: Request) -> Response | None:
        given = request.headers.get("authorization")
        if given is None or given == f"Bearer {self._token}":
            return None
        return _error(401, "", "Invalid credentials in Authorization header")

    async def _opened(self, request: Request) -> tuple[str, str, Response | None, int | None]:
        """(repository, revision, what to answer instead, where to cut)."""
        repo = f"{request.path_params['org']}/{request.path_params['name']}"
        revision = request.path_params.get("rev", "main")
        answer, cut = await self._trouble(request)
        return repo, revision, answer or self._refusal(request, repo, revision), cut

    async def _list(self, request: Request) -> Response:
        answer, _cut = await self._trouble(request)
        answer = answer or self._wrong_token(request)
        if answer is not None:
            return answer
        asked = request.query_params
        rows = [row for row in map(self._meta, self._repos()) if _matches(row, asked)]
        order = {"last_modified": "lastModified", "created_at": "createdAt", "trending_score": "trendingScore"}
        if sort := asked.get("sort"):
            key = order.get(sort, sort)
            rows.sort(key=lambda row: row.get(key) or 0, reverse=True)
        start = int(asked.get("cursor", 0))
        size = min(int(asked.get("limit", self.page_size)), self.page_size)
        headers = {}
        if start + size < len(rows):
            again = [(key, value) for key, value in asked.multi_items() if key != "cursor"]
            query = urlencode([*again, ("cursor", str(start + size))])
            headers["Link"] = f'<{self.url}/api/models?{query}>; rel="next"'
        return JSONResponse([_shown(row, asked) for row in rows[start : start + size]], headers=headers)

    async def _info(self, request: Request) -> Response:
        repo, revision, answer, _cut = await self._opened(request)
        if answer is not None:
            return answer
        meta, told = self._meta(repo, revision), self._told(repo)
        if request.query_params.get("blobs"):
            files = (self._files(repo, revision) or ("", {}))[1]
            for sibling in meta["siblings"]:
                name = sibling["rfilename"]
                entry = _entry(told, name, files[name])
                sibling.update(size=entry["size"], blobId=entry["oid"])
                if "lfs" in entry:
                    sibling["lfs"] = {"sha256": entry["lfs"]["oid"], "size": entry["size"], "pointerSize": 134}
        if request.query_params.get("securityStatus"):
            issues = [{"path": name, "level": "unsafe"} for name in told.get("security", [])]
            meta["securityRepoStatus"] = {"scansDone": True, "filesWithIssues": issues}
        return JSONResponse(meta)

    async def _refs(self, request: Request) -> Response:
        repo, _revision, answer, _cut = await self._opened(request)
        branch = {"name": "main", "ref": "refs/heads/main"}
        return answer or JSONResponse(
            {"branches": [{**branch, "targetCommit": self.sha(repo)}], "converts": [], "tags": []}
        )

    async def _tree(self, request: Request) -> Response:
        repo, revision, answer, _cut = await self._opened(request)
        if answer is not None:
            return answer
        files, told = (self._files(repo, revision) or ("", {}))[1], self._told(repo)
        return JSONResponse([_entry(told, name, content) for name, content in files.items()])

    async def _paths_info(self, request: Request) -> Response:
        repo, revision, answer, _cut = await self._opened(request)
        if answer is not None:
            return answer
        body = await request.body()
        if request.headers.get("content-type", "").startswith("application/json"):
            wanted = [str(path) for path in json.loads(body).get("paths", [])]
        else:
            wanted = [str(path) for path in (await request.form()).getlist("paths")]
        files, told = (self._files(repo, revision) or ("", {}))[1], self._told(repo)
        return JSONResponse([_entry(told, name, files[name]) for name in wanted if name in files])

    async def _resolve(self, request: Request) -> Response:
        repo, revision, answer, cut = await self._opened(request)
        if answer is not None:
            return answer
        sha, files = self._files(repo, revision) or ("", {})
        name = request.path_params["path"]
        if name not in files:
            missing = _error(404, "EntryNotFound", "Entry not found")
            missing.headers["X-Repo-Commit"] = sha
            return missing
        content = files[name]
        entry = _entry({}, name, content)
        etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        headers = {"X-Repo-Commit": sha, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if "lfs" in entry:
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{etag}"'}
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(len(content))})
        status, part = 200, content
        if asked := re.match(r"bytes=(\d+)-(\d*)", request.headers.get("range", "")):
            first, last = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
            status, part = 206, content[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        if cut is not None:
            return StreamingResponse(
                _broken_off(part, cut), status, headers={**headers, "Content-Length": str(len(part))}
            )
        return Response(part, status, headers=headers, media_type="application/octet-stream")


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": message}, status, headers={"X-Error-Code": code, "X-Error-Message": message})


async def _broken_off(content: bytes, after: int) -> AsyncIterator[bytes]:
    """The first bytes; then the connection is dropped, since less comes than was announced."""
    yield content[:after]


def _card(files: dict[str, bytes]) -> dict[str, Any]:
    """The front matter of the model card."""
    import yaml

    found = re.match(rb"---\n(.*?)\n---", files.get("README.md", b""), re.S)
    card: dict[str, Any] = (yaml.safe_load(found[1]) or {}) if found else {}
    return card


def _weights(files: dict[str, bytes], told: dict[str, Any]) -> dict[str, Any] | None:
    """Parameter counts from the headers of the safetensors files, or what `.hub.json` claims."""
    by_type: dict[str, int] = {}
    for name, content in files.items():
        if not name.endswith(".safetensors"):
            continue
        header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
        for key, tensor in header.items():
            if key != "__metadata__":
                count = 1
                for side in tensor["shape"]:
                    count *= side
                by_type[tensor["dtype"]] = by_type.get(tensor["dtype"], 0) + count
    if not by_type:
        return None
    if "parameters" in told:
        by_type = {next(iter(by_type)): int(told["parameters"])}
    return {"parameters": by_type, "total": sum(by_type.values())}


def _size(told: dict[str, Any], name: str, content: bytes) -> int:
    return int(told.get("sizes", {}).get(name, len(content)))


def _entry(told: dict[str, Any], name: str, content: bytes) -> dict[str, Any]:
    """A file as the tree lists it."""
    size = _size(told, name, content)
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry: dict[str, Any] = {"type": "file", "oid": blob, "size": size, "path": name}
    if name.endswith(LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 134}
    return entry


def _matches(row: dict[str, Any], asked: Any) -> bool:
    named = {*row["tags"], row["pipeline_tag"], row["library_name"]}
    return (
        asked.get("search", "").lower() in row["id"].lower()
        and asked.get("author", row["author"]) == row["author"]
        and asked.get("pipeline_tag", row["pipeline_tag"]) == row["pipeline_tag"]
        and all(tag in named for tag in asked.getlist("filter"))
        and ("gated" not in asked or bool(row["gated"]) == (asked["gated"].lower() == "true"))
    )


def _shown(row: dict[str, Any], asked: Any) -> dict[str, Any]:
    """The fields of a listed model that were asked for."""
    if wanted := {*asked.getlist("expand"), *asked.getlist("expand[]")}:
        return {key: value for key, value in row.items() if key in {"_id", "id", "modelId", *wanted}}
    hidden = {"safetensors", "usedStorage", "gated", "disabled"}
    if "full" not in asked:
        hidden |= {"siblings", "sha", "lastModified", "author"}
    hidden |= {key for key in ("config", "cardData") if key not in asked}
    return {key: value for key, value in row.items() if key not in hidden}
