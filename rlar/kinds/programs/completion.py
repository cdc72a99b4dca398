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
from rlar.text.python import (
    MAX_CODE_CHARACTERS,
    PYTHON_FENCES,
    bound_at_top,
    compiles,
    fenced_blocks,
    free_names,
    is_stub,
    parse_python,
    syntax_tree,
    unparse,
)

_START = re.compile(
    r"([ \t]*+)(?:from\s++[\w.]++\s++import\b|import\s++\w|(?:async\s++)?+def\s++\w|class\s++\w|@\w|if\s.*:|(?:for|while|with)\s.*:|try:"
    r"|[A-Za-z_][\w, .]*+(?:\[[^\]\n]*+\])?+[ \t]*+[-+*/%|&^]{0,2}+=(?!=)|[A-Za-z_][\w.]*+\()"
)
"""A line with which code may begin; its indentation is the code's."""
_PROSE_MARK = re.compile(r"[ \t]*+(?:[-*•>#|$]|`|~~~|\d++[.)]|</?[A-Za-z]|\[/?[A-Za-z]+\]|<\|)")
_BROKEN_CODE = re.compile(
    r"\s|(?:assert|return|raise|del|global|nonlocal|yield|from|import|@)\b|(?:if|elif|for|while|with|try|except|else|finally|def|class|async)\b.*"
    r"(?:[:({\[,\\]|\)\s*+)$|[A-Za-z_][\w.]*+(?:\[[^\]\n]*+\])?+[ \t]*+[-+*/%|&^]{0,2}+=(?!=)|[a-z_][\w.]*+\("
)
"""A line of code rather than of prose: code that ends in one of these was not ended by its author, and is not mended."""
_MARKUP = re.compile(r"</?[A-Za-z][\w-]*+>|<\|[^|>\n]{1,40}\|>|(?<=[^\s`])```[ \t]*+$|```\w*+$", re.MULTILINE)
_QUOTE_MARK = re.compile(r"^[ \t]*+(?:>>>|\.\.\.|>)[ ]?", re.MULTILINE)
_MAX_STARTS = 60
_MAX_PARSED = 2_000_000
"""Characters that are parsed in search of one completion's code."""


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS = (ast.Import, ast.ImportFrom)


class _Code(NamedTuple):
    text: str
    tree: ast.Module
    binds: frozenset[str]
    imported: frozenset[str]
    """Of these, the names that imports bind: tests import what they test."""
    is_closed: bool
    """Whether its end is the author's: a closing fence, or prose that goes on."""


def extract_program(completion: str, suite: TestSuite | None = None) -> str:
    """The program of a completion; "" when it holds none.

    Text that Python accepts as it stands (by itself, or joined to the prompt's header) is taken whole. Otherwise the code
    blocks count: the last complete one that defines what the tests call, with those blocks that define what it reads. Otherwise
    the code between sentences. Where nothing compiles, the best attempt comes back unrepaired.
    """
    if len(completion) > MAX_CODE_CHARACTERS:
        return ""
    suite = suite or TestSuite(kind="stdio")
    text = completion.replace("\r\n", "\n")
    whole = _whole(text, suite)
    if whole is not None:
        return whole
    fences = [block for block in fenced_blocks(text) if block.language in PYTHON_FENCES]
    blocks = [code for block in fences if (code := _read(block.code, block.closed)) is not None]
    return (
        _chosen(blocks, suite)
        or _continued([block.code for block in fences], suite)
        or _chosen(_runs(text), suite)
        or _chosen(_runs(_QUOTE_MARK.sub("", text)), suite)
        or _unread(text, [block.code for block in fences], blocks, suite)
    )


def wanted_names(suite: TestSuite) -> set[str]:
    """Top-level names that the program has to define."""
    owner = {suite.entry_point.split(".")[0]} if suite.entry_point else set()
    return owner | {name.split(".")[0] for name in suite.entry_points} | set(suite.needs)


def _whole(text: str, suite: TestSuite) -> str | None:
    """The text as a program by itself or as the rest of the prompt's header, where Python accepts it."""
    wanted = wanted_names(suite)
    tree = parse_python(text)
    if tree is None and text[:1] in " \t":
        text = textwrap.dedent(text)
        tree = parse_python(text)
    if tree is not None and any(map(_is_remark, tree.body)):
        return None
    if tree is not None and tree.body and compiles(text):
        binds = bound_at_top(tree)
        if wanted & binds if wanted else _is_script(tree):
            return _with_helpers(text, binds, suite)
        if suite.kind == "calls" and suite.entry_point and _defines_method(tree, suite.entry_point):
            return _with_helpers(text, binds, suite)
    if suite.prompt_code and text.strip():
        for joined in _continuations(text, suite.prompt_code):
            if _has_body(joined, suite):
                return joined
    return None


def _continuations(text: str, header: str) -> list[str]:
    if header.endswith("\n") or text.startswith("\n"):
        return [header + text]
    return [header + "\n" + text, header + text]


def _has_body(joined: str, suite: TestSuite) -> bool:
    """Whether Python accepts the header with what follows it, and the function that it begins does something now."""
    name = (suite.entry_point or "").split(".")[-1]
    tree = parse_python(joined) if compiles(joined) else None
    if tree is None or not name:
        return tree is not None
    begun = [node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS) and node.name == name]
    if not begun:
        return True
    begun[-1].body = [node for node in begun[-1].body if not _is_remark(node)]
    return not is_stub(begun[-1])


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


def _read(code: str, is_closed: bool = True) -> _Code | None:
    """A piece of code with its syntax tree; None for what Python refuses."""
    text = textwrap.dedent(code)
    tree = parse_python(text)
    if tree is None or not tree.body or not compiles(text):
        return None
    imported = bound_at_top(ast.Module([node for node in tree.body if isinstance(node, _IMPORTS)], []))
    return _Code(text, tree, frozenset(bound_at_top(tree)), frozenset(imported), is_closed)


def _chosen(pieces: Sequence[_Code], suite: TestSuite) -> str | None:
    """The program among pieces of code; None where no piece is one."""
    best = _best_piece(pieces, suite)
    if best is None:
        return None
    binds = set().union(*(piece.binds for piece in pieces))
    return _with_helpers(_with_what_it_reads(best, pieces), binds, suite)


def _best_piece(pieces: Sequence[_Code], suite: TestSuite) -> int | None:
    """The last piece that defines most of what is wanted; of whole programs the last that does something.

    What is complete goes before a last piece that the completion's end cut off.
    """
    wanted = wanted_names(suite)
    if wanted:
        ranks = [(len(wanted & (piece.binds - piece.imported)), piece.is_closed) for piece in pieces]
        if suite.kind == "calls" and suite.entry_point and not any(count for count, _ in ranks):
            ranks = [(int(_defines_method(piece.tree, suite.entry_point)), piece.is_closed) for piece in pieces]
        most = max(ranks, default=(0, False))
        return max(index for index, rank in enumerate(ranks) if rank == most) if most[0] else None
    scripts = [index for index, piece in enumerate(pieces) if _is_script(piece.tree)]
    reading = [index for index in scripts if re.search(r"\binput\s*\(|\bstdin\b|\bopen\(0\)", pieces[index].text)]
    readers = reading or scripts
    complete = [index for index in readers if pieces[index].is_closed]
    return (complete or readers)[-1] if readers else None


def _continued(codes: Sequence[str], suite: TestSuite) -> str | None:
    """The prompt's header with the last code that continues it."""
    for code in reversed(codes) if suite.prompt_code else ():
        for body in (code, textwrap.indent(textwrap.dedent(code), "    ")):
            for joined in _continuations(body, suite.prompt_code):
                if body.strip() and _has_body(joined, suite):
                    return joined
    return None


def _unread(answer: str, codes: Sequence[str], pieces: Sequence[_Code], suite: TestSuite) -> str:
    """The best attempt of a completion without a program, as it stands."""
    if codes:
        return "\n\n".join(piece.text for piece in pieces) or textwrap.dedent(codes[-1])
    return suite.prompt_code + answer if _continues(answer, suite) else answer


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


# ------------------------------------------------------------------------------------------ code between sentences


def _runs(text: str) -> list[_Code]:
    """The pieces of code between the sentences of a text, in order.

    A run begins with a line that may be code and ends before the line at which Python stumbles. Where that line is code, too,
    the run is broken and left out.
    """
    lines = _MARKUP.sub(_as_line, text).split("\n")
    runs: list[_Code] = []
    position = parsed = tried = 0
    while position < len(lines) and tried < _MAX_STARTS and parsed < _MAX_PARSED:
        start = _START.match(lines[position])
        if start is None:
            position += 1
            continue
        tried += 1
        own = _own_lines(lines[position:], start[1])
        while own:
            code = "\n".join(own)
            parsed += len(code)
            stumble = _stumbles_at(code)
            if stumble is None:
                break
            if not 0 < stumble <= len(own) or not _is_prose(own[stumble - 1]):
                own = []
            own = own[: stumble - 1]
        piece = _without_remarks(own)
        if piece is not None:
            runs.append(piece)
        position += max(1, len(own))
    return runs


def _as_line(match: re.Match[str]) -> str:
    """Markup in a line of its own, so that it is part of no statement."""
    return "\n```\n" if match[0].startswith("`") else "\n"


def _own_lines(lines: Sequence[str], indent: str) -> list[str]:
    """The lines up to the first that is indented less, without that indentation."""
    own = []
    for line in lines:
        if line.strip() and not line.startswith(indent):
            break
        own.append(line[len(indent) :])
    return own


def _stumbles_at(code: str) -> int | None:
    """The number of the line at which Python refuses the code; None where it accepts it."""
    try:
        syntax_tree(code)
    except SyntaxError as error:
        return error.lineno or 1
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return 1
    return None


def _is_prose(line: str) -> bool:
    return _PROSE_MARK.match(line) is not None or _BROKEN_CODE.match(line) is None


def _is_remark(node: ast.stmt) -> bool:
    """Whether a statement does nothing: words that Python happens to accept, such as "Output: 6" and "[DONE]"."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Call | ast.Constant | ast.Await)
    return isinstance(node, ast.AnnAssign) and node.value is None


def _without_remarks(lines: Sequence[str]) -> _Code | None:
    """The lines as code, without what is none."""
    tree = parse_python("\n".join(lines))
    kept = list(lines)
    for node in tree.body if tree is not None else ():
        if _is_remark(node):
            kept[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return _read("\n".join(kept))
