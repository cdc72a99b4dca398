"""The shapes in which datasets write tests down, recognised in one text or one column value.

Every function here looks at data and gives `Found` suites, unresolved: which program they test, what else they need and
whether the row is about programs at all is decided in rlar.kinds.programs.rows. Syntax trees only; nothing is executed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

from rlar.kinds.programs.appended import may_be_tests
from rlar.kinds.programs.calls import Call, find_signature, read_calls
from rlar.text.python import (
    all_nodes,
    called_names,
    fenced_blocks,
    free_names,
    literal,
    names_called,
    names_read,
    parse_python,
    python_blocks,
    unparse,
)

SuiteKind = Literal["asserts", "check", "stdio", "calls", "unittest", "appended"]

MAX_CASES = 100
"""Of longer lists every n-th case is kept, the first among them."""
MAX_JSON_CHARACTERS = 16_000_000

_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,79}\Z")
_METHOD = re.compile(r"[A-Za-z_]\w*(?:\(\))?\.[A-Za-z_]\w*\Z")
_INPUT_KEY = re.compile(r"(std_?)?in(puts?)?\Z|.*inputs?\Z|arg(ument)?s\Z|params?\Z", re.IGNORECASE)
_OUTPUT_KEY = re.compile(r"(std_?)?out(puts?)?\Z|.*outputs?\Z|expected(_\w+)?\Z|results?\Z|answers?\Z", re.IGNORECASE)
_NAME_KEY = re.compile(r"fn|func|method|entry", re.IGNORECASE)
_LANGUAGE_KEY = re.compile(r"lang(?:uage)?[^.]{0,20}\Z", re.IGNORECASE)
_ASSERT_LINE = re.compile(r"^[ \t]*(?:[-*•>]+[ \t]+|\d+[.)][ \t]+)?[`\"']?(assert\b[ \t(].*)$", re.MULTILINE)
_INLINE_ASSERT = re.compile(r"`(assert\b[^`\n]+)`")
_ARROW = r"(?:==++>?+|[-=]++>|➞|→|➜|⇒|↦)"
_VERDICT = (
    r"(?:(?:[ \t]++|,[ \t]*+)(?:the|result|results|output|answer|value|function|it|we|you|that|should|must|would|will|shall|is|be|returns?|gives?|back"
    r"|equals?|to|evaluates?|yields?|outputs?|produces?|prints?|gets?|expected|are|has)\b){1,7}+"
)
_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w{0,79}+)\(")
_RESULT = re.compile(
    rf"[`'\")]{{0,2}}+(?:{_VERDICT}:?+|[ \t]*+(?:{_ARROW}(?:[ \t]*+returns?\b)?+|=(?!=)|:|#[ \t]*+(?:{_ARROW}|(?:returns?|prints?|outputs?|gives?)\b)?+:?+))"
    r"[ \t]*+`?+([^\n]{1,2000})",
    re.IGNORECASE,
)
"""What stands between a call and its result, and the rest of the line."""
_AFTER_RESULT = re.compile(
    r"`?+[ \t]*+(?:[.,;:!)#`]|$|(?:because|since|as|when|where|if|for|and|but|while|not)\b)", re.IGNORECASE
)
_INPUT_THEN_OUTPUT = re.compile(
    r"^[ \t]*+[-*•]?+[ \t]*+\**+input\**+[ \t]*+:\**+[ \t]*+`?([^\n]{1,2000})\n(?:[ \t]*+\n)?[ \t]*+[-*•]?+[ \t]*+\**+output\**+[ \t]*+:\**+[ \t]*+`?([^\n]{1,2000})",
    re.MULTILINE | re.IGNORECASE,
)
_INPUT_ARROW_OUTPUT = re.compile(
    rf"^[ \t]*+(?:[-*•][ \t]++|(?:for[ \t]++)?example[ \t\d]*+:[ \t]*+)?`?([^\n=>➞→➜⇒↦-][^\n>➞→➜⇒↦]{{0,499}}?)`?[ \t]{{0,4}}+{_ARROW}[ \t]*+`?([^\n]{{1,2000}})$",
    re.MULTILINE | re.IGNORECASE,
)
_FOR_INPUT = re.compile(
    rf"\b(?:for|given|if|when|with)[ \t]++`?([A-Za-z_]\w{{0,79}}+[ \t]*+=(?!=)[^\n]{{1,500}}?)`?({_VERDICT})[ \t]*+`?([^\n]{{1,2000}})",
    re.IGNORECASE,
)
_DEF_NAME = re.compile(r"^[ \t]*+(?:async[ \t]++)?def[ \t]++([A-Za-z_]\w*+)[ \t]*+\(", re.MULTILINE)
_HEADING = re.compile(
    r"[ \t#*_-]*+(?:(?:sample|example)s?[ \t]*)?(input|output|explanation|note|constraints?|samples?|examples?)[ \t]*+(?:sample|example)?"
    r"[ \t]*+#?\d*+[ \t]*+[:*_#]*+[ \t]*+\Z",
    re.IGNORECASE,
)
_WORD_LITERALS = {"true": "True", "false": "False", "null": "None", "none": "None", "nil": "None"}


@dataclass(frozen=True, slots=True)
class Found:
    """Tests as they were written, before anything is resolved."""

    kind: SuiteKind
    path: str
    """"prompt", "reference" or the column path they came from."""
    confidence: float
    tests: tuple[str, ...] = ()
    setup: str = ""
    called: tuple[str, ...] = ()
    """Functions or classes that the tests expect from the program, the likely entry point first."""
    loose: frozenset[str] = frozenset()
    """Names that the tests read, never call, and nothing binds."""
    pairs: tuple[tuple[Any, Any], ...] = ()
    entry_hint: str | None = None
    functional: bool = False
    """The pairs say that they are calls, not stdin and stdout."""


@dataclass(slots=True)
class Leaves:
    """What a walk through a row's values meets on the way."""

    found: list[Found] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    """(path, text) of strings that are one identifier."""
    codes: list[tuple[str, str]] = field(default_factory=list)
    """(path, text) of strings that may be Python."""
    foreign: list[tuple[str, str]] = field(default_factory=list)
    """(path, text) of strings that may be tests in another language."""
    languages: list[str] = field(default_factory=list)
    """What columns that are named for one say: "cpp"."""


