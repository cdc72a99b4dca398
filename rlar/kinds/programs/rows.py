"""What a row says about judging programs: its tests, wherever they are, and its reference program.

Recognised by shape (see rlar.kinds.programs.suites), never by a column's or a benchmark's name. Syntax trees only: nothing
from a row is executed here.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from typing import Any, ClassVar, Literal

from pydantic import Field

from rlar.kinds.programs.appended import find_appended
from rlar.kinds.programs.calls import Reading, find_signature, read_calls
from rlar.kinds.programs.judge_names import missing_names
from rlar.kinds.programs.languages import asked_languages, language_of, language_of_fence, shown_languages
from rlar.kinds.programs.suites import Found, Leaves, SuiteKind, sample_runs, suites_of_prompt, walk, worked_examples
from rlar.text.python import (
    MAX_CODE_CHARACTERS,
    bound_at_top,
    compiles,
    fenced_blocks,
    free_names,
    is_stub,
    parse_python,
    python_blocks,
    unparse,
)
from rlar.text.stems import Stems
from rlar.types import Example, Frozen, JsonObject

MAX_SUITE_CHARACTERS = 2_000_000
"""Larger suites lose their last tests."""

_ASKS_PROGRAM = re.compile(
    r"\b(python|programs?|code|codes|coding|script|stdin|stdout|standard input|function|implement|algorithm|def)\b|代码|程序|函数|"
    r"\b(programa|programme|programm|función|fonction|funktion|código)\b",
    re.IGNORECASE,
)
_ASKS_STEMS = Stems(
    "program", "cod", "código", "python", "script", "std", "standard ", "func", "fonction", "funktion",
    "implement", "algorithm", "def", "代码", "程序", "函数",
)  # fmt: skip
_STDIN_TALK = re.compile(r"\bstd(?:in|out)\b|\bstandard (?:input|output)\b", re.IGNORECASE)
_INPUT_LINE = re.compile(r"^[^\w\n]*+(?:sample |example )?input\b.{0,40}$", re.IGNORECASE | re.MULTILINE)
_OUTPUT_LINE = re.compile(r"^[^\w\n]*+(?:sample |example )?output\b.{0,40}$", re.IGNORECASE | re.MULTILINE)
_PROGRAM_WORD = re.compile(r"\b(program|code|python|stdin|standard input|script)\b|程序|代码", re.IGNORECASE)
_INPUT_WORD = re.compile(r"\binputs?\b|输入", re.IGNORECASE)
_OUTPUT_WORD = re.compile(r"\b(outputs?|print)\b|输出", re.IGNORECASE)
_TESTISH_PATH = re.compile(
    r"test|case|judge|verif|ground|reward|unit|reference|hidden|private|public|std|in_?out|\bio\b", re.IGNORECASE
)
_CODE_LINE = re.compile(
    r"^(?:from\s+[\w.]+\s+import\b|import\s+\w|def\s+\w|async\s+def\s+\w|class\s+\w|@\w)", re.MULTILINE
)
_DEF = re.compile(r"^([ \t]*)(?:async\s+)?def\s+([A-Za-z_]\w*)\s*\(", re.MULTILINE)
_FOREIGN_MARK = re.compile(
    r"#\s?include\b|\bpublic\s|\bpackage \w|\bconsole\.|\bfunc \w|\bfn \w|\bfunction\b|=>|\busing \w|\bstd::|\bfun \w|<\?php|\bgets\b|"
    r"^main ::|\bobject \w|\bmy [$@%]|\brequire\(|\bvector<|\bSystem\.|\bprocess\.|\bimport Foundation\b|\breadln\b|\bio\.read",
    re.MULTILINE,
)
"""Stands in whatever language_of takes for a program in another language."""
_FOREIGN_STEMS = Stems(
    "include", "public", "package ", "console.", "func", "fn ", "=>", "using ", "std::", "fun ", "<?php", "gets", "main ::",
    "object ", "my ", "require(", "vector<", "System.", "process.", "import Foundation", "readln", "io.read",
)  # fmt: skip
_NOT_TESTED = re.compile(r"_|check\Z|test_|main\Z")
"""Functions of a row's code that are not what is asked for."""


class StdioCase(Frozen):
    """One run of a whole program."""

    input: str
    output: str


