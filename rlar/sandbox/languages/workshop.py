"""The supervisor's side of a workshop: a jail per program, in which it is built once and run for every input.

Needs namespaces: elsewhere nothing bounds the number of a compiler's processes or ends them all (tiers `ll` and `sec` run
Python only).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from rlar.errors import SandboxError
from rlar.sandbox.engine import SandboxLost
from rlar.sandbox.fork_server import Ending, ForkServer
from rlar.sandbox.languages.toolchains import (
    TOOLCHAINS,
    Command,
    Installed,
    find_toolchain,
    source_file,
)
from rlar.sandbox.memory_files import Input, Output
from rlar.sandbox.results import Limits, RunResult, Status

BUILD = Limits(seconds=60.0, cpu_seconds=30.0, memory_mb=1536, output_bytes=256 << 20, open_files=128)
"""For all commands of a build. The wall clock is generous: a busy machine is not the program's fault, its processor time is."""
_MESSAGES = 1 << 16
_SCRATCH = "/work"
_SCRATCH_MB = 256
_PROCESSES = 256
_STACK_BYTES = 64 << 20
_GRACE_SECONDS = 20.0
_HELLO = {
    "c": '#include <stdio.h>\nint main(void) { int n = 0; scanf("%d", &n); printf("%d\\n", n + 1); return 0; }\n',
    "cpp": "#include <iostream>\nint main() { int n = 0; std::cin >> n; std::cout << n + 1 << std::endl; }\n",
    "go": 'package main\nimport "fmt"\nfunc main() { var n int; fmt.Scan(&n); fmt.Println(n + 1) }\n',
    "java": (
        "import java.util.Scanner;\npublic class Main { public static void main(String[] args) "
        "{ System.out.println(new Scanner(System.in).nextInt() + 1); } }\n"
    ),
    "javascript": "console.log(Number(require('fs').readFileSync('/dev/stdin', 'utf8')) + 1);\n",
}


class Workshop(ForkServer):
    """One jail with a toolchain and a scratch folder, for one program."""

    def __init__(self, tier: str, toolchain: Installed) -> None:
        super().__init__(tier, [])
        self._toolchain = toolchain
        self._own_folder = tier == "unsafe"
        self.folder = tempfile.mkdtemp(prefix="rlar-work-") if self._own_folder else _SCRATCH

    def _settings(self) -> dict[str, Any]:
        links = {"/dev/stdin": f"{self.folder}/stdin", "/proc/self/fd/0": f"{self.folder}/stdin"}
        if self._toolchain.interpreter:
            links["/proc/self/exe"] = self._toolchain.interpreter
        workshop = {
            "scratch": self.folder,
            "megabytes": _SCRATCH_MB,
            "links": links,
            "runtime": self._toolchain.runtime,
        }
        # The interpreter's own libraries are loaded before the jail closes.
        return {**super()._settings(), "readable": self._toolchain.readable, "workshop": workshop}

    def write(self, name: str, text: str) -> None:
        """A source file in the scratch folder. SandboxLost where that cannot be."""
        answer = self._locked_ask({"op": "write", "name": name, "text": text}, (), _GRACE_SECONDS)
        if answer.get("written") is not True:
            raise SandboxLost(f"the workshop took no file: {answer.get('unstarted')}")

    def command(
        self, argv: Sequence[str], environment: Mapping[str, str], limits: Limits, *, stdin: bytes | None = None,
        compiles: bool, toolchain: Installed,
    ) -> tuple[Ending, str, float]:  # fmt: skip
        """Run one command to its end: how it ended, what it printed, seconds. SandboxError where it cannot be started."""
        memory = (limits.memory_mb + (0 if compiles else toolchain.runtime_mb)) << 20
        whole_space = toolchain.bounds_address_space
        cpu = int(limits.cpu_seconds if limits.cpu_seconds is not None else limits.seconds + 1) or 1
        request = {
            "op": "run",
            "argv": list(argv),
            "environment": {
                "PATH": "/usr/bin:/bin",
                "HOME": self.folder,
                "LANG": "C.UTF-8",
                "TZ": "UTC",
                **environment,
            },
            "compiles": compiles,
            "seconds": limits.seconds,
            "limits": {
                "cpu_seconds": cpu,
                "file_bytes": limits.output_bytes,
                "open_files": max(32, limits.open_files),
                "data": memory,
                "memory": memory + _STACK_BYTES if whole_space else 0,
                "processes": _PROCESSES,
                "stack": _STACK_BYTES,
            },
        }
        shown = Limits(output_bytes=_MESSAGES) if compiles else limits
        with Output(shown) as output, Input(stdin or b"") as source:
            started = time.monotonic()
            answer = self._locked_ask(
                request, [*source.descriptors, output.descriptor], limits.seconds + _GRACE_SECONDS
            )
            seconds = time.monotonic() - started
            text = output.read()
        if "unstarted" in answer:
            raise SandboxError(f"a command could not be started: {str(answer['unstarted'])[:300]}")
        try:
            ending = Ending(
                int(answer["status"]), bool(answer["killed"]), answer["rss"] / 1024.0, float(answer["cpu"]), cpu
            )
        except (KeyError, TypeError, ValueError):
            raise SandboxLost("the workshop answered with nonsense") from None
        return ending, text, seconds

    def _locked_ask(self, request: dict[str, Any], descriptors: Sequence[int], seconds: float) -> dict[str, Any]:
        with self._lock:
            self._ensure_started()
            return self._ask(request, descriptors, seconds)

    def interrupt(self) -> None:
        """Kill it, whatever it is doing: the call under way ends as lost."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End it, and remove its folder where it made one."""
        super().close()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


