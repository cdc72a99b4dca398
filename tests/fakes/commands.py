"""Commands of `rlar` run in this process."""

from __future__ import annotations

from typer.testing import CliRunner

from rlar.cli import app


def run(*arguments: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command in this process."""
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr
