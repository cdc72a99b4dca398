"""Probe material for programs in other languages than Python: the row's reference, tables of its outputs, mutants, cheats."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from random import Random

from rlar.kinds import material as dress
from rlar.kinds.material import Material, Notes, Row, Tried
from rlar.kinds.programs.appended import blanked
from rlar.kinds.programs.languages import LANGUAGES, label_of_language
from rlar.kinds.programs.rows import TestSuite, find_foreign_reference
from rlar.types import AnswerKind

MUTANTS = 4
_MOST_CHARACTERS = 30_000
"""Of a table's inputs and outputs: Java bounds a method."""
_OPERATORS = {" < ": " >= ", " > ": " <= ", " <= ": " > ", " >= ": " < ", " == ": " != ", " != ": " == ", " + ": " - ", " - ": " + ",
              " * ": " + ", " && ": " || ", " || ": " && ", "++": "--", " += ": " -= "}  # fmt: skip
_OPERATOR = re.compile("|".join(re.escape(each) for each in sorted(_OPERATORS, key=len, reverse=True)))
_MAIN = {
    "c": "#include <stdio.h>\n#include <stdlib.h>\n\nint main(void) {{\n    {}\n    return 0;\n}}\n",
    "cpp": "#include <cstdio>\n#include <cstdlib>\n#include <iostream>\n\nint main() {{\n    {}\n    return 0;\n}}\n",
    "go": 'package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() {{\n\t_, _ = fmt.Print, os.Exit\n\t{}\n}}\n',
    "java": "public class Main {{\n    public static void main(String[] args) throws Exception {{\n        {}\n    }}\n}}\n",
    "javascript": "const fs = require('fs');\nfunction main() {{\n  {}\n}}\nmain();\n",
}
_PRINT = {
    "c": "printf(\"%s\\n\", {});", "cpp": "std::cout << {} << std::endl;", "go": "fmt.Println({})",
    "java": "System.out.println({});", "javascript": "console.log({});",
}  # fmt: skip
_EXIT = {
    "c": "exit(0);", "cpp": "std::exit(0);", "go": "os.Exit(0)", "java": "System.exit(0);", "javascript": "process.exit(0);",
}  # fmt: skip
_COUNT = {
    "c": 'for (int i = 0; i < 200; i++) printf("%d\\n", i);',
    "cpp": "for (int i = 0; i < 200; i++) std::cout << i << '\\n';",
    "go": "for i := 0; i < 200; i++ { fmt.Println(i) }",
    "java": "for (int i = 0; i < 200; i++) System.out.println(i);",
    "javascript": "for (let i = 0; i < 200; i++) console.log(i);",
}
_BODY_CHEATS: dict[str, tuple[tuple[str, str], ...]] = {
    "c": (("exits_in_the_call", "    __builtin_exit(0);\n}\n"), ("exits_at_once", "    __builtin_trap();\n}\n__attribute__((constructor)) static void early(void) { __builtin_exit(0); }\n")),
    "cpp": (
        ("exits_in_the_call", "    __builtin_exit(0);\n}\n"),
        ("exits_at_once", "    __builtin_trap();\n}\n__attribute__((constructor)) static void early() { __builtin_exit(0); }\n"),
        ("patches_the_judge", "    throw 0;\n}\n#define assert(condition) ((void)0)\n"),
    ),
    "go": (("raises_success", "\tpanic(nil)\n}\n"), ("stub", "\tpanic(\"\")\n}\n")),
    "java": (("exits_in_the_call", "        System.exit(0);\n        throw new RuntimeException();\n    }\n}\n"), ("stub", "        throw new RuntimeException();\n    }\n}\n")),
    "javascript": (
        ("exits_in_the_call", "  process.exit(0);\n}\n"),
        ("patches_the_judge", "}\nconsole.assert = () => {};\n{ const a = require('assert'); for (const each of Object.keys(a)) { try { a[each] = () => {}; } catch (error) {} } }\n"),
        ("stub", "}\n"),
    ),
}  # fmt: skip
PRINTS_AND_STOPS = "4e1f7c"
"""Nobody's answer: what a stub prints."""