class BuiltProgram:
    """One program, built when it is first needed. `problem` says why it cannot run."""

    def __init__(self, tier: str, installed: Installed | str, program: str) -> None:
        """
        Args:
            found: what `runner` says of the program's language.
        """
        self._tier = tier
        self._program = program
        self._toolchain = installed if isinstance(installed, Installed) else None
        self._workshop: Workshop | None = None
        self._interrupted = False
        self.problem: RunResult | None = None
        if isinstance(installed, str):
            self.problem = RunResult(Status.REFUSED, installed, tier=tier)

    def run(self, stdin: str, limits: Limits) -> RunResult:
        """One run with its own limits; passed where it ended by itself with status 0. SandboxLost: nobody's verdict."""
        if self._interrupted:
            raise SandboxLost("the sandbox pool was closed")
        if self._workshop is None and self.problem is None:
            self._build()
        if self.problem is not None or self._workshop is None or self._toolchain is None:
            return self.problem or RunResult(Status.REFUSED, "not built", tier=self._tier)
        toolchain = self._toolchain
        bounds = Limits(
            seconds=limits.seconds + toolchain.startup_seconds,
            cpu_seconds=(limits.cpu_seconds or limits.seconds + 1) + toolchain.startup_seconds,
            memory_mb=limits.memory_mb,
            output_bytes=limits.output_bytes,
            open_files=limits.open_files,
        )
        argv, environment = self._filled(toolchain.run, limits.memory_mb)
        ending, text, seconds = self._workshop.command(
            argv, environment, bounds, stdin=stdin.encode("utf-8", "replace"), compiles=False, toolchain=toolchain
        )
        status, explanation = _verdict(ending, bounds)
        return RunResult(
            status, explanation, seconds, round(ending.memory_mb, 1), self._tier, text, unsafe=self._tier == "unsafe"
        )

    def _build(self) -> None:
        assert self._toolchain is not None
        workshop = self._workshop = Workshop(self._tier, self._toolchain)
        if self._interrupted:
            workshop.interrupt()
        self._file, self._main = source_file(self._toolchain.language, self._program)
        workshop.write(self._file, self._program)
        if self._toolchain.language == "java":
            workshop.write("out/.made", "")
        for way in self._toolchain.builds:
            self.problem = self._build_in(workshop, way)
            if self.problem is None:
                return

    def _build_in(self, workshop: Workshop, commands: Sequence[Command]) -> RunResult | None:
        assert self._toolchain is not None
        for command in commands:
            argv, environment = self._filled(command, BUILD.memory_mb)
            ending, text, seconds = workshop.command(argv, environment, BUILD, compiles=True, toolchain=self._toolchain)
            if ending.exited_with(0):
                continue
            if ending.killed:
                # A compiler does not wait: who ran out of the clock without its processor time had no processor.
                raise SandboxLost(f"the compiler got too little of the processor in {BUILD.seconds:g} s")
            status, why = _verdict(ending, BUILD)
            message = _first_error(text, workshop.folder)
            explanation = f"does not compile: {message or why}"[:300]
            kept = Status.FAILED if status in (Status.FAILED, Status.CRASHED) else status
            return RunResult(kept, explanation, seconds, round(ending.memory_mb, 1), self._tier)
        return None

    def _filled(self, command: Command, memory_mb: int) -> tuple[list[str], dict[str, str]]:
        assert self._workshop is not None
        values = {
            "{dir}": self._workshop.folder,
            "{memory}": str(memory_mb),
            "{file}": self._file,
            "{main}": self._main,
        }

        def filled(text: str) -> str:
            for mark, value in values.items():
                text = text.replace(mark, value)
            return text

        return [filled(each) for each in command.argv], {key: filled(value) for key, value in command.environment}

    def interrupt(self) -> None:
        """Kill its jail under whoever uses it; SandboxLost for them."""
        self._interrupted = True
        if self._workshop is not None:
            self._workshop.interrupt()

    def close(self) -> None:
        """End the jail and all in it."""
        if self._workshop is not None:
            self._workshop.close()


