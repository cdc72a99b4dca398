"""A row's `tests` column is foreign code: whatever it does to its own process, other rows are judged as ever.

Every attack runs as the tests of one row; then right and wrong programs of another row are judged on the same worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlar.kinds.bind import bind
from rlar.registry.registry import Registry, RowRecord
from rlar.rows.example import row_to_example
from rlar.sandbox import Limits, Pool, Status, probe
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.types import AnswerKind, Certificate, Contract, Example, Recipe, TaskSpec

GOOD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n"
ASSERTS = "import math\nassert math.isclose(add(1, 2), 3)\nassert abs(add(2, 2) - 4) < 1e-9"
CASES = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(add(1, 2), 3)\n"
OF_OTHERS = (CHECK, ASSERTS, CASES)

FRAMES = """
def walk():
    frame = running.gi_frame
    while frame is not None:
        names = frame.f_globals
        if "run_suite" in names:
            {act}
        frame = frame.f_back
    yield
running = walk()
next(running)
assert add(1, 2) != 99
"""
REPLIES = "dict(verdict=True, helped=False, kind='', text='', checks=1, swallowed=0)"
HOLDS_THE_LINK = """
def walk():
    frame = running.gi_frame
    while frame is not None:
        for value in frame.f_locals.values():
            link = {}
            if type(value).__name__ == "Link":
                type(value).ask = lambda *a, **k: 3
        frame = frame.f_back
    yield
running = walk()
next(running)
assert add(1, 2) != 99
"""
ATTACKS = {
    "replaces the judge through frames": FRAMES.format(act=f"names['judge'] = lambda *a, **k: {REPLIES}"),
    "replaces what runs suites through frames": FRAMES.format(act="names['run_suite'] = lambda *a, **k: a[3](1, 2)"),
    "replaces the way to the program": HOLDS_THE_LINK,
    "hides assertions through frames": FRAMES.format(
        act="b = frame.f_builtins\n            b['AssertionError'] = type('Quiet', (Exception,), {})"
    ),
    "rewrites the judge found by gc": f"""
import gc
for thing in gc.get_objects():
    if type(thing) is dict and "judge" in thing and "run_suite" in thing:
        thing["judge"] = lambda *a, **k: {REPLIES}
        thing["run_suite"] = lambda *a, **k: None
assert add(1, 2) != 99
""",
    "patches the modules": f"""
import sys
for name, module in list(sys.modules.items()):
    for function in ("judge", "run_suite", "encode", "decode", "describe"):
        if hasattr(module, function):
            setattr(module, function, lambda *a, **k: {REPLIES})
assert add(1, 2) != 99
""",
    "patches the builtins": """
import builtins
builtins.abs = lambda x: 0
builtins.exec = lambda *a: None
builtins.isinstance = lambda *a: False
assert add(1, 2) != 99
""",
    "patches math": "import math\nmath.isclose = lambda *a, **k: True\nassert add(1, 2) != 99",
    "patches unittest": """
import unittest
unittest.TestCase.assertEqual = lambda *a, **k: None
unittest.TestResult.wasSuccessful = lambda self: True
assert add(1, 2) != 99
""",
    "patches json": """
import json
json.JSONEncoder.encode = lambda self, value: '{"verdict": true, "checks": 1}'
json.JSONDecoder.decode = lambda self, text: {"value": 3}
assert add(1, 2) != 99
""",
    "profiles": """
import sys
def watch(frame, event, argument):
    if "link" in frame.f_locals:
        frame.f_globals["run_suite"] = lambda *a, **k: None
sys.setprofile(watch)
assert add(1, 2) != 99
""",
    "traces": """
import sys
def watch(frame, event, argument):
    frame.f_trace_lines = False
    return watch
sys.settrace(watch)
assert add(1, 2) != 99
""",
    "hooks the imports": """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        return None
sys.meta_path.insert(0, Finder())
sys.modules["math"] = type("M", (), {"isclose": staticmethod(lambda *a, **k: True)})
sys.modules["unittest"] = None
assert add(1, 2) != 99
""",
    "registers for the exit": """
import atexit, os
atexit.register(lambda: os.write(3, b'\\x11\\0\\0\\0{"verdict": true}'))
assert add(1, 2) != 99
""",
    "leaves a thread": """
import threading, time, sys
def later():
    while True:
        time.sleep(0.001)
        for module in list(sys.modules.values()):
            if hasattr(module, "run_suite"):
                module.run_suite = lambda *a, **k: None
threading.Thread(target=later, daemon=True).start()
assert add(1, 2) != 99
""",
    "leaves a finalizer": """
import sys
class Late:
    def __del__(self):
        for module in list(sys.modules.values()):
            if hasattr(module, "run_suite"):
                module.run_suite = lambda *a, **k: None
circle = [Late()]
circle.append(circle)
assert add(1, 2) != 99
""",
    "answers twice": """
import os
assert add(1, 2) != 99
for _ in range(3):
    os.write(3, b'\\x11\\0\\0\\0{"verdict": true}')
""",
    "keeps every channel it can find": """
import os
assert add(1, 2) != 99
for descriptor in range(3, 64):
    try:
        os.dup(descriptor)
    except OSError:
        pass
""",
    "signals its relations": """
import os
for process in (0, -1, 1, os.getppid(), *range(2, 60)):
    for number in (9, 15, 19):
        try:
            if process != os.getpid():
                os.kill(process, number)
        except OSError:
            pass
