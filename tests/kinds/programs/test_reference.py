"""Programs compared with a reference program on made-up inputs, in the real sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlar.errors import SandboxRefused
from rlar.kinds import library_class
from rlar.kinds.programs.inputs import arguments_of, example_calls, guesses
from rlar.tool import LibraryTool, Resources
from rlar.tools.library import library_spec
from rlar.types import Sample, Score


@pytest.fixture(scope="module")
def tool() -> Iterator[LibraryTool]:
    try:
        resources = Resources()
        _ = resources.sandbox
    except SandboxRefused as refused:
        pytest.skip(str(refused))
    with resources:
        yield library_class("code_reference")(library_spec("code_reference", {"seconds": 2.0}), resources)


def score(tool: LibraryTool, reference: str, completion: str, prompt: str = "Write the function.") -> Score:
    return tool.score_one(Sample(prompt=prompt, completion=completion, reference=reference))


EVENS = "def evens(numbers):\n    return [n for n in numbers if n % 2 == 0]"
PALINDROME = "def is_palindrome(text: str) -> bool:\n    clean = text.lower()\n    return clean == clean[::-1]"
CLASSIFY = "def classify(n):\n    if n % 15 == 0:\n        return 'FizzBuzz'\n    if n % 3 == 0:\n        return 'Fizz'\n    return str(n)"
SORT = "def sort_in_place(items):\n    items.sort(reverse=True)"
SHOUT = "def shout(word):\n    print(word.upper() + '!')"
LOOKUP = "def lookup(table: dict, key: str, default=0):\n    return table.get(key, default)"


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        (EVENS, "def evens(xs):\n    return list(filter(lambda x: not x & 1, xs))", EVENS.replace("== 0", "== 1")),
        (PALINDROME, "def is_palindrome(s):\n    s = s.lower()\n    return all(a == b for a, b in zip(s, reversed(s)))", PALINDROME.replace(".lower()", "")),
        (CLASSIFY, CLASSIFY.replace("n % 15", "n % 5 + n % 3"), CLASSIFY.replace("15", "9")),
        (SORT, "def sort_in_place(a):\n    a[:] = sorted(a)[::-1]", SORT.replace("True", "False")),
        (SHOUT, "def shout(w):\n    print(f'{w.upper()}!')", SHOUT.replace("'!'", "'?'")),
        (LOOKUP, "def lookup(t, k, default=0):\n    return t[k] if k in t else default", "def lookup(t, k, default=0):\n    return default"),
    ],
)  # fmt: skip
def test_another_program_of_equal_behaviour_wins_and_a_near_miss_loses(
    tool: LibraryTool, reference: str, right: str, wrong: str
) -> None:
    same, other, not_it = (
        score(tool, reference, f"```python\n{program}\n```") for program in (reference, right, wrong)
    )
    assert (same.value, other.value, not_it.value) == (1.0, 1.0, 0.0), (same, other, not_it)
    assert same.details["forgeable"] is False


@pytest.mark.parametrize(
    "program",
    [
        "",
        "I refuse.",
        "def evens(numbers):\n    return numbers",
        "def evens(numbers):\n    return []",
        "class E(list):\n    def __eq__(s, o): return True\ndef evens(numbers):\n    return E([9])",
        "import sys\nsys.exit(0)",
        "def evens(numbers):\n    while True: pass",
        "def evens(numbers):\n    return [0] * 10**10",
        "def evens(numbers) return 1",
        "import builtins\nbuiltins.list = None\ndef evens(numbers):\n    return None",
        "def evens(numbers):\n    import gc\n    return [o for o in gc.get_objects() if isinstance(o, list)][0]",
    ],
)
def test_what_is_not_the_function_scores_zero(tool: LibraryTool, program: str) -> None:
    assert score(tool, EVENS, program).value == 0.0


def test_another_name_is_fine_unless_the_prompt_names_the_function(tool: LibraryTool) -> None:
    renamed = EVENS.replace("evens", "pick_even")
    assert score(tool, EVENS, renamed).value == 1.0
    assert score(tool, EVENS, renamed, prompt="Write a function evens(numbers).").value == 0.0


def test_example_calls_of_the_prompt_give_the_inputs(tool: LibraryTool) -> None:
    reference = "def merge(a, b):\n    return sorted(set(a.split(',')) | set(b.split(',')))"
    prompt = "Write merge, e.g. merge('x,y', 'z') or merge('a', 'a,b')."
    assert score(tool, reference, reference, prompt).value == 1.0
    assert score(tool, reference, reference.replace("|", "&"), prompt).value == 0.0


@pytest.mark.parametrize(
    "reference",
    [
        "import random\ndef f(n):\n    return random.random() + n",
        "import time\ndef f(n):\n    return time.time()",
        "calls = []\ndef f(n):\n    calls.append(n)\n    return len(calls)",
        "class Stack:\n    def push(self, x):\n        pass",
        "def f(node):\n    return node.left.value + node.right.value",
        "def f(n):\n    pass\n    return None",
        "def f(n):\n    while True: pass",
    ],
)
def test_a_reference_that_tells_nothing_gives_an_abstention(tool: LibraryTool, reference: str) -> None:
    assert score(tool, reference, reference).status == "abstain"


def test_rows_without_a_reference_program_abstain(tool: LibraryTool) -> None:
    assert score(tool, "42", EVENS).status == "abstain"
    assert tool.score_one(Sample(prompt="p", completion=EVENS)).status == "abstain"


def test_whole_programs_are_compared_by_what_they_print(tool: LibraryTool) -> None:
    squares = "for i in range(1, 6):\n    print(i * i)"
    assert (
        score(tool, squares, "print('\\n'.join(str(i ** 2) for i in range(1, 6)))", "Print five squares.").value == 1.0
    )
    assert score(tool, squares, "for i in range(5):\n    print(i * i)", "Print five squares.").value == 0.0
    double = "n = int(input())\nprint(2 * n)"
    assert score(tool, double, "import sys\nprint(int(sys.stdin.readline()) * 2)", "Double it.").value == 1.0
    assert score(tool, double, "print(int(input()) * 3)", "Double it.").value == 0.0


def test_a_bare_function_body_completes_the_prompts_header(tool: LibraryTool) -> None:
    header = 'def evens(numbers: list[int]) -> list[int]:\n    """Even numbers."""\n'
    body = "    return [n for n in numbers if n % 2 == 0]\n"
    assert score(tool, body, body, header).value == 1.0
    assert score(tool, body, body.replace("== 0", "== 1"), header).value == 0.0


def test_guesses_follow_annotations_names_and_use() -> None:
    def first(program: str) -> tuple[str, ...]:
        return guesses(program, "f", "")[0].types

    assert first("def f(a: list[str], n: int = 2): return a[:n]") == ("list[str]", "int")
    assert first("def f(a): return a.split()") == ("str",)
    assert first("def f(m): return [row[0] for row in m] + [m[0][1]]")[0] == "list[list[int]]"
    assert first("def f(d): return d.items()") == ("dict",)
    assert first("def f(flag=True): return not flag") == ("bool",)
    assert example_calls("f(1, 'a') and f([1, (2, 3)]) but not f(x) or g(2)", "f") == [(1, "a"), ([1, (2, 3)],)]


def test_inputs_repeat_for_a_seed() -> None:
    guess = guesses("def f(words, n): return words[:n]", "f", "")[0]
    assert arguments_of(guess, 5, 20) == arguments_of(guess, 5, 20)
    assert arguments_of(guess, 5, 20) != arguments_of(guess, 6, 20)