def _verdict(ending: Ending, limits: Limits) -> tuple[Status, str]:
    if ending.killed:
        return Status.TIMEOUT, f"still running after {limits.seconds:g} s"
    if ending.exited_with(0):
        return Status.PASSED, ""
    if os.WIFEXITED(ending.status):
        return Status.FAILED, f"ended with status {os.WEXITSTATUS(ending.status)}"
    return ending.verdict()


_ERROR = re.compile(r"^.{0,300}?\berror\b.{0,300}$", re.M | re.I)


def _first_error(text: str, folder: str) -> str:
    """The compiler's first line about an error, else its first line."""
    text = text[:_MESSAGES].replace(f"{folder}/", "")
    match = _ERROR.search(text)
    line = match.group() if match else next((line for line in text.splitlines() if line.strip()), "")
    return line.strip()[:250]


def runner(tier: str, language: str) -> Installed | str:
    """The toolchain that runs programs of a language in this tier, or a sentence that says what would bring it."""
    if language not in TOOLCHAINS:
        return f"rlar has no runner for {language}"
    if tier not in ("ns", "unsafe"):
        return f"{TOOLCHAINS[language].label} programs need sandbox tier ns, and this machine offers {tier} (see `rlar doctor`)"
    installed = find_toolchain(language)
    return installed if isinstance(installed, str) else _tried(tier, installed)


@cache
def _tried(tier: str, toolchain: Installed) -> Installed | str:
    """The toolchain, where it builds and runs a small program in the jail; tried once a process."""
    workshop = BuiltProgram(tier, toolchain, _HELLO[toolchain.language])
    try:
        result = workshop.run("41\n", Limits(seconds=30.0))
    except SandboxError as error:
        result = RunResult(Status.REFUSED, str(error), tier=tier)
    finally:
        workshop.close()
    if result.passed and result.output.split() == ["42"]:
        return toolchain
    label = TOOLCHAINS[toolchain.language].label
    why = result.explanation or f"printed {result.output[:40]!r}"
    return f"{label} programs cannot run here: {toolchain.version} fails in the sandbox ({why})"[:300]