_BRANCHES = (str, dict, list)
"""JSON values that have text in them."""


def walk(value: Any, path: str, leaves: Leaves, depth: int = 0) -> None:
    """Collect every suite, identifier and code text below a JSON value (also inside strings that hold JSON)."""
    if isinstance(value, str):
        _walk_text(value, path, leaves, depth)
    elif depth > 6:
        return
    elif isinstance(value, dict):
        suite = _parallel_lists(value, path)
        if suite is not None:
            leaves.found.append(suite)
            return
        for key, item in value.items():
            if isinstance(item, _BRANCHES):
                walk(item, f"{path}.{key}", leaves, depth + 1)
    elif isinstance(value, list) and value:
        suite = _assert_list(value, path) or _pair_list(value, path)
        if suite is not None:
            leaves.found.append(suite)
            return
        for item in value[:MAX_CASES]:
            if isinstance(item, _BRANCHES):
                walk(item, path, leaves, depth + 1)


def _walk_text(text: str, path: str, leaves: Leaves, depth: int) -> None:
    size = len(text)
    if size < 24 and "lang" in path.lower() and _LANGUAGE_KEY.search(path):
        leaves.languages.append(text)
    if size < 3:
        return
    if size < 120 and (_IDENTIFIER.match(text) or _METHOD.match(text)):
        leaves.names.append((path, text))
        return
    asserts = "assert" in text or "unittest" in text
    opening = text[:40].lstrip()[:1]
    if opening and opening in "[{" and (asserts or _mentions_pairs(text)):
        parsed = _json(text)
        if isinstance(parsed, dict | list):
            walk(parsed, path, leaves, depth + 1)
            return
    if asserts:
        suite = suite_of_code(text, path) or _first(suite_of_code(block.code, path) for block in python_blocks(text))
        if suite is not None:
            leaves.found.append(suite)
            return
    if path != "reference" and may_be_tests(text):
        leaves.foreign.append((path, text))
    if "def " in text or "import " in text or "class " in text or "=" in text:
        leaves.codes.append((path, text))


