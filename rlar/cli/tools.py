"""`rlar tools`: the tools of a registry, their certificates, lock files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rlar.cli.app import AllowHostOption, JsonOption, RegistryOption, app, guard, show, tell

tools_app = typer.Typer(help="The reward tools of a registry and their certificates.", no_args_is_help=True)
app.add_typer(tools_app, name="tools")


@tools_app.command("list")
def tools_list_command(registry: RegistryOption = "registry.db", json_output: JsonOption = False) -> None:
    """List every tool that was tried, per task: admitted or rejected, discrimination, cost, reasons."""
    from rlar.report.table import list_tools

    guard(lambda: show(list_tools(registry), as_json=json_output))


@tools_app.command("show")
def tools_show_command(
    tool: Annotated[str, typer.Argument(help="Tool id, or the beginning of one.")],
    registry: RegistryOption = "registry.db",
    json_output: JsonOption = False,
) -> None:
    """Show one tool: what it is, where it came from, and its certificates check by check."""
    from rlar.report.table import show_tool

    guard(lambda: show(show_tool(registry, tool), as_json=json_output))


@tools_app.command("test")
def tools_test_command(
    tool: Annotated[
        str | None, typer.Argument(help="Tool id (or its beginning); none tests every served tool.")
    ] = None,
    registry: RegistryOption = "registry.db",
    store: Annotated[
        bool, typer.Option("--store", help="Store the new certificates: the latest decides what is served.")
    ] = False,
    labelled: Annotated[
        Path | None, typer.Option(help="The labelled pairs that a judge's or model's certificate rests on.")
    ] = None,
    json_output: JsonOption = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Run the admission probes again and compare with the stored certificates.

    Exit status 1 when a verdict changed.
    """
    from rlar.gate.retest import retest

    def run() -> None:
        listing = retest(registry, tool, store=store, labelled=str(labelled) if labelled else None)
        show(listing, as_json=json_output)
        if listing.changed:
            raise typer.Exit(1)

    guard(run)


@tools_app.command("lock")
def tools_lock_command(
    registry: RegistryOption = "registry.db",
    output: Annotated[Path, typer.Option("--output", "-o", help="The lock file to write.")] = Path("rlar.lock"),
) -> None:
    """Write every tool id, code hash, recipe and calibration to a lock file."""
    from rlar.scoring.lock_file import write_lock

    guard(lambda: tell(write_lock(registry, output)))


@tools_app.command("diff")
def tools_diff_command(
    old: Annotated[str, typer.Argument(help="A registry or a lock file.")],
    new: Annotated[str, typer.Argument(help="A registry or a lock file.")],
    on: Annotated[
        Path | None, typer.Option("--on", help="Stored rollouts: rows with `completion` or `completions`.")
    ] = None,
    registry: Annotated[
        str | None, typer.Option("--registry", "-r", help="With --on: the registry whose rows the lock files use.")
    ] = None,
    json_output: JsonOption = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Show what changed between two registries or lock files. Exit status 1 when anything did.

    With --on, score the rollouts under both and show which rewards changed and why (recipe, tool, calibration, status).

    Example: rlar tools diff old.lock registry.db --on rollouts.jsonl
    """
    from rlar.scoring.lock_file import show_difference

    def run() -> None:
        if on is None:
            listing = show_difference(old, new)
        else:
            from rlar.scoring.rescore import rescore

            listing = rescore(old, new, on, registry=registry)
        show(listing, as_json=json_output)
        if listing.changed:
            raise typer.Exit(1)

    guard(run)
