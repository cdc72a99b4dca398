"""Programs in other languages: which one a text is in, which one a row asks for, and what a program of each is worth."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlar.discover.fingerprint import fingerprint, task_label
from rlar.kinds.contracts import STDIO, guesses
from rlar.kinds.facts import describe
from rlar.kinds.programs.foreign import what_runs
from rlar.kinds.programs.languages import asked_languages, language_of
from rlar.kinds.programs.rows import find_suite
from rlar.kinds.programs.run import ReferenceCheck, score_program
from rlar.sandbox import Limits, Pool
from rlar.sandbox.languages import toolchains
from rlar.types import Example, Message, Sample, Score
from tests.fakes import polyglot

PYTHON = "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a))\n"


def row(prompt: str, reference: str | None = None, **columns: object) -> Example:
    references = (reference,) if reference else ()
    return Example(
        id="1",
        prompt=(Message(role="user", content=prompt),),
        reference=reference,
        references=references,
        columns=columns,
    )


def io_row(prompt: str, reference: str | None = None, problem: polyglot.Problem = polyglot.PROBLEMS[0]) -> Example:
    pairs = polyglot.cases(problem)
    return row(prompt, reference, tests={"inputs": [given for given, _ in pairs], "outputs": [out for _, out in pairs]})


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=2) as made:
        if made.tier != "ns":
            pytest.skip("programs of other languages need tier ns")
        yield made


def score(pool: Pool, example: Example, completion: str) -> Score:
    suite = find_suite(example)
    assert suite is not None
    if suite.language not in ("", "python") and (missing := pool.missing_runner(suite.language)):
        pytest.skip(missing)
    sample = Sample.of(example, completion, {"suite": suite.to_binding()})
    return score_program(sample, suite, pool, Limits(seconds=15.0), ReferenceCheck())


# ------------------------------------------------------------------------------------------ reading


@pytest.mark.parametrize("problem", polyglot.PROBLEMS, ids=lambda each: each.name)
def test_every_program_is_read_as_its_own_language(problem: polyglot.Problem):
    assert {language: language_of(polyglot.program(problem, language)) for language in polyglot.LANGUAGES} == {
        language: language for language in polyglot.LANGUAGES
    }


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (PYTHON, "python"),
        ('print("System.out.println(1); #include <vector>")', "python"),
        ("def f(x):\n    # std::vector<int> like in C++\n    return x;", "python"),
        ("console.log(1)", "javascript"),
        ("class Solution {\npublic:\n  int f(vector<int>& a) { return a.size(); }\n};", "cpp"),
        ("class Solution {\n    public int f(int[] a) { return a.length; }\n}", "java"),
        ("use std::io;\nfn main() { println!(\"{}\", 1); }", "rust"),
        ("using System;\nclass P { static void Main() { Console.WriteLine(1); } }", "csharp"),
        ("n = gets.to_i\nputs n * 2", "ruby"),
        ("The answer is 42; see {a}.", ""),
        ("x = 5", ""),
        ("", ""),
        ("{};" * 5000, ""),
    ],
)  # fmt: skip
def test_marks_tell_a_language_and_their_absence_tells_none(text: str, language: str):
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("Write a program in C++ that reads n.", {"cpp"}),
        ("Give a solution using Java.", {"java"}),
        ("Implement it in Node.js.", {"javascript"}),
        ("You are an expert Go programmer.", {"go"}),
        ("Solve in Go.", {"go"}),
        ("Complete the following C function.", {"c"}),
        ("用C++编写程序", {"cpp"}),
        ("Answer with a program (C++17).", {"cpp"}),
        ("Translate this Python function to C++.", {"cpp"}),
        ("Write it in Python or C++.", {"python", "cpp"}),
        ("Implement it in Java, not in Python.", {"java"}),
        ("Schreibe ein Programm in Java.", {"java"}),
        ("Do not use %lld to read or write 64-bit integers in C++.", set()),
        ("Write code in any language.", set()),
        ("Print the sum of all elements in C.", set()),
        ("Write a story: they go to the store and write in ink.", set()),
        ("Write a function to convert C to F.", set()),
        ("Note that in Java, ints overflow.", set()),
        ("Use Python's order of words.", set()),
    ],
)
def test_only_what_asks_for_a_language_counts(prompt: str, asked: set[str]):
    assert set(asked_languages(prompt)) == asked


def test_a_long_prompt_or_program_is_read_in_a_moment():
    for text in ("Write a program in " * 20_000, "in C++ or " * 20_000, "#include <" * 20_000, "a(" * 100_000):
        asked_languages(text)
        language_of(text)


# ------------------------------------------------------------------------------------------ tasks


def test_rows_of_python_keep_their_contract_and_fingerprint():
    for prompt in (
        "Write a program that reads n and a and prints the sum.",
        "Write a Python program that prints the sum of the input.",
    ):
        contract = guesses(describe(io_row(prompt)))[0].contract
        assert contract == STDIO
    assert fingerprint(STDIO) == "f1-9fb423d2d2cf"


@pytest.mark.parametrize(
    ("prompt", "reference", "language"),
    [
        ("Write a C++ program that prints the sum of the input.", None, "cpp"),
        ("Write a program that prints the sum of the input.", polyglot.program(polyglot.PROBLEMS[0], "cpp"), "cpp"),
        ("Write a program that prints the sum.\n```go\n// your code\n```\n", None, "go"),
        ("Write a Java program for standard input.", polyglot.program(polyglot.PROBLEMS[0], "java"), "java"),
        ("Write a program for standard input, in Rust.", None, "rust"),
    ],
)
def test_the_contract_names_the_language(prompt: str, reference: str | None, language: str):
    contract = guesses(describe(io_row(prompt, reference)))[0].contract
    assert contract.programming_language == language
    assert contract.answer_kind is STDIO.answer_kind
    assert fingerprint(contract) != fingerprint(STDIO)
    assert " in " in task_label(contract)


def test_a_reference_alone_demands_nothing_of_a_completion():
    suite = find_suite(io_row("Write a program that prints the sum.", polyglot.program(polyglot.PROBLEMS[0], "cpp")))
    assert suite is not None
    assert (suite.language, suite.hint) == ("", "cpp")


def test_a_reference_in_another_language_without_tests_is_no_long_text():
    facts = describe(
        row("Write a C++ function that adds two numbers.", "#include <vector>\nint add(int a, int b) { return a + b; }")
    )
    contract = guesses(facts)[0].contract
    assert (contract.answer_kind.value, contract.programming_language) == ("code_reference", "cpp")


# ------------------------------------------------------------------------------------------ scores


@pytest.mark.parametrize("language", polyglot.LANGUAGES)
def test_a_row_that_names_no_language_takes_any(pool: Pool, language: str):
    if missing := pool.missing_runner(language):
        pytest.skip(missing)
    example = io_row("Write a program that reads n and n integers and prints their sum.")
    right = polyglot.program(polyglot.PROBLEMS[0], language)
    wrong = polyglot.program(polyglot.PROBLEMS[0], language, right=False)
    assert score(pool, example, f"Here it is.\n\n```\n{right}```\nIt adds.").value == 1.0
    assert score(pool, example, right).value == 1.0
    assert score(pool, example, wrong).value == 0.0


def test_pythons_programs_are_judged_as_before(pool: Pool):
    for prompt in ("Write a program that prints the sum.", "Write a Python program that prints the sum of the input."):
        example = io_row(prompt)
        assert score(pool, example, PYTHON).value == 1.0
        assert score(pool, example, f"```python\n{PYTHON}```").value == 1.0
        assert score(pool, example, PYTHON.replace("sum", "max")).value == 0.0
        assert score(pool, example, "I do not know.").value == 0.0


def test_a_row_that_asks_for_a_language_takes_no_other(pool: Pool):
    example = io_row("Write a C++ program that prints the sum of the input.")
    for other in (PYTHON, f"```python\n{PYTHON}```", polyglot.program(polyglot.PROBLEMS[0], "java")):
        result = score(pool, example, other)
        assert result.value == 0.0
    python = io_row("Write a Python program that prints the sum of the input.")
    assert score(pool, python, polyglot.program(polyglot.PROBLEMS[0], "cpp")).value == 0.0


def test_a_language_without_a_runner_has_no_score_and_says_why(pool: Pool):
    example = io_row("Write a program that prints the sum of the input.")
    rust = '```rust\nuse std::io;\nfn main() { println!("{}", 1); }\n```'
    result = score(pool, example, rust)
    assert (result.value, result.status) == (None, "abstain")
    assert result.explanation == "rlar has no runner for rust"


def test_functions_of_other_languages_called_by_name_are_nobodys_verdict(pool: Pool):
    prompt = "Complete the C++ function.\n```cpp\nclass Solution {\npublic:\n    int twice(int n) { // your code\n    }\n};\n```"
    example = row(prompt, tests={"fn_name": "twice", "inputs": [[2], [3]], "outputs": [4, 6]})
    suite = find_suite(example)
    assert suite is not None
    assert (suite.kind, suite.language) == ("calls", "cpp")
    right = "```cpp\nclass Solution {\npublic:\n    int twice(int n) { return 2 * n; }\n};\n```"
    assert score(pool, example, right).status == "abstain"


def test_an_uncovered_language_says_what_would_cover_it(monkeypatch: pytest.MonkeyPatch):
    assert what_runs("rust", STDIO.answer_kind) == (
        "a runner for Rust, which rlar does not have (it runs Python, C, C++, Go, Java, JavaScript)"
    )
    monkeypatch.setattr(toolchains, "find_toolchain", lambda _language: "Go programs need go: install go")
    assert what_runs("go", STDIO.answer_kind) == "Go programs need go: install go"


@pytest.mark.slow
@pytest.mark.parametrize("language", polyglot.LANGUAGES)
@pytest.mark.parametrize("problem", polyglot.PROBLEMS, ids=lambda each: each.name)
def test_right_programs_score_one_and_wrong_ones_zero(pool: Pool, problem: polyglot.Problem, language: str):
    names = {"c": "C", "cpp": "C++", "go": "Go", "java": "Java", "javascript": "JavaScript"}
    example = io_row(f"Write a {names[language]} program for standard input.", problem=problem)
    assert score(pool, example, f"```{language}\n{polyglot.program(problem, language)}```").value == 1.0
    assert score(pool, example, f"```{language}\n{polyglot.program(problem, language, right=False)}```").value == 0.0


# ------------------------------------------------------------------------------------------ tests in the same language

JS_TESTS = "const assert = require('node:assert');\nfunction test() {\n  let candidate = twice;\n  assert.deepEqual(candidate(2), 4);\n  assert.deepEqual(candidate(5), 10);\n}\ntest();\n"
SUITES = {
    "cpp": (
        "#include <vector>\n#include <assert.h>\nusing namespace std;\n// Sum of the list.\nint total(vector<int> a) {\n",
        "  int s = 0;\n  for (int x : a) s += x;\n  return s;\n}\n",
        "}\nint main() {\n  auto candidate = total;\n  assert(candidate({1, 2}) == 3);\n  assert(candidate({}) == 0);\n}\n",
        ("s += x", "s -= x"),
        "int total(vector<int> a) {",
    ),
    "java": (
        "import java.util.*;\nclass Problem {\n    // Doubles it.\n    public static int twice(int n) {\n",
        "        return 2 * n;\n",
        "    }\n    public static void main(String[] args) {\n    assert(twice(2) == 4);\n    assert(twice(5) == 10);\n    }\n}\n",
        ("2 * n", "3 * n"),
        "class Problem {\n    public static int twice(int n) {",
    ),
    "javascript": (
        "// Doubles it.\nfunction twice(n) {\n",
        "  return 2 * n;\n}\n",
        JS_TESTS,
        ("2 * n", "3 * n"),
        "function twice(n) {",
    ),
    "go": (
        'package twice_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\n// Doubles it.\nfunc twice(n int) int {\n',
        "    return 2 * n\n}\n",
        'func TestTwice(t *testing.T) {\n\tcandidate := twice\n\tif fmt.Sprint(candidate(2)) != "4" {\n\t\tt.Errorf("wrong")\n\t}\n}\n',
        ("2 * n", "3 * n"),
        "func twice(n int) int {",
    ),
}


@pytest.mark.parametrize("language", sorted(SUITES))
def test_tests_of_the_programs_own_language_decide(pool: Pool, language: str):
    header, body, tests, spoiled, signature = SUITES[language]
    example = row(header, body, test=tests)
    suite = find_suite(example)
    assert suite is not None
    assert (suite.kind, suite.language) == ("appended", language)
    closing = body if language != "java" else body + "    }\n}\n"
    for right in (body, f"```\n{body}```", f"Sure:\n\n```{language}\n{signature}\n{closing}```"):
        result = score(pool, example, right)
        assert result.value == 1.0, (right, result)
        assert result.details["forgeable"] is True
    assert score(pool, example, body.replace(*spoiled)).value == 0.0
    assert score(pool, example, "I do not know.").value == 0.0


CHEATS = {
    "cpp": (
        "  __builtin_exit(0);\n}\n",
        "  return 7;\n}\n#define assert(x) ((void)0)\n",
        "  return 7;\n}\n#define NDEBUG\n",
        "  return 7;\n}\n__attribute__((constructor)) static void early() { __builtin_exit(0); }\n",
        "  throw 0;\n}\n",
    ),
    "java": ("        System.exit(0);\n        return 0;\n", "        throw new ThreadDeath();\n"),
    "javascript": (
        "  process.exit(0);\n}\n",
        "}\nrequire('assert').deepEqual = () => {};\nconsole.assert = () => {};\n",
        "}\nprocess.on('uncaughtException', () => process.exit(0));\n",
    ),
    "go": ('    panic("no")\n}\n', '    return 0\n}\nfunc init() { fmt.Println("ok") }\n'),
}


@pytest.mark.parametrize("language", sorted(CHEATS))
def test_leaving_early_and_redefined_asserts_do_not_win(pool: Pool, language: str):
    header, body, tests, _, _ = SUITES[language]
    for cheat in CHEATS[language]:
        result = score(pool, row(header, body, test=tests), cheat)
        assert result.value == 0.0, (cheat, result)


def test_redefined_comparisons_are_nobodys_verdict(pool: Pool):
    header, body, tests, _, _ = SUITES["cpp"]
    cheat = "  return 7;\n}\nstruct Any {};\nbool operator==(const Any &, int) { return true; }\n"
    assert score(pool, row(header, body, test=tests), cheat).status == "abstain"
