"""Every regular expression of a package, found in its syntax trees, and texts built from one that make it slow."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import re._constants as sre
import re._parser as parser
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

METHODS = frozenset({"search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"})
_PLACES = "aA1 \n\t.,-_'\"`*#$\\/:;!?()[]{}<>|=+^~&%@é一"
_STOP = "\x00"


@dataclass(frozen=True)
class Found:
    """One regular expression of the package."""

    place: str
    """file:line."""
    pattern: re.Pattern[str]
    methods: frozenset[str]
    """How it is called."""


class _Word(str):
    """Stands for a name that comes from outside: any attribute, item or call of it is a word, too."""

    def __getattr__(self, _name: str) -> _Word:
        return self

    def __call__(self, *_args: object, **_kwargs: object) -> _Word:
        return self

    def __getitem__(self, _key: object) -> _Word:
        return self


def found(pattern: str) -> Found:
    """An expression by itself, used in every way."""
    return Found("here", re.compile(pattern), frozenset({"finditer", "fullmatch"}))


def survey(package: Path, name: str) -> tuple[list[Found], list[str]]:
    """The expressions, and the places of calls whose pattern is only known when they run."""
    expressions: list[Found] = []
    open_places: list[str] = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module_name = ".".join((name, *path.relative_to(package).with_suffix("").parts)).removesuffix(".__init__")
        names = _uses(tree)
        for node in ast.walk(tree):
            call = _regex_call(node)
            if call is None or not call.args:
                continue
            is_plain = isinstance(call.args[0], ast.Constant)
            namespace = {"re": re} if is_plain else vars(importlib.import_module(module_name))
            where = f"{path.relative_to(package)}:{call.lineno}"
            function = call.func.attr  # type: ignore[attr-defined]
            patterns = _evaluate(call.args[0], namespace)
            if patterns is None:
                open_places.append(where)
                continue
            flags = _flags(call, function, namespace)
            methods = names.get(id(call), frozenset({"finditer", "fullmatch"})) if function == "compile" else {function}
            for pattern in patterns:
                if isinstance(pattern, str):
                    expressions.append(Found(where, re.compile(pattern, flags), frozenset(methods)))
    return expressions, open_places


def _regex_call(node: ast.AST) -> ast.Call | None:
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in METHODS | {"compile"}
    ):
        return node
    return None


def _uses(tree: ast.AST) -> dict[int, frozenset[str]]:
    """What is done with each pattern that is compiled to a name of its module: private ones only, others may go anywhere."""
    compiled: dict[str, int] = {}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and _regex_call(node.value) is not None
            and isinstance(node.targets[0], ast.Name)
        ):
            compiled[node.targets[0].id] = id(node.value)
    done: dict[str, set[str]] = {}
    loads: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in METHODS:
            done.setdefault(node.value.id, set()).add(node.attr)
            loads[node.value.id] = loads.get(node.value.id, 0) - 1
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            loads[node.id] = loads.get(node.id, 0) + 1
    return {
        compiled[name]: frozenset(done[name])
        for name in compiled
        if name in done and name.startswith("_") and not loads.get(name)
    }


def _evaluate(expression: ast.expr, namespace: dict[str, Any]) -> list[str] | None:
    """The patterns that an expression of our own source gives; None where it is nothing but a variable of a function."""
    value = _value(expression, namespace)
    if isinstance(value, re.Pattern):
        value = value.pattern
    return None if type(value) is _Word else [value]


def _value(expression: ast.expr, namespace: dict[str, Any]) -> Any:
    """An expression of our own source, in which the variables of a function hold some word."""
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    inner = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    words = {name: _Word("word") for name in names - inner if name not in namespace and not hasattr(builtins, name)}
    return eval(compile(ast.Expression(expression), "<expression>", "eval"), {**namespace, **words})


def _flags(call: ast.Call, function: str, namespace: dict[str, Any]) -> int:
    place = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(function, 2)
    nodes = [word.value for word in call.keywords if word.arg == "flags"] or call.args[place : place + 1]
    for node in nodes:
        value = _value(node, namespace)
        if isinstance(value, int):
            return int(value)
    return 0


# ------------------------------------------------------------------------------------------ attack texts


def attacks(pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """(head, pump, tail): head + pump * n + tail, or (head + pump) * n + tail, may be slow."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, str) else 0)
    seen: set[tuple[str, str, str]] = set()
    letters = _alphabet(tree)
    for head, body, rest in _repeats(list(tree)):
        start = _sample(head)
        pumps = set(_samples(body, letters)) if body is not None else set()
        almost = _sample(rest)[:-1]
        for pump in sorted(pumps):
            for one in (
                (start, pump, _STOP),
                ("", pump, _STOP),
                (start, pump, almost + _STOP),
                (start, pump, ""),
                ("", start + pump, _STOP),
                ("", start + pump, ""),
            ):
                if one[1] and one not in seen:
                    seen.add(one)
                    yield one


def _alphabet(tree: Any) -> list[str]:
    """One character of each kind that the expression tells apart."""
    atoms = [(code, argument) for code, argument in _atoms(tree)]
    kinds: dict[tuple[bool, ...], str] = {}
    for letter in chain(_PLACES, sorted(chr(code) for code in _literals(tree))):
        kinds.setdefault(tuple(_takes(atom, letter) for atom in atoms), letter)
    return list(kinds.values())


def _atoms(items: Any) -> Iterator[Any]:
    for code, argument in items:
        if code in (sre.NOT_LITERAL, sre.ANY, sre.IN):
            yield code, argument
        elif code is not sre.LITERAL:
            for body in _bodies(code, argument):
                yield from _atoms(body)


