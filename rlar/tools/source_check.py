"""Reads a verifier that an LLM wrote before anything runs it, and says in plain words what its writer has to change.

A first filter, NOT the security boundary: whoever wants to get around a list of names will. What holds a hostile
verifier is the sandbox, and what keeps a wrong one from scoring is the gate. This check saves both the work with
code that breaks a rule openly, and turns the breach into a sentence that a writer can act on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from rlar.text.answers import clean
from rlar.text.python import all_nodes, python_blocks, syntax_tree

FUNCTION = "compute"
PARAMETERS = ("prompt", "response", "reference", "binding")
MAX_CHARACTERS = 20_000
MAX_NODES = 6_000
SHORTEST_SECRET = 4
"""Characters from which on a literal that equals an answer counts as an answer learned by heart."""
COPIED_CHARACTERS = 60
"""A literal that shares a run this long with a prompt was copied from it."""

LIGHT = frozenset(
    """
    json re math cmath decimal fractions collections itertools functools heapq bisect statistics string datetime typing
    copy operator dataclasses enum abc numbers array textwrap difflib calendar base64 binascii csv html urllib
    unicodedata keyword ast graphlib shlex fnmatch zlib hashlib colorsys ipaddress __future__
    """.split()  # noqa: SIM905
)
"""Modules of the sandbox's light image that compute from their arguments alone."""
HEAVY = frozenset({"numpy", "sympy", "sacrebleu", "math_verify"})
"""What the heavy image has besides."""
_ONLY_PARTS = {"urllib": frozenset({"urllib.parse"}), "collections": frozenset({"collections", "collections.abc"})}

_WHY_NOT = {
    "rlar": "a verifier has no business with the program that judges it",
    **dict.fromkeys(("random", "secrets", "uuid"), "the same answer must always get the same score"),
    **dict.fromkeys(
        ("time", "timeit", "zoneinfo", "locale"), "a score must not depend on when or where it is computed"
    ),
    **dict.fromkeys(
        ("os", "sys", "io", "pathlib", "shutil", "tempfile", "glob", "resource", "platform"),
        "a verifier sees its four arguments and nothing of the machine",
    ),
    **dict.fromkeys(("socket", "ssl", "http", "requests", "httpx", "asyncio", "smtplib"), "there is no network"),
    **dict.fromkeys(("subprocess", "multiprocessing", "threading", "signal", "pty"), "it may not start anything"),
    **dict.fromkeys(
        ("ctypes", "importlib", "builtins", "inspect", "gc", "types", "pickle", "marshal", "code", "runpy", "weakref"),
        "it must not reach into the interpreter",
    ),
}

_CALLS_FORBIDDEN = {
    **dict.fromkeys(
        ("eval", "exec", "compile", "__import__"),
        "it hands the verdict to the text that it judges; parse the text yourself (ast.parse and a walk over allowed nodes)",
    ),
    **dict.fromkeys(("open", "input", "print", "breakpoint", "help"), "a verifier only computes"),
    **dict.fromkeys(("exit", "quit"), "a verifier returns a score and never ends its process"),
    **dict.fromkeys(
        ("globals", "locals", "vars", "dir", "getattr", "setattr", "delattr", "id", "memoryview"),
        "it must not reach into the interpreter",
    ),
    "hash": "it may differ between processes",
}
_ATTRIBUTES_FORBIDDEN = {
    **dict.fromkeys(("now", "today", "utcnow", "localtime"), "a score must not depend on when it is computed"),
    **dict.fromkeys(("random", "shuffle"), "the same answer must always get the same score"),
    **dict.fromkeys(
        ("sympify", "parse_expr", "parse_latex", "lambdify", "_sympify", "S"),
        "it evaluates text as a program; parse the text yourself and build numbers from it",
    ),
    **dict.fromkeys(
        ("f_globals", "f_locals", "f_back", "gi_frame", "cr_frame", "tb_frame", "gi_code", "ag_frame"),
        "it must not reach into the interpreter",
    ),
    **dict.fromkeys(
        ("fromfile", "tofile", "loadtxt", "savetxt", "genfromtxt", "memmap", "ctypeslib", "f2py", "system", "popen"),
        "a verifier only computes",
    ),
    **dict.fromkeys(("attrgetter", "methodcaller"), "it must not reach into the interpreter"),
}
_METHODS_ALLOWED = frozenset(
    f"__{name}__"
    for name in """
    init post_init repr str eq ne lt le gt ge hash len iter next contains getitem bool add sub mul neg
    """.split()  # noqa: SIM905
)
_DUNDER = re.compile(r"__\w+__")
_MUTATES = frozenset(
    """
    append extend insert remove pop clear sort reverse add discard update setdefault popitem appendleft extendleft
    popleft rotate subtract intersection_update difference_update symmetric_difference_update
    """.split()  # noqa: SIM905
)


