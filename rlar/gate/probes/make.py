"""Probes from a task's own rows: seeded, bounded, every kind tried on several rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, Literal

from rlar.errors import boundary
from rlar.gate.policy import Budget
from rlar.gate.probe import Binder, Check, Expectation, Probe, ProbeSet
from rlar.gate.probes.guards import guard_probes
from rlar.gate.probes.panel import MASTER_KEYS, fault_probes, general_floor, general_hacks, master_keys
from rlar.kinds import KINDS
from rlar.kinds.material import Material, Notes, Row, Tried, normalised
from rlar.kinds.own_answers import LONGEST_ROW, Maker, is_too_long, maker_of, material_row
from rlar.kinds.rule.probes import provable
from rlar.types import Example, JsonObject, LabelledPair, Sample, TaskSpec, canonical_json, digest

MOST_ROWS_TRIED = 4
"""Times the budget's rows, where rows offer no material."""


def make_probes(
    task: TaskSpec,
    *,
    budget: Budget,
    seed: int,
    role: Literal["verifier", "quality", "guard"] = "verifier",
    bind: Binder | None = None,
    labelled: Sequence[LabelledPair] = (),
) -> ProbeSet:
    """The probes of a task; the same for the same task, budget and seed, whatever the order of its examples.

    Without material of its own (no reference, nothing verifiable) the better halves of `labelled` stand in for references.
    Of a task under a stated rule only the rows with proposed answers are tried.
    """
    if KINDS[task.contract.answer_kind].is_witnessed and role != "guard":
        task = provable(task, labelled)
    ordered = _ordered(task, seed)
    examples = ordered[: budget.rows]
    bind = bind or binder_of(task)
    notes = Notes()
    if role == "guard":
        guarded = guard_probes(task, examples, bind=bind, seed=seed)
        return replace(guarded, probes=(*guarded.probes, *fault_probes(guarded.probes, budget.faults)))
    budget = _a_row(budget, role, len(examples) or len(labelled))
    maker = maker_of(task.contract.answer_kind)
    probes: list[Probe] = []
    rows = looked_at = 0
    independent: set[int] = set()
    keys: list[str] = []
    if maker is not None:
        # Rows that offer nothing (their tests spell no answer out) are made up for by others.
        for example in ordered[: MOST_ROWS_TRIED * budget.rows]:
            if rows == budget.rows:
                break
            made, is_independent = _probes_of(
                example, examples, maker, notes, bind=bind, task=task, budget=budget, seed=seed, index=rows
            )
            looked_at += 1
            if made:
                probes.extend(made)
                keys.append(example.key)
                independent |= {rows} if is_independent else set()
                rows += 1
    if rows == 0 and labelled:
        notes.add("probes are made from the better halves of the labelled pairs: the rows have no reference")
        probes, rows = _from_labelled(task, labelled, budget, seed)
        independent = set(range(rows))
    if rows == 0:
        notes.add(_nothing_to_try(task))
    probes += fault_probes(probes, budget.faults)
    for pair in labelled:
        key = digest(pair.prompt)
        probes.append(Probe("labelled", "better", _labelled_sample(pair, pair.better), "high", key, -1, "better"))
        probes.append(Probe("labelled", "worse", _labelled_sample(pair, pair.worse), "below", key, -1, "better"))
    return ProbeSet(tuple(probes), rows, notes.lines, tuple(labelled), looked_at, tuple(keys), frozenset(independent))


