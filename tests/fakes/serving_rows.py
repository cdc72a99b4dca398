"""A small registry made by hand from real library tools, and rows of its tasks: for tests of the server and of hosts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlar.kinds.bind import bind
from rlar.registry.registry import Registry, RowRecord
from rlar.rows.example import row_to_example
from rlar.tools.library import library_spec
from rlar.types import AnswerKind, Certificate, Contract, Example, Recipe, TaskSpec

NUMBER, CHOICE, OPEN, FAKE = "f1-000000000001", "f1-000000000002", "f1-000000000003", "f1-000000000004"

ROWS: list[dict[str, Any]] = [
    {"id": "n1", "prompt": "What is 2 + 2?", "reference": "4"},
    {"id": "n2", "prompt": "Six times seven?", "reference": "42"},
    {"id": "c1", "prompt": "Which is a metal?\n\nA) iron\nB) wood", "reference": "A"},
    {"id": "o1", "prompt": "Write something nice."},
    {"id": "f1", "prompt": "Do as the completion says.", "reference": "x"},
]
TASK_OF = {"n1": NUMBER, "n2": NUMBER, "c1": CHOICE, "o1": OPEN, "f1": FAKE}
STRANGER = {"id": "s1", "prompt": "Nobody has seen this row.", "reference": "no"}


def example(row: dict[str, Any]) -> Example:
    found = row_to_example(row)
    assert isinstance(found, Example)
    return found


def make_registry(path: Path, *, fake: str | None = None, log: str | None = None) -> Path:
    """The registry; `fake` names the tool of tests/fakes/scorer_fakes.py that serves the row f1."""
    kinds = {NUMBER: (AnswerKind.NUMBER, True, "number"), CHOICE: (AnswerKind.CHOICE, True, "choice"),
             OPEN: (AnswerKind.OPEN_ENDED, False, None), FAKE: (AnswerKind.SHORT_TEXT, True, fake)}  # fmt: skip
    contracts = {}
    with Registry.open(path, create=True) as registry:
        for fingerprint, (kind, has_reference, name) in kinds.items():
            contracts[fingerprint] = Contract(answer_kind=kind, has_reference=has_reference)
            tool = library_spec(name, {"log": log} if log and name == fake else {}) if name else None
            registry.put_outcome(
                TaskSpec(fingerprint=fingerprint, label=kind.value, contract=contracts[fingerprint]),
                tools=[tool] if tool else [],
                certificates=[
                    Certificate(
                        tool_id=tool.id,
                        fingerprint=fingerprint,
                        admitted=True,
                        role="verifier",
                        checks=(),
                        created_at="2026-01-01",
                    )
                ]
                if tool
                else [],
                recipe=Recipe(fingerprint=fingerprint, qualities=((tool.id, 1.0),)) if tool else None,
            )
        for row in map(example, ROWS):
            fingerprint = TASK_OF[row.id]
            record = RowRecord(row.key, row.prompt_key, fingerprint, 0.9, bind(row, contracts[fingerprint]))
            registry.put_rows([record])
    return path


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