class CallCase(Frozen):
    """One call of the entry point, in plain data."""

    arguments: tuple[Any, ...] = ()
    keywords: JsonObject = Field(default_factory=dict)
    expected: Any = None


class TestSuite(Frozen):
    """How a row judges a program."""

    __test__: ClassVar[bool] = False  # not a test class of pytest's

    kind: SuiteKind
    """appended: a text in `language`, compiled with the program. asserts: statements over the program's names. check: a text that defines `check(candidate)`. stdio: whole programs.
    calls: entry point with arguments and expected value. unittest: a text with TestCase classes (cannot be split)."""
    tests: tuple[str, ...] = ()
    """asserts: one statement or script each. check, unittest: one text."""
    stdio: tuple[StdioCase, ...] = ()
    calls: tuple[CallCase, ...] = ()
    readings: tuple[tuple[CallCase, ...], ...] = ()
    """Other readings of the same calls, where the row does not tell which one is meant (see rlar.kinds.programs.calls)."""
    unconfirmed: Literal["", "inputs", "results"] = ""
    """What nothing but our own reading of the calls decides: neither their form nor a signature."""
    in_place: bool = False
    """Calls: the function changes its first argument instead of returning a value."""
    entry_point: str | None = None
    """The function under test, or "Class.method" for a method of an object made without arguments; None for whole programs."""
    entry_points: tuple[str, ...] = ()
    """Every function that the tests call, the entry point first."""
    needs: tuple[str, ...] = ()
    """Other names (mostly classes) that the program must define: their objects do not cross a process boundary."""
    setup: str = ""
    """Code that the tests need: imports, helper functions and values."""
    prompt_code: str = ""
    """Code of the prompt that a completion may continue: imports, helpers, the header and docstring; exact text."""
    language: str = ""
    """The language that the row asks for (a key of `languages.LANGUAGES`); "" where it names none: tests in Python mean
    Python, inputs and outputs any language."""
    hint: str = ""
    """The language of the row's reference, where that is not Python and the row asks for none."""
    imports_given: bool = False
    """Whether the prompt's starter itself reads names that nothing imports (`List[int]`): its judge brings them."""
    confidence: float = 1.0
    """How sure it is that the row is judged by these: below 0.7 they are worked examples out of the prompt."""
    source: str = "prompt"
    """Where they were found."""

    @property
    def size(self) -> int:
        """Number of tests."""
        return len(self.tests) + len(self.stdio) + len(self.calls)

    def to_binding(self) -> JsonObject:
        """As plain JSON, defaults left out."""
        binding: JsonObject = self.model_dump(mode="json", exclude_defaults=True)
        return binding

    @classmethod
    def from_binding(cls, binding: JsonObject) -> TestSuite:
        """Back from `to_binding`. Raises pydantic.ValidationError for anything else."""
        return cls.model_validate(binding)


def find_suite(example: Example) -> TestSuite | None:
    """The tests of a row, or None when it has none that could be run.

    Tests in columns or in the reference win over those in the prompt; asserts about the same function are united.
    """
    prompt = example.text
    leaves = Leaves()
    if example.columns:
        walk(example.columns, "columns", leaves)
    references = example.references or ((example.reference,) if example.reference else ())
    if references:
        walk(references[0] if len(references) == 1 else list(references), "reference", leaves)
    if leaves.foreign and (appended := _appended_suite(prompt, leaves)) is not None:
        return appended
    suites = [one for one in leaves.found if _is_about_programs(one, prompt)]
    suites += suites_of_prompt(prompt)
    if not suites and _asks_program(prompt):
        examples = worked_examples(prompt)
        if examples is not None and _is_given(examples.called[0], prompt):
            examples = None
        suites += [examples] if examples is not None else []
        samples = sample_runs(prompt) if examples is None and _PROGRAM_WORD.search(prompt) else None
        suites += [samples] if samples is not None else []
    if not suites:
        return None
    suites.sort(key=lambda one: (-one.confidence, one.path == "prompt", -len(one.tests) - len(one.pairs)))
    for index, one in enumerate(suites):
        suite = _complete(one, example, prompt, leaves)
        if suite is not None:
            if suite.kind in ("stdio", "calls"):
                return _with_language(suite, example, leaves)
            return _united(suite, [_complete(other, example, prompt, leaves) for other in suites[index + 1 :]])
    return None


