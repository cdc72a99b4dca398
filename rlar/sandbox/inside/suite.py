"""Reading a test suite: which names the program must provide, whether it can be split, and where it checks something.

A pass needs a check that was executed. So every check of a suite is rewritten to tell of itself: asserts, calls of
assertion functions, conditions that guard a `raise`, and handlers of exceptions that had to come. What is not seen here,
is never reached or cannot fail counts for nothing, and such a suite passes nobody.
"""

from __future__ import annotations

import ast
import builtins
import collections
import importlib.util
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

N = TypeVar("N", bound=ast.AST)

_BUILTINS = frozenset(vars(builtins))
_ALIASES = {"np": "numpy", "pd": "pandas"}
CHECK, ENTERED = "__rlar_check__", "__rlar_entered__"
"""What the rewritten suite calls: `tester.Checks`."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef
Kind = Literal["asserted", "caught", "passed"]
"""What tells of itself: the condition of an assert, an exception in its handler, or a point that was reached."""
_INSPECTING = frozenset(["inspect", "mock", "unittest.mock", "gc", "ctypes", "contextlib.redirect_stdout"])


@dataclass(slots=True)
class Suite:
    """A compiled test suite."""

    prelude: types.CodeType | None
    tests: types.CodeType
    wanted: frozenset[str]
    """Names that the tests read and nothing on their side defines: the program's."""
    modules: dict[str, str] = field(default_factory=dict)
    """Wanted names that are modules (the tests rely on the program's import): name -> module."""
    imports: frozenset[str] = frozenset()
    """Modules that it imports."""
    inseparable: str = ""
    """Why program and tests need one interpreter; empty where they do not."""
    named: frozenset[str] = frozenset()
    """Its tests by their make: `check`, `test_...`, and `Test....test_...` of plain classes. Each has to be entered."""
    helped: bool = False
    """One of the program's functions is judged by means of another one, which the program may have changed."""


def read_suite(tests: str, prelude: str | None, entry: str | None, *, shared: bool = False) -> Suite:
    """Parse and compile a suite. SyntaxError where it is no Python.

    `shared`: for an interpreter that the program is in too, where it may have changed any value.
    """
    prelude_tree = ast.parse(prelude, "<prelude>") if prelude else None
    tests_tree = ast.parse(tests, "<tests>")
    if any(type(node) is ast.ImportFrom for node in _walk(tests_tree)):
        tests_tree = ast.fix_missing_locations(_ImportsOfTheProgram().visit(tests_tree))
    trees = [tree for tree in (prelude_tree, tests_tree) if tree is not None]
    bound: set[str] = set()
    read: set[str] = set()
    for tree in trees:
        _collect(tree, bound, read)
    wanted = (read - bound - _BUILTINS) | ({entry} if entry else set())
    modules = {}
    for name in wanted - {entry}:
        module = _ALIASES.get(name, name)
        if module in sys.stdlib_module_names or module in _ALIASES.values():
            modules[name] = module
    telling = _Telling(frozenset(read - _BUILTINS) if shared else _about_program(trees, wanted - set(modules)))
    named = _named_tests(tests_tree)
    given = {} if prelude_tree is None else _named_tests(prelude_tree)
    for node, label in (named | given).items():
        _tell_of_entering(node, label)
    return Suite(
        wanted=frozenset(wanted),
        named=frozenset(named.values()) - {entry or ""},
        modules=modules,
        imports=frozenset(
            name for tree in trees for node in _walk(tree) for name in _imported(node) if _is_module(name)
        ),
        inseparable=_why_inseparable(tests_tree, wanted),
        helped=_is_helped(tests_tree, wanted - set(modules)),
        # Last, because it changes the trees.
        prelude=_compile(prelude_tree, "<prelude>", telling) if prelude_tree else None,
        tests=_compile(tests_tree, "<tests>", telling),
    )


def _named_tests(tree: ast.Module) -> dict[_Function, str]:
    """What a runner of tests collects by its name, or a caller of `check` calls."""
    names: dict[_Function, str] = {}
    for node in tree.body:
        if isinstance(node, _Function) and (node.name == "check" or node.name.startswith("test")):
            names[node] = node.name
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            methods = [each for each in node.body if isinstance(each, _Function)]
            if all(each.name != "__init__" for each in methods):
                names |= {each: f"{node.name}.{each.name}" for each in methods if each.name.startswith("test")}
    return names


def _tell_of_entering(node: _Function, label: str) -> None:
    call = ast.Call(ast.Name(ENTERED, ast.Load()), [ast.Constant(label)], [])
    node.body.insert(0, ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node)))


