"""The kinds of answer, one row each in KINDS, a folder or a file each; the vetted verifiers by name in LIBRARY.

In: rows of one kind, and completions. Out: bindings, material for probes, scores.
Leaves out: choosing a row's kind (rlar.discover) and trusting a verifier (rlar.gate).

A new kind of answer is a folder here, a row in KINDS and a value of `AnswerKind`: who discovers, probes, certifies, binds
or explains asks the row. What a row names by "module:name" is imported when it is needed.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from rlar.tool import LibraryTool
from rlar.types import AnswerFormat, AnswerKind, Contract, ToolSpec


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What everybody but its own folder has to know of a kind of answer."""

    label: str
    """Name of a task for people."""
    label_with: Mapping[str, str] = field(default_factory=dict)
    """Another name where rows carry this (`Contract.carries`)."""
    evidence: str
    """From what a task of this kind was read: the end of its description."""
    library: Mapping[str, str] = field(default_factory=dict)
    """Verifiers that claim to judge it: name -> class."""
    probes: str = ""
    """Row, Notes -> Material: who makes what a tool is tried with; "": only labelled pairs can prove one."""
    guess: str = ""
    """Facts, guesses so far -> guesses of this kind for a row; "": no row alone suggests it."""
    bind: str = ""
    """Parsed, Contract -> what a row asks for, as JSON."""
    may_lack_reference: str = ""
    """Contract, Facts -> whether a row without its reference could belong to a task that judges by one; "": never."""
    reference: Literal["needed", "helps", "none"] = "needed"
    """Whether rows are judged by one. helps: they can be judged without; none: there is nothing in it for the verdict."""
    reference_proves: bool = True
    """A reference column would give something to prove a tool with, where there is none."""
    ends_solution: bool = False
    """References may be whole solutions with the answer at their end."""
    is_graded: bool = False
    """Answers are better or worse, not right or wrong: reward models and judges are tried sooner than programs."""
    code_decides: bool = False
    """Code decides about its answers better than any reader."""
    is_witnessed: bool = False
    """A task of one wording, told to this kind by a reader; its right answers are proposed (`TaskSpec.witnesses`)."""
    carries_separate: bool = False
    """Tasks that differ in what rows carry are different tasks, however few rows one has."""
    near: str = ""
    """Kinds with the same word here are read differently from row to row of one task."""
    corrections: tuple[str, ...] = ()
    """Contracts to which a reader may correct a task with references that it says is of this kind; the last is the plain one."""
    answer_format: AnswerFormat | None = None
    """The format that a policy should be asked to end in (`--answer-format`); None: the whole completion is the answer."""
    web_query: str = ""
    """Words by which the web is asked for models that grade it."""

    def format_for(self, contract: Contract) -> AnswerFormat | None:
        """The format to ask for in a task of this kind: of a closed set of labels, the bare label."""
        return "bare" if contract.labels and self.answer_format is not None else self.answer_format

    @property
    def is_open(self) -> bool:
        """Whether neither a reference nor the prompt gives anything to judge by."""
        return not self.probes


_GUARDS = {"guards": "rlar.kinds.guards:Guards"}
_MATH = {"math": "rlar.kinds.math.verify:MathMatch"}

