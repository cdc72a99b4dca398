"""One task, written down as datasets do: a table of calls in any of their forms, a starter or none, a reference or none."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple


class Task(NamedTuple):
    """A function with its types, what it is asked in words, and calls of it."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    returns: str
    body: str
    asks: str
    arguments: tuple[tuple[Any, ...], ...]
    wrong: str
    """A body that gives other results."""

    def source(self, shape: str, *, typed: bool, body: str | None = None, imports: str = "") -> str:
        """The solution as a function or as a method of `Solution`; the starter for an empty body."""
        names = [f"{name}: {kind}" if typed else name for name, kind in self.parameters]
        arrow = f" -> {self.returns}" if typed else ""
        lines = (self.body if body is None else body).split("\n") if body != "" else [""]
        if shape == "function":
            return f"{imports}def {self.name}({', '.join(names)}){arrow}:\n" + "\n".join(
                f"    {line}" for line in lines
            )
        inner = f"    def {self.name}({', '.join(['self', *names])}){arrow}:\n"
        return f"{imports}class Solution:\n{inner}" + "\n".join(f"        {line}" for line in lines)

    def results(self) -> list[Any]:
        """What the calls give."""
        namespace: dict[str, Any] = {}
        exec(f"from typing import *\n{self.source('function', typed=False)}", namespace)  # our own text, written below
        return [namespace[self.name](*json.loads(json.dumps(arguments))) for arguments in self.arguments]


TASKS = [
    Task("gap", (("values", "List[int]"),), "int", "return max(values) - min(values)", "the distance between the largest and the smallest value",
         (([4, 9, 1],), ([7],), ([-3, 8],)), "return max(values)"),
    Task("tail", (("text", "str"), ("k", "int")), "str", "return text[-k:] if k else ''", "the last k characters of a text",
         (("lantern", 3), ("ab", 0), ("x y z", 2)), "return text[:k]"),
    Task("digits", (("n", "int"),), "List[int]", "return [int(d) for d in str(n)]", "the digits of n as a list", ((407,), (5,), (12,)),
         "return [n]\n"),
    Task("paired", (("a", "List[int]"), ("b", "List[int]")), "List[List[int]]", "return [[x, y] for x, y in zip(a, b)]", "the lists' items, paired",
         (([1, 2], [3, 4]), ([5], [6]), ([], [])), "return [a, b]"),
    Task("twice", (("n", "int"),), "str", "return str(n) * 2", "the digits of n, written twice", ((12,), (0,), (7,)), "return n * 2"),
    Task("even", (("n", "int"),), "bool", "return n % 2 == 0", "whether n is even", ((4,), (7,), (0,)), "return n % 2 == 1"),
    Task("mean", (("values", "List[float]"),), "float", "return sum(values) / len(values)", "the mean", (([1, 2],), ([3.5],), ([1, 1, 2],)),
         "return sum(values)"),
    Task("first", (("words", "List[str]"), ("letter", "str")), "Optional[str]", "return next((w for w in words if w.startswith(letter)), None)",
         "the first word that starts with a letter, or nothing", ((["oak", "elm"], "e"), (["fir"], "x"), (["yew", "yarrow"], "y")),
         "return words[-1]"),
    Task("flat", (("grid", "List[List[str]]"),), "str", "return ''.join(c for row in grid for c in row)", "all letters of a grid in one text",
         (([["a", "b"], ["c"]],), ([["x"]],), ([[], ["q"]],)), "return str(grid)"),
    Task("count", (("text", "str"),), "Dict[str, int]", "return {c: text.count(c) for c in text}", "how often each letter occurs",
         (("aab",), ("",), ("xyx",)), "return {c: 1 for c in text}"),
]  # fmt: skip


def _encoded(value: Any) -> str:
    return json.dumps(value)


FORMS: dict[str, Callable[[Task, list[Any]], dict[str, Any]]] = {
    "values": lambda task, results: {
        "fn_name": task.name, "inputs": [list(each) for each in task.arguments], "outputs": results,
    },
    "values, results in lists": lambda task, results: {
        "fn_name": task.name, "inputs": [list(each) for each in task.arguments], "outputs": [[each] for each in results],
    },
    "lines of JSON": lambda task, results: {
        "fn_name": task.name, "inputs": ["\n".join(map(_encoded, each)) for each in task.arguments], "outputs": list(map(_encoded, results)),
    },
    "lists as JSON": lambda task, results: {
        "fn_name": task.name, "inputs": [_encoded(list(each)) for each in task.arguments], "outputs": list(map(_encoded, results)),
    },
    "values, results as JSON": lambda task, results: {
        "fn_name": task.name, "inputs": [list(each) for each in task.arguments], "outputs": list(map(_encoded, results)),
    },
    "a text for every argument": lambda task, results: {
        "fn_name": task.name, "inputs": [list(map(_encoded, each)) for each in task.arguments], "outputs": list(map(_encoded, results)),
    },
    "names": lambda task, results: {
        "fn_name": task.name,
        "inputs": [dict(zip([name for name, _ in task.parameters], each, strict=True)) for each in task.arguments], "outputs": results,
    },
    "assignments": lambda task, results: {
        "fn_name": task.name,
        "inputs": [", ".join(f"{name} = {value!r}" for (name, _), value in zip(task.parameters, each, strict=True)) for each in task.arguments],
        "outputs": list(map(repr, results)),
    },
    "calls": lambda task, results: {
        "fn_name": task.name, "inputs": [f"{task.name}({', '.join(map(repr, each))})" for each in task.arguments], "outputs": list(map(repr, results)),
    },
}  # fmt: skip


def row(task: Task, form: str, *, starter: str, reference: bool, rng: random.Random) -> dict[str, Any]:
    """A row as published: the table as JSON text or as a value, in one column or a list of tests.

    Args:
        starter: "none", "bare" or "typed"; "class" for a typed method of Solution.
    """
    table = FORMS[form](task, task.results())
    prompt = f"Write a Python function `{task.name}`. It returns {task.asks}."
    if starter != "none":
        shape = "class" if starter == "class" else "function"
        code = task.source(shape, typed=starter != "bare", body="")
        prompt += f"\n\nUse this starter code:\n```python\n{code}\n```"
    made: dict[str, Any] = {"prompt": prompt}
    draw = rng.random()
    if draw < 0.3:
        tests = [
            {"input": given, "output": expected, "testtype": "functional", "fn_name": task.name}
            for given, expected in zip(table["inputs"], table["outputs"], strict=True)
        ]
        made["tests"] = json.dumps(tests) if draw < 0.15 else tests
    else:
        made["tests"] = json.dumps(table) if draw < 0.7 else table
    if reference:
        made["reference"] = task.source("function", typed=False)
    return made
