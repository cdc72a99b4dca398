"""Programs judged by a row's tests: assert lists, `check(candidate)`, call tables, unittest classes.

Program and tests run in separate jailed processes (rlar.sandbox); the program never sees what is expected. Suites that
cannot be split are marked forgeable in the details, and the admission policy decides about them.

Tests that the prompt shows can be answered by rote. Where the row also has a reference program, a program that carries the
tests' own arguments, or that passed no more than worked examples, must agree with that reference on other inputs too.

Whole programs judged by what they print: every input of the row must give its output, compared outside the sandbox.

Outputs are compared token by token, numbers within 1e-6; the program never sees an expected output.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlar.kinds.programs.completion import extract_program
from rlar.kinds.programs.rows import TestSuite, reference_program
from rlar.kinds.programs.run import ReferenceCheck, carries_arguments, score_program, suite_of
from rlar.tool import LibraryTool, Resources
from rlar.types import AnswerKind, Sample, Score, ToolSpec, abstain, ok

CERTAIN = 0.7
"""Suites of less confidence are worked examples: too few to tell alone."""
ROTE_SHARE = 0.34
"""Of other inputs: an honest program that differs from the reference in corner cases agrees on far more."""


class CodeTests(LibraryTool):
    """1.0 when the completion's program passes every test of its row, else 0.0.

    Params: `seconds` (5), `memory_mb` (512) for a program with all its tests.
    """

    name = "code_tests"
    answer_kinds = frozenset({AnswerKind.CODE_TESTS})
    role = "verifier"
    runs = "sandbox"
    summary = "runs the program against the row's tests, in separate jailed processes"

    def __init__(self, spec: ToolSpec, resources: Resources) -> None:
        super().__init__(spec, resources)
        from rlar.sandbox import Limits

        self._limits = Limits(
            seconds=float(spec.params.get("seconds", 5.0)), memory_mb=int(spec.params.get("memory_mb", 512))
        )
        self._references = ReferenceCheck()
        self._differential: LibraryTool | None = None

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order; as many at a time as the sandbox has workers."""
        if not any(suite_of(sample) for sample in samples):
            return [self.score_one(sample) for sample in samples]
        return self.resources.sandbox.map(self.score_one, samples)

    def score_one(self, sample: Sample) -> Score:
        """1.0 or 0.0; abstains without a suite, where the suite cannot tell, and where the row's reference fails, too."""
        suite = suite_of(sample)
        if suite is None:
            return abstain("the row carries no tests")
        score = score_program(sample, suite, self.resources.sandbox, self._limits, self._references)
        if score.value == 1.0 and sample.reference and self._is_doubtful(sample, suite):
            other = self._beside_reference(sample)
            share = other.details.get("passed", 0) / max(1, other.details.get("total", 1))
            if other.value == 0.0 and (suite.confidence < CERTAIN or share < ROTE_SHARE):
                return ok(0.0, f"passes the tests that the prompt shows, but {other.explanation}", **score.details)
        return score

    def _is_doubtful(self, sample: Sample, suite: TestSuite) -> bool:
        if (
            suite.source != "prompt"
            or suite.kind == "stdio"
            or reference_program(sample.reference or "", sample.prompt) is None
        ):
            return False
        return suite.confidence < CERTAIN or carries_arguments(extract_program(sample.answer, suite), suite)

    def _beside_reference(self, sample: Sample) -> Score:
        if self._differential is None:
            from rlar.kinds.programs.reference import CodeReference

            self._differential = CodeReference(self.spec, self.resources)
        return self._differential.score_one(sample)


class CodeStdio(CodeTests):
    """1.0 when the program prints the expected output for every input of its row, else 0.0.

    Params: `seconds` (5), `memory_mb` (512) for one run.
    """

    name = "code_stdio"
    answer_kinds = frozenset({AnswerKind.CODE_STDIO})
    summary = "runs the whole program on the row's inputs and compares what it prints"
