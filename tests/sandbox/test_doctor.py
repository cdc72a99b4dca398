"""What `rlar doctor` prints about the sandbox."""

from __future__ import annotations

from rlar.sandbox import TierReport, TierState
from rlar.sandbox.doctor import report_lines


def lines_for(best: str | None, *states: TierState) -> list[str]:
    return report_lines(TierReport(best, states, "Linux", "3.11"))


def test_the_tier_in_use_comes_first_and_missing_ones_say_why_and_how():
    lines = lines_for(
        "ll",
        TierState("ns", False, "unshare: Operation not permitted", "sysctl kernel.unprivileged_userns_clone=1"),
        TierState("ll", True, "", details={"landlock_abi": 6}),
    )
    assert lines == [
        "sandbox: tier ll (Landlock + seccomp + limits, no threads)",
        "  ns    no   unshare: Operation not permitted",
        "              to get it: sysctl kernel.unprivileged_userns_clone=1",
        "  ll    yes  Landlock + seccomp + limits, no threads; Landlock ABI 6",
    ]


def test_a_machine_without_isolation_is_told_that_nothing_runs():
    lines = lines_for(None, TierState("sec", False, "", ""))
    assert lines[0].startswith("sandbox: REFUSED.")
    assert lines[-1] == "  sec   no   not available"


def test_long_reasons_are_wrapped():
    state = TierState("ns", False, "because " * 40, "do this " * 40)
    assert all(len(line) <= 100 for line in lines_for(None, state))


def test_the_report_of_this_machine_names_every_tier(tier_report: TierReport):
    text = "\n".join(report_lines(tier_report))
    assert all(f"\n  {tier:5} " in text for tier in ("ns", "ll", "sec"))
