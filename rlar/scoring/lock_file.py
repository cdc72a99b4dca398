"""Lock files: what a registry serves, to the last calibration knot, as deterministic JSON that can be compared.

A lock file says which numbers a run was trained on. It is no registry: it holds no rows, no router, no evidence, only
digests of the certificates.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from pydantic import Field, ValidationError

from rlar._version import __version__
from rlar.errors import RegistryError, first_problem
from rlar.foreign import read_json
from rlar.registry import migrations
from rlar.registry.content import stable_certificate
from rlar.registry.engine import shown
from rlar.registry.records import RegistrySnapshot, Standing, tool_ids
from rlar.registry.registry import Registry
from rlar.registry.tables import to_json
from rlar.report.table import Listing
from rlar.rows.atomic import write_text_atomic
from rlar.tools.load import kind_of, unusable
from rlar.types import Calibration, Frozen, JsonObject, Recipe, ToolKind, ToolSpec, canonical_json, digest

LOCK_VERSION = 1


class LockedTool(Frozen):
    """One tool of a served recipe."""

    kind: ToolKind
    name: str
    source: str = ""
    """As in the ToolSpec; for generated code, which may be long, empty (see source_digest)."""
    source_digest: str
    revision: str | None = None
    """Reward models: the commit of the Hub repository."""
    code_hash: str
    params: JsonObject = Field(default_factory=dict)


class LockedTask(Frozen):
    """One served task."""

    label: str
    recipe: Recipe
    certificates: dict[str, str]
    """Tool id -> digest of the evidence (without times and timings)."""


class LockFile(Frozen):
    """Everything that decides a reward, for a whole registry."""

    lock_version: int = LOCK_VERSION
    rlar: str
    registry_schema: int
    tools: dict[str, LockedTool]
    """By id; the tools of the served recipes only."""
    tasks: dict[str, LockedTask]
    """By fingerprint; served tasks only."""

    @property
    def recipes(self) -> dict[str, Recipe]:
        """The served recipes, by fingerprint."""
        return {fingerprint: task.recipe for fingerprint, task in self.tasks.items()}

    def to_text(self) -> str:
        """The lock file's text: equal locks give equal bytes."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=True) + "\n"

    def write(self, path: str | Path) -> None:
        """Write the lock file; it appears whole or not at all."""
        write_text_atomic(path, self.to_text())

    @staticmethod
    def read(path: str | Path) -> LockFile:
        """A lock file from disk. Raises RegistryError where it is none, or of another lock version."""
        try:
            content = read_json(Path(path))
        except (OSError, ValueError) as error:
            raise RegistryError(f"{path} is neither a registry nor a lock file: {error}") from error
        version = content.get("lock_version") if isinstance(content, dict) else None
        if version != LOCK_VERSION:
            raise RegistryError(
                f"{path} is no lock file of version {LOCK_VERSION} (its lock_version is {version!r}); "
                f"write it again with `rlar tools lock`"
            )
        try:
            return LockFile.model_validate(content)
        except ValidationError as error:
            raise RegistryError(
                f"{path} is a damaged lock file ({first_problem(error)}); write it again with `rlar tools lock`"
            ) from error


class Change(Frozen):
    """One difference between two locks."""

    what: str
    """tool, recipe, calibration or evidence"""
    how: str
    """added, removed or changed"""
    subject: str
    """A tool id or a fingerprint."""
    line: str
    """For a person."""


class LockDiff(Frozen):
    """What differs between two locks; falsy when nothing does."""

    changes: tuple[Change, ...] = ()

    def lines(self) -> list[str]:
        """One line a change: "+" added, "-" removed, "~" changed."""
        return [change.line for change in self.changes]

    def of(self, what: str, how: str | None = None) -> list[str]:
        """The subjects of some kind of change."""
        return [item.subject for item in self.changes if item.what == what and how in (None, item.how)]

    def __bool__(self) -> bool:
        return bool(self.changes)


def make_lock(registry: Registry) -> LockFile:
    """What a registry serves now."""
    snapshot = registry.snapshot()
    tasks: dict[str, LockedTask] = {}
    tools: dict[str, LockedTool] = {}
    for fingerprint, standing in snapshot.standings.items():
        recipe = standing.recipe
        if recipe is None:
            continue
        certificates = snapshot.certificates[fingerprint]
        tasks[fingerprint] = LockedTask(
            label=snapshot.tasks[fingerprint].label,
            recipe=recipe,
            certificates={tool: digest(to_json(stable_certificate(certificates[tool]))) for tool in tool_ids(recipe)},
        )
        tools |= {tool: _locked(snapshot.tools[tool]) for tool in tool_ids(recipe)}
    return LockFile(rlar=__version__, registry_schema=migrations.known_version(), tools=tools, tasks=tasks)


