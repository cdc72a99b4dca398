"""Sessions on a fork server: the tiers ns, ll, sec and unsafe."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rlar.sandbox.channel import ChannelClosed, ChannelGarbage, ChannelTimeout
from rlar.sandbox.engine import Image, RawScore, TestsJob, VerifierJob
from rlar.sandbox.fork_server import Child, Ending, ForkServer, Order, encode_limits
from rlar.sandbox.images import IMAGES
from rlar.sandbox.memory_files import Input, Output
from rlar.sandbox.native_verifiers import VerifierProcesses
from rlar.sandbox.plain import decode_value, encode_arguments
from rlar.sandbox.results import CallResult, Limits, RunResult, Status

_MAX_VERDICT = 1 << 16
_MAX_REPLY = 16 << 20
_TESTS_MEMORY_MB = 1024
_MAX_DEATHS = 3
_Kind = Literal[
    "ended", "raised", "fault", "died", "loading", "memory", "unreadable", "inseparable", "looked", "unrun", "timeout"
]


class NativeEngine:
    """Fork servers of one tier and image, shared by the sessions."""

    def __init__(self, tier: str, image: Image, servers: int) -> None:
        self.tier = tier
        self._servers = [ForkServer(tier, IMAGES[image]) for _ in range(servers)]

    def open_session(self, slot: int) -> NativeSession:
        """A session on the fork server of a slot."""
        return NativeSession(self._servers[slot % len(self._servers)])

    @property
    def servers(self) -> Sequence[ForkServer]:
        """The fork servers, one a worker."""
        return self._servers

    def close(self) -> None:
        """End every fork server."""
        for server in self._servers:
            server.close()


class NativeSession:
    """One slot: a few warm verifiers of its own; programs and tests are forked per call."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._verifiers = VerifierProcesses(server)

    # ------------------------------------------------------------------------------------ tests

    def run_tests(self, job: TestsJob) -> RunResult:
        """The verdict of a suite on a program, each in a process of its own that ends with this call."""
        if job.mode == "same":
            return self._run_same(job)
        tests_limits = encode_limits(Limits(seconds=job.limits.seconds, memory_mb=_TESTS_MEMORY_MB))
        with Output(job.limits) as output:
            program, tests = self._server.fork_all(
                [
                    Order("program", encode_limits(job.limits), [output.descriptor]),
                    Order("tests", tests_limits, hears=0),
                ]
            )
            started = time.monotonic()  # the first fork starts the server, which is nobody's time
            report: _Report | None = None
            try:
                report = self._ask_tests(job, program, tests, started + job.limits.seconds)
            finally:
                program_ending, tests_ending = self._server.end_all([program, tests])
            text = output.read()
        seconds = time.monotonic() - started
        if report is None:
            tests_ending.check_not_killed_from_outside()
            return self._result(Status.UNDECIDED, "the process of the tests died", seconds, None, "")
        if report.inseparable:
            if job.mode == "auto":
                return self._run_same(job)
            return self._result(Status.REFUSED, f"cannot be split: {report.text}", seconds, None, "")
        status, explanation = report.verdict(program_ending, job.limits)
        return self._result(status, explanation, seconds, program_ending, text, forgeable=report.helped)

    def _ask_tests(self, job: TestsJob, program: Child, tests: Child, deadline: float) -> _Report | None:
        """Hand the program and the tests to their processes; what the latter says, None where it says nothing."""
        request = {"tests": job.tests, "prelude": job.prelude, "entry": job.entry_point, "mode": job.mode}
        try:
            try:
                program.channel.send({"source": job.program, "entry": job.entry_point}, deadline)
            except ChannelClosed:
                pass  # it died while loading; the tests' process will see the end of file
            program.channel.release()
            tests.channel.send(request, deadline)
            return _Report.read(tests.channel.receive(deadline, _MAX_VERDICT))
        except ChannelTimeout:
            return _Report("timeout")
        except (ChannelClosed, ChannelGarbage):
            return None

    def _run_same(self, job: TestsJob) -> RunResult:
        """Program and tests in one process; the program can forge the verdict."""
        request = {"source": job.program, "entry": job.entry_point, "tests": job.tests, "prelude": job.prelude}
        reply, ending, seconds, text = self._ask_once("same", request, job.limits)
        report = _Report.read(reply) or _report_of_silence(reply)
        status, explanation = report.verdict(ending, job.limits)
        return self._result(status, explanation, seconds, ending, text, forgeable=True)

    def _ask_once(
        self, role: str, request: dict[str, Any], limits: Limits, stdin: bytes | None = None
    ) -> tuple[dict[str, Any], Ending, float, str]:
        """One request to a child of its own: reply, ending, seconds, what it printed."""
        reply: Any = None
        with Output(limits) as output, Input(stdin) as source:
            child = self._server.fork(role, encode_limits(limits), [*source.descriptors, output.descriptor])
            started = time.monotonic()
            try:
                child.channel.send(request, started + limits.seconds)
                reply = child.channel.receive(started + limits.seconds, _MAX_VERDICT)
                if role == "whole":  # the exception's frame comes before the exit
                    child.channel.receive(started + limits.seconds, _MAX_VERDICT)
            except ChannelTimeout:
                reply = {"timeout": True}
            except ChannelClosed:
                reply = {"fault": True, "text": "died"} if reply is None else reply
            except ChannelGarbage:
                reply = {"fault": True, "text": "wrote to the channel"}
            finally:
                ending = self._server.end(child)
            text = output.read()
        if type(reply) is not dict:
            reply = {"fault": True, "text": "wrote to the channel"}
        return reply, ending, time.monotonic() - started, text

    def _result(
        self,
        status: Status,
        explanation: str,
        seconds: float,
        ending: Ending | None,
        output: str,
        *,
        forgeable: bool = False,
    ) -> RunResult:
        return RunResult(
            status=status,
            explanation=explanation,
            seconds=seconds,
            memory_mb=None if ending is None else round(ending.memory_mb, 1),
            tier=self._server.tier,
            output=output,
            forgeable=forgeable,
        )

    # ------------------------------------------------------------------------------------ whole programs

    def run_program(self, program: str, stdin: bytes, limits: Limits) -> RunResult:
        """A whole program; passed where it ended by itself with status 0."""
        reply, ending, seconds, text = self._ask_once("whole", {"source": program}, limits, stdin)
        if reply.get("timeout"):
            status, explanation = Status.TIMEOUT, f"still running after {limits.seconds:g} s"
        elif "raised" in reply:
            explanation = str(reply["raised"])[:300]
            status = Status.MEMORY if explanation.startswith("MemoryError") else Status.FAILED
            if explanation.startswith("SystemExit") and ending.exited_with(0):
                status = Status.PASSED
        elif ending.exited_with(0):
            status, explanation = Status.PASSED, ""
        else:
            status, explanation = ending.verdict()
        return self._result(status, explanation, seconds, ending, text)

    # ------------------------------------------------------------------------------------ calls

    def call(
        self, program: str, entry_point: str, arguments: Sequence[Sequence[Any]], limits: Limits
    ) -> list[CallResult]:
        """The function's value for each argument list; a call that kills the process costs a new process."""
        results: list[CallResult] = []
        deaths = 0
        self._server.start()  # which is nobody's time
        until = time.monotonic() + limits.whole_seconds
        while len(results) < len(arguments):
            if deaths >= _MAX_DEATHS or (results and time.monotonic() >= until):
                last = results[-1]
                results += [self._call_result(last.status, "not run: the program died before")] * (
                    len(arguments) - len(results)
                )
                break
            deaths += 1
            results += self._call_until_death(program, entry_point, arguments[len(results) :], limits, until)
        return results

    def _call_until_death(
        self, program: str, entry_point: str, arguments: Sequence[Sequence[Any]], limits: Limits, until: float
    ) -> list[CallResult]:
        results: list[CallResult] = []
        fault: tuple[Status, str] | None = None
        child = self._server.fork("program", encode_limits(limits, reused=True))
        started = time.monotonic()
        try:
            deadline = started + limits.seconds
            child.channel.send({"source": program, "entry": entry_point}, deadline)
            first = child.channel.receive(deadline, 1 << 20)
            if type(first) is not dict or "names" not in first:
                text = str(first.get("failed") if type(first) is dict else "")[:300]
                return [self._call_result(Status.FAILED, f"loading: {text}")] * len(arguments)
            for values in arguments:
                started = time.monotonic()
                deadline = min(started + limits.seconds, until)
                request = {"op": "call", "name": entry_point, "a": encode_arguments(values), "k": ["d", []]}
                child.channel.send(request, deadline)
                reply = child.channel.receive(deadline, _MAX_REPLY)
                results.append(self._read_call(reply, time.monotonic() - started))
        except ChannelTimeout:
            limit = limits.whole_seconds if time.monotonic() >= until else limits.seconds
            fault = (Status.TIMEOUT, f"still running after {limit:g} s")
        except ChannelGarbage:
            fault = (Status.FAILED, "returned too much, or wrote to the channel")
        except ChannelClosed:
            pass
        finally:
            ending = self._server.end(child)
        if len(results) < len(arguments):
            status, text = fault or ending.verdict()
            results.append(self._call_result(status, text, seconds=time.monotonic() - started))
        return results

    def _read_call(self, reply: Any, seconds: float) -> CallResult:
        if type(reply) is not dict:
            return self._call_result(Status.FAILED, "wrote to the channel", seconds=seconds)
        if "raised" in reply:
            names = reply["raised"]
            error = str(names[0])[:100] if type(names) is list and names else "Exception"
            status = Status.MEMORY if error == "MemoryError" else Status.FAILED
            return self._call_result(status, str(reply.get("text"))[:300], error=error, seconds=seconds)
        if "value" not in reply:
            return self._call_result(
                Status.FAILED, f"returned what is not plain data: {str(reply.get('codec'))[:200]}", seconds=seconds
            )
        try:
            value = decode_value(reply["value"])
        except ValueError as error:
            return self._call_result(Status.FAILED, f"returned what is not plain data: {error}", seconds=seconds)
        return CallResult(Status.PASSED, value=value, seconds=seconds, tier=self._server.tier)

    def _call_result(
        self, status: Status, explanation: str, *, error: str | None = None, seconds: float = 0.0
    ) -> CallResult:
        return CallResult(status, error=error, explanation=explanation, seconds=seconds, tier=self._server.tier)

    # ------------------------------------------------------------------------------------ verifiers

    def score(self, job: VerifierJob) -> list[RawScore]:
        """Raw scores, one per item, in order."""
        return self._verifiers.score(job)

    # ------------------------------------------------------------------------------------ end

    def close(self) -> None:
        """End the processes that this session keeps."""
        self._verifiers.close()


