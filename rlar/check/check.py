"""A reward function and rows -> a Card: tasks as a build finds them, the gate's probes for each, a library tool beside it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Literal, get_args

from rlar._version import __version__
from rlar.check.card import Card, CheckLine, Fooled, TaskCard
from rlar.check.endings import Ended, ending_of, written
from rlar.check.search import HALF, search, shrink
from rlar.discover.discover import discover
from rlar.errors import ConfigError, ToolError
from rlar.gate import certify
from rlar.gate.checks import is_first_right
from rlar.gate.policy import GatePolicy, load_policy
from rlar.gate.probe import Probe, ProbeSet
from rlar.gate.probes import make_probes
from rlar.gate.run import Ran
from rlar.kinds import candidates, library_class
from rlar.rows.example import USUAL_COLUMNS, ColumnMap
from rlar.rows.read import RejectedRow, RowStats, check_usable, read_objects, row_to_example
from rlar.tool import LibraryTool, Resources, RewardTool, group_key
from rlar.tools.library import library_spec
from rlar.tools.own import OwnParams, OwnTool, Shape, allow, own_spec
from rlar.types import Certificate, Example, JsonObject, Sample, Score, TaskSpec, ToolSpec, canonical_json

SINGLY = 8
"""Completions that are scored alone and in one call, to see whether the others matter."""

Role = Literal["verifier", "quality"]
Key = tuple[str, str, str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a function is called and tried. Raises ConfigError."""

    shape: Shape = "auto"
    seconds: float = 5.0
    """A call may take so long for one completion."""
    memory_mb: int = 0
    python: str = ""
    """Interpreter; "" is this one."""
    role: Role | None = None
    """None: what the best library tool of the task is, a verifier where there is none."""
    scale: tuple[float, float] | None = None
    """What it gives for nothing and for a right answer; None: learned from what it gives."""
    columns: ColumnMap = USUAL_COLUMNS
    limit: int = 0
    """Rows read, at most; 0: all."""
    seed: int = 0
    shrink: bool = False
    search: int = 0
    """Calls a task that look for further completions which fool it."""
    as_served: bool = False
    """The function sees what a registry's scorer has: the reference, not the row's other columns."""

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            raise ConfigError(f"--shape {self.shape}: expected one of {', '.join(get_args(Shape))}")
        if self.role not in (None, *get_args(Role)):
            raise ConfigError(f"--role {self.role}: expected verifier or quality")
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise ConfigError(f"--range {self.scale[0]:g},{self.scale[1]:g}: LOW is not below HIGH")


def scale_of(text: str | None) -> tuple[float, float] | None:
    """ "LOW,HIGH" as two numbers. Raises ConfigError."""
    if text is None:
        return None
    low, comma, high = text.partition(",")
    try:
        scale = float(low), float(high)
    except ValueError:
        scale = math.nan, math.nan
    if not comma or not all(map(math.isfinite, scale)):
        raise ConfigError(f"--range {text}: expected two numbers, LOW,HIGH")
    return scale


def check_reward(
    function: str,
    dataset: Sequence[str | Path],
    settings: Settings = Settings(),
    *,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Card, list[tuple[TaskSpec, ToolSpec, Certificate]]]:
    """The card of a function, and the evidence for a registry: task, tool and certificate of each task.

    Args:
        function: "file.py:name" or a URL. It is the user's code: it runs in a process of its own, without a sandbox.

    Raises:
        DatasetError: the rows cannot be used.
        ConfigError: no such file or interpreter, or `function` names none.
    """
    started = time.monotonic()
    path, name = _address(function)
    examples, rows, unusable = _read(dataset, settings)
    spec = own_spec(path, name, _params(settings, (0.0, 1.0), "verifier", ()), python=settings.python)
    allow(str(spec.provenance["path"]))
    if settings.python:
        allow(str(spec.provenance["python"]))
    card = Card(
        function=spec.source.removesuffix(":"), shape=settings.shape, code=spec.code_hash, rlar=__version__,
        seed=settings.seed, rows=len(examples), remarks=unusable,
    )  # fmt: skip
    with Resources() as resources:
        tool = OwnTool(spec, resources, rows)
        try:
            about = tool.understood()
            problem = "" if settings.as_served else _no_columns(about["columns"], rows.values())
        except ToolError as error:
            problem = str(error)
        finally:
            tool.close()
        if problem:
            return card.model_copy(update={"problem": problem, "seconds": _since(started)}), []
        shape: Shape = about["shape"]
        settings = replace(settings, shape=shape)
        discovery = discover(examples, seed=settings.seed)
        columns = _reference_columns(examples, rows)
        own = _Own(path, name, settings, rows, columns, resources)
        found = [own.check(task, tell) for task in discovery.tasks]
        remarks = own.remarks()
    tasks = tuple(task_card for task_card, _, _ in found)
    card = card.model_copy(
        update={
            "shape": shape,
            "code": found[0][1].code_hash if found else card.code,
            "tasks": tasks,
            "remarks": (*unusable, *remarks),
            "unassigned": discovery.unexplained,
            "problem": "" if tasks else "no task was recognised in the rows",
            "seconds": _since(started),
        }
    )
    return card, [(task, spec, each) for task, (_, spec, each) in zip(discovery.tasks, found, strict=True)]


