"""Every `--help` page of the command line as plain text, so that two versions of it can be compared.

`python tests/cli/help_pages.py > tests/cli/help.txt` writes down what is promised; do it when an option is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

PROMISED = Path(__file__).with_name("help.txt")


def command_paths(
    command: typer.core.TyperCommand | typer.core.TyperGroup, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """The words of every command and group, e.g. ("agent", "build-tools"); () is `rlar` itself."""
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from command_paths(each, (*path, name))


def help_page(app: typer.Typer, path: tuple[str, ...]) -> str:
    """One page without boxes and columns; the rows of a panel are sorted, since their order is not promised."""
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="rlar", env={"COLUMNS": "500", "NO_COLOR": "1"})
    assert result.exit_code == 0, (path, result.output)
    lines: list[str] = []
    rows: list[str] = []
    for line in result.stdout.splitlines():
        text = re.sub(r"\s+", " ", line.strip(" │")).strip()
        if line.lstrip().startswith("│"):
            rows.append(f"  {text}")
        else:
            lines += [*sorted(rows), text.strip("╭╮╰╯─ ")]
            rows = []
    return "\n".join(line for line in lines if line)


def help_pages(app: typer.Typer) -> str:
    """All pages, one after the other."""
    return "\n\n".join(help_page(app, path) for path in command_paths(typer.main.get_command(app))) + "\n"


if __name__ == "__main__":
    from rlar.cli import app

    print(help_pages(app), end="")
