"""The registry's SQL: functions over an open connection, used by `rlar.registry.registry` alone.

Names are sorted here and not by the database: a server sorts text by its locale, and a digest must not depend on that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from rlar.errors import RegistryError
from rlar.foreign import parse_json
from rlar.registry import content
from rlar.registry.records import Build, Event, LlmCall, RowRecord
from rlar.registry.tables import (
    AssignmentRow,
    BuildRow,
    CertificateRow,
    CounterRow,
    EventRow,
    LlmCallRow,
    RecipeRow,
    RouterRow,
    TaskExampleRow,
    TaskRow,
    ToolRow,
    table,
    to_json,
)
from rlar.types import Certificate, Contract, Example, Frozen, Recipe, TaskSpec, ToolSpec, Witness, digest

Model = TypeVar("Model", bound=BaseModel)

TASKS, EXAMPLES, TOOLS = table(TaskRow), table(TaskExampleRow), table(ToolRow)
CERTIFICATES, RECIPES, ROWS = table(CertificateRow), table(RecipeRow), table(AssignmentRow)
ROUTER, BUILDS, EVENTS, COUNTERS = table(RouterRow), table(BuildRow), table(EventRow), table(CounterRow)
LLM_CALLS = table(LlmCallRow)


class TaskDetails(Frozen):
    """What tasks gained after the first schema; a row without it reads as empty."""

    criteria: tuple[str, ...] = ()
    witnesses: tuple[Witness, ...] = ()


_ROW_COLUMNS = ("row_key", "prompt_key", "fingerprint", "confidence", "binding")
_PUT_ROWS = text(
    "INSERT INTO rlar_rows (row_key, prompt_key, fingerprint, confidence, binding) "
    "VALUES (:row_key, :prompt_key, :fingerprint, :confidence, :binding) "
    "ON CONFLICT (row_key) DO UPDATE SET prompt_key = excluded.prompt_key, fingerprint = excluded.fingerprint, "
    "confidence = excluded.confidence, binding = excluded.binding"
)


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def plain_text(value: str) -> str:
    """The text as every database can store it: without NUL and lone surrogates, which data from outside may hold."""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


def key_bytes(key: str) -> bytes:
    """The 16 bytes of a row key (`Example.key`). Raises RegistryError for anything but 32 hex digits."""
    try:
        raw = bytes.fromhex(key)
    except ValueError:
        raw = b""
    if len(raw) != 16:
        raise RegistryError(f"{key!r} is no row key: 32 hex digits, as in Example.key")
    return raw


class UnreadableValue(ValueError):
    """Something stored is not what rlar stores."""


def parsed(model: type[Model], body: str) -> Model:
    """A stored value of this type. Raises UnreadableValue."""
    try:
        return model.model_validate(parse_json(body))
    except (ValueError, TypeError) as error:
        raise UnreadableValue(f"a stored {model.__name__} cannot be read ({error})") from error


def read_tasks(connection: Connection, condition: Any, *, with_examples: bool) -> list[TaskSpec]:
    """Tasks that meet a condition (None: all), by fingerprint; examples, where wanted, in the order in which they were stored."""
    query = select(TASKS) if condition is None else select(TASKS).where(condition)
    rows = connection.execute(query).all()
    examples: dict[str, list[Example]] = {}
    if with_examples:
        bodies = select(EXAMPLES.c.fingerprint, EXAMPLES.c.body)
        if condition is not None:
            bodies = bodies.where(EXAMPLES.c.fingerprint.in_([row.fingerprint for row in rows]))
        for fingerprint, body in connection.execute(bodies.order_by(EXAMPLES.c.fingerprint, EXAMPLES.c.position)):
            examples.setdefault(fingerprint, []).append(parsed(Example, body))
    tasks = []
    for row in rows:
        details = parsed(TaskDetails, row.details)
        task = TaskSpec(
            fingerprint=row.fingerprint,
            label=row.label,
            contract=parsed(Contract, row.contract),
            rows=row.rows,
            description=row.description,
            examples=tuple(examples.get(row.fingerprint, ())),
            criteria=details.criteria,
            witnesses=details.witnesses,
        )
        tasks.append(task)
    return sorted(tasks, key=attrgetter("fingerprint"))


def write_task(connection: Connection, task: TaskSpec) -> None:
    """Insert a task or bring it up to date, with its example rows."""
    values = {
        "label": plain_text(task.label),
        "contract": to_json(content.plain(task.contract)),
        "rows": task.rows,
        "description": plain_text(task.description),
        "details": to_json(content.plain(TaskDetails(criteria=task.criteria, witnesses=task.witnesses))),
        "updated_at": now(),
    }
    if connection.execute(select(TASKS.c.rows).where(TASKS.c.fingerprint == task.fingerprint)).first():
        connection.execute(update(TASKS).where(TASKS.c.fingerprint == task.fingerprint).values(values))
        connection.execute(delete(EXAMPLES).where(EXAMPLES.c.fingerprint == task.fingerprint))
    else:
        connection.execute(insert(TASKS).values(fingerprint=task.fingerprint, created_at=now(), **values))
    if task.examples:
        bodies = [
            {"fingerprint": task.fingerprint, "position": position, "body": to_json(content.plain(example))}
            for position, example in enumerate(task.examples)
        ]
        connection.execute(insert(EXAMPLES), bodies)


def tool_of(row: Row[Any]) -> ToolSpec:
    """The tool of a row. Raises ValueError where its content does not hash to its id."""
    tool = ToolSpec(
        kind=row.kind,
        name=row.name,
        source=row.source,
        params=parse_json(row.params),
        code_hash=row.code_hash,
        provenance=parse_json(row.provenance),
    )
    if tool.id != row.id:
        raise UnreadableValue(f"the tool {row.id} is not the one that its id was made of")
    return tool


def write_tool(connection: Connection, tool: ToolSpec) -> None:
    """Insert a tool; one that is there stays as it is."""
    if connection.execute(select(TOOLS.c.id).where(TOOLS.c.id == tool.id)).first() is None:
        values = {**content.plain(tool), "kind": tool.kind.value}
        values |= {"params": to_json(tool.params), "provenance": to_json(tool.provenance)}
        connection.execute(insert(TOOLS).values(id=tool.id, created_at=now(), **values))


def write_certificate(connection: Connection, certificate: Certificate) -> None:
    """Append a certificate; an equal one is stored once."""
    body = to_json(content.plain(certificate))
    key = digest(body, size=32)
    same = select(CERTIFICATES.c.id).where(
        CERTIFICATES.c.fingerprint == certificate.fingerprint,
        CERTIFICATES.c.tool_id == certificate.tool_id,
        CERTIFICATES.c.digest == key,
    )
    if connection.execute(same).first() is None:
        values = {"tool_id": certificate.tool_id, "fingerprint": certificate.fingerprint, "role": certificate.role}
        values |= {"digest": key, "body": body, "created_at": certificate.created_at or now()}
        connection.execute(insert(CERTIFICATES).values(admitted=certificate.admitted, **values))


def read_latest_certificates(connection: Connection, fingerprint: str | None) -> list[Certificate]:
    """The latest certificate of every tool on every task (or on one), by fingerprint and tool id."""
    newest = select(func.max(CERTIFICATES.c.id)).group_by(CERTIFICATES.c.fingerprint, CERTIFICATES.c.tool_id)
    if fingerprint is not None:
        newest = newest.where(CERTIFICATES.c.fingerprint == fingerprint)
    query = select(CERTIFICATES.c.body).where(CERTIFICATES.c.id.in_(newest))
    certificates = [parsed(Certificate, body) for body in connection.execute(query).scalars()]
    return sorted(certificates, key=attrgetter("fingerprint", "tool_id"))


def read_latest_recipes(connection: Connection, fingerprint: str | None = None) -> list[Recipe]:
    """The latest recipe of every task (or of one), by fingerprint."""
    newest = select(RECIPES.c.fingerprint, func.max(RECIPES.c.version).label("version"))
    if fingerprint is not None:
        newest = newest.where(RECIPES.c.fingerprint == fingerprint)
    latest = newest.group_by(RECIPES.c.fingerprint).subquery()
    is_latest = (RECIPES.c.fingerprint == latest.c.fingerprint) & (RECIPES.c.version == latest.c.version)
    query = select(RECIPES.c.body).join(latest, is_latest)
    return sorted((parsed(Recipe, body) for body in connection.execute(query).scalars()), key=attrgetter("fingerprint"))


def write_recipe(connection: Connection, recipe: Recipe) -> Recipe:
    """Append a recipe under its next version and return it so; one that equals the latest is not stored again."""
    key = digest(to_json(content.stable_recipe(recipe)), size=32)
    query = select(RECIPES).where(RECIPES.c.fingerprint == recipe.fingerprint)
    latest = connection.execute(query.order_by(RECIPES.c.version.desc()).limit(1)).first()
    if latest is not None and latest.digest == key:
        return parsed(Recipe, latest.body)
    stored = recipe.model_copy(update={"version": latest.version + 1 if latest is not None else 1})
    values = {"fingerprint": stored.fingerprint, "version": stored.version, "digest": key, "created_at": now()}
    connection.execute(insert(RECIPES).values(body=to_json(content.plain(stored)), **values))
    return stored


def write_rows(connection: Connection, values: Sequence[tuple[Any, ...]]) -> None:
    """Past SQLAlchemy's handling of parameters, which takes as long as the database does."""
    compiled = _PUT_ROWS.compile(dialect=connection.dialect)
    if compiled.positional:
        connection.exec_driver_sql(str(compiled), list(values))
    else:
        connection.exec_driver_sql(str(compiled), [dict(zip(_ROW_COLUMNS, value, strict=True)) for value in values])


