"""Runs jobs in children that are killed after a while: a program for tests/attacks/test_kills.py.

It imports everything once and forks, so that a kill costs what the job did until then and not a start of Python. A line of
JSON in, {"job", "folder", "seconds"}; a line out: how long the child ran, and what it ended with (-9: killed).
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def build(folder: Path) -> None:
    from rlar.agent.build import build_tools
    from rlar.config import BuildConfig

    config = BuildConfig(
        dataset=(str(folder.parent / "mix.jsonl"),), registry=str(folder / "r.db"), report=str(folder / "report")
    )
    build_tools(config)


def lock(folder: Path) -> None:
    from rlar.scoring.lock_file import write_lock

    write_lock(str(folder / "r.db"), folder / "rlar.lock")


def migrate(folder: Path) -> None:
    from rlar.registry.registry import Registry

    Registry.open(folder / "old.db").close()


def train(folder: Path) -> None:
    from tests.fakes.training_fakes import run, small_config

    run(small_config(folder, checkpoint_every=2, tensorboard=False))


JOBS = {job.__name__: job for job in (build, lock, migrate, train)}


def in_child(name: str, folder: Path) -> None:
    """Does not return."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        JOBS[name](folder)
        status = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    import alembic.command

    import rlar.agent.build
    import rlar.kinds
    import rlar.scoring.lock_file
    from tests.fakes import training_fakes

    assert all((alembic.command, training_fakes, rlar.agent.build))
    for line in sys.stdin:
        asked = json.loads(line)
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            in_child(asked["job"], Path(asked["folder"]))
        ended = os.pidfd_open(child)
        if not select.select([ended], [], [], asked["seconds"])[0]:
            os.kill(child, signal.SIGKILL)
        os.close(ended)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"seconds": time.monotonic() - started, "status": status}), flush=True)


if __name__ == "__main__":
    main()
