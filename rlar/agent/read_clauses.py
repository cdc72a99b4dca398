"""Part of node `assign`: demands that the parser cannot read are put to the LLM, a few batches a build.

An answer counts only if it can be checked: a response that meets it, and one that breaks it, can be made, and the
checker tells them apart. Equal clauses are asked once, whatever the number of rows.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

from rlar.errors import BudgetSpent, ChatError, boundary
from rlar.kinds.constraints.check import check
from rlar.kinds.constraints.read import KINDS, Constraint
from rlar.kinds.constraints.read.lexicon import UNITS
from rlar.kinds.constraints.verify import MIN_CONFIDENCE
from rlar.kinds.constraints.write.construct import satisfy
from rlar.kinds.constraints.write.violate import violate
from rlar.llm.ledger import Llm
from rlar.registry.registry import RowRecord
from rlar.types import JsonObject

CLAUSES_A_CALL = 12
MOST_CALLS = 3
"""A build asks no more than so many times, however long the file is."""
MOST_ROWS = 2_000
"""Rows with unread demands that are kept in memory meanwhile."""
CLAUSE_CHARACTERS = 400
CONFIDENCE = 0.6
"""Of a reading that an LLM gave and the checker could try: enough to decide, less than the parser's own."""

_KINDS = [{"name": name, "meaning": text} for name, text in KINDS.items() if name != "unsupported"]


class ClauseReading(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int
    kind: str
    params: str


class ClauseReadings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    readings: list[ClauseReading]


class UnreadClauses:
    """Collects rows with unread demands as they pass, then has them read."""

    def __init__(self) -> None:
        self._rows: dict[str, RowRecord] = {}

    def notice(self, row: RowRecord) -> None:
        """Keep a row that demands something that no parser could read."""
        if len(self._rows) < MOST_ROWS and any(map(_is_unread, row.binding.get("constraints") or ())):
            self._rows[row.row_key] = row

    def read(self, llm: Llm) -> tuple[list[RowRecord], JsonObject]:
        """The rows whose binding is now readable, and what to tell of it."""
        clauses = sorted(
            {_clause(each) for row in self._rows.values() for each in row.binding["constraints"] if _is_unread(each)}
        )
        known: dict[str, Constraint] = {}
        notes: list[str] = []
        for start in range(0, min(len(clauses), MOST_CALLS * CLAUSES_A_CALL), CLAUSES_A_CALL):
            part = clauses[start : start + CLAUSES_A_CALL]
            try:
                variables = {"clauses": part, "kinds": _KINDS, "units": list(UNITS)}
                reply = llm.ask("read_constraints", variables, ClauseReadings, fingerprint="", node="assign")
            except (BudgetSpent, ChatError) as error:
                notes.append(str(error))
                break
            known |= accepted(part, reply.value.readings, notes)
        changed = [new for row in self._rows.values() if (new := _with_readings(row, known, llm.name)) is not None]
        record = {"unread": len(clauses), "read": len(known), "rows": len(changed), "notes": notes}
        return changed, record


def accepted(clauses: Sequence[str], readings: Sequence[ClauseReading], notes: list[str]) -> dict[str, Constraint]:
    """The readings that hold up, by clause; why the others do not goes into `notes`."""
    constraints: dict[str, Constraint] = {}
    for reading in readings:
        if not 1 <= reading.number <= len(clauses) or reading.kind == "none":
            continue
        clause = clauses[reading.number - 1]
        constraint, problem = checked(clause, reading)
        if constraint is None:
            notes.append(f"{clause[:80]!r} as {reading.kind[:40]}: {problem}")
        else:
            constraints[clause] = constraint
    return constraints


def checked(clause: str, reading: ClauseReading) -> tuple[Constraint | None, str]:
    """The constraint of a reading, where responses that meet and break it can be made and told apart; else why not."""
    if reading.kind not in KINDS or reading.kind == "unsupported":
        return None, "no such kind"
    try:
        params = orjson.loads(reading.params)
    except orjson.JSONDecodeError:
        return None, "the parameters are no JSON"
    if not isinstance(params, dict):
        return None, "the parameters are no object"
    constraint = Constraint(kind=reading.kind, params=params, quote=clause, confidence=CONFIDENCE)

    def tried() -> str:
        rng = random.Random(clause)
        met = satisfy([constraint], rng, topic_text=clause)
        if met is None or check(constraint.kind, params, met).met is not True:
            return "no response that meets it could be made"
        broken = violate(constraint, met, rng)
        if broken is None or check(constraint.kind, params, broken).met is not False:
            return "no response that breaks it could be made"
        return ""

    problem = boundary(tried, lambda error: f"it cannot be checked: {type(error).__name__}: {str(error)[:100]}")
    return (None, problem) if problem else (constraint, "")


def _is_unread(raw: Mapping[str, Any]) -> bool:
    return raw.get("strength") == "hard" and (raw["kind"] == "unsupported" or raw["confidence"] < MIN_CONFIDENCE)


def _clause(raw: Mapping[str, Any]) -> str:
    return " ".join(str(raw.get("quote") or raw.get("params")).split())[:CLAUSE_CHARACTERS]


def _with_readings(row: RowRecord, known: Mapping[str, Constraint], by: str) -> RowRecord | None:
    """The row with its unread demands as they were read; None where any of them still is not."""
    bound = []
    for raw in row.binding["constraints"]:
        if not _is_unread(raw):
            bound.append(raw)
        elif (constraint := known.get(_clause(raw))) is not None:
            bound.append(constraint.model_dump(mode="json"))
        else:
            return None
    return row._replace(binding={**row.binding, "constraints": bound, "read_by": by})
