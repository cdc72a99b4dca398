"""What a table of inputs and outputs says about calling a function: which arguments, and which value is expected.

Datasets write one call in a dozen ways: a list of arguments or one argument that is a list, values or JSON text, a line an
argument, results bare or in a list of their own. A reading is one of these ways, and holds for all rows of a table or for
none. The function's signature (of the starter code or of the reference) decides between readings; what it leaves open is
kept as several readings, and the row's reference program decides when it is run.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rlar.text.python import MAX_CODE_CHARACTERS, literal, parse_python, unparse

MAX_READINGS = 6
_MAX_SIGNATURE = 2000

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of one call."""
_NOT_PLAIN = object()


class Call(NamedTuple):
    """One call of a reading."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    expected: Any


class Reading(NamedTuple):
    """A table as calls."""

    calls: tuple[Call, ...]
    decoded: bool
    """Whether the inputs' texts were taken as JSON or literals."""
    doubtful: bool = False
    """Whether the results are texts of numbers that may be meant as texts or as numbers."""


class Signature(NamedTuple):
    """A function's parameters as they were written, `self` left out."""

    names: tuple[str, ...]
    annotations: tuple[ast.expr | None, ...]
    required: int
    most: int | None
    """None with `*args`."""
    keywords: bool
    """Whether any keyword is taken."""
    returns: ast.expr | None


def find_signature(name: str, texts: Sequence[str]) -> Signature | None:
    """The first `def name(...)` of some texts, which need not be whole programs."""
    for text in texts:
        for match in list(re.finditer(rf"\bdef[ \t]+{re.escape(name)}[ \t]*\(", text))[:5]:
            header = _header(text[match.start() : match.start() + _MAX_SIGNATURE])
            tree = parse_python(f"{header}\n    pass\n") if header else None
            if tree is not None and isinstance(tree.body[0], ast.FunctionDef):
                return _signature(tree.body[0])
    return None


def _header(text: str) -> str | None:
    """The text up to the colon that ends a function's header."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == ":" and depth == 0:
            return text[: index + 1]
    return None


def _signature(node: ast.FunctionDef) -> Signature:
    parameters = [*node.args.posonlyargs, *node.args.args]
    required = len(parameters) - len(node.args.defaults)
    if parameters and parameters[0].arg in ("self", "cls"):
        parameters, required = parameters[1:], required - 1
    return Signature(
        names=tuple(each.arg for each in (*parameters, *node.args.kwonlyargs)),
        annotations=tuple(each.annotation for each in (*parameters, *node.args.kwonlyargs)),
        required=max(0, required),
        most=None if node.args.vararg else len(parameters),
        keywords=node.args.kwarg is not None,
        returns=node.returns,
    )


# ------------------------------------------------------------------------------------------ types


def _fits(value: Any, annotation: ast.expr | None, depth: int = 0) -> bool | None:
    """Whether plain data may be of an annotated type; None for a type of which there is no plain data (a class)."""
    if annotation is None or depth > 8:
        return True
    if isinstance(annotation, ast.Constant):
        if annotation.value is None:
            return value is None
        tree = parse_python(annotation.value) if isinstance(annotation.value, str) else None
        inner = tree.body[0] if tree is not None and tree.body else None
        return _fits(value, inner.value, depth + 1) if isinstance(inner, ast.Expr) else True
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _any_of(value, [annotation.left, annotation.right], depth)
    subscripted = isinstance(annotation, ast.Subscript)
    name = unparse([annotation.value if isinstance(annotation, ast.Subscript) else annotation]).split(".")[-1]
    parts: list[ast.expr] = []
    if isinstance(annotation, ast.Subscript):
        parts = list(annotation.slice.elts) if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    known = _PLAIN.get(name.lower())
    if name == "Optional" and subscripted:
        return True if value is None else _fits(value, parts[0], depth + 1)
    if name == "Union" and subscripted:
        return _any_of(value, parts, depth)
    if known is None:
        return True if name in ("Any", "object", "Callable", "T") else None
    if not known(value):
        return False
    if isinstance(value, list) and parts:
        kinds = [part for part in parts if unparse([part]) != "..."]
        if name.lower() == "tuple" and len(kinds) == len(parts) == len(value):
            return _all_fit(zip(value, kinds, strict=True), depth)
        return _all_fit(((item, kinds[0]) for item in value[:20]), depth) if kinds else True
    return True


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "int": lambda value: type(value) is int or (type(value) is float and value.is_integer()),
    "float": lambda value: type(value) in (int, float),
    "complex": lambda value: type(value) in (int, float),
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool) or value in (0, 1),
    "none": lambda value: value is None,
    **dict.fromkeys(
        ("list", "tuple", "set", "frozenset", "sequence", "iterable", "iterator", "collection", "deque", "array"),
        lambda value: isinstance(value, list | tuple | set),
    ),
    **dict.fromkeys(
        ("dict", "mapping", "defaultdict", "counter", "ordereddict"), lambda value: isinstance(value, dict)
    ),
}


def _any_of(value: Any, kinds: Sequence[ast.expr], depth: int) -> bool | None:
    fits = [_fits(value, kind, depth + 1) for kind in kinds]
    return True if True in fits else (None if None in fits else False)


def _all_fit(pairs: Any, depth: int) -> bool | None:
    fits = [_fits(value, kind, depth + 1) for value, kind in pairs]
    return None if None in fits else all(fits)


# ------------------------------------------------------------------------------------------ arguments


def _decoded(text: str) -> Any:
    """The value that a text spells in JSON or Python; _NOT_PLAIN where it spells none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    known, value = literal(text) if len(text) < MAX_CODE_CHARACTERS else (False, None)
    return value if known else _NOT_PLAIN


