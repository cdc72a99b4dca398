"""What stands before every route: token, content type, size and pace of the body, and the count of requests. Plain ASGI."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from rlar.server.metrics import Metrics
from rlar.server.pace import Pace
from rlar.server.settings import ServeSettings, is_loopback

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN_ROUTES = ("/healthz", "/readyz")
"""Answered without a token: they say nothing but that the server is there."""
BODIES_HELD = 16
"""So many of the largest bodies may be in memory at a time; beyond that the slowest uploads are refused (503)."""
UPLOADS_OF_A_CLIENT = 64
"""Bodies of one address that may be on their way at a time; beyond that its slowest one is refused (503)."""

TOO_SLOW = (408, "the body came too slowly; send it at once")
NO_ROOM = (503, "too many large requests at a time; ask again in a moment")


class Upload:
    """A body on its way in."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.parts: list[bytes] = []
        self.size = 0
        self.is_whole = False
        self.refused = TOO_SLOW
        self.pace = Pace(_now())
        self.limit = asyncio.timeout_at(self.pace.too_slow_at)

    def take(self, part: bytes) -> None:
        """Add a part of the body and move the deadline by what its pace allows."""
        self.parts.append(part)
        self.size += len(part)
        self.pace.move(_now(), len(part))
        self.limit.reschedule(self.pace.too_slow_at)


def _now() -> float:
    return asyncio.get_running_loop().time()


class Guard:
    """Lets through what may come in; answers the rest itself with 401, 403, 408, 413, 415 or 503.

    A request takes no place but the memory of what it has really sent until its body is whole. Where that memory is
    short, the upload that is nearest to being too slow gives way: clients that stall never keep out those that send.
    """

    def __init__(self, app: App, *, settings: ServeSettings, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes
        self._limit = settings.max_body_bytes
        self._token = settings.token.get_secret_value().encode() if settings.token is not None else None
        self._held = 0
        self._uploads: list[Upload] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._routes else "other"
        started = time.perf_counter()
        code = 500
        has_begun = False

        async def counted(message: Message) -> None:
            nonlocal code, has_begun
            if message["type"] == "http.response.start":
                code, has_begun = message["status"], True
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                # The end goes by itself: it waits until the client has read, and so do its places here.
                await send({**message, "more_body": True})
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            await self._guarded(scope, receive, counted)
        except asyncio.CancelledError:
            if has_begun:
                raise
            await _answer(counted, 503, "the server stopped before this was scored; ask another one, or again later")
        finally:
            self._metrics.requests.labels(route, str(code)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - started)

    async def _guarded(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        if refused := self._refused(scope, headers):
            await _answer(send, *refused)
            return
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        upload = Upload(str((scope.get("client") or ("",))[0]))
        try:
            refused = await self._read(upload, receive)
            if refused is not None:
                await _answer(send, *refused)
            elif upload.is_whole:
                body = b"".join(upload.parts)
                upload.parts.clear()
                await self._app(scope, _replay(body, receive), send)
        finally:
            self._held -= upload.size

    def _refused(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        if self._token is None:
            # Without a token the address is all that protects us: a web page that has its own name point to
            # 127.0.0.1 must not get in through a browser.
            host = headers.get(b"host", b"localhost").decode("latin-1").rsplit("@", 1)[-1]
            name = host[: host.rfind(":")] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
            if not is_loopback(name):
                return 403, f"this server has no token and answers only to localhost, not to {name[:80]!r}"
        elif scope["path"] not in OPEN_ROUTES and not hmac.compare_digest(_shown(headers), self._token):
            return 401, "a token is needed: send `Authorization: Bearer TOKEN` (or http://any:TOKEN@host/...)"
        if scope["method"] == "POST":
            kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if kind != b"application/json":
                return 415, "send JSON, with `Content-Type: application/json`"
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                return 415, "compressed bodies are not read; send plain JSON"
            length = headers.get(b"content-length", b"0")
            if length.isdigit() and (len(length) > 15 or int(length) > self._limit):
                return 413, f"the body is larger than {self._limit:,} bytes; send fewer rows at a time"
        return None

    async def _read(self, upload: Upload, receive: Receive) -> tuple[int, str] | None:
        """Read the whole body, unless the client goes; or why it is refused."""
        try:
            async with upload.limit:
                self._uploads.append(upload)
                mine = [other for other in self._uploads if other.client == upload.client]
                if len(mine) > UPLOADS_OF_A_CLIENT and self._give_way(mine) is upload:
                    return NO_ROOM
                while True:
                    message = await receive()
                    if upload not in self._uploads:
                        return upload.refused
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    self._held += len(part)
                    upload.take(part)
                    if upload.size > self._limit:
                        return 413, f"the body is larger than {self._limit:,} bytes; send fewer rows at a time"
                    while self._held > BODIES_HELD * self._limit:
                        if self._give_way(self._uploads) is upload:
                            return NO_ROOM
                    if not message.get("more_body", False):
                        upload.is_whole = True
                        return None
        except TimeoutError:
            return upload.refused
        finally:
            if upload in self._uploads:
                self._uploads.remove(upload)

    def _give_way(self, uploads: Sequence[Upload]) -> Upload:
        """Have the upload that is nearest to being too slow refused, and what it holds forgotten."""
        slowest = min(uploads, key=lambda upload: upload.pace.too_slow_at)
        slowest.refused = NO_ROOM
        slowest.parts.clear()
        self._held -= slowest.size
        slowest.size = 0
        self._uploads.remove(slowest)
        if not slowest.limit.expired():
            slowest.limit.reschedule(0.0)
        return slowest


def _shown(headers: dict[bytes, bytes]) -> bytes:
    """The token that a request shows; empty where it shows none."""
    kind, _, value = headers.get(b"authorization", b"").partition(b" ")
    value = value.strip()
    if kind.lower() == b"bearer":
        return value
    if kind.lower() == b"basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


def _replay(body: bytes, receive: Receive) -> Receive:
    is_read = False

    async def again() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, code: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if code == 503:
        headers.append((b"retry-after", b"1"))
    if code == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if code in (408, 413):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
