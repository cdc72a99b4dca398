"""Arguments to try a reference function with: guessed from example calls, annotations, defaults, names and use.

Several guesses are made, the likeliest first; whoever runs the reference sees which of them it accepts. Pure and seeded: nothing
is executed here, and every value is plain data.
"""

from __future__ import annotations

import ast
import re
from itertools import product
from random import Random
from typing import Any, NamedTuple

from rlar.text.python import definition, literal, parse_python, unparse

MAX_GUESSES = 16

Type = str
"""int, float, str, bool, none, list[T], tuple[T], set[T], dict; T one of these; "any" for what is not known."""

_WORDS = [
    "level",
    "Python",
    "hello world",
    "abc",
    "a",
    "",
    "Racecar",
    "x1y2z3",
    "the quick brown fox",
    "AbC",
    "zzz",
    "12321",
    "foo bar foo",
]
_NAMES: tuple[tuple[str, Type], ...] = (
    (r"matrix|grid|board|table|rows|mat$|list_?of_?lists|nested|intervals|edges|points", "list[list[int]]"),
    (r"words|strings|names|strs|texts|sentences|list_str|str_list", "list[str]"),
    (r"nums?_?list|numbers|nums|arr(ay)?\d?|lst\d?|li?st?\d*$|list\d?|values|items|elements|prices|heights|scores|data|seq|tuples?_?list", "list[int]"),
    (r"tup(le)?s?\d?$|test_tup\d?", "tuple[int]"),
    (r"d(ict)?(ionary)?\d?$|mapping|counts|freq", "dict"),
    (r"s\d?$|st(r|ring)?\d*$|text\d?|words?\d?$|sentence|phrase|pattern|char(acter)?|password|email|url|name|line|message|prefix|suffix", "str"),
    (r"flag|is_\w+|reverse|verbose|strict", "bool"),
    (r"(rate|ratio|radius|price|weight|height|temperature|celsius|fahrenheit|tolerance|epsilon|amount|percent(age)?)$", "float"),
    (r"[nkmxyabcij]\d?$|num(ber)?\d?$|count|size|length|limit|target|index|start|end|value|val|year|month|day|low|high|base|exp|age|width", "int"),
)  # fmt: skip
_STR_METHODS = frozenset(
    ["split", "lower", "upper", "strip", "lstrip", "rstrip", "replace", "startswith", "endswith", "isdigit", "isalpha", "isalnum",
     "isupper", "islower", "title", "capitalize", "swapcase", "splitlines", "encode", "zfill", "find", "rfind", "casefold", "isspace"]
)  # fmt: skip
_LIST_METHODS = frozenset(["append", "extend", "sort", "insert", "remove", "reverse"])
_DICT_METHODS = frozenset(["items", "keys", "values", "get", "setdefault"])
_SET_METHODS = frozenset(["union", "intersection", "difference", "issubset", "add", "discard"])


class Guess(NamedTuple):
    """One idea of what the arguments are."""

    types: tuple[Type, ...]
    names: tuple[str, ...]
    examples: tuple[tuple[Any, ...], ...]
    """Example calls that it comes from; empty for a guess from annotations, names and use."""
    trusted: bool
    """Read from example calls or complete annotations."""
    constants: tuple[Any, ...]
    """The program's own constants."""


def guesses(program: str, name: str, prompt: str) -> list[Guess]:
    """Guesses for a function of a program, the likeliest first; empty when it has no such function."""
    tree = parse_python(program)
    node = definition(tree, name) if tree is not None else None
    if tree is None or not isinstance(node, ast.FunctionDef):
        return []
    parameters = [*node.args.posonlyargs, *node.args.args]
    names = tuple(parameter.arg for parameter in parameters)
    defaults: list[ast.expr | None] = [None] * (len(parameters) - len(node.args.defaults)) + list(node.args.defaults)
    constants = tuple(_constants(tree))
    ideas: list[Guess] = []
    examples = tuple(call for call in example_calls(f"{prompt}\n{program}", name) if len(call) <= len(parameters))
    if examples:
        ideas.append(Guess(tuple(type_of(value) for value in examples[0]), names, examples, True, constants))
    options = [_options(argument, default, node) for argument, default in zip(parameters, defaults, strict=True)]
    annotated = all(argument.annotation is not None for argument in parameters)
    combinations = sorted(
        product(*(list(enumerate(option[:3])) for option in options)),
        key=lambda chosen: sum(rank for rank, _ in chosen),
    )
    for chosen in combinations[:MAX_GUESSES]:
        ideas.append(Guess(tuple(kind for _, kind in chosen), names, (), annotated and not examples, constants))
    return ideas


