"""What `rlar doctor` says about the sandbox: each tier and each language, why it is missing, how to get it."""

from __future__ import annotations

import textwrap

from rlar.sandbox.results import TierReport, TierState

HELD_BY = {
    "ns": "namespaces + Landlock + seccomp + limits",
    "ll": "Landlock + seccomp + limits, no threads",
    "sec": "seccomp + limits, no files, no threads",
}
_INDENT = " " * 14


def report_lines(report: TierReport) -> list[str]:
    """The report for a person, a line an item, at most 100 characters wide."""
    if report.best is None:
        lines = [
            "sandbox: REFUSED. No tier works here, so code from datasets and completions is not run.",
            "Accepting the risk by name runs it with your own rights; its scores are then marked unsafe.",
        ]
    else:
        lines = [f"sandbox: tier {report.best} ({HELD_BY[report.best]})"]
    for state in report.tiers:
        lines += _tier_lines(state)
    return lines


def languages(tier: str | None) -> dict[str, dict[str, str]]:
    """Languages besides Python: "version" where their programs run in this tier (each is tried), else "missing"."""
    from rlar.sandbox.languages.toolchains import TOOLCHAINS
    from rlar.sandbox.languages.workshop import runner

    runners = {language: runner(tier or "none", language) for language in TOOLCHAINS}
    return {
        language: {"missing": each} if isinstance(each, str) else {"version": each.version}
        for language, each in runners.items()
    }


def language_lines(runners: dict[str, dict[str, str]]) -> list[str]:
    """`languages` for a person, a line an item, at most 100 characters wide."""
    from rlar.sandbox.languages.toolchains import TOOLCHAINS

    lines = ["languages of programs besides Python:"]
    for language, state in runners.items():
        head = f"  {TOOLCHAINS[language].label:11} {'yes' if 'version' in state else 'no':4}"
        rest = textwrap.wrap(state.get("version") or state["missing"], 80)
        lines += [f"{head} {rest[0]}", *(" " * 19 + line for line in rest[1:])]
    return lines


def _tier_lines(state: TierState) -> list[str]:
    head = f"  {state.tier:5} {'yes' if state.available else 'no':4}"
    if state.available:
        return [f"{head} {HELD_BY[state.tier]}{_detail(state)}"]
    lines = textwrap.wrap(state.reason or "not available", 86)
    lines += textwrap.wrap(f"to get it: {state.remedy}", 86) if state.remedy else []
    return [f"{head} {lines[0]}", *(_INDENT + line for line in lines[1:])]


def _detail(state: TierState) -> str:
    if state.tier in ("ns", "ll") and "landlock_abi" in state.details:
        abi = state.details["landlock_abi"]
        return f"; Landlock ABI {abi}" if abi else "; without Landlock"
    return ""