class _Own:
    """One function on trial, task by task."""

    def __init__(
        self,
        path: str,
        name: str,
        settings: Settings,
        rows: Mapping[str, JsonObject],
        columns: tuple[str, ...],
        resources: Resources,
    ) -> None:
        self._path, self._name, self._settings, self._columns = path, name, settings, columns
        self._rows = None if settings.as_served else rows
        self._resources = resources
        self._policy = load_policy()
        self._tools: list[OwnTool] = []
        self._depends = False

    def check(self, task: TaskSpec, tell: Callable[[str], None]) -> tuple[TaskCard, ToolSpec, Certificate]:
        """The card, tool and certificate of one task."""
        settings = self._settings
        library = best_library(task, self._resources, self._policy, settings.seed)
        role: Role = settings.role or ("quality" if library is not None and library.role == "quality" else "verifier")
        probes = self._probes(task, role)
        plain = self._kept(OwnTool(self._spec((0.0, 1.0), role), self._resources, self._rows))
        ending = "" if settings.as_served else ending_of(plain, probes)
        scale = settings.scale or _learned(_ended(plain, ending), probes)
        plain.close()
        tool = self._kept(plain.fresh(spec=self._spec(scale, role)))
        tried = _ended(tool, ending)
        tell(f"{task.label}: {len(probes.probes)} probes")
        recorder = _Recorder(tried)
        certificate = certify(
            recorder,
            task,
            policy=self._policy,
            seed=settings.seed,
            role=role,
            reload=lambda: _ended(self._kept(tool.fresh()), ending),
            elsewhere=_OtherChild(tool, ending),
        )
        self._depends = self._depends or _depends_on_others(tried, probes)
        mandatory = self._policy.limits(role, task.contract.answer_kind).mandatory
        beside = _Beside(library, probes, recorder.scores)
        lets_through, refuses = _wrong(probes, recorder.scores, role)
        judged_wrong = beside.judge()
        known = {each.completion for each in (*lets_through, *refuses)}
        if settings.shrink:
            lets_through = tuple(shrink(each, tried, judged_wrong, _sample_of(each, probes)) for each in lets_through)
        searched = 0
        if settings.search:
            more, searched = search(tried, probes, judged_wrong, calls=settings.search, seed=settings.seed)
            lets_through = (*lets_through, *more)
        lets_through = by_kind(lets_through)
        return (
            TaskCard(
                fingerprint=task.fingerprint,
                label=task.label,
                rows=task.rows,
                role=role,
                admitted=certificate.admitted,
                reasons=certificate.reasons,
                scale=scale,
                ending=ending,
                checks=tuple(
                    CheckLine(
                        name=each.name, passed=each.passed, mandatory=each.name in mandatory or each.name == "rows",
                        value=each.value, threshold=each.threshold, note=each.note,
                    )
                    for each in certificate.checks
                ),
                lets_through=lets_through,
                refuses=refuses,
                breaks=tuple(tool.said()),
                library=library.name if library else "",
                agreement=beside.agreement(role),
                differs=tuple(each for each in beside.differs(role) if each.completion not in known),
                searched=searched,
            ),
            tool.spec,
            certificate,
        )  # fmt: skip

    def remarks(self) -> tuple[str, ...]:
        """What holds for the function whatever the task."""
        return ("its score of a completion depends on the others in the same call",) if self._depends else ()

    def _probes(self, task: TaskSpec, role: Role) -> ProbeSet:
        budget = self._policy.budget("pool", task.contract.answer_kind)
        return make_probes(task, budget=budget, seed=self._settings.seed, role=role)

    def _spec(self, scale: tuple[float, float], role: Role) -> ToolSpec:
        params = _params(self._settings, scale, role, self._columns)
        return own_spec(self._path, self._name, params, python=self._settings.python)

    def _kept(self, tool: OwnTool) -> OwnTool:
        self._tools.append(tool)
        return tool


def _ended(tool: OwnTool, ending: str) -> RewardTool:
    return Ended(tool, ending) if ending else tool