def _appended_suite(prompt: str, leaves: Leaves) -> TestSuite | None:
    """Tests in another language that are compiled with the program."""
    names = [text for _, text in leaves.names]
    appended = find_appended(prompt, [text for _, text in leaves.foreign], names)
    if appended is None:
        return None
    path = next(path for path, text in leaves.foreign if text == appended.tests)
    return TestSuite(
        kind="appended", tests=(appended.tests,), entry_point=appended.entry, entry_points=(appended.entry,), language=appended.language,
        prompt_code=appended.header, confidence=0.97, source=path,
    )  # fmt: skip


def _with_language(suite: TestSuite, example: Example, leaves: Leaves) -> TestSuite:
    """The suite with the language that the row asks for, or that its reference is in."""
    language = _asked_language(example.text)
    if suite.kind == "calls":  # called by name from Python
        return suite if language in ("", "python") else suite.model_copy(update={"language": language})
    if language:
        return suite.model_copy(update={"language": language})
    columns = {own for name in leaves.languages if (own := language_of_fence(name.lower()))}
    reference = find_foreign_reference(example)
    hint = reference[0] if reference is not None else (columns.pop() if len(columns) == 1 else "")
    return suite if hint in ("", "python") else suite.model_copy(update={"hint": hint})


def _asked_language(prompt: str) -> str:
    """The one language that a prompt asks for, by its words or a stub to be filled in; "" for none or several."""
    languages = asked_languages(prompt)
    if languages:
        return languages[0] if len(languages) == 1 else ""
    shown = shown_languages(prompt)
    return next(iter(shown)) if len(shown) == 1 and all(shown.values()) else ""


def find_foreign_reference(example: Example) -> tuple[str, str] | None:
    """The row's reference program in another language than Python, with that language first; None without one."""
    for reference in example.references or ((example.reference,) if example.reference else ()):
        if len(reference) > MAX_CODE_CHARACTERS or not _FOREIGN_STEMS.stand_in(reference):
            continue
        if _FOREIGN_MARK.search(reference) is None:
            continue
        for block in reversed(fenced_blocks(reference)):
            language = language_of(block.code) or language_of_fence(block.language)
            if language and language != "python":
                return language, block.code
        language = language_of(reference)
        if language not in ("", "python"):
            return language, reference
    return None


def _is_about_programs(suite: Found, prompt: str) -> bool:
    """Pairs of texts alone prove nothing: many rows carry few-shot examples as input and output."""
    if suite.kind not in ("stdio", "calls") or suite.entry_hint or suite.functional:
        return True
    if suite.path == "reference" and "json" not in prompt.lower():
        return True  # what the whole reference is, is no few-shot example
    if _STDIN_TALK.search(prompt):
        return True
    given = _INPUT_LINE.search(prompt)
    if given is not None and _OUTPUT_LINE.search(prompt, given.end()):
        return True
    if not _TESTISH_PATH.search(suite.path):
        return False
    return _asks_program(prompt) or bool(_INPUT_WORD.search(prompt) and _OUTPUT_WORD.search(prompt))


def _asks_program(prompt: str) -> bool:
    return _ASKS_STEMS.stand_in(prompt.casefold()) and _ASKS_PROGRAM.search(prompt) is not None


def _is_given(name: str, prompt: str) -> bool:
    """Whether the prompt has the function already, body and all: it asks for something else."""
    return any(match[2] == name for match in _DEF.finditer(prompt)) and not prompt_header(prompt, name)


def _united(suite: TestSuite, others: list[TestSuite | None]) -> TestSuite:
    if suite.kind != "asserts" or (len(suite.tests) == 1 and "\n" in suite.tests[0]):
        return suite
    tests = list(suite.tests)
    for other in others:
        if other is None or other.kind != "asserts" or other.entry_point != suite.entry_point or other.setup:
            continue
        if (
            other.confidence >= 0.9
            and set(other.needs) <= set(suite.needs)
            and set(other.entry_points) <= set(suite.entry_points)
        ):
            tests += [test for test in other.tests if test not in tests and "\n" not in test]
    return suite if len(tests) == len(suite.tests) else suite.model_copy(update={"tests": tuple(tests)})


# ------------------------------------------------------------------------------------------ resolving


def _complete(suite: Found, example: Example, prompt: str, leaves: Leaves) -> TestSuite | None:
    if any(not test.strip() for test in suite.tests):
        return None
    if suite.kind == "stdio":
        return _complete_stdio(suite, prompt, leaves)
    entry = _entry_point(suite, prompt, leaves)
    if suite.kind in ("check", "calls") and entry is None:
        return None
    header = _prompt_code(prompt, entry, leaves)
    if suite.kind == "calls":
        texts = [header, prompt, *(code for _, code in leaves.codes), example.reference or ""]
        return _calls_suite(suite, header, entry, texts)
    helpers = _helpers(header, entry)
    given = bound_at_top(tree) if (tree := parse_python(helpers)) is not None else set()
    setup = "\n".join(part for part in (helpers if _reads(suite, given) else _imports(helpers), suite.setup) if part)
    expected = [name for name in suite.called if name not in given and name != entry]
    loose = suite.loose - given - {entry}
    extra = _setup_column(set(expected) | loose, entry, leaves)
    if extra:
        setup = "\n".join(part for part in (setup, extra[0]) if part)
        expected = [name for name in expected if name not in extra[1]]
        loose -= extra[1]
    if suite.kind == "check" and (expected or loose):
        expected, loose = [name for name in expected if name in prompt], frozenset(loose & _names_of(example))
    modules = sorted(name for name in loose if name in sys.stdlib_module_names)
    if modules:  # datasets lean on the imports of the solution
        setup = "\n".join([*(f"import {name}" for name in modules), *([setup] if setup else [])])
        loose -= set(modules)
    classes = [name for name in [entry, *expected] if name and _looks_like_class(name, suite)]
    if any(not name[:1].isupper() and name not in _names_of(example) for name in loose):
        return None  # a variable that nothing defines: these tests cannot run
    needs = tuple(sorted({*classes, *loose}))
    functions = [name for name in expected if name not in classes and name != entry]
    kind = suite.kind
    entries = tuple(([entry] if entry else []) + functions)
    if not entries and not needs:
        return None
    return TestSuite(
        kind=kind, tests=_bounded(suite.tests), entry_point=entry, entry_points=entries, needs=needs, setup=setup,
        prompt_code=header, imports_given=bool(header) and bool(missing_names(_whole_header(header))),
        confidence=suite.confidence, source=suite.path,
    )  # fmt: skip


def _bounded(tests: tuple[str, ...]) -> tuple[str, ...]:
    kept: list[str] = []
    size = 0
    for test in tests:
        size += len(test)
        if kept and size > MAX_SUITE_CHARACTERS:
            break
        kept.append(test)
    return tuple(kept)


def _complete_stdio(suite: Found, prompt: str, leaves: Leaves) -> TestSuite | None:
    cases: list[StdioCase] = []
    size = 0
    for given, expected in suite.pairs:
        case = StdioCase(input=_stdio_text(given), output=_stdio_text(expected))
        size += len(case.input) + len(case.output)
        if cases and size > MAX_SUITE_CHARACTERS:
            break
        cases.append(case)
    if all(not case.output.strip() for case in cases):
        return None
    return TestSuite(
        kind="stdio",
        stdio=tuple(cases),
        prompt_code=_prompt_code(prompt, None, leaves),
        confidence=suite.confidence,
        source=suite.path,
    )


def _stdio_text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_stdio_text(item) for item in value)
    return value if isinstance(value, str) else str(value)


def _reads(suite: Found, given: set[str]) -> bool:
    return bool(given & (set(suite.called) | suite.loose))


def _names_of(example: Example) -> set[str]:
    """Names that the reference program binds."""
    if not example.reference or len(example.reference) > 50_000:
        return set()
    tree = parse_python(_unfenced(example.reference))
    return bound_at_top(tree) if tree is not None else set()


def _looks_like_class(name: str, suite: Found) -> bool:
    """Capitalised, and used for its objects: as an argument, by its attributes, or through a variable."""
    if not name.lstrip("_")[:1].isupper():
        return False
    for test in (*suite.tests, suite.setup):
        tree = parse_python(test)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Attribute | ast.Assign) and _is_call_of(node.value, name):
                return True
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
                return True
            if isinstance(node, ast.Call):
                inside = [inner for part in (*node.args, *(k.value for k in node.keywords)) for inner in ast.walk(part)]
                if any(_is_call_of(inner, name) for inner in inside if isinstance(inner, ast.expr)):
                    return True
    return False


def _is_call_of(node: ast.expr | None, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _entry_point(suite: Found, prompt: str, leaves: Leaves) -> str | None:
    hints = [suite.entry_hint] if suite.entry_hint else []
    if suite.kind in ("asserts", "unittest"):
        return suite.called[0] if suite.called else None
    named = [text for path, text in leaves.names if re.search(r"entry|func|fn|method", path, re.IGNORECASE)]
    defined = [match[2] for match in _DEF.finditer(prompt)]
    for _, code in leaves.codes:
        defined += [match[2] for match in _DEF.finditer(code)]
    hints += [text for text in named if text.split(".")[-1] in defined] + named
    hints += [text for _, text in leaves.names if text.split(".")[-1] in defined]
    if hints:
        return _plain_entry(hints[0], prompt, leaves)
    for text in (prompt, *(code for _, code in leaves.codes)):
        methods = [match for match in _DEF.finditer(text)]
        if methods:
            outer = [match[2] for match in methods if not match[1] and not _NOT_TESTED.match(match[2])]
            if outer:
                return outer[-1]
            inner = [match[2] for match in methods if not _NOT_TESTED.match(match[2])]
            if inner and re.search(r"^class Solution\b", text, re.MULTILINE):
                return f"Solution.{inner[-1]}"
    return None


def _plain_entry(hint: str, prompt: str, leaves: Leaves) -> str:
    """ "Solution().f" and a bare method of the header's Solution class both become "Solution.f"."""
    if "." in hint:
        owner, method = hint.rsplit(".", 1)
        return f"{owner.removesuffix('()')}.{method}"
    for text in (prompt, *(code for _, code in leaves.codes)):
        for match in _DEF.finditer(text):
            if match[2] == hint:
                inside_class = match[1] and re.search(r"^\s*class Solution\b", text[: match.start()], re.MULTILINE)
                return f"Solution.{hint}" if inside_class else hint
    return hint


def _calls_suite(suite: Found, header: str, entry: str | None, texts: list[str]) -> TestSuite | None:
    """The suite of a table of calls; None where no reading of it is possible, or several are and nothing tells."""
    signature = find_signature((entry or "").split(".")[-1], texts)
    readings = read_calls(suite.pairs, signature, spread=suite.entry_hint is not None or suite.functional)
    if not readings or entry is None:
        return None
    first, *others = [_call_cases(reading) for reading in readings]
    returns_none = signature is not None and isinstance(signature.returns, ast.Constant) and not signature.returns.value
    return TestSuite(
        kind="calls", calls=first, readings=tuple(others), entry_point=entry, entry_points=(entry,), prompt_code=header,
        unconfirmed="results" if readings[0].doubtful else "inputs" if signature is None and readings[0].decoded else "",
        in_place=returns_none and any(case.expected is not None for case in first),
        confidence=suite.confidence, source=suite.path,
    )  # fmt: skip


def _call_cases(reading: Reading) -> tuple[CallCase, ...]:
    return tuple(
        CallCase(arguments=call.arguments, keywords=call.keywords, expected=call.expected) for call in reading.calls
    )


def _setup_column(wanted: set[str], entry: str | None, leaves: Leaves) -> tuple[str, set[str]] | None:
    """A column's code that binds names which the tests want, and is not a solution."""
    for _, code in leaves.codes:
        if not wanted or len(code) > 20_000:
            continue
        tree = parse_python(code.replace("\r\n", "\n"))
        if tree is None:
            continue
        binds = bound_at_top(tree)
        if binds & wanted and (entry is None or entry.split(".")[0] not in binds):
            return code.replace("\r\n", "\n"), binds
    return None


# ------------------------------------------------------------------------------------------ code in the prompt


def _prompt_code(prompt: str, entry: str | None, leaves: Leaves) -> str:
    """The prompt's (or a column's) code that a completion may continue; "" when there is none."""
    name = entry.split(".")[-1] if entry else None
    marker = f"def {name}" if name else "def "
    if marker in prompt:
        for code in _codes_in(prompt):
            if _is_header(code, name):
                return code
    for _, code in leaves.codes:
        if marker in code and _is_header(code, name):
            return code
    return ""


def prompt_header(prompt: str, name: str | None) -> str:
    """The prompt's code that ends in the function `name` (in any function for None), body missing; "" without such code."""
    return _prompt_code(prompt, name, Leaves())


def _codes_in(prompt: str) -> list[str]:
    first = _CODE_LINE.search(prompt)
    texts = [prompt] if first is not None else []
    texts += [block.code for block in reversed(fenced_blocks(prompt))]
    texts += [prompt[match.start() :] for match in list(_CODE_LINE.finditer(prompt))[:20]]
    return texts


def _is_header(code: str, name: str | None) -> bool:
    """Whether the code ends in a function that still lacks its body (named `name`, where one is wanted)."""
    tree = _header_tree(code)
    if tree is None or not tree.body:
        return False
    last = tree.body[-1]
    if isinstance(last, ast.ClassDef) and last.body:
        last = last.body[-1]
    return isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef) and is_stub(last) and name in (None, last.name)


