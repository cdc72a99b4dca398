"""`rlar doctor`."""

from __future__ import annotations

from rlar.cli.app import JsonOption, app, guard, show


@app.command("doctor")
def doctor_command(json_output: JsonOption = False) -> None:
    """Check this machine: which sandbox tiers work, why the others do not and how to get them; versions."""
    from rlar.report.table import doctor

    guard(lambda: show(doctor(), as_json=json_output))
