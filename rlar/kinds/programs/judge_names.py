"""Names that programs use without importing them, because the judges that their tasks come from import them beforehand.

LeetCode and its relatives show a starter such as `def f(self, nums: List[int])` and import for the solution; LiveCodeBench
publishes what it imports (lcb_runner/evaluation/testing_util.py, MIT). Here a program is given only what it reads and does
not bind, so that no name of its own changes its meaning.
"""

from __future__ import annotations

import ast
import bisect
import collections
import copy
import datetime
import functools
import heapq
import io
import itertools
import json
import math
import operator
import random
import re
import statistics
import string
import sys
import typing
from functools import cache

from rlar.text.python import free_names, parse_python

_LOADED = {
    module.__name__: module
    for module in (
        string, re, datetime, collections, heapq, bisect, copy, math, random, statistics, itertools, functools, operator, io,
        sys, json, typing,
    )
}  # fmt: skip
"""By name, in the order of the published `from ... import *`: a later module's name wins."""
_FIRST = ("collections", "functools", "math")
"""Whose names win over others of the same name: `Counter` is a class first, a type second."""
_ALIASES = {"np": "import numpy as np", "numpy": "import numpy", "pd": "import pandas as pd"}
_DEEP = "import sys as _sys; _sys.setrecursionlimit(50000); del _sys"


@cache
def _import_lines() -> dict[str, str]:
    """Name -> the statement that brings it."""
    lines: dict[str, str] = {}
    for module in (*_LOADED, *_FIRST):
        names = vars(_LOADED[module])
        public = names.get("__all__") or [name for name in names if not name.startswith("_")]
        lines |= {name: f"from {module} import {name}" for name in public}
    return lines | {module: f"import {module}" for module in _LOADED} | _ALIASES


def missing_names(code: str) -> set[str]:
    """Of the names that code reads and binds nowhere, those that a judge would have imported."""
    tree = parse_python(code)
    return free_names(tree) & _import_lines().keys() if tree is not None else set()


def with_usual_names(program: str) -> str:
    """The program with the imports that it lacks before it, and the recursion limit of those judges after it."""
    tree = parse_python(program)
    if tree is None:
        return program
    lines = "; ".join(_import_lines()[name] for name in sorted(free_names(tree) & _import_lines().keys()))
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    rows = program.split("\n")
    place = (future[-1].end_lineno or 1) if future else 0
    return "\n".join([*rows[:place], *([lines] if lines else []), *rows[place:], _DEEP])
