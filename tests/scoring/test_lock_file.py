"""Lock files: deterministic, comparable, and able to say why scoring here would differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlar.errors import RegistryError
from rlar.registry.registry import Registry
from rlar.scoring.lock_file import LockFile, diff_locks, make_lock, open_lock
from rlar.types import AnswerKind, Calibration, Certificate, Contract, Recipe, TaskSpec, ToolKind, ToolSpec

ONE, TWO = "f1-000000000001", "f1-000000000002"
MODEL = ToolSpec(kind=ToolKind.REWARD_MODEL, name="skywork", source="org/model@" + "a" * 40, code_hash="h1")
CODE = ToolSpec(kind=ToolKind.GENERATED, name="writer", source="def compute(): ...", code_hash="h2")


def outcome(registry: Registry, fingerprint: str, *tools: ToolSpec, admitted: bool = True, y: float = 1.0) -> None:
    contract = Contract(answer_kind=AnswerKind.NUMBER, has_reference=True)
    certificates = [
        Certificate(
            tool_id=tool.id, fingerprint=fingerprint, admitted=admitted, role="verifier", checks=(), seed=int(y)
        )
        for tool in tools
    ]
    registry.put_outcome(
        TaskSpec(fingerprint=fingerprint, label=f"task {fingerprint[-1]}", contract=contract),
        tools=tools,
        certificates=certificates,
        recipe=Recipe(
            fingerprint=fingerprint,
            qualities=tuple((tool.id, 1 / len(tools)) for tool in tools),
            calibrations={tool.id: Calibration(x=(0.0, 1.0), y=(0.0, y)) for tool in tools},
        ),
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    with Registry.open(tmp_path / "registry.db", create=True) as opened:
        outcome(opened, ONE, MODEL)
        outcome(opened, TWO, MODEL, CODE)
        yield opened


def other(tmp_path: Path) -> Registry:
    return Registry.open(tmp_path / "other.db", create=True)


def test_a_lock_names_revisions_hashes_and_calibrations(registry: Registry):
    lock = make_lock(registry)
    assert sorted(lock.tools) == sorted([MODEL.id, CODE.id])
    assert (lock.tools[MODEL.id].revision, lock.tools[MODEL.id].code_hash) == ("a" * 40, "h1")
    assert (lock.tools[CODE.id].source, lock.tools[CODE.id].revision) == ("", None)
    assert lock.recipes[ONE].calibrations[MODEL.id].y == (0.0, 1.0)


def test_equal_registries_give_equal_bytes_whatever_the_order(registry: Registry, tmp_path: Path):
    with other(tmp_path) as second:
        outcome(second, TWO, MODEL, CODE)
        outcome(second, ONE, MODEL)
        assert make_lock(second).to_text() == make_lock(registry).to_text()
        assert not diff_locks(registry, second)


def test_a_lock_survives_its_file(registry: Registry, tmp_path: Path):
    path = tmp_path / "rlar.lock"
    lock = make_lock(registry)
    lock.write(path)
    assert open_lock(path) == LockFile.read(path) == lock
    assert open_lock(registry.address) == lock
    assert sorted(entry.name for entry in tmp_path.iterdir() if "lock" in entry.name) == [
        "registry.db.lock",
        "rlar.lock",
    ]


def test_what_is_not_served_is_not_locked(registry: Registry):
    outcome(registry, ONE, MODEL, admitted=False)
    assert list(make_lock(registry).tasks) == [TWO]


def test_a_diff_tells_tools_recipes_and_calibrations_apart(registry: Registry, tmp_path: Path):
    newer = MODEL.model_copy(update={"source": "org/model@" + "b" * 40})
    with other(tmp_path) as second:
        outcome(second, ONE, newer)
        outcome(second, "f1-000000000003", newer)
        found = diff_locks(registry, second)
    assert found.lines() == [
        f"~ tool {MODEL.id} -> {newer.id}: revision {'a' * 40} -> {'b' * 40}",
        f"- tool {CODE.id}",
        f"~ task {ONE} (task 1): (1 {MODEL.id}) -> (1 {newer.id})",
        f"- task {TWO} (task 2): (0.5 {MODEL.id} + 0.5 {CODE.id})",
        f"+ task f1-000000000003 (task 3): (1 {newer.id})",
    ]
    assert found.of("tool", "removed") == [CODE.id]
    assert found.of("recipe", "added") == ["f1-000000000003"]


def test_a_new_calibration_and_new_evidence_show(registry: Registry, tmp_path: Path):
    with other(tmp_path) as second:
        outcome(second, ONE, MODEL, y=0.0)
        outcome(second, TWO, MODEL, CODE)
        found = diff_locks(registry, second)
    assert found.lines() == [
        f"~ calibration of {MODEL.id} for {ONE} (task 1) changed",
        f"~ evidence on {MODEL.id} for {ONE} (task 1) changed",
    ]


def test_another_version_number_of_the_same_recipe_is_no_change(registry: Registry, tmp_path: Path):
    with other(tmp_path) as second:
        outcome(second, ONE, MODEL, y=0.0)
        outcome(second, ONE, MODEL)
        outcome(second, TWO, MODEL, CODE)
        assert second.recipes()[0].version == 2
        assert not diff_locks(registry, second)


def edits(value: object, path: tuple = ()) -> Iterator[tuple[tuple, object]]:
    """Every leaf of a JSON value with another value in its place: (path, edited whole)."""
    if isinstance(value, dict | list):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            for place, edited in edits(item, (*path, key)):
                whole = dict(value) if isinstance(value, dict) else list(value)
                whole[key] = edited
                yield place, whole
    elif isinstance(value, int | float):
        yield path, value / 2 + 0.3
    else:
        yield path, "x" + (value or "")


NO_CHANGE = {("rlar",), ("registry_schema",)}


def test_every_edit_of_a_lock_shows_in_the_diff_or_is_refused(registry: Registry, tmp_path: Path):
    library = ToolSpec(kind=ToolKind.LIBRARY, name="n", source="a:B", params={"deep": {"k": [1, "t"]}}, code_hash="h3")
    outcome(registry, "f1-000000000005", library)
    lock = make_lock(registry)
    path, shown = tmp_path / "edited.lock", set()
    for place, edited in edits(json.loads(lock.to_text())):
        path.write_text(json.dumps(edited))
        if place in NO_CHANGE or place[-1] in ("label", "version"):
            continue
        try:
            changed = LockFile.read(path)
        except RegistryError:
            continue
        assert diff_locks(lock, changed), place
        assert diff_locks(changed, lock), place
        shown.add(place[2] if place[0] == "tools" else place[0])
    assert shown >= {"source", "source_digest", "code_hash", "params", "name", "revision", "tasks"}


def test_an_edit_under_the_same_id_is_named(registry: Registry):
    lock = make_lock(registry)
    tool = lock.tools[CODE.id].model_copy(update={"source_digest": "0" * 16})
    edited = lock.model_copy(update={"tools": {**lock.tools, CODE.id: tool}})
    assert diff_locks(lock, edited).lines() == [
        f"~ tool {CODE.id}: source {lock.tools[CODE.id].source_digest} -> {'0' * 16}, under the same id"
    ]


@pytest.mark.parametrize("depth", [200, 2_000, 200_000])
def test_deep_json_is_no_lock_and_no_traceback(tmp_path: Path, registry: Registry, depth: int):
    path = tmp_path / "rlar.lock"
    text = make_lock(registry).to_text()
    deep = "[" * depth + "]" * depth
    for content in (deep, text.replace('"params": {}', f'"params": {{"a": {deep}}}')):
        path.write_text(content)
        with pytest.raises(
            RegistryError, match=r"neither a registry nor a lock file|no lock file of version"
        ) as caught:
            LockFile.read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "neither a registry nor a lock file"),
        ("[]", "no lock file of version 1"),
        (json.dumps({"lock_version": 99}), "lock_version is 99"),
        (json.dumps({"lock_version": 1, "tools": {}}), "damaged lock file"),
    ],
)
def test_what_is_no_lock_file_is_refused(tmp_path: Path, text: str, said: str):
    path = tmp_path / "x.lock"
    path.write_text(text)
    with pytest.raises(RegistryError, match=said):
        open_lock(path)
    with pytest.raises(RegistryError, match="does not exist"):
        open_lock(tmp_path / "none")
