"""The identity of a piece of this package's code: what it computes, not where it lies or how it is told.

An identity is a hash over the top-level definitions that one definition can reach by name, through every import. It is
the same after a file moved, was split or joined with another, after a module, a local variable or an import's alias was
renamed, and after a docstring or a comment was mended. It is another one when a reached definition computes something
else: an operator, a constant, a pattern, another function under a name, a file that the code reads.

What is reached is an upper bound. A class counts with all of its methods, so whatever is called on an object is in.
A module that is used as a value, read as a file or run as a script counts with everything in it, and statements that
run while a module is imported count wherever the module is imported. Leaves out: PLUMBING, code of other packages
(certificates hold their versions), and what callers hand in.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from rlar.errors import ToolError
from rlar.text.python import syntax_tree

PACKAGE = "rlar"
PACKAGE_FOLDER = Path(__file__).resolve().parent
"""Where rlar is installed."""

PLUMBING = (
    "rlar.types",
    "rlar.errors",
    "rlar.process",
    "rlar.tool",
    "rlar.code_identity",
    "rlar.kinds",
    "rlar.sandbox.*",
)
"""Modules (`.*`: and all below) that tools use but whose changes cannot change a verdict: only the names count that are
used from them."""

_DOTTED = re.compile(rf"\b{PACKAGE}(?:\.[A-Za-z_]\w*)+")
_FILE_NAME = re.compile(r"(?:[\w-]+/)*[\w-]+(?:\.\w+)+")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@cache
def code_identity(entry: str) -> str:
    """16 hex digits for `module:name`, a top-level definition of this package or of a plugin.

    Nothing is imported to find it. Raises ToolError for what is not there.
    """
    with _READING:
        return _installed().identity(entry)


_READING = threading.Lock()


@cache
def _installed() -> CodeTree:
    return CodeTree(PACKAGE_FOLDER)


@dataclass(frozen=True)
class Place:
    """One name that a unit of code defines."""

    unit: Unit
    name: str


Target = Place | str
"""What a name stands for: code of this package, or (as text) something whose code is not looked at."""


@dataclass(eq=False)
class Unit:
    """The statements at the top of a module that define one name, or several names together."""

    module: Module
    statements: list[ast.stmt]
    names: frozenset[str]

    @cached_property
    def written(self) -> Written:
        """Its syntax as text, with what it refers to."""
        return _Writer(self).written

    @property
    def references(self) -> list[Place]:
        """The names that this unit uses, in order of appearance."""
        return self.written.places


@dataclass
class Written:
    """A unit as text; `places` are what the numbered holes in the text stand for."""

    parts: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    own: dict[str, int] = field(default_factory=dict)
    """Name that the unit defines -> number by which its text calls it."""
    loads: set[str] = field(default_factory=set)
    """Dotted names that it imports when it is called."""
    reads_names: bool = False
    """Whether it asks functions for their names, which then count."""


class Module:
    """One file: the names at its top and the units that define them."""

    def __init__(self, tree: CodeTree, name: str, path: Path) -> None:
        self.tree, self.name, self.path = tree, name, path
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.imports: dict[str, list[str]] = {}
        """Name -> dotted names, for names that only imports bind."""
        self.units: dict[str, Unit] = {}
        self.effects: list[Unit] = []
        """What runs at import and defines nothing."""
        self.main: list[Unit] = []
        """`if __name__ == "__main__"`."""
        self.imported: set[str] = set()
        """Dotted names of what is imported when this module is."""
        self._read(syntax_tree(path.read_bytes()).body)

    def _read(self, body: list[ast.stmt]) -> None:
        groups: list[tuple[set[str], list[ast.stmt]]] = []
        for statement in body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.imported |= _loaded(self, [statement])
                self._bind(_aliases(self, [statement]))
                continue
            if _is_docstring(statement):
                continue
            if isinstance(statement, ast.If) and _mentions(statement.test, "TYPE_CHECKING") and not statement.orelse:
                self._bind(_aliases(self, _Names(statement.body).imports))
                continue
            if isinstance(statement, ast.If) and _mentions(statement.test, "__name__"):
                self.main.append(Unit(self, [statement], frozenset()))
                continue
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names = {statement.name}
            else:
                inner = _Names([statement])
                aliases = _aliases(self, inner.imports)
                self.imported |= _loaded(self, inner.imports)
                names = {*inner.bound, *aliases}
            if not names:
                self.effects.append(Unit(self, [statement], frozenset()))
                continue
            kept, joined = [], [statement]
            for others, statements in groups:
                if names & others:
                    names, joined = names | others, statements + joined
                else:
                    kept.append((others, statements))
            groups = [*kept, (names, joined)]
        for names, statements in groups:
            unit = Unit(self, sorted(statements, key=lambda each: each.lineno), frozenset(names))
            for name in names:
                self.units[name] = unit

    def _bind(self, aliases: dict[str, list[str]]) -> None:
        for name, dotted in aliases.items():
            self.imports.setdefault(name, []).extend(dotted)

    def find(self, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> list[Target] | None:
        """What a name at the top of this module stands for; None where it has no such name."""
        if (self.name, name) in seen:
            return None
        targets: list[Target] = []
        if name in self.units:
            targets.append(Place(self.units[name], name))
        for dotted in self.imports.get(name, ()):
            targets += self.tree.resolve(dotted, seen | {(self.name, name)})
        return targets or None

    @cached_property
    def whole(self) -> Unit:
        """All of it, as one unit that refers to every other by name."""
        unit = Unit(self, [], frozenset())
        written = Written()
        for name in sorted({*self.units, *self.imports}):
            for target in self.find(name) or ():
                if isinstance(target, Place):
                    written.parts.append(f"{name}=@{len(written.places)};")
                    written.places.append(target)
                else:
                    written.parts.append(f"{name}={target};")
        for each in self.main:
            written.parts.append(f"main=@{len(written.places)};")
            written.places.append(Place(each, ""))
        unit.__dict__["written"] = written
        return unit


class CodeTree:
    """The files of a package, read as far as they are needed."""

    def __init__(self, folder: Path, plumbing: Sequence[str] = PLUMBING) -> None:
        self.folder = folder
        self._plumbing = plumbing
        self.modules: dict[str, Module | None] = {}
        """By dotted name, as far as they were looked for."""

    def identity(self, entry: str) -> str:
        """See code_identity."""
        units = self.reached(entry)
        names_count = any(unit.written.reads_names for unit in units)
        colours = {unit: _digest(*unit.written.parts, *(sorted(unit.names) if names_count else ())) for unit in units}
        # Refined until equal colours mean equal code all the way down: functions may call one another in circles.
        while True:
            finer = {
                unit: _digest(
                    colours[unit],
                    *(f"{colours[each.unit]}.{each.unit.written.own.get(each.name, 0)}" for each in unit.references),
                )
                for unit in units
            }
            is_stable = len(set(finer.values())) == len(set(colours.values()))
            colours = finer
            if is_stable:
                break
        first = colours[units[0]]
        return _digest(first, *sorted(set(colours.values())))[:16]

    def reached(self, entry: str) -> list[Unit]:
        """Every unit of code that a definition can reach, itself first. Raises ToolError for what is not there."""
        module_name, _, name = entry.partition(":")
        module = self.module(module_name) or self._plugin(module_name)
        if module is None:
            raise ToolError(f"no module {module_name!r}; was it removed from this version of rlar?")
        start = module.find(name) or []
        places = [target for target in start if isinstance(target, Place)]
        if not places:
            raise ToolError(f"no {name!r} in {module_name}; was it removed from this version of rlar?")
        units = dict.fromkeys(place.unit for place in places)
        waiting, entered = list(units), set[Module]()
        while waiting:
            unit = waiting.pop()
            new = [place.unit for place in unit.references]
            for loaded in self._imported_with([unit.module.name, *unit.written.loads], entered):
                new += loaded.effects
                new += [each for each in dict.fromkeys(loaded.units.values()) if _acts(each)]
            for each in new:
                if each not in units:
                    units[each] = None
                    waiting.append(each)
        return list(units)

    def _imported_with(self, names: Sequence[str], entered: set[Module]) -> Iterator[Module]:
        """The modules of these names and those that importing them imports, each once."""
        waiting = list(names)
        while waiting:
            each = self._module_in(waiting.pop())
            if each is None or each in entered or self.is_plumbing(each.name):
                continue
            entered.add(each)
            yield each
            waiting += [*each.imported, each.name.rpartition(".")[0]]

    def module(self, name: str) -> Module | None:
        """A module of the package by its dotted name; None where there is none."""
        if name not in self.modules:
            path = self._path(name)
            self.modules[name] = Module(self, name, path) if path is not None else None
        return self.modules[name]

    def module_of_file(self, path: Path) -> Module | None:
        """The module that a file of the package holds; None where it cannot be parsed."""
        relative = path.resolve().relative_to(self.folder.resolve())
        parts = relative.with_suffix("").parts
        return self.module(".".join((PACKAGE, *(parts[:-1] if parts[-1] == "__init__" else parts))))

    def _path(self, name: str) -> Path | None:
        first, *rest = name.split(".")
        base = self.folder.joinpath(*rest)
        if first != PACKAGE:
            return None
        paths = (base / "__init__.py", *((base.with_suffix(".py"),) if rest else ()))
        return next((path for path in paths if path.is_file()), None)

    def _plugin(self, name: str) -> Module | None:
        """A module outside the package that a library entry names."""
        if name.split(".")[0] == PACKAGE:
            return None
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return None
        return Module(self, name, Path(spec.origin))

    def _module_in(self, dotted: str) -> Module | None:
        """The module that a dotted name is, or is in."""
        module = self.module(dotted)
        return module if module is not None else self.module(dotted.rpartition(".")[0])

    def is_plumbing(self, module_name: str) -> bool:
        """Whether only the names that are used from this module count, not its code."""
        return any(
            module_name == each or (each.endswith(".*") and f"{module_name}.".startswith(each[:-1]))
            for each in self._plumbing
        )

    def resolve(self, dotted: str, seen: frozenset[tuple[str, str]] = frozenset()) -> list[Target]:
        """What a dotted name stands for, wherever it comes from."""
        if dotted.split(".")[0] != PACKAGE:
            return [f"<{dotted}>"]
        owner, _, name = dotted.rpartition(".")
        module = self.module(dotted)
        if self.is_plumbing(dotted) or (module is None and self.is_plumbing(owner)):
            return [f"<{PACKAGE}:{name}>"]
        # As Python does: what a package's own code binds comes before a module of that name in it.
        holder = self.module(owner) if owner and not self.is_plumbing(owner) else None
        if holder is not None and (targets := holder.find(name, seen)) is not None:
            return targets
        if module is not None:
            return [Place(module.whole, "")]
        if holder is not None and "__getattr__" in holder.units:
            return [Place(holder.whole, "")]
        raise ToolError(f"{dotted} is imported and is not there")


class _Writer:
    """Writes a unit's syntax: names of local variables as numbers, references as holes, no docstrings, no line numbers."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.module = unit.module
        self.written = Written()
        self._parts = self.written.parts
        self._scopes: list[_Scope] = []
        self._locals = 0
        self._holes: dict[Place, int] = {}
        self._reads_file = False
        for statement in unit.statements:
            self._node(statement)
        if self._reads_file:
            self._refer([Place(self.module.whole, "")])

    # -------------------------------------------------------------------------------------- names

    def _refer(self, targets: Sequence[Target]) -> None:
        for target in targets:
            if isinstance(target, Place):
                number = self._holes.setdefault(target, len(self._holes))
                if number == len(self.written.places):
                    self.written.places.append(target)
                self._parts.append(f"@{number}")
            else:
                self._parts.append(target)

    def _name(self, name: str, *, binds: bool = False) -> None:
        """One mention of a name; `binds`: it is defined here, so nothing outside is meant."""
        for depth in range(len(self._scopes) - 1, -1, -1):
            scope = self._scopes[depth]
            is_innermost = depth == len(self._scopes) - 1
            if scope.is_class and not is_innermost:
                continue
            if name in scope.globals:
                break
            if name in scope.imports:
                self._refer([each for dotted in scope.imports[name] for each in self.module.tree.resolve(dotted)])
                return
            if name in scope.kept:
                self._parts.append(f"'{name}")
                if scope.is_class and not binds:
                    continue  # until the class binds it, the name outside is meant
                return
            if name in scope.variables:
                number = scope.variables[name]
                if number is None:
                    number = scope.variables[name] = self._locals
                    self._locals += 1
                self._parts.append(f"${number}")
                return
        self._reads_file = self._reads_file or name == "__file__"
        if name in self.unit.names:
            self._parts.append(f"^{self.written.own.setdefault(name, len(self.written.own))}")
            for dotted in self.module.imports.get(name, ()):
                self._refer(self.module.tree.resolve(dotted))
            return
        targets = self.module.find(name)
        if targets is None:
            self._parts.append(f"'{name}")
        else:
            self._refer(targets)

    # -------------------------------------------------------------------------------------- nodes

    def _node(self, node: Any) -> None:
        if isinstance(node, ast.AST):
            writer = getattr(self, f"_{type(node).__name__}", None)
            if writer is not None:
                writer(node)
            else:
                self._plain(node)
        elif isinstance(node, list):
            self._parts.append("[")
            for each in node:
                if not (isinstance(each, ast.stmt) and (_is_docstring(each) or self._is_silent(each))):
                    self._node(each)
                    self._parts.append(",")
            self._parts.append("]")
        else:
            self._parts.append(ascii(node))

    def _plain(self, node: ast.AST, *, without: Sequence[str] = ()) -> None:
        """A node whose fields need no care. Empty fields are left out: which there are differs between Pythons."""
        self._parts.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None or value == [] or name in ("ctx", "type_comment", *without):
                continue
            self._parts.append(f"{name}=")
            self._node(value)
            self._parts.append(";")
        self._parts.append(")")

    def _is_silent(self, node: ast.stmt) -> bool:
        """An import whose names are followed to where they are used."""
        if not isinstance(node, ast.Import | ast.ImportFrom):
            return False
        names = [_alias_name(alias) for alias in node.names]
        scope = self._scopes[-1] if self._scopes else None
        return scope is not None and all(name in scope.imports for name in names)

    def _Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name, dotted in _aliases(self.module, [node]).items():
            self._parts.append("import ")
            self._name(name)
            self._parts.append("=")
            self._refer([each for one in dotted for each in self.module.tree.resolve(one)])

    _ImportFrom = _Import

    def _Name(self, node: ast.Name) -> None:
        self._name(node.id, binds=isinstance(node.ctx, ast.Store))

    def _Attribute(self, node: ast.Attribute) -> None:
        if node.attr in ("__name__", "__qualname__") and not (
            isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "type"
        ):
            self.written.reads_names = True
        dotted = _dotted(node)
        if dotted is not None and (targets := self._through_module(dotted)) is not None:
            self._refer(targets)
            return
        self._plain(node)

    def _through_module(self, dotted: str) -> list[Target] | None:
        """What `module.name` stands for, where `module` is one of this package; None for other attributes."""
        first, *rest = dotted.split(".")
        imports = self.module.imports
        for scope in reversed(self._scopes):
            if first in scope.variables or first in scope.kept:
                return None
            if first in scope.imports:
                imports = scope.imports
                break
        sources = imports.get(first, ())
        if len(sources) != 1 or not rest:
            return None
        name = sources[0]
        for part in rest:
            module = self.module.tree.module(name)
            if module is None or self.module.tree.is_plumbing(name):
                return None
            name = f"{name}.{part}"
        if self.module.tree.module(name) is None and module is not None and module.find(rest[-1]) is None:
            return None
        return self.module.tree.resolve(name)

    def _Constant(self, node: ast.Constant) -> None:
        value = node.value
        if not isinstance(value, str):
            self._parts.append(f"{type(value).__name__}:{value!a}")
            return
        place = 0
        for match in _DOTTED.finditer(value):
            module = self._module_at(match[0])
            if module is None:
                continue
            self._parts.append(ascii(value[place : match.start()]))
            self._refer([f"<{PACKAGE}>" if self.module.tree.is_plumbing(module.name) else Place(module.whole, "")])
            place = match.start() + len(module.name)
        if _FILE_NAME.fullmatch(value) and (path := self.module.path.parent / value).is_file():
            if path.suffix == ".py" and path.resolve().is_relative_to(self.module.tree.folder.resolve()):
                module = self.module.tree.module_of_file(path)
                assert module is not None, path
                self._parts.append("file:")
                self._refer([Place(module.whole, "")])
                return
            self._parts.append(f"file:{hashlib.sha256(path.read_bytes()).hexdigest()}")
        self._parts.append(ascii(value[place:]))

    def _module_at(self, dotted: str) -> Module | None:
        """The module that the beginning of a dotted name in a text names."""
        while "." in dotted:
            module = self.module.tree.module(dotted)
            if module is not None:
                return module
            dotted = dotted.rpartition(".")[0]
        return None

    def _Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self._parts.append(type(node).__name__)
        for name in node.names:
            self._name(name)

    _Nonlocal = _Global

    def _ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._name(node.name)
        self._plain(node, without=("name",))

    def _MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self._name(node.name)
        self._plain(node, without=("name",))

    _MatchStar = _MatchAs

    def _MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self._name(node.rest)
        self._plain(node, without=("rest",))

    def _ClassDef(self, node: ast.ClassDef) -> None:
        # The name of a class is shown to people and asked for by libraries: it counts.
        self._parts.append(f"{node.name}:")
        self._name(node.name, binds=True)
        self._node(getattr(node, "type_params", []))
        for name in ("decorator_list", "bases", "keywords"):
            self._node(getattr(node, name))
        names = _Names(node.body)
        scope = _Scope(is_class=True, kept=set(names.bound))
        scope.take_imports(self.module, names)
        self.written.loads |= _loaded(self.module, names.imports)
        self._scopes.append(scope)
        self._node(node.body)
        self._scopes.pop()

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._parts.append(f"{type(node).__name__}:")
        self._name(node.name, binds=True)
        self._node(getattr(node, "type_params", []))
        self._node(node.decorator_list)
        if node.returns is not None:
            self._node(node.returns)
        self._function(node.args, node.body)

    _AsyncFunctionDef = _FunctionDef

    def _Lambda(self, node: ast.Lambda) -> None:
        self._parts.append("lambda:")
        self._function(node.args, node.body)

    def _function(self, arguments: ast.arguments, body: list[ast.stmt] | ast.expr) -> None:
        self._plain(arguments)  # defaults and annotations belong to the scope around
        statements = body if isinstance(body, list) else [ast.Expr(body)]
        parameters = [
            *arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs,
            *(each for each in (arguments.vararg, arguments.kwarg) if each is not None),
        ]  # fmt: skip
        names = _Names(statements)
        scope = _Scope(declared=names.declared, globals=names.globals)
        # Parameters are called by name, and functions may be asked for theirs.
        scope.kept.update(each.arg for each in parameters)
        scope.kept.update(name for name, is_variable in names.bound.items() if not is_variable)
        scope.variables.update(dict.fromkeys(names.bound.keys() - scope.kept - scope.declared))
        scope.take_imports(self.module, names)
        self.written.loads |= _loaded(self.module, names.imports)
        self._scopes.append(scope)
        self._node(body)
        self._scopes.pop()

    def _comprehension(self, node: Any) -> None:
        scope = _Scope()
        for generator in node.generators:
            scope.variables.update({name: None for name in _stored(generator.target)})
        self._parts.append(f"{type(node).__name__}(")
        # The first iterable belongs to the scope around.
        self._node(node.generators[0].iter)
        self._scopes.append(scope)
        for index, generator in enumerate(node.generators):
            self._plain(generator, without=("iter",) if index == 0 else ())
        for name in ("key", "value", "elt"):
            if hasattr(node, name):
                self._node(getattr(node, name))
        self._scopes.pop()
        self._parts.append(")")

    _ListComp = _SetComp = _DictComp = _GeneratorExp = _comprehension


