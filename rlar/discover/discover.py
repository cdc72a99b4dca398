"""Rows -> tasks: contracts read from the rows, settled in groups, and the router that finds them again.

Every row suggests contracts by itself (`infer`). Groups decide what a row cannot: whether short answers are a closed
set of labels, what a row with weak evidence is among its neighbours, and which suggestions are too rare to be a task.
A bounded sample is looked at, chosen by the rows' content hashes, so neither order nor size of the file matters.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from rlar.discover.fingerprint import fingerprint, task_description, task_label
from rlar.discover.labels import MOST_ROWS, cluster, label_sets, reduce
from rlar.discover.row_router import RowRouter
from rlar.discover.vectors import Vectors, embed
from rlar.kinds import KINDS
from rlar.kinds.contracts import (
    CONSTRAINTS,
    FIRM,
    OPEN_ENDED,
    Guess,
    guesses,
    label_of,
    one_of,
    same_task,
    translation_into,
)
from rlar.kinds.facts import Facts, asked_text, describe
from rlar.kinds.rule.wordings import find_wordings, matches, normal_text
from rlar.text.shapes import Shape
from rlar.types import AnswerKind, Contract, Example, TaskSpec, digest

LEARNED_ROWS = 6000
"""Rows of the sample that are clustered and learned from; the others only add evidence."""
EXAMPLES = 64
"""Rows kept with a task; probes are made from them."""
EDGE_CHARACTERS = 48
VARIANT_SHARE = 0.2
"""A contract that differs from a bigger one only in what it carries joins it when its share of both is smaller."""
INCIDENTAL_SHARE = 0.05
INCIDENTAL_ROWS = 100
HINT_SHARE = 0.02
SAME_LABELS = 0.5
"""Jaccard likeness from which a label set is a known task's."""


@dataclass(frozen=True)
class Discovery:
    """What is in the rows."""

    tasks: tuple[TaskSpec, ...]
    """Tasks found in these rows, biggest first; `rows` counts the sample (the whole file where it fits in)."""
    router: RowRouter
    """Knows these tasks and every known one."""
    seen: int = 0
    """Rows read, duplicates included."""
    sampled: int = 0
    unexplained: int = 0
    """Rows of the sample that fit no task."""


@dataclass(frozen=True)
class Group:
    """Rows that were settled alike, as somebody is asked about them who can read (an LLM)."""

    contract: Contract
    """What the rows say by themselves."""
    wording: str
    """The wording that these rows share; "" for a whole contract."""
    examples: tuple[Example, ...]
    """Some of them; with a reference where the rows have one."""
    rows: int
    fits: Mapping[AnswerKind, float]
    """Share of the rows whose own evidence allows an answer kind, [0, 1]."""


@dataclass(frozen=True)
class GroupReading:
    """What was made of a group. Groups with the same contract are one task."""

    contract: Contract
    label: str = ""
    description: str = ""
    criteria: tuple[str, ...] = ()


Reader = Callable[[Sequence[Group]], Sequence[GroupReading]]
"""Reads groups; one GroupReading for each, in order."""


def discover(
    examples: Iterable[Example],
    *,
    sample_size: int = 10_000,
    seed: int = 0,
    known: Sequence[TaskSpec] = (),
    read: Reader | None = None,
) -> Discovery:
    """The tasks in a stream of rows.

    Deterministic: depends on the set of rows, the seed and `known`, not on order, process or file names.

    Args:
        examples: read once; memory is bounded by the sample.
        sample_size: rows looked at, at least.
        known: tasks of the registry; where one fits, its fingerprint is used again.
        read: asked once, about all groups that no known task explains; may name them, correct what they are judged by,
            and make tasks of wordings. Without it rows speak for themselves.
    """
    sample = _Sample(sample_size, seed)
    for example in examples:
        sample.add(example)
    rows = sample.rows()
    facts = [describe(row) for row in rows]
    learned = min(len(rows), LEARNED_ROWS)
    texts = [asked_text(row) for row in rows]
    vectors = embed(texts[:learned])
    # One thread: sums in another order would make another router, and threads that wait for one another spin on a busy
    # machine. Only libraries that are there already are limited.
    import scipy.linalg  # noqa: F401
    import sklearn.cluster
    import sklearn.decomposition  # noqa: F401

    with threadpool_limits(limits=1):
        settled = _reuse(_settle(rows, facts, vectors, seed), known)
        _apply_wordings(settled, texts, known)
        readings = _read_groups(settled, rows, facts, texts, known, read) if read is not None else {}
        contracts = sorted({contract for contract in settled if contract is not None}, key=fingerprint)
        router = _learn(contracts, settled[:learned], facts[:learned], vectors, known, seed)
        return _report(rows, facts, texts, router, settled, known, readings, sample.seen)


