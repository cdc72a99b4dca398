"""Node `classify`: read the rows once, find the tasks in a bounded sample, keep the router. And node `assign`:
one streaming pass that gives every row its task and its binding.

Node `self_test`: the gate. Every candidate is probed on this task's own rows; nothing else admits a tool.

Node `retrieve`: line up existing tools for one task, or reuse what already holds a valid certificate.

Node `finish`: write the final counts, the report and the summary that `--json` prints.

Node `generate`: ask the writer for new tools, with the failures of the last ones. Offline it only says what is missing.

Node `register`: write a task's tools, certificates and recipe in one transaction. The agent is the only writer.

Node `approve`: a person decides about candidates that the policy does not allow by itself.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from langgraph.types import interrupt

from rlar.agent.bench import Emit, Workbench, network_of
from rlar.agent.read_clauses import UnreadClauses
from rlar.agent.read_groups import GroupReader
from rlar.agent.sources import Tried
from rlar.config import BuildConfig
from rlar.discover.discover import discover
from rlar.discover.row_router import RowRouter
from rlar.discover.stream import WORTH_PROCESSES, assign_stream, processors
from rlar.errors import HostRefused
from rlar.gate import build_recipe, certify_spec, why_uncovered
from rlar.gate.answer_format import try_answer_format
from rlar.gate.policy import load_policy
from rlar.gate.probes import pairs_digest
from rlar.kinds import KINDS
from rlar.llm.budget import Spent
from rlar.llm.ledger import Llm, MeteredChat
from rlar.registry.content import arrays_digest
from rlar.registry.registry import Registry, RowRecord
from rlar.rows.read import ColumnMap, RowStats, usable_rows
from rlar.text.answer_format import searched_share, sentence_of
from rlar.tool import Resources
from rlar.tools.load import kind_of
from rlar.tools.outdated import what_is_outdated
from rlar.types import Certificate, Example, Recipe, RowShares, TaskSpec, ToolSpec

CHUNK = 2_000
"""Rows assigned and committed at a time."""
SHOWN_REJECTS = 50
"""Rejected rows kept by name; all are counted."""


def rows_of(config: BuildConfig, stats: RowStats) -> Iterator[Example]:
    """Every usable row of the datasets; raises DatasetError at the end when too many were not."""
    columns = ColumnMap(prompt=config.prompt_column, reference=config.reference_column)
    return usable_rows(config.dataset, stats, columns=columns, max_bad_fraction=config.max_bad_fraction)


def classify_rows(bench: Workbench, config: BuildConfig, emit: Emit) -> dict[str, Any]:
    """Discover the tasks of the datasets and write them, with the router, to the registry.

    The registry is created only after the whole input proved usable. Raises DatasetError.
    """
    stats = RowStats()

    def counted() -> Iterator[Example]:
        for example in rows_of(config, stats):
            yield example
            if stats.used % 5_000 == 0:
                emit({"event": "read", "rows": stats.used})

    known = known_tasks(config.registry)

    def asked() -> Llm:
        llm = bench.llm(config)
        assert llm is not None, config.llm
        return llm

    reader = GroupReader(asked, emit) if config.llm != "none" else None
    discovery = discover(counted(), sample_size=config.sample_size, seed=config.seed, known=known, read=reader)

    registry = bench.registry(config.registry)
    if outdated := what_is_outdated(registry.served_tools()):
        emit({"event": "outdated", "line": outdated})
    tasks = [keep_or_add(registry, task) for task in discovery.tasks]
    arrays = discovery.router.to_arrays()
    registry.put_router(arrays)
    rows = {"read": stats.read, "rejected": stats.rejected, "accepted": stats.used}
    emit({"event": "classified", "rows": rows, "tasks": [task_line(task) for task in tasks]})
    return {
        "tasks": [task.model_dump(mode="json") for task in tasks],
        "rows": rows,
        "rejected_rows": [row._asdict() for row in stats.first_rejected[:SHOWN_REJECTS]],
        "router": arrays_digest(arrays),
        "readings": reader.records if reader else [],
        "reading_cost": asked().spent("").model_dump(mode="json") if reader else {},
    }


def known_tasks(address: str) -> tuple[TaskSpec, ...]:
    """The tasks of an existing registry; none where there is no registry yet."""
    if not Registry.exists(address):
        return ()
    with Registry.open(address, readonly=True) as registry:
        return tuple(registry.tasks())


def keep_or_add(registry: Registry, task: TaskSpec) -> TaskSpec:
    """The stored TaskSpec where the task is known, so that its certificates keep their rows; else the new one, stored."""
    stored = registry.task(task.fingerprint)
    if stored is not None:
        return stored.model_copy(update={"rows": task.rows})
    registry.put_task(task)
    return task


def task_line(task: TaskSpec) -> dict[str, Any]:
    """What a progress display needs of a task."""
    return {
        "fingerprint": task.fingerprint,
        "label": task.label,
        "answer_kind": task.contract.answer_kind.value,
        "rows": task.rows,
    }


def assign_rows(bench: Workbench, config: BuildConfig, emit: Emit, *, expected_rows: int = 0) -> dict[str, Any]:
    """Give every row its task and binding, in chunks that are committed one by one; running it again changes nothing.

    Args:
        expected_rows: usable rows of the datasets, as far as known; many are shared among processes.

    Raises:
        RlarError: a process was lost; what was committed stays.
    """
    registry = bench.registry(config.registry)
    router = RowRouter.from_arrays(registry.router_arrays(), tuple(registry.tasks()), source=registry.name)
    counts: Counter[str] = Counter()
    unread = UnreadClauses()
    workers = processors() if expected_rows >= WORTH_PROCESSES else 1
    rows = assign_stream(router, rows_of(config, RowStats()), workers=workers)
    done = 0
    while chunk := [RowRecord._make(row) for row in islice(rows, CHUNK)]:
        counts.update(row.fingerprint or "unknown" for row in chunk)
        registry.put_rows(chunk)
        for row in chunk:
            unread.notice(row)
        done += len(chunk)
        emit({"event": "assigned", "rows": done})
    result: dict[str, Any] = {"counts": dict(sorted(counts.items()))}
    if (llm := bench.llm(config)) is not None:
        before = llm.spent("")
        changed, result["bindings"] = unread.read(llm)
        registry.put_rows(changed)
        result["bindings"]["calls"] = llm.spent("").calls - before.calls
    return result


class Tested(NamedTuple):
    """What the gate said."""

    certificates: list[Certificate]
    """One for each candidate that could be tried."""
    notes: list[str]
    """Candidates that could not, and why: they are neither admitted nor rejected."""


def test_candidates(
    bench: Workbench,
    config: BuildConfig,
    task: TaskSpec,
    candidates: list[ToolSpec],
    emit: Callable[[dict[str, Any]], None],
) -> Tested:
    """Try the candidates in order; one that cannot even be loaded is rejected with that reason.

    A judge that could not be asked to the end (budget, network) gets no certificate: nothing was proven either way.
    """
    labelled = bench.labelled(config).get(task.fingerprint, ()) if candidates else ()
    tested = Tested([], [])
    for spec in candidates:
        emit({"event": "testing", "fingerprint": task.fingerprint, "tool": spec.id})
        try:
            with _resources(bench, config, task, spec) as (resources, meter):
                certificate = certify_spec(
                    spec, task, resources, policy=load_policy(config.policy), seed=config.seed, labelled=labelled
                )
        except HostRefused as error:
            tested.notes.append(f"{spec.id} was not tried: {error}")
            continue
        if meter is not None and meter.trouble:
            tested.notes.append(f"{spec.id} was not tried to the end: {meter.trouble}")
            continue
        tested.certificates.append(certificate)
        emit(
            {
                "event": "tested",
                "fingerprint": task.fingerprint,
                "tool": spec.id,
                "admitted": certificate.admitted,
                "reasons": list(certificate.reasons),
                "discrimination": certificate.discrimination,
                "cost_ms_p50": certificate.cost_ms_p50,
            }
        )
    return tested


@contextlib.contextmanager
def _resources(
    bench: Workbench, config: BuildConfig, task: TaskSpec, spec: ToolSpec
) -> Iterator[tuple[Resources, MeteredChat | None]]:
    """What a candidate is loaded with; a judge asks through the build's budget."""
    llm = bench.llm(config) if kind_of(spec).asks_llm else None
    if llm is None:
        yield bench.resources(config), None
        return
    from rlar.tools.judge import share_chat

    meter = MeteredChat(llm, task.fingerprint)
    with Resources(network=network_of(config)) as resources:
        share_chat(resources, meter)
        yield resources, meter