class SourceReport(NamedTuple):
    """What reading the source found."""

    problems: tuple[str, ...]
    """What the writer has to change, with line numbers; empty where the code may be tried."""
    image: Literal["light", "heavy"]
    """The sandbox image that its imports need."""


def code_of(text: str) -> str:
    """The Python in a writer's answer: the one code block, where it put the code into one; else the text itself."""
    blocks = [block for block in python_blocks(text) if FUNCTION in block.code]
    code = blocks[0].code if len(blocks) == 1 else text
    return code.strip("\n") + "\n"


def check_source(source: str, *, answers: Collection[str] = (), prompts: Collection[str] = ()) -> SourceReport:
    """What speaks against trying this source; nothing of it is executed.

    Args:
        answers: right and wrong answers that the writer may know; none of them may stand in the code.
        prompts: prompts that the writer may know; no long piece that is not in all of them may stand in the code.
    """
    if len(source) > MAX_CHARACTERS:
        return SourceReport((f"{len(source)} characters, at most {MAX_CHARACTERS} are allowed",), "light")
    if clean(source) != source:
        return SourceReport(("invisible or control characters: write them as escapes",), "light")
    try:
        tree = syntax_tree(source)
    except SyntaxError as error:
        where = f" (line {error.lineno})" if error.lineno else ""
        return SourceReport((f"this is not Python: {error.msg}{where}; answer with code only",), "light")
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return SourceReport((f"this is not readable Python: {type(error).__name__}",), "light")
    nodes = all_nodes(tree)
    if len(nodes) > MAX_NODES:
        return SourceReport((f"{len(nodes)} syntax nodes, at most {MAX_NODES} are allowed",), "light")
    modules = set(_modules(nodes))
    problems = [
        *_entry(tree),
        *_top_level(tree),
        *_imports(nodes),
        *_names(nodes),
        *_state(tree, nodes),
        *_by_heart(nodes, answers, prompts),
    ]
    image: Literal["light", "heavy"] = "heavy" if modules & HEAVY else "light"
    return SourceReport(tuple(dict.fromkeys(problems)), image)


def _entry(tree: ast.Module) -> Iterator[str]:
    """Exactly one `compute(prompt, response, reference, binding)`."""
    wanted = f"def {FUNCTION}({', '.join(PARAMETERS)})"
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == FUNCTION]
    if len(functions) != 1:
        yield f"{len(functions)} top-level functions {FUNCTION!r}; exactly one is needed: {wanted}"
    for node in functions:
        arguments = node.args
        names = tuple(each.arg for each in (*arguments.posonlyargs, *arguments.args))
        if names != PARAMETERS or arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
            yield f"line {node.lineno}: the signature must be exactly {wanted}"
        if node.decorator_list:
            yield f"line {node.lineno}: {FUNCTION} must not be decorated"
        if any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in _own(node)):
            yield f"line {node.lineno}: {FUNCTION} must return a number, not be a generator"
        if not any(isinstance(inner, ast.Return) and inner.value is not None for inner in _own(node)):
            yield f"line {node.lineno}: {FUNCTION} never returns a score"


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function's body without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _top_level(tree: ast.Module) -> Iterator[str]:
    """Only definitions: what runs at import would run before any answer is there."""
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_docstring and not isinstance(node, allowed):
            yield f"line {node.lineno}: only imports, constants, functions and classes may stand at the top level"