def _a_row(budget: Budget, role: str, rows: int) -> Budget:
    """The budget of one row: master keys are counted over all of them, ladders are climbed by qualities alone."""
    tried = budget.master_keys * len(MASTER_KEYS)
    ladders = budget.ladders if role == "quality" else 0
    return budget.model_copy(update={"master_keys": -(-tried // max(1, min(budget.rows, rows))), "ladders": ladders})


def pairs_digest(labelled: Sequence[LabelledPair]) -> str:
    """16 hex digits over labelled pairs: a certificate that rests on them holds for these and no others."""
    return digest(*(canonical_json(pair.model_dump(mode="json")) for pair in labelled)) if labelled else ""


def _probes_of(
    example: Example,
    examples: Sequence[Example],
    maker: Maker,
    notes: Notes,
    *,
    bind: Binder,
    task: TaskSpec,
    budget: Budget,
    seed: int,
    index: int,
) -> tuple[list[Probe], bool]:
    """One row's probes, and whether its right answer is independent of the reading on trial.

    No probes, with a note, where its content is more than a parser can bear.
    """

    if is_too_long(example):
        notes.add(f"longer than {LONGEST_ROW} characters: not probed")
        return [], False

    def make() -> tuple[list[Probe], bool]:
        row = _row(example, examples, bind(example), task, seed)
        material = maker(row, notes)
        if material is None or not material.right:
            return [], False
        return _row_probes(row, material, budget, index), _is_independent(row, material)

    def on_error(error: Exception) -> tuple[list[Probe], bool]:
        notes.add(f"no probe could be made: {type(error).__name__}: {str(error)[:120]}")
        return [], False

    return boundary(make, on_error)


def _is_independent(row: Row, material: Material) -> bool:
    """Whether the right answer says what the row's reference says, or is part of what it says."""
    anchor = normalised(material.right[0].text)
    accepted = filter(None, map(normalised, row.accepted))
    return any(answer in anchor or (anchor and anchor in answer) for answer in accepted)


def _nothing_to_try(task: TaskSpec) -> str:
    kind = KINDS[task.contract.answer_kind]
    if kind.is_witnessed:
        return "nobody proposed a right answer to any row: an LLM that proposes some, or labelled pairs, could prove a tool"
    if not task.examples:
        return "the task has no example rows"
    if kind.is_open:
        return "no row has a reference or anything verifiable: only labelled pairs could prove a tool"
    return f"no right answer could be made for any row of kind {task.contract.answer_kind.value}"


def binder_of(task: TaskSpec) -> Binder:
    """How rows of a task are bound where they are served."""
    from rlar.kinds.bind import bind

    return lambda example: bind(example, task.contract)


def _ordered(task: TaskSpec, seed: int) -> list[Example]:
    """The task's distinct rows, the ones with a reference first, by seeded hash of their content: the same whatever
    their order was."""
    distinct = {example.key: example for example in task.examples}

    def place(key: str) -> tuple[bool, str]:
        return distinct[key].reference is None, digest(str(seed), key)

    return [distinct[key] for key in sorted(distinct, key=place)]


def _row(example: Example, examples: Sequence[Example], binding: JsonObject, task: TaskSpec, seed: int) -> Row:
    rng = Random(f"{seed}:{example.key}")
    others = [other for other in examples if other.key != example.key]
    rng.shuffle(others)
    return material_row(example, binding, task, rng, others)


def _row_probes(row: Row, material: Material, budget: Budget, index: int) -> list[Probe]:
    """One row's probes: the anchor always, of the rest a turn that moves on from row to row."""
    anchor = material.right[0].kind
    floors = [*material.floor, *general_floor(row, material)]
    hacks = [*material.hacks, *general_hacks(row, material)]
    wrong = _turn(material.wrong, budget.discrimination, index)
    needed = {each.below for each in wrong if each.below} - {each.kind for each in wrong}
    wrong += [each for each in material.wrong if each.kind in needed]
    chosen: list[tuple[Check, Expectation, Sequence[Tried]]] = [
        ("oracle", "high", [material.right[0], *_turn(material.right[1:], budget.oracle - 1, index)]),
        ("floor", "low", _turn(floors, budget.floor, index)),
        ("discrimination", "below", wrong),
        ("invariance", "same", _turn(material.same, budget.invariance, index)),
        ("hack_panel", "low", _turn(hacks, budget.hack_panel, index)),
        ("hack_panel", "low", _turn(master_keys(row, material), budget.master_keys, index)),
    ]
    probes = [
        Probe(
            check,
            each.kind,
            _sample(row, each),
            expectation,
            row.example.id,
            index,
            each.below or anchor,
            each.may_loop,
            may_abstain=bool(each.prompt),
        )
        for check, expectation, tried in chosen
        for each in tried
    ]
    for name in _turn(sorted(material.ladders), budget.ladders, index):
        for rung, text in enumerate(material.ladders[name]):
            sample = Sample.of(row.example, text, row.binding)
            probes.append(Probe("baseline", f"{name}_{rung}", sample, "below", row.example.id, index, name))
    return probes


def _turn(tried: Sequence[Any], count: int, index: int) -> list[Any]:
    """`count` of them, beginning further on for every row, so that all kinds are tried over the rows."""
    if count >= len(tried):
        return list(tried)
    start = index * count % len(tried)
    return [tried[(start + step) % len(tried)] for step in range(count)]


def _sample(row: Row, tried: Tried) -> Sample:
    if tried.prompt:
        return Sample(prompt=tried.prompt, completion=tried.text)
    return Sample.of(row.example, tried.text, row.binding)


def _labelled_sample(pair: LabelledPair, completion: str) -> Sample:
    return Sample(
        prompt=pair.prompt,
        completion=completion,
        reference=pair.reference,
        references=pair.references,
        binding=pair.binding,
    )


def _from_labelled(
    task: TaskSpec, labelled: Sequence[LabelledPair], budget: Budget, seed: int
) -> tuple[list[Probe], int]:
    """Probes whose right answers are the better halves; the tool still sees only what the pair gives."""
    from rlar.kinds.prose.probes import long_text
    from rlar.types import Message

    stand_ins = {}
    for number, pair in enumerate(labelled):
        example = Example(
            id=f"labelled-{number}",
            prompt=(Message(role="user", content=pair.prompt),),
            reference=pair.better,
            references=(pair.better,),
        )
        stand_ins[example.key] = (example, pair)
    chosen = _ordered(task.model_copy(update={"examples": tuple(e for e, _ in stand_ins.values())}), seed)[
        : budget.rows
    ]
    probes: list[Probe] = []
    rows = 0
    for example in chosen:
        pair = stand_ins[example.key][1]
        row = _row(example, chosen, pair.binding, task, seed)
        material = long_text(row, Notes())
        if material is None:
            continue
        for probe in _row_probes(row, material, budget, rows):
            sample = _labelled_sample(pair, probe.sample.completion)
            probes.append(
                Probe(probe.check, probe.kind, sample, probe.expectation, probe.example_id, rows, probe.anchor)
            )
        rows += 1
    return probes, rows
