"""What the tables promise: something new is its own file and one row, and everything else finds it there.

Each test patches a copy of the package as a contributor would, and nothing but the files that CONTRIBUTING.md names.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rlar.errors import ToolError
from rlar.kinds import KINDS, LIBRARY, candidates, library_class
from rlar.tool import Resources, named
from rlar.tools.load import TOOL_KINDS, load_tool, unusable
from rlar.types import AnswerKind, ToolKind, ToolSpec

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "rlar"

COLOR_TASK = """
import re

from rlar.kinds import exact_probes
from rlar.kinds.contracts import Guess, contract_of
from rlar.kinds.material import Tried
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, abstain, ok

HEX = re.compile(r"#[0-9a-f]{6}", re.I)


def guess(facts, others):
    return [Guess(contract_of(AnswerKind.COLOR), 0.98, settles=True)] if HEX.fullmatch(facts.answer) else []


def bind(parsed, contract):
    return {"notation": "hexadecimal"}


def probes(row, notes):
    wrong = [Tried("near_miss", peer) for peer in row.peers[:3]]
    return exact_probes._exact(row, row.reference, wrong, extra_right=())


class ColorMatch(LibraryTool):
    name = "color"
    answer_kinds = frozenset({AnswerKind.COLOR})
    runs = "inline"
    summary = "the one colour that the answer names"

    def score_one(self, sample):
        if sample.reference is None or sample.binding != {"notation": "hexadecimal"}:
            return abstain("no colour to compare with")
        named = {each.lower() for each in HEX.findall(sample.completion)}
        return ok(float(named == {sample.reference.lower()}))