def _imported(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def _modules(nodes: Sequence[ast.AST]) -> Iterator[str]:
    for _line, name in _imported(nodes):
        yield name.split(".")[0]


def _imports(nodes: Sequence[ast.AST]) -> Iterator[str]:
    for line, name in _imported(nodes):
        top = name.split(".")[0]
        if top in _ONLY_PARTS and name in _ONLY_PARTS[top]:
            continue
        if top not in LIGHT | HEAVY or top in _ONLY_PARTS:
            why = _WHY_NOT.get(top, "it is not among the modules that the sandbox offers")
            yield f"line {line}: import of {name!r}: {why}"
        elif "random" in name.split("."):
            yield f"line {line}: import of {name!r}: {_WHY_NOT['random']}"
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    yield f"line {node.lineno}: import names one by one, not *"
                elif alias.name in _ATTRIBUTES_FORBIDDEN and (node.module or "").split(".")[0] in LIGHT | HEAVY:
                    yield f"line {node.lineno}: {alias.name!r}: {_ATTRIBUTES_FORBIDDEN[alias.name]}"


def _names(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Names, attributes, definitions and strings that no honest verifier needs."""
    for node in nodes:
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Name):
            if node.id in _CALLS_FORBIDDEN:
                yield f"line {line}: {node.id!r}: {_CALLS_FORBIDDEN[node.id]}"
            elif _DUNDER.fullmatch(node.id):
                yield f"line {line}: {node.id!r}: it must not reach into the interpreter"
            if isinstance(node.ctx, ast.Store | ast.Del) and node.id in {FUNCTION, "run_program"}:
                yield f"line {line}: {node.id!r} must not be bound again"
            if node.id.startswith("rlar"):
                yield f"line {line}: {node.id!r}: {_WHY_NOT['rlar']}"
        elif isinstance(node, ast.Attribute):
            if node.attr in _ATTRIBUTES_FORBIDDEN:
                yield f"line {line}: '.{node.attr}': {_ATTRIBUTES_FORBIDDEN[node.attr]}"
            elif _DUNDER.fullmatch(node.attr):
                yield f"line {line}: '.{node.attr}': it must not reach into the interpreter"
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            if _DUNDER.fullmatch(node.name) and node.name not in _METHODS_ALLOWED:
                yield f"line {line}: {node.name!r} is not needed for a verifier"
            if node.name.startswith("rlar") or node.name == "run_program":
                yield f"line {line}: {node.name!r} must not be defined here"
        elif isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"line {line}: nothing here may be asynchronous"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _DUNDER.search(node.value):
            yield f"line {line}: the text {node.value[:40]!r}: it must not reach into the interpreter"
        elif isinstance(node, ast.ExceptHandler) and (node.type is None or _catches_all(node.type)):
            yield f"line {line}: catch ValueError and its like, not {_caught(node.type)}: that would hide a time limit"


def _catches_all(kind: ast.expr) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "BaseException" for each in ast.walk(kind))


def _caught(kind: ast.expr | None) -> str:
    return "everything" if kind is None else "BaseException"


def _state(tree: ast.Module, nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Anything by which one call could change the next: a process scores many answers."""
    why = "one call must not change the next; keep everything in local variables"
    shared = set(_top_level_names(tree))
    mutable = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and not isinstance(node.value, ast.Constant | ast.Tuple)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in (node for node in nodes if isinstance(node, ast.FunctionDef | ast.Lambda)):
        for default in (*function.args.defaults, *(each for each in function.args.kw_defaults if each)):
            if isinstance(default, ast.List | ast.Dict | ast.Set | ast.Call):
                yield f"line {default.lineno}: a changeable default value: {why}"
    for scope, local in _scopes(tree):
        for node in scope:
            if isinstance(node, ast.Global):
                yield f"line {node.lineno}: 'global': {why}"
            elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                base = _base(node)
                if base in shared - local:
                    yield f"line {node.lineno}: {base!r} is changed: {why}"
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _MUTATES
                and _base(node.func) in mutable - local
            ):
                yield f"line {node.lineno}: {_base(node.func)!r} is changed: {why}"


def _top_level_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def _scopes(tree: ast.Module) -> Iterator[tuple[list[ast.AST], set[str]]]:
    """Each outermost function's nodes with the names that are its own (parameters and assigned names)."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    functions += [
        method
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef)
    ]
    for function in functions:
        inside = list(ast.walk(function))
        local = {node.arg for node in inside if isinstance(node, ast.arg)}
        local |= {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        declared = {name for node in inside if isinstance(node, ast.Global) for name in node.names}
        yield inside, local - declared


def _base(node: ast.expr) -> str:
    """The name at the bottom of a chain of attributes and subscripts; "" for another expression."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _by_heart(nodes: Sequence[ast.AST], answers: Collection[str], prompts: Collection[str]) -> Iterator[str]:
    """Literals that repeat answers or prompts: a verifier that knows its probes by heart proves nothing."""
    known = {_folded(answer) for answer in answers}
    folded = [_folded(prompt) for prompt in prompts]
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        text = _folded(node.value)
        if len(text) < SHORTEST_SECRET:
            continue
        if text in known:
            yield f"line {node.lineno}: {node.value[:40]!r} is the answer to a row: check the rule, list no answers"
        # What all prompts share is the task's wording, which a pattern may well look for.
        elif any(
            0 < sum(text[start : start + COPIED_CHARACTERS] in prompt for prompt in folded) < len(folded)
            for start in range(0, len(text) - COPIED_CHARACTERS + 1, 8)
        ):
            yield f"line {node.lineno}: {node.value[:40]!r} is copied from a row's prompt: read it from `prompt`"


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
