"""What a result must carry to be believed and repeated: command, registry lock, data hashes, versions, seeds."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from rlar._version import __version__
from rlar.discover.stream import processors
from rlar.errors import DatasetError, first_problem
from rlar.foreign import read_json
from rlar.registry.engine import without_secrets
from rlar.scoring.lock_file import open_lock
from rlar.types import JsonObject, digest

FORMAT = 1
"""Of the JSON files that `rlar eval` writes."""
PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "sacrebleu",
    "math-verify",
    "sympy",
    "sqlglot",
    "rapidfuzz",
    "torch",
    "transformers",
)


def make_record(
    kind: str, *, command: Sequence[str], seed: int, registry: str | None = None, data: Sequence[JsonObject] = ()
) -> JsonObject:
    """The header of a result.

    Args:
        kind: rewards, discovery, gate, tool, policy, simulate.
        command: argv of the run, as typed, but for passwords in URLs; only the last part of the program's path is kept.
        data: one {"name", "sha256", "rows", ...} per file that was read.
    """
    record: JsonObject = {
        "format": FORMAT,
        "kind": kind,
        "command": without_secrets(" ".join([Path(command[0]).name, *command[1:]])) if command else "",
        "seed": seed,
        "data": list(data),
        "rlar": __version__,
        "python": platform.python_version(),
        "packages": {name: installed for name in PACKAGES if (installed := _version(name))},
        "machine": {"system": platform.system(), "arch": platform.machine(), "cores": processors()},
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if registry is not None:
        lock = open_lock(registry)
        record["registry"] = {
            "name": Path(registry).name if "://" not in registry else "database",
            "lock_digest": digest(lock.to_text(), size=32),
            "tools": sorted(lock.tools),
            "tasks": {fingerprint: task.label for fingerprint, task in lock.tasks.items()},
        }
    return record


def read_result(path: str | Path) -> JsonObject:
    """A result file of `rlar eval`. Raises DatasetError."""
    file = Path(path)
    try:
        result: Any = read_json(file)
        _Result.model_validate(result)
    except ValidationError as error:
        problem = first_problem(error, "the file")
        raise DatasetError(f"{file}: not a result of `rlar eval` in format {FORMAT}: {problem}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file}: not a result of `rlar eval`: {error}") from error
    assert isinstance(result, dict), type(result)
    return result


class _Data(BaseModel):
    name: str
    sha256: str | None = None


class _Record(BaseModel):
    format: Literal[1]
    kind: str
    data: list[_Data]


class _Result(BaseModel):
    """What comparing reads of a result by name; the rest is compared number by number."""

    record: _Record


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
