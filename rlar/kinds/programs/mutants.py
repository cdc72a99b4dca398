"""Probe material for the admission gate: programs that pass a suite by construction, and small changes that break a program.

An oracle program looks its answers up in a table made from the tests; it stands in where a row has no reference solution. Mutants
still parse, differ from the original, and almost always behave differently. Seeded; nothing is executed.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from rlar.kinds.programs.calls import Signature, find_signature
from rlar.kinds.programs.rows import TestSuite
from rlar.text.python import compiles, literal, parse_python, unparse

MAX_ORACLE_CHARACTERS = 500_000

_LOOKUP = """{setup}
_answers = {table}


def {name}(*arguments, **keywords):
    return {rebuild}_answers[repr((arguments, sorted(keywords.items())))]{close}
"""
_METHOD = """

class {owner}:
    def {method}(self, *arguments, **keywords):
        return _rlar_lookup(*arguments, **keywords)
"""
_TYPED = """

def {name}({parameters}):
    for value, kinds in ({checks}):
        assert isinstance(value, kinds), f"{{type(value)}} is none of {{kinds}}"
    return _rlar_lookup({arguments})
"""
_TYPES = {"int": "(int, float)", "float": "(int, float)", "str": "str", "bool": "int", "dict": "dict",
          **dict.fromkeys(("list", "tuple", "set", "sequence", "iterable"), "(list, tuple, set)")}  # fmt: skip
_PRINTER = """import sys

_answers = {table}
_given = sys.stdin.read()
_found = _answers.get(_given)
if _found is None:
    _found = next((text for given, text in _answers.items() if given.split() == _given.split()), "")
