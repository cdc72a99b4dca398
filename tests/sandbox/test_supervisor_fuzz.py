"""Whatever bytes a jailed process sends, the supervisor answers with a status."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlar.sandbox import CallResult, Limits, Pool, RunResult, Status
from rlar.sandbox.channel import Channel, ChannelClosed, ChannelGarbage, ChannelTimeout, open_pair
from rlar.sandbox.engine import SandboxLost, TestsJob, VerifierJob
from rlar.sandbox.fork_server import FROM_OUTSIDE, Child, Ending, Order
from rlar.sandbox.native import NativeSession
from tests.fakes.examples import examples

LIMITS = Limits(seconds=0.2)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**65) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "kind",
                    "checks",
                    "swallowed",
                    "helped",
                    "names",
                    "failed",
                    "raised",
                    "value",
                    "ready",
                    "run",
                    "stdin",
                    "a",
                    "codec",
                    "text",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def frame(value: Any) -> bytes:
    body = json.dumps(value).encode()
    return struct.pack("<I", len(body)) + body


BYTES = st.binary(max_size=200) | st.lists(VALUES.map(frame), max_size=4).map(b"".join)
ENDINGS = st.builds(
    Ending, st.sampled_from([0, 9, 11, 24, 256, 127 << 8]), st.booleans(), st.just(1.0), st.floats(0, 9), st.just(6)
)


class FakeServer:
    """A fork server whose children have sent their bytes already and hung up."""

    tier = "ns"
    generation = 1

    def __init__(self, data: bytes, ending: Ending) -> None:
        self.data = data
        self.ending = ending
        self.asked: list[str] = []
        self._theirs: list[socket.socket] = []

    def start(self) -> dict[str, Any]:
        return {}

    def fork(self, role: str, limits: dict[str, int], descriptors: Sequence[int] = ()) -> Child:
        self.asked.append(role)
        ours, theirs = open_pair()
        theirs.sendall(self.data)
        theirs.shutdown(socket.SHUT_WR)
        self._theirs.append(theirs)
        return Child(ours, 1, 1, 6)

    def fork_all(self, orders: Sequence[Order]) -> list[Child]:
        return [self.fork(order.role, order.limits, order.descriptors) for order in orders]

    def end(self, child: Child) -> Ending:
        child.channel.close()
        return self.ending

    def end_all(self, children: Sequence[Child]) -> list[Ending]:
        return [self.end(child) for child in children]

    def hang_up(self) -> None:
        for theirs in self._theirs:
            theirs.close()


def is_status(result: Any) -> bool:
    return isinstance(result, RunResult | CallResult) and isinstance(result.status, Status)


def is_score(raw: Any) -> bool:
    return type(raw) is tuple and (raw[0] == "value" or isinstance(raw[0], Status))


@given(data=BYTES, ending=ENDINGS)
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_answer_ends_in_a_status(data: bytes, ending: Ending) -> None:
    server = FakeServer(data, ending)
    session = NativeSession(server)  # type: ignore[arg-type]
    works: list[Callable[[], Sequence[Any]]] = [
        lambda mode=mode: [session.run_tests(TestsJob("x = 1", "assert f(1)", "f", None, mode, LIMITS))]  # type: ignore[misc]
        for mode in ("split", "same", "auto")
    ]
    works.append(lambda: [session.run_program("x", b"", LIMITS)])
    works.append(lambda: session.call("x", "f", [[1], [2], [3]], LIMITS))
    for mode in ("forked", "warm"):
        job = VerifierJob("x", "f", [["a"], ["b"]], mode, LIMITS)  # type: ignore[arg-type]
        works.append(lambda job=job: session.score(job))  # type: ignore[misc]
    try:
        for work in works:
            try:
                results = work()
            except SandboxLost:  # the pool repeats the call
                assert ending.status in FROM_OUTSIDE and not ending.killed
                continue
            assert results and all(is_status(each) or is_score(each) for each in results)
        session.close()
    finally:
        server.hang_up()
    assert {"program", "tests", "same", "whole", "verifier"} <= set(server.asked)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_the_channel_knows_three_ways_to_fail(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        channel = Channel(ours)
        try:
            channel.receive(time.monotonic() + 1, 100)
        except (ChannelClosed, ChannelGarbage, ChannelTimeout):
            pass
        channel.close()


def test_deadlines_hold_while_bytes_trickle_in() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    with theirs:
        theirs.sendall(struct.pack("<I", 100) + b"1")
        started = time.monotonic()
        with pytest.raises(ChannelTimeout):
            channel.receive(started + 0.2, 1000)
        assert 0.15 < time.monotonic() - started < 1.0
        with pytest.raises(ChannelTimeout):
            channel.send("x" * (32 << 20), time.monotonic() + 0.2)
    channel.close()


def test_a_process_that_floods_its_channel_with_noise_only_fails_itself(any_pool: Pool) -> None:
    rng = random.Random(7)
    for _ in range(12):
        noise = rng.randbytes(rng.choice([1, 5, 300, 70_000]))
        write = f"import os\nfor fd in range(3, 64):\n    try: os.write(fd, {noise!r})\n    except OSError: pass\n"
        program = f"{write}def f(x): return x\n"
        assert not any_pool.run_tests(program, "assert f(1) == 2", "f", limits=LIMITS).passed
        verifier = f"def f(x):\n    {write.replace(chr(10), chr(10) + '    ')}\n    return 2.0\n"
        for mode in ("forked", "warm"):
            assert any_pool.run_verifier(verifier, "f", [[1]], mode=mode, limits=LIMITS)[0].value is None  # type: ignore[arg-type]
        any_pool.call(program, "f", [[1]], limits=LIMITS)
        any_pool.run_tests("def f(x): return x", write + "f(1)", "f", limits=LIMITS)
        assert any_pool.run_tests("def f(x): return x", "assert f(1) == 1", "f").passed
    assert os.getpid() > 0