def row_of(row: Row[Any]) -> RowRecord:
    """The stored assignment of a row. Raises ValueError where its binding is no JSON object."""
    binding = parse_json(row.binding) if row.binding is not None else {}
    if not isinstance(binding, dict):
        raise ValueError("its binding is no object")
    fingerprint = str(row.fingerprint) if row.fingerprint is not None else None
    return RowRecord(row.row_key.hex(), row.prompt_key.hex(), fingerprint, float(row.confidence), binding)


def build_of(row: Mapping[Any, Any]) -> Build:
    """The build of a row, its settings and summary parsed."""
    return Build.model_validate({**row, "config": parse_json(row["config"]), "summary": parse_json(row["summary"])})


def event_of(row: Row[Any]) -> Event:
    """The event of a row, its details parsed."""
    values = dict(row._mapping)
    values |= {"build": values.pop("build_id"), "details": parse_json(row.details)}
    return Event.model_validate(values)


def write_llm_call(connection: Connection, call: LlmCall) -> None:
    """Insert a call's answer under its key, or replace it."""
    values = {**content.plain(call), "request": to_json(call.request), "created_at": call.created_at or now()}
    if connection.execute(update(LLM_CALLS).where(LLM_CALLS.c.key == call.key).values(values)).rowcount == 0:
        connection.execute(insert(LLM_CALLS).values(values))


def llm_call_of(row: Row[Any]) -> LlmCall:
    """The stored call of a row, its request parsed."""
    return LlmCall.model_validate({**row._mapping, "request": parse_json(row.request)})