def _mentions_pairs(text: str) -> bool:
    return "input" in text or "stdin" in text or "args" in text or "params" in text or "func" in text or "entry" in text


def _json(text: str) -> Any:
    if len(text) > MAX_JSON_CHARACTERS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return literal(text)[1]


def _first(items: Iterator[Found | None]) -> Found | None:
    return next((item for item in items if item is not None), None)


# ------------------------------------------------------------------------------------------ input/output pairs


def _parallel_lists(value: dict[str, Any], path: str) -> Found | None:
    """{"inputs": [...], "outputs": [...]}, perhaps with the function's name."""
    inputs = outputs = None
    for key, item in value.items():
        if not isinstance(key, str):
            return None
        if isinstance(item, str) and item[:1] == "[" and (_INPUT_KEY.match(key) or _OUTPUT_KEY.match(key)):
            item = _json(item)
        if not isinstance(item, list):
            continue
        if inputs is None and _INPUT_KEY.match(key):
            inputs = item
        elif outputs is None and _OUTPUT_KEY.match(key):
            outputs = item
    if not inputs or not outputs or len(inputs) != len(outputs):
        return None
    return _pairs(list(zip(inputs, outputs, strict=True)), path, _function_name(value), False)


def _function_name(value: dict[str, Any]) -> str | None:
    for key, item in value.items():
        if isinstance(item, str) and _NAME_KEY.search(key) and (_IDENTIFIER.match(item) or _METHOD.match(item)):
            return item
    return None


def _pair_list(value: list[Any], path: str) -> Found | None:
    """[{"input": ..., "output": ...}, ...] or [[input, output], ...] (texts)."""
    pairs: list[tuple[Any, Any]] = []
    functional = False
    name: str | None = None
    for item in value:
        if isinstance(item, str) and item[:1] == "{":
            item = _json(item)
        if isinstance(item, dict):
            into = [key for key in item if isinstance(key, str) and _INPUT_KEY.match(key)]
            out = [key for key in item if isinstance(key, str) and _OUTPUT_KEY.match(key)]
            if len(into) != 1 or len(out) != 1:
                return None
            pairs.append((item[into[0]], item[out[0]]))
            functional = functional or "functional" in (item.get("testtype"), item.get("type"))
            name = name or _function_name(item)
        elif isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) and "\n" in part for part in item):
            pairs.append((item[0], item[1]))
        else:
            return None
    return _pairs(pairs, path, name, functional)


def _pairs(pairs: Sequence[tuple[Any, Any]], path: str, name: str | None, functional: bool) -> Found | None:
    step = -(-len(pairs) // MAX_CASES)
    kept = tuple(pairs[::step])
    if not kept or (not name and not functional and all(output in ("", None) for _, output in kept)):
        return None
    kind: SuiteKind = "calls" if name or functional or not all(_is_stdio_text(one) for one, _ in kept) else "stdio"
    return Found(
        kind=kind,
        path=path,
        confidence=0.95 if name or functional else 0.8,
        pairs=kept,
        entry_hint=name,
        functional=functional,
    )


def _is_stdio_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
    )


# ------------------------------------------------------------------------------------------ asserts and checks


def _assert_list(value: list[Any], path: str) -> Found | None:
    if not all(isinstance(item, str) for item in value) or not any("assert" in item for item in value):
        return None
    if sum("assert" in item for item in value) * 2 < len(value):
        return None
    whole = suite_of_code("\n".join(item.strip("\r\n") for item in value), path)
    if whole is not None:
        return whole
    readable = [item.strip() for item in value if parse_python(item.strip()) is not None]
    return suite_of_code("\n".join(readable), path) if readable else None


