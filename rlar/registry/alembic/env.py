"""Runs the registry's migrations on the connection that `rlar.registry.migrations` hands over; there is no alembic.ini."""

from __future__ import annotations

from alembic import context

from rlar.registry.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table="rlar_alembic_version",
    # SQLite cannot alter most things in place: Alembic copies the table instead.
    render_as_batch=True,
)
context.run_migrations()
