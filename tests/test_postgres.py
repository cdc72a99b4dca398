"""A registry on a server, from the build to the score: the same as in a file, and its password stays in the URL."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from rlar.agent.build import build_tools
from rlar.agent.persistence import trace_path
from rlar.config import BuildConfig
from rlar.registry.registry import Registry
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.types import Example, Message
from tests.agent.test_build import KILLED_BUILD, small_mix, write_rows
from tests.fakes import postgres

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def url() -> str:
    """A database for one registry, which every test of this file may use once it is built."""
    return postgres.server().new_database()


@pytest.fixture(scope="module")
def folder(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which the same rows were built into a file and into a server's database."""
    folder = tmp_path_factory.mktemp("both")
    write_rows(folder / "mix.jsonl", small_mix())
    with contextlib.chdir(folder):
        for registry, report in (("registry.db", "report-file"), (url, "report-server")):
            build_tools(BuildConfig(dataset=("mix.jsonl",), registry=registry, report=report))
    return folder


def rlar(folder: Path, *arguments: str, status: int = 0) -> str:
    """What a command of its own process prints on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "rlar", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr[-3000:]
    return done.stdout + done.stderr


def content_digest(address: str | Path) -> str:
    with Registry.open(address, readonly=True) as registry:
        return registry.content_digest()


def samples() -> list[RoutedSample]:
    """Rows of the build and one that was not in it, with right and wrong answers."""
    made = []
    for row in [
        *small_mix()[:12],
        {"prompt": "A box holds 90 pens. How many pens do 3 boxes hold?", "reference": "270"},
    ]:
        example = Example(
            id="", prompt=(Message(role="user", content=row["prompt"]),), reference=row.get("reference"),
            references=(row["reference"],) if "reference" in row else (),
        )  # fmt: skip
        for completion in (f"The answer is {row.get('reference')}", "The answer is 7", "I cannot say"):
            made.append(RoutedSample(example=example, completion=completion))
    return made


def test_a_build_on_a_server_finds_what_a_build_in_a_file_finds(folder: Path, url: str):
    assert content_digest(url) == content_digest(folder / "registry.db")
    assert (folder / "registry.db.trace").exists()
    assert (folder / trace_path(url)).exists()


def test_a_scorer_on_a_server_gives_the_same_rewards_also_after_pickling(folder: Path, url: str):
    with Scorer(folder / "registry.db", workers=0) as local, Scorer(url, workers=0) as server:
        expected = local.score(samples())
        assert {reward.reward for reward in expected} >= {0.0, 1.0}
        assert server.score(samples()) == expected
        with pickle.loads(pickle.dumps(server)) as again:
            assert again.score(samples()) == expected
        with Registry.open(url) as writer:
            fingerprint = next(reward.fingerprint for reward in expected if reward.reward == 1.0)
            tool = writer.served(fingerprint).qualities[0][0]
            certificate = writer.latest_certificate(tool, fingerprint)
            writer.put_certificate(certificate.model_copy(update={"admitted": False, "created_at": "later"}))
            assert server.score(samples()) != expected
            writer.put_certificate(certificate.model_copy(update={"created_at": "later still"}))
            assert server.score(samples()) == expected


@pytest.mark.slow
def test_the_password_is_in_no_file_and_no_output_of_any_command(folder: Path, url: str):
    password = make_url(url).password
    assert password
    rows = [{"prompt": row["prompt"], "reference": row.get("reference"), "completion": "4"} for row in small_mix()[:9]]
    write_rows(folder / "rows.jsonl", rows)
    labelled = [
        {"prompt": row["prompt"], "responses": [row["reference"], "none"], "labels": [1, 0], "meta": {"reference": row["reference"]}}
        for row in small_mix()[:9] if "reference" in row
    ]  # fmt: skip
    write_rows(folder / "labelled.jsonl", labelled)
    said = [
        rlar(folder, "agent", "build-tools", "-d", "mix.jsonl", f"--registry={url}", "--report", "again", "--fresh", "--json"),
        rlar(folder, "agent", "runs", "-r", url),
        rlar(folder, "tasks", "list", "-r", url),
        rlar(folder, "tools", "list", "-r", url, "--json"),
        rlar(folder, "tools", "lock", "-r", url, "-o", "server.lock"),
        rlar(folder, "score", "-r", url, "-i", "rows.jsonl", "-o", "scored.jsonl"),
        rlar(folder, "eval", "rewards", "-r", url, "-d", "labelled.jsonl", "--report", "measured"),
        rlar(folder, "agent", "runs", "-r", url + "_not_there", status=2),
        rlar(folder, "tasks", "list", "-r", url + "_not_there", status=1),
        rlar(folder, "agent", "build-tools", "-d", "mix.jsonl", "-r", url + "_not_there", status=1),
        rlar(folder, "tasks", "list", "-r", url.replace(f":{password}@", f":{password}@{password}@"), status=1),
    ]  # fmt: skip
    assert [index for index, text in enumerate(said) if password in text] == []
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 12
    assert [path.name for path in written if password.encode() in path.read_bytes()] == []
    with Registry.open(url, readonly=True) as registry:
        stored = json.dumps([build.model_dump(mode="json") for build in registry.builds()])
        assert make_url(url).database in stored
        assert password not in stored


def test_two_registries_on_a_server_share_no_trace_in_one_folder(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    mix = write_rows(tmp_path / "mix.jsonl", small_mix()[:24])
    other = postgres.server().new_database()
    assert trace_path(url) != trace_path(other)
    # Whoever opens it, and with whatever password: it is the same registry.
    assert trace_path(url) == trace_path(make_url(url).set(username="you", password=None).render_as_string())
    first = build_tools(BuildConfig(dataset=(mix,), registry=other, report=None))
    assert not first["resumed"]
    assert [path.name for path in tmp_path.glob("*.trace")] == [trace_path(other).name]


@pytest.mark.slow
def test_a_build_killed_on_a_server_is_taken_over_and_ends_in_the_same_registry(folder: Path):
    address = postgres.server().new_database()
    command = [sys.executable, "-c", KILLED_BUILD, "mix.jsonl", address]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for stop, status in (("5", -signal.SIGKILL), ("-1", 0)):
        done = subprocess.run(
            [*command, stop], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr[-3000:]
    assert content_digest(address) == content_digest(folder / "registry.db")
