"""Node `finish`: write the final counts, the report and the summary that `--json` prints."""

from __future__ import annotations

from typing import Any

from rlar.agent.workbench import Workbench
from rlar.config import BuildConfig


def finish_build(bench: Workbench, config: BuildConfig, state: dict[str, Any]) -> dict[str, Any]:
    """The summary of a build; also stores the row counts of every task and writes the report."""
    registry = bench.registry(config.registry)
    summary = summarise(config, state)
    stored_rows = registry.row_counts()
    for task in registry.tasks():
        rows = stored_rows.get(task.fingerprint, 0)
        if rows != task.rows:
            registry.put_task(task.model_copy(update={"rows": rows}))
    if config.report is not None:
        from rlar.agent.report import write_report

        summary["report"] = str(write_report(config.report, summary, registry))
    return summary


def summarise(config: BuildConfig, state: dict[str, Any]) -> dict[str, Any]:
    """The summary from the state alone. Tasks are ordered by rows, then fingerprint."""
    rows, counts = state["rows"], state["rows"]["counts"]
    spent = total_spent(state)
    tasks = []
    for outcome in state.get("outcomes", []):
        task = {key: outcome[key] for key in ("fingerprint", "label", "answer_kind", "covered", "tools")}
        more = {key: outcome.get(key) for key in ("rejected", "passed_over", "cost")}
        tasks.append({**task, "rows": counts.get(outcome["fingerprint"], 0), **more})
    tasks.sort(key=lambda task: (-task["rows"], task["fingerprint"]))
    reasons = {outcome["fingerprint"]: outcome["reason"] for outcome in state.get("outcomes", [])}
    uncovered = [
        {
            "fingerprint": task["fingerprint"],
            "label": task["label"],
            "rows": task["rows"],
            "reason": reasons[task["fingerprint"]],
        }
        for task in tasks
        if not task["covered"]
    ]
    covered_rows = sum(task["rows"] for task in tasks if task["covered"])
    return {
        "dataset": list(config.dataset),
        "registry": config.registry,
        "report": None,
        "rows_read": rows["read"],
        "rows_rejected": rows["rejected"],
        "rejected_rows": state.get("rejected_rows", []),
        "rows_unknown": counts.get("unknown", 0),
        "rows_covered": covered_rows,
        "coverage": round(covered_rows / max(1, rows["accepted"]), 4),
        "tasks": tasks,
        "uncovered": uncovered,
        "notes": {outcome["fingerprint"]: outcome["notes"] for outcome in state.get("outcomes", [])},
        "readings": state.get("readings", []),
        "llm": config.llm,
        "llm_calls": spent["calls"],
        "spent": spent,
    }


def total_spent(state: dict[str, Any]) -> dict[str, Any]:
    """What the whole build cost: calls, answers from the cache, tokens, money (None: no price is known), bytes."""
    costs = [state.get("reading_cost") or {}, *(outcome.get("cost") or {} for outcome in state.get("outcomes", []))]
    total: dict[str, Any] = {
        name: sum(cost.get(name) or 0 for cost in costs)
        for name in ("calls", "cached", "input_tokens", "output_tokens", "downloaded")
    }
    money = [cost["cost"] for cost in costs if cost.get("cost") is not None]
    return {**total, "cost": round(sum(money), 6) if money else None}