def retrieve_candidates(
    bench: Workbench, config: BuildConfig, task: TaskSpec, decisions: Mapping[str, bool]
) -> dict[str, Any]:
    """Candidates for the gate, certificates that still hold, what was passed over, what waits for a person, and notes.

    A certificate holds when tool, code, policy and seed are the same: then the tool is reused at no cost.
    """
    registry = bench.registry(config.registry)
    candidates: dict[str, ToolSpec] = {}
    notes: list[str] = []
    passed_over: list[dict[str, Any]] = []
    approvals: list[dict[str, Any]] = []
    downloaded = 0
    for source in bench.sources(config):
        supply = source.find(task, decisions)
        notes.extend(supply.notes)
        passed_over.extend({"source": source.name, **each.model_dump(mode="json")} for each in supply.passed_over)
        approvals.extend({"source": source.name, **each.model_dump(mode="json")} for each in supply.approvals)
        downloaded += int(supply.cost.get("bytes", 0))
        for tool in supply.tools:
            candidates.setdefault(tool.id, tool)
    evidence = pairs_digest(bench.labelled(config).get(task.fingerprint, ()))
    waiting, standing = sort_by_standing(registry, config, task, list(candidates.values()), evidence)
    if standing:
        notes.append(f"reused: {len(standing)} certificate(s) of an earlier build still hold")
    return {
        "candidates": [tool.model_dump(mode="json") for tool in waiting],
        "tools": [tool.model_dump(mode="json") for tool in candidates.values()],
        "certificates": [certificate.model_dump(mode="json") for certificate in standing],
        "passed_over": passed_over,
        "approvals": approvals,
        "notes": notes,
        "attempts": 0,
        "downloaded": downloaded,
    }


