"""Reading Python that nobody trusts: parse, names, code blocks. Nothing here executes a line of it.

Leaves out every decision about what a text is for; see rlar.kinds.programs.rows and rlar.kinds.programs.completion.
"""

from __future__ import annotations

import ast
import builtins
import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_CODE_CHARACTERS = 200_000
"""Longer texts are not parsed: a parser's time and memory grow with them."""

FILENAME = "<rlar program>"
# Foreign code is full of invalid escapes; the compiler's warnings about it are nobody's business.
warnings.filterwarnings("ignore", module=re.escape(FILENAME))

BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}

_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
_FENCE = re.compile(
    r"^[ \t]{0,8}(?P<fence>`{3,}(?!`)|~{3,}(?!~))[ \t]*+(?P<language>[\w+#.-]*+)[^\n]*+\n(?P<body>.*?)(?:^[ \t]{0,8}(?P=fence)[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
PYTHON_FENCES = frozenset({"", "python", "py", "python3", "python2", "py3", "pycon", "ipython", "sage", "code"})
"""Languages of a code block that may hold Python."""


class Block(NamedTuple):
    """One fenced code block."""

    language: str
    """Lower case; "" when the fence names none."""
    code: str
    closed: bool


_PARSING = threading.RLock()


def syntax_tree(source: str | bytes) -> ast.Module:
    """The syntax tree of Python source; raises what `compile` raises. Every parse of this process goes through here.

    CPython counts the depth of a tree under construction once for all threads: a garbage collection in the middle that
    lets another thread parse ends in SystemError "AST constructor recursion depth mismatch" (github.com/python/cpython
    issue 106905), so only one thread parses at a time.
    """
    with _PARSING:
        tree = compile(source, FILENAME, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


def parse_python(text: str) -> ast.Module | None:
    """The syntax tree, or None for what is not Python (or too long, or nested too deep)."""
    if len(text) > MAX_CODE_CHARACTERS:
        return None
    try:
        return syntax_tree(text)
    except _UNREADABLE:
        return None


def compiles(text: str) -> bool:
    """Whether Python would accept the text; stricter than parsing ("return" outside a function fails)."""
    if len(text) > MAX_CODE_CHARACTERS:
        return False
    try:
        compile(text, FILENAME, "exec", dont_inherit=True)
    except _UNREADABLE:
        return False
    return True


def literal(text: str) -> tuple[bool, object]:
    """(True, value) when the text is one Python literal, else (False, None)."""
    if len(text) > MAX_CODE_CHARACTERS:
        return False, None
    try:
        with _PARSING:
            return True, ast.literal_eval(text.strip())
    except (*_UNREADABLE, TypeError):
        return False, None


def unparse(nodes: Iterable[ast.AST]) -> str:
    """Source of the nodes, a line each; "" where they are nested too deep to be written."""
    try:
        return "\n".join(ast.unparse(node) for node in nodes)
    except RecursionError:
        return ""


def fenced_blocks(text: str) -> list[Block]:
    """The code blocks of a Markdown text, in order; an unclosed last one runs to the end."""
    if "```" not in text and "~~~" not in text:
        return []
    blocks = []
    for match in _FENCE.finditer(text):
        closed = text[match.end("body") : match.end()].strip() != ""
        blocks.append(Block(match["language"].lower(), match["body"], closed))
    return blocks


def python_blocks(text: str) -> list[Block]:
    """The code blocks that may hold Python."""
    return [block for block in fenced_blocks(text) if block.language in PYTHON_FENCES]


def all_nodes(tree: ast.AST) -> list[ast.AST]:
    """Every node, the outer ones first, without contexts and operators; five times as fast as ast.walk."""
    queue = [tree]
    for node in queue:
        for name in _INNER_FIELDS.get(type(node), ()):
            value = getattr(node, name, None)
            if type(value) is list:
                queue.extend([item for item in value if isinstance(item, ast.AST)])
            elif isinstance(value, ast.AST):
                queue.append(value)
    return queue


_WITHOUT_NODES = frozenset({"id", "ctx", "op", "ops", "attr", "kind", "module", "level", "type_comment", "conversion"})
_INNER_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _WITHOUT_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and kind is not ast.Constant
}
"""Fields of each kind of node that may hold nodes worth a look."""


def bound_at_top(tree: ast.Module) -> set[str]:
    """Names that the module's own statements bind: functions, classes, imports, assignments (also under if/try/for)."""
    return set(_bindings(tree.body))


def _bindings(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name).split(".")[0]
        else:
            for inner in _own_nodes(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    yield inner.id
                elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield inner.name
                elif isinstance(inner, ast.Import | ast.ImportFrom):
                    yield from _bindings([inner])
                elif isinstance(inner, ast.ExceptHandler) and inner.name:
                    yield inner.name


def _own_nodes(root: ast.AST) -> Iterator[ast.AST]:
    """Every node below, without going into functions, classes, lambdas and comprehensions."""
    stack = list(ast.iter_child_nodes(root))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.comprehension):
            stack.extend(ast.iter_child_nodes(node))


def free_names(tree: ast.AST) -> set[str]:
    """Names that are read and bound nowhere in the tree; builtins left out.

    An approximation by design: a name bound in any scope counts as bound.
    """
    return names_read(all_nodes(tree))


def names_read(nodes: Iterable[ast.AST]) -> set[str]:
    """`free_names` of a tree whose nodes are at hand."""
    read: set[str] = set()
    bound: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return read - bound - BUILTINS


def called_names(tree: ast.AST) -> list[str]:
    """Plain names that are called, outermost first, repeated as often as they are called."""
    return names_called(all_nodes(tree))


def names_called(nodes: Iterable[ast.AST]) -> list[str]:
    """`called_names` of a tree whose nodes are at hand."""
    return [node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]


def definition(tree: ast.Module, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None:
    """The last top-level function or class of that name."""
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return node
    return None


def is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function has no body yet: only a docstring, `pass` or `...`."""
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in node.body
    )