@dataclass
class _Scope:
    """The names of one function, class or comprehension."""

    is_class: bool = False
    kept: set[str] = field(default_factory=set)
    """Names that are written as they are: parameters, attributes, functions in functions."""
    variables: dict[str, int | None] = field(default_factory=dict)
    """Local variables with their numbers, in order of first use."""
    imports: dict[str, list[str]] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    """Names declared global or nonlocal."""
    globals: set[str] = field(default_factory=set)

    def take_imports(self, module: Module, names: _Names) -> None:
        for name, dotted in _aliases(module, names.imports).items():
            if name in names.bound or name in self.kept or name in self.declared:
                if name not in self.kept and name not in self.declared:
                    self.variables.setdefault(name, None)
            else:
                self.imports[name] = dotted


# ------------------------------------------------------------------------------------------ reading syntax


class _Names:
    """What the statements of one scope bind; the bodies of functions and classes in it are scopes of their own."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self.bound: dict[str, bool] = {}
        """Names but for those of imports; whether each is a variable, not a function or class."""
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.declared: set[str] = set()
        self.globals: set[str] = set()
        for node in nodes:
            self._take(node)

    def _take(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                self.bound.setdefault(node.id, True)
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.bound[node.name] = False
            outside: list[ast.AST] = [*node.decorator_list]
            outside += [*node.bases, *node.keywords] if isinstance(node, ast.ClassDef) else [node.args]
            for each in outside:
                self._take(each)
            return
        if isinstance(node, ast.Lambda):
            self._take(node.args)
            return
        if isinstance(node, _COMPREHENSIONS):
            self._take(node.generators[0].iter)
            for each in ast.walk(node):
                if isinstance(each, ast.NamedExpr):
                    self._take(each.target)
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.append(node)
            return
        if isinstance(node, ast.Global | ast.Nonlocal):
            self.declared.update(node.names)
            if isinstance(node, ast.Global):
                self.globals.update(node.names)
            return
        if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            self.bound.setdefault(node.name, True)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            self.bound.setdefault(node.rest, True)
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.AST):
                        self._take(each)
            elif isinstance(value, ast.AST) and not isinstance(value, ast.Constant | ast.expr_context | ast.operator):
                self._take(value)


def _stored(target: ast.AST) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _alias_name(alias: ast.alias) -> str:
    return alias.asname or alias.name


def _aliases(module: Module, statements: Iterable[ast.Import | ast.ImportFrom]) -> dict[str, list[str]]:
    """Name -> the dotted names that these imports bind it to."""
    dotted_names: dict[str, list[str]] = {}
    for node in statements:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                dotted_names.setdefault(name, []).append(alias.name if alias.asname else name)
        else:
            base = node.module or ""
            if node.level:
                above = module.package.split(".")[: len(module.package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                if alias.name == "*":
                    raise ToolError(f"{module.path}: `import *` hides what a tool is made of")
                dotted_names.setdefault(alias.asname or alias.name, []).append(f"{base}.{alias.name}")
    return dotted_names


def _loaded(module: Module, statements: Iterable[ast.Import | ast.ImportFrom]) -> set[str]:
    """The dotted names of the modules that are loaded by these imports, or of what is taken from them."""
    loaded = {name for names in _aliases(module, statements).values() for name in names}
    return loaded | {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def _acts(unit: Unit) -> bool:
    """Whether defining the unit may change something else of this package, as a registry's decorator does.

    An assignment is taken to do no more than compute its value, unless that is a method of an object of this package.
    """
    for statement in unit.statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            called = [each.func if isinstance(each, ast.Call) else each for each in statement.decorator_list]
        elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(isinstance(each, ast.Attribute | ast.Subscript) for target in targets for each in ast.walk(target)):
                return True
            value = statement.value
            called = []
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
                # A method of a text that stands there ("|".join) changes nothing.
                called = [] if isinstance(value.func.value, ast.Constant) else [value.func]
        else:
            return True
        for each in called:
            dotted = _dotted(each)
            if dotted is None or any(
                isinstance(definition, Place) for definition in unit.module.find(dotted.split(".")[0]) or ()
            ):
                return True
    return False


def _digest(*parts: str) -> str:
    # No part holds a NUL: texts are written as ASCII literals, and names have none.
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
