"""The command line, one file a command group.

In: arguments. Out: one call into the package, what it gives printed, an exit status.
Leaves out: everything else; what is heavy is imported inside the command that needs it.
"""

from rlar.cli import check, score, train, serve, doctor, build, tasks, tools, eval, data, env  # noqa: F401, I001 (as `--help` lists them)
from rlar.cli.app import app, main

__all__ = ["app", "main"]
