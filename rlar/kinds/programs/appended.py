"""Tests in the program's own language, to be compiled and run together with it: a `main` with asserts, `func TestX`, a script.

Program and tests then share a process, so whoever controls the one can forge what the other says: verdicts made so are marked
forgeable. What is cheap to try does not win all the same. Only the end of the tests prints a word that is drawn anew for every
run; asserts cannot be redefined before them; a run that prints it must also end by itself with status 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rlar.kinds.programs.languages import language_of, language_of_fence
from rlar.text.python import fenced_blocks

RUNS_TESTS = frozenset({"c", "cpp", "go", "java", "javascript"})
"""Languages whose tests of this form are understood."""
_MAX_TESTS = 200_000

_TESTS = re.compile(
    r"\bint main\s{0,3}\(|\bstatic void main\b|\bfunc Test\w|\bfunc main\(|\bconsole\.assert\(|\brequire\(['\"](?:node:)?assert|\bassert\.\w"
)
_ASSERTS = {
    "c": re.compile(r"\bassert\s{0,3}\("),
    "cpp": re.compile(r"\bassert\s{0,3}\("),
    "java": re.compile(r"\bassert\b|\bAssertionError\b|\bthrow new\b"),
    "javascript": re.compile(r"\bassert\b|\bthrow new\b"),
    "go": re.compile(r"\btesting\.T\b|\bpanic\("),
}
_READS_INPUT = re.compile(r"\bcin\b|\bscanf\b|\bSystem\.in\b|\bstdin\b|\bgetline\b|\bfmt\.F?[Ss]can|\bos\.Stdin\b")
_CANDIDATE = re.compile(r"\bcandidate\s{0,3}:?=\s{0,3}(?:\w{1,60}(?:\.|::))?(\w{1,80})\s{0,3};?")
_CALLED = re.compile(r"\b([A-Za-z_]\w{0,80})\s{0,3}\(")
_NOT_TESTED = frozenset(
    [
        "main",
        "assert",
        "if",
        "for",
        "while",
        "switch",
        "return",
        "sizeof",
        "vector",
        "map",
        "set",
        "pair",
        "string",
        "test",
        "equal",
        "deepEqual",
        "strictEqual",
        "deepStrictEqual",
        "require",
        "function",
        "print",
        "println",
        "printf",
        "cout",
        "abs",
        "asList",
        "println",
        "contains",
        "equals",
        "log",
        "fabs",
        "abs",
        "max",
        "min",
        "size",
        "length",
        "Sprintf",
        "Errorf",
        "Fatalf",
        "Run",
        "New",
        "Equal",
        "String",
        "toString",
        "valueOf",
        "of",
        "get",
        "add",
        "push",
    ]
)
_NOISE = re.compile(
    r'//[^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|"(?:[^"\\\n]|\\.)*+"?|\'(?:[^\'\\\n]|\\.){0,200}\'|`[^`]*+`?'
)
_DEFINES = re.compile(r"^[ \t]*#[ \t]*define[ \t]{1,9}(\w{1,80})", re.M)
_C_MAIN = re.compile(r"\bmain\s{0,3}\([^(){};]{0,200}\)\s{0,9}\{")
_GO_MAIN = re.compile(r"^func main\(\)\s{0,3}\{", re.M)
_GO_TEST = re.compile(r"^func (Test\w{0,80})\(\s{0,3}\w{1,20}\s{1,3}\*testing\.T\s{0,3}\)", re.M)
_GO_PACKAGE = re.compile(r"^package[ \t]{1,9}\w{1,80}[^\n]{0,80}$", re.M)
_GO_IMPORT = re.compile(
    r"^import[ \t]{0,9}(?:\(([^()]{0,4000})\)|((?:[\w.]{1,40}[ \t]{1,9})?\"[^\"\n]{1,200}\"))", re.M
)
_GO_IMPORTED = re.compile(r"(?:[\w.]{1,40}[ \t]{1,9})?\"([^\"\n]{1,200})\"")
_JAVA_IMPORT = re.compile(r"^[ \t]*import\s{1,9}[\w.*\s]{1,200};[^\n]{0,80}$", re.M)
_JAVA_PACKAGE = re.compile(r"^[ \t]*package\s{1,9}[\w.]{1,200};", re.M)
_JAVA_PUBLIC = re.compile(
    r"^([ \t]*)public\s{1,9}((?:final\s{1,9}|abstract\s{1,9}){0,2}(?:class|interface|enum|record)\b)", re.M
)
_JAVA_MAIN = re.compile(r"\bstatic\s{1,9}(?:final\s{1,9})?void\s{1,9}main\b")
_JAVA_CLASS = re.compile(r"\b(?:class|enum|record)\s{1,9}(\w{1,80})")
_EXPORT = re.compile(r"^export\s{1,9}(?:default\s{1,9})?(?=(?:async\s|function|class|const|let|var)\b)", re.M)
_PREAMBLE = re.compile(r"^[ \t]*(?:#[ \t]*include\b|using\s|import\s|package\s)", re.M)

_TESTIFY = "github.com/stretchr/testify/assert"
_GO_ASSERTS = """
type rlarAsserts struct{ t *testing.T }

