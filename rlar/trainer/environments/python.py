"""python: programs run in the sandbox by tool calls; the answer is judged by the registry's tools."""

from __future__ import annotations

from typing import ClassVar

from rlar.tool import Resources
from rlar.trainer.environments.tools import ToolEnvironment

LONGEST = 20_000
"""Characters of a program."""


class Python(ToolEnvironment):
    """One tool, `python`. Every call is a program of its own: nothing is kept from one to the next."""

    summary: ClassVar[str] = "programs run in the sandbox by tool calls"
    offers: ClassVar[tuple[str, ...]] = ("python",)

    def __init__(self, resources: Resources, *, seconds: float = 5.0, memory_mb: int = 512) -> None:
        """
        Args:
            seconds: of one program, by the clock.
            memory_mb: of one program.
        """
        super().__init__(resources)
        if not 0 < seconds <= 600 or not 16 <= memory_mb <= 65_536:
            raise ValueError("seconds must be 0 to 600, memory_mb 16 to 65536")
        self.seconds, self.memory_mb = seconds, memory_mb

    def python(self, code: str) -> str:
        """
        Run a Python program and return what it prints. Nothing is kept between calls, and there is no network.

        Args:
            code: The whole program; print what you want to see.
        """
        from rlar.sandbox import Limits, Status

        if len(code) > LONGEST:
            return f"error: the program is longer than {LONGEST:,} characters"
        limits = Limits(seconds=self.seconds, memory_mb=self.memory_mb, output_bytes=1 << 16)
        result = self.resources.sandbox.run_program(code, limits=limits)
        if result.status in (Status.REFUSED, Status.UNDECIDED):  # the sandbox's doing, not the program's
            raise RuntimeError(f"the sandbox ran nothing: {result.explanation}")
        if result.passed:
            return result.output or "(the program printed nothing)"
        why = result.explanation or str(result.status)
        return f"{result.output}\nerror: {why}".strip()
