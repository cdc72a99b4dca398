"""The registry's tables, private to `rlar.registry.registry`: everyone else sees the domain types of `rlar.types`.

Portable on purpose (SQLite and PostgreSQL): values are text, integers, floats and bytes; structured values are JSON text
written by `to_json`, so that equal content gives equal bytes on every database. Changing a table here needs a new
script in `alembic/versions/`; a test compares the two.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import registry as mapper_registry
from sqlmodel import Field, SQLModel

BIG_KEY = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the key's type is INTEGER."""


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def to_json(value: Any) -> str:
    """JSON text with sorted keys, all ASCII: any string survives (lone surrogates, NUL) in any database."""
    return _ENCODER.encode(value)


class Table(SQLModel, registry=mapper_registry()):
    """Base of all tables; its metadata holds nothing but the registry."""


class MetaRow(Table, table=True):
    """Facts about the registry itself, and the writer's claim where the database is a server."""

    __tablename__ = "rlar_meta"
    key: str = Field(primary_key=True, sa_type=String(64))
    value: str = Field(sa_type=Text)


class CounterRow(Table, table=True):
    """Counters; "data_version" grows with every committed change, so that readers see new builds."""

    __tablename__ = "rlar_counters"
    name: str = Field(primary_key=True, sa_type=String(64))
    value: int = Field(default=0, sa_type=BigInteger)


class TaskRow(Table, table=True):
    __tablename__ = "rlar_tasks"
    fingerprint: str = Field(primary_key=True, sa_type=String(64))
    label: str = Field(sa_type=Text)
    contract: str = Field(sa_type=Text)
    rows: int = Field(default=0, sa_type=BigInteger)
    description: str = Field(default="", sa_type=Text)
    details: str = Field(default="{}", sa_type=Text, sa_column_kwargs={"server_default": "{}"})
    """JSON of what tasks gained later: criteria, witnesses."""
    created_at: str = Field(sa_type=String(40))
    updated_at: str = Field(sa_type=String(40))


class TaskExampleRow(Table, table=True):
    __tablename__ = "rlar_task_examples"
    fingerprint: str = Field(
        sa_column=Column(String(64), ForeignKey("rlar_tasks.fingerprint", ondelete="CASCADE"), primary_key=True)
    )
    position: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    body: str = Field(sa_type=Text)


class ToolRow(Table, table=True):
    """Append-only: an id is a hash of what runs, so a row never changes."""

    __tablename__ = "rlar_tools"
    id: str = Field(primary_key=True, sa_type=String(255))
    kind: str = Field(sa_type=String(32))
    name: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    params: str = Field(sa_type=Text)
    code_hash: str = Field(sa_type=Text)
    provenance: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=String(40))


class CertificateRow(Table, table=True):
    """Append-only: the newest row of a (tool, task) decides, the older ones are history."""

    __tablename__ = "rlar_certificates"
    __table_args__ = (Index("rlar_certificates_by_task_and_tool", "fingerprint", "tool_id", "id"),)
    id: int | None = Field(default=None, sa_column=Column(BIG_KEY, primary_key=True, autoincrement=True))
    tool_id: str = Field(sa_column=Column(String(255), ForeignKey("rlar_tools.id"), nullable=False))
    fingerprint: str = Field(sa_column=Column(String(64), ForeignKey("rlar_tasks.fingerprint"), nullable=False))
    admitted: bool
    role: str = Field(sa_type=String(32))
    digest: str = Field(sa_type=String(32))
    body: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=String(40))


class RecipeRow(Table, table=True):
    """Versions 1, 2, ... of a task's recipe; append-only."""

    __tablename__ = "rlar_recipes"
    fingerprint: str = Field(
        sa_column=Column(String(64), ForeignKey("rlar_tasks.fingerprint"), primary_key=True, nullable=False)
    )
    version: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    digest: str = Field(sa_type=String(32))
    body: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=String(40))


class AssignmentRow(Table, table=True):
    """The task and the binding of one dataset row. Keys are the 16 bytes behind the 32 hex digits: half the file."""

    __tablename__ = "rlar_rows"
    # Without a rowid the table is its own key index: one B-tree less to write for each of a million rows.
    __table_args__ = (Index("rlar_rows_by_prompt", "prompt_key"), {"sqlite_with_rowid": False})
    row_key: bytes = Field(sa_column=Column(LargeBinary(16), primary_key=True))
    prompt_key: bytes = Field(sa_column=Column(LargeBinary(16), nullable=False))
    fingerprint: str | None = Field(
        default=None, sa_column=Column(String(64), ForeignKey("rlar_tasks.fingerprint"), nullable=True)
    )
    confidence: float
    binding: str | None = Field(default=None, sa_type=Text)


class RouterRow(Table, table=True):
    """The learned row router as npz bytes (no pickle); only the newest is kept."""

    __tablename__ = "rlar_router"
    id: int | None = Field(default=None, sa_column=Column(BIG_KEY, primary_key=True, autoincrement=True))
    digest: str = Field(sa_type=String(32))
    arrays: bytes = Field(sa_type=LargeBinary)
    created_at: str = Field(sa_type=String(40))


class BuildRow(Table, table=True):
    __tablename__ = "rlar_builds"
    id: str = Field(primary_key=True, sa_type=String(64))
    status: str = Field(sa_type=String(32))
    config: str = Field(sa_type=Text)
    summary: str = Field(sa_type=Text)
    started_at: str = Field(sa_type=String(40))
    finished_at: str | None = Field(default=None, sa_type=String(40))


class EventRow(Table, table=True):
    """Who did what to which thing, and when; append-only."""

    __tablename__ = "rlar_events"
    id: int | None = Field(default=None, sa_column=Column(BIG_KEY, primary_key=True, autoincrement=True))
    at: str = Field(sa_type=String(40))
    who: str = Field(sa_type=Text)
    what: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    build_id: str | None = Field(default=None, sa_type=String(64))
    details: str = Field(sa_type=Text)


class LlmCallRow(Table, table=True):
    """Validated answers of LLMs by the hash of the question."""

    __tablename__ = "rlar_llm_calls"
    key: str = Field(primary_key=True, sa_type=String(64))
    fingerprint: str = Field(sa_type=Text)
    node: str = Field(sa_type=Text)
    prompt_name: str = Field(sa_type=Text)
    prompt_hash: str = Field(sa_type=String(64))
    model: str = Field(sa_type=Text)
    request: str = Field(sa_type=Text)
    answer: str = Field(sa_type=Text)
    input_tokens: int = Field(sa_type=BigInteger)
    output_tokens: int = Field(sa_type=BigInteger)
    cost: float | None = Field(default=None)
    created_at: str = Field(sa_type=String(40))


def table(row: type[Table]) -> sqlalchemy.Table:
    """The SQLAlchemy table behind a row class, for statements that move many rows."""
    core_table = row.__dict__["__table__"]
    assert isinstance(core_table, sqlalchemy.Table), row
    return core_table