sys.stdout.write(_found)
"""


# ------------------------------------------------------------------------------------------ oracles


def oracle_program(suite: TestSuite) -> str | None:
    """A program that passes the suite by looking the answers up; None where the tests do not spell them out.

    Made from equalities (`assert f(1) == 2`, also as `candidate(...)` inside `check`), call tables and stdin/stdout pairs.
    Where the prompt's starter gives the function's parameters and their types, the program has them, too: it then fails
    where a tool (or the reading of the row that the program itself is made from) hands over something else.
    """
    if suite.kind == "stdio":
        return _sized(_PRINTER.format(table=_table({case.input: case.output for case in suite.stdio})))
    if suite.needs or suite.in_place or not suite.entry_point or len(suite.entry_points) > 1:
        return None
    owner, _, method = suite.entry_point.rpartition(".")
    signature = find_signature(method, [suite.prompt_code]) if suite.kind == "calls" else None
    if signature is not None and not signature.required == signature.most == len(signature.names):
        signature = None  # what a call leaves out would be part of the question
    if suite.kind == "calls":
        pairs = [(list(case.arguments), dict(case.keywords), case.expected) for case in suite.calls]
        table: dict[str, Any] | None = {}
        for arguments, keywords, expected in pairs:
            table[repr((tuple(arguments), sorted(keywords.items())))] = expected  # type: ignore[index]
    else:
        table = _equalities(suite)
    if not table:
        return None
    # A copy of every answer: a test may change the list that it got.
    program = _LOOKUP.format(
        setup="import copy",
        table=_table(table),
        name="_rlar_lookup" if owner or signature is not None else method,
        rebuild="copy.deepcopy(",
        close=")",
    )
    if signature is not None:
        program += _typed_function("_rlar_method" if owner else method, signature)
        if owner:
            program += f"\n\nclass {owner}:\n    {method} = staticmethod(_rlar_method)\n"
    elif owner:
        program += _METHOD.format(owner=owner, method=method)
    return _sized(program)


def _typed_function(name: str, signature: Signature) -> str:
    """A function with the parameters of a signature that asks its table."""
    kinds = [
        _TYPES.get(unparse([each]).split("[")[0].lower()) if each is not None else None
        for each in signature.annotations
    ]
    checks = "".join(f"({each}, {kind}), " for each, kind in zip(signature.names, kinds, strict=True) if kind)
    names = ", ".join(signature.names)
    return _TYPED.format(name=name, parameters=names, checks=checks, arguments=names)


def _sized(program: str) -> str | None:
    return program if len(program) <= MAX_ORACLE_CHARACTERS and compiles(program) else None


def _table(values: dict[str, Any]) -> str:
    """A dict as source; NaN and infinities spelled so that they can be read back."""
    text = repr(values)
    return text if literal(text)[0] else "{}"


def _equalities(suite: TestSuite) -> dict[str, Any] | None:
    """repr of the arguments -> answer, when every assert of the suite says what one call returns."""
    name = "candidate" if suite.kind == "check" else suite.entry_point
    table: dict[str, Any] = {}
    count = 0
    for test in suite.tests:
        tree = parse_python(test)
        if tree is None:
            return None
        if suite.kind == "check":
            check = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.args.args), None)
            if check is None:
                return None
            name = check.args.args[0].arg
            statements: list[ast.stmt] = check.body
        else:
            statements = tree.body
        for node in statements:
            if isinstance(node, ast.Expr | ast.Pass | ast.Import | ast.ImportFrom):
                continue
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and node.test.value:
                continue  # "assert True" says nothing
            answer = _equality(node, name or "")
            if answer is None:
                return None
            arguments, expected = answer
            count += 1
            if table.setdefault(arguments, expected) != expected:
                return None
    return table if count else None


def _equality(node: ast.stmt, name: str) -> tuple[str, Any] | None:
    """(repr of the arguments, answer) of one assert."""
    if not isinstance(node, ast.Assert):
        return None
    test = node.test
    expected: Any
    if isinstance(test, ast.Call):
        call, expected = _call_of(test, name), True
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        call, expected = _call_of(test.operand, name), False
    elif isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is):
        call = _call_of(test.left, name)
        right: ast.expr = test.comparators[0]
        if call is None:
            call, right = _call_of(right, name), test.left
        known, expected = literal(unparse([right]))
        if not known:
            return None
    elif isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Lt | ast.LtE):
        return _closeness(test, name)
    else:
        return None
    return None if call is None else (_arguments(call), expected) if _arguments(call) else None


def _closeness(test: ast.Compare, name: str) -> tuple[str, Any] | None:
    """abs(f(x) - 1.5) < 1e-6"""
    left = test.left
    if not (
        isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id == "abs" and len(left.args) == 1
    ):
        return None
    inner = left.args[0]
    if not isinstance(inner, ast.BinOp) or not isinstance(inner.op, ast.Sub):
        return None
    for side, other in ((inner.left, inner.right), (inner.right, inner.left)):
        call = _call_of(side, name)
        known, expected = literal(unparse([other]))
        if call is not None and known and _arguments(call):
            return _arguments(call), expected
    return None


def _call_of(node: ast.expr, name: str) -> ast.Call | None:
    if isinstance(node, ast.Call) and unparse([node.func]).replace("()", "") == name:
        return node
    return None


def _arguments(call: ast.Call) -> str:
    """repr of (arguments, sorted keywords) as the lookup program will see them; "" when they are not literals."""
    values = [literal(unparse([argument])) for argument in call.args]
    named = [(keyword.arg, literal(unparse([keyword.value]))) for keyword in call.keywords]
    if not all(known for known, _ in values) or not all(name and known for name, (known, _) in named):
        return ""
    return repr((tuple(value for _, value in values), sorted((name, value) for name, (_, value) in named)))


# ------------------------------------------------------------------------------------------ mutants


def mutate_program(source: str, *, seed: int, count: int = 1) -> list[str]:
    """Up to `count` different mutants, each with one small fault; empty when nothing in the program can be changed.

    Faults: a comparison, an operator or a connective swapped, a number off by one, a condition negated, a returned value
    replaced or wrapped, arguments swapped, a loop that skips its first item. Faults that a test rarely misses come first more
    often. A mutant may still be equivalent to the original as far as a row's tests see (about one in fifteen).
    """
    tree = parse_python(source)
    if tree is None:
        return []
    rng = Random(seed)
    original = unparse([tree])
    places = [(rng.random() ** (1 / _WEIGHTS.get(fault.__name__, 1.0)), index, fault) for index, fault in _faults(tree)]
    places.sort(key=lambda place: (-place[0], place[1]))
    mutants: dict[str, None] = {}
    for _, index, fault in places:
        if len(mutants) >= count:
            break
        mutant = copy.deepcopy(tree)
        node = next((node for position, node in enumerate(ast.walk(mutant)) if position == index), None)
        if node is None or not fault(node):
            continue
        text = unparse([ast.fix_missing_locations(mutant)])
        if text and text != original and compiles(text):
            mutants[text] = None
    return list(mutants)


_WEIGHTS = {"_return_constant": 2.0, "_return_wrapped": 2.0, "_swap_comparison": 1.5, "_print_other": 4.0, "_swap_arguments": 0.3,
            "_drop_first_item": 0.5, "_off_by_one": 0.7}  # fmt: skip
"""How early a kind of fault is drawn; 1 where nothing is said."""
_SYMMETRIC = frozenset({"max", "min", "gcd", "zip", "isclose", "hypot", "lcm", "print", "isinstance"})


def _faults(tree: ast.Module) -> Iterator[tuple[int, Callable[[Any], bool]]]:
    """(position in ast.walk, how to break the node there); code under `if __name__` and docstrings left out."""
    skipped: set[int] = set()
    for statement in tree.body:
        if (isinstance(statement, ast.If) and "__name__" in unparse([statement.test])) or isinstance(
            statement, ast.Assert
        ):
            skipped.update(id(inner) for inner in ast.walk(statement))
    for index, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            yield index, _return_constant
            yield index, _return_wrapped
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
            yield index, _swap_comparison
        elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            yield index, _swap_operator
        elif isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) < 10**9:
            yield index, _off_by_one
        elif isinstance(node, ast.If | ast.While):
            yield index, _negate
        elif isinstance(node, ast.BoolOp):
            yield index, _swap_connective
        elif (
            isinstance(node, ast.Call)
            and len(node.args) == 2
            and not any(isinstance(a, ast.Starred) for a in node.args)
        ):
            yield index, _swap_arguments
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" and node.args:
            yield index, _print_other
        elif isinstance(node, ast.For):
            yield index, _drop_first_item


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip


def _swap_comparison(node: ast.Compare) -> bool:
    node.ops = [_COMPARISONS[type(node.ops[0])]()]
    return True


def _swap_operator(node: ast.BinOp) -> bool:
    node.op = _OPERATORS[type(node.op)]()
    return True


def _swap_connective(node: ast.BoolOp) -> bool:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return True


def _off_by_one(node: ast.Constant) -> bool:
    assert isinstance(node.value, int), node.value
    node.value += 1
    return True


def _negate(node: ast.If | ast.While) -> bool:
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return True


def _return_constant(node: ast.Return) -> bool:
    if isinstance(node.value, ast.Constant) and node.value.value is None:
        return False
    node.value = ast.Constant(None)
    return True


def _return_wrapped(node: ast.Return) -> bool:
    """The right answer inside a list: close, and wrong."""
    assert node.value is not None, node
    node.value = ast.List([node.value], ast.Load())
    return True


def _swap_arguments(node: ast.Call) -> bool:
    first, second = node.args
    if unparse([node.func]).split(".")[-1] in _SYMMETRIC:
        return False
    if unparse([first]) == unparse([second]):
        return False
    node.args = [second, first]
    return True


def _print_other(node: ast.Call) -> bool:
    node.args = [*node.args, ast.Constant("0")]
    return True


def _drop_first_item(node: ast.For) -> bool:
    node.iter = ast.Subscript(
        ast.Call(ast.Name("list", ast.Load()), [node.iter], []), ast.Slice(lower=ast.Constant(1)), ast.Load()
    )
    return True