def sort_by_standing(
    registry: Registry, config: BuildConfig, task: TaskSpec, tools: list[ToolSpec], evidence: str
) -> tuple[list[ToolSpec], list[Certificate]]:
    """The tools that the gate must try, and the certificates of those that it need not try again.

    Args:
        evidence: digest of the user's labelled pairs for the task: with others a certificate is another one.
    """
    policy = load_policy(config.policy)
    waiting: list[ToolSpec] = []
    standing: list[Certificate] = []
    for tool in tools:
        held = None if config.retest else standing_certificate(registry, tool, task, policy.id, config.seed)
        if held is not None and held.environment.get("labelled", "") != evidence and evidence:
            held = None
        if held is None:
            waiting.append(tool)
        else:
            standing.append(held)
    return waiting, standing


def standing_certificate(
    registry: Registry, tool: ToolSpec, task: TaskSpec, policy_id: str, seed: int
) -> Certificate | None:
    """The latest certificate of a tool for a task, if nothing that it depends on has changed since."""
    latest = registry.latest_certificate(tool.id, task.fingerprint)
    if latest is None or latest.policy_version != policy_id or latest.seed != seed:
        return None
    return latest if latest.code_hash == tool.code_hash else None


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
        from rlar.agent.page import write_report

        summary["report"] = str(write_report(config.report, summary, registry))
    return summary


def summarise(config: BuildConfig, state: dict[str, Any]) -> dict[str, Any]:
    """The summary from the state alone. Tasks are ordered by rows, then fingerprint."""
    rows, counts = state["rows"], state["rows"]["counts"]
    spent = total_spent(state)
    tasks = []
    for outcome in state.get("outcomes", []):
        task = {key: outcome[key] for key in ("fingerprint", "label", "answer_kind", "covered", "tools")}
        more = {key: outcome.get(key) for key in ("rejected", "passed_over", "row_shares", "cost")}
        more |= {key: outcome[key] for key in ("answer_format", "searched") if outcome.get(key) is not None}
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


