"""calculator: arithmetic by tool calls; the answer is judged by the registry's tools."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any, ClassVar

from rlar.trainer.environments.tools import ToolEnvironment

LONGEST = 200
"""Characters of an expression."""
MOST_BITS = 1_024
"""Of a whole number on the way."""

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_NAMES: dict[str, Any] = {
    "pi": math.pi, "e": math.e, "sqrt": math.sqrt, "abs": abs, "round": round, "min": min, "max": max, "log": math.log,
    "exp": math.exp, "sin": math.sin, "cos": math.cos, "tan": math.tan, "gcd": math.gcd,
}  # fmt: skip


class Calculator(ToolEnvironment):
    """One tool, `calculate`."""

    summary: ClassVar[str] = "arithmetic by tool calls"
    offers: ClassVar[tuple[str, ...]] = ("calculate",)

    def calculate(self, expression: str) -> str:
        """
        Work out an arithmetic expression and return its value.

        Args:
            expression: Numbers, + - * / // % **, parentheses, sqrt, abs, round, min, max, log, exp, sin, cos, tan, gcd, pi, e.
        """
        try:
            if len(expression) > LONGEST:
                raise ValueError(f"the expression is longer than {LONGEST} characters")
            value = _value(ast.parse(expression.strip(), mode="eval").body)
        except ZeroDivisionError:
            return "error: division by zero"
        except (ValueError, TypeError, ArithmeticError, SyntaxError, RecursionError, MemoryError) as error:
            return f"error: {str(error)[:120]}"
        return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else f"{value}"


def _value(node: ast.expr) -> Any:
    """The number that an expression stands for. Raises ValueError for what is not arithmetic or grows without bound."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _bounded(node.value)
    if isinstance(node, ast.Name) and isinstance(_NAMES.get(node.id), float):
        return _NAMES[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = _value(node.operand)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = _value(node.left), _value(node.right)
        whole = isinstance(node.op, ast.Pow) and isinstance(left, int) and isinstance(right, int)
        if whole and left.bit_length() * abs(right) > MOST_BITS:
            raise ValueError("the power is too large")
        return _bounded(_BINARY[type(node.op)](left, right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and callable(_NAMES.get(node.func.id)):
        if node.keywords:
            raise ValueError(f"{node.func.id} takes no names of arguments")
        return _bounded(_NAMES[node.func.id](*(_value(argument) for argument in node.args)))
    raise ValueError(f"not arithmetic: {type(node).__name__}")


def _bounded(value: Any) -> Any:
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("the value is no finite real number")
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ValueError("the value is too large")
    return value