class _Sample:
    """The rows with the smallest hashes: the same whatever the order, duplicates once."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seen = 0
        self._seed = str(seed)
        self._heap: list[tuple[int, int]] = []
        self._rows: dict[int, Example] = {}
        self._ticket = 0

    def add(self, example: Example) -> None:
        self.seen += 1
        rank = int(digest(self._seed, example.key), 16)
        if len(self._heap) >= self.size and rank >= -self._heap[0][0]:
            return
        if rank in self._rows:
            # The same prompt and reference twice; of two such rows the smaller id speaks, whatever the order.
            if example.id < self._rows[rank].id:
                self._rows[rank] = example
            return
        heapq.heappush(self._heap, (-rank, self._ticket))
        self._ticket += 1
        self._rows[rank] = example
        if len(self._heap) > self.size:
            dropped = -heapq.heappop(self._heap)[0]
            del self._rows[dropped]

    def rows(self) -> list[Example]:
        return [self._rows[rank] for rank in sorted(self._rows)]


def smallest_task(rows: int) -> int:
    """Rows that a contract needs to be a task: 1 in a handful of rows, 3 from 150 on, then 0.1%."""
    return max(1, min(3, rows // 50), rows // 1000)


# ------------------------------------------------------------------------------------------ groups


def _settle(rows: Sequence[Example], facts: Sequence[Facts], vectors: Vectors, seed: int) -> list[Contract | None]:
    """The contract of every row after its neighbours were heard; None for rows that stay unexplained."""
    own = [guesses(row) for row in facts]
    settled: list[Contract | None] = [_first(row_guesses, row) for row_guesses, row in zip(own, facts, strict=True)]
    _settle_labels(settled, rows, facts, vectors, seed)
    support = smallest_task(len(facts))
    _smooth(settled, own, facts, vectors, seed)
    _merge_variants(settled)
    _drop_incidental(settled)
    counts = Counter(contract for contract in settled if contract is not None)
    for row, contract in enumerate(settled):
        if contract is not None and counts[contract] < support:
            settled[row] = _fallback(own[row], facts[row], counts, support)
    return _mark_references(settled, facts)


def _first(own: tuple[Guess, ...], facts: Facts) -> Contract | None:
    if facts.has_reference and facts.shape is not Shape.NONE:
        return own[0].contract
    top = own[0].contract
    if KINDS[top.answer_kind].reference != "needed":
        return top
    # Listed options or a schema without any reference say what is asked, but leave nothing to judge by.
    return OPEN_ENDED


def _settle_labels(
    settled: list[Contract | None], examples: Sequence[Example], facts: Sequence[Facts], vectors: Vectors, seed: int
) -> None:
    rows = [
        row
        for row in range(len(vectors))
        if facts[row].has_reference
        and settled[row] is not None
        and (
            facts[row].shape in (Shape.SHORT, Shape.BOOLEAN)
            or (facts[row].shape is Shape.LETTER and not facts[row].answers_option)
        )
        and not (facts[row].answers_option or facts[row].suite or facts[row].program or facts[row].sql)
        and settled[row] != _read_as_translation(facts[row])
    ]
    answers = [label_of(facts[row]) for row in rows]
    # Instructions stand at a prompt's edges; a few words of them must not drown in the text between.
    edges = embed([_edges(asked_text(examples[row])) for row in rows])
    sets = label_sets(
        np.hstack([vectors[rows], edges]) / np.float32(np.sqrt(2)), answers, [examples[row].text for row in rows], seed
    )
    chosen: Counter[tuple[str, ...]] = Counter()
    for row, labels in zip(rows, sets, strict=True):
        if labels:
            settled[row] = one_of(labels)
            chosen[labels] += 1
    # Rows whose own cluster was too small to tell: a label of exactly one closed set, or a boolean of a wider one.
    for row, labels, answer in zip(rows, sets, answers, strict=True):
        if labels is None and facts[row].shape is Shape.BOOLEAN:
            holders = [group for group in chosen if answer in group]
            if len(holders) == 1:
                settled[row] = one_of(holders[0])
    for row, answer in zip(rows[MOST_ROWS:], answers[MOST_ROWS:], strict=True):
        if facts[row].shape is not Shape.BOOLEAN and any(answer in group for group in chosen):
            settled[row] = None  # not compared with its neighbours: the router will tell


def _read_as_translation(facts: Facts) -> Contract | None:
    return None if facts.translation is None else translation_into(facts.translation.target_language)


def _edges(text: str) -> str:
    return f"{text[:EDGE_CHARACTERS]} {text[-EDGE_CHARACTERS:]}"


def _smooth(
    settled: list[Contract | None],
    own: Sequence[tuple[Guess, ...]],
    facts: Sequence[Facts],
    vectors: Vectors,
    seed: int,
) -> None:
    """Rows with weak evidence follow the clear majority of their cluster where they do not contradict it."""
    weak = [row for row in range(len(vectors)) if _is_weak(own[row], facts[row], settled[row])]
    if not weak:
        return
    clusters = cluster(reduce(vectors, seed), seed, rows_per_cluster=25, most=64)
    tallies: dict[int, Counter[Contract]] = defaultdict(Counter)
    for row, number in enumerate(clusters):
        contract = settled[row]
        if contract is not None:
            tallies[int(number)][contract] += 1
    for row in weak:
        tally = tallies[int(clusters[row])]
        if not tally:
            continue
        votes, _, leader = max((number, fingerprint(contract), contract) for contract, number in tally.items())
        if leader == settled[row] or votes < 0.6 * tally.total():
            continue
        if _fit(own[row], facts[row], leader) >= 0.3:
            settled[row] = leader


def _is_weak(own: tuple[Guess, ...], facts: Facts, contract: Contract | None) -> bool:
    if contract is None or not facts.has_reference or contract.labels:
        return False
    return own[0].fit < FIRM


def _fit(own: tuple[Guess, ...], facts: Facts, contract: Contract) -> float:
    best = max((guess.fit * same_task(guess, contract) for guess in own), default=0.0)
    if contract.labels and facts.has_reference and facts.shape is not Shape.LONG and label_of(facts) in contract.labels:
        best = max(best, 0.87)
    return best


def _merge_variants(settled: list[Contract | None]) -> None:
    """Of two contracts that differ only in what rows carry, the rare one joins the common one."""
    counts = Counter(contract for contract in settled if contract is not None)
    by_core: dict[tuple[object, ...], list[Contract]] = defaultdict(list)
    for contract in counts:
        if not KINDS[contract.answer_kind].carries_separate:
            by_core[
                (contract.answer_kind, contract.target_language, contract.programming_language, contract.labels)
            ].append(contract)
    joins: dict[Contract, Contract] = {}
    for variants in by_core.values():
        variants.sort(key=lambda contract: (-counts[contract], fingerprint(contract)))
        total = sum(counts[variant] for variant in variants)
        for variant in variants[1:]:
            if counts[variant] < VARIANT_SHARE * total:
                joins[variant] = variants[0]
    for row, own in enumerate(settled):
        if own in joins:
            settled[row] = joins[own]


def _drop_incidental(settled: list[Contract | None]) -> None:
    """A few prompts with a constraint among chat, or without a readable one among constraints, are no task of their own."""
    counts = Counter(contract for contract in settled if contract in (CONSTRAINTS, OPEN_ENDED))
    if len(counts) < 2:
        return
    (bigger, _), (smaller, few) = counts.most_common(2)
    if few < INCIDENTAL_ROWS and few < INCIDENTAL_SHARE * counts.total():
        for row, contract in enumerate(settled):
            if contract == smaller:
                settled[row] = bigger if smaller == CONSTRAINTS else None


def _fallback(own: tuple[Guess, ...], facts: Facts, counts: Counter[Contract], support: int) -> Contract | None:
    """The best well-supported contract that a row of a too rare one does not contradict."""
    if own[0].contract == CONSTRAINTS and counts[OPEN_ENDED] >= support:
        return OPEN_ENDED
    if not facts.has_reference:
        return OPEN_ENDED if counts[OPEN_ENDED] >= support else None
    able = [contract for contract in counts if counts[contract] >= support]
    scored = [(round(_fit(own, facts, contract), 6), fingerprint(contract), contract) for contract in able]
    best = max(scored, default=(0.0, "", CONSTRAINTS))
    return best[2] if best[0] >= 0.3 and own[0].fit < FIRM else None


def _mark_references(settled: list[Contract | None], facts: Sequence[Facts]) -> list[Contract | None]:
    """Contracts of kinds that can be judged without a reference say whether their rows have one."""
    with_reference: Counter[Contract] = Counter()
    counts: Counter[Contract] = Counter()
    for contract, row in zip(settled, facts, strict=True):
        if contract is not None:
            counts[contract] += 1
            with_reference[contract] += row.has_reference
    bare = {
        contract
        for contract in counts
        if contract.has_reference and with_reference[contract] < VARIANT_SHARE * counts[contract]
    }
    return [
        contract.model_copy(update={"has_reference": False}) if contract is not None and contract in bare else contract
        for contract in settled
    ]


# ------------------------------------------------------------------------------------------ wordings and readers

UNREFERENCED = (OPEN_ENDED, CONSTRAINTS)
"""Contracts whose rows may be a task of their own by their wording: the parser reads some demands, not every rule."""
READ_EXAMPLES = 8
"""Rows that a reader sees of a group."""
LEAST_WORDED = 4
"""Prompts that make a wording worth a question: fewer cannot prove a tool."""
MOST_WORDINGS = 2
"""Wordings asked about for each contract found, at most: questions grow with the tasks, not with the rows."""
ALLOWS = 0.5
"""Fit from which a row's own evidence allows an answer kind."""


