"""A tool's identity follows what its code computes, and nothing else."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from rlar.code_identity import PACKAGE_FOLDER, CodeTree, Unit, code_identity
from rlar.errors import ToolError
from rlar.kinds import LIBRARY

ENTRIES = {**LIBRARY, "reward_model": "rlar.tools.reward_model.tool:RewardModelTool"}


@pytest.fixture(scope="module")
def installed() -> CodeTree:
    return CodeTree(PACKAGE_FOLDER)


@pytest.fixture(scope="module")
def identities(installed: CodeTree) -> dict[str, str]:
    return {name: installed.identity(entry) for name, entry in ENTRIES.items()}


@pytest.fixture
def copied(tmp_path: Path, installed: CodeTree, identities: dict[str, str]) -> Path:
    """The files that the identities depend on."""
    folder = tmp_path / "rlar"
    for module in installed.modules.values():
        if module is not None:
            path = folder / module.path.relative_to(PACKAGE_FOLDER)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(module.path, path)
    return folder


# ------------------------------------------------------------------------------------------ the shipped tools


class _OtherWords(ast.NodeTransformer):
    """Every docstring says something else."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value = ast.Constant("Said otherwise.")
        return node


def test_docstrings_comments_and_layout_are_no_part_of_it(copied: Path, identities: dict[str, str]):
    for path in copied.rglob("*.py"):
        tree = _OtherWords().visit(ast.parse(path.read_text("utf-8")))
        path.write_text("# another comment\n" + ast.unparse(ast.fix_missing_locations(tree)), "utf-8")
    tree = CodeTree(copied)
    assert {name: tree.identity(entry) for name, entry in ENTRIES.items()} == identities


class _Moved(ast.NodeTransformer):
    """Imports and strings that name modules name them where they are now."""

    def __init__(self, homes: dict[str, str]) -> None:
        self.homes = homes

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for alias in node.names:
            dotted = f"{node.module}.{alias.name}"
            if dotted in self.homes:
                package, _, module = self.homes[dotted].rpartition(".")
                made.append(ast.ImportFrom(package, [ast.alias(module, alias.asname or alias.name)], 0))
            else:
                made.append(ast.ImportFrom(self.homes.get(node.module or "", node.module), [alias], node.level))
        return made

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if node.value in self.homes:
            node.value = self.homes[str(node.value)]
        return node


