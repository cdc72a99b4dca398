"""`rlar train` as a user runs it, on rewards that `rlar agent build-tools` found: killed, stopped, run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from rlar.trainer.record.audit import Auditor
from rlar.trainer.record.checkpoint import checkpoints, latest_checkpoint
from rlar.trainer.record.metrics import read_metrics
from rlar.types import Example, Message, Reward

REPOSITORY = Path(__file__).resolve().parents[2]
QUIET = {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0", "PYTHONPATH": str(REPOSITORY)}

CONFIG = """
dataset = ["rows.jsonl"]
registry = "registry.db"
steps = 30
prompts_per_step = 6
group_size = 4
learning_rate = 1e-3
max_new_tokens = 8
eval_every = 15
eval_rows = 9
checkpoint_every = 4
audit_every = 10
threads = 1
tensorboard = false
[model]
scratch = { hidden_size = 32, num_hidden_layers = 2, num_attention_heads = 2, intermediate_size = 64, max_position_embeddings = 96 }
linear = "torch"
[warmup]
dataset = "warmup.jsonl"
steps = 20
batch_size = 16
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rlar.cli", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env={**os.environ, **QUIET}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


def wait_for_step(folder: Path, step: int) -> None:
    until = time.monotonic() + 240
    while not any(row["step"] >= step for row in read_metrics(folder)):
        assert time.monotonic() < until, f"no step {step} in {folder}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    subprocess.run([sys.executable, REPOSITORY / "examples" / "tiny_tasks.py", folder], check=True)
    finish(start(folder, "agent", "build-tools", "-d", "rows.jsonl", "-r", "registry.db", "--report", ""))
    (folder / "train.toml").write_text(CONFIG)
    return folder