def _apply_wordings(settled: list[Contract | None], texts: Sequence[str], known: Sequence[TaskSpec]) -> None:
    """Rows without a reference that have the wording of a known task belong to it."""
    worded = [(wording, task.contract) for task in known for wording in task.contract.wordings]
    _settle_wordings(settled, texts, worded)


def _settle_wordings(
    settled: list[Contract | None], texts: Sequence[str], worded: Sequence[tuple[str, Contract]]
) -> None:
    ordered = sorted(worded, key=lambda item: (-len(item[0]), item[0]))
    if not ordered:
        return
    for row, contract in enumerate(settled):
        if contract in UNREFERENCED:
            text = normal_text(texts[row])
            settled[row] = next((its for wording, its in ordered if matches(wording, text)), contract)


def _read_groups(
    settled: list[Contract | None],
    rows: Sequence[Example],
    facts: Sequence[Facts],
    texts: Sequence[str],
    known: Sequence[TaskSpec],
    read: Reader,
) -> dict[Contract, GroupReading]:
    """Ask the reader about what is new; `settled` follows its answers. The readings by their contracts."""
    old = {task.contract for task in known}
    unread = sorted({contract for contract in settled if contract is not None and contract not in old}, key=fingerprint)
    members = {contract: [row for row, own in enumerate(settled) if own == contract] for contract in unread}
    places = [row for row, own in enumerate(settled) if own in UNREFERENCED]
    worded = find_wordings([texts[row] for row in places], support=max(LEAST_WORDED, smallest_task(len(rows))))
    groups = [_group(contract, "", members[contract], rows, facts) for contract in unread]
    for item in worded[: MOST_WORDINGS * max(1, len({contract for contract in settled if contract is not None}))]:
        own_rows = [places[row] for row in item.rows]
        usual = Counter(contract for row in own_rows if (contract := settled[row]) is not None).most_common(1)[0][0]
        groups.append(_group(usual, item.wording, own_rows, rows, facts))
    readings = read(groups) if groups else ()
    assert len(readings) == len(groups), (len(readings), len(groups))
    by_contract: dict[Contract, GroupReading] = {}
    for group, reading in zip(groups, readings, strict=True):
        if group.wording and not reading.contract.wordings:
            continue
        by_contract.setdefault(reading.contract, reading)
        if not group.wording and reading.contract != group.contract:
            for row in members[group.contract]:
                settled[row] = reading.contract
    _settle_wordings(settled, texts, [(wording, contract) for contract in by_contract for wording in contract.wordings])
    return by_contract


