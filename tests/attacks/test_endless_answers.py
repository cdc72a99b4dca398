"""A server that keeps sending holds a question no longer than one that is silent, whatever part of an answer it sends."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from rlar.errors import ChatUnavailable
from rlar.llm.chat import OpenAIChat, parse_endpoint
from rlar.network import Network
from rlar.tool import Resources
from rlar.tools.http import http_spec
from rlar.tools.load import load_tool
from rlar.types import Message, Sample

SECONDS = 0.5
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS: dict[str, tuple[bytes, bytes, float]] = {
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.05),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.05),
    "interim answers at once": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50, 0.0),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" ", 0.05),
    "the size of a chunk": (CHUNKED, b"1;", 0.05),
    "trailers": (CHUNKED + b"0\r\n", b"A: b\r\n", 0.05),
}
"""What comes first, what comes again and again, and seconds between."""


@contextlib.contextmanager
def endless(first: bytes, again: bytes, pause: float) -> Iterator[str]:
    """The URL of a server that answers so; it sends for ten seconds at most."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(first)
            until = time.monotonic() + 10
            while time.monotonic() < until and not ended.wait(pause):
                connection.sendall(again)

    def listen() -> None:
        with contextlib.suppress(OSError):
            for _ in itertools.count():
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.close()


def score(url: str) -> None:
    spec = http_spec(url, "tei", ask_server=False, seconds=SECONDS, retries=0)
    with Resources(network=Network.of_user([url])) as resources:
        [found] = load_tool(spec, resources).score([Sample(prompt="p", completion="c", reference="r")])
    assert found.status == "timeout" and found.value is None
    assert f"no answer within {SECONDS} s" in found.error and url in found.error  # not the watch over lost threads


def ask(url: str) -> None:
    chat = OpenAIChat(parse_endpoint(f"{url}/v1#m"), timeout_seconds=SECONDS, retries=0)
    with contextlib.closing(chat), pytest.raises(ChatUnavailable, match=f"no answer within {SECONDS} s"):
        chat.complete([Message(role="user", content="hello")])


@pytest.mark.parametrize("question", [score, ask])
@pytest.mark.parametrize("part", ANSWERS)
def test_an_answer_without_end_is_late(part: str, question: Callable[[str], None]):
    with endless(*ANSWERS[part]) as url:
        started = time.monotonic()
        question(url)
        assert time.monotonic() - started < 8
