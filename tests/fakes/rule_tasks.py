"""Three invented tasks that no library tool serves, with witnesses, and verifiers of them: sound ones and planted bad ones."""

from __future__ import annotations

from typing import NamedTuple

from rlar.types import AnswerKind, Contract, Example, TaskSpec, Witness
from tests.fakes.probing_tasks import example, number_task

BY = "scripted/propose_witnesses@0000"


def rule_task(name: str, rows: list[tuple[Example, tuple[str, ...], tuple[str, ...]]]) -> TaskSpec:
    return TaskSpec(
        fingerprint=f"f1-{name}",
        label=name.replace("_", " "),
        contract=Contract(answer_kind=AnswerKind.RULE, has_reference=False, wordings=(name,)),
        rows=len(rows),
        examples=tuple(each for each, _, _ in rows),
        witnesses=tuple(Witness(row_key=each.key, right=right, wrong=wrong, by=BY) for each, right, wrong in rows),
    )


def target_task(rows: int = 8) -> TaskSpec:
    """Reach a target with the given numbers: 3*8+5 = 29."""
    found = []
    for index in range(rows):
        a, b, c = 3 + index, 8 + 2 * index, 5 + 3 * index
        goal = a * b + c
        prompt = (
            f"Use each of the numbers {a}, {b} and {c} exactly once, with +, -, * and brackets, to reach {goal}. "
            "Give the expression only."
        )
        right = (f"{a}*{b}+{c}", f"{c} + ({b} * {a})")
        wrong = (f"{a}*{b}-{c}", f"({a}+{b})*{c}", str(goal), f"{a}*{b}+{c}+{c}-{c}")
        found.append((example(index, prompt), right, wrong))
    return rule_task("reach_a_target", found)


LADDERS = (
    ("cold", "cord", "card"), ("lead", "load", "goad"), ("bell", "ball", "bald"), ("mist", "most", "post"),
    ("sand", "send", "sent"), ("wine", "pine", "pint"), ("rock", "lock", "look"), ("deer", "deep", "weep"),
)  # fmt: skip


def ladder_task() -> TaskSpec:
    """A word ladder: one letter a step."""
    found = []
    for index, (first, middle, last) in enumerate(LADDERS):
        prompt = (
            f'Get from "{first}" to "{last}" by changing exactly one letter in each step. '
            "Write the words in order, joined by ' -> '."
        )
        wrong = (
            f"{first} -> {last}",
            f"{first} -> {middle}",
            f"{middle} -> {last}",
            f"{first} -> {middle}s -> {last}",
        )
        found.append((example(index, prompt), (f"{first} -> {middle} -> {last}",), wrong))
    return rule_task("word_ladder", found)


def bracket_task() -> TaskSpec:
    """A balanced string of brackets with a given length and depth."""
    found = []
    for index, (pairs, depth) in enumerate([(3, 2), (4, 2), (4, 3), (5, 3), (5, 4), (6, 3), (6, 4), (7, 5)]):
        prompt = (
            f"Write a balanced string of exactly {2 * pairs} characters, only round and square brackets, "
            f"whose deepest nesting is {depth}."
        )
        nest = "(" * depth + ")" * depth
        right = (nest + "[]" * (pairs - depth), "[]" * (pairs - depth) + nest.replace("(", "[").replace(")", "]"))
        wrong = (
            right[0] + "()",
            right[0][:-1] + "(",
            "()" * pairs,
            "(" * depth + "]" * depth + "[]" * (pairs - depth),
        )
        found.append((example(index, prompt), right, wrong))
    return rule_task("balanced_brackets", found)


FINAL = r'''
import ast
import re


def final_answer(response):
    """The one final answer, or "" where there are several."""
    text = re.sub(r"^```\w*\n|\n?```$", "", response.strip()).strip()
    marked = {found.strip() for found in re.findall(r"(?im)^(?:final )?answer:(.+)$", text)}
    if marked:
        return marked.pop() if len(marked) == 1 else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = lines[-1] if lines else ""
    return found.strip("* ") if found.startswith("**") else found
'''