def _lines(given: str) -> Arguments | None:
    values = [_decoded(line) for line in given.split("\n") if line.strip()]
    return None if not values or any(value is _NOT_PLAIN for value in values) else (tuple(values), {})


def _loose_lines(given: str) -> Arguments | None:
    lines = [line for line in given.split("\n") if line.strip()]
    values = [(line, _decoded(line)) for line in lines]
    return (tuple(line if value is _NOT_PLAIN else value for line, value in values), {}) if lines else None


def _whole(given: str) -> Arguments | None:
    value = _decoded(given)
    return None if value is _NOT_PLAIN else ((value,), {})


def _spread_text(given: str) -> Arguments | None:
    value = _decoded(given)
    return _spread(value)


def _spread(value: Any) -> Arguments | None:
    if isinstance(value, dict):
        return ((), value) if all(isinstance(key, str) and key.isidentifier() for key in value) else None
    return (tuple(value), {}) if isinstance(value, list | tuple) else None


def _spread_texts(value: Any) -> Arguments | None:
    """A list with a text for every argument."""
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        return None
    values = [_decoded(item) for item in value]
    return None if any(item is _NOT_PLAIN for item in values) else (tuple(values), {})


def _called(given: str) -> Arguments | None:
    """`f(1, b=2)` or `a = 1, b = [2]`, as text."""
    text = given.strip()
    if not re.match(r"[A-Za-z_][\w.]*\s{0,9}[(=]", text):
        return None
    tree = parse_python(text)
    if tree is None or all(isinstance(node, ast.Assign) for node in tree.body):
        tree = parse_python(f"f({', '.join(text.split(chr(10)))})")
    node = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return None
    values = [literal(unparse([argument])) for argument in call.args]
    named = {each.arg: literal(unparse([each.value])) for each in call.keywords}
    if not all(known for known, _ in (*values, *named.values())) or None in named:
        return None
    return tuple(value for _, value in values), {str(name): value for name, (_, value) in named.items()}


def _one(given: Any) -> Arguments:
    return (given,), {}


_OF_TEXT: tuple[tuple[Callable[[Any], Arguments | None], bool], ...] = (
    (_called, True), (_lines, True), (_spread_text, True), (_whole, True), (_loose_lines, True), (_one, False),
)  # fmt: skip
_OF_VALUES: tuple[tuple[Callable[[Any], Arguments | None], bool], ...] = (
    (_spread, False), (_one, False), (_spread_texts, True),
)  # fmt: skip


# ------------------------------------------------------------------------------------------ readings