def _learned(tool: RewardTool, probes: ProbeSet) -> tuple[float, float]:
    """What a function gives for completions that say nothing, and for right answers: medians of both."""
    right = [probe.sample for probe in probes.probes if is_first_right(probe)]
    nothing = [probe.sample for probe in probes.probes if probe.check == "floor"][: 2 * len(right) or 8]
    high = [raw for score in tool.score(right) if (raw := score.details.get("raw")) is not None]
    low = [raw for score in tool.score(nothing) if (raw := score.details.get("raw")) is not None]
    if not high or not low or median(high) <= median(low):
        # It does not tell them apart: on the usual scale that shows in every check.
        return (0.0, 1.0)
    return (median(low), median(high))


class _Recorder:
    """A tool, and the first score that it gave for each completion."""

    def __init__(self, tool: RewardTool) -> None:
        self._tool = tool
        self.spec = tool.spec
        self.scores: dict[Key, Score] = {}

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        scores = self._tool.score(samples)
        for sample, score in zip(samples, scores, strict=True):
            self.scores.setdefault(key_of(sample), score)
        return scores


class _OtherChild:
    """Another process of the same function, with another hash seed."""

    def __init__(self, tool: OwnTool, ending: str) -> None:
        self._tool, self._ending = tool, ending

    def can_load(self, spec: ToolSpec) -> bool:
        """It is the tool's own."""
        return spec.id == self._tool.spec.id

    def score(self, spec: ToolSpec, samples: Sequence[Sample], seconds: float) -> Ran:
        """One Score per sample, in order."""
        other = self._tool.fresh(hash_seed="1")
        try:
            return Ran(_ended(other, self._ending).score(samples), 0.0)
        finally:
            other.close()


class _Beside:
    """The library tool on the same completions."""

    def __init__(self, library: LibraryTool | None, probes: ProbeSet, own: Mapping[Key, Score]) -> None:
        self._library = library
        self._probes = [probe for probe in probes.probes if not probe.may_loop and key_of(probe.sample) in own]
        self._own = [own[key_of(probe.sample)].value for probe in self._probes]
        scores = library.score([probe.sample for probe in self._probes]) if library is not None else []
        self._theirs = [score.value for score in scores] if scores else [None] * len(self._probes)

    def agreement(self, role: Role) -> float | None:
        """Share of completions with the same verdict; of a quality, of pairs of one row that both order alike."""
        both = [
            (probe.row, own, other)
            for probe, own, other in zip(self._probes, self._own, self._theirs, strict=True)
            if own is not None and other is not None
        ]
        if role == "verifier":
            alike = [(own >= HALF) == (other >= HALF) for _, own, other in both]
        else:
            alike = [
                (one[1] > two[1]) == (one[2] > two[2])
                for one, two in combinations(both, 2)
                if one[0] == two[0] and one[1] != two[1] and one[2] != two[2]
            ]
        return sum(alike) / len(alike) if alike else None

    def differs(self, role: Role) -> tuple[Fooled, ...]:
        """Completions on which the verdicts differ, the shortest first."""
        if role != "verifier":
            return ()
        found: dict[str, Fooled] = {}
        for probe, own, other in zip(self._probes, self._own, self._theirs, strict=True):
            if own is not None and other is not None and (own >= HALF) != (other >= HALF):
                entry = fooled(probe, own, check="agreement").model_copy(update={"library": other})
                found.setdefault(entry.completion, entry)
        return by_kind(found.values())

    def judge(self) -> Callable[[Sample], bool]:
        """Whether a completion is surely wrong: the library tool says so, or no reference is anywhere in it."""
        library = self._library
        if library is not None and library.role == "verifier":

            def is_wrong(sample: Sample) -> bool:
                value = library.score([sample])[0].value
                return value is not None and value < HALF

            return is_wrong
        return holds_no_reference


def holds_no_reference(sample: Sample) -> bool:
    """Whether a row has references and none of them stands in the completion, whatever the case and the spaces."""
    return bool(sample.references) and not any(
        _folded(each) in _folded(sample.completion) for each in sample.references
    )


def best_library(task: TaskSpec, resources: Resources, policy: GatePolicy, seed: int) -> LibraryTool | None:
    """The library tool that the gate admits for a task, verifiers first; None where there is none."""
    names = [name for name in candidates(task.contract.answer_kind) if library_class(name).role != "guard"]
    for name in sorted(names, key=lambda each: (library_class(each).role != "verifier", each)):
        tool = library_class(name)(library_spec(name), resources)
        if certify(tool, task, policy=policy, seed=seed).admitted:
            return tool
    return None


def key_of(sample: Sample) -> Key:
    """What tells one completion of a row from another, as its author wrote them."""
    return sample.prompt, sample.completion, sample.written, sample.reference


def fooled(probe: Probe, score: float, *, check: str = "") -> Fooled:
    """A probe that was judged wrongly."""
    sample = probe.sample
    return Fooled(
        check=check or probe.check,
        kind=f"{probe.check}: {probe.kind}",
        completion=written(sample),
        score=score,
        expected=probe.expectation,
        prompt=sample.prompt,
        reference=sample.reference,
    )