def open_lock(address: str | Path) -> LockFile:
    """The lock of a lock file, or of a registry (made on the spot). Raises RegistryError."""
    if "://" in str(address):
        with Registry.open(address, readonly=True) as registry:
            return make_lock(registry)
    path = Path(address)
    if not path.exists():
        raise RegistryError(f"{path} does not exist; name a registry or a lock file (`rlar tools lock` writes one)")
    if is_lock_file(path):
        return LockFile.read(path)
    with Registry.open(path, readonly=True) as registry:
        return make_lock(registry)


def diff_locks(old: LockFile | Registry, new: LockFile | Registry) -> LockDiff:
    """What changed from old to new: tools, recipes, calibrations, evidence. A recipe's version number is no change."""
    a, b = _as_lock(old), _as_lock(new)
    return LockDiff(changes=(*_tool_changes(a, b), *_task_changes(a, b)))


def write_lock(address: str, output: Path) -> str:
    """Write the lock file of a registry; returns what to tell."""
    with Registry.open(address, readonly=True) as registry:
        lock = make_lock(registry)
    lock.write(output)
    return f"{shown(address)} -> {output}: {len(lock.tools)} tools, {len(lock.recipes)} recipes"


def show_difference(old: str, new: str) -> Listing:
    """What changed between two registries or lock files."""
    difference = diff_locks(open_lock(old), open_lock(new))
    lines = difference.lines()
    return Listing(difference.model_dump(mode="json"), heading=lines or ["no difference"], changed=bool(lines))


def is_lock_file(address: str | Path) -> bool:
    """Whether an address names a file that is no SQLite database: what `rlar.load` takes for a lock file."""
    path = Path(address)
    if "://" in str(address) or not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as stream:
        return stream.read(15) != b"SQLite format 3"


def pinned(registry: Registry, lock: LockFile, name: str = "the lock file") -> RegistrySnapshot:
    """The registry's state with what the lock says is served in the place of what it serves itself.

    Tools, recipes and calibrations are the lock's; tool sources, rows and the row router are the registry's. Tasks that
    the lock does not serve are uncovered.

    Args:
        name: of the lock file, for messages.

    Raises:
        RegistryError: the registry lacks a task, a tool or a certificate that the lock names, or the installed code is
            not the locked code; every difference is named.
    """
    snapshot = registry.snapshot()
    problems: list[str] = []
    for tool_id, locked in sorted(lock.tools.items()):
        spec = snapshot.tools.get(tool_id)
        if spec is None:
            problems.append(f"tool {tool_id} is not in the registry")
        elif _locked(spec) != locked:
            problems.append(
                f"tool {tool_id} differs: {', '.join(_tool_difference(locked, _locked(spec))) or 'its name'}"
            )
        elif problem := unusable(spec):
            problems.append(f"tool {tool_id}: {problem}")
    recipes: dict[str, Recipe] = {}
    for fingerprint, task in sorted(lock.tasks.items()):
        if fingerprint not in snapshot.tasks:
            problems.append(f"task {fingerprint} ({task.label}) is not in the registry")
            continue
        calibrations = dict(task.recipe.calibrations)
        for tool_id in tool_ids(task.recipe):
            if tool_id not in calibrations:
                calibration = _calibration_of(registry, tool_id, fingerprint, task.certificates.get(tool_id))
                if calibration is None:
                    problems.append(
                        f"the certificate of {tool_id} for {fingerprint} ({task.label}) is not in the registry"
                    )
                    continue
                calibrations[tool_id] = calibration
        recipes[fingerprint] = task.recipe.model_copy(update={"calibrations": calibrations})
    if problems:
        more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise RegistryError(
            f"{name} does not fit the registry: {'; '.join(problems[:8])}{more}. "
            f"Name the registry that it was written from, or write it again with `rlar tools lock`"
        )
    standings = {
        fingerprint: Standing(recipe=recipes[fingerprint])
        if fingerprint in recipes
        else Standing(recipe=None, reason=f"{name} serves nothing for it")
        for fingerprint in snapshot.tasks
    }
    return replace(snapshot, recipes=recipes, standings=standings)


def _calibration_of(registry: Registry, tool_id: str, fingerprint: str, wanted: str | None) -> Calibration | None:
    """The calibration in the certificate with this digest, however old."""
    for certificate in registry.certificates(tool_id, fingerprint):
        if digest(to_json(stable_certificate(certificate))) == wanted:
            return certificate.calibration
    return None


def _as_lock(item: LockFile | Registry) -> LockFile:
    return make_lock(item) if isinstance(item, Registry) else item