func (a rlarAsserts) New(t *testing.T) rlarAsserts { return rlarAsserts{t} }
func (a rlarAsserts) say(good bool, given []interface{}) bool {
	t := a.t
	if own, is := given[0].(*testing.T); is {
		t = own
	}
	if !good {
		t.Errorf("not as expected")
	}
	return good
}
func rlarOwn(given []interface{}) []interface{} {
	if _, is := given[0].(*testing.T); is {
		return given[1:]
	}
	return given
}
func (a rlarAsserts) Equal(given ...interface{}) bool {
	own := rlarOwn(given)
	return a.say(reflect.DeepEqual(own[0], own[1]), given)
}
func (a rlarAsserts) NotEqual(given ...interface{}) bool {
	own := rlarOwn(given)
	return a.say(!reflect.DeepEqual(own[0], own[1]), given)
}
func (a rlarAsserts) True(given ...interface{}) bool  { return a.say(rlarOwn(given)[0] == true, given) }
func (a rlarAsserts) False(given ...interface{}) bool { return a.say(rlarOwn(given)[0] == false, given) }
func (a rlarAsserts) Nil(given ...interface{}) bool {
	value := rlarOwn(given)[0]
	return a.say(value == nil || (reflect.ValueOf(value).Kind() >= reflect.Chan && reflect.ValueOf(value).IsNil()), given)
}
func (a rlarAsserts) InDelta(given ...interface{}) bool {
	own := rlarOwn(given)
	one, other, most := reflect.ValueOf(own[0]), reflect.ValueOf(own[1]), reflect.ValueOf(own[2])
	float := reflect.TypeOf(0.0)
	gap := one.Convert(float).Float() - other.Convert(float).Float()
	return a.say(gap <= most.Convert(float).Float() && -gap <= most.Convert(float).Float(), given)
}

var assert = rlarAsserts{}
"""
"""What tests use of the assertion library that Go's public suites import; the library itself is not part of Go."""


class Appended(NamedTuple):
    """Tests of this form as a row brings them."""

    language: str
    tests: str
    entry: str
    """The function under test."""
    header: str
    """The prompt's code that a completion continues; "" without any."""


def may_be_tests(text: str) -> bool:
    """Whether a text could be tests in another language; quick."""
    return len(text) <= _MAX_TESTS and _TESTS.search(text) is not None


def find_appended(prompt: str, texts: Iterable[str], names: Sequence[str] = ()) -> Appended | None:
    """The first of the texts that tests what the prompt asks for, in a language whose tests are understood.

    Args:
        names: identifiers that other columns hold (an entry point among them).
    """
    for text in texts:
        header, language = _header(prompt)
        own = language_of(text) or language_of(f"{header}\n{text}")
        if own == "c" and language == "cpp":
            own = "cpp"
        if own not in RUNS_TESTS or (language and language != own) or not _ASSERTS[own].search(text):
            continue
        if _READS_INPUT.search(blanked(text)):
            continue  # a program of its own
        entry = _entry(text, prompt, names)
        if entry is not None and not _defines(text, entry, own):
            return Appended(own, text, entry, header)
    return None


def _header(prompt: str) -> tuple[str, str]:
    """The prompt's code and its language: the whole prompt where it is code, else its last code block in a language."""
    for block in reversed(fenced_blocks(prompt)):
        language = language_of_fence(block.language) or language_of(block.code)
        if language in RUNS_TESTS:
            return block.code, language
    code = blanked(prompt)
    if code.rstrip().endswith(("{", ")", ";", "}")) and (language := language_of(prompt)) in RUNS_TESTS:
        return prompt, language
    if code.rstrip().endswith("{") or prompt.lstrip().startswith(("//", "/*")):
        return prompt, ""
    return "", ""