def arguments_of(guess: Guess, seed: int, count: int) -> list[tuple[Any, ...]]:
    """Up to `count` different argument tuples, the examples first."""
    if not guess.types:
        return [()]
    rng = Random(seed)
    constants = list(guess.constants)
    made = list(guess.examples)
    for _ in range(count * 3):
        if len(made) >= count + len(guess.examples):
            break
        if guess.examples:
            made.append(tuple(_varied(value, rng, constants) for value in rng.choice(guess.examples)))
        else:
            made.append(_related([_value(kind, rng, constants) for kind in guess.types], guess, rng))
    return _distinct(made)[:count]


def _related(values: list[Any], guess: Guess, rng: Random) -> tuple[Any, ...]:
    """What arguments often have to do with each other: a length beside a list, lists of one length, a part of a text."""
    lists = [index for index, value in enumerate(values) if isinstance(value, list)]
    texts = [index for index, value in enumerate(values) if isinstance(value, str)]
    for index, value in enumerate(values):
        if (
            type(value) is int
            and lists
            and re.fullmatch(r"(n|m|l|size|len|length|arr_?size|r|right|high|end)\d*", guess.names[index], re.I)
        ):
            length = len(values[lists[0]])
            if rng.random() < 0.7:
                values[index] = max(0, length - (guess.names[index].lower() in ("r", "right", "high", "end")))
        elif type(value) is int and lists and value >= len(values[lists[0]]) and rng.random() < 0.5:
            values[index] = rng.randint(0, len(values[lists[0]]))
    if len(lists) > 1 and rng.random() < 0.6:
        shortest = min(len(values[index]) for index in lists)
        for index in lists:
            values[index] = values[index][:shortest]
    if len(texts) > 1 and rng.random() < 0.5:
        longest = max(texts, key=lambda index: len(values[index]))
        text = values[longest]
        for index in texts:
            if index != longest and text:
                start = rng.randrange(len(text))
                values[index] = text[start : start + rng.randint(1, 4)]
    return tuple(values)