def read_calls(
    pairs: Sequence[tuple[Any, Any]], signature: Signature | None = None, *, spread: bool = True
) -> list[Reading]:
    """Every reading of a table that the signature allows, the likeliest first; empty where it allows none.

    Args:
        pairs: (input, output) of each call, as the row has them.
        spread: whether a list is more likely the arguments than one argument, where the signature does not tell.
    """
    inputs = [given for given, _ in pairs]
    texts = all(isinstance(given, str) for given in inputs)
    ways = list(_OF_TEXT if texts else _OF_VALUES)
    if not texts and any(_is_quoted(given) for given in inputs):
        ways.insert(0, ways.pop())
    elif not texts and not spread and (signature is None or signature.most is None):
        ways[0], ways[1] = ways[1], ways[0]
    ranked: list[tuple[int, Reading]] = []
    for arguments_of, decoded in ways:
        arguments = [arguments_of(given) for given in inputs]
        if any(one is None for one in arguments):
            continue
        given = [_in_places(signature, one) for one in arguments if one is not None]
        if signature is not None and not all(_takes(signature, one) for one in given):
            continue
        misfits = _misfits(given, signature)
        if misfits is None:
            return []  # a parameter of a class: its objects cannot be made from data
        for expected, rank, doubtful in _expected([output for _, output in pairs], decoded, signature):
            calls = tuple(Call(*one, value) for one, value in zip(given, expected, strict=True))
            ranked.append((misfits + rank, Reading(calls, decoded, doubtful)))
    best = min((rank for rank, _ in ranked), default=0)
    kept: list[Reading] = []
    for rank, reading in ranked:
        if rank == best and all(reading.calls != other.calls for other in kept):
            kept.append(reading)
    return kept[:MAX_READINGS]


def _takes(signature: Signature, given: Arguments) -> bool:
    positional, keywords = given
    if not signature.keywords and not set(keywords) <= set(signature.names):
        return False
    count = len(positional) + len(keywords)
    return count >= signature.required and (signature.most is None or len(positional) <= signature.most)


def _in_places(signature: Signature | None, given: Arguments) -> Arguments:
    """A call with its keywords in their places: a program may call its parameters what it likes."""
    positional, keywords = given
    rest = (
        signature.names[len(positional) : signature.most]
        if signature is not None and signature.most is not None
        else ()
    )
    taken = [name for name in rest if name in keywords]
    if not keywords or taken != list(rest[: len(taken)]) or len(taken) < len(keywords):
        return given
    return (*positional, *(keywords[name] for name in taken)), {}


def _misfits(given: Sequence[Arguments], signature: Signature | None) -> int | None:
    """Arguments that are not of their annotated type; None where a parameter has a type without plain data."""
    if signature is None:
        return 0
    types = dict(zip(signature.names, signature.annotations, strict=True))
    count = 0
    for positional, keywords in given:
        named = [*zip(signature.names, positional, strict=False), *keywords.items()]
        fits = [_fits(value, types.get(name)) for name, value in named]
        if None in fits:
            return None
        count += fits.count(False)
    return count


def _is_quoted(given: Any) -> bool:
    """Whether a list of texts holds texts and lists as JSON writes them, not only digits."""
    read = _spread_texts(given)
    return read is not None and any(isinstance(value, str | list | dict) for value in read[0])


def _expected(outputs: Sequence[Any], decoded: bool, signature: Signature | None) -> list[tuple[list[Any], int, bool]]:
    """Readings of the results: as they are, decoded, and taken out of lists of their own.

    Each with the number of its misfits, and whether texts of numbers leave it open.
    """
    plain = list(outputs)
    texts = [one for one in plain if isinstance(one, str)]
    as_values = [_or_text(one) for one in plain]
    returns = signature.returns if signature is not None else None
    ways = [plain]
    doubtful = False
    if texts and returns is not None:
        ways = [as_values, plain]
    elif texts and decoded:
        ways = [as_values]
    elif texts and all(_decoded(one) is not _NOT_PLAIN for one in texts):
        doubtful = all(isinstance(value, int | float) and not isinstance(value, bool) for value in as_values)
        ways = [plain, as_values] if doubtful else [as_values]
    for way in list(ways):
        if all(isinstance(one, list) and len(one) == 1 for one in way):
            inner = [one[0] for one in way]
            ways.insert(0, inner)  # of several results that are all lists of one, few are meant so
            if returns is not None and any(isinstance(one, str) for one in inner):
                ways.insert(0, [_or_text(one) for one in inner])
    if returns is None:
        return [(way, 0, doubtful) for way in ways]
    fits = [[_fits(one, returns) for one in way] for way in ways]
    if any(None in one for one in fits):
        return []
    return [(way, one.count(False), False) for way, one in zip(ways, fits, strict=True)]


def _or_text(value: Any) -> Any:
    known = _decoded(value) if isinstance(value, str) else value
    return value if known is _NOT_PLAIN else known