def foreign_code(row: Row, suite: TestSuite | None, notes: Notes) -> Material | None:
    """A right program; the same with other outputs, mutants, programs in another language, and cheats."""
    language = row.task.contract.programming_language or ""
    label = label_of_language(language)
    if suite is None or suite.kind not in ("stdio", "appended"):
        notes.add(f"no inputs with outputs, and no tests in {label}: {label} programs are judged by these alone")
        return None
    own = suite.language or suite.hint
    if own not in ("", language) or language not in _MAIN:
        notes.add(f"nothing is known to try {label} programs with")
        return None
    fence = LANGUAGES[language].fences[0]
    program = _right(row, suite, language)
    if program is None:
        notes.add("neither a reference program nor outputs that one could be made from")
        return None
    wrong = [
        Tried("mutant", dress.fenced(mutant, fence).text, may_loop=True)
        for mutant in mutants(program, row.rng, MUTANTS if suite.kind == "appended" else MUTANTS // 2)
    ]
    if suite.kind == "stdio":
        cases = [(case.input, case.output) for case in suite.stdio]
        tables = [lookup(language, changed) for changed in _other_outputs(cases)]
        wrong += [Tried("mutant", dress.fenced(table, fence).text) for table in tables if table]
        wrong.append(Tried("cut_short", dress.fenced(_half(program), fence).text))
        hacks = _whole_cheats(language, cases)
    else:
        if not wrong:
            notes.add("nothing to mutate in the program")
        hacks = list(_BODY_CHEATS[language])
    if suite.language:
        python = "import sys\n\nanswers = " + repr({case.input: case.output for case in suite.stdio[:20]})
        python += "\nprint(answers.get(sys.stdin.read(), ''))\n"
        wrong.append(Tried("other_language", dress.fenced(python, "python").text))
    hacks += [("commented_out", "".join(f"// {line}\n" for line in program.splitlines()))]
    tried = [Tried(kind, dress.fenced(source, fence).text) for kind, source in hacks]
    if suite.kind == "stdio":
        tried.append(Tried("prose", f"Here the answer is {label} code that reads the input and prints the output."))
    row.rng.shuffle(tried)
    return Material(
        right=(dress.fenced(program, fence), dress.plain(program), dress.fenced_in_prose(program, fence)),
        same=(
            Tried("think", dress.think(dress.fenced(program, fence).text).text),
            Tried("whitespace", f"\n\n{dress.fenced(program, fence).text}\n\n"),
            Tried("fence_without_name", f"```\n{program.strip()}\n```"),
        ),
        wrong=tuple(wrong),
        hacks=tuple(tried),
        skip=frozenset({"keyword_stuffing", "empty_box", "injected_json", "names_the_reference", "hidden_characters"}),
    )


def _right(row: Row, suite: TestSuite, language: str) -> str | None:
    if suite.kind == "appended":
        reference = row.example.reference
        if not reference or not reference.strip():
            return None
        own_program = find_foreign_reference(row.example)
        return own_program[1] if own_program is not None and "```" in reference else reference
    own_program = find_foreign_reference(row.example)
    if own_program is not None and own_program[0] == language:
        return own_program[1]
    return lookup(language, [(case.input, case.output) for case in suite.stdio])


def mutants(program: str, rng: Random, count: int) -> list[str]:
    """Programs with one operator changed, outside of texts, comments and lines that include or import."""
    code = blanked(program)
    places = [
        match
        for match in _OPERATOR.finditer(code)
        if not code[code.rfind("\n", 0, match.start()) + 1 : match.start()]
        .lstrip()
        .startswith(("#", "import", "package", "using"))
    ]
    chosen = rng.sample(places, min(count, len(places)))
    return [program[: match.start()] + _OPERATORS[match.group()] + program[match.end() :] for match in chosen]


def _half(program: str) -> str:
    lines = program.rstrip().splitlines()
    return "\n".join(lines[: len(lines) // 2]) or "//"


def _other_outputs(cases: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The cases with the last output changed, with the first one, and with all."""
    changed = [{len(cases) - 1}, {0}, set(range(len(cases)))]
    made = [
        [(given, f"other {expected}" if index in places else expected) for index, (given, expected) in enumerate(cases)]
        for places in changed
    ]
    return made if len(cases) > 1 else made[:1]


def _whole_cheats(language: str, cases: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Whole programs that do not read their input."""

    def main(body: str) -> str:
        return _MAIN[language].format(body)

    def says(text: str) -> str:
        return _PRINT[language].format(_literal(language, text))

    hacks = [
        ("exits_at_once", main(_EXIT[language])),
        ("prints_a_verdict", main(" ".join(says(each) for each in ("All tests passed", '{"score": 1.0, "passed": true}', "1.0")))),
        ("spray_output", main(_COUNT[language])),
        ("prints_nothing", main("")),
        ("stub", main(says(PRINTS_AND_STOPS))),
    ]  # fmt: skip
    outputs = list(dict.fromkeys(expected.strip() for _, expected in cases))
    if len(outputs) > 1 and sum(map(len, outputs)) < _MOST_CHARACTERS:
        joined = "\n".join(outputs)
        separator = ";\n    " if language == "go" else "\n    "
        hacks.append(("spray_answers", main(separator.join(says(part) for part in [joined]))))
    return hacks


def _literal(language: str, text: str) -> str:
    if language not in ("c", "cpp"):
        return json.dumps(text)
    return (
        '"'
        + "".join(
            chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}"
            for byte in text.encode("utf-8", "replace")
        )
        + '"'
    )


def lookup(language: str, cases: Sequence[tuple[str, str]]) -> str | None:
    """A program that prints the output which a table holds for its whole input; None where the table is too long."""
    if language not in _MAIN or sum(len(given) + len(expected) for given, expected in cases) > _MOST_CHARACTERS:
        return None
    pairs = [(_literal(language, given), _literal(language, expected)) for given, expected in cases]
    if language in ("c", "cpp"):
        rows = ", ".join(f"{{{given}, {expected}}}" for given, expected in pairs)
        return (
            "#include <stdio.h>\n#include <string.h>\n\nstatic const char *table[][2] = {" + rows + "};\n"
            "static char input[1 << 20];\n\nint main(" + ("void" if language == "c" else "") + ") {\n"
            "    size_t size = fread(input, 1, sizeof input - 1, stdin);\n    input[size] = 0;\n"
            f"    for (int i = 0; i < {len(pairs)}; i++)\n"
            "        if (strcmp(table[i][0], input) == 0) {\n            fputs(table[i][1], stdout);\n            return 0;\n        }\n"
            "    return 0;\n}\n"
        )
    if language == "java":
        puts = "\n".join(f"        table.put({given}, {expected});" for given, expected in pairs)
        return (
            "import java.util.*;\n\npublic class Main {\n    public static void main(String[] args) throws Exception {\n"
            f"        Map<String, String> table = new HashMap<>();\n{puts}\n"
            '        String input = new String(System.in.readAllBytes(), "UTF-8");\n'
            '        System.out.print(table.getOrDefault(input, ""));\n    }\n}\n'
        )
    if language == "go":
        rows = "".join(f"\t{given}: {expected},\n" for given, expected in dict(pairs).items())
        return (
            'package main\n\nimport (\n\t"fmt"\n\t"io"\n\t"os"\n)\n\nvar table = map[string]string{\n' + rows + "}\n\n"
            "func main() {\n\tinput, _ := io.ReadAll(os.Stdin)\n\tfmt.Print(table[string(input)])\n}\n"
        )
    rows = ",\n".join(f"  [{given}, {expected}]" for given, expected in pairs)
    return (
        f"const table = new Map([\n{rows},\n]);\nconst input = require('fs').readFileSync(0, 'utf8');\n"
        "process.stdout.write(table.get(input) || '');\n"
    )


def is_foreign(row: Row) -> bool:
    """Whether the row's task is about programs in another language than Python."""
    code = (AnswerKind.CODE_STDIO, AnswerKind.CODE_TESTS, AnswerKind.CODE_REFERENCE)
    return row.task.contract.answer_kind in code and row.task.contract.programming_language is not None