ROUNDS_BESIDE_REPAIRS = 3
"""A first round, and two for a second writer when the first gives up; every writer stops by itself before."""


def generate_tools(
    bench: Workbench,
    config: BuildConfig,
    task: TaskSpec,
    tools: list[ToolSpec],
    certificates: list[Certificate],
    attempts: int,
) -> dict[str, Any]:
    """New candidates from the writer, told which checks the rejected ones failed.

    What the writer made before and the gate has judged before (a killed or repeated build) is not tried again.
    """
    by_id = {tool.id: tool for tool in tools}
    tried = [Tried(tool=by_id[each.tool_id], certificate=each) for each in certificates if each.tool_id in by_id]
    proposal = bench.writer(config).write(task, tried)
    fresh = [tool for tool in proposal.tools if tool.id not in by_id]
    evidence = pairs_digest(bench.labelled(config).get(task.fingerprint, ()))
    waiting, standing = sort_by_standing(bench.registry(config.registry), config, task, fresh, evidence)
    return {
        "candidates": [tool.model_dump(mode="json") for tool in waiting],
        "tools": [tool.model_dump(mode="json") for tool in [*tools, *fresh]],
        "certificates": [each.model_dump(mode="json") for each in [*certificates, *standing]],
        "passed_over": [{"source": "writer", **each.model_dump(mode="json")} for each in proposal.passed_over],
        "notes": list(proposal.notes),
        "attempts": attempts + 1,
        "written": bool(fresh),
    }


def with_witnesses(bench: Workbench, config: BuildConfig, task: TaskSpec) -> tuple[TaskSpec, list[str]]:
    """The task with answers to probe with, where its rows have none and a program could judge them; and what to tell.

    They are proposed once and stored with the task: a certificate can be run again without the LLM.
    """
    llm = bench.llm(config)
    writes = bench.writer(config).name != "none"
    if llm is None or not writes or not KINDS[task.contract.answer_kind].is_witnessed or task.witnesses:
        return task, []
    from rlar.agent.write import propose_witnesses

    notes: list[str] = []
    witnesses = propose_witnesses(llm, task, note=notes.append)
    if witnesses:
        notes.append(f"witnesses: answers to {len(witnesses)} rows proposed by {llm.name}")
    return task.model_copy(update={"witnesses": witnesses}), notes


def wants_writer(bench: Workbench, config: BuildConfig, certificates: list[Certificate], attempts: int) -> bool:
    """Whether to ask the writer (again): nothing that rewards is admitted yet and repairs are left."""
    rewarded = any(certificate.admitted and certificate.role != "guard" for certificate in certificates)
    rounds = 1 if bench.writer(config).name == "none" else config.max_repairs + ROUNDS_BESIDE_REPAIRS
    return not rewarded and attempts < rounds