def _wrong(probes: ProbeSet, scores: Mapping[Key, Score], role: Role) -> tuple[tuple[Fooled, ...], tuple[Fooled, ...]]:
    """Wrong completions that are rewarded, and right ones that are not, the shortest of each kind first."""
    through: dict[str, Fooled] = {}
    refused: dict[str, Fooled] = {}
    for probe in probes.probes:
        score = scores.get(key_of(probe.sample))
        if score is None or score.value is None:
            continue
        is_wrong = probe.expectation == "low" or (role == "verifier" and probe.expectation == "below")
        if is_wrong and score.value >= HALF:
            entry = fooled(probe, score.value)
            through.setdefault(entry.completion, entry)
        elif probe.expectation == "high" and score.value < HALF:
            entry = fooled(probe, score.value)
            refused.setdefault(entry.completion, entry)
    return by_kind(through.values()), by_kind(refused.values())


def by_kind(entries: Iterable[Fooled]) -> tuple[Fooled, ...]:
    """Each completion once: first the shortest of every kind, then the second shortest of every kind, and so on."""
    nth: Counter[str] = Counter()
    ranked = []
    for entry in sorted({each.completion: each for each in entries}.values(), key=_length):
        ranked.append((nth[entry.kind], _length(entry), entry))
        nth[entry.kind] += 1
    return tuple(entry for _, _, entry in sorted(ranked, key=lambda each: each[:2]))


def _depends_on_others(tool: RewardTool, probes: ProbeSet) -> bool:
    """Whether the same completions are scored otherwise one by one."""
    samples = [probe.sample for probe in probes.probes if not probe.may_loop][:SINGLY]
    together = [score.value for score in tool.score(samples)]
    alone = [tool.score([sample])[0].value for sample in samples]
    return together != alone


def _sample_of(entry: Fooled, probes: ProbeSet) -> Sample:
    for probe in probes.probes:
        sample = probe.sample
        if sample.prompt == entry.prompt and sample.reference == entry.reference:
            return sample
    raise AssertionError("an entry is one of the probes")


def _address(function: str) -> tuple[str, str]:
    if function.startswith(("http://", "https://")):
        return function, ""
    path, colon, name = function.rpartition(":")
    if not colon or not path or not name:
        raise ConfigError(f"{function!r} names no function; say FILE.py:FUNCTION, or http://host/route")
    return path, name


def _read(
    dataset: Sequence[str | Path], settings: Settings
) -> tuple[list[Example], dict[str, JsonObject], tuple[str, ...]]:
    """The examples, the whole row of each by what a sample of it knows, and what to say of rows that are no use."""
    stats = RowStats()
    examples: list[Example] = []
    rows: dict[str, JsonObject] = {}
    for raw in read_objects(dataset):
        example = raw if isinstance(raw, RejectedRow) else row_to_example(raw.row, raw.origin, settings.columns)
        if isinstance(example, RejectedRow):
            stats.reject(example)
            continue
        assert not isinstance(raw, RejectedRow), "it became an example"
        stats.used += 1
        examples.append(example)
        rows.setdefault(group_key(Sample.of(example, "", {})), raw.row)
        if settings.limit and stats.used >= settings.limit:
            break
    check_usable(stats)
    first = stats.first_rejected[:1]
    return (
        examples,
        rows,
        tuple(f"{stats.rejected} rows cannot be used, e.g. {each.origin}: {each.reason}" for each in first),
    )


def _no_columns(names: Sequence[str], rows: Iterable[JsonObject]) -> str:
    """That no row has a column which the function cannot do without; "" where some row has each."""
    there = {name for row in rows for name in row}
    missing = [name for name in names if name not in there]
    if not missing:
        return ""
    has = ", ".join(sorted(there)[:20])
    return f"it needs {', '.join(missing)}, and no row has a column of that name; the rows have {has}"


def _reference_columns(examples: Sequence[Example], rows: Mapping[str, JsonObject]) -> tuple[str, ...]:
    """Names of the columns that hold the reference and nothing else, in every row."""
    names: set[str] | None = None
    for example in examples:
        row = rows.get(group_key(Sample.of(example, "", {})), {})
        here = {
            name for name, value in row.items() if example.reference is not None and _text(value) == example.reference
        }
        names = here if names is None else names & here
    return tuple(sorted(names or ()))


def _text(value: object) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _params(settings: Settings, scale: tuple[float, float], role: Role, columns: tuple[str, ...]) -> OwnParams:
    low, high = scale
    return OwnParams(
        shape=settings.shape, low=low, high=high, columns=columns, seconds=settings.seconds, memory_mb=settings.memory_mb, role=role
    )  # fmt: skip


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()


def _length(entry: Fooled) -> tuple[int, str]:
    return len(entry.completion), entry.completion


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)
