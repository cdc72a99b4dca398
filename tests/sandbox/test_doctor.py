"""What `rlar doctor` prints about the sandbox."""

from __future__ import annotations

from rlar.sandbox import TierReport, TierState


def report(best: str | None, *states: TierState) -> TierReport:
    return TierReport(best, states, "Linux", "3.11")


def test_the_tier_in_use_comes_first_and_missing_ones_say_why_and_how():
    lines = report(
        "ll",
        TierState("ns", False, "unshare: Operation not permitted", "sysctl kernel.unprivileged_userns_clone=1"),
        TierState("ll", True, "", details={"landlock_abi": 6}),
    ).lines()
    assert lines == [
        "sandbox: tier ll (Landlock + seccomp + limits, no threads)",
        "  ns    no   unshare: Operation not permitted",
        "              to get it: sysctl kernel.unprivileged_userns_clone=1",
        "  ll    yes  Landlock + seccomp + limits, no threads; Landlock ABI 6",
    ]


def test_a_machine_without_isolation_is_told_that_nothing_runs():
    lines = report(None, TierState("sec", False, "", "")).lines()
    assert lines[0].startswith("sandbox: REFUSED.")
    assert lines[-1] == "  sec   no   not available"


def test_long_reasons_are_wrapped():
    state = TierState("ns", False, "because " * 40, "do this " * 40)
    assert all(len(line) <= 100 for line in report(None, state).lines())


def test_the_report_of_this_machine_names_every_tier(tier_report: TierReport):
    text = "\n".join(tier_report.lines())
    assert all(f"\n  {tier:5} " in text for tier in ("ns", "ll", "sec"))
