"""The vetted verifiers, one a file. LIBRARY maps a tool's name to its class; nothing is imported until it is used."""

from __future__ import annotations

import importlib
import re
from functools import cache

from rlar.tool import LibraryTool
from rlar.types import AnswerKind, ToolSpec

LIBRARY: dict[str, str] = {
    "choice": "rlar.kinds.choice:ChoiceMatch",
    "code_reference": "rlar.kinds.programs.reference:CodeReference",
    "code_stdio": "rlar.kinds.programs.tests:CodeStdio",
    "code_tests": "rlar.kinds.programs.tests:CodeTests",
    "constraints": "rlar.kinds.constraints.verify:Constraints",
    "guards": "rlar.kinds.guards:Guards",
    "json_output": "rlar.kinds.json.verify:JsonMatch",
    "long_text": "rlar.kinds.prose.long_text:LongTextQuality",
    "math": "rlar.kinds.math.verify:MathMatch",
    "number": "rlar.kinds.number:NumberMatch",
    "short_text": "rlar.kinds.short_text:ShortTextMatch",
    "short_text_f1": "rlar.kinds.short_text:ShortTextF1",
    "sql": "rlar.kinds.sql.verify:SqlExecution",
    "summary": "rlar.kinds.prose.summary:SummaryQuality",
    "translation": "rlar.kinds.translation.verify:TranslationQuality",
}


def library_class(name: str) -> type[LibraryTool]:
    """The class behind a library name."""
    module_name, class_name = LIBRARY[name].split(":")
    found: type[LibraryTool] = getattr(importlib.import_module(module_name), class_name)
    return found


_EARLIER_SOURCE = re.compile(r"rlar\.tools\.library\.\w+:\w+")
"""How registries named the code of a library tool before its place in the package stopped to matter."""


def is_shipped(spec: ToolSpec) -> bool:
    """Whether a library tool is one that this version has, in this or in other code: see `code_hash`."""
    if spec.name not in LIBRARY:
        return False
    return spec.source == f"library:{spec.name}" or _EARLIER_SOURCE.fullmatch(spec.source) is not None


@cache
def candidates(answer_kind: AnswerKind) -> tuple[str, ...]:
    """Names of the library tools that claim to judge this answer kind, in the order of LIBRARY."""
    return tuple(name for name in LIBRARY if answer_kind in library_class(name).answer_kinds)
