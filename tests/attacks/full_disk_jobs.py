"""Runs commands of rlar on a small disk of its own: a program for tests/attacks/test_full_disk.py, under `unshare -rm`.

A line of JSON in, {"arguments", "room"}: the command runs in an empty disk of that many KB, and again after it was given
space. Two lines out, {"status", "said", "files"}.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

ROOMY = 64 * 1024
PAGE = 4


def resize(disk: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", "disk", disk], check=True)


def command(disk: Path, arguments: list[str]) -> dict[str, object]:
    from rlar.cli import app

    with tempfile.TemporaryFile("w+") as told:
        child = os.fork()
        if child == 0:
            status = 70
            try:
                os.chdir(disk)
                os.dup2(told.fileno(), 1)
                os.dup2(told.fileno(), 2)
                app(arguments)
            except SystemExit as end:
                status = int(end.code or 0)
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told.seek(0)
        return {"status": status, "said": told.read(), "files": sorted(path.name for path in disk.iterdir())}


def main() -> None:
    import rlar.agent.build
    import rlar.evals.policy
    import rlar.kinds

    assert all((rlar.agent.build, rlar.evals.policy, rlar.kinds))
    disk = Path(sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        for entry in disk.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        resize(disk, asked["room"] + PAGE)
        ballast = disk / "ballast"  # a disk of no size would be one without a limit
        ballast.write_bytes(bytes(PAGE * 1024))
        print(json.dumps(command(disk, asked["arguments"])), flush=True)
        resize(disk, ROOMY)
        print(json.dumps(command(disk, asked["arguments"])), flush=True)


if __name__ == "__main__":
    main()