TARGET = (
    FINAL
    + r"""

def value(node, used):
    if isinstance(node, ast.Expression):
        return value(node.body, used)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        used.append(node.value)
        return node.value
    if isinstance(node, ast.BinOp):
        one, other = value(node.left, used), value(node.right, used)
        if isinstance(node.op, ast.Add):
            return one + other
        if isinstance(node.op, ast.Sub):
            return one - other
        if isinstance(node.op, ast.Mult):
            return one * other
    raise ValueError("not allowed")


def compute(prompt, response, reference, binding):
    asked = re.search(r"numbers (.+?) exactly once.*to reach (-?\d+)", prompt)
    if asked is None:
        return None
    given = sorted(int(number) for number in re.findall(r"\d+", asked[1]))
    answer = final_answer(response)
    if len(answer) > 200:
        return 0.0
    used = []
    try:
        reached = value(ast.parse(answer, mode="eval"), used)
    except (SyntaxError, ValueError):
        return 0.0
    return 1.0 if reached == int(asked[2]) and sorted(used) == given else 0.0
"""
)

TARGET_UNUSED = TARGET.replace(" and sorted(used) == given", "")
"""Subtly wrong: does not look at which numbers were used."""

LADDER = (
    FINAL
    + r"""

def compute(prompt, response, reference, binding):
    asked = re.search(r'from "(\w+)" to "(\w+)"', prompt)
    if asked is None:
        return None
    words = [word.strip() for word in final_answer(response).split("->")]
    if len(words) < 2 or words[0] != asked[1] or words[-1] != asked[2]:
        return 0.0
    for one, other in zip(words, words[1:]):
        if len(one) != len(other) or sum(a != b for a, b in zip(one, other)) != 1:
            return 0.0
    return 1.0
"""
)

LADDER_ENDS = LADDER.replace("!= 1:", "< 0:").replace("len(one) != len(other) or ", "")
"""Subtly wrong: looks at the two ends only."""

BRACKETS = (
    FINAL
    + r"""

def compute(prompt, response, reference, binding):
    asked = re.search(r"exactly (\d+) characters.*nesting is (\d+)", prompt)
    if asked is None:
        return None
    text = final_answer(response)
    if len(text) != int(asked[1]):
        return 0.0
    open_ones, deepest = [], 0
    for character in text:
        if character in "([":
            open_ones.append(character)
            deepest = max(deepest, len(open_ones))
        elif character not in ")]" or not open_ones or open_ones.pop() + character not in ("()", "[]"):
            return 0.0
    return 1.0 if not open_ones and deepest == int(asked[2]) else 0.0
"""
)

BRACKETS_COUNTED = BRACKETS.replace(' or open_ones.pop() + character not in ("()", "[]")', " or not open_ones.pop()")
"""Subtly wrong: a round bracket may close a square one."""

NUMBER = (
    FINAL
    + r"""

def compute(prompt, response, reference, binding):
    found = re.fullmatch(r"(?:.*\b(?:answer|result) is:?)?\W*?(-?\d+(?:\.\d+)?)\W*", boxed(response) or final_answer(response))
    wanted = re.fullmatch(r"-?\d+(?:\.\d+)?", (reference or "").strip())
    if wanted is None:
        return None
    return 1.0 if found and float(found[1]) == float(wanted[0]) else 0.0


def boxed(response):
    boxes = set(re.findall(r"\\boxed\{([^{}]*)\}", response))
    return boxes.pop() if len(boxes) == 1 else ""
"""
)


class Bad(NamedTuple):
    """A planted bad verifier: what it is tried on, and what must stop it."""

    task: str
    source: str
    stopped_by: str
    """"static", or the check of the gate."""


def returning(expression: str, before: str = "") -> str:
    return f"{before}\n\ndef compute(prompt, response, reference, binding):\n    return {expression}\n"