@pytest.mark.slow
def test_killed_then_stopped_then_finished_gives_the_weights_of_an_unbroken_run(made: Path):
    train = ("train", "--config", "train.toml", "--output", "broken", "--json")
    killed = start(made, *train)
    wait_for_step(made / "broken", 6)
    killed.kill()
    killed.communicate()
    assert latest_checkpoint(made / "broken" / "checkpoints") is not None

    stopped = start(made, *train)
    wait_for_step(made / "broken", 12)
    stopped.send_signal(signal.SIGTERM)
    summary = json.loads(finish(stopped))
    assert summary["stopped"] and 12 < summary["steps"] < 30
    assert latest_checkpoint(made / "broken" / "checkpoints").name == f"step-{summary['steps']:06d}"

    assert json.loads(finish(start(made, *train)))["steps"] == 30
    finish(start(made, "train", "--config", "train.toml", "--output", "whole"))
    files = [made / name / "checkpoints" / "step-000030" / "model.safetensors" for name in ("broken", "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()
    steps = [[row["step"] for row in read_metrics(made / name) if "loss" in row] for name in ("broken", "whole")]
    assert steps[0] == steps[1] == list(range(30))
    assert len(checkpoints(made / "whole" / "checkpoints")) == 2
    assert (made / "whole" / "report.html").exists()
    lock = json.loads((files[1].parent / "registry.lock").read_text())
    assert len(lock["tasks"]) == 3


@pytest.mark.slow
def test_the_audit_tool_gives_no_reward_and_tells_gamed_from_earned(made: Path):
    with Auditor(str(made / "registry.db"), workers=0) as auditor:
        rows = [json.loads(line) for line in (made / "rows.jsonl").read_text().splitlines()]
        row = next(row for row in rows if row["prompt"].startswith("What is"))
        example = Example(
            id="x", prompt=(Message(role="user", content=row["prompt"]),), reference=row["reference"],
            references=(row["reference"],),
        )  # fmt: skip
        (fingerprint,) = [key for key in auditor.fingerprints if _is_number(made, key)]
        paid = [Reward(reward=1.0, status="ok", fingerprint=fingerprint)] * 2
        unpaid = Reward(reward=None, status="failed", fingerprint=fingerprint)
        found = auditor.compare([example] * 3, [row["reference"], "1000", "7"], [*paid, unpaid])
    # both were paid in full; the audit agrees with the first only; what has no reward is not compared
    assert (found[fingerprint].reward, found[fingerprint].audit, found[fingerprint].gap) == (1.0, 0.5, 0.5)
    assert found[fingerprint].samples == 2


def _is_number(folder: Path, fingerprint: str) -> bool:
    from rlar.registry.registry import Registry

    with Registry.open(folder / "registry.db", readonly=True) as registry:
        task = registry.task(fingerprint)
    return task is not None and task.contract.answer_kind == "number"


# ------------------------------------------------------------------------------------------ several processes


def start_two(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Two processes by torchrun, with gloo."""
    return subprocess.Popen(
        [sys.executable, "-m", "rlar", *arguments, "--processes", "2"], cwd=folder, env={**os.environ, **QUIET}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip


def final_weights(folder: Path) -> dict[str, Any]:
    newest = latest_checkpoint(folder / "checkpoints")
    assert newest is not None
    return load_file(newest / "model.safetensors")


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one_also_when_stopped_and_run_again(made: Path):
    train = ("train", "--config", "train.toml", "--steps", "12", "--json")
    finish(start(made, *train, "--output", "alone"))
    summary = json.loads(finish(start_two(made, *train, "--output", "two")))  # one summary: the first process tells
    assert summary["steps"] == 12 and (made / "two" / "report.html").exists()
    rows = [[row for row in read_metrics(made / name) if "loss" in row] for name in ("alone", "two")]
    assert [row["step"] for row in rows[1]] == list(range(12))
    for one, two in zip(*rows, strict=True):  # the same rollouts got the same rewards
        assert (one["tasks"], one["groups"]) == (two["tasks"], two["groups"])
        assert one["loss"] == pytest.approx(two["loss"], abs=1e-5)
        assert two.get("audit") == one.get("audit")
    one, two = final_weights(made / "alone"), final_weights(made / "two")
    gaps = torch.cat([(one[name] - two[name]).abs().flatten() for name in one])
    assert float(gaps.mean()) < 1e-6 and float(gaps.max()) < 1e-4

    # stopped and run again, and with the optimiser's state in two halves: bit for bit the same
    (made / "sharded.toml").write_text("shard_optimizer = true\n" + CONFIG)
    train = ("train", "--config", "sharded.toml", "--steps", "12", "--json")
    stopped = start_two(made, *train, "--output", "two-broken")
    wait_for_step(made / "two-broken", 5)
    stopped.send_signal(signal.SIGTERM)  # torchrun passes it on to both, and ends with an error of its own
    stopped.communicate(timeout=240)
    (at, *rest) = checkpoints(made / "two-broken" / "checkpoints")[::-1]
    assert at.name >= "step-000006" and len(rest) <= 1
    assert json.loads(finish(start_two(made, *train, "--output", "two-broken")))["steps"] == 12
    files = [latest_checkpoint(made / name / "checkpoints") / "model.safetensors" for name in ("two", "two-broken")]
    assert files[0].read_bytes() == files[1].read_bytes()
    states = [load_file(file.with_name("optimizer.safetensors")) for file in files]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_other_and_the_run_goes_on_from_its_checkpoint(made: Path):
    train = ("train", "--config", "train.toml", "--steps", "300", "--json", "--output", "two-killed")
    torchrun = start_two(made, *train)
    wait_for_step(made / "two-killed", 5)
    children = psutil.Process(torchrun.pid).children()
    second = next(child for child in children if child.environ().get("RANK") == "1")
    second.kill()
    _out, err = torchrun.communicate(timeout=120)
    assert torchrun.returncode != 0
    assert "exitcode  : -9" in err  # torchrun's table; its SIGTERM may end the other before that has said a word
    assert "rlar/trainer" not in err  # no traceback of ours; torchrun shows one of its own
    assert latest_checkpoint(made / "two-killed" / "checkpoints") is not None