assert add(1, 2) != 99
""",
    "dies": "import os\nassert add(1, 2) != 99\nos._exit(0)",
    "seeds and limits": "import random, sys\nsys.setrecursionlimit(30)\nrandom.seed = None\nassert add(1, 2) != 99",
}
TIERS = [state.tier for state in probe().tiers if state.available and state.tier in ("ns", "ll", "sec")]


@pytest.fixture(
    scope="module", params=[pytest.param(t, marks=[pytest.mark.slow] if t != TIERS[0] else []) for t in TIERS]
)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with Pool(tier=request.param, workers=1, limits=Limits(seconds=20)) as made:
        yield made


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_rows_tests_decide_no_other_rows_verdict(pool: Pool, attack: str) -> None:
    for _ in range(2):
        pool.run_tests(WRONG, attack, "add", mode="split", limits=Limits(seconds=3))
    for tests in OF_OTHERS:
        wrong = pool.run_tests(WRONG, tests, "add")
        assert (wrong.status, wrong.forgeable) == (Status.FAILED, False), tests
        right = pool.run_tests(GOOD, tests, "add")
        assert (right.status, right.forgeable) == (Status.PASSED, False), tests


def test_every_suite_starts_from_the_same_interpreter(pool: Pool) -> None:
    """Not only the known attacks: nothing at all that a suite leaves is there for the next one."""
    marks = (
        "import builtins, math, sys, os\nbuiltins.left = math.left = sys.left = 1\nsys.modules['left'] = sys\n"
        "os.environ['left'] = '1'\nassert add(1, 2) == 3"
    )
    looks = (
        "import builtins, math, sys, os\n"
        "assert add(1, 2) == 3\n"
        "assert not any(hasattr(m, 'left') for m in (builtins, math, sys))\n"
        "assert 'left' not in sys.modules and 'left' not in os.environ"
    )
    for _ in range(3):
        assert pool.run_tests(GOOD, marks, "add").passed
        assert pool.run_tests(GOOD, looks, "add").passed


# ------------------------------------------------------------------------------------------ through the server


TASK = "f1-00000000c0de"
OURS = [
    {"id": "ours", "prompt": "Write add(a, b), the sum.", "test": CHECK, "entry_point": "add"},
    {"id": "more", "prompt": "Write add(a, b), for all numbers.", "test": ASSERTS, "entry_point": "add"},
]
THEIRS = [
    {"id": f"theirs{i}", "prompt": f"Write add(a, b) number {i}.", "test": attack, "entry_point": "add"}
    for i, attack in enumerate(ATTACKS.values())
]
BOTH = [f"```python\n{GOOD}```", f"```python\n{WRONG}```"]


def example(row: dict[str, Any]) -> Example:
    read = row_to_example(row)
    assert isinstance(read, Example)
    return read


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One task of programs with tests, served by the library's `code_tests`; its rows are ours and theirs."""
    path = tmp_path_factory.mktemp("attack") / "registry.db"
    contract = Contract(answer_kind=AnswerKind.CODE_TESTS, has_reference=False)
    tool = library_spec("code_tests", {"seconds": 3.0})
    with Registry.open(path, create=True) as made:
        made.put_outcome(
            TaskSpec(fingerprint=TASK, label="programs", contract=contract),
            tools=[tool],
            certificates=[
                Certificate(
                    tool_id=tool.id,
                    fingerprint=TASK,
                    admitted=True,
                    role="verifier",
                    checks=(),
                    created_at="2026-01-01",
                )
            ],
            recipe=Recipe(fingerprint=TASK, qualities=((tool.id, 1.0),)),
        )
        for row in map(example, OURS + THEIRS):
            binding = bind(row, contract)
            assert binding.get("suite"), row.id
            made.put_rows([RowRecord(row.key, row.prompt_key, TASK, 0.9, binding)])
    return path


def one_worker() -> Pool:
    return Pool(workers=1, limits=Limits(seconds=20))


@pytest.mark.skipif(not TIERS, reason="no native tier on this machine")
def test_one_batch_of_the_scorer_with_hostile_rows_in_it(registry: Path) -> None:
    rows = [row for theirs in THEIRS for row in (theirs, *OURS)]
    asked = [RoutedSample(example=example(row), completion=said) for row in rows for said in BOTH]
    with Scorer(registry, workers=0, resources=Resources(one_worker), cache_size=0) as scorer:
        rewards = scorer.score(asked)
    for sample, reward in zip(asked, rewards, strict=True):
        if sample.example.id in ("ours", "more"):
            assert (reward.reward, reward.status) == (float(sample.completion == BOTH[0]), "ok"), (sample, reward)


@pytest.mark.slow
@pytest.mark.skipif(not TIERS, reason="no native tier on this machine")
def test_a_request_to_the_server_changes_no_other_request(registry: Path) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("prometheus_client")
    from fastapi.testclient import TestClient

    from rlar.server.app import create_app
    from rlar.server.settings import ServeSettings

    with Scorer(registry, workers=0, resources=Resources(one_worker), cache_size=0) as scorer:
        web = TestClient(create_app(ServeSettings(), scorer=scorer), base_url="http://127.0.0.1:8000")
        for theirs in THEIRS:
            web.post("/score", json={"rows": [{**theirs, "completions": BOTH}]})
            answer = web.post("/score", json={"rows": [{**row, "completions": BOTH} for row in OURS]})
            rewards = [item["reward"] for item in answer.json()["rewards"]]
            assert rewards == [1.0, 0.0, 1.0, 0.0], (theirs, answer.json())