def _is_helped(tree: ast.AST, wanted: set[str]) -> bool:
    """Whether a statement of the tests brings two of the program's functions together, directly or by a variable.

    `assert decode(encode(x)) == x` does; two asserts about a function each do not. Classes are left out: what the tests
    construct is what they judge.
    """
    read = {node.id for node in _walk(tree) if isinstance(node, ast.Name)}
    functions = {name for name in wanted & read if not name[:1].isupper()}
    for node in _walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "check" and node.args.args:
            functions.add(node.args.args[0].arg)
    if len(functions) < 2:
        return False
    carried: dict[str, set[str]] = {name: {name} for name in functions}
    statements = [node for node in _walk(tree) if isinstance(node, ast.Assert | ast.Assign | ast.Expr | ast.Return)]
    for _pass in range(2):
        for statement in statements:
            together: set[str] = set()
            for node in _walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    together |= carried.get(node.id, set())
            if len(together) > 1:
                return True
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    for node in _walk(target):
                        if isinstance(node, ast.Name):
                            carried.setdefault(node.id, set()).update(together)
    return False


def _is_plain(node: ast.expr | None) -> bool:
    """A constant or a negative number."""
    return type(node) is ast.Constant or (type(node) is ast.UnaryOp and type(node.operand) is ast.Constant)


def _walk(*tops: ast.AST) -> Iterator[ast.AST]:
    """The nodes of trees, breadth first, without the values in tables: of many suites they are the most by far."""
    waiting = collections.deque(tops)
    while waiting:
        node = waiting.popleft()
        yield node
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            waiting.extend([item for item in node.elts if not _is_plain(item)])
        elif type(node) is not ast.Constant:
            waiting.extend(ast.iter_child_nodes(node))


def _compile(tree: ast.Module, filename: str, telling: _Telling) -> types.CodeType:
    return compile(telling.visit(tree), filename, "exec", dont_inherit=True)


def _about_program(trees: list[ast.Module], wanted: set[str]) -> frozenset[str]:
    """The names whose values may depend on the program: linked to one of its names by some chain of statements.

    Two names are linked where a statement holds both, be it in its body; a function only to its parameters and to what
    it returns. Scopes and order are left out, so that no value that depends on the program is missed.
    """
    links: dict[str, set[str]] = {}
    imported: set[str] = set()
    starts = set(wanted)
    for tree in trees:
        for node in _walk(tree):
            names: set[str] = set()
            if isinstance(node, ast.Import):
                imported.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given_back = [each for each in _walk(node) if isinstance(each, ast.Return | ast.Yield)]
                names = {node.name} | _names([node.args, *node.decorator_list, *given_back])
                if node.name == "check" and node.args.args:
                    starts.add(node.args.args[0].arg)
            elif isinstance(node, ast.ClassDef):
                names = {node.name} | _names([node])
            elif isinstance(node, ast.stmt):
                names = _names([node])
            for name in names:
                links.setdefault(name, set()).update(names)
    classes: set[str] = set()
    while starts:
        name = starts.pop()
        classes.add(name)
        starts |= links.get(name, set()) - imported - _BUILTINS - classes
    return frozenset(classes)


def _names(nodes: Sequence[ast.AST]) -> set[str]:
    names = set()
    for node in _walk(*nodes):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def _always(node: ast.expr) -> bool | None:
    """The truth value that an expression has whatever the program does; None where it may have either."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict):
        items = node.keys if isinstance(node, ast.Dict) else node.elts
        if any(item is not None and not isinstance(item, ast.Starred) for item in items):
            return True
        return None if items else False
    if isinstance(node, ast.Lambda | ast.GeneratorExp):
        return True
    if isinstance(node, ast.JoinedStr):
        return True if any(isinstance(value, ast.Constant) for value in node.values) else None
    if isinstance(node, ast.NamedExpr):
        return _always(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        value = _always(node.operand)
        return None if value is None else not value
    if isinstance(node, ast.BoolOp):
        values = [_always(value) for value in node.values]
        decisive = isinstance(node.op, ast.Or)
        if decisive in values:
            return decisive
        return None if None in values else not decisive
    return None


def _called(node: ast.AST) -> str:
    """The last name of what a call calls, in small letters; "" for what is no call."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    return name.lower()


def _fails(body: list[ast.stmt]) -> bool:
    """Whether statements end in a failure of the suite."""
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.Assert):
        return _always(last.test) is False
    return isinstance(last, ast.Raise) or (isinstance(last, ast.Expr) and _called(last.value) in ("fail", "exit"))


def _placed(made: N, place: ast.AST, *others: ast.AST) -> N:
    """New nodes at the place of an old one."""
    for other in others:
        ast.copy_location(other, place)
    return ast.copy_location(made, place)


