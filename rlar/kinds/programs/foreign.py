"""Programs in other languages than Python: from a completion to the program that it means, and its score.

A row that names a language takes programs in that one. A row with inputs and outputs that names none takes any that has a runner
here; where there is none the score abstains, which is nobody's wrong answer.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

from rlar.kinds.programs.appended import blanked, joined, with_tests
from rlar.kinds.programs.languages import label_of_language, language_of, language_of_fence
from rlar.kinds.programs.rows import TestSuite
from rlar.text.python import MAX_CODE_CHARACTERS, fenced_blocks
from rlar.types import AnswerKind, JsonObject, Score, abstain, failed, ok

if TYPE_CHECKING:
    from rlar.sandbox import Limits, Pool

_MAIN = re.compile(r"\bmain\s{0,3}\(|\bprocess\.stdin\b|\breadFileSync\b|\bstatic void main\b|\bconsole\.log\b")
_CODE_LINE = re.compile(
    r"^(?:#\s{0,3}(?:include|define|pragma)\b|using\s+\w|import\s+\S|package\s+\w|(?:public|final|abstract|static)\s|class\s+\w|struct\s+\w|"
    r"template\s?<|typedef\s|(?:const|let|var|function|async)\s|func\s|(?:int|void|long|bool|double|char|auto|unsigned)\s+\w|['\"]use strict)",
    re.MULTILINE,
)
_LAST_LINE = re.compile(r"[;{}),\]]\s*\Z|^\s*(?://|\*|/\*|#)")
_END_TOKENS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end|>",
    "<|end_of_text|>",
    "</s>",
    "<eos>",
    "<end_of_turn>",
)
_SHELL = frozenset({"shell"})


def what_runs(language: str, kind: AnswerKind) -> str:
    """What would let a task of programs in this language be judged."""
    from rlar.sandbox.languages.toolchains import TOOLCHAINS, find_toolchain

    label = label_of_language(language)
    if language not in TOOLCHAINS:
        known = ", ".join(["Python", *(each.label for each in TOOLCHAINS.values())])
        return f"a runner for {label}, which rlar does not have (it runs {known})"
    toolchain = find_toolchain(language)
    if isinstance(toolchain, str):
        return toolchain
    if kind is AnswerKind.CODE_REFERENCE:
        return f"inputs with outputs, or tests in {label}: {label} programs are not compared with a reference program"
    return f"sandbox tier ns, in which {label} programs run, and right programs or outputs to try a tool with"


class ForeignProgram(NamedTuple):
    """A program that is not taken for Python."""

    language: str
    code: str


def foreign_program(completion: str, suite: TestSuite) -> ForeignProgram | None:
    """What a completion means where the row or the completion itself says that it is no Python; None: read it as Python.

    Where the row asks for a language, the program of a completion in another one comes back with its own language.
    """
    if suite.kind not in ("stdio", "appended") or suite.language == "python" or len(completion) > MAX_CODE_CHARACTERS:
        return None if suite.language in ("", "python") else ForeignProgram(suite.language, "")
    answer = _without_end_tokens(completion.replace("\r\n", "\n"))
    blocks = [
        (language, block.code)
        for block in fenced_blocks(answer)
        if block.code.strip() and (language := _language_of_block(block.language, block.code, suite)) is not None
    ]
    if suite.language:
        return _asked_for(answer, blocks, suite)
    tagged = [(language, code) for language, code in blocks if language and language not in _SHELL]
    if blocks:
        if not tagged:
            return None
        language, code = _last_whole(tagged)
        return None if language == "python" else ForeignProgram(language, code)
    language = language_of(answer)
    if language in ("", "python"):
        code = _bare(answer)
        language = language_of(code) if code != answer and language == "" else language
        return None if language in ("", "python") else ForeignProgram(language, code)
    return ForeignProgram(language, _bare(answer))


def _language_of_block(fence: str, code: str, suite: TestSuite) -> str | None:
    """The language of a code block: what its marks say where they are sure, else what its fence says; None: no program."""
    named = language_of_fence(fence)
    if named is None:
        return None
    marked = language_of(code)
    if not marked or marked == named or {marked, named} in ({"c", "cpp"}, {"javascript", "typescript"}):
        return named or marked
    if suite.kind == "appended" and not named:
        return ""  # the rest of a function has few marks
    return marked


def _asked_for(answer: str, blocks: list[tuple[str, str]], suite: TestSuite) -> ForeignProgram:
    wanted = suite.language
    near = {wanted, ""} | ({"c", "cpp"} if wanted in ("c", "cpp") else set())
    own = [(wanted, code) for language, code in blocks if language in near]
    if own:
        if suite.entry_point:
            name = re.compile(rf"\b{re.escape(suite.entry_point)}\b")
            own = [one for one in own if name.search(one[1])] or own
        return ForeignProgram(wanted, _last_whole(own)[1] if suite.kind == "stdio" else own[-1][1])
    if blocks:
        return ForeignProgram(*blocks[-1])
    if suite.kind == "appended":
        return ForeignProgram(wanted, _bare(answer) if _is_prose_first(answer) else answer)
    language = language_of(answer)
    if language and language not in near:
        return ForeignProgram(language, answer)
    return ForeignProgram(wanted, _bare(answer))


def _is_prose_first(answer: str) -> bool:
    """Whether sentences stand before the code: the rest of a function begins with its indentation."""
    return not answer[:1].isspace() and _CODE_LINE.match(answer) is None and _CODE_LINE.search(answer) is not None


def _last_whole(codes: list[tuple[str, str]]) -> tuple[str, str]:
    """The last that looks like a whole program; usage and fragments may follow it."""
    return next((one for one in reversed(codes) if _MAIN.search(one[1])), codes[-1])


def _bare(answer: str) -> str:
    """The code of an answer without fences: from its first line of code to its last."""
    start = _CODE_LINE.search(answer)
    if start is None:
        return answer
    lines = answer[start.start() :].split("\n")
    while len(lines) > 1 and not _LAST_LINE.search(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def _without_end_tokens(text: str) -> str:
    while (stripped := text.rstrip()).endswith(_END_TOKENS):
        text = stripped[: stripped.rfind("<")]
    return text


def judge_foreign(program: ForeignProgram, suite: TestSuite, pool: Pool, limits: Limits | None = None) -> Score:
    """The score of one program that is not Python."""
    if suite.kind not in ("stdio", "appended"):
        return abstain(f"functions in {label_of_language(suite.language)} are not called with arguments from outside")
    if not program.code.strip():
        return ok(0.0, "no program in the completion", passed=0, total=suite.size)
    if suite.language and program.language != suite.language:
        own, wanted = label_of_language(program.language), label_of_language(suite.language)
        return ok(0.0, f"the program is {own}, the row asks for {wanted}", passed=0, total=suite.size)
    if missing := pool.missing_runner(program.language):
        return abstain(missing, language=program.language, missing_runner=True)
    if suite.kind == "appended":
        return _judge_appended(program, suite, pool, limits)
    cases = [(case.input, case.output) for case in suite.stdio]
    results = pool.run_stdio(
        program.code, cases, limits=limits, compare="numbers", stop_after_failure=True, language=program.language
    )
    last = results[-1]
    details = _details(program, last.tier, forgeable=False, unsafe=last.unsafe, total=len(cases))
    details["passed"] = sum(result.passed for result in results)
    if last.status == "refused":
        return failed(f"the program could not be run: {last.explanation}", **details)
    if all(result.passed for result in results):
        return ok(1.0, f"passed {len(cases)} of {len(cases)} tests", **details)
    why = last.explanation if last.status == "failed" else f"{last.status}: {last.explanation}"
    if why.startswith("does not compile"):
        return ok(0.0, why[:300], **details)
    return ok(0.0, f"case {len(results)} of {len(cases)}: {why}"[:300], **details)


def _details(program: ForeignProgram, tier: str, *, forgeable: bool, unsafe: bool, total: int) -> JsonObject:
    return {"total": total, "tier": tier, "forgeable": forgeable, "unsafe": unsafe, "language": program.language}


_OVERLOADS = re.compile(r"\boperator\s{0,3}[=!]=")


def _judge_appended(program: ForeignProgram, suite: TestSuite, pool: Pool, limits: Limits | None) -> Score:
    """Program and tests in one process: forgeable, and marked so."""
    tests, word = suite.tests[0], f"x{secrets.token_hex(16)}"
    if (
        program.language == "cpp"
        and _OVERLOADS.search(blanked(program.code))
        and not _OVERLOADS.search(suite.prompt_code)
    ):
        return abstain("the program defines the comparisons that its tests use", language=program.language)
    whole = joined(program.code, suite.prompt_code, program.language, suite.entry_point or "")
    source = with_tests(whole, program.code, tests, program.language, word)
    results = pool.run_stdio(
        source, [("", "")], limits=limits, compare=lambda printed, _: word in printed, language=program.language
    )
    result = results[-1]
    details = _details(program, result.tier, forgeable=True, unsafe=result.unsafe, total=1)
    if result.status == "refused":
        return failed(f"the tests could not be run: {result.explanation}", **details)
    if result.passed:
        return ok(1.0, "passed its tests", passed=1, **details)
    why = result.explanation
    if result.status == "failed" and why.startswith("printed"):
        why = "ended before its tests did"
    return ok(0.0, (why if result.status == "failed" else f"{result.status}: {why}")[:300], passed=0, **details)
