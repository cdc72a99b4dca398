"""`rlar score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rlar.cli.app import (
    AllowHostOption,
    PromptColumnOption,
    ReferenceColumnOption,
    RegistryOption,
    SandboxTierOption,
    app,
    guard,
    tell,
)


@app.command("score")
def score_command(
    input_path: Annotated[Path, typer.Option("--input", "-i", help="Rows with `completion` or `completions`.")],
    output_path: Annotated[Path, typer.Option("--output", "-o", help="JSONL (or .gz) to write.")],
    registry: RegistryOption = "registry.db",
    prompt_column: PromptColumnOption = None,
    reference_column: ReferenceColumnOption = None,
    sandbox_tier: SandboxTierOption = "auto",
    accept_unsafe: Annotated[
        bool, typer.Option("--accept-unsafe-execution", help="Run code WITHOUT isolation where there is none.")
    ] = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Score completions with the admitted tools; one output row per input row, in order.

    A row: {"prompt": ..., "reference"?: ..., "completion": "..."} or "completions": ["...", ...], plus its other columns.
    A reward is a number in [0, 1], or null with a status that says why (abstain, failed, timeout, unknown, uncovered).

    Exit status: 0 when scored, 1 when not one completion got a reward and tools that broke (failed, timeout) are why:
    the output is written all the same; 2 for input that can't be used.
    """
    from rlar.scoring.files import score_file

    guard(
        lambda: tell(
            score_file(
                registry,
                input_path,
                output_path,
                prompt=prompt_column,
                reference=reference_column,
                sandbox_tier=sandbox_tier,
                accept_unsafe=accept_unsafe,
            )
        )
    )