def _distinct(values: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list({repr(value): value for value in values}.values())


def example_calls(text: str, name: str) -> list[tuple[Any, ...]]:
    """Argument tuples of calls with literals in a text: `name(1, "a")`."""
    calls = []
    for match in list(re.finditer(rf"(?<![\w.]){re.escape(name)}\(", text))[:60]:
        depth, end = 0, None
        for index in range(match.end() - 1, min(len(text), match.end() + 2000)):
            depth += text[index] in "([{"
            depth -= text[index] in ")]}"
            if depth == 0:
                end = index + 1
                break
        tree = parse_python(text[match.start() : end]) if end else None
        call = tree.body[0].value if tree is not None and tree.body and isinstance(tree.body[0], ast.Expr) else None
        if not isinstance(call, ast.Call) or call.keywords:
            continue
        values = [literal(unparse([argument])) for argument in call.args]
        if values and all(known for known, _ in values):
            calls.append(tuple(value for _, value in values))
    return _distinct(calls)


def type_of(value: Any) -> Type:
    """The type of a plain value, one level deep."""
    if value is None:
        return "none"
    if isinstance(value, list | tuple | set | frozenset):
        name = {list: "list", tuple: "tuple"}.get(type(value), "set")
        return f"{name}[{type_of(next(iter(value))) if value else 'int'}]"
    return type(value).__name__


# ------------------------------------------------------------------------------------------ what a parameter may be


def _options(argument: ast.arg, default: ast.expr | None, function: ast.FunctionDef) -> list[Type]:
    """Types of one parameter, the likeliest first."""
    if argument.annotation is not None:
        known = _annotated(argument.annotation)
        if known != "any":
            return [known]
    weights: dict[Type, float] = {"int": 0.3, "list[int]": 0.2, "str": 0.2}
    if default is not None:
        known_default, value = literal(unparse([default]))
        if known_default and value is not None:
            weights[type_of(value)] = weights.get(type_of(value), 0) + 3
    for pattern, kind in _NAMES:
        if re.fullmatch(rf"(?:\w+_)?(?:{pattern})", argument.arg, re.IGNORECASE):
            weights[kind] = weights.get(kind, 0) + 1
            break
    for kind, weight in _uses(argument.arg, function):
        weights[kind] = weights.get(kind, 0) + weight
    return sorted(weights, key=lambda kind: -weights[kind])


def _annotated(node: ast.expr) -> Type:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        tree = parse_python(node.value)
        inner = tree.body[0].value if tree is not None and tree.body and isinstance(tree.body[0], ast.Expr) else None
        return _annotated(inner) if inner is not None else "any"
    if isinstance(node, ast.BinOp):
        return _annotated(node.left)
    name = unparse([node.value if isinstance(node, ast.Subscript) else node]).split(".")[-1].lower()
    parts: list[ast.expr] = []
    if isinstance(node, ast.Subscript):
        parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    inner_kind = _annotated(parts[0]) if parts else "int"
    inner_kind = "int" if inner_kind == "any" else inner_kind
    if name in ("optional", "union"):
        return inner_kind
    if name in ("list", "sequence", "iterable", "collection", "mutablesequence"):
        return f"list[{inner_kind}]"
    if name == "tuple":
        return f"tuple[{inner_kind}]" if len(parts) != 2 or unparse([parts[1]]) != "..." else f"list[{inner_kind}]"
    if name in ("set", "frozenset"):
        return f"set[{inner_kind}]"
    if name in ("dict", "mapping"):
        return "dict"
    return name if name in ("int", "float", "str", "bool") else "any"


def _uses(name: str, function: ast.FunctionDef) -> list[tuple[Type, float]]:
    """What the body does with a parameter, as weighted types."""
    uses: list[tuple[Type, float]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and _is(node.value, name):
            for methods, kind in (
                (_STR_METHODS, "str"),
                (_LIST_METHODS, "list[int]"),
                (_DICT_METHODS, "dict"),
                (_SET_METHODS, "set[int]"),
            ):
                if node.attr in methods:
                    uses.append((kind, 2.5))
        elif isinstance(node, ast.Call):
            called = unparse([node.func])
            if any(_is(argument, name) for argument in node.args):
                if called in ("range", "math.sqrt", "chr", "abs", "bin", "hex", "math.factorial"):
                    uses.append(("int", 2.0))
                elif called in (
                    "sum",
                    "sorted",
                    "max",
                    "min",
                    "len",
                    "list",
                    "set",
                    "enumerate",
                    "reversed",
                    "map",
                    "filter",
                    "zip",
                ):
                    uses += [
                        ("list[int]", 1.0),
                        ("str", 0.4 if called in ("len", "list", "set", "enumerate", "reversed") else 0.0),
                    ]
                elif called.startswith("re."):
                    uses.append(("str", 2.5))
                elif called in ("ord",):
                    uses.append(("str", 1.5))
        elif isinstance(node, ast.BinOp) and (_is(node.left, name) or _is(node.right, name)):
            other = node.right if _is(node.left, name) else node.left
            text = isinstance(other, ast.Constant) and isinstance(other.value, str)
            uses.append(("str", 1.5) if text else ("int", 0.8))
        elif isinstance(node, ast.Compare) and any(_is(side, name) for side in (node.left, *node.comparators)):
            kinds = [type(side.value) for side in (node.left, *node.comparators) if isinstance(side, ast.Constant)]
            if any(isinstance(operator, ast.In | ast.NotIn) for operator in node.ops):
                uses.append(("list[int]", 0.3))
            elif kinds:
                uses.append(("str" if kinds[0] is str else "int", 0.8))
        elif isinstance(node, ast.For | ast.comprehension) and _is(node.iter, name):
            uses += [("list[int]", 1.0), ("str", 0.5), *_items_used(node.target, function)]
        elif isinstance(node, ast.Subscript):
            if _is(node.value, name):
                uses += [("list[int]", 0.8), ("str", 0.4), ("dict", 0.2)]
            elif isinstance(node.value, ast.Subscript) and _is(node.value.value, name):
                uses.append(("list[list[int]]", 3.5))
    return uses


def _items_used(target: ast.expr, function: ast.FunctionDef) -> list[tuple[Type, float]]:
    """What the items of a parameter are used as."""
    if isinstance(target, ast.Tuple):
        return [("list[list[int]]", 2.0), ("list[tuple[int]]", 2.5 if len(target.elts) == 2 else 0.0)]
    if not isinstance(target, ast.Name):
        return []
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and _is(node.value, target.id):
            return [("list[list[int]]", 2.0), ("list[str]", 0.5)]
        if isinstance(node, ast.Attribute) and _is(node.value, target.id) and node.attr in _STR_METHODS:
            return [("list[str]", 2.0), ("str", 1.0)]
        if isinstance(node, ast.For | ast.comprehension) and _is(node.iter, target.id):
            return [("list[list[int]]", 2.0), ("list[str]", 0.5)]
        if (
            isinstance(node, ast.Call)
            and unparse([node.func]) == "len"
            and any(_is(argument, target.id) for argument in node.args)
        ):
            return [("list[str]", 1.2), ("list[list[int]]", 1.0)]
    return []


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


# ------------------------------------------------------------------------------------------ values


def _constants(tree: ast.Module) -> list[Any]:
    """Small constants of the program: the values around which its behaviour changes."""
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    numbers = [value for value in values if type(value) is int and abs(value) < 10_000]
    texts = [value for value in values if isinstance(value, str) and 0 < len(value) <= 20]
    return [*dict.fromkeys(numbers), *dict.fromkeys(texts)][:40]


def _value(kind: Type, rng: Random, constants: list[Any]) -> Any:
    outer, _, rest = kind.partition("[")
    inner = rest[:-1] or "int"
    if kind == "int":
        numbers = [value for value in constants if type(value) is int]
        if numbers and rng.random() < 0.3:
            return rng.choice(numbers) + rng.choice((-1, 0, 1))
        return rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 24, 36, 97, 100, -1, -4, rng.randint(1, 60)])
    if kind == "float":
        return round(rng.choice([0.0, 0.5, 1.0, 2.5, 3.75, 10.0, -1.5, rng.random() * 50]), 3)
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "none":
        return None
    if kind == "str":
        texts = [value for value in constants if isinstance(value, str)]
        if texts and rng.random() < 0.2:
            return rng.choice(texts) + rng.choice(["", "a", " b"])
        letters = [letter for text in texts if " " not in text for letter in text if letter.isalnum()]
        if letters and rng.random() < 0.4:  # the letters that the program's own patterns speak of
            return "".join(rng.choice(letters[:12]) for _ in range(rng.randint(1, 8)))
        if rng.random() < 0.4:
            return "".join(rng.choice("aabbcdeXY 01") for _ in range(rng.randint(1, 9)))
        return rng.choice(_WORDS)
    if outer == "dict":
        return {rng.choice("abcdefg"): rng.randint(0, 9) for _ in range(rng.randint(1, 5))}
    length = rng.choice([0, 1, 2, 3, 3, 4, 5, 6, 7])
    if inner.startswith("list") and outer == "list":  # tables are mostly rectangular
        width = rng.randint(1, 4)
        return [[_value(inner[5:-1] or "int", rng, constants) for _ in range(width)] for _ in range(max(1, length))]
    if inner.startswith("tuple") and outer == "list":
        return [tuple(_value(inner[6:-1] or "int", rng, constants) for _ in range(2)) for _ in range(max(1, length))]
    values = [_value(inner, rng, constants) for _ in range(length)]
    if outer == "list":
        return sorted(values) if inner in ("int", "float", "str") and rng.random() < 0.3 else values
    if outer == "tuple":
        return tuple(values)
    return {value for value in values if value.__hash__ is not None}