def register_task(
    bench: Workbench,
    config: BuildConfig,
    task: TaskSpec,
    tools: list[ToolSpec],
    certificates: list[Certificate],
    notes: list[str],
    *,
    passed_over: list[dict[str, Any]] | None = None,
    downloaded: int = 0,
) -> dict[str, Any]:
    """Store the evidence and the recipe; says what covers the task or why nothing does.

    Running it again after a kill stores nothing twice: equal certificates and recipes are one row.
    """
    registry = bench.registry(config.registry)
    policy = load_policy(config.policy)
    recipe = build_recipe(task, certificates, policy)
    answer_format: dict[str, Any] | None = None
    # What an earlier build added stays: another file of the same task is no reason to take it out.
    earlier = registry.recipe(task.fingerprint)
    has_format = earlier is not None and earlier.answer_format is not None
    if config.answer_format == "drop":
        notes = [*notes, f"answer format {earlier.answer_format} dropped"] if earlier and has_format else notes
    elif recipe is not None and (config.answer_format != "keep" or has_format):
        adds = config.answer_format == "add" or has_format
        recipe, answer_format = _with_answer_format(bench, config, task, recipe, tools, certificates, adds=adds)
    registry.put_outcome(task, tools=tools, certificates=certificates, recipe=recipe)
    pairs = bench.labelled(config).get(task.fingerprint, ())
    llm = bench.llm(config)
    spent = llm.spent(task.fingerprint) if llm is not None else Spent()
    used = [*recipe.gates, *(tool for tool, _weight in recipe.qualities)] if recipe else []
    return {
        "fingerprint": task.fingerprint,
        "label": task.label,
        "answer_kind": task.contract.answer_kind.value,
        "covered": recipe is not None,
        "tools": used,
        "gates": list(recipe.gates) if recipe else [],
        "qualities": [list(item) for item in recipe.qualities] if recipe else [],
        "admitted": [item.tool_id for item in certificates if item.admitted],
        "rejected": {item.tool_id: list(item.reasons) for item in certificates if not item.admitted},
        "reason": None if recipe else why_uncovered(task, certificates),
        "passed_over": passed_over or [],
        "notes": [*notes, *([answer_format["note"]] if answer_format is not None else [])],
        "answer_format": answer_format,
        "row_shares": _row_shares(recipe).model_dump() if recipe else None,
        "searched": searched_share([text for pair in pairs for text in (pair.better, pair.worse)]),
        "cost": {**spent.model_dump(mode="json"), "downloaded": downloaded},
    }


def _row_shares(recipe: Recipe) -> RowShares:
    """How much of a task gets a number: as much as the tool that reads least of it reads."""
    return min(recipe.row_shares.values(), key=lambda shares: shares.read, default=RowShares())


def _with_answer_format(
    bench: Workbench,
    config: BuildConfig,
    task: TaskSpec,
    recipe: Recipe,
    tools: list[ToolSpec],
    certificates: list[Certificate],
    *,
    adds: bool,
) -> tuple[Recipe, dict[str, Any] | None]:
    """The recipe, with the answer format of its kind where that is wanted and safe, and what was found out about it."""
    name = KINDS[task.contract.answer_kind].format_for(task.contract)
    if name is None:
        return recipe, None
    known = {tool.id: tool for tool in (*bench.registry(config.registry).tools(), *tools)}
    check = try_answer_format(
        task,
        recipe,
        name,
        known,
        guards=frozenset(item.tool_id for item in certificates if item.role == "guard"),
        resources=bench.resources(config),
        policy=load_policy(config.policy),
        seed=config.seed,
    )
    sentence = sentence_of(name, task.examples[0].text if task.examples else "")
    is_added = adds and check.passed is True
    if check.passed:
        tried = f"the strict reader passed {check.probes} probes"
        note = f'answer format {name} {"added" if is_added else "suggested"}: "{sentence}"; {tried}'
    else:
        note = f"answer format {name} not {'added' if adds else 'suggested'}: {check.note}"
    body = {"name": name, "sentence": sentence, "added": is_added, "check": check.model_dump(mode="json"), "note": note}
    return (recipe.model_copy(update={"answer_format": name}) if is_added else recipe), body


def ask_for_approval(task: Mapping[str, Any], approvals: list[dict[str, Any]]) -> dict[str, bool]:
    """A person's decisions by subject; waits (the build is interrupted) until there are some.

    An answer is true or false for all, a list of the approved subjects, or {subject: true | false}; whatever is not
    clearly a yes is a no.
    """
    answer = interrupt(
        {
            "question": "The policy does not allow these models by itself. Use them?",
            "how": 'Answer {"<subject>": true or false, ...}, a list of the approved subjects, or true / false for all.',
            "task": task["label"],
            "fingerprint": task["fingerprint"],
            "approvals": approvals,
        }
    )
    subjects = [str(each["subject"]) for each in approvals]
    if isinstance(answer, Mapping):
        return {subject: answer.get(subject) is True for subject in subjects}
    if isinstance(answer, list):
        return {subject: subject in answer for subject in subjects}
    return {subject: answer is True for subject in subjects}
