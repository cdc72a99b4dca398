"""A Hub of data sets on loopback: the two routes that the Hub client asks for, over real HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class DatasetHub:
    """Repositories by name: {revision: commit}, {commit: {file: bytes}}; who may not be had has a status of its own."""

    def __init__(self) -> None:
        self.revisions: dict[str, dict[str, str]] = {}
        self.commits: dict[tuple[str, str], dict[str, bytes]] = {}
        self.refused: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []
        self.url = ""

    def put(self, repo: str, files: dict[str, bytes], *, revision: str = "main") -> str:
        """Commit files; the commit's hash, to which the revision now points."""
        commit = hashlib.sha1(repr((repo, sorted(files.items()))).encode()).hexdigest()
        self.commits[repo, commit] = files
        self.revisions.setdefault(repo, {})[revision] = commit
        return commit


@contextmanager
def running() -> Iterator[DatasetHub]:
    """A hub that answers at `url` inside the block."""
    hub = DatasetHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def _answer(self) -> None:
            path = self.path.split("?")[0].replace("%2F", "/")
            hub.asked.append(f"{self.command} {path}")
            parts = path.strip("/").split("/")
            is_listing = parts[:2] == ["api", "datasets"]
            repo = "/".join(parts[2:4] if is_listing else parts[1:3])
            if repo in hub.refused:
                status, code = hub.refused[repo]
                return self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code})
            if repo not in hub.revisions:
                return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            revision, file = ("/".join(parts[5:]) or "main", "") if is_listing else (parts[4], "/".join(parts[5:]))
            commit = hub.revisions[repo].get(revision, revision)
            files = hub.commits.get((repo, commit))
            if files is None:
                return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            if is_listing:
                siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
                body = json.dumps(
                    {"id": repo, "sha": commit, "siblings": siblings, "tags": [], "downloads": 0}
                ).encode()
                return self._send(200, body, {"Content-Type": "application/json"})
            data = files[file]
            etag = hashlib.sha256(data).hexdigest()
            return self._send(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
