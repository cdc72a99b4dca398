"""What stands before every route: token, content type, size of the body, and the count of requests. Plain ASGI."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from rlar.server.metrics import Metrics
from rlar.server.settings import ServeSettings, is_loopback

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN_ROUTES = ("/healthz", "/readyz")
"""Answered without a token: they say nothing but that the server is there."""
BODIES_HELD = 16
"""So many of the largest bodies may be in memory at a time; beyond that requests are refused (503)."""


class Guard:
    """Lets through what may come in; answers the rest itself with 401, 403, 413, 415 or 503."""

    def __init__(self, app: App, *, settings: ServeSettings, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes
        self._limit = settings.max_body_bytes
        self._token = settings.token.get_secret_value().encode() if settings.token is not None else None
        self._held = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._routes else "other"
        started = time.perf_counter()
        code = 500

        async def counted(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._guarded(scope, receive, counted)
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
        reserved = 0
        try:
            # Room is taken for what the client announces (else for the most there may be) before anything is read.
            announced = headers.get(b"content-length", b"")
            reserved = min(int(announced) if announced.isdigit() else self._limit, self._limit)
            if self._held and self._held + reserved > BODIES_HELD * self._limit:
                reserved = 0
                await _answer(send, 503, "too many large requests at a time; ask again in a moment")
                return
            self._held += reserved
            body = await self._read(receive)
            if body is None:
                await _answer(send, 413, f"the body is larger than {self._limit:,} bytes; send fewer rows at a time")
                return
            await self._app(scope, _replay(body, receive), send)
        finally:
            self._held -= reserved

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

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None as soon as it is too large."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(parts)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._limit:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


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
    if code == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