_parsed_once = lru_cache(maxsize=4)(parse_python)
"""For trees that are only read: the lines of a prompt are looked at one by one, then together."""


def suite_of_code(code: str, path: str) -> Found | None:
    """The suite that a text of Python is: a check function, unittest classes, or asserts (one by one, or as a script)."""
    if "assert" not in code and "unittest" not in code:
        return None
    tree = _parsed_once(code.replace("\r\n", "\n").strip("\n"))
    if tree is None:
        return None
    return _check_suite(tree, path) or _unittest_suite(tree, path) or _asserts_suite(tree, path)


def _check_suite(tree: ast.Module, path: str) -> Found | None:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or not node.args.args:
            continue
        candidate = node.args.args[0].arg
        inner = list(all_nodes(node))
        calls = any(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == candidate for n in inner)
        passed_on = any(isinstance(n, ast.Name) and n.id == candidate for n in inner)
        asserts = any(isinstance(n, ast.Assert) for n in inner)
        if (
            not ((calls and asserts) or (node.name == "check" and passed_on))
            or len(node.args.args) - len(node.args.defaults) > 1
        ):
            continue
        body, hint = _without_final_call(tree.body, node.name)
        if node.name != "check":
            body = [*body, *_parsed(f"check = {node.name}")]
        module = ast.Module(body=body, type_ignores=[])
        free = free_names(module)
        called = tuple(name for name in dict.fromkeys(called_names(module)) if name in free)
        return Found(
            "check", path, 0.98, (unparse(body),), called=called, loose=frozenset(free - set(called)), entry_hint=hint
        )
    return None


def _parsed(code: str) -> list[ast.stmt]:
    tree = parse_python(code)
    return tree.body if tree is not None else []


def _without_final_call(body: list[ast.stmt], check: str) -> tuple[list[ast.stmt], str | None]:
    """The statements without `check(f)` calls, and the f that they name."""
    kept, hint = [], None
    for node in body:
        call = node.value if isinstance(node, ast.Expr) else None
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == check
            and len(call.args) == 1
        ):
            hint = unparse([call.args[0]])
        else:
            kept.append(node)
    return kept, hint


def _unittest_suite(tree: ast.Module, path: str) -> Found | None:
    classes = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(unparse([base]).split(".")[-1].endswith("TestCase") for base in node.bases)
    ]
    if not classes:
        return None
    body = [node for node in tree.body if not _is_main_guard(node)]
    module = ast.Module(body=body, type_ignores=[])
    free = free_names(module)
    called = tuple(name for name in dict.fromkeys(called_names(module)) if name in free)
    return Found("unittest", path, 0.9, (unparse(body),), called=called, loose=frozenset(free - set(called)))