"""
COLOR_ROW = """    AnswerKind.COLOR: Kind(
        label="colour",
        evidence="the references are hexadecimal colours",
        library={"color": "rlar.kinds.color.task:ColorMatch"},
        probes="rlar.kinds.color.task:probes",
        guess="rlar.kinds.color.task:guess",
        bind="rlar.kinds.color.task:bind",
    ),
    AnswerKind.RULE: Kind("""

MEAN_TOOL = """
from rlar.tools.library import library_spec
from rlar.tools.load import load_tool
from rlar.types import ToolKind, ToolSpec, abstain, ok


def mean_spec(*members):
    return ToolSpec(kind=ToolKind("mean"), name="mean", source="mean:1", params={"members": list(members)})


class Mean:
    def __init__(self, spec, resources):
        self.spec = spec
        self.members = [load_tool(library_spec(name), resources) for name in spec.params["members"]]

    def score(self, samples):
        columns = zip(*(tool.score(samples) for tool in self.members))
        rows = [[score.value for score in column if score.value is not None] for column in columns]
        return [ok(sum(row) / len(row)) if row else abstain("no member can tell") for row in rows]


def unusable(spec):
    return "" if spec.source == "mean:1" else f"another version of it made {spec.source}"
"""
MEAN_ROW = """TOOL_KINDS: dict[ToolKind, KindOfTool] = {
    ToolKind("mean"): KindOfTool(
        load="rlar.tools.mean:Mean", place="pool", role="verifier", unusable="rlar.tools.mean:unusable"
    ),
"""

BUILD = """
import json, sys
from pathlib import Path

from typer.testing import CliRunner

import rlar
from rlar.agent.bench import Workbench
from rlar.agent.build import build_tools
from rlar.agent.sources import Found, LibrarySource, NoWriter
from rlar.cli import app
from rlar.config import BuildConfig
from rlar.registry.registry import Registry
from rlar.tools.mean import mean_spec
from rlar.types import Example, Message

folder = Path(sys.argv[1])
db, rows = str(folder / "r.db"), folder / "rows.jsonl"
lines = [{"prompt": f"Which colour code has paint number {n} of the chart?", "reference": f"#{n * 77003 % 0xFFFFFF:06x}"}
         for n in range(1, 25)]
lines += [{"prompt": f"What is {n} plus {3 * n + 1}?", "reference": str(4 * n + 1)} for n in range(11, 35)]
rows.write_text("".join(json.dumps(line) + "\\n" for line in lines))


class Source:
    name = "both"

    def find(self, task, decisions):
        kind = task.contract.answer_kind
        return LibrarySource().find(task, decisions) if kind.value == "color" else Found(tools=(mean_spec("number"),))


def command(*words):
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, (words, result.output, result.exception)
    return result.output


with Workbench(sources=lambda config: (Source(),), writer=lambda config: NoWriter()) as bench:
    build_tools(BuildConfig(dataset=(str(rows),), registry=db, report=None), bench=bench)
with Registry.open(db, readonly=True) as registry:
    kinds = {task.fingerprint: task.contract.answer_kind.value for task in registry.tasks()}
    verdicts = {kinds[c.fingerprint]: [c.admitted, list(c.reasons)] for c in registry.latest_certificates()}
    labels = {task.contract.answer_kind.value: task.label for task in registry.tasks()}
    tools = {tool.kind.value: tool.id for tool in registry.tools()}
rewards = {}
with rlar.load(db) as scorer:
    for name, line in (("color", lines[0]), ("number", lines[-1])):
        right, wrong = f"It is {line['reference']}.", "It is #010203." if name == "color" else "It is 7."
        row = Example(id=name, prompt=(Message(role="user", content=line["prompt"]),),
                      reference=line["reference"], references=(line["reference"],))
        rewards[name] = scorer.score([rlar.RoutedSample(example=row, completion=text) for text in (right, wrong)])
command("tools", "lock", "-r", db, "-o", str(folder / "rlar.lock"))
print(json.dumps({
    "verdicts": verdicts, "labels": labels, "tools": tools,
    "rewards": {name: [reward.reward for reward in each] for name, each in rewards.items()},
    "lock": (folder / "rlar.lock").read_text(),
    "listing": command("tools", "list", "-r", db, "--json"),
    "shown": command("tools", "show", tools["mean"], "-r", db),
}))
"""

SURPRISE = '''
import torch

from rlar.trainer.credit import Credit


def surprise(context):
    """Entropy of the first turn's tokens; nothing to say of later ones."""
    def entropy(logits_K_V, tokens_K):
        table = logits_K_V.log_softmax(-1)
        return -(table.exp() * table).sum(-1)

    entropies_N_T = context.over_logits(entropy)
    first_N_T = context.rollouts.turn_of_N_T == 0
    return Credit(torch.where(first_N_T, entropies_N_T, float("nan")), per="token")
'''
TRAIN = """
import json, sys
from pathlib import Path

from tests.fakes.training_fakes import run, small_config

run(small_config(Path(sys.argv[1]), steps=1, eval_every=0, signals={"surprise": 0.5}))
print((Path(sys.argv[1]) / "run" / "metrics.jsonl").read_text())
"""


def addresses(row: Any) -> list[str]:
    """What a row names by "module:name"."""
    values = [getattr(row, each.name) for each in fields(row)]
    flat = [part for value in values for part in (value.values() if isinstance(value, Mapping) else
                                                   value if isinstance(value, tuple) else (value,))]  # fmt: skip
    return [each for each in flat if isinstance(each, str) and re.fullmatch(r"rlar[.\w]*:\w+", each)]


def test_every_kind_has_a_row_whose_names_are_there():
    assert set(KINDS) == set(AnswerKind) and set(TOOL_KINDS) == set(ToolKind)
    for row in (*KINDS.values(), *TOOL_KINDS.values()):
        assert all(named(address) is not None for address in addresses(row))


@pytest.mark.parametrize("kind", AnswerKind)
def test_a_row_offers_the_verifiers_that_claim_its_kind(kind):
    claiming = tuple(name for name in LIBRARY if kind in library_class(name).answer_kinds)
    assert candidates(kind) == claiming


@pytest.mark.parametrize("enum, room", [("ToolKind", "tools"), ("AnswerKind", "kinds")])
def test_nobody_outside_its_room_asks_for_a_kind_by_name(enum, room):
    asking = [
        str(path.relative_to(PACKAGE))
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in (room, "types.py")
        and re.search(rf"\b{enum}\.[A-Z]", path.read_text("utf-8"))
    ]
    assert asking == []


def test_a_tool_of_a_kind_of_another_version_is_read_and_cannot_be_used():
    spec = ToolSpec.model_validate_json('{"kind": "composite", "name": "old"}')
    assert spec == ToolSpec.model_validate(spec.model_dump()) and pickle.loads(pickle.dumps(spec)).kind == "composite"
    assert "no tools of kind 'composite'" in unusable(spec)
    with pytest.raises(ToolError, match="composite"), Resources() as resources:
        load_tool(spec, resources)
    with pytest.raises(ValidationError):
        ToolSpec.model_validate({"kind": "no kind\n", "name": "x"})


def patched(folder: Path, files: Mapping[str, str], edits: Mapping[str, tuple[str, str]]) -> Path:
    """A copy of the package with new files, and one place changed in each of some old ones."""
    package = folder / "copy" / "rlar"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text(text)
    for name, (old, new) in edits.items():
        text = (package / name).read_text()
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        (package / name).write_text(text.replace(old, new))
    return package.parent


def run_in(copy: Path, script: str, folder: Path) -> str:
    """What a script prints that imports the copy."""
    paths = os.pathsep.join(map(str, (copy, HERE / "trainer", HERE)))
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_a_kind_of_answer_is_a_folder_a_row_and_a_value_and_a_kind_of_tool_a_file_and_a_row(tmp_path):
    copy = patched(
        tmp_path,
        {"kinds/color/__init__.py": '"""Colours."""\n', "kinds/color/task.py": COLOR_TASK, "tools/mean.py": MEAN_TOOL},
        {
            "types.py": ('    RULE = "rule"\n', '    COLOR = "color"\n    RULE = "rule"\n'),
            "kinds/__init__.py": ("    AnswerKind.RULE: Kind(", COLOR_ROW),
            "tools/load.py": ("TOOL_KINDS: dict[ToolKind, KindOfTool] = {\n", MEAN_ROW),
        },
    )
    found = json.loads(run_in(copy, BUILD, tmp_path).splitlines()[-1])
    assert found["verdicts"] == {"color": [True, []], "number": [True, []]}  # the gate
    assert found["labels"]["color"] == "colour"  # discovery
    assert found["rewards"] == {"color": [1.0, 0.0], "number": [1.0, 0.0]}  # scoring; "mean" in a worker process
    assert set(found["tools"]) == {"library", "mean"}  # the registry
    assert all(tool in found["lock"] and tool in found["listing"] for tool in found["tools"].values())
    assert "kind        mean" in found["shown"]

    # rlar without the file and the row still reads that registry and names what it cannot use.
    listing = "import sys\nfrom rlar.registry.registry import Registry\nfrom rlar.tools.load import unusable\n" \
              "with Registry.open(sys.argv[1] + '/r.db', readonly=True) as registry:\n" \
              "    print([unusable(tool) for tool in registry.tools() if tool.kind.value == 'mean'])"  # fmt: skip
    assert "no tools of kind 'mean'" in run_in(copy_without_row(copy), listing, tmp_path)


def copy_without_row(copy: Path) -> Path:
    """The copy after its row in TOOL_KINDS was taken out again."""
    table = copy / "rlar" / "tools" / "load.py"
    table.write_text(table.read_text().replace(MEAN_ROW, "TOOL_KINDS: dict[ToolKind, KindOfTool] = {\n"))
    return copy


@pytest.mark.slow
def test_a_signal_is_a_file_and_a_line_and_sees_logits_and_turns(tmp_path):
    copy = patched(
        tmp_path,
        {"trainer/signals/surprise.py": SURPRISE},
        {
            "trainer/signals/__init__.py": (
                "SIGNALS: dict[str, Signal | type[BaseModel]] = {",
                'from rlar.trainer.signals.surprise import surprise\n\nSIGNALS: dict[str, Signal | type[BaseModel]] = {"surprise": surprise, ',
            )
        },
    )
    lines = [json.loads(line) for line in run_in(copy, TRAIN, tmp_path).splitlines() if line.startswith("{")]
    means = [line["signals"]["surprise"] for line in lines if "signals" in line]
    assert means and all(mean > 0 for mean in means)  # an entropy, in nats
