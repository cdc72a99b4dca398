"""Imports point down, and heavy packages are not imported before they are needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rlar"

LAYERS = (
    ("visible", "answered", "_version"),
    ("types", "errors"),
    ("foreign", "terminal", "network", "process"),
    ("config",),
    ("text",),
    ("rows",),
    ("sandbox",),
    ("code_identity",),
    ("tool",),
    ("kinds",),
    ("discover",),
    ("registry",),
    ("llm",),
    ("tools",),
    ("report",),
    ("scoring",),
    ("gate",),
    ("trainer", "agent", "evals", "server", "integrations", "testing", "check"),
    ("cli",),
    ("__init__", "__main__"),
)
"""The rooms of rlar, lowest first. A room imports those in the lines above its own, and none beside it."""

LAYER_OF = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}


@cache
def imports_of(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """The import statements anywhere in a file, lazy ones among them."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def module_name(path: Path, package: Path) -> str:
    """Dotted name of a file, without the package's own: `kinds.math.verify`; `__init__` for the package itself."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def import_graph(package: Path) -> dict[str, set[str]]:
    """Which files of a package import which, whether at their top, inside a function or for type checking only.

    `from a.b import c` counts for the file that is named: a.b.c where there is one, else a.b. That loading a.b.c also runs
    the `__init__` of a and of a.b does not count, and neither do names in texts (tables of what is loaded later, `-m`).
    """
    files = {module_name(path, package): path for path in sorted(package.rglob("*.py"))}

    def file_of(dotted: str) -> str | None:
        root, _, rest = dotted.partition(".")
        name = rest or "__init__"
        return name if root == package.name and name in files else None

    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        folder = ".".join([package.name, *path.relative_to(package).parts[:-1]])
        targets: set[str | None] = set()
        for node in imports_of(path):
            if isinstance(node, ast.Import):
                targets.update(file_of(alias.name) for alias in node.names)
            else:
                base = folder.rsplit(".", node.level - 1)[0] if node.level else ""
                base = ".".join(filter(None, (base, node.module)))
                targets.update(file_of(f"{base}.{alias.name}") or file_of(base) for alias in node.names)
        graph[name] = {target for target in targets if target is not None} - {name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of more than one file that all import one another, directly or through others."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            for name in graph[ahead.pop()] - seen:
                seen.add(name)
                ahead.append(name)
        return seen

    reach = {name: reached(name) for name in graph}
    groups = {frozenset({name} | {other for other in reach[name] if name in reach[other]}) for name in graph}
    return sorted((set(group) for group in groups if len(group) > 1), key=sorted)


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py" or path.parent != PACKAGE]
NAMES = [module_name(path, PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
FOLDERS = sorted({path.parent for path in PACKAGE.rglob("*.py")})


def name_of(folder: Path) -> str:
    return str(folder.relative_to(PACKAGE.parent))


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return import_graph(PACKAGE)


@pytest.mark.parametrize("name", NAMES)
def test_imports_point_down(graph: dict[str, set[str]], name: str):
    room = name.partition(".")[0]
    for other in graph[name]:
        target = other.partition(".")[0]
        if target != room:
            assert LAYER_OF[target] < LAYER_OF[room], f"{name} imports {other}"


def test_no_files_import_one_another_in_a_circle(graph: dict[str, set[str]]):
    assert circles(graph) == []


def test_a_circle_is_found_however_its_imports_are_written(tmp_path: Path):
    package = tmp_path / "house"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep/__init__.py").write_text("def late():\n    from house import top\n")
    (package / "top.py").write_text("import house.deep.low\n")
    (package / "deep/low.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..deep import late\n"
    )
    (package / "deep/alone.py").write_text("import json\nfrom . import low\nfrom house.deep import alone\n")
    graph = import_graph(package)
    assert graph["deep.alone"] == {"deep.low"}
    assert circles(graph) == [{"deep", "deep.low", "top"}]


def test_the_readme_draws_the_rooms_in_the_order_of_the_layers():
    text = (PACKAGE.parent / "README.md").read_text("utf-8")
    drawn = text.partition("```\nrlar/\n")[2].partition("\ntests/")[0].splitlines()
    lines = [re.split(r" {3,}", line[2:])[0] for line in drawn if re.match(r"  \S", line)]
    assert [{name.rstrip("/") for name in line.split()} for line in lines] == [set(rooms) for rooms in LAYERS]
    assert {name.partition(".")[0] for name in NAMES} == LAYER_OF.keys()


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_holds_at_most_16_files(folder: Path):
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= 16, files


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_says_what_comes_in_what_goes_out_and_what_it_leaves_out(folder: Path):
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    title, _, rest = told.partition("\n\n")
    assert title.endswith(".") and "\n" not in title
    assert re.match(r"In: \S.*?\.\sOut: \S.*?\.\nLeaves out: \S.*?\.(\n\n|\Z)", rest, re.DOTALL), told


def imported_modules(path: Path) -> set[str]:
    """Dotted names that a file imports anywhere in it, lazily or not."""
    found: set[str] = set()
    for node in imports_of(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif node.module and not node.level:
            found.add(node.module)
    return found


def folder_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def test_only_the_agent_imports_langgraph():
    users = {
        folder_of(path)
        for path in FILES
        if any(n.split(".")[0].startswith("langgraph") for n in imported_modules(path))
    }
    assert users <= {"agent"}


def test_langchain_is_the_agents_but_for_the_one_chat_client():
    users = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        if any(n.split(".")[0].startswith("lang") for n in imported_modules(path)) and folder_of(path) != "agent"
    }
    assert users <= {"llm/chat.py"}


HEAVY = ("torch", "transformers", "langgraph", "langchain_core", "sklearn", "sympy", "sqlmodel", "pyarrow", "numpy")


def test_help_imports_nothing_heavy():
    code = f"import sys, rlar.cli; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_tools_import_without_torch_or_langgraph():
    code = "import sys, rlar.tools.load, rlar.kinds, rlar.scoring.scorer; " \
           "print(*[n for n in ('torch', 'transformers', 'langgraph') if n in sys.modules])"  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_foreign_exceptions_are_caught_in_two_places():
    """`errors.boundary`, and where a tool is called."""
    guilty = []
    for path in FILES:
        if path.name == "errors.py" or "sandbox" in path.parts:
            continue  # code inside the jail answers for itself
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
            ):
                guilty.append(path.relative_to(PACKAGE).as_posix())
    assert guilty == ["tool.py"]