KINDS: dict[AnswerKind, Kind] = {
    AnswerKind.CODE_TESTS: Kind(
        label="code with tests",
        evidence="the rows carry asserts or a check function",
        library={"code_tests": "rlar.kinds.programs.tests:CodeTests"},
        probes="rlar.kinds.programs.probes:code",
        guess="rlar.kinds.guesses:code_tests",
        near="programs",
        bind="rlar.kinds.bind:suite",
        reference="none",
        code_decides=True,
        answer_format="fenced",
    ),
    AnswerKind.CODE_STDIO: Kind(
        label="program with input/output pairs",
        evidence="the rows carry pairs of standard input and expected output",
        library={"code_stdio": "rlar.kinds.programs.tests:CodeStdio"},
        probes="rlar.kinds.programs.probes:code",
        guess="rlar.kinds.guesses:code_stdio",
        bind="rlar.kinds.bind:suite",
        reference="none",
        code_decides=True,
        answer_format="fenced",
    ),
    AnswerKind.TRANSLATION: Kind(
        label="translation",
        evidence="the references say in another language what the prompt gives",
        library={"translation": "rlar.kinds.translation.verify:TranslationQuality"},
        probes="rlar.kinds.prose.probes:translation",
        guess="rlar.kinds.guesses:translation",
        bind="rlar.kinds.bind:translation",
        reference="helps",
        is_graded=True,
        web_query="machine translation quality",
        answer_format="answer_tags",
    ),
    AnswerKind.SQL: Kind(
        label="SQL query without a schema",
        label_with={"schema": "SQL query"},
        evidence="the references parse as SQL queries",
        library={"sql": "rlar.kinds.sql.verify:SqlExecution"},
        probes="rlar.kinds.programs.probes:sql",
        guess="rlar.kinds.guesses:sql",
        bind="rlar.kinds.bind:sql",
        may_lack_reference="rlar.kinds.guesses:describes_tables",
        code_decides=True,
        answer_format="fenced",
    ),
    AnswerKind.CODE_REFERENCE: Kind(
        label="code with a reference program",
        evidence="the references are programs and the rows carry no tests",
        library={"code_reference": "rlar.kinds.programs.reference:CodeReference"},
        probes="rlar.kinds.programs.probes:code",
        guess="rlar.kinds.guesses:code_reference",
        near="programs",
        may_lack_reference="rlar.kinds.guesses:any_prompt",
        code_decides=True,
        answer_format="fenced",
    ),
    AnswerKind.CONSTRAINTS: Kind(
        label="instructions that code can check",
        evidence="no reference; the prompts state constraints that code can check",
        library={"constraints": "rlar.kinds.constraints.verify:Constraints", **_GUARDS},
        probes="rlar.kinds.constraints.probes:constraints",
        guess="rlar.kinds.guesses:constraints",
        bind="rlar.kinds.bind:constraints",
        reference="none",
        reference_proves=False,
        code_decides=True,
        web_query="instruction following",
    ),
    AnswerKind.JSON: Kind(
        label="JSON answer",
        label_with={"schema": "JSON answer with a schema"},
        evidence="the references are JSON documents",
        library={"json_output": "rlar.kinds.json.verify:JsonMatch"},
        probes="rlar.kinds.json.probes:json_output",
        guess="rlar.kinds.guesses:json_answer",
        bind="rlar.kinds.bind:schema",
        may_lack_reference="rlar.kinds.guesses:asks_for_document",
        answer_format="fenced",
    ),
    AnswerKind.SHORT_TEXT: Kind(
        label="short answer",
        label_with={"passage": "short answer about a passage"},
        evidence="the references are a few words and no closed set of labels",
        library={
            "short_text": "rlar.kinds.short_text:ShortTextMatch",
            "short_text_f1": "rlar.kinds.short_text:ShortTextF1",
        },
        probes="rlar.kinds.exact_probes:short_text",
        guess="rlar.kinds.guesses:short_text",
        bind="rlar.kinds.bind:passage",
        may_lack_reference="rlar.kinds.guesses:has_passage_if_asked",
        corrections=("rlar.kinds.contracts:SHORT_FROM_PASSAGE", "rlar.kinds.contracts:SHORT"),
        answer_format="answer_line",
    ),
    AnswerKind.LONG_TEXT: Kind(
        label="long text",
        label_with={"source": "rewriting of a given text"},
        evidence="the references are running text in the prompt's language",
        library={"long_text": "rlar.kinds.prose.long_text:LongTextQuality", **_GUARDS},
        probes="rlar.kinds.prose.probes:long_text",
        guess="rlar.kinds.guesses:long_text",
        bind="rlar.kinds.bind:passage",
        may_lack_reference="rlar.kinds.guesses:any_prompt",
        is_graded=True,
        corrections=("rlar.kinds.contracts:LONG",),
        web_query="helpfulness",
    ),
    AnswerKind.MATH: Kind(
        label="math answer",
        evidence="the references are mathematical expressions, or numbers asked for in LaTeX",
        library=_MATH,
        probes="rlar.kinds.exact_probes:math",
        guess="rlar.kinds.guesses:mathematics",
        may_lack_reference="rlar.kinds.guesses:says_formula_or_number",
        ends_solution=True,
        near="mathematics",
        corrections=("rlar.kinds.contracts:MATH",),
        answer_format="boxed",
    ),
    AnswerKind.NUMBER: Kind(
        label="number answer",
        evidence="the references are numbers",
        library={"number": "rlar.kinds.number:NumberMatch", **_MATH},
        probes="rlar.kinds.exact_probes:number",
        guess="rlar.kinds.guesses:number",
        may_lack_reference="rlar.kinds.guesses:says_number",
        ends_solution=True,
        near="mathematics",
        corrections=("rlar.kinds.contracts:NUMBER",),
        answer_format="boxed",
    ),
    AnswerKind.CHOICE: Kind(
        label="multiple choice",
        evidence="the references name one of the listed options",
        library={"choice": "rlar.kinds.choice:ChoiceMatch"},
        probes="rlar.kinds.exact_probes:choice",
        guess="rlar.kinds.guesses:choice",
        bind="rlar.kinds.bind:choice",
        may_lack_reference="rlar.kinds.guesses:has_labels_or_options",
        ends_solution=True,
        carries_separate=True,
        answer_format="answer_line",
    ),
    AnswerKind.SUMMARY: Kind(
        label="summary",
        evidence="the references shorten a text that the prompt gives",
        library={"summary": "rlar.kinds.prose.summary:SummaryQuality", **_GUARDS},
        probes="rlar.kinds.prose.probes:summary",
        guess="rlar.kinds.guesses:summary",
        bind="rlar.kinds.bind:passage",
        may_lack_reference="rlar.kinds.guesses:has_passage",
        is_graded=True,
        corrections=("rlar.kinds.contracts:SUMMARY",),
        web_query="summarization quality",
        answer_format="answer_tags",
    ),
    AnswerKind.RULE: Kind(
        label="answers under a stated rule",
        evidence="no reference; all prompts share one wording, which states a rule that a program can check",
        probes="rlar.kinds.rule.probes:rule",
        bind="rlar.kinds.bind:gaps",
        reference="none",
        is_witnessed=True,
    ),
    AnswerKind.OPEN_ENDED: Kind(
        label="open-ended",
        evidence="no reference and nothing in the prompts that code could check",
        library=_GUARDS,
        guess="rlar.kinds.guesses:open_ended",
        reference="none",
        is_graded=True,
        web_query="chat preference",
    ),
}
"""In the order in which kinds are asked what a row suggests: a guess that settles it ends the round."""

LIBRARY: dict[str, str] = dict(
    sorted({name: path for kind in KINDS.values() for name, path in kind.library.items()}.items())
)
"""Library tool -> its class."""


def library_class(name: str) -> type[LibraryTool]:
    """The class behind a library name."""
    module_name, class_name = LIBRARY[name].split(":")
    tool_class: type[LibraryTool] = getattr(importlib.import_module(module_name), class_name)
    return tool_class


_EARLIER_SOURCE = re.compile(r"rlar\.tools\.library\.\w+:\w+")
"""How registries named the code of a library tool before its place in the package stopped to matter."""


def is_shipped(spec: ToolSpec) -> bool:
    """Whether a library tool is one that this version has, in this or in other code: see `code_hash`."""
    if spec.name not in LIBRARY:
        return False
    return spec.source == f"library:{spec.name}" or _EARLIER_SOURCE.fullmatch(spec.source) is not None


@cache
def candidates(answer_kind: AnswerKind) -> tuple[str, ...]:
    """Names of the library tools that claim to judge this answer kind, by name."""
    return tuple(sorted(KINDS[answer_kind].library))