def _group(
    contract: Contract, wording: str, places: Sequence[int], rows: Sequence[Example], facts: Sequence[Facts]
) -> Group:
    allowed: Counter[AnswerKind] = Counter()
    for row in places:
        allowed.update({guess.contract.answer_kind for guess in guesses(facts[row]) if guess.fit >= ALLOWS})
    shown = sorted(places, key=lambda row: (not facts[row].has_reference, row))[:READ_EXAMPLES]
    return Group(
        contract=contract,
        wording=wording,
        examples=tuple(rows[row] for row in shown),
        rows=len(places),
        fits={kind: round(number / len(places), 3) for kind, number in sorted(allowed.items())},
    )


# ------------------------------------------------------------------------------------------ known tasks


def _reuse(settled: list[Contract | None], known: Sequence[TaskSpec]) -> list[Contract | None]:
    """Known contracts in place of found ones that mean the same."""
    joins: dict[Contract, Contract] = {}
    for contract in {contract for contract in settled if contract is not None}:
        if any(task.contract == contract for task in known):
            continue
        likely = [
            (likeness, task.fingerprint, task.contract)
            for task in known
            if (likeness := _likeness(contract, task.contract)) > 0
        ]
        if likely:
            joins[contract] = max(likely, key=lambda item: item[:2])[2]
    return [joins.get(contract, contract) if contract is not None else None for contract in settled]


