"""From a completion to the program that it means, as text: code blocks, bare code, or the rest of the prompt's function.

A program is taken as it was written: what would not run for a user is not repaired here. Nothing is executed.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from rlar.kinds.programs.rows import TestSuite
from rlar.text.answers import strip_reasoning
from rlar.text.python import (
    MAX_CODE_CHARACTERS,
    PYTHON_FENCES,
    bound_at_top,
    compiles,
    fenced_blocks,
    free_names,
    is_stub,
    parse_python,
    unparse,
)

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
_CODE_START = re.compile(
    r"^(?:from\s+[\w.]+\s+import\b|import\s+\w|(?:async\s+)?def\s+\w|class\s+\w|@\w)", re.MULTILINE
)
_SCRIPT_START = re.compile(
    r"^(?:from\s+[\w.]+\s+import\b|import\s+\w|(?:async\s+)?def\s+\w|class\s+\w|@\w|[A-Za-z_][\w, ]*\s*=[^=]|print\(|for\s+\w+.*:|while\s+.*:)",
    re.MULTILINE,
)
_PROSE = re.compile(r"(?:[A-Z][\w'’-]*[,:]?|\*\*\S+|#+)\s+(?:[\w'’`*().,:-]+\s+){2,}\S")


class _Code(NamedTuple):
    text: str
    tree: ast.Module
    binds: frozenset[str]


def extract_program(completion: str, suite: TestSuite | None = None) -> str:
    """The program of a completion; "" when it holds none.

    Text that Python accepts as it stands (by itself, or joined to the prompt's header) is taken whole. Otherwise the code
    blocks count: the last that defines what the tests call, with those blocks that define what it reads. Otherwise bare code
    after prose. Where nothing compiles, the best attempt comes back unrepaired.
    """
    if len(completion) > MAX_CODE_CHARACTERS:
        return ""
    suite = suite or TestSuite(kind="stdio")
    text = _without_end_tokens(completion.replace("\r\n", "\n"))
    whole = _whole(text, suite)
    if whole is not None:
        return whole
    answer = strip_reasoning(text)
    if answer is None:
        return ""
    if answer != text:
        answer = answer.strip("\n")
        whole = _whole(answer, suite)
        if whole is not None:
            return whole
    blocks = [block for block in fenced_blocks(answer) if block.language in PYTHON_FENCES]
    if blocks:
        return _from_blocks([block.code for block in blocks], suite)
    return _after_prose(answer, suite) or (suite.prompt_code + answer if _continues(answer, suite) else answer)


def _without_end_tokens(text: str) -> str:
    while (stripped := text.rstrip()).endswith(_END_TOKENS):
        text = stripped[: stripped.rfind("<")]
    return text


def wanted_names(suite: TestSuite) -> set[str]:
    """Top-level names that the program has to define."""
    owner = {suite.entry_point.split(".")[0]} if suite.entry_point else set()
    return owner | {name.split(".")[0] for name in suite.entry_points} | set(suite.needs)


def _whole(text: str, suite: TestSuite) -> str | None:
    """The text as a program by itself or as the rest of the prompt's header, where Python accepts it."""
    wanted = wanted_names(suite)
    tree = parse_python(text)
    if tree is not None and tree.body and compiles(text):
        binds = bound_at_top(tree)
        if wanted & binds if wanted else _is_script(tree):
            return _with_helpers(text, binds, suite)
        if suite.kind == "calls" and suite.entry_point and _defines_method(tree, suite.entry_point):
            return _with_helpers(text, binds, suite)
    if suite.prompt_code and text.strip():
        for joined in _continuations(text, suite.prompt_code):
            if compiles(joined):
                return joined
    return None


def _continuations(text: str, header: str) -> list[str]:
    if header.endswith("\n") or text.startswith("\n"):
        return [header + text]
    return [header + "\n" + text, header + text]


def _continues(text: str, suite: TestSuite) -> bool:
    """Whether the text starts in the middle of a function."""
    return bool(suite.prompt_code) and text[:1] in (" ", "\t")


def _is_script(tree: ast.Module) -> bool:
    """Whether running the module does anything worth judging: more than a word or a definition."""
    return any(
        isinstance(
            node,
            ast.Assign
            | ast.For
            | ast.While
            | ast.If
            | ast.With
            | ast.Import
            | ast.ImportFrom
            | ast.FunctionDef
            | ast.Try,
        )
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        for node in tree.body
    )


def _defines_method(tree: ast.Module, entry: str) -> bool:
    name = entry.split(".")[-1]
    return any(
        isinstance(node, ast.ClassDef | ast.FunctionDef)
        and (
            node.name == name
            or any(isinstance(item, ast.FunctionDef) and item.name == name for item in ast.iter_child_nodes(node))
        )
        for node in tree.body
    )


def _with_helpers(code: str, binds: set[str], suite: TestSuite) -> str:
    """The code after those imports and helpers of the prompt's header that it does not define itself."""
    if not suite.prompt_code:
        return code
    header = parse_python(suite.prompt_code)
    if header is None:
        header = parse_python(suite.prompt_code.rstrip() + "\n    pass\n")
    kept = []
    for node in header.body if header is not None else ():
        names = bound_at_top(ast.Module(body=[node], type_ignores=[]))
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if names and not names & binds and not (function and is_stub(node)):  # type: ignore[arg-type]
            kept.append(node)
    helpers = unparse(kept)
    joined = f"{helpers}\n\n{code}" if helpers else code
    return joined if compiles(joined) else code  # "from __future__" must stay first


def _from_blocks(codes: Sequence[str], suite: TestSuite) -> str:
    wanted = wanted_names(suite)
    read = []
    for code in codes:
        text = textwrap.dedent(code)
        tree = parse_python(text)
        if tree is not None and compiles(text):
            read.append(_Code(text, tree, frozenset(bound_at_top(tree))))
    best = _best_block(read, wanted)
    if best is not None:
        return _with_helpers(_with_what_it_reads(best, read), set().union(*(one.binds for one in read)), suite)
    if suite.kind == "calls" and suite.entry_point:
        for one in reversed(read):
            if _defines_method(one.tree, suite.entry_point):
                return _with_helpers(_with_what_it_reads(read.index(one), read), set(one.binds), suite)
    if suite.prompt_code:
        for code in reversed(codes):
            for body in (code, textwrap.indent(textwrap.dedent(code), "    ")):
                for joined in _continuations(body, suite.prompt_code):
                    if body.strip() and compiles(joined):
                        return joined
    return textwrap.dedent(codes[-1]) if not read else "\n\n".join(one.text for one in read)


def _best_block(read: Sequence[_Code], wanted: set[str]) -> int | None:
    """The last block that defines most of what is wanted; of whole programs the last that does something."""
    if wanted:
        counts = [len(wanted & one.binds) for one in read]
        most = max(counts, default=0)
        return max(index for index, count in enumerate(counts) if count == most) if most else None
    scripts = [index for index, one in enumerate(read) if _is_script(one.tree)]
    reading = [index for index in scripts if re.search(r"\binput\s*\(|\bstdin\b|\bopen\(0\)", read[index].text)]
    found = reading or scripts
    return found[-1] if found else None


def _with_what_it_reads(best: int, read: Sequence[_Code]) -> str:
    """The chosen block after the blocks that bind the names it lacks."""
    chosen = {best}
    while True:
        bound = set().union(*(read[index].binds for index in chosen))
        missing = set().union(*(free_names(read[index].tree) for index in chosen)) - bound
        more = {index for index, one in enumerate(read) if index not in chosen and one.binds & missing}
        if not more:
            break
        chosen.add(max((index for index in more if index < best), default=min(more)))
    helpers = [read[index].text for index in sorted(chosen - {best})]
    return "\n\n".join([*helpers, read[best].text])


def _after_prose(text: str, suite: TestSuite) -> str | None:
    """Bare code that follows (or is followed by) sentences."""
    wanted = wanted_names(suite)
    starts = [match.start() for match in (_CODE_START if wanted else _SCRIPT_START).finditer(text)][:12]
    for start in starts:
        lines = text[start:].split("\n")
        ends = [len(lines)] + [
            index
            for index in range(len(lines) - 1, 0, -1)
            if not lines[index - 1].strip() and _PROSE.match(lines[index].strip())
        ]
        for end in ends[:12]:
            code = "\n".join(lines[:end])
            tree = parse_python(code)
            if tree is None or not compiles(code):
                continue
            binds = bound_at_top(tree)
            if wanted & binds if wanted else _is_script(tree):
                return _with_helpers(code, binds, suite)
    return None
