"""Nothing that somebody else wrote drives the terminal of whoever lists, builds or scores."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import pty
import re
import select
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text
from typer.testing import CliRunner

import rlar
from rlar.cli import app
from rlar.registry.registry import Registry
from rlar.terminal import console, guard_streams, json_text, shown
from rlar.types import (
    AnswerKind,
    Certificate,
    CheckResult,
    Contract,
    Example,
    Message,
    Recipe,
    TaskSpec,
    ToolKind,
    ToolSpec,
)
from tests.fakes.examples import examples

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
NASTY = (
    "\x1b]0;pwned\x07\x1b[31mred\x1b[2J\x1b]8;;http://evil.example\x1b\\link\x9b31m\x90q\x85\u2028"
    f"{BIDI}\u200b\ufeff\u00ad\r\x08\x7f\x0e[bold]loud[/bold] \U000e0041\u3164 end"
)
"""Titles, colours, links, C1 controls, directions, the invisible, carriage returns, markup."""
OURS = re.compile(r"\x1b\[[0-9;]*m")
"""What we send to a terminal ourselves: colours."""


def hostile(text: str) -> set[str]:
    """The characters in it that no text may send to a terminal."""
    allowed = set("\n\t\u200c\u200d\ufe0e\ufe0f")
    return {c for c in text if c not in allowed and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} | (
        set(text) & set(BIDI)
    )


def make_registry(path: Path) -> Path:
    task = TaskSpec(
        fingerprint="f1-000000000001", label=NASTY, contract=Contract(answer_kind=AnswerKind.NUMBER, has_reference=True),
        rows=2, description=NASTY, criteria=(NASTY,),
        examples=(Example(id=NASTY, prompt=(Message(role="user", content=f"What is 2 + 2? {NASTY}"),), reference=NASTY,
                          references=(NASTY,)),),
    )  # fmt: skip
    tools = [
        ToolSpec(kind=ToolKind.REWARD_MODEL, name=f"m{NASTY}", source=f"{NASTY}@{'0' * 40}", params={NASTY: NASTY},
                 provenance={NASTY: NASTY, "licence": NASTY}),
        ToolSpec(kind=ToolKind.GENERATED, name="made", source=f"def compute():\n    return '{NASTY}'\n", code_hash="1"),
    ]  # fmt: skip
    check = CheckResult(name=NASTY, passed=False, value=0.1, note=NASTY)
    certificates = [
        Certificate(tool_id=tool.id, fingerprint=task.fingerprint, admitted=index == 0, role="verifier", checks=(check,),
                    reasons=() if index == 0 else (NASTY,), created_at=NASTY, sandbox_tier=NASTY)
        for index, tool in enumerate(tools)
    ]  # fmt: skip
    recipe = Recipe(fingerprint=task.fingerprint, qualities=((tools[0].id, 1.0),))
    with Registry.open(path, create=True) as registry:
        registry.put_outcome(task, tools=tools, certificates=certificates, recipe=recipe)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nasty")
    make_registry(folder / "registry.db")
    Registry.open(folder / "second.db", create=True).close()
    name = NASTY.replace("/", "")[:60]
    (folder / f"{name}.jsonl").write_text(
        json.dumps({"prompt": ""}) + "\n{" + NASTY + "\n" + json.dumps({NASTY: NASTY})
    )
    rows = [{"id": f"{NASTY}{index}", "prompt": f"What is {index} + 2? {NASTY}", NASTY: NASTY,
             "reference": str(index + 2), "completion": f"{NASTY} 4"} for index in range(12)]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {NASTY: 1}]))
    return folder


def commands(folder: Path) -> list[list[str]]:
    registry, second, rows = str(folder / "registry.db"), str(folder / "second.db"), str(folder / "rows.jsonl")
    with Registry.open(registry, readonly=True) as opened:
        tools = [tool.id for tool in opened.tools()]
    bad = next(str(path) for path in folder.glob("*.jsonl") if path.name != "rows.jsonl")
    listings = [
        ["tasks", "list", "-r", registry], ["tools", "list", "-r", registry],
        *(["tools", "show", tool, "-r", registry] for tool in tools), ["tools", "diff", registry, second],
    ]  # fmt: skip
    return [
        *listings, *([*each, "--json"] for each in listings),
        ["agent", "runs", "-r", registry], ["agent", "trace", NASTY.replace("\0", ""), "-r", registry],
        ["tools", "show", NASTY, "-r", registry], ["tools", "lock", "-r", registry, "-o", str(folder / f"{NASTY[:9]}.lock")],
        ["tools", "test", tools[0], "-r", registry],
        ["tasks", "list", "-r", str(folder / NASTY[-60:])], ["tasks", NASTY], ["tasks", "list", f"--{NASTY}"],
        ["score", "-r", registry, "-i", rows, "-o", str(folder / "scored.jsonl")],
        ["score", "-r", registry, "-i", bad, "-o", str(folder / "scored.jsonl")],
        ["score", "-r", registry, "-i", rows, "-o", str(folder / "scored.jsonl"), "--reference-column", NASTY],
        ["tasks", "assign", "-r", registry, "-i", bad, "-o", str(folder / "assigned.jsonl")],
        ["data", "export", "-r", registry, "-d", rows, "--to", NASTY, "-o", str(folder / "export")],
        ["serve", "-r", registry, "--port", NASTY], ["serve", "-r", registry, "--token-variable", "A" + NASTY],
        ["agent", "build-tools", "-d", bad, "-r", str(folder / "none.db"), "--report", ""],
        ["agent", "build-tools", "-d", rows, "-r", str(folder / "new.db"), "--report", "", "--llm", "none",
         "--max-bad-fraction", "0.5"],
        ["agent", "build-tools", "-d", rows, "--llm", NASTY, "-r", str(folder / "none.db")],
        ["eval", "tool", NASTY, "-r", registry, "--report", str(folder / "report")],
    ]  # fmt: skip


DRIVER = """
import json, sys
from rlar import cli
for arguments in json.load(open(sys.argv[1])):
    sys.argv = ["rlar", *arguments]
    try:
        cli.main()
    except SystemExit:
        pass