@dataclass(frozen=True, slots=True)
class _Report:
    """What the process of the tests said, as plain data: the verdict is made of it here.

    The tests can say anything, but only of the run that they were started for.
    """

    kind: _Kind
    text: str = ""
    checks: int = 0
    swallowed: int = 0
    helped: bool = False

    @staticmethod
    def read(reply: Any) -> _Report | None:
        """The report in a reply; None where there is none."""
        if type(reply) is not dict or set(reply) != {"kind", "text", "checks", "swallowed", "helped"}:
            return None
        kind, text, checks, swallowed, helped = (
            reply[name] for name in ("kind", "text", "checks", "swallowed", "helped")
        )
        if kind not in _KINDS or [type(text), type(checks), type(swallowed), type(helped)] != [str, int, int, bool]:
            return None
        return _Report(kind, text[:400], checks, swallowed, helped)

    @property
    def inseparable(self) -> bool:
        return self.kind == "inseparable"

    def verdict(self, ending: Ending, limits: Limits) -> tuple[Status, str]:
        """Status and explanation, with the way the program's process ended."""
        if self.kind == "timeout":
            if not ending.killed and ending.status:
                return ending.verdict()
            return Status.TIMEOUT, f"still running after {limits.seconds:g} s"
        if self.kind == "died":
            return ending.verdict()
        if self.kind == "unreadable":
            return Status.UNDECIDED, f"the tests cannot be compiled: {self.text}"
        if self.kind == "memory":
            return Status.MEMORY, self.text or f"more than {limits.memory_mb} MB"
        if self.kind == "looked":
            return Status.UNDECIDED, f"the tests cannot be split: {self.text}"
        if self.kind == "unrun":
            return Status.UNDECIDED, f"not all tests were run: {self.text}"
        if self.kind in _PREFIXES:
            return Status.FAILED, f"{_PREFIXES[self.kind]}{self.text}"
        if self.kind != "ended":
            return Status.FAILED, self.text or "the tests failed"
        if self.swallowed > 0:
            return Status.UNDECIDED, "the tests went on after an assertion that did not hold"
        if self.checks <= 0:
            return Status.UNDECIDED, "the tests checked nothing of the program"
        return Status.PASSED, ""


def _report_of_silence(reply: dict[str, Any]) -> _Report:
    """The report where a process that held program and tests made none."""
    if reply.get("timeout"):
        return _Report("timeout")
    return _Report("died") if reply.get("text") == "died" else _Report("fault", "wrote to the channel")


_KINDS = frozenset(get_args(_Kind))
_PREFIXES = {"fault": "the program ", "loading": "loading: "}