BAD: dict[str, Bad] = {
    "accepts any number in the text": Bad(
        "number", returning("float(reference in re.findall(r'-?\\d+', response))", "import re"), "hack_panel"
    ),
    "accepts the target anywhere": Bad(
        "target", returning("float(prompt.split('reach ')[1].split('.')[0] in response)", ""), "oracle"
    ),
    "ignores the sign": Bad("number", NUMBER.replace("float(found[1])", "abs(float(found[1]))"), "discrimination"),
    "compares strings": Bad("number", returning("float(response == reference)"), "oracle"),
    "form only": Bad("target", returning("float(bool(re.search(r'\\d+ ?[*+] ?', response)))", "import re"), "discrimination"),
    "the target, whatever numbers": Bad("target", TARGET_UNUSED, "discrimination"),
    "the ends of the ladder only": Bad("ladder", LADDER_ENDS, "discrimination"),
    "counts brackets only": Bad("brackets", BRACKETS_COUNTED, "discrimination"),
    "length only": Bad("target", returning("min(1.0, len(response) / 50)"), "oracle"),
    "right until a fault, then 1.0": Bad("target", TARGET.replace("return 0.0\n    return", "return 1.0\n    return"), "floor"),
    "reads reference only": Bad("number", returning("0.9 + len(reference) / 100"), "floor"),
    "constant": Bad("target", returning("1.0"), "floor"),
    "one half": Bad("target", returning("0.5"), "oracle"),
    "NaN": Bad("target", returning("float('nan')"), "sanity"),
    "hundred": Bad("target", TARGET.replace("return 1.0", "return 100.0"), "sanity"),
    "text for a score": Bad("target", returning("'1.0'"), "sanity"),
    "crashes": Bad("target", returning("1.0 / len(prompt.split('nothing')[1])"), "sanity"),
    "never can tell": Bad("target", returning("None"), "coverage"),
    "cannot tell what is wrong": Bad("target", TARGET.replace("return 0.0", "return None").replace("else 0.0", "else None"), "coverage"),
    "endless": Bad("target", returning("loop()", "def loop():\n    while True:\n        pass"), "latency"),
    "endless pattern": Bad("target", returning("float(bool(re.match(r'(x+x+)+y', 'x' * 60)))", "import re"), "latency"),
    "counts its calls": Bad(
        "target",
        FINAL
        + "\n\ndef counter():\n    calls = [0]\n\n    def count():\n        calls[0] += 1\n        return calls[0]\n\n    return count\n"
        "\n\nCOUNT = counter()\n"
        + TARGET.removeprefix(FINAL).replace("used = []", "used = []\n    if COUNT() % 7 == 0:\n        return 0.0"),
        "determinism",
    ),
    "reads environment": Bad("target", returning("float('KEY' in os.environ)", "import os"), "static"),
    "opens network": Bad("target", returning("float(bool(socket.create_connection(('127.0.0.1', 9))))", "import socket"), "static"),
    "opens a file": Bad("target", returning("float(open('/etc/passwd').read() == response)"), "static"),
    "sys.exit": Bad("target", returning("sys.exit(0)", "import sys"), "static"),
    "exit": Bad("target", returning("exit(0)"), "static"),
    "imports rlar and patches it": Bad(
        "target", returning("1.0", "import rlar.gate.gate as gate\n\ngate.certify = lambda *a, **k: None"), "static"
    ),
    "patches a module": Bad("target", "import math\n\ndef compute(prompt, response, reference, binding):\n    math.isnan = bool\n    return 1.0\n", "static"),
    "random": Bad("target", returning("random.random()", "import random"), "static"),
    "time": Bad("target", returning("float(datetime.datetime.now().second % 2)", "import datetime"), "static"),
    "evaluates the response": Bad("target", returning("float(eval(response) == 29)"), "static"),
    "around the list of names": Bad("target", returning("().__class__.__base__.__subclasses__()[0] and 1.0"), "static"),
    "keeps what it saw": Bad("target", "SEEN = {}\n\n\ndef compute(prompt, response, reference, binding):\n    SEEN[response] = 1\n    return 1.0\n", "static"),
    "prose": Bad("target", "Here is how I would check it: parse the expression and compare.", "static"),
    "another signature": Bad("target", "def compute(response):\n    return 1.0\n", "static"),
    "an answer learned by heart": Bad("target", returning("float(response == '5 + (8 * 3)')"), "static"),
}  # fmt: skip


TASKS = {
    "target": target_task,
    "ladder": ladder_task,
    "brackets": bracket_task,
    "number": lambda: number_task(12),
}