def _locked(spec: ToolSpec) -> LockedTool:
    _repository, _, revision = spec.source.partition("@")
    kind = kind_of(spec)
    return LockedTool(
        kind=spec.kind,
        name=spec.name,
        source="" if kind.source_is_code else spec.source,
        source_digest=digest(spec.source),
        revision=revision or None if kind.source_is_pinned else None,
        code_hash=spec.code_hash,
        params=spec.params,
    )


def _tool_changes(a: LockFile, b: LockFile) -> list[Change]:
    changes = [
        Change(
            what="tool", how="changed", subject=tool, line=f"~ tool {tool}: {', '.join(difference)}, under the same id"
        )
        for tool in sorted(a.tools.keys() & b.tools.keys())
        if (difference := _tool_difference(a.tools[tool], b.tools[tool]))
    ]
    removed = {tool: spec for tool, spec in a.tools.items() if tool not in b.tools}
    added = {tool: spec for tool, spec in b.tools.items() if tool not in a.tools}
    for tool, spec in sorted(removed.items()):
        # A new id under the one old name is the same tool, changed.
        successors = [
            other for other, difference in added.items() if (difference.kind, difference.name) == (spec.kind, spec.name)
        ]
        rivals = [
            other
            for other, difference in removed.items()
            if (difference.kind, difference.name) == (spec.kind, spec.name)
        ]
        if len(successors) == len(rivals) == 1:
            then = added.pop(successors[0])
            why = ", ".join(_tool_difference(spec, then)) or "nothing that is locked"
            line = f"~ tool {tool} -> {successors[0]}: {why}"
            changes.append(Change(what="tool", how="changed", subject=tool, line=line))
        else:
            changes.append(Change(what="tool", how="removed", subject=tool, line=f"- tool {tool}"))
    changes += [Change(what="tool", how="added", subject=tool, line=f"+ tool {tool}") for tool in sorted(added)]
    return changes


def _tool_difference(old: LockedTool, new: LockedTool) -> list[str]:
    differences = [
        f"{name} {getattr(old, name)} -> {getattr(new, name)}"
        for name in ("kind", "name")
        if getattr(old, name) != getattr(new, name)
    ]
    if old.revision != new.revision:
        differences.append(f"revision {old.revision} -> {new.revision}")
    elif old.source != new.source:
        differences.append(f"source {old.source or old.source_digest} -> {new.source or new.source_digest}")
    elif old.source_digest != new.source_digest:
        differences.append(f"source {old.source_digest} -> {new.source_digest}")
    if old.code_hash != new.code_hash:
        differences.append(f"code {old.code_hash} -> {new.code_hash}")
    if old.params != new.params:
        differences.append(f"params {canonical_json(old.params)} -> {canonical_json(new.params)}")
    return differences


def _task_changes(a: LockFile, b: LockFile) -> list[Change]:
    changes = []
    for fingerprint in sorted({*a.tasks, *b.tasks}):
        old, new = a.tasks.get(fingerprint), b.tasks.get(fingerprint)
        if old is None or new is None:
            how, task = ("added", new) if old is None else ("removed", old)
            assert task is not None
            line = f"{'+' if old is None else '-'} task {fingerprint} ({task.label}): {recipe_text(task.recipe)}"
            changes.append(Change(what="recipe", how=how, subject=fingerprint, line=line))
            continue
        if _scores_by(old.recipe) != _scores_by(new.recipe):
            line = f"~ task {fingerprint} ({new.label}): {recipe_text(old.recipe)} -> {recipe_text(new.recipe)}"
            changes.append(Change(what="recipe", how="changed", subject=fingerprint, line=line))
        both = sorted(set(tool_ids(old.recipe)) & set(tool_ids(new.recipe)))
        for tool in both:
            before, after = old.recipe.calibrations.get(tool), new.recipe.calibrations.get(tool)
            if before != after:
                line = f"~ calibration of {tool} for {fingerprint} ({new.label}) changed"
                changes.append(Change(what="calibration", how="changed", subject=fingerprint, line=line))
        for tool in both:
            if old.certificates.get(tool) != new.certificates.get(tool):
                line = f"~ evidence on {tool} for {fingerprint} ({new.label}) changed"
                changes.append(Change(what="evidence", how="changed", subject=fingerprint, line=line))
    return changes


def _scores_by(recipe: Recipe) -> JsonObject:
    return recipe.model_dump(exclude={"version", "calibrations"})


def recipe_text(recipe: Recipe) -> str:
    """Gates and weighted qualities of a recipe, in one line."""
    qualities = " + ".join(f"{weight:g} {tool}" for tool, weight in recipe.qualities)
    return " x ".join([*recipe.gates, *([f"({qualities})"] if qualities else [])])