class _Telling(ast.NodeTransformer):
    """Makes every check of a suite tell that it was executed, and every assertion whether it held."""

    def __init__(self, about: frozenset[str]) -> None:
        self._about = about

    def _is_about(self, nodes: Sequence[ast.AST]) -> bool:
        return not self._about.isdisjoint(_names(nodes))

    def _tell(self, value: ast.expr, about: bool, kind: Kind = "passed") -> ast.Call:
        flags = [ast.Constant(about), ast.Constant(kind)]
        return _placed(ast.Call(_placed(ast.Name(CHECK, ast.Load()), value), [value, *flags], []), value, *flags)

    def _tell_of(self, place: ast.AST, about: bool, kind: Kind = "passed") -> ast.Expr:
        """A statement that tells, where `place` is."""
        return _placed(ast.Expr(self._tell(_placed(ast.Constant(None), place), about, kind)), place)

    def visit_List(self, node: ast.List | ast.Tuple | ast.Set) -> ast.AST:
        return node if all(map(_is_plain, node.elts)) else self.generic_visit(node)

    visit_Tuple = visit_Set = visit_List

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        about = _always(node.test) is None and self._is_about([node.test])
        self.generic_visit(node)
        node.test = self._tell(node.test, about, "asserted")
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        about = self._is_about([*node.args, *node.keywords])
        is_assertion = "assert" in _called(node)
        self.generic_visit(node)
        return self._tell(node, about) if is_assertion and about else node

    def visit_With(self, node: ast.With) -> ast.AST | list[ast.AST]:
        """One that expects an exception tells of itself when it is over."""
        expects = any("raises" in _called(item.context_expr) for item in node.items)
        about = expects and self._is_about([node])
        self.generic_visit(node)
        if not about:
            return node
        return [node, self._tell_of(node, about)]

    def visit_If(self, node: ast.If) -> ast.AST:
        guards = _fails(node.body) or _fails(node.orelse)
        about = guards and _always(node.test) is None and self._is_about([node.test])
        self.generic_visit(node)
        if about:
            node.test = self._tell(node.test, about)
        return node

    def visit_Try(self, node: ast.Try) -> ast.AST:
        """Each handler tells what it caught: an assertion, or an exception that had to come."""
        about = (_fails(node.body) or _fails(node.orelse)) and self._is_about(node.body)
        self.generic_visit(node)
        for handler in node.handlers:
            handler.body.insert(0, self._tell_of(handler.body[0], about, "caught"))
        return node


def _collect(tree: ast.AST, bound: set[str], read: set[str]) -> None:
    for node in _walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound.update((alias.asname or alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)


class _ImportsOfTheProgram(ast.NodeTransformer):
    """`from solution import f as g`, where no such module exists, becomes `g = f`: the name is the program's."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.stmt]:
        root = (node.module or "").partition(".")[0]
        if node.level == 0 and _is_module(root):
            return node
        renamed: list[ast.stmt] = [
            ast.copy_location(ast.Assign([ast.Name(alias.asname, ast.Store())], ast.Name(alias.name, ast.Load())), node)
            for alias in node.names
            if alias.asname is not None and alias.asname != alias.name
        ]
        return renamed or ast.copy_location(ast.Pass(), node)


def _is_module(name: str) -> bool:
    if name in sys.stdlib_module_names or name in sys.modules:
        return name not in ("tests", "program", "__main__")
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _why_inseparable(tree: ast.AST, wanted: set[str]) -> str:
    """Decided from the tests alone: a program must not be able to choose the mode in which it is judged.

    This serves suites of the usual makes. What it does not see runs apart from the program, and tells nothing there:
    `tester.Looked`.
    """
    modules = {alias.asname or alias.name.partition(".")[0] for node in _walk(tree) if isinstance(node, ast.Import)
               for alias in node.names}  # fmt: skip
    for node in _walk(tree):
        stored = isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
        if stored and _root(node) in modules:
            return "the tests patch a module"
        if any(name in _INSPECTING for name in _imported(node)):
            return "the tests import a module that inspects or patches the program"
        if isinstance(node, ast.ClassDef) and any(
            isinstance(base, ast.Name) and base.id in wanted for base in node.bases
        ):
            return "the tests derive a class from one of the program's"
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if sum(_constructs(side, wanted) for side in sides) > 1:
                return "the tests compare objects of the program's classes"
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            target = node.value
            if isinstance(target, ast.Name) and target.id in wanted:
                return "the tests change the program's attributes"
            if node.attr in ("stdin", "stdout", "stderr"):
                return "the tests replace the program's standard streams"
        if isinstance(node, ast.Attribute) and node.attr == "redirect_stdout":
            return "the tests read what the program prints"
    return ""


def _root(node: ast.AST) -> str:
    """The name at the start of `a.b[c].d`; "" where there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _constructs(node: ast.AST, wanted: set[str]) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in wanted
        and node.func.id[:1].isupper()
    )