def _entry(tests: str, prompt: str, names: Sequence[str]) -> str | None:
    candidate = _CANDIDATE.search(tests)
    if candidate is not None and re.search(rf"\b{re.escape(candidate[1])}\b", prompt):
        return candidate[1]
    called = dict.fromkeys(match[1] for match in _CALLED.finditer(blanked(tests)) if match[1] not in _NOT_TESTED)
    given = set(names)
    named = {match[1] for match in _CALLED.finditer(prompt)} | set(re.findall(r"`(\w{1,80})`", prompt))
    return next((name for name in called if name in given), None) or next(
        (name for name in called if name in named), None
    )


def blanked(code: str) -> str:
    """The code with comments and texts replaced by spaces, of the same length."""
    return _NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), code)


def _defines(code: str, name: str, language: str) -> bool:
    """Whether the code defines the function itself, rather than calling it."""
    own = re.escape(name)
    if language == "go":
        return re.search(rf"^func (?:\([^()\n]{{1,80}}\)\s?)?{own}\s{{0,3}}\(", code, re.M) is not None
    if language == "javascript":
        return (
            re.search(
                rf"\bfunction\s{{1,3}}{own}\b|\b(?:const|let|var)\s{{1,3}}{own}\s{{0,3}}=|^[ \t]*(?:static\s|async\s)?{own}\s?\([^()\n]{{0,200}}\)\s?\{{"
                rf"|\bexports\.{own}\s?=|\b{own}\s?=\s?(?:async\s)?(?:function\b|\()",
                code,
                re.M,
            )
            is not None
        )
    return (
        re.search(
            rf"[\w>\]&*]\s{{1,9}}[*&]{{0,2}}{own}\s{{0,3}}\([^;{{}}]{{0,400}}?\)\s{{0,9}}(?:const\s?)?(?:throws [\w, ]{{1,80}})?\{{",
            blanked(code),
        )
        is not None
    )


def joined(code: str, suite_header: str, language: str, entry: str) -> str:
    """The completion's code as a whole program: the rest of the prompt's header, or by itself with what the header includes."""
    code = _EXPORT.sub("", code) if language == "javascript" else code
    if not suite_header:
        return code
    if not _defines(code, entry, language):
        return suite_header + ("" if suite_header.endswith("\n") or code.startswith("\n") else "\n") + code
    lines = [line for line in suite_header.split("\n") if _PREAMBLE.match(line)]
    if language == "java":
        owner = _JAVA_CLASS.search(blanked(suite_header))
        if owner is not None and not re.search(rf"\bclass\s{{1,9}}{re.escape(owner[1])}\b", code):
            code = f"class {owner[1]} {{\n{code}\n}}"
    if language == "go":
        lines = []  # a completion that defines the function imports what it reads; see `_go`
        if not _GO_PACKAGE.search(code):
            imports = [match.group() for match in _GO_IMPORT.finditer(suite_header)]
            code = "\n".join([*imports, code])
    if language == "javascript":
        lines = []
    return "\n".join([*lines, code])


def with_tests(program: str, written: str, tests: str, language: str, word: str) -> str:
    """One source text of a program and its tests, which prints `word` where the tests came to their end.

    Args:
        program: as `joined` gives it.
        written: the completion's own part of it.
    """
    program = _to_depth(program, -_lowest(blanked(tests)))
    if language in ("c", "cpp"):
        return _c(program, written, tests, word)
    if language == "java":
        return _java(program, tests, word)
    if language == "go":
        return _go(program, tests, word)
    return _javascript(program, tests, word)


def _lowest(code: str) -> int:
    """The lowest depth of braces on the way, at most 0: tests may begin by closing what the program left open."""
    depth = lowest = 0
    for character in code:
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            lowest = min(lowest, depth)
    return lowest


def _to_depth(program: str, wanted: int) -> str:
    """The program with as many braces left open at its end as the tests close."""
    code = blanked(program)
    depth = code.count("{") - code.count("}")
    if depth > wanted:
        return program + "\n" + "}\n" * (depth - wanted)
    while depth < wanted:
        place = code.rstrip().rfind("}")
        if place < 0 or code[place + 1 :].strip(" \t\r\n;"):
            return program
        program, code = program[:place], code[:place]
        depth += 1
    return program