def _literals(items: Any) -> Iterator[int]:
    for code, argument in items:
        if code in (sre.LITERAL, sre.NOT_LITERAL):
            yield argument
        elif code is sre.IN:
            for kind, value in argument:
                if kind is sre.LITERAL:
                    yield value
                elif kind is sre.RANGE:
                    yield value[0]
        else:
            for body in _bodies(code, argument):
                yield from _literals(body)


def _bodies(code: Any, argument: Any) -> list[Any]:
    if code in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        return [argument[2]]
    if code is sre.SUBPATTERN:
        return [argument[-1]]
    if code is sre.BRANCH:
        return list(argument[1])
    if code in (sre.ASSERT, sre.ASSERT_NOT):
        return [argument[1]]
    if code is sre.ATOMIC_GROUP:
        return [argument]
    if code is sre.GROUPREF_EXISTS:
        return [one for one in argument[1:] if one is not None]
    return []


def _repeats(
    items: list[Any], before: list[Any] | None = None, after: list[Any] | None = None
) -> Iterator[tuple[list[Any], Any, list[Any]]]:
    """(what stands before, the repeated body, what follows) of every repeat that may go on for long."""
    before, after = before or [], after or []
    for index, (code, argument) in enumerate(items):
        head, rest = before + items[:index], items[index + 1 :] + after
        if code in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT) and int(argument[1]) >= 8:
            yield head, argument[2], rest
        for body in _bodies(code, argument):
            yield from _repeats(list(body), head, rest)


def _samples(body: Any, letters: list[str]) -> Iterator[str]:
    """Some texts that a repeated body takes."""
    items = list(body)
    while len(items) == 1 and items[0][0] in (sre.SUBPATTERN, sre.ATOMIC_GROUP):
        items = list(_bodies(*items[0])[0])
    if len(items) == 1 and items[0][0] is sre.BRANCH:
        for branch in items[0][1][1]:
            yield from _samples(branch, letters)
        return
    if len(items) == 1 and items[0][0] in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
        for letter in letters:
            if _takes(items[0], letter):
                yield letter
        return
    yield _sample(items)
    yield _sample(items, most=2)
    yield _sample(items, letter=" ")


def _takes(item: Any, letter: str) -> bool:
    code, argument = item
    if code is sre.LITERAL:
        return chr(argument) == letter
    if code is sre.NOT_LITERAL:
        return chr(argument) != letter
    if code is sre.ANY:
        return letter != "\n"
    negated, inside = False, False
    for kind, value in argument:
        if kind is sre.NEGATE:
            negated = True
        elif kind is sre.LITERAL:
            inside |= chr(value) == letter
        elif kind is sre.RANGE:
            inside |= value[0] <= ord(letter) <= value[1]
        elif kind is sre.CATEGORY:
            name = str(value).removeprefix("CATEGORY_")
            test = {"DIGIT": str.isdigit, "SPACE": str.isspace, "WORD": lambda c: c.isalnum() or c == "_"}
            plain = name.removeprefix("NOT_")
            inside |= test[plain](letter) != (name != plain)
    return inside != negated


def _sample(items: Any, *, most: int = 1, letter: str = "a") -> str:
    """One text that the items take, as far as lookarounds allow."""
    text = ""
    for code, argument in items:
        if code is sre.LITERAL:
            text += chr(argument)
        elif code in (sre.NOT_LITERAL, sre.ANY, sre.IN):
            text += next((c for c in chain(letter, _PLACES, _members(argument)) if _takes((code, argument), c)), "")
        elif code in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            low, high, body = argument
            text += _sample(body, most=most, letter=letter) * max(int(low), min(most, int(high)))
        elif code is sre.BRANCH:
            text += _sample(argument[1][0], most=most, letter=letter)
        elif code is sre.SUBPATTERN:
            text += _sample(argument[-1], most=most, letter=letter)
        elif code is sre.ATOMIC_GROUP:
            text += _sample(argument, most=most, letter=letter)
        elif code is sre.ASSERT and argument[0] == -1 and not text:
            text += _sample(argument[1], most=most, letter=letter)
    return text


def _members(argument: Any) -> Iterator[str]:
    if isinstance(argument, list):
        for kind, value in argument:
            if kind is sre.LITERAL:
                yield chr(value)
            elif kind is sre.RANGE:
                yield chr(value[0])


# ------------------------------------------------------------------------------------------ timing


def seconds(each: Found, text: str) -> float:
    """What the dearest of the ways in which the expression is used takes."""
    started = time.thread_time()
    pattern = each.pattern
    if each.methods & {"sub", "subn", "split", "findall", "finditer"}:
        for _match in pattern.finditer(text):
            pass
    if "search" in each.methods:
        pattern.search(text)
    if "match" in each.methods:
        pattern.match(text)
    if "fullmatch" in each.methods:
        pattern.fullmatch(text)
    return time.thread_time() - started


@dataclass(frozen=True)
class Slow:
    """An attack that worked."""

    attack: tuple[str, str, str]
    length: int
    seconds: float


_STEPS = (12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 160, 256, 768, 2048)


def slowest(each: Found, *, last: int, limit_seconds: float) -> Slow | None:
    """The first attack that takes more than the limit, at any length up to `last` characters; None: there is none.

    Lengths grow bit by bit, so that an expression that is exponential shows itself in a fraction of a second.
    """
    for head, pump, tail in attacks(each.pattern):
        for length in (step for step in _STEPS if step <= last):
            text = head + pump * max(1, length // len(pump)) + tail
            took = seconds(each, text)
            if took > limit_seconds:
                took = min(took, seconds(each, text))
                if took > limit_seconds:
                    return Slow((head, pump, tail), length, took)
    return None
