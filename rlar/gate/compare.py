"""Two certificates of one tool and task, compared: what `rlar tools test` prints."""

from __future__ import annotations

from rlar.types import Certificate, CheckResult

MOVED = 0.005
"""Values that moved by less are not reported."""


def compare_certificates(old: Certificate, new: Certificate) -> list[str]:
    """One line per difference that matters; empty when the evidence is the same. Timings count from a
    factor of two, above a tenth of their limit."""
    lines = []
    for name, before, after in (
        ("tool", old.tool_id, new.tool_id),
        ("task", old.fingerprint, new.fingerprint),
        ("code", old.code_hash, new.code_hash),
        ("policy", old.policy_version, new.policy_version),
        ("seed", old.seed, new.seed),
        ("role", old.role, new.role),
        ("sandbox tier", old.sandbox_tier, new.sandbox_tier),
        ("forgeable", old.forgeable, new.forgeable),
        ("unsafe", old.unsafe, new.unsafe),
    ):
        if before != after:
            lines.append(f"{name}: {before} -> {after}")
    if old.admitted != new.admitted:
        reasons = f" ({'; '.join(new.reasons)})" if new.reasons else ""
        lines.insert(0, f"{_standing(old)} -> {_standing(new)}{reasons}")
    before_checks = {check.name: check for check in old.checks}
    after_checks = {check.name: check for check in new.checks}
    for name in dict.fromkeys((*before_checks, *after_checks)):
        line = _check_line(name, before_checks.get(name), after_checks.get(name))
        if line:
            lines.append(line)
    for library in sorted(set(old.environment) | set(new.environment)):
        before, after = old.environment.get(library), new.environment.get(library)
        if before != after and library not in {"probe_notes", "spent"}:
            lines.append(f"environment {library}: {before} -> {after}")
    if old.calibration != new.calibration:
        lines.append(f"calibration: {list(old.calibration.x)} -> {list(new.calibration.x)}")
    return lines


def _standing(certificate: Certificate) -> str:
    return "admitted" if certificate.admitted else "rejected"


def _check_line(name: str, old: CheckResult | None, new: CheckResult | None) -> str:
    if old is None or new is None:
        return f"{name}: {_told(old)} -> {_told(new)}"
    if name == "latency" and old.passed == new.passed:
        if not old.value or not new.value or 0.5 <= new.value / old.value <= 2:
            return ""
        if max(old.value, new.value) < (new.threshold or 0.0) / 10:
            return ""
        return f"{name}: {_told(old)} -> {_told(new)}"
    moved = (old.value is None) != (new.value is None) or abs((old.value or 0) - (new.value or 0)) >= MOVED
    return f"{name}: {_told(old)} -> {_told(new)}" if moved or old.passed != new.passed else ""


def _told(check: CheckResult | None) -> str:
    if check is None:
        return "absent"
    verdict = {True: "passed", False: "failed", None: "not applicable"}[check.passed]
    return verdict if check.value is None else f"{check.value:.4g} {verdict}"
