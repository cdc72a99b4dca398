"""Closed label sets among rows with short answers: which rows choose from a few words, and from which.

A row alone cannot tell "positive" (a label) from "Paris" (an answer). Rows are clustered by prompt; a cluster whose
answers are few and recur is a classification, and clusters with the same answers are one task in other words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rlar.discover.vectors import Vectors
from rlar.text.shapes import BOOLEAN_PAIRS

LABEL_SHARE = 0.03
"""A label with a smaller share of its task's rows stays out of the contract, so that a part of a file has the same set."""
MAX_LABELS = 40
CLOSED_COVERAGE = 0.9
"""Share of a cluster's rows whose answer recurs."""
MIN_ROWS = 6
ROWS_PER_LABEL = 2.5
NEIGHBOURS = 12
BOOLEAN_COVERAGE = 0.9
"""Yes and no are complete by themselves: with this share of the rows they take no third answer ("maybe")."""
MIN_NAMED_ROWS = 4
LIST_CHARACTERS = 80
_WORDS = re.compile(r"[\w'-]+")
ROWS_PER_CLUSTER = (12, 25, 60, 150)
"""Clusters are cut fine and coarse: one wording of a rare task, and a task whose wordings split by label."""
DIRECTION_ROWS = 2000
MOST_ROWS = 4000
"""Rows compared with one another; those after them get None."""


def label_sets(
    vectors: Vectors, answers: Sequence[str], prompts: Sequence[str], seed: int
) -> list[tuple[str, ...] | None]:
    """For each row the label set that it chooses from (sorted), or None when its answers are open.

    Args:
        vectors: of the prompts, in an order that does not depend on the file's.
        answers: normalised labels, one a row.
        prompts: to see which answers they name.
    """
    if len(answers) < MIN_ROWS:
        return [None] * len(answers)
    if len(answers) > MOST_ROWS:
        rest = len(answers) - MOST_ROWS
        first = label_sets(vectors[:MOST_ROWS], answers[:MOST_ROWS], prompts[:MOST_ROWS], seed)
        return [*first, *([None] * rest)]
    closed = _named_sets(answers, prompts)
    reduced = reduce(vectors, seed)
    for rows_per_cluster in ROWS_PER_CLUSTER:
        clusters = cluster(reduced, seed, rows_per_cluster=rows_per_cluster, most=80)
        for number in range(int(clusters.max()) + 1):
            rows = np.flatnonzero(clusters == number)
            labels = _closed_labels(Counter(answers[row] for row in rows.tolist()))
            if labels:
                closed.setdefault(labels, []).append(rows)
    groups: list[_Group] = []
    # Small sets first: a cluster that mixes two tasks must not glue them together.
    for labels in sorted(closed, key=lambda labels: (len(labels), labels)):
        for rows in closed[labels]:
            _place(groups, labels, [int(row) for row in rows], answers)
    votes = np.zeros((len(answers), len(groups) + 1))
    for number, group in enumerate(groups):
        np.add.at(votes[:, number], group.rows, 1.0)
    owner = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
    _absorb(owner, groups, vectors, answers)
    chosen: list[tuple[str, ...] | None] = [None] * len(answers)
    for number in range(len(groups)):
        members = np.flatnonzero(owner == number).tolist()
        final = _lasting_labels([answers[row] for row in members])
        if len(final) >= 2:
            for row in members:
                chosen[row] = final if answers[row] in final else None
    return chosen


def _named_sets(answers: Sequence[str], prompts: Sequence[str]) -> dict[tuple[str, ...], list[npt.NDArray[np.int64]]]:
    """Label sets that prompts list ("positive, negative or neutral"), with the rows that list them.

    What stands beside a row's own answer and is the answer of another row is taken for a label; the same list must
    come back with other answers.
    """
    counts = Counter(answers)
    recurring = {answer for answer, number in counts.items() if number >= 2 and answer}
    listing: dict[frozenset[str], list[int]] = {}
    for row, answer in enumerate(answers):
        if answer not in recurring:
            continue
        prompt = prompts[row]
        text = (prompt if len(prompt) <= 800 else f"{prompt[:400]} \n {prompt[-400:]}").casefold()
        at = text.find(answer)
        if at < 0:
            continue
        around = text[max(0, at - LIST_CHARACTERS) : at + len(answer) + LIST_CHARACTERS]
        words = _WORDS.findall(around)
        phrases = {" ".join(words[start : start + size]) for size in (1, 2, 3) for start in range(len(words))}
        named = frozenset(phrases & recurring)
        if len(named) >= 2 and answer in named:
            listing.setdefault(named, []).append(row)
    named_rows: dict[tuple[str, ...], list[npt.NDArray[np.int64]]] = {}
    for rows in listing.values():
        labels = tuple(sorted({answers[row] for row in rows}))
        if len(labels) >= 2 and len(rows) >= max(MIN_NAMED_ROWS, 1.3 * len(labels)):
            named_rows.setdefault(labels, []).append(np.array(rows))
    return named_rows