def _is_main_guard(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return unparse([node.value.func]) == "unittest.main"
    return isinstance(node, ast.If) and "__name__" in unparse([node.test])


def _asserts_suite(tree: ast.Module, path: str) -> Found | None:
    body = [node for node in tree.body if not _is_main_guard(node)]
    nodes = [all_nodes(node) for node in body]
    if not any(isinstance(node, ast.Assert) for inner in nodes for node in inner):
        return None
    free = names_read(node for inner in nodes for node in inner)
    calls = [names_called(inner) for inner in nodes]
    defines = [isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in body]
    test_functions = [
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test") and not node.args.args
    ]
    started = {name for names, defined in zip(calls, defines, strict=True) if not defined for name in names}
    run = [
        names
        for node, names, defined in zip(body, calls, defines, strict=True)
        if not defined or node.name in test_functions  # type: ignore[attr-defined]
    ]
    for name in test_functions:
        if name not in started:
            body = [*body, *_parsed(f"{name}()")]
            calls.append([name])
            run.append([name])
    counted: dict[str, int] = {}
    for names in run:
        for rank, name in enumerate(name for name in names if name in free):
            counted[name] = counted.get(name, 0) + (1 if rank else 1000)  # the outermost call is what is tested
    if not counted:
        return None
    called = tuple(sorted(counted, key=lambda name: -counted[name]))
    loose = frozenset(free.difference(*calls))
    return Found("asserts", path, 0.97, *_split_asserts(body, free), called=called, loose=loose)


def _split_asserts(body: list[ast.stmt], free: set[str]) -> tuple[tuple[str, ...], str]:
    """(tests, setup) where the asserts stand alone; else ((whole script,), "")."""
    asserts = [node for node in body if isinstance(node, ast.Assert)]
    others = [node for node in body if not isinstance(node, ast.Assert)]
    last_setup = max((index for index, node in enumerate(body) if not isinstance(node, ast.Assert)), default=-1)
    first_assert = next((index for index, node in enumerate(body) if isinstance(node, ast.Assert)), len(body))
    movable = last_setup < first_assert or all(
        isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef) for node in others
    )
    uses_program = any(
        isinstance(node, ast.Name) and node.id in free
        for other in others
        if not isinstance(other, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)
        for node in all_nodes(other)
    )
    if not asserts or not movable or uses_program:
        return (unparse(body),), ""
    return tuple(dict.fromkeys(unparse([node]) for node in asserts)), unparse(others)


# ------------------------------------------------------------------------------------------ prompts


def suites_of_prompt(prompt: str) -> list[Found]:
    """The suites written into a prompt: code blocks, assert lines, JSON lists of asserts, doctests, worked examples."""
    suites: list[Found] = []
    if "assert" in prompt or "unittest" in prompt:
        for block in fenced_blocks(prompt):
            suite = suite_of_code(block.code, "prompt")
            if suite is not None:
                suites.append(suite)
        check = prompt.find("def check(")
        if not suites and check >= 0:
            suite = suite_of_code(_longest_code(prompt[prompt.rfind("\n", 0, check) + 1 :]), "prompt")
            suites.extend([suite] if suite is not None else [])
        lines = suite_of_code("\n".join(_assert_lines(prompt)), "prompt") if not suites else None
        suites.extend([lines] if lines is not None else [])
    if not suites and ">>>" in prompt:
        suite = _doctests(prompt)
        suites.extend([suite] if suite is not None else [])
    return suites


def _longest_code(text: str) -> str:
    """The longest run of lines from the start that parses."""
    lines = text.split("\n")[:400]
    for end in range(len(lines), 0, -1):
        if parse_python("\n".join(lines[:end])) is not None:
            return "\n".join(lines[:end])
    return ""


def _assert_lines(prompt: str) -> list[str]:
    """Assert statements that stand on lines of their own (also bulleted, quoted, over several lines) or in backticks."""
    statements = list(_INLINE_ASSERT.findall(prompt))
    lines = [match[1].strip() for match in _ASSERT_LINE.finditer(prompt)]
    if not statements and _one_a_line(lines):
        return list(dict.fromkeys(lines))
    position = 0
    while match := _ASSERT_LINE.search(prompt, position):
        position = match.end()
        statement = _readable(match[1])
        if statement is None:
            lines = prompt[match.start(1) : match.start(1) + 8000].split("\n")[:40]
            for end in range(2, len(lines) + 1):
                if lines[end - 1].lstrip().startswith("assert"):
                    break
                statement = _readable("\n".join(lines[:end]))
                if statement is not None:
                    position = match.start(1) + len("\n".join(lines[:end]))
                    break
        if statement is not None:
            statements.append(statement)
    return list(dict.fromkeys(statements))


def _one_a_line(lines: list[str]) -> bool:
    """Whether every line is one assert statement by itself: the usual case, told by parsing once."""
    tree = _parsed_once("\n".join(lines))
    return (
        tree is not None
        and len(tree.body) == len(lines)
        and all(
            isinstance(node, ast.Assert) and node.lineno == node.end_lineno == number
            for number, node in enumerate(tree.body, start=1)
        )
    )


