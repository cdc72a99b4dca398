"""A soak: builds, lock files, migrations and training killed at any moment end in what an unbroken run ends in."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rlar.registry.registry import Registry
from tests.agent.test_build import small_mix, write_rows
from tests.tools.test_registry import RELEASED, store_released

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
JOBS = Path(__file__).with_name("kill_jobs.py")
LONG = 300.0

Run = Callable[[str, Path, float], tuple[float, int]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a job and kills it after so many seconds: how long it ran and its exit status."""
    process = subprocess.Popen(
        [sys.executable, str(JOBS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )

    def ask(job: str, folder: Path, seconds: float) -> tuple[float, int]:
        process.stdin.write(json.dumps({"job": job, "folder": str(folder), "seconds": seconds}) + "\n")
        answer = json.loads(process.stdout.readline())
        assert answer["status"] in (0, -9), job
        return answer["seconds"], answer["status"]

    yield ask
    process.stdin.close()
    assert process.wait(60) == 0


@pytest.fixture(scope="module")
def built(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A folder with an unbroken build, and how long it took."""
    folder = tmp_path_factory.mktemp("soak")
    write_rows(folder / "mix.jsonl", small_mix())
    whole = folder / "whole"
    whole.mkdir()
    run("build", whole, LONG)  # once for what a first run imports
    shutil.rmtree(whole)
    whole.mkdir()
    seconds, status = run("build", whole, LONG)
    assert status == 0
    return whole, seconds


def digest_of(path: Path) -> str:
    with Registry.open(path, readonly=True) as registry:
        registry.check()
        return registry.content_digest()


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".writing-")]


def test_builds_killed_while_the_registry_is_made(run: Run, built: tuple[Path, float]):
    whole, seconds = built
    kills = 0
    for part in range(8):
        folder = whole.parent / f"early-{part}"
        folder.mkdir()
        kills += run("build", folder, seconds * (part + 0.5) / 16)[1] == -9
        if part % 3:  # what the others would cost is time: nothing else is left to go wrong
            with Registry.open(folder / "r.db", create=True) as registry:
                registry.check()
            continue
        assert run("build", folder, LONG)[1] == 0
        assert digest_of(folder / "r.db") == digest_of(whole / "r.db")
    assert kills >= 6


def test_one_build_killed_again_and_again(run: Run, built: tuple[Path, float]):
    whole, seconds = built
    folder, draw, kills = whole.parent / "again", random.Random(0), 0
    folder.mkdir()
    for _attempt in range(12):
        ran, status = run("build", folder, seconds * draw.uniform(0.02, 0.4))
        kills += status == -9
        seconds = seconds if status == -9 else ran  # the machine has got quicker, or most was done
    assert run("build", folder, LONG)[1] == 0
    assert kills >= 6
    assert digest_of(folder / "r.db") == digest_of(whole / "r.db")
    assert sorted(path.name for path in (folder / "report").iterdir()) == ["index.html", "summary.json"]


def test_lock_files_killed_while_they_are_written(run: Run, built: tuple[Path, float]):
    whole, _ = built
    expected = whole / "rlar.lock"
    runs = [run("lock", whole, LONG) for _once in range(2)]
    assert [status for _seconds, status in runs] == [0, 0]
    seconds = min(
        seconds for seconds, _status in runs
    )  # one may have been slow by chance, and no kill would come in time
    text, kills = expected.read_text(), 0
    for part in range(10):
        expected.unlink(missing_ok=True)
        kills += run("lock", whole, seconds * (part + 0.5) / 10)[1] == -9
        assert not expected.exists() or expected.read_text() == text
    assert run("lock", whole, LONG)[1] == 0
    assert (expected.read_text(), leftovers(whole)) == (text, [])
    assert kills >= 5


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_migrations_killed_at_any_moment(run: Run, tmp_path: Path, file: Path):
    held = store_released(str(tmp_path / "stored.db"), file)
    old = tmp_path / "old.db"

    def fresh() -> None:
        for path in tmp_path.glob("old.db*"):
            path.unlink()
        shutil.copy(tmp_path / "stored.db", old)

    fresh()
    run("migrate", tmp_path, LONG)
    fresh()
    seconds, kills = run("migrate", tmp_path, LONG)[0], 0
    for part in range(6):
        fresh()
        kills += run("migrate", tmp_path, seconds * (part + 0.5) / 6)[1] == -9
        assert run("migrate", tmp_path, LONG)[1] == 0
        assert digest_of(old) == held["content_digest"]
    assert kills >= 2


def test_training_killed_again_and_again(run: Run, tmp_path: Path):
    whole, broken, kills = tmp_path / "whole", tmp_path / "broken", 0
    whole.mkdir()
    broken.mkdir()
    assert run("train", whole, LONG)[1] == 0
    run("train", broken, LONG)
    shutil.rmtree(broken)
    broken.mkdir()
    seconds = run("train", broken, LONG)[0]  # the first one pays for more than the others
    draw = random.Random(0)
    for _attempt in range(10):
        if (broken / "run" / "checkpoints" / "step-000006").exists():
            shutil.rmtree(broken)
            broken.mkdir()
        ran, status = run("train", broken, seconds * draw.uniform(0.1, 0.7))
        kills += status == -9
        seconds = seconds if status == -9 else ran  # the machine has got quicker
    assert run("train", broken, LONG)[1] == 0
    assert kills >= 4
    steps = [sorted((folder / "run" / "checkpoints").iterdir()) for folder in (whole, broken)]
    assert [path.name for path in steps[0]] == [path.name for path in steps[1]]
    for one, other in zip(*steps, strict=True):
        for name in ("model.safetensors", "optimizer.safetensors"):
            assert (one / name).read_bytes() == (other / name).read_bytes()
    rows = [
        [json.loads(line)["step"] for line in (folder / "run" / "metrics.jsonl").open()] for folder in (whole, broken)
    ]
    assert rows[0] == rows[1]
    assert leftovers(broken) == []
