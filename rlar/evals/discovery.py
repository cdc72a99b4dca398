"""`rlar eval discovery`: do rows of one true task land in one discovered task, and what is missed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rlar.discover.discover import Discovery, discover
from rlar.errors import DatasetError
from rlar.evals.record import make_record
from rlar.rows.read import RawRow, RowStats, read_objects, usable_rows
from rlar.types import Assignment, Example, JsonObject

UNKNOWN = "unknown"


def evaluate_discovery(
    dataset: Sequence[str | Path],
    key: str | Path,
    *,
    column: str = "task",
    leave_out: bool = False,
    limit: int = 0,
    seed: int = 0,
    command: Sequence[str] = (),
) -> JsonObject:
    """Purity, coverage, unknown precision and recall against a key, which nothing but this function reads.

    Purity: share of assigned rows whose true task is the majority of their discovered task. A row counts as rightly
    unknown where the key says "unknown" or does not know its task; a discovered task without a majority is impure.

    Args:
        key: rows {"id", column, "key_confidence"?}; rows of low confidence are left out.
        leave_out: fit again without each true task, and see where its rows go.
        limit: rows read; 0: all.

    Raises:
        DatasetError: a file cannot be used, or the key names none of the rows.
    """
    truth = _truth(key, column)
    rows = [row for row in usable_rows(dataset, RowStats()) if row.id in truth]
    if not rows:
        raise DatasetError(f"{key}: names none of the rows by `id`")
    if limit and len(rows) > limit:
        rows = [rows[index * len(rows) // limit] for index in range(limit)]
    discovery = discover(rows, seed=seed)
    assigned = discovery.router.assign(rows)
    names = [truth[row.id] for row in rows]
    scores, tasks = score_assignments(names, [each.fingerprint for each in assigned])
    labels = {task.fingerprint: task.label for task in discovery.tasks}
    for row in tasks:
        row["wrong"] = labels.get(row["wrong"], row["wrong"])
    record = make_record("discovery", command=command, seed=seed, data=[{"name": Path(path).name, "rows": len(rows)} for path in dataset])  # fmt: skip
    lines = [f"{len(rows)} rows with a key; {len(discovery.tasks)} tasks discovered for {len(set(names))} true ones."]
    left_out = _left_out(rows, names, discovery, assigned, seed) if leave_out else []
    return {"record": record, "scores": scores, "tasks": tasks, "left_out": left_out, "lines": lines}


def score_assignments(truth: Sequence[str], found: Sequence[str | None]) -> tuple[JsonObject, list[JsonObject]]:
    """The measures of one assignment, and one row per true task."""
    majority: dict[str, str] = {}
    for fingerprint in {each for each in found if each is not None}:
        owners = Counter(name for name, mine in zip(truth, found, strict=True) if mine == fingerprint)
        majority[fingerprint] = min(owners, key=lambda name: (-owners[name], name))
    known = [(name, mine) for name, mine in zip(truth, found, strict=True) if mine is not None]
    unknown = [name for name, mine in zip(truth, found, strict=True) if mine is None]
    truly_unknown = sum(name == UNKNOWN for name in truth)
    pure = sum(majority[mine] == name for name, mine in known)
    scores: JsonObject = {
        "purity": round(pure / len(known), 6) if known else None,
        "coverage": round(len(known) / len(truth), 6),
        "unknown precision": round(sum(name == UNKNOWN for name in unknown) / len(unknown), 6) if unknown else None,
        "unknown recall": round(sum(name == UNKNOWN for name in unknown) / truly_unknown, 6) if truly_unknown else None,
        "discovered tasks": len(majority),
        "true tasks": len(set(truth) - {UNKNOWN}),
        "true tasks that are a majority somewhere": len(set(majority.values()) - {UNKNOWN}),
    }
    tasks: list[JsonObject] = []
    for name in sorted(set(truth)):
        mine = [place for each, place in zip(truth, found, strict=True) if each == name]
        wrong = Counter(place for place in mine if place is not None and majority[place] != name)
        tasks.append(
            {
                "task": name,
                "rows": len(mine),
                "assigned": round(sum(place is not None for place in mine) / len(mine), 6),
                "right": round(sum(place is not None and majority[place] == name for place in mine) / len(mine), 6),
                "wrong": wrong.most_common(1)[0][0] if wrong else "",
            }
        )
    return scores, tasks


def _truth(key: str | Path, column: str) -> dict[str, str]:
    partners: dict[str, str] = {}
    for raw in read_objects([key]):
        if isinstance(raw, RawRow) and raw.row.get("key_confidence") != "low" and raw.row.get(column):
            partners[str(raw.row.get("id"))] = str(raw.row[column])
    return partners


def _left_out(
    rows: Sequence[Example], names: Sequence[str], whole: Discovery, assigned: Sequence[Assignment], seed: int
) -> list[JsonObject]:
    """For each true task: discovery without its rows, then where they go."""
    kinds = {task.fingerprint: task.contract.answer_kind for task in whole.tasks}
    out: list[JsonObject] = []
    for name in sorted(set(names)):
        mine = [index for index, each in enumerate(names) if each == name]
        others = [row for row, each in zip(rows, names, strict=True) if each != name]
        if not others:
            continue
        discovery = discover(others, seed=seed)
        their_kinds = {task.fingerprint: task.contract.answer_kind for task in discovery.tasks}
        unknown = same = wrong = 0
        for index, now in zip(mine, discovery.router.assign([rows[index] for index in mine]), strict=True):
            before = assigned[index].fingerprint
            if now.fingerprint is None:
                unknown += 1
            elif before is not None and their_kinds.get(now.fingerprint) == kinds.get(before):
                same += 1
            else:
                wrong += 1
        out.append({"task": name, "rows": len(mine), "unknown": unknown, "same": same, "wrong": wrong})
    return out