def _c(program: str, written: str, tests: str, word: str) -> str:
    done = f"rlar_done_{word}"
    before = f'#include <assert.h>\nstatic void {done}(int *of) {{ (void)of; __builtin_puts("\\n{word}"); }}\n'
    macros = "".join(f"#undef {name}\n" for name in dict.fromkeys(_DEFINES.findall(written)))
    between = f"\n{macros}#undef NDEBUG\n#undef assert\n#include <assert.h>\n"
    guard = f" __attribute__((cleanup({done}))) int rlar_at_{word} = 0; (void)rlar_at_{word};"
    return before + program + between + _C_MAIN.sub(lambda match: match.group() + guard, tests, count=1)


def _java(program: str, tests: str, word: str) -> str:
    text = f"{program}\n{tests}"
    imports = list(dict.fromkeys(match.group().strip() for match in _JAVA_IMPORT.finditer(text)))
    text = _JAVA_PUBLIC.sub(r"\1\2", _JAVA_PACKAGE.sub("", _JAVA_IMPORT.sub("", text)))
    code = blanked(text)
    mains = list(_JAVA_MAIN.finditer(code))
    owners = [match[1] for match in _JAVA_CLASS.finditer(code, 0, mains[-1].start())] if mains else []
    owner = owners[-1] if owners else "Main"
    launcher = (
        f"class Launcher_{word} {{ public static void main(String[] given) throws Throwable {{ {owner}.main(given); "
        f'System.out.println("\\n{word}"); }} }}'
    )
    return "\n".join([*imports, launcher, text])


def _go(program: str, tests: str, word: str) -> str:
    text = f"{program}\n{tests}"
    lines: dict[str, str] = {}
    for match in _GO_IMPORT.finditer(text):
        for one in _GO_IMPORTED.finditer(match[1] if match[1] is not None else match[2]):
            lines.setdefault(one.group().strip(), one[1])
    text = _GO_PACKAGE.sub("", _GO_IMPORT.sub("", text))
    names = _GO_TEST.findall(text)
    wanted = ['"os"', '"fmt"', *(['"testing"'] if names else [])]
    has_asserts = _TESTIFY in lines.values()
    if has_asserts:
        lines = {line: path for line, path in lines.items() if path != _TESTIFY}
        wanted += ['"reflect"', '"testing"']
        text += _GO_ASSERTS
    # Aliases of our own, so that a program's imports stay as they are: used where it uses them, unused where it does not.
    own = {"fmt": "rlarfmt", "os": "rlaros"}
    body = blanked(text)
    kept = [line for line, path in lines.items() if _go_uses(body, line, path)]
    for line in wanted[2:]:
        if line not in kept:
            kept.append(line)
    head = (
        "package main\nimport (\n" + "\n".join([*kept, *(f'{alias} "{path}"' for path, alias in own.items())]) + "\n)\n"
    )
    says = f'rlarfmt.Println("\\n{word}")'
    if names:
        listed = ", ".join(f'{{Name: "{name}", F: {name}}}' for name in names)
        # The last test says the word; that an earlier one failed is in the exit status.
        last = f'{{Name: "last", F: func(*testing.T) {{ {says} }}}}'
        main = (
            "\nfunc main() {\n\ttesting.Main(func(_, _ string) (bool, error) { return true, nil }, "
            f"[]testing.InternalTest{{{listed}, {last}}}, nil, nil)\n\trlaros.Exit(1)\n}}\n"
        )
        return head + text + main
    guard = f" defer func() {{ if rlarv := recover(); rlarv != nil {{ panic(rlarv) }}; {says} }}(); if false {{ rlaros.Exit(1) }};"
    return head + _GO_MAIN.sub(lambda match: match.group() + guard, text, count=1)


def _go_uses(body: str, line: str, path: str) -> bool:
    """Whether an import is used: tests and program bring theirs, and Go refuses those that are not."""
    alias = line.split('"')[0].strip()
    name = alias or path.rsplit("/", 1)[-1]
    return name in ("_", ".") or re.search(rf"\b{re.escape(name)}\.", body) is not None


def _javascript(program: str, tests: str, word: str) -> str:
    before = f"""\
const rlar_{word} = process.stdout.write.bind(process.stdout);
{{
  const assert = require('assert');
  for (const each of [assert, assert.strict]) Object.freeze(each);
  console.assert = (holds, ...why) => {{ if (!holds) throw new assert.AssertionError({{message: String(why)}}); }};
  for (const each of [console, JSON]) Object.freeze(each);
}}
"""
    return f"{before}{program}\n{_EXPORT.sub('', tests)}\n;rlar_{word}('\\n{word}\\n');\n"
