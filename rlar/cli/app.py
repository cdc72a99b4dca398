"""What all commands share: the root command, options that several have, and how results and errors are printed."""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Any, NoReturn

import typer

from rlar.errors import InputError, RlarError, StorageError
from rlar.terminal import guard_streams, say, say_json

HELP = """Rewards you can trust for reinforcement learning of LLMs on mixed tasks.

Start with [bold]rlar agent build-tools --dataset mix.jsonl[/bold]: it finds the tasks in the file, tries to break
every candidate reward tool on them and keeps what survives in registry.db. Then
[bold]rlar score --registry registry.db --input rows.jsonl --output scored.jsonl[/bold] scores completions.
"""

app = typer.Typer(
    help=HELP, no_args_is_help=True, rich_markup_mode="rich", add_completion=False, pretty_exceptions_enable=False
)


RegistryOption = Annotated[
    str, typer.Option("--registry", "-r", help="The registry: a path, or a database URL.", show_default=True)
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        help="A host that the registry's judges and servers may be asked at (https://host[:port]); again for more.",
        callback=lambda hosts: _allow_hosts(hosts),
        show_default=False,
    ),
]
PromptColumnOption = Annotated[
    str | None, typer.Option("--prompt-column", help="Column of the prompt, if it has an unusual name.")
]
ReferenceColumnOption = Annotated[
    str | None, typer.Option("--reference-column", help="Column of the expected answer, if unusual.")
]
SandboxTierOption = Annotated[str, typer.Option("--sandbox-tier", help="Isolation of foreign code: auto, ns, ll, sec.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of a table.")]


def _version(wanted: bool) -> None:
    if wanted:
        from rlar._version import __version__

        say(f"rlar {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version_option: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def _allow_hosts(hosts: list[str] | None) -> list[str] | None:
    """Said in the environment, where every process that the command starts finds it, too; read by rlar.network."""
    import os

    if hosts:
        os.environ["RLAR_ALLOW_HOSTS"] = " ".join([os.environ.get("RLAR_ALLOW_HOSTS", ""), *hosts]).strip()
    return hosts


def show(listing: Any, *, as_json: bool) -> None:
    """Print a rlar.report.table.Listing: JSON on stdout, or a table."""
    if as_json:
        say_json(listing.data, indent=2)
    else:
        listing.print(sys.stdout)


def tell(line: str) -> None:
    """Print a line on stderr."""
    say(line, err=True)


def guard(call: Any) -> None:
    """Run a command; our own errors become one clear line and an exit status: 2 for bad input, 1 for the rest."""
    try:
        call()
    except InputError as error:
        _fail(error, 2)
    except RlarError as error:
        _fail(error, 1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
            raise
        from rlar.rows.atomic import write_failure

        _fail(StorageError(write_failure(error.filename or "standard output or a temporary file", error)), 1)
    except KeyboardInterrupt:
        say("stopped; a build continues when the same command is run again", err=True)
        sys.exit(130)


def _fail(error: RlarError, status: int) -> NoReturn:
    say(f"error: {error}", err=True)
    sys.exit(status)


def main() -> None:
    """Entry point of the `rlar` command."""
    guard_streams()
    app()