import logging, warnings
NASTY = arguments[2]
logging.getLogger("rlar").warning("a log record: %s", NASTY)
warnings.warn(NASTY)
raise ValueError(NASTY)
"""


def printed(folder: Path, *, terminal: bool) -> str:
    """What all commands print from one process, the last of which logs, warns and ends in a traceback."""
    every = [*commands(folder), ["tasks", "list", NASTY]]
    (folder / "commands.json").write_text(json.dumps(every))
    environment = {**os.environ, "PYTHONPATH": str(Path(rlar.__file__).parents[1]), "TERM": "xterm-256color"}
    command = [sys.executable, "-c", DRIVER, str(folder / "commands.json")]
    if not terminal:
        found = subprocess.run(command, env=environment, capture_output=True, timeout=300, cwd=folder)
        return (found.stdout + found.stderr).decode()
    outer, inner = pty.openpty()
    with subprocess.Popen(command, env=environment, stdin=inner, stdout=inner, stderr=inner, cwd=folder) as process:
        os.close(inner)
        data = b""
        until = time.monotonic() + 300
        while time.monotonic() < until:
            if select.select([outer], [], [], 0.2)[0]:
                try:
                    part = os.read(outer, 65536)
                except OSError:  # the other end is closed
                    break
                data += part
            elif process.poll() is not None:
                break
        process.kill()
    os.close(outer)
    return data.decode().replace("\r\n", "\n")


@pytest.mark.slow
def test_nothing_hostile_is_printed_into_a_file(folder: Path):
    text = printed(folder, terminal=False)
    assert text.count("pwned") > 40, "it was shown, only not as it was meant"
    assert "a log record" in text and "Traceback" in text and "UserWarning" in text
    assert hostile(text) == set()


@pytest.mark.slow
def test_nothing_hostile_is_sent_to_a_terminal(folder: Path):
    text = printed(folder, terminal=True)
    assert text.count("pwned") > 40
    coloured = [line for line in text.splitlines() if re.search(r"\x1b\[31m(?:\x1b\[[0-9;]*m)*red", line)]
    # Colours of what the user gave as arguments: the option parser prints those in boxes of its own.
    assert all("│" in line for line in coloured), "not even a colour"
    live = re.compile(
        r"\x1b\[(?:\?25[lh]|1A|2K)|\r(?=\x1b)"
    )  # the live table of a build: hide the cursor, go up, clear
    assert hostile(live.sub("", OURS.sub("", text))) == set()


def test_json_is_the_same_value_without_raw_controls(folder: Path):
    asked = [arguments for arguments in commands(folder) if "--json" in arguments]
    assert len(asked) == 5
    for arguments in asked:
        out = CliRunner().invoke(app, arguments).stdout
        assert hostile(out) == set()
        assert NASTY in json.dumps(json.loads(out), ensure_ascii=False) or "\\u001b" in out


texts = st.text(
    st.characters(codec=None, categories=["Cc", "Cf", "Cs", "Zl", "Zp", "L", "Mn", "So", "Po"]), max_size=60
)


@settings(max_examples=examples(300), deadline=None)
@given(text=texts)
def test_any_text_is_shown_without_what_drives_a_terminal_and_read_back_from_json(text: str):
    assert hostile(shown(text)) == set() and shown(shown(text)) == shown(text)
    value = {text: [text, {"n": 1}]}
    assert hostile(json_text(value)) == set() and json.loads(json_text(value)) == value
    stream = io.StringIO()
    console(stream, width=200, force_terminal=False).print(Text(text))
    assert hostile(stream.getvalue()) == set()


SEEN = [
    "👨\u200d👩\u200d👧",
    "❤\ufe0f",
    "❤\ufe0f\u200d🔥",
    "می\u200cخواهم",
    "क्\u200dष",
    "שלום",
    "한글",
    "tab\tand\nline",
    "[bold]x[/bold]",
]


@pytest.mark.parametrize("text", SEEN)
def test_what_people_write_is_shown_as_they_wrote_it(text: str):
    assert shown(text) == text


@pytest.mark.parametrize(("text", "told"), [("a\u200db", "a\\u200db"), ("\x1b[1m", "\\x1b[1m"), ("\x9b", "\\x9b"), ("\ud800", "\\ud800"),
                                            ("\U000e0041", "\\U000e0041"), ("pay\u202epal", "pay\\u202epal")])  # fmt: skip
def test_what_is_hidden_is_written_out(text: str, told: str):
    assert shown(text) == told


def test_logs_warnings_and_anything_else_on_the_streams_is_made_safe(monkeypatch: pytest.MonkeyPatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    guard_streams()
    guard_streams()
    print(NASTY)
    sys.stderr.writelines([NASTY, NASTY])
    logger = logging.Logger("alone")
    logger.addHandler(logging.StreamHandler())
    logger.warning("%s", NASTY)
    assert out.getvalue().count("pwned") == 1 and err.getvalue().count("pwned") == 3
    assert hostile(out.getvalue() + err.getvalue()) == set()


def test_everything_is_printed_by_the_one_module():
    package = Path(rlar.__file__).parent
    guilty: list[str] = []
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if inside == Path("terminal.py") or inside.parts[0] == "testing" or "sandbox" in inside.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _prints(node.func):
                guilty.append(f"{inside}:{node.lineno} {ast.unparse(node.func)}")
    assert guilty == []


def _prints(function: Any) -> bool:
    name = ast.unparse(function)
    return name in (
        "print",
        "Console",
        "typer.echo",
        "typer.secho",
        "click.echo",
        "sys.stdout.write",
        "sys.stderr.write",
    )
