"""Mutants of reward tools: the same tool, wrong in one way. For trying the gate, never for scoring.

Two kinds. Wrapped: what verifiers have really been wrong in (true on exception, substring instead of equality, ignored
sign, ...), made around any tool. Rewritten: one change in the source of a library tool's own module (a comparison, a
condition, a constant, a normalisation left out), compiled as a module of its own.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rlar.errors import boundary
from rlar.gate.gate import tool_role
from rlar.gate.run import Trial
from rlar.tool import LibraryTool, Resources, RewardTool
from rlar.types import Sample, Score, ToolSpec, abstain, ok

Around = Callable[[RewardTool, Sample], Score]


@dataclass(frozen=True)
class Mutant:
    """How to make one wrong tool."""

    name: str
    operator: str
    """What kind of mistake; names of one operator differ in the place."""
    make: Callable[[], RewardTool]


class Wrapped:
    """A tool whose every verdict goes through a function that may be wrong."""

    def __init__(self, inner: RewardTool, name: str, around: Around) -> None:
        self.spec = _spec(inner.spec, name, tool_role(inner))
        self._inner, self._around = inner, around

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        return [self._around(self._inner, sample) for sample in samples]


def _spec(spec: ToolSpec, name: str, role: str) -> ToolSpec:
    # Another source: the gate's second process must not load the unmutated tool in its place.
    return ToolSpec(kind=spec.kind, name=spec.name, source=f"mutant:{name}", params={**spec.params, "role": role})


# ------------------------------------------------------------------------------------------ wrapped


def _one(tool: RewardTool, sample: Sample) -> Score:
    return tool.score([sample])[0]


def _always(value: float) -> Around:
    return lambda tool, sample: ok(value) if _one(tool, sample).status == "ok" else _one(tool, sample)


def _inverted(tool: RewardTool, sample: Sample) -> Score:
    score = _one(tool, sample)
    return ok(1.0 - score.value) if score.value is not None else score


def _true_on_exception(tool: RewardTool, sample: Sample) -> Score:
    score = _one(tool, sample)
    explained = score.explanation.casefold()
    if score.status != "ok" or re.search(r"\bno\b|not found|cannot|nothing|empty|unreadable|error|syntax", explained):
        return ok(1.0)
    return score


def _substring(tool: RewardTool, sample: Sample) -> Score:
    contains = any(one and one.strip().casefold() in sample.completion.casefold() for one in sample.references)
    return ok(1.0) if contains else _one(tool, sample)


def _no_normalisation(tool: RewardTool, sample: Sample) -> Score:
    score = _one(tool, sample)
    if score.value is None or not sample.references:
        return score
    return ok(score.value if sample.completion in sample.references else 0.0)


def _unsigned(text: str) -> str:
    return re.sub(r"[-−–](?=\s?[\d.$])|\b(?:minus|negative)\s+", "", text)


def _ignored_sign(tool: RewardTool, sample: Sample) -> Score:
    changed = {
        "completion": _unsigned(sample.completion),
        "reference": None if sample.reference is None else _unsigned(sample.reference),
        "references": tuple(_unsigned(one) for one in sample.references),
    }
    return _one(tool, sample.model_copy(update=changed))


def _off_by_one(tool: RewardTool, sample: Sample) -> Score:
    score = _one(tool, sample)
    if score.value is None or score.value >= 0.5:
        return score
    for step in (1, -1):
        near = re.sub(r"\d+(?!.*\d)", lambda match, step=step: str(max(0, int(match.group()[:18]) + step)), sample.completion, flags=re.S)  # type: ignore[misc]  # fmt: skip
        if near != sample.completion and (_one(tool, sample.model_copy(update={"completion": near})).value or 0) >= 0.5:
            return ok(1.0)
    return score


def _reads_reference_only(tool: RewardTool, sample: Sample) -> Score:
    return _one(tool, sample.model_copy(update={"completion": sample.reference or sample.completion}))


def _length_only(tool: RewardTool, sample: Sample) -> Score:
    score = _one(tool, sample)
    return ok(min(1.0, len(sample.completion) / 400)) if score.value is not None else score


def _first_line(tool: RewardTool, sample: Sample) -> Score:
    head = next((line for line in sample.completion.splitlines() if line.strip()), "")
    return _one(tool, sample.model_copy(update={"completion": head}))


def _any_line(tool: RewardTool, sample: Sample) -> Score:
    best = _one(tool, sample)
    for line in [line for line in re.split(r"[\n,;]", sample.completion) if line.strip()][:12]:
        score = _one(tool, sample.model_copy(update={"completion": line}))
        if score.value is not None and (best.value is None or score.value > best.value):
            best = score
    return best


def _generous(tool: RewardTool, sample: Sample) -> Score:
    score = _one(tool, sample)
    return ok(max(score.value, 0.6)) if score.value is not None and sample.completion.strip() else score


def _believes(tool: RewardTool, sample: Sample) -> Score:
    claims = re.search(r"score\s*[:=]\s*1|correct answer|ignore (?:all|the|previous)|10/10", sample.completion, re.I)
    return ok(1.0) if claims else _one(tool, sample)


def _silent_when_wrong(tool: RewardTool, sample: Sample) -> Score:
    score = _one(tool, sample)
    return abstain("mutant") if score.value is not None and score.value < 0.5 else score


def _shaky(tool: RewardTool, sample: Sample) -> Score:
    score = _one(tool, sample)
    if score.value is None:
        return score
    _SHAKY_CALLS[0] += 1
    return ok(1.0 - score.value) if _SHAKY_CALLS[0] % 7 == 0 else score


_SHAKY_CALLS = [0]


def _crashes_on_long(tool: RewardTool, sample: Sample) -> Score:
    if len(sample.completion) > 200:
        raise ValueError("mutant: too long")
    return _one(tool, sample)


WRAPPED: dict[str, Around] = {
    "always one": _always(1.0),
    "always zero": _always(0.0),
    "always one half": _always(0.5),
    "inverted": _inverted,
    "true on exception or when nothing is found": _true_on_exception,
    "substring instead of equality": _substring,
    "dropped normalisation": _no_normalisation,
    "ignored sign": _ignored_sign,
    "off by one": _off_by_one,
    "reads the reference only": _reads_reference_only,
    "length only": _length_only,
    "first line only": _first_line,
    "any line or part counts": _any_line,
    "never below 0.6": _generous,
    "believes what it is told": _believes,
    "abstains when wrong": _silent_when_wrong,
    "wrong at every seventh call": _shaky,
    "crashes on long completions": _crashes_on_long,
}


def wrapped(tool: RewardTool) -> list[Mutant]:
    """The wrapped mutants of a tool."""

    def maker(name: str, around: Around) -> Callable[[], RewardTool]:
        return lambda: Wrapped(tool, name, around)

    return [Mutant(name, name, maker(name, around)) for name, around in WRAPPED.items()]


# ------------------------------------------------------------------------------------------ rewritten

NORMALISERS = frozenset(
    {"fold", "tidy", "squeeze", "clean", "plain", "canonical", "squashed", "visible_answer", "casefold", "lower", "strip",
     "rstrip", "lstrip", "without_article", "reference_answer", "normalize", "sorted", "tokens"}
)  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


class _Rewrite(ast.NodeTransformer):
    """Counts the places where a change can be made; makes the change at one of them."""

    def __init__(self, target: int = -1) -> None:
        self.places: list[tuple[str, int]] = []
        """(operator, line) of every place."""
        self._target = target

    def _here(self, operator: str, node: ast.AST) -> bool:
        self.places.append((operator, getattr(node, "lineno", 0)))
        return len(self.places) - 1 == self._target

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if self._here("comparison turned round", node):
            node.ops = [_COMPARISONS[type(node.ops[0])](), *node.ops[1:]]
        for index, side in enumerate(node.comparators):
            is_number = isinstance(side, ast.Constant) and type(side.value) is int
            if is_number and self._here("off by one", node):
                assert isinstance(side, ast.Constant) and isinstance(side.value, int), side
                node.comparators[index] = ast.copy_location(ast.Constant(side.value + 1), side)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        if self._here("and for or", node):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return node.operand if isinstance(node.op, ast.Not) and self._here("not left out", node) else node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if self._here("condition never met", node):
            node.test = ast.copy_location(ast.Constant(False), node.test)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name == "ok" and node.args and isinstance(node.args[0], ast.Constant):
            value = node.args[0].value
            if value in (0.0, 1.0) and self._here("zero for one", node):
                node.args[0] = ast.copy_location(ast.Constant(1.0 - float(str(value))), node.args[0])
        elif name in NORMALISERS:
            kept = node.args[0] if node.args and isinstance(node.func, ast.Name) else getattr(node.func, "value", None)
            if kept is not None and self._here(f"{name}() left out", node):
                return ast.copy_location(kept, node)
        return node


def rewritten(tool: LibraryTool, resources: Resources, *, count: int, seed: int) -> list[Mutant]:
    """At most `count` rewritten mutants of a library tool, drawn evenly over the kinds of change."""
    cls = type(tool)
    path = Path(str(importlib.import_module(cls.__module__).__file__))
    source = path.read_text("utf-8")
    counter = _Rewrite()
    counter.visit(ast.parse(source))
    by_operator: dict[str, list[int]] = {}
    for index, (operator, _line) in enumerate(counter.places):
        by_operator.setdefault("normalisation left out" if "left out" in operator and "()" in operator else operator, []).append(index)  # fmt: skip
    rng = Random(f"{seed}:{cls.__module__}")
    for places in by_operator.values():
        rng.shuffle(places)
    chosen: list[int] = []
    while len(chosen) < count and any(by_operator.values()):
        for places in by_operator.values():
            if places and len(chosen) < count:
                chosen.append(places.pop())

    def maker(index: int, name: str) -> Callable[[], RewardTool]:
        return lambda: _compiled(tool, resources, source, index, name)

    mutants = []
    for index in chosen:
        operator, line = counter.places[index]
        name = f"{operator} (line {line})"
        mutants.append(Mutant(name, operator, maker(index, name)))
    return mutants


def _compiled(tool: LibraryTool, resources: Resources, source: str, index: int, name: str) -> RewardTool:
    cls = type(tool)
    tree = _Rewrite(index).visit(ast.parse(source))
    ast.fix_missing_locations(tree)
    module = types.ModuleType(f"rlar_mutant_of_{cls.__name__}_{index}")
    module.__file__ = f"<{module.__name__}>"
    sys.modules[module.__name__] = module  # dataclasses look their module up while the class is made
    try:
        exec(compile(tree, module.__file__, "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    mutated: type[LibraryTool] = module.__dict__[cls.__name__]
    return mutated(_spec(tool.spec, name, tool.role), resources)


def make(mutant: Mutant) -> tuple[RewardTool | None, str]:
    """The live mutant, or None and why it cannot even be loaded."""

    def load() -> tuple[RewardTool | None, str]:
        return mutant.make(), ""

    return boundary(load, lambda error: (None, f"{type(error).__name__}: {error}"))


def verdicts(tool: RewardTool, samples: Sequence[Sample], seconds: float) -> list[tuple[str, float | None]]:
    """Status and value of every sample, in order; failed where the tool raises, or has hung before.

    Args:
        seconds: for all of them, on a machine with nothing else to do.
    """
    with Trial(tool, seconds) as trial:
        return [(score.status, score.value) for score in trial.score_all(samples).scores]