def _likeness(contract: Contract, known: Contract) -> float:
    if contract.has_reference and not known.has_reference:
        return 0.0  # its tools were chosen without references
    if (
        contract.answer_kind,
        contract.target_language,
        contract.programming_language,
        contract.carries,
        contract.wordings,
    ) != (
        known.answer_kind,
        known.target_language,
        known.programming_language,
        known.carries,
        known.wordings,
    ):
        return 0.0
    if not contract.labels and not known.labels:
        return 1.0
    if not contract.labels or not known.labels:
        return 0.0
    shared, every = set(contract.labels) & set(known.labels), set(contract.labels) | set(known.labels)
    if set(contract.labels) <= set(known.labels) and len(contract.labels) >= 2:
        return 0.9
    likeness = len(shared) / len(every)
    return likeness if likeness >= SAME_LABELS and len(shared) >= 2 else 0.0


# ------------------------------------------------------------------------------------------ results


def _learn(
    contracts: Sequence[Contract],
    settled: Sequence[Contract | None],
    facts: Sequence[Facts],
    vectors: Vectors,
    known: Sequence[TaskSpec],
    seed: int,
) -> RowRouter:
    """The router over found and known tasks; known tasks without rows here are learned from their kept examples."""
    index = {contract: position for position, contract in enumerate(contracts)}
    names = [fingerprint(contract) for contract in contracts]
    everything = list(contracts)
    rows = [row for row, contract in enumerate(settled) if contract is not None]
    owners = [index[contract] for contract in settled if contract is not None]
    blocks = [vectors[rows]]
    for task in sorted(known, key=lambda task: task.fingerprint):
        if task.contract in index or not task.examples:
            continue
        index[task.contract] = len(everything)
        everything.append(task.contract)
        names.append(task.fingerprint)
        blocks.append(embed([asked_text(example) for example in task.examples]))
        owners += [index[task.contract]] * len(task.examples)
    hinted = _hinted_kinds(settled, facts)
    return RowRouter.fit(names, everything, np.vstack(blocks), np.array(owners, dtype=np.int64), seed, hinted)


def _hinted_kinds(settled: Sequence[Contract | None], facts: Sequence[Facts]) -> list[AnswerKind]:
    """Kinds that prompts of the open-ended rows ask for without bringing anything to judge by; rare ones left out."""
    rows = [row for row, contract in enumerate(settled) if contract == OPEN_ENDED]
    kinds = Counter(guesses(facts[row])[0].contract.answer_kind for row in rows)
    # A constraint is something to judge by: prompts with one are not open-ended, however few this file has.
    for contract in UNREFERENCED:
        kinds.pop(contract.answer_kind, None)
    return [kind for kind, number in kinds.items() if number >= HINT_SHARE * len(rows)]


def _report(
    rows: Sequence[Example],
    facts: Sequence[Facts],
    texts: Sequence[str],
    router: RowRouter,
    settled: Sequence[Contract | None],
    known: Sequence[TaskSpec],
    readings: Mapping[Contract, GroupReading],
    seen: int,
) -> Discovery:
    assigned = router.assign_described(facts, texts)
    members: dict[str, list[int]] = defaultdict(list)
    for position, assignment in enumerate(assigned):
        if assignment.fingerprint is not None:
            members[assignment.fingerprint].append(position)
    earlier = {task.fingerprint: task for task in known}
    tasks = []
    for contract in {contract: None for contract in settled if contract is not None}:
        name = fingerprint(contract)
        own = members.get(name) or [row for row in range(len(settled)) if settled[row] == contract]
        # Rows that bring their reference make better probes.
        shown = sorted(own, key=lambda position: (not facts[position].has_reference, position))[:EXAMPLES]
        reading = readings.get(contract, GroupReading(contract))
        label = earlier[name].label if name in earlier else reading.label or task_label(contract)
        inferred = f"{task_description(contract)} Seen in {len(own)} of {len(rows)} rows looked at."
        tasks.append(
            TaskSpec(
                fingerprint=name,
                label=label,
                contract=contract,
                rows=len(own),
                description=f"{reading.description} {inferred}".strip(),
                examples=tuple(rows[position] for position in shown),
                criteria=reading.criteria,
            )
        )
    tasks.sort(key=lambda task: (-task.rows, task.fingerprint))
    return Discovery(
        tasks=tuple(tasks),
        router=router,
        seen=seen,
        sampled=len(rows),
        unexplained=sum(assignment.fingerprint is None for assignment in assigned),
    )
