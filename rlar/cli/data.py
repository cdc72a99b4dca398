"""`rlar data`: datasets for other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rlar.cli.app import PromptColumnOption, ReferenceColumnOption, RegistryOption, app, guard, tell

data_app = typer.Typer(help="Datasets for the trainers that rlar gives rewards to.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command("export")
def data_export_command(
    dataset: Annotated[
        list[Path], typer.Option("--dataset", "-d", help="JSONL, JSONL.gz or Parquet; give it again for more files.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .parquet, .jsonl or .jsonl.gz file, or a folder.")],
    to: Annotated[str, typer.Option(help="Whose row shape: verl, trl or openrlhf (slime reads that one, too).")],
    registry: RegistryOption = "registry.db",
    prompt_as: Annotated[str, typer.Option(help="messages (the host applies a chat template) or text.")] = "messages",
    keep_unscored: Annotated[
        bool, typer.Option("--keep-unscored", help="Keep rows of unknown and uncovered tasks, which get no reward.")
    ] = False,
    prompt_column: PromptColumnOption = None,
    reference_column: ReferenceColumnOption = None,
    max_bad_fraction: Annotated[float, typer.Option(help="A larger share of unusable rows is an error.")] = 0.1,
) -> None:
    """Write a dataset for a trainer, each row with what finds its task again when the trainer passes no prompt.

    Example: rlar data export --registry registry.db --dataset mix.jsonl --to verl --output export/
    """

    def run() -> None:
        from rlar.errors import ConfigError
        from rlar.integrations.export import export_data
        from rlar.rows.read import ColumnMap

        for name, value, choices in (("--to", to, ("verl", "trl", "openrlhf")),
                                     ("--prompt-as", prompt_as, ("messages", "text"))):  # fmt: skip
            if value not in choices:
                raise ConfigError(f"{name} {value}: expected one of {', '.join(choices)}")
        columns = ColumnMap(prompt=prompt_column, reference=reference_column)
        tell(
            export_data(
                registry, dataset, output, to=to, prompt_as=prompt_as, keep_unscored=keep_unscored,  # type: ignore[arg-type]
                columns=columns, max_bad_fraction=max_bad_fraction,
            )
        )  # fmt: skip

    guard(run)
