"""Tools of kind "own": a reward function that the user wrote, in the shape of its host, called in a process of its own.

It is the user's code and runs with the user's rights, without a sandbox: a registry can name such a tool, but only a path
and an interpreter that the user has allowed (`RLAR_ALLOW_CODE`) are ever run, and only while the file is the one that was
certified. What it gives is put on a scale of [0, 1] by what it gives for nothing and for a right answer (`low`, `high`).
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from rlar.errors import ConfigError, ToolError, first_problem
from rlar.process import Child
from rlar.tool import Resources, group_key
from rlar.types import Frozen, JsonObject, Sample, Score, ToolKind, ToolSpec, abstain, digest, failed, ok, timed_out

CALLING = "1"
"""Version of how functions are called; a change makes every own tool another tool."""
ALLOW_VARIABLE = "RLAR_ALLOW_CODE"
_ALLOWED = re.compile(r"https?://[^/]*[^:]*|[^:]+")
"""Its entries: paths and routes with ":" between; that of a port parts nothing."""
LOAD_SECONDS = 120.0
"""For the first word of the process: a function may import torch."""
BATCH = 16
"""Completions a call, of shapes that take lists."""
MOST_HANGS = 6
"""After so many completions on which it did not come back no further one is tried."""
PATIENCE = 8.0
"""So many times its limit a call may take in all, where the machine is busy or it waits for processes that it started."""
WAITS = 2.0
"""So many times its limit it may wait for anything but a processor: a lock, a server, nothing at all."""
QUIET_CHARACTERS = 1_000_000
CHILD = Path(__file__).with_name("own_child.py")

Shape = Literal["auto", "trl", "verl", "openrlhf", "verifiers", "plain", "gym", "slime"]


class OwnParams(Frozen):
    """`ToolSpec.params` of an own tool."""

    shape: Shape
    low: float = 0.0
    """What it gives for nothing: 0.0 on the scale of rewards."""
    high: float = 1.0
    """What it gives for a right answer: 1.0."""
    columns: tuple[str, ...] = ()
    """Columns that it gets the reference under, where a row is not at hand."""
    seconds: float = Field(default=5.0, gt=0, le=3600)
    """A call may take so long for one completion."""
    memory_mb: int = Field(default=0, ge=0)
    """Limit of its memory; 0: none."""
    role: Literal["verifier", "quality"] = "verifier"


class OwnTool:
    """One function of the user's. Thread-safe; its process starts with the first call and ends with its resources."""

    def __init__(
        self, spec: ToolSpec, resources: Resources, rows: Mapping[str, JsonObject] | None = None, hash_seed: str = "0"
    ) -> None:
        """
        Args:
            rows: whole rows of the dataset by `group_key`; else a function gets the reference under `params.columns`.
            hash_seed: PYTHONHASHSEED of its process.

        Raises:
            ToolError: the file is not the certified one, or not allowed; or params that this version does not know.
        """
        self.spec = spec
        self.params = _params(spec)
        self.resources = resources
        self._broke: Counter[str] = Counter()
        self._printed = self._left = 0
        self._path = str(spec.provenance.get("path", ""))
        self._function = spec.source.removesuffix(":")
        self._python = str(spec.provenance.get("python") or sys.executable)
        _permit(self._path)
        _permit_interpreter(self._python)
        self._compare()
        self._rows, self._hash_seed = rows, hash_seed
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._hung: set[str] = set()
        self._told: JsonObject = {}
        resources.shared(f"own.{id(self)}", lambda: self)

    def close(self) -> None:
        """End its process."""
        if self._child is not None:
            self._child.close()

    def understood(self) -> JsonObject:
        """Its shape, and the parameters (`columns`) that only a column of the rows can fill. Raises ToolError where it cannot be loaded or called."""
        with self._lock:
            self._started()
            return self._told

    def said(self) -> list[str]:
        """What a person should know beside the scores, one line each: how it broke, what it prints and leaves behind."""
        lines = (
            [f"hangs: did not come back within {self.params.seconds:g} s ({len(self._hung)} completions)"]
            if self._hung
            else []
        )
        lines += [f"{error} ({count} completions)" for error, count in self._broke.most_common(5)]
        if self._printed > QUIET_CHARACTERS:
            lines.append(f"prints {self._printed / 1e6:,.1f} MB while it scores")
        if self._left:
            lines.append(f"leaves {self._left} processes running that it started")
        return lines

    def fresh(self, hash_seed: str = "0", spec: ToolSpec | None = None) -> OwnTool:
        """The same function in a process that has seen nothing, on the scale of `spec`; what hung is not tried again."""
        other = OwnTool(spec or self.spec, self.resources, self._rows, hash_seed)
        other._hung = self._hung
        return other

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        with self._lock:
            scores: list[Score] = []
            for start in range(0, len(samples), BATCH):
                scores += self._scored(samples[start : start + BATCH])
            return scores

    def _scored(self, samples: Sequence[Sample]) -> list[Score]:
        """A batch; where its process hangs or ends, the completions one by one."""
        if len(self._hung) >= MOST_HANGS:
            return [timed_out(f"not asked any more: it did not come back {MOST_HANGS} times")] * len(samples)
        shown = [self._shown(each) for each in samples]
        if len(samples) > 1 and self._hung:
            # A batch would wait for all of them whenever one hangs.
            return [score for each in samples for score in self._scored([each])]
        if shown[0]["completion"] in self._hung:
            return [timed_out("hangs, as it did before")]
        allowed = self.params.seconds * (1 + (len(samples) - 1) / 4)
        try:
            child = self._started()
            until = time.monotonic() + PATIENCE * allowed
            child.send(json.dumps({"samples": shown}).encode(), until=until)
            sent, spent, ready = time.monotonic(), _processor_seconds(child.pid), _ready_seconds(child.pid)

            def has_hung() -> bool:
                child.trim()  # what it writes on stderr meanwhile
                if _processor_seconds(child.pid) - spent > allowed:
                    return True
                waits = time.monotonic() - sent - (_ready_seconds(child.pid) - ready)
                return waits > WAITS * allowed and not _has_children(child.pid)

            reply = json.loads(child.receive(until=until, is_given_up=has_hung))
            return [self._score(entry) for entry in self._read(reply, len(samples))]
        except ToolError as error:
            return [failed(str(error))] * len(samples)
        except TimeoutError:
            self._stop()
            if len(samples) > 1:
                return [score for each in samples for score in self._scored([each])]
            self._hung.add(shown[0]["completion"])
            return [timed_out(f"hangs: did not come back within {self.params.seconds:g} s")]
        except (OSError, EOFError, ValueError):
            ended = child.end()
            self._stop()
            if len(samples) > 1:
                return [score for each in samples for score in self._scored([each])]
            return [self._broken(failed(f"ends its process ({ended})"))]

    def _compare(self) -> None:
        if self.spec.code_hash != file_hash(self._path, self.params.shape):
            raise ToolError(f"{self.spec.id}: {self._path} is not what was certified; run `rlar check` again")

    def _started(self) -> Child:
        if self._child is not None and self._child.is_open:
            return self._child
        self._compare()  # again: the process before may have ended long after the file was changed
        command = (self._python, str(CHILD))
        name = self.spec.source.rpartition(":")[2]
        child = Child(
            "",
            *(self._path, name, self.params.shape, str(self.params.memory_mb)),
            command=command,
            environment={"PYTHONHASHSEED": self._hash_seed},
        )
        try:
            self._told = json.loads(child.receive(until=time.monotonic() + LOAD_SECONDS))
        except TimeoutError:
            child.close()
            raise ToolError(f"{self._function} is not loaded after {LOAD_SECONDS:g} s") from None
        except (OSError, EOFError, ValueError):
            raise ToolError(f"{self._function} cannot be loaded: {child.end()}") from None
        if problem := self._told.get("problem"):
            child.close()
            raise ToolError(f"{self._function} cannot be called: {problem}")
        self._child = child
        return child

    def _stop(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None

    def _shown(self, sample: Sample) -> JsonObject:
        """What the function's process gets of a sample: the completion as it was written."""
        row = (self._rows or {}).get(group_key(sample))
        if row is None:
            row = dict.fromkeys(self.params.columns, sample.reference)
        prompt = row.get("prompt", row.get("input"))
        return {
            "prompt": prompt if isinstance(prompt, list) else sample.prompt,
            "text": sample.prompt,
            "completion": sample.completion if sample.written is None else sample.written,
            "reference": sample.reference,
            "references": list(sample.references),
            "row": row,
        }

    def _read(self, reply: JsonObject, count: int) -> list[JsonObject]:
        self._printed, self._left = int(reply["printed"]), max(self._left, int(reply["left"]))
        entries: list[JsonObject] = reply["scores"]
        if len(entries) != count:
            raise ValueError
        return entries

    def _score(self, entry: JsonObject) -> Score:
        if (error := entry.get("error")) is not None:
            return self._broken(failed(str(error)))
        value = entry["value"]
        if value is None:
            return abstain("it gives no number")
        low, high = self.params.low, self.params.high
        return ok(min(1.0, max(0.0, (value - low) / (high - low))), raw=value)

    def _broken(self, score: Score) -> Score:
        self._broke[str(score.error)] += 1
        return score


def _processor_seconds(pid: int) -> float:
    """Processor time of a process; 0 where the system does not tell, so that wall time alone limits it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ready_seconds(pid: int) -> float:
    """How long the threads of a process were ready to run and no processor was free; NaN where the system does not tell."""
    try:
        tasks = [(task / "schedstat").read_text("ascii") for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int(task.split()[1]) for task in tasks) / 1e9
    except (OSError, ValueError, IndexError):
        return math.nan


def _has_children(pid: int) -> bool:
    try:
        return any((task / "children").read_text("ascii") for task in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False


def own_spec(
    path: str,
    function: str,
    params: OwnParams,
    *,
    python: str = "",
) -> ToolSpec:
    """The ToolSpec of a function in a file (or at a URL, then `function` is "").

    Raises:
        ConfigError: no such file or interpreter.
    """
    if not is_url(path):
        if not path.endswith(".py") or not Path(path).is_file():
            raise ConfigError(f"no file {path}; name FILE.py:FUNCTION, or http://host/route")
        path = str(Path(path).resolve())
    interpreter = shutil.which(python) if python else None
    if python and interpreter is None:
        raise ConfigError(f"--python {python}: no such interpreter")
    name = function.rpartition(".")[2] or "served"
    return ToolSpec(
        kind=ToolKind.OWN,
        name=name,
        source=f"{path if is_url(path) else Path(path).name}:{function}",
        params=params.model_dump(mode="json"),
        code_hash=file_hash(path, params.shape),
        provenance={"path": path, **({"python": str(Path(interpreter).absolute())} if interpreter else {})},
    )


def is_url(path: str) -> bool:
    """Whether a function is a route of a server."""
    return path.startswith(("http://", "https://"))


def file_hash(path: str, shape: str) -> str:
    """16 hex digits of the file and of how it is called. Raises ToolError."""
    if is_url(path):
        return digest(path, shape, CALLING)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ToolError(f"{path} cannot be read: {error.strerror}") from error
    return digest(blake2b(content, digest_size=16).hexdigest(), shape, CALLING)


def allow(path: str) -> None:
    """Let this process and those that it starts run the file, route or interpreter (its user named it)."""
    if _entry(path) not in map(_entry, _allowed()):
        held = os.environ.get(ALLOW_VARIABLE, "")
        os.environ[ALLOW_VARIABLE] = ":".join(filter(None, (held, _entry(path))))


def _allowed() -> list[str]:
    return _ALLOWED.findall(os.environ.get(ALLOW_VARIABLE, ""))


def _entry(path: str) -> str:
    """A path or route as the variable holds it."""
    if not is_url(path):
        return path
    scheme, _, rest = path.partition("://")
    host, _, route = rest.partition("/")
    return f"{scheme}://{host}/{route.replace(':', '%3A')}"


def entries_of(spec: ToolSpec) -> tuple[str, ...]:
    """What the variable has to hold before a tool runs."""
    python = spec.provenance.get("python")
    return (_entry(str(spec.provenance["path"])), *([str(python)] if python else []))


def _permit(path: str) -> None:
    """Raise ToolError where the user has not allowed a path, or a folder above it."""
    if is_url(path):
        if _entry(path) in map(_entry, _allowed()):
            return
    elif any(_is_within(path, each) for each in _allowed()):
        return
    raise ToolError(
        f"it is a reward function in {path}, which runs outside any sandbox; "
        f"if it is yours, export {ALLOW_VARIABLE}={_entry(path)}"
    )


def _is_within(path: str, folder: str) -> bool:
    try:
        return Path(path).resolve().is_relative_to(Path(folder).resolve())
    except (OSError, ValueError):  # a NUL, or links in a circle
        return False


def _permit_interpreter(python: str) -> None:
    """Raise ToolError where an interpreter is neither this one nor one that the user has allowed by its own path."""
    if python != sys.executable and python not in _allowed():
        raise ToolError(
            f"it runs in the interpreter {python}; if you trust that, export {ALLOW_VARIABLE}=FILE.py:{python}"
        )


def _params(spec: ToolSpec) -> OwnParams:
    try:
        params = OwnParams.model_validate(spec.params)
    except ValidationError as error:
        raise ToolError(f"{spec.id}: params.{first_problem(error)}") from error
    if params.low == params.high:
        raise ToolError(f"{spec.id}: params.low and params.high are the same number")
    return params


def unusable(spec: ToolSpec) -> str:
    """Why this machine does not run the tool as it was certified; "" when it does."""
    path = str(spec.provenance.get("path", ""))
    if is_url(path) or not Path(path).is_file():
        return "" if is_url(path) else f"its file {path} is not on this machine"
    shape = str(spec.params.get("shape", ""))
    return (
        "" if file_hash(path, shape) == spec.code_hash else "its file has changed since; run `rlar check --admit` again"
    )
