"""Clients that send half a request, a byte a second, or never read: they cost themselves, and nobody else."""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
import httpx

from rlar.server.pace import HEAD_SECONDS, PACE_BYTES, PACE_SECONDS, STOPPING_SECONDS, Pace
from tests.fakes import serving_rows as rows
from tests.fakes.serving_process import Server, serving
from tests.fakes.thinning import thinned

HONEST_SECONDS = 3.0
"""For an honest request on a crowded machine; alone it takes a few milliseconds."""
HEAD = b"POST /score HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
BODY = json.dumps({"rows": [{**rows.ROWS[0], "completion": "4"}]}).encode()
LARGEST = 16 * 1024 * 1024

STALLED = {
    "nothing": b"",
    "half a request line": b"POST /sc",
    "half a head": HEAD,
    "half a header": HEAD + b"content-le",
    "a head that announces a body": HEAD + b"content-length: 200\r\n\r\n",
    "a head that announces the largest body": HEAD + b"content-length: %d\r\n\r\n" % LARGEST,
    "half a body": HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:-1],
    "half a chunk": HEAD + b"transfer-encoding: chunked\r\n\r\nff\r\n{",
    "no last chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
    "half a trailer": HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nx-more: ",
    "a body nobody asked for": b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n1",
    "a body for another route": b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: 9\r\n\r\n1",
    "an upgrade": b"GET /score HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\ncontent-length: 9\r\n\r\n1",
}  # fmt: skip
"""Requests that are never finished: what has been sent of each when the client falls silent."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows.make_registry(tmp_path_factory.mktemp("registry") / "registry.db")


@pytest.fixture(scope="module")
def server(registry: Path) -> Iterator[Server]:
    with serving(registry) as made:
        yield made


def connect(server: Server, sent: bytes = b"") -> socket.socket:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    client = socket.create_connection((host, int(port)), timeout=60)
    client.sendall(sent)
    return client


@contextmanager
def connected(server: Server, sent: list[bytes]) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(server, data)) for data in sent]


def honest_seconds(server: Server, times: int = 5) -> float:
    """The longest of some honest requests, each on a connection of its own."""
    longest = 0.0
    for _ in range(times):
        started = time.monotonic()
        answer = httpx.post(
            server.url + "/score", content=BODY, headers={"content-type": "application/json"}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["rewards"][0]["reward"] == 1.0
        longest = max(longest, time.monotonic() - started)
    return longest


def ended_within(clients: list[socket.socket], seconds: float) -> bool:
    """Has the server closed all of these (after whatever it answered) by then?"""
    until = time.monotonic() + seconds
    for client in clients:
        try:
            while True:
                client.settimeout(max(0.01, until - time.monotonic()))
                if not client.recv(65536):
                    break
        except TimeoutError:
            return False
        except ConnectionError:
            pass
    return True


@pytest.mark.parametrize("name", thinned(STALLED, every=4))
def test_honest_requests_are_answered_beside_200_that_never_end(server: Server, name: str):
    with connected(server, [STALLED[name]] * 200):
        assert honest_seconds(server) < HONEST_SECONDS


@pytest.mark.slow
def test_honest_requests_are_answered_by_a_server_without_room_for_all_connections(registry: Path):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))  # so many for the server, too; it uses half of them
    try:
        with serving(registry) as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for sent in STALLED.values():
                with connected(server, [sent] * 150):
                    assert honest_seconds(server) < HONEST_SECONDS
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_clients_that_hurry_and_then_stall_do_not_fill_the_memory_for_others(server: Server):
    head = HEAD + b"content-length: %d\r\n\r\n" % LARGEST
    with connected(server, [head] * 20) as clients:
        for client in clients:
            client.settimeout(20)
            with suppress(OSError):  # of one that gave way to another
                client.sendall(b" " * (LARGEST - 1))
        assert honest_seconds(server) < HONEST_SECONDS
        large = json.dumps({"rows": [{**rows.ROWS[0], "completion": "4", "x": "y" * (12 * 1024 * 1024)}]}).encode()
        kind = {"content-type": "application/json"}
        assert httpx.post(server.url + "/score", content=large, headers=kind, timeout=60).status_code == 200


def test_clients_that_never_read_do_not_keep_others_waiting(server: Server):
    body = json.dumps({"responses_create_params": {}, "response": {"x": "y" * 4_000_000}}).encode()
    request = HEAD.replace(b"/score", b"/verify") + b"content-length: %d\r\n\r\n" % len(body) + body
    with connected(server, [request] * 10):
        assert honest_seconds(server) < HONEST_SECONDS


def test_a_client_that_closes_its_half_ends_its_request(server: Server):
    for sent in STALLED.values():
        with connect(server, sent) as client:
            client.shutdown(socket.SHUT_WR)
            assert ended_within([client], 5.0), sent
    assert honest_seconds(server) < HONEST_SECONDS


@pytest.mark.slow
def test_sigterm_ends_unfinished_requests_and_answers_the_others(registry: Path):
    with serving(registry) as server, connected(server, [*STALLED.values()] * 8) as clients:
        slow = connect(server, HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:-1])
        assert honest_seconds(server, 1) < HONEST_SECONDS
        started = time.monotonic()
        server.process.terminate()
        slow.sendall(BODY[-1:])  # in time: what comes in whole is still answered
        with slow.makefile("rb") as answer:
            assert b'"reward":1.0' in answer.read()
        code, said = server.stop()
        assert code == 0, said
        assert time.monotonic() - started < STOPPING_SECONDS + 4.0
        assert ended_within(clients, 1.0)


@pytest.mark.slow
def test_whoever_is_too_slow_is_cut(server: Server):
    """All at once: those that fall silent, and those that send or read a little, but too little."""
    body = json.dumps({"responses_create_params": {}, "response": {"x": "y" * 15_000_000}}).encode()
    unread = HEAD.replace(b"/score", b"/verify") + b"content-length: %d\r\n\r\n" % len(body) + body
    trickles = [b"", HEAD, HEAD + b"x: ", HEAD + b"content-length: 1000\r\n\r\n",
                HEAD + b"transfer-encoding: chunked\r\n\r\n"]  # fmt: skip
    feeds: list[Callable[[], bytes]] = [
        lambda: b"P",
        lambda: b"a: b\r\n",
        lambda: b"y",
        lambda: b" ",
        lambda: b"1\r\n \r\n",
    ]
    with connected(server, [*STALLED.values()]) as silent, connected(server, trickles) as slow:
        reader = connect(server, unread)
        until = time.monotonic() + max(HEAD_SECONDS, PACE_SECONDS) + 6.0
        gone: set[int] = set()
        while time.monotonic() < until:
            for index, (client, feed) in enumerate(zip(slow, feeds, strict=True)):
                try:
                    client.sendall(feed())
                except OSError:
                    gone.add(index)
            reader.recv(10)
            time.sleep(0.25)
        assert gone == set(range(len(slow)))
        with reader, suppress(ConnectionError):
            read = 0
            while part := reader.recv(1 << 20):
                read += len(part)
            assert read < len(body) - 1_000_000
        kept = {"a body nobody asked for", "a body for another route", "an upgrade"}  # answered: idle like others
        assert ended_within([c for c, name in zip(silent, STALLED, strict=True) if name not in kept], 2.0)
        assert honest_seconds(server) < HONEST_SECONDS


def test_bytes_put_the_end_off_but_nobody_gets_ahead():
    pace = Pace(100.0)
    assert pace.too_slow_at == 100.0 + PACE_SECONDS
    pace.move(100.0, 1_000 * PACE_BYTES)
    assert pace.too_slow_at == 100.0 + PACE_SECONDS  # a burst now is no credit for later
    pace.move(104.0, 2 * PACE_BYTES)
    assert pace.too_slow_at == 100.0 + PACE_SECONDS + 2.0
    for second in range(105, 200):
        pace.move(float(second), 1)
    assert pace.too_slow_at < 100.0 + PACE_SECONDS + 2.1  # a byte a second keeps nothing alive
    for second in range(200, 300):
        pace.move(float(second), 2 * PACE_BYTES)
    assert pace.too_slow_at > 300.0