def _body_indent(code: str) -> str:
    last = code.rstrip().rsplit("\n", 1)[-1]
    return (
        last[: len(last) - len(last.lstrip())] + "    "
        if last.rstrip().endswith(":")
        else last[: len(last) - len(last.lstrip())]
    )


def _whole_header(header: str) -> str:
    """The header with a body that makes it a module."""
    return header if parse_python(header) is not None else _with_body(header)


def _with_body(header: str) -> str:
    return header.rstrip() + "\n" + _body_indent(header) + "pass\n"


def _header_tree(header: str) -> ast.Module | None:
    """The syntax tree of `_whole_header`."""
    tree = parse_python(header)
    return tree if tree is not None else parse_python(_with_body(header))


def _helpers(header: str, entry: str | None) -> str:
    """The header's code without the function that is to be written."""
    tree = _header_tree(header) if header else None
    if tree is None:
        return ""
    target = (entry or "").split(".")[0]
    return unparse(
        node
        for node in tree.body
        if not (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.name == target or is_stub(node)))
        and not (isinstance(node, ast.ClassDef) and node.name == target)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    )


def _imports(code: str) -> str:
    tree = parse_python(code) if code else None
    if tree is None:
        return ""
    return unparse(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


# ------------------------------------------------------------------------------------------ reference programs


def _unfenced(text: str) -> str:
    if "```" in text or "~~~" in text:
        blocks = python_blocks(text)
        if blocks:
            return "\n".join(block.code for block in blocks)
    return text


def find_reference_program(example: Example) -> str | None:
    """The row's reference solution as Python source, or None.

    A bare function body (a completion of the prompt's header) comes back joined to that header.
    """
    for reference in example.references or ((example.reference,) if example.reference else ()):
        program = reference_program(reference, example.text)
        if program is not None:
            return program
    return None


def reference_program(reference: str, prompt: str = "") -> str | None:
    """A reference text as a program that does something: defines functions or classes, or prints."""
    if not any(word in reference for word in ("def ", "print", "return", "class ", "lambda", "write(")):
        return None
    code = _unfenced(reference).replace("\r\n", "\n")
    tree = parse_python(code)
    if tree is None or not _does_something(tree):
        if "def " not in prompt:
            return None
        header = next((one for one in _codes_in(prompt) if _is_header(one, None)), None)
        if header is None:
            return None
        start = header if header.endswith("\n") else header + "\n"
        for body in (code, textwrap.indent(textwrap.dedent(code), _body_indent(header) or "    ")):
            tree = parse_python(start + body) if compiles(start + body) else None
            if tree is not None and _does_something(tree):
                return start + body
        return None
    return code


def _does_something(tree: ast.Module) -> bool:
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    if functions:
        return not all(isinstance(node, ast.FunctionDef) and (is_stub(node) or _is_check(node)) for node in functions)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and unparse([node.func]) in ("print", "sys.stdout.write"):
            return True
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            return True
    return False


def _is_check(node: ast.FunctionDef) -> bool:
    return node.name == "check" and any(isinstance(inner, ast.Assert) for inner in ast.walk(node))


def public_function(program: str) -> str | None:
    """The function that a program offers: the last top-level one that no other top-level one calls; None without any."""
    tree = parse_python(program)
    if tree is None:
        return None
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    used = {name for node in functions for name in _called_by(node) if name != node.name}
    offered = [node.name for node in functions if node.name not in used]
    return offered[-1] if offered else (functions[-1].name if functions else None)


def _called_by(node: ast.FunctionDef) -> set[str]:
    return free_names(node) & {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