def _readable(text: str) -> str | None:
    stripped = text.strip()
    for attempt in (stripped, stripped.rstrip("`\"',;]"), stripped.rstrip("`\"',;")):
        tree = parse_python(attempt)
        if tree is not None and len(tree.body) >= 1 and isinstance(tree.body[0], ast.Assert):
            return attempt
    return None


def _doctests(prompt: str) -> Found | None:
    lines = prompt.split("\n")
    tests: list[str] = []
    for index, line in enumerate(lines[:-1]):
        call = line.strip()
        if not call.startswith(">>>"):
            continue
        expected = (
            lines[index + 1].strip().rstrip('"').rstrip("'") if '"""' in lines[index + 1] else lines[index + 1].strip()
        )
        test = _equality(call[3:].strip(), expected)
        if test is not None:
            tests.append(test)
    suite = suite_of_code("\n".join(tests), "prompt") if tests else None
    return (
        None if suite is None else Found("asserts", "prompt", 0.6, suite.tests, suite.setup, suite.called, suite.loose)
    )


def worked_examples(prompt: str) -> Found | None:
    """Calls with their results, in any of the usual ways: `f(1) == 2`, `f(1) ==> 2`, "f(1) should return 2", "Input: n = 1".

    Only worth a look when the prompt asks for a program.
    """
    tests = _calls_with_results(prompt) or _inputs_with_outputs(prompt)
    suite = suite_of_code("\n".join(dict.fromkeys(tests)), "prompt") if tests else None
    return (
        None if suite is None else Found("asserts", "prompt", 0.55, suite.tests, suite.setup, suite.called, suite.loose)
    )


def _calls_with_results(prompt: str) -> list[str]:
    defined = set(_DEF_NAME.findall(prompt))
    tests = []
    for match in list(_CALL.finditer(prompt))[:200]:
        line_start = prompt.rfind("\n", 0, match.start()) + 1
        before = prompt[line_start : match.start()]
        if match[1] == "print" or before.rstrip().endswith(("def", "class")):
            continue
        if match[1] not in defined and not _LINE_START.fullmatch(before):
            continue  # a mention in a sentence counts for the function that is asked for
        end = _closing(prompt, match.end() - 1)
        result = _RESULT.match(prompt, end) if end else None
        if (
            result is not None
            and match[1] not in defined
            and prompt[end : result.start(1)].strip(" \t`'\")") in ("=", ":")
        ):
            continue  # a definition in another language, or a title
        test = _equality(prompt[match.start() : end], _value_at_start(result[1])) if result is not None else None
        if test is not None:
            tests.append(test)
    return tests


_LINE_START = re.compile(
    r"[ \t]*+(?:[-*•#>]++[ \t]*+|\d++[.)][ \t]++|(?:for )?(?:example|e\.g\.|ex)[ \t\d]*+(?:[:,.][ \t]*+)?+)?+`?+(?:print\()?+",
    re.IGNORECASE,
)


def _closing(text: str, opening: int) -> int | None:
    """Where the bracket that opens at a place is closed; texts in quotes are skipped."""
    depth, quote = 0, ""
    for index in range(opening, min(len(text), opening + 4000)):
        character = text[index]
        if quote:
            quote = "" if character == quote and text[index - 1] != "\\" else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return index + 1
    return None


def _value_at_start(text: str) -> str:
    """The value with which a line's rest begins, where a sentence may go on after it; the rest itself without any."""
    rest = text.strip()
    end: int | None = None
    if rest[:1] in "([{":
        end = _closing(rest, 0)
    elif rest[:1] in "\"'":
        closing = rest.find(rest[0], 1)
        end = closing + 1 if closing > 0 else None
    elif (word := re.match(r"-?+[\w.]++", rest)) is not None:
        end = len(word[0].rstrip("."))
    if end is None or not _AFTER_RESULT.match(rest, end):
        return rest
    return rest[:end]


