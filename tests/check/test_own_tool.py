"""A user's function in a process of its own: every shape is called as its host calls it, and nothing that it does gets out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.errors import ConfigError, ToolError
from rlar.tool import Resources, group_key
from rlar.tools.load import load_tool, unusable
from rlar.tools.own import ALLOW_VARIABLE, MOST_HANGS, PATIENCE, OwnParams, OwnTool, allow, own_spec
from rlar.types import Sample, Score

FILE = Path(__file__).resolve().parents[1] / "fakes" / "own_rewards.py"


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_VARIABLE, str(FILE))


@pytest.fixture
def resources() -> Iterator[Resources]:
    with Resources() as opened:
        yield opened


def sample(completion: str, reference: str = "4") -> Sample:
    return Sample(prompt="2 + 2?", completion=completion, reference=reference, references=(reference,))


def scored(resources: Resources, function: str, *completions: str, **params: object) -> tuple[list[Score], OwnTool]:
    values = {"shape": "auto", "columns": ("solution", "answer"), "seconds": 1.0, **params}
    tool = OwnTool(own_spec(str(FILE), function, OwnParams.model_validate(values)), resources)
    return tool.score([sample(each) for each in completions]), tool


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        ("last_words", "trl"),
        ("as_messages", "trl"),
        ("minus_one_to_one", "verl"),
        ("openrlhf_reward", "openrlhf"),
        ("in_a_coroutine", "verifiers"),
        ("plain", "plain"),
    ],
)
def test_every_shape_is_known_by_its_parameters_and_tells_right_from_wrong(
    resources: Resources, function: str, shape: str
):
    low = -1.0 if function == "minus_one_to_one" else 0.0
    scores, tool = scored(resources, function, "4", "5", low=low)
    assert tool.understood()["shape"] == shape
    assert [score.value for score in scores] == [1.0, 0.0]


def test_a_function_sees_the_completion_as_it_was_written_thought_and_all(resources: Resources):
    [score], _ = scored(resources, "as_messages", "<think>maybe 4</think>It is 5.")
    assert score.value == 1.0  # that it reads thoughts is its fault, which a check is to find


@pytest.mark.parametrize(
    ("function", "status", "says"),
    [
        ("gives_nan", "failed", "returned nan"),
        ("gives_text", "failed", "returned str instead of a number"),
        ("gives_too_few", "failed", "returned 1 numbers for 2 completions"),
        ("ends_its_process", "failed", "exit code 3"),
        ("exits", "failed", "raises SystemExit: enough"),
        ("needs_a_column", "failed", "the rows have no column level"),
        ("eats_memory", "failed", "MemoryError"),
    ],
)
def test_what_breaks_is_failed_and_said_in_one_line(resources: Resources, function: str, status: str, says: str):
    scores, tool = scored(
        resources, function, "4", "5", seconds=20.0, memory_mb=600 if function == "eats_memory" else 0
    )
    assert [score.status for score in scores] == [status, status]
    assert says in str(scores[0].error)
    assert len(tool.said()) == 1 and "\n" not in tool.said()[0]


HOSTILE = {
    "of_other_json": ("json.dumps = json.loads = lambda *a, **k: 'no'\nreturn 1.0", None),
    "no_text": ("class E(Exception):\n    def __str__(self): raise self\nraise E", "raises E"),
    "long": ("raise ValueError('m' * 5_000_000)", "raises ValueError: mmm"),
    "odd_name": ("raise type('E\\n<b>', (Exception,), {})('a\\rb\\nc')", "raises E <b>: a"),
    "signs": ("raise ValueError('a\\0\\ud800\\x1b[31m')", "raises ValueError: a\0\ud800\x1b[31m"),
    "large": ("return 10 ** 400", "returned int too large for a number"),
    "generator": ("yield 1.0", "returned generator instead of a number"),
    "itself": ("x = []; x.append(x); return x", "returned list instead of a number"),
    "decimal": ("import decimal; return decimal.Decimal(1)", None),
    "bytes_out": ("sys.stdout.buffer.write(b'x'); sys.stdout.reconfigure(line_buffering=True); return 1.0", None),
    "signs_out": ("print('\\ud800'); return 1.0", None),
    "file_out": ("import subprocess; subprocess.run(['true'], stdout=sys.stdout, stderr=sys.stderr); return 1.0", None),
    "no_out": ("sys.stdout = sys.stderr = None; print('x'); return 1.0", None),
    "faults": ("import faulthandler; faulthandler.enable(); return 1.0", None),
    "asks": ("return 1.0 if sys.stdin.read() == '' else 0.0", None),
    "alarm": ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.alarm(60); return 1.0", None),
    "closes": ("os.closerange(0, 3); return 1.0", None),
}
"""Bodies of functions, and what is said of them; None: they are harmless, and 1.0 counts."""


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_function_does_is_a_score_or_one_line(resources: Resources, tmp_path: Path, name: str):
    body, says = HOSTILE[name]
    file = tmp_path / "mine.py"
    lines = body.replace("; ", "\n").splitlines()
    file.write_text("import json, os, sys\ndef reward(response):\n" + "".join(f"    {line}\n" for line in lines))
    allow(str(file))
    [score] = OwnTool(own_spec(str(file), "reward", OwnParams(shape="plain")), resources).score([sample("4")])
    if says is None:
        assert (score.value, score.error) == (1.0, None)
    else:
        assert score.status == "failed"
        assert (
            str(score.error).startswith(says)
            and len(str(score.error).splitlines()) == 1
            and len(str(score.error)) < 400
        )


@pytest.mark.parametrize("name", ["prompts", "completions", "completion_ids", "trainer_state", "log_metric"])
def test_no_column_takes_the_place_of_what_a_host_hands_over(resources: Resources, name: str):
    shown = sample("4", "5")
    rows = {group_key(shown): {"prompt": "2 + 2?", "solution": "5", name: "5"}}
    tool = OwnTool(own_spec(str(FILE), "last_words", OwnParams(shape="trl")), resources, rows)
    assert [score.value for score in tool.score([shown, sample("5", "5")])] == [0.0, 1.0]


def test_a_wait_for_nothing_ends_near_its_limit_and_is_not_tried_by_the_next_process(
    resources: Resources, tmp_path: Path
):
    file = tmp_path / "mine.py"
    file.write_text("import threading\ndef reward(response):\n    threading.Lock().acquire(timeout=0)\n"
                    "    threading.Event().wait()\n")  # fmt: skip
    allow(str(file))
    tool = OwnTool(own_spec(str(file), "reward", OwnParams(shape="plain", seconds=0.5)), resources)
    started = time.monotonic()
    assert tool.score([sample("4")])[0].status == "timeout"
    assert time.monotonic() - started < 0.5 * PATIENCE
    started = time.monotonic()
    assert tool.fresh().score([sample("4")])[0].status == "timeout"
    assert time.monotonic() - started < 0.5


def test_none_is_an_abstention(resources: Resources):
    scores, _ = scored(resources, "gives_none", "4")
    assert [score.status for score in scores] == ["abstain"]


def test_a_hang_is_one_completions_and_costs_the_others_nothing(resources: Resources):
    scores, tool = scored(resources, "hangs_at_loops", "4", "loop", "5", seconds=0.5)
    assert [score.status for score in scores] == ["ok", "timeout", "ok"]
    assert "hangs" in tool.said()[0]


def test_after_six_hangs_no_further_completion_is_tried_and_none_of_them_twice(resources: Resources):
    loops = [f"loop {number % 8}" for number in range(16)]
    scores, _ = scored(resources, "hangs_at_loops", *loops, seconds=0.05)
    assert {score.status for score in scores} == {"timeout"}
    assert sum("did not come back within" in str(score.error) for score in scores) == MOST_HANGS


@pytest.mark.parametrize(
    ("function", "says"),
    [("forks", "leaves"), ("leaves_a_process", "leaves 2 processes running"), ("prints_much", "prints 6.0 MB")],
)
def test_what_it_does_beside_scoring_is_said_and_spoils_no_score(resources: Resources, function: str, says: str):
    scores, tool = scored(resources, function, "4", "5")
    assert [score.value for score in scores] == [1.0, 1.0]
    assert any(says in line for line in tool.said())


def test_what_it_started_ends_with_it(resources: Resources):
    _, tool = scored(resources, "leaves_a_process", "4")
    assert tool._child is not None
    group = tool._child.pid
    tool.close()
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError("a process of its group still runs")


def test_a_function_of_no_known_shape_says_which_there_are(resources: Resources):
    spec = own_spec(str(FILE), "no_shape", OwnParams(shape="auto"))
    with pytest.raises(ToolError, match=r"\(a, b\) are none of the known shapes; say --shape trl"):
        OwnTool(spec, resources).understood()


def test_another_interpreter_runs_it_without_any_package_of_ours(resources: Resources, tmp_path: Path):
    alone = tmp_path / "alone.py"
    alone.write_text(
        "import importlib.util\ndef reward(completions, **kw):\n"
        "    return [0.5 if importlib.util.find_spec('pydantic') is None else 0.0 for _ in completions]\n"
    )
    bare = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if bare is None:
        pytest.skip("no other interpreter here")
    launcher = tmp_path / "python"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.base_prefix}/bin/python3" -I -S "$@"\n')
    launcher.chmod(0o755)
    allow(str(alone))
    spec = own_spec(str(alone), "reward", OwnParams(shape="auto"), python=str(launcher))
    with pytest.raises(ToolError, match="runs in the interpreter"):
        OwnTool(spec, resources)
    allow(str(launcher))
    tool = OwnTool(spec, resources)
    assert tool.score([sample("4")])[0].value == 0.5


def test_a_registry_cannot_name_code_that_its_user_has_not_allowed(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
):
    spec = own_spec(str(FILE), "last_words", OwnParams(shape="trl"))
    load_tool(spec, resources)
    for value in ("", str(FILE.parent / "other.py"), str(FILE)[:-3]):
        monkeypatch.setenv(ALLOW_VARIABLE, value)
        with pytest.raises(ToolError, match=f"export {ALLOW_VARIABLE}="):
            load_tool(spec, resources)
    monkeypatch.setenv(ALLOW_VARIABLE, str(FILE.parent))
    load_tool(spec, resources)


@pytest.mark.parametrize("name", ["os.system", "time.sleep", "re.compile", "plain.__globals__", "Path"])
def test_a_registry_cannot_name_what_an_allowed_file_imports(resources: Resources, tmp_path: Path, name: str):
    marker = tmp_path / "ran"
    params = OwnParams(shape="plain", columns=("command",))
    tool = OwnTool(own_spec(str(FILE), name, params), resources)
    [score] = tool.score([sample("4", f"touch {marker}")])
    assert score.status == "failed" and "cannot be called" in str(score.error)
    assert not marker.exists()


def test_a_file_named_like_a_module_of_python_is_a_file_as_any(resources: Resources, tmp_path: Path):
    file = tmp_path / "code.py"
    file.write_text("def reward(completions, **kw):\n    return [1.0 for _ in completions]\n")
    allow(str(file))
    assert OwnTool(own_spec(str(file), "reward", OwnParams(shape="trl")), resources).score([sample("4")])[0].value == 1


def test_no_file_of_ours_stands_before_a_module_that_a_function_imports(resources: Resources, tmp_path: Path):
    file = tmp_path / "mine.py"
    names = sorted(path.stem for path in (FILE.parents[2] / "rlar" / "tools").glob("[a-z]*.py"))
    file.write_text(
        "import sys, http.client\nfrom importlib.util import find_spec\ndef reward(response):\n"
        f"    return float(any(find_spec(name) and 'rlar' in str(find_spec(name).origin) for name in {names!r}))\n"
    )
    allow(str(file))
    tool = OwnTool(own_spec(str(file), "reward", OwnParams(shape="plain")), resources)
    assert [score.value for score in tool.score([sample("4")])] == [0.0]


def test_a_file_that_changes_while_it_is_used_is_not_started_again(resources: Resources, tmp_path: Path):
    file = tmp_path / "mine.py"
    file.write_text("import os\ndef reward(response):\n    return os._exit(3) if response == 'end' else 1.0\n")
    allow(str(file))
    tool = OwnTool(own_spec(str(file), "reward", OwnParams(shape="plain")), resources)
    assert [score.status for score in tool.score([sample("4"), sample("end")])] == ["ok", "failed"]
    file.write_text("def reward(response):\n    return 1.0\n")
    [score] = tool.score([sample("4")])
    assert score.status == "failed" and "is not what was certified" in str(score.error)


def test_changed_code_is_another_tool_and_the_old_one_no_longer_runs(resources: Resources, tmp_path: Path):
    file = tmp_path / "mine.py"
    file.write_text("def reward(completions, **kw):\n    return [1.0 for _ in completions]\n")
    allow(str(file))
    spec = own_spec(str(file), "reward", OwnParams(shape="trl"))
    assert not unusable(spec)
    file.write_text("def reward(completions, **kw):\n    return [0.0 for _ in completions]\n")
    assert own_spec(str(file), "reward", OwnParams(shape="trl")).id != spec.id
    assert "its file has changed" in unusable(spec)
    with pytest.raises(ToolError, match="is not what was certified"):
        OwnTool(spec, resources)


def test_the_id_does_not_hang_on_where_the_file_lies(tmp_path: Path):
    ids = set()
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "mine.py"
        file.write_text("def reward(completions, **kw):\n    return [1.0]\n")
        ids.add(own_spec(str(file), "reward", OwnParams(shape="trl")).id)
    assert len(ids) == 1


def test_a_missing_file_or_interpreter_is_a_plain_error():
    with pytest.raises(ConfigError, match=r"no file nowhere\.py"):
        own_spec("nowhere.py", "reward", OwnParams(shape="trl"))
    with pytest.raises(ConfigError, match="no such interpreter"):
        own_spec(str(FILE), "plain", OwnParams(shape="plain"), python="/no/python")


def test_a_score_is_put_on_the_scale_and_never_leaves_it(resources: Resources):
    scores, _ = scored(resources, "counts_its_calls", "a", low=0.0, high=4.0)
    assert [score.value for score in scores] == [0.5]  # the second call: the first one looked what it takes
    assert json.loads(json.dumps(scores[0].details)) == {"raw": 2.0}


def test_a_function_that_hangs_ends_with_a_checker_that_was_killed(tmp_path: Path):
    script = (
        "from rlar.tool import Resources; from rlar.tools.own import *; from rlar.types import Sample\n"
        f"tool = OwnTool(own_spec({str(FILE)!r}, 'hangs_at_loops', OwnParams(shape='trl', seconds=60)), Resources())\n"
        "tool.understood(); print(tool._child.pid, flush=True)\n"
        "tool.score([Sample(prompt='?', completion='loop')])\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as checker:
        assert checker.stdout is not None
        child = int(checker.stdout.readline())
        checker.kill()
    until = time.monotonic() + 60
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < until, "it still runs"
        time.sleep(0.05)