@pytest.mark.slow
def test_a_file_may_move_and_a_module_be_renamed(copied: Path, identities: dict[str, str]):
    homes = {}
    for path in sorted(copied.rglob("*.py")):
        parts = path.relative_to(copied).with_suffix("").parts
        dotted = ".".join(("rlar", *parts))
        if parts[-1] != "__init__" and not CodeTree(copied).is_plumbing(dotted):
            homes[dotted] = f"rlar.rooms.room{len(homes) % 7}.{'_'.join(reversed(parts))}"
    for path in list(copied.rglob("*.py")):
        dotted = ".".join(("rlar", *path.relative_to(copied).with_suffix("").parts))
        text = ast.unparse(ast.fix_missing_locations(_Moved(homes).visit(ast.parse(path.read_text("utf-8")))))
        if dotted in homes:
            path.unlink()
            path = copied.parent.joinpath(*homes[dotted].split(".")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").write_text('"""A room."""\n')
            (path.parent.parent / "__init__.py").write_text("")
        path.write_text(text, "utf-8")
    assert len(homes) > 50
    tree = CodeTree(copied)
    entries = {name: (homes[entry.split(":")[0]], entry.split(":")[1]) for name, entry in ENTRIES.items()}
    assert {name: tree.identity(":".join(entry)) for name, entry in entries.items()} == identities


def mutations(unit: Unit) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """What may be changed in a unit's syntax so that it computes something else: where, how, and how to undo it."""
    typed = {id(each) for node in _nodes(unit) for each in _annotations(node)}
    for node in _nodes(unit):
        if id(node) in typed:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str) and node.value != "":
            other = not node.value if isinstance(node.value, bool) else node.value + type(node.value)(1)
            yield f"{node.value!r:.20}", *_set(node, "value", other)
        elif isinstance(node, ast.BinOp):
            yield "operator", *_set(node, "op", ast.Sub() if not isinstance(node.op, ast.Sub) else ast.Add())
        elif isinstance(node, ast.Compare):
            other = ast.Lt() if not isinstance(node.ops[0], ast.Lt) else ast.Gt()
            yield "comparison", *_set(node, "ops", [other, *node.ops[1:]])
        elif isinstance(node, ast.BoolOp):
            yield "connective", *_set(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        elif isinstance(node, ast.Attribute):
            yield node.attr, *_set(node, "attr", f"{node.attr}_")


def _nodes(unit: Unit) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = list(unit.statements)
    while waiting:
        node = waiting.pop()
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node
            waiting += ast.iter_child_nodes(node)


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    for each in (getattr(node, "annotation", None), getattr(node, "returns", None)):
        if each is not None:
            yield from ast.walk(each)


def _set(node: ast.AST, name: str, value: object) -> tuple[Callable[[], None], Callable[[], None]]:
    before = getattr(node, name)
    return (lambda: setattr(node, name, value)), (lambda: setattr(node, name, before))


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_whatever_a_reached_definition_computes_is_part_of_it(name: str, identities: dict[str, str]):
    rng = Random(name)
    tree = CodeTree(PACKAGE_FOLDER)
    units = [unit for unit in tree.reached(ENTRIES[name]) if unit.statements]
    tried = 0
    for unit in rng.sample(units, min(40, len(units))):
        for where, change, undo in rng.sample(found := list(mutations(unit)), min(2, len(found))):
            unit.__dict__.pop("written", None)
            change()
            assert tree.identity(ENTRIES[name]) != identities[name], (unit.module.name, sorted(unit.names), where)
            undo()
            unit.__dict__.pop("written", None)
            tried += 1
    assert tried > 20
    assert tree.identity(ENTRIES[name]) == identities[name]


def test_another_definition_of_the_same_file_is_no_part_of_it(copied: Path, identities: dict[str, str]):
    path = CodeTree(copied).reached("rlar.text.answers:clean")[0].module.path
    path.write_text(path.read_text("utf-8") + "\n\ndef never_used():\n    return 1\n", "utf-8")
    assert CodeTree(copied).identity(ENTRIES["number"]) == identities["number"]


UNSEEN = {"eval", "exec", "globals", "locals", "__import__", "importlib", "__init_subclass__", "__set_name__"}
"""Names by which code could reach what no name in it says."""


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_no_tool_reaches_code_in_a_way_that_cannot_be_followed(name: str, installed: CodeTree):
    for unit in installed.reached(ENTRIES[name]):
        for node in _nodes(unit):
            assert getattr(node, "id", getattr(node, "name", "")) not in UNSEEN, (unit.module.name, ast.unparse(node))
            assert not (isinstance(node, ast.ClassDef) and node.keywords), (unit.module.name, node.name)


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_another_python_gives_the_same(version: str, identities: dict[str, str]):
    python = shutil.which(f"python{version}")
    code = (
        "import sys; from pathlib import Path; from rlar.code_identity import CodeTree, PACKAGE_FOLDER; "
        "tree = CodeTree(PACKAGE_FOLDER); print(*[tree.identity(entry) for entry in sys.argv[1:]])"
    )
    if python is None or subprocess.run([python, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"no Python {version} here")
    done = subprocess.run([python, "-c", code, *ENTRIES.values()], capture_output=True, text=True, check=True,
                          cwd=PACKAGE_FOLDER.parent)  # fmt: skip
    assert done.stdout.split() == list(identities.values())


# ------------------------------------------------------------------------------------------ made-up packages


def identity_of(folder: Path, files: dict[str, str], entry: str = "rlar.tool:score") -> str:
    """The identity of a made-up package's tool. Files by path below `rlar/`."""
    shutil.rmtree(folder / "rlar", ignore_errors=True)
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "rlar" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return CodeTree(folder / "rlar", plumbing=("rlar.types",)).identity(entry)


TOOL = "from rlar.a import f\ndef score(x): return f(x)\n"

SAME = {
    "a name by another import": (
        {"tool.py": TOOL, "a.py": "def f(x): return x\n"},
        {"tool.py": "from rlar.a import f as g\ndef score(x): return g(x)\n", "a.py": "def f(x): return x\n"},
    ),
    "through the module": (
        {"tool.py": TOOL, "a.py": "def f(x): return x\n"},
        {"tool.py": "from rlar import a\ndef score(x): return a.f(x)\n", "a.py": "def f(x): return x\nY = 2\n"},
    ),
    "imported in the function": (
        {"tool.py": TOOL, "a.py": "def f(x): return x\n"},
        {"tool.py": "def score(x):\n    from rlar.a import f\n    return f(x)\n", "a.py": "def f(x): return x\n"},
    ),
    "passed on by a package": (
        {"tool.py": TOOL, "a.py": "def f(x): return x\n"},
        {"tool.py": TOOL, "a/__init__.py": "from rlar.a.b import f\n", "a/b.py": "def f(x): return x\n"},
    ),
    "relative import": (
        {"tool.py": TOOL, "a.py": "def f(x): return x\n"},
        {"tool.py": "from .a import f\ndef score(x): return f(x)\n", "a.py": "def f(x): return x\n"},
    ),
    "two files joined": (
        {"tool.py": TOOL, "a.py": "from rlar.b import g\ndef f(x): return g(x)\n", "b.py": "def g(x): return -x\n"},
        {"tool.py": "def g(x): return -x\ndef f(x): return g(x)\ndef score(x): return f(x)\n"},
    ),
    "local variables renamed": (
        {
            "tool.py": "def score(x):\n    found = [told for told in x if told]\n    def inner(): return found\n    return inner\n"
        },
        {
            "tool.py": "def score(x):\n    rows = [row for row in x if row]\n    def inner(): return rows\n    return inner\n"
        },
    ),
    "a function renamed": (
        {"tool.py": TOOL, "a.py": "def f(x): return x\n"},
        {"tool.py": "from rlar.a import g\ndef score(x): return g(x)\n", "a.py": "def g(x): return x\n"},
    ),
    "names for type checkers": (
        {"tool.py": "from rlar.a import f\ndef score(x: f): return 1\n", "a.py": "def f(x): return x\n"},
        {
            "tool.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from rlar.a import f\ndef score(x: f): return 1\n",
            "a.py": "def f(x): return x\n",
        },
    ),
    "plumbing in a text": (
        {"tool.py": "def score(x): return 'python -m rlar.types'\n", "types.py": "X = 1\n"},
        {"tool.py": "def score(x): return 'python -m rlar.types'\n", "types.py": "X = 2\n"},
    ),
    "plumbing": (
        {"tool.py": "from rlar.types import ok\ndef score(x): return ok(x)\n", "types.py": "def ok(x): return x\n"},
        {"tool.py": "from rlar.types import ok\ndef score(x): return ok(x)\n", "types.py": "def ok(x): return 1 * x\n"},
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_computed_in_another_shape_is_the_same_tool(case: str, tmp_path: Path):
    one, other = SAME[case]
    assert identity_of(tmp_path, one) == identity_of(tmp_path, other)


def changed(where: str, old: str, new: str, **files: str) -> tuple[dict[str, str], dict[str, str]]:
    """A package and the same one with one change in one file."""
    named = {f"{name}.py": text for name, text in files.items()}
    assert old in named[where]
    return named, {**named, where: named[where].replace(old, new)}


OTHER = {
    "a constant far away": changed(
        "b.py", "1", "2", tool=TOOL, a="from rlar import b\ndef f(x): return b.Y\n", b="Y = 1\n"
    ),
    "which function a name means": changed(
        "tool.py", "a import f", "b import f", tool=TOOL, a="def f(x): return x\n", b="def f(x): return -x\n"
    ),
    "two names swapped": changed(
        "tool.py",
        "f as p, g as q",
        "g as p, f as q",
        tool="from rlar.a import f as p, g as q\ndef score(x): return p(x) - q(x)\n",
        a="def f(x): return x\ndef g(x): return -x\n",
    ),
    "another library under the same name": changed(
        "tool.py", "import re", "import regex as re", tool="import re\ndef score(x): return re.match(x)\n"
    ),
    "another function of a library": changed(
        "tool.py", "floor as f", "ceil as f", tool="from math import floor as f\ndef score(x): return f(x)\n"
    ),
    "a method": changed("a.py", "1", "2", tool=TOOL, a="class f:\n    def __init__(self, x): self.x = 1\n"),
    "a base class": changed(
        "a.py",
        "1",
        "2",
        tool="from rlar.a import B\nclass C(B): pass\ndef score(x): return C().value\n",
        a="class B:\n    value = 1\n",
    ),
    "a default": changed("tool.py", "y=1", "y=2", tool="def score(x, y=1): return y\n"),
    "a parameter's name": changed("tool.py", "y", "z", tool="def score(x, y=1): return x\n"),
    "a decorator of ours": changed(
        "a.py",
        "g(x)",
        "-g(x)",
        tool="from rlar.a import d\n@d\ndef score(x): return x\n",
        a="def d(g): return lambda x: g(x)\n",
    ),
    "a table that an import fills": changed(
        "b.py",
        "1",
        "2",
        tool="import rlar.b\nfrom rlar.a import T\ndef score(x): return T[x]\n",
        a="T = {}\n",
        b="from rlar.a import T\nT['x'] = 1\n",
    ),
    "a table that a late import fills": changed(
        "b.py",
        "1",
        "2",
        tool="from rlar.a import T\ndef score(x):\n    import rlar.b\n    return T[x]\n",
        a="T = {}\n",
        b="from rlar.a import T\nT['x'] = 1\n",
    ),
    "a table that a decorator fills": changed(
        "b.py",
        "1",
        "2",
        tool="from rlar import b\nfrom rlar.a import T\ndef score(x): return T[x], b.Z\n",
        a="T = {}\ndef put(f):\n    T['x'] = f\n    return f\n",
        b="from rlar.a import put\nZ = 0\n@put\ndef _f(): return 1\n",
    ),
    "a table that a method fills": changed(
        "b.py",
        "1",
        "2",
        tool="from rlar import b\nfrom rlar.a import T\ndef score(x): return T[x], b.Z\n",
        a="T = {}\n",
        b="from rlar.a import T\nZ = 0\n_ = T.setdefault('x', 1)\n",
    ),
    "a table that a loop fills": changed(
        "tool.py", "1", "2", tool="T = {}\nfor name in 'ab':\n    T[name] = 1\ndef score(x): return T[x]\n"
    ),
    "a name bound twice": changed("a.py", "2", "3", tool=TOOL, a="f = 1\nif __debug__:\n    f = 2\n"),
    "a module handed on": changed(
        "a.py", "1", "2", tool="from rlar import a\ndef score(x): return getattr(a, x)\n", a="def g(): return 1\n"
    ),
    "a module's two functions swapped": changed(
        "a.py",
        "h, g",
        "g, h",
        tool="from rlar import a\ndef score(x): return getattr(a, x)\n",
        a="def h(): return 1\ndef g(): return 2\nT = (h, g)\n",
    ),
    "a module run by name": changed("a.py", "1", "2", tool="def score(x): return ('-m', 'rlar.a')\n", a="print(1)\n"),
    "a module in a program text": changed(
        "a.py", "1", "2", tool="def score(x): return 'from rlar.a import g; g()'\n", a="def g(): return 1\n"
    ),
    "a script's own entry": changed(
        "tool.py", "1", "2", tool="def score(x): return __file__\nif __name__ == '__main__':\n    print(1)\n"
    ),
    "a file beside it": changed(
        "a.py",
        "1",
        "2",
        tool="from pathlib import Path\ndef score(x): return (Path(__file__).parent / 'a.py').read_text()\n",
        a="X = 1\n",
    ),
    "a name outside a comprehension": changed(
        "tool.py", "x = 1", "x = 2", tool="x = 1\ndef score(y): return [x for x in y], x\n"
    ),
    "a name outside a class": changed(
        "tool.py", "v = 1", "v = 2", tool="v = 1\nclass C:\n    v = v\ndef score(x): return C.v\n"
    ),
    "a global that a function sets": changed(
        "tool.py",
        "n = 2",
        "n = 3",
        tool="n = 1\ndef up():\n    global n\n    n = 2\ndef score(x):\n    up()\n    return n\n",
    ),
    "a function that is asked for its name": changed(
        "a.py",
        "def g",
        "def h",
        tool="from rlar import a\ndef score(x): return a.T[0].__name__\n",
        a="def g(): pass\nT = ('g', g)\n",
    ),
    "functions that call each other": changed(
        "a.py",
        "g(x - 1)",
        "f(x - 1)",
        tool=TOOL,
        a="def f(x): return x and g(x - 1)\ndef g(x): return x and f(x - 1)\n",
    ),
    "a package's lazy name": (
        {
            "tool.py": "from rlar.a import z\ndef score(x): return z\n",
            "a/__init__.py": "def __getattr__(name): return 1\n",
        },
        {
            "tool.py": "from rlar.a import z\ndef score(x): return z\n",
            "a/__init__.py": "def __getattr__(name): return 2\n",
        },
    ),
    "what to fall back on": changed(
        "tool.py",
        "None",
        "0",
        tool="try:\n    import orjson as j\nexcept ImportError:\n    j = None\ndef score(x): return j\n",
    ),
}


@pytest.mark.parametrize("case", OTHER)
def test_something_else_computed_is_another_tool(case: str, tmp_path: Path):
    one, other = OTHER[case]
    assert identity_of(tmp_path, one) != identity_of(tmp_path, other)


def test_a_data_file_that_the_code_names_is_part_of_it(tmp_path: Path):
    tool = {
        "tool.py": "from pathlib import Path\nHERE = Path(__file__).parent\ndef score(x): return (HERE / 'w.toml').read_text()\n"
    }
    assert identity_of(tmp_path, {**tool, "w.toml": "a = 1"}) != identity_of(tmp_path, {**tool, "w.toml": "a = 2"})


def test_what_is_not_there_is_named():
    with pytest.raises(ToolError, match=r"no module 'rlar\.never_was'"):
        code_identity("rlar.never_was:Tool")
    with pytest.raises(ToolError, match=re.escape("no 'Never' in rlar.kinds.number")):
        code_identity("rlar.kinds.number:Never")


def test_a_plugin_outside_the_package_has_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    found = set()
    for name in ("plug_one", "plug_two"):
        (tmp_path / f"{name}.py").write_text(f"class Tool:\n    name = '{name}'\n")
        found.add(CodeTree(PACKAGE_FOLDER).identity(f"{name}:Tool"))
    assert len(found) == 2 and "plug_one" not in sys.modules