def _absorb(owner: npt.NDArray[np.int64], groups: Sequence[_Group], vectors: Vectors, answers: Sequence[str]) -> None:
    """Rows that clustering missed join the group of their neighbours, and bring a recurring answer with them."""
    if not groups:
        return
    # Neighbours with another answer: rows with the same one may be alike by what they say, not by what they ask.
    numbers = {answer: number for number, answer in enumerate(sorted(set(answers)))}
    codes = np.array([numbers[answer] for answer in answers])
    likeness = vectors @ vectors.T
    likeness[codes[:, None] == codes[None, :]] = -1.0
    nearest = np.argpartition(-likeness, min(NEIGHBOURS, len(answers) - 1) - 1, axis=1)[:, :NEIGHBOURS]
    del likeness
    counts = Counter(answers)
    for _round in range(3):
        open_rows = np.flatnonzero(owner < 0)
        votes: dict[tuple[str, int], list[float]] = {}
        shares = np.stack([(owner[nearest[open_rows]] == number).mean(axis=1) for number in range(len(groups))], axis=1)
        for position, row in enumerate(open_rows.tolist()):
            best = int(shares[position].argmax())
            votes.setdefault((answers[row], best), []).append(float(shares[position, best]))
        joined = False
        for position, row in enumerate(open_rows.tolist()):
            best = int(shares[position].argmax())
            share, answer = float(shares[position, best]), answers[row]
            known = answer in groups[best].labels and share >= 0.2
            # A new answer must recur, and its rows must mostly lie among the group's.
            pooled = votes[(answer, best)]
            recurs = len(pooled) >= max(3, 0.5 * counts[answer]) and sum(pooled) / len(pooled) >= 0.5
            if known or recurs:
                owner[row] = best
                groups[best].labels.add(answer)
                joined = True
        if not joined:
            return


def reduce(vectors: Vectors, seed: int) -> npt.NDArray[np.float64]:
    """The leading directions of the rows: mostly the wordings that many of them share.

    Learned from the first DIRECTION_ROWS, which are any of them: rows stand in the order of their hashes.
    """
    from sklearn.decomposition import TruncatedSVD

    dimensions = min(48, len(vectors) - 1)
    if dimensions < 2:
        return vectors.astype(np.float64)
    model = TruncatedSVD(dimensions, random_state=seed).fit(vectors[:DIRECTION_ROWS].astype(np.float64))
    reduced: npt.NDArray[np.float64] = model.transform(vectors)
    return reduced


def cluster(reduced: npt.NDArray[np.float64], seed: int, *, rows_per_cluster: int, most: int) -> npt.NDArray[np.int64]:
    """Cluster number of every row, by k-means on what `reduce` gave; fewer clusters than asked where rows coincide."""
    from sklearn.cluster import KMeans

    count = len(reduced)
    wanted = max(1, min(most, count // rows_per_cluster, len(np.unique(np.round(reduced, 6), axis=0))))
    if wanted == 1:
        return np.zeros(count, dtype=np.int64)
    fitted = KMeans(wanted, n_init=1, random_state=seed, max_iter=50).fit(reduced[:6000])
    labels: npt.NDArray[np.int64] = fitted.predict(reduced).astype(np.int64)
    return labels


def _closed_labels(counts: Counter[str]) -> tuple[str, ...]:
    """The recurring answers of a cluster if they are nearly all of it, else ()."""
    rows = sum(counts.values())
    if rows < MIN_ROWS:
        return ()
    recurring = {label: number for label, number in counts.items() if number >= max(2, LABEL_SHARE * rows)}
    if not all(_WORDS.search(label) for label in recurring):
        return ()  # brackets and signs are no names
    if not 2 <= len(recurring) <= MAX_LABELS or len(recurring) * ROWS_PER_LABEL > rows:
        return ()
    if sum(recurring.values()) < CLOSED_COVERAGE * rows:
        return ()
    return tuple(sorted(recurring))


class _Group:
    """Clusters that choose from one label set; compared by identity."""

    def __init__(self, labels: tuple[str, ...], rows: list[int]) -> None:
        self.labels = set(labels)
        self.rows = rows


def _lasting_labels(answers: Sequence[str]) -> tuple[str, ...]:
    counts = Counter(answers)
    labels = {label for label, number in counts.items() if number >= max(2, LABEL_SHARE * len(answers))}
    for pair in sorted(set(BOOLEAN_PAIRS.values())):
        if labels >= set(pair) and sum(counts[label] for label in pair) >= BOOLEAN_COVERAGE * len(answers):
            labels = set(pair)
    return tuple(sorted(labels))


def _place(groups: list[_Group], labels: tuple[str, ...], rows: list[int], answers: Sequence[str]) -> None:
    """Rows that choose from `labels` join the groups that choose from the same, or begin one."""
    own = set(labels)
    inside = [
        group for group in groups if len(group.labels & own) >= 2 and len(group.labels - own) <= len(group.labels) // 4
    ]
    covered = set().union(*(group.labels for group in inside)) if inside else set()
    # Two tasks in one cluster: their sets together make up its set, and hardly overlap.
    mixed = len(inside) >= 2 and len(own & covered) >= 0.9 * len(own)
    if mixed and sum(len(group.labels) for group in inside) <= 1.25 * len(own):
        for row in rows:
            holder = next((group for group in inside if answers[row] in group.labels), None)
            if holder is not None:
                holder.rows.append(row)
        return
    alike = [group for group in groups if _alike(own, group.labels)]
    if not alike:
        groups.append(_Group(labels, list(rows)))
        return
    first, *others = alike
    for other in others:
        first.labels |= other.labels
        first.rows += other.rows
        groups.remove(other)
    first.labels |= own
    first.rows += rows


def _alike(one: set[str], other: set[str]) -> bool:
    shared = len(one & other)
    return shared >= 2 and (shared >= 0.5 * len(one | other) or shared >= 0.6 * min(len(one), len(other)))