def _inputs_with_outputs(prompt: str) -> list[str]:
    """Examples that give the arguments without a call, of the one function whose header the prompt shows."""
    names = list(dict.fromkeys(_DEF_NAME.findall(prompt)))
    signature = find_signature(names[-1], [prompt]) if names else None
    if signature is None:
        return []
    for suite in (
        [(match[1], match[2]) for match in _INPUT_THEN_OUTPUT.finditer(prompt)],
        [(match[1], match[3]) for match in _FOR_INPUT.finditer(prompt)],
        [(match[1], match[2]) for match in _INPUT_ARROW_OUTPUT.finditer(prompt)],
    ):
        pairs = [(given.strip(" \t`,."), _value_at_start(expected).strip("`")) for given, expected in suite[:20]]
        pairs = [(given, expected) for given, expected in pairs if _is_literal(expected)]
        readings = read_calls(pairs, signature) if pairs else []
        if readings:
            return [test for call in readings[0].calls if (test := _call_test(names[-1], call)) is not None]
    return []


def _is_literal(text: str) -> bool:
    return literal(_WORD_LITERALS.get(text.lower(), text))[0]


def _call_test(name: str, call: Call) -> str | None:
    arguments = [*map(repr, call.arguments), *(f"{key}={value!r}" for key, value in call.keywords.items())]
    return _equality(f"{name}({', '.join(arguments)})", repr(call.expected))


def sample_runs(prompt: str) -> Found | None:
    """ "Sample Input ... Sample Output ..." sections; only worth a look when the prompt asks for a whole program."""
    sections: list[tuple[str, list[str]]] = []
    for line in prompt[:60_000].split("\n"):
        heading = _HEADING.match(line) if len(line) < 60 else None
        if heading is not None:
            sections.append((heading[1].lower(), []))
        elif sections:
            sections[-1][1].append(line)
    pairs = []
    for (kind, given_lines), (after, expected_lines) in pairwise(sections):
        if kind == "input" and after == "output":
            given, expected = _sample_body(given_lines), _sample_body(expected_lines)
            # What describes the format ("The first line holds n.") is no sample.
            if expected and not _SENTENCE.search(given[:2000]) and not _SENTENCE.search(expected[:2000]):
                pairs.append((f"{given}\n", f"{expected}\n"))
    return Found("stdio", "prompt", 0.6, pairs=tuple(dict.fromkeys(pairs))[:20]) if pairs else None


def _sample_body(lines: list[str]) -> str:
    """A section's sample: what its fence holds, else its first paragraph."""
    text = "\n".join(lines).strip("\n")
    if text.lstrip().startswith("```"):
        blocks = fenced_blocks(text)
        return blocks[0].code.strip("\n") if blocks else ""
    return text.split("\n\n", 1)[0].strip("\n")


_SENTENCE = re.compile(
    r"\b(?:the|lines?|contains?|integers?|print|output|single)\b[^\n]{0,200}\b(?:the|of|an?|is|line|integers?|number)\b",
    re.IGNORECASE,
)


def _equality(call: str, expected: str) -> str | None:
    """`assert call == expected` when the call is one of a plain name with literals and the value is a literal."""
    expected = _WORD_LITERALS.get(expected.strip().rstrip(".").lower(), expected.strip())
    if re.search(r"[\d\])}'\"]\.\Z", expected):
        expected = expected[:-1]  # the end of a sentence
    known, _ = literal(expected)
    if not known and expected.endswith((".", ",", ";")):
        expected = expected[:-1]
        known, _ = literal(expected)
    if not known and expected.split("#")[0].strip() != expected:
        expected = expected.split("#")[0].strip()
        known, _ = literal(expected)
    if not known:
        return None
    tree = parse_python(call)
    if tree is None or len(tree.body) != 1:
        return None
    value = tree.body[0].value if isinstance(tree.body[0], ast.Expr) else None
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name) or free_names(tree) != {value.func.id}:
        return None
    return f"assert {unparse([value])} == {expected}"
