"""`rlar tasks`: what a build discovered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rlar.cli.app import JsonOption, PromptColumnOption, ReferenceColumnOption, RegistryOption, app, guard, show, tell

tasks_app = typer.Typer(
    help="The tasks that a build discovered, and which task a row belongs to.", no_args_is_help=True
)
app.add_typer(tasks_app, name="tasks")


@tasks_app.command("list")
def tasks_list_command(registry: RegistryOption = "registry.db", json_output: JsonOption = False) -> None:
    """List the discovered tasks: fingerprint, label, answer kind, rows, and which tools give their reward."""
    from rlar.report.table import list_tasks

    guard(lambda: show(list_tasks(registry), as_json=json_output))


@tasks_app.command("assign")
def tasks_assign_command(
    input_path: Annotated[Path, typer.Option("--input", "-i", help="Rows: JSONL, JSONL.gz or Parquet.")],
    output_path: Annotated[Path, typer.Option("--output", "-o", help="JSONL (or .gz) to write.")],
    registry: RegistryOption = "registry.db",
    prompt_column: PromptColumnOption = None,
    reference_column: ReferenceColumnOption = None,
) -> None:
    """Write every row back, in order, with its `fingerprint` (or "unknown"), `task` (label) and `confidence`."""
    from rlar.scoring.files import assign_file

    guard(
        lambda: tell(assign_file(registry, input_path, output_path, prompt=prompt_column, reference=reference_column))
    )