def _varied(value: Any, rng: Random, constants: list[Any]) -> Any:
    """A value of the same make as an example's."""
    if rng.random() < 0.25:
        return value
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice([-2, -1, 1, 2, 3, 5]) if rng.random() < 0.7 else _value("int", rng, constants)
    if isinstance(value, float):
        return round(value * rng.choice([0.5, 1.5, 2.0]) + rng.choice([0, 1]), 4)
    if isinstance(value, str):
        return _varied_text(value, rng)
    if isinstance(value, list | tuple):
        items = [_varied(item, rng, constants) if rng.random() < 0.6 else item for item in value]
        if isinstance(value, list) and items and rng.random() < 0.5:
            if rng.random() < 0.5:
                items.pop(rng.randrange(len(items)))
            else:
                items.insert(rng.randrange(len(items) + 1), rng.choice(items))
        if rng.random() < 0.2:
            rng.shuffle(items)
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: _varied(item, rng, constants) for key, item in value.items() if rng.random() < 0.85}
    if isinstance(value, set):
        return {_varied(item, rng, constants) for item in value}
    return value


def _varied_text(text: str, rng: Random) -> str:
    characters = list(text)
    draw = rng.random()
    if not characters:
        return "a"
    place = rng.randrange(len(characters))
    if draw < 0.3:
        characters[place] = rng.choice(characters)
    elif draw < 0.5:
        characters.pop(place)
    elif draw < 0.7:
        characters.insert(place, rng.choice(characters))
    elif draw < 0.85:
        characters.reverse()
    else:
        rng.shuffle(characters)
    return "".join(characters)
