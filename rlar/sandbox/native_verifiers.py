"""Verifiers on a fork server: a process per item, or a few warm ones that are reused."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rlar.sandbox.channel import ChannelClosed, ChannelGarbage, ChannelTimeout
from rlar.sandbox.engine import RawScore, SandboxLost, VerifierJob
from rlar.sandbox.fork_server import Child, ForkServer, encode_limits
from rlar.sandbox.results import Limits, Status

_MAX_HEAD = 1 << 16
_MAX_REPLY = 16 << 20
_WARM_KEPT = 4
_WARM_USES = 10_000
_WARM_BATCH = 64
_WARM_BATCH_CHARACTERS = 1 << 20
_MAX_PROGRAM_RUNS = 32
"""How often one item of a verifier may call run_program; ten times as many calls end it."""
_PROGRAM_SHARE = 0.8
"""How much of an item's time its programs may take together; with the rest the verifier says what it makes of it."""
_SLACK_SECONDS = 0.1


class VerifierProcesses:
    """The verifier processes of one slot."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._warm: OrderedDict[tuple[str, str, Limits], _Warm] = OrderedDict()

    def score(self, job: VerifierJob) -> list[RawScore]:
        """Raw scores, one per item, in order."""
        if job.mode == "forked":
            return [score for item in job.items for score in self._score_alone(job, item)]
        scores: list[RawScore] = []
        for batch in _batches(job.items):
            scores += self._score_warm(job, batch)
        return scores

    def _score_alone(self, job: VerifierJob, item: Sequence[Any]) -> list[RawScore]:
        child = self._server.fork("verifier", encode_limits(job.limits))
        scores: list[RawScore] = []
        fault: tuple[Status, str] | None = None
        try:
            deadline = time.monotonic() + job.limits.seconds
            child.channel.send({"source": job.source, "function": job.function}, deadline)
            fault = _read_ready(child.channel.receive(deadline, _MAX_HEAD))
            if fault is None:
                fault = self._ask_batch(child, [item], job, scores, deadline)
        except ChannelTimeout:
            fault = (Status.TIMEOUT, f"still loading after {job.limits.seconds:g} s")
        except (ChannelClosed, ChannelGarbage):
            fault = None
        finally:
            ending = self._server.end(child)
        return scores or [fault or ending.verdict()]

    def _score_warm(self, job: VerifierJob, batch: Sequence[Sequence[Any]]) -> list[RawScore]:
        """One message for the batch; after a death the unanswered items go singly, to find the one to blame."""
        scores: list[RawScore] = []
        fault = self._try_warm(job, batch, scores)
        if len(scores) == len(batch):
            return scores
        if len(batch) - len(scores) == 1:
            return [*scores, fault or (Status.CRASHED, "died")]
        for item in batch[len(scores) :]:
            alone: list[RawScore] = []
            fault = self._try_warm(job, [item], alone)
            scores += alone or [fault or (Status.CRASHED, "died")]
        return scores

    def _try_warm(
        self, job: VerifierJob, batch: Sequence[Sequence[Any]], scores: list[RawScore]
    ) -> tuple[Status, str] | None:
        """Scores of as many items as the warm process answers; why it stopped. It is gone after any fault."""
        key = (job.source, job.function, job.limits)
        warm = self._warm.pop(key, None)
        if warm is not None and warm.child.generation != self._server.generation:
            warm = None
        if warm is None:
            warm_or_fault = self._start_warm(job)
            if not isinstance(warm_or_fault, _Warm):
                return warm_or_fault
            warm = warm_or_fault
        fault: tuple[Status, str] | None = None
        died = True
        try:
            fault = self._ask_batch(warm.child, batch, job, scores)
            died = False
        except (ChannelClosed, ChannelGarbage):
            pass
        except SandboxLost:  # of a program that it ran
            with contextlib.suppress(SandboxLost):
                self._server.end(warm.child)
            raise
        warm.uses += len(batch)
        if fault is None and not died and warm.uses < _WARM_USES:
            self._warm[key] = warm
            if len(self._warm) > _WARM_KEPT:
                _, oldest = self._warm.popitem(last=False)
                self._server.end(oldest.child)
            return None
        ending = self._server.end(warm.child)
        return fault or (ending.verdict() if died else None)

    def _start_warm(self, job: VerifierJob) -> _Warm | tuple[Status, str]:
        child = self._server.fork("verifier", encode_limits(job.limits, reused=True))
        try:
            deadline = time.monotonic() + job.limits.seconds
            child.channel.send({"source": job.source, "function": job.function}, deadline)
            fault = _read_ready(child.channel.receive(deadline, _MAX_HEAD))
            if fault is None:
                return _Warm(child)
        except ChannelTimeout:
            fault = (Status.TIMEOUT, f"still loading after {job.limits.seconds:g} s")
        except (ChannelClosed, ChannelGarbage):
            fault = None
        ending = self._server.end(child)
        return fault or ending.verdict()

    def _ask_batch(
        self,
        child: Child,
        batch: Sequence[Sequence[Any]],
        job: VerifierJob,
        scores: list[RawScore],
        deadline: float | None = None,
    ) -> tuple[Status, str] | None:
        """Send items, append their raw scores to `scores`; a fault where the process overran its time or lied.

        An item has one deadline, whatever runs inside: the programs that it starts get what is left of its time.
        """
        seconds = job.limits.seconds
        deadline = time.monotonic() + seconds if deadline is None else deadline
        runs = 0
        missing = len(batch)
        try:
            child.channel.send(batch, deadline + _SLACK_SECONDS)
            while missing:
                reply = child.channel.receive(deadline + _SLACK_SECONDS, _MAX_REPLY, another_may_follow=True)
                if type(reply) is list and 0 < len(reply) <= missing:
                    scores += [_read_score(value) for value in reply]
                    missing -= len(reply)
                    deadline, runs = time.monotonic() + seconds, 0
                elif type(reply) is dict and "run" in reply and job.run_program is not None:
                    runs += 1
                    if runs > 10 * _MAX_PROGRAM_RUNS:
                        return Status.FAILED, "called run_program too often"
                    left = deadline - (1 - _PROGRAM_SHARE) * seconds - time.monotonic()
                    child.channel.send(_run_for_verifier(reply, job, runs, left), deadline + _SLACK_SECONDS)
                else:
                    return Status.FAILED, "wrote to the channel"
        except ChannelTimeout:
            return Status.TIMEOUT, f"still running after {seconds:g} s"
        return (Status.FAILED, "wrote to the channel") if child.channel.holds_more else None

    def close(self) -> None:
        """End the warm processes."""
        while self._warm:
            _, warm = self._warm.popitem()
            with contextlib.suppress(SandboxLost):
                self._server.end(warm.child)


@dataclass(slots=True)
class _Warm:
    child: Child
    uses: int = 0


def _batches(items: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    """Items in messages of a bounded number and size."""
    start, characters = 0, 0
    for index, item in enumerate(items):
        characters += sum(len(value) for value in item if type(value) is str)
        if index - start >= _WARM_BATCH or (characters > _WARM_BATCH_CHARACTERS and index > start):
            yield items[start:index]
            start, characters = index, 0
    yield items[start:]


def _read_score(value: Any) -> RawScore:
    if type(value) is list:
        return Status.FAILED, str(value[0])[:300] if value else "no score"
    return "value", value


def _read_ready(reply: Any) -> tuple[Status, str] | None:
    if type(reply) is dict and reply.get("ready") is True:
        return None
    text = reply.get("failed") if type(reply) is dict else "wrote to the channel"
    return Status.FAILED, f"loading: {str(text)[:300]}"


def _run_for_verifier(request: dict[str, Any], job: VerifierJob, runs: int, left: float) -> dict[str, Any]:
    """What a program did in the time that is left; without time, or after too many programs, that it was not run."""
    assert job.run_program is not None, request
    if runs > _MAX_PROGRAM_RUNS:
        why = f"at most {_MAX_PROGRAM_RUNS} programs are run for one item"
        return {"status": Status.REFUSED.value, "output": "", "explanation": why}
    if left <= 0:
        return {"status": Status.TIMEOUT.value, "output": "", "explanation": "the item's time for programs is over"}
    result = job.run_program(str(request["run"]), str(request.get("stdin", "")), left)
    return {"status": result.status.value, "output": result.output, "explanation": result.explanation}
