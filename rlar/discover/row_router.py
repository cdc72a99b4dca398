"""Row -> task or unknown: the row's own evidence first, a small learned model where that leaves a choice.

The model is two plain arrays (a linear map and some centroids over `vectors.embed`), kept in the registry; contracts
come from the tasks themselves. A wrong guess is worse than unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rlar.discover.fingerprint import task_label
from rlar.discover.vectors import DIMENSIONS, Vectors, embed
from rlar.errors import RegistryError
from rlar.kinds import KINDS
from rlar.kinds.contracts import FIRM, Guess, guesses, label_of, same_task
from rlar.kinds.facts import Facts, describe
from rlar.kinds.parsed import Parsed
from rlar.kinds.rule.wordings import matches, normal_text
from rlar.text.shapes import Shape
from rlar.tool import named
from rlar.types import AnswerKind, Assignment, Contract, Example, TaskSpec

Arrays = dict[str, npt.NDArray[Any]]

ROUTER_VERSION = 1
ACCEPT_WITHOUT_EVIDENCE = 0.9
"""Model probability from which a row without a reference may join a task that judges by one."""
ACCEPT_ALTERNATIVE = 0.6
"""Model probability from which a row may join a task that is only its second-best reading."""
ACCEPT_OPEN = 0.8
"""Model probability from which a prompt that hints at a way of judging (options, a schema) still counts as open-ended."""
ROWS_PER_TASK = 500
"""Rows of a task that the linear map is learned from, at most."""
PENALTY = 0.3
CENTROIDS = 12
_BATCH = 512
LEAST_WEIGHT = 0.7
"""What is left of a fit where the model finds the prompt least like the task's."""
SAME_FIT = 0.93
"""Share of a row's best fit from which a task still is what the row says."""
MOST_SHARES = 4096


class RowRouter:
    """Assigns rows to known tasks. Made by `RowRouter.fit`, kept as `to_arrays`, read back by `from_arrays`."""

    def __init__(self, fingerprints: Sequence[str], contracts: Sequence[Contract], arrays: Arrays) -> None:
        self.fingerprints = tuple(fingerprints)
        self.contracts = tuple(contracts)
        self._weights = arrays["weights"]
        self._scale = float(arrays["scale"][0])
        self._hinted = frozenset(str(kind) for kind in arrays["hinted"])
        self._centroids = arrays["centroids"]
        self._owners = arrays["owners"]
        self._reach = arrays["reach"]
        self._open = [index for index, contract in enumerate(self.contracts) if _is_open(contract)]
        self._own_centroids = [self._centroids[self._owners == index] for index in range(len(self.contracts))]
        self._by_kind: dict[AnswerKind, list[int]] = defaultdict(list)
        self._by_label: dict[str, list[int]] = defaultdict(list)
        for index, contract in enumerate(self.contracts):
            self._by_kind[contract.answer_kind].append(index)
            for label in contract.labels:
                self._by_label[label].append(index)

        self._worded = [
            (wording, index) for index, contract in enumerate(self.contracts) for wording in contract.wordings
        ]
        # Of two wordings that a prompt has, the longer one says more.
        self._worded.sort(key=lambda item: (-len(item[0]), item[0]))
        self._known_shares: dict[tuple[int, bool], tuple[Contract, list[tuple[int, float]]]] = {}
        place = {contract: index for index, contract in enumerate(self.contracts)}
        flipped = [
            contract.model_copy(update={"has_reference": not contract.has_reference}) for contract in self.contracts
        ]
        self._twins = [(index, place[other]) for index, other in enumerate(flipped) if other in place]

    # ---------------------------------------------------------------------------------- learning

    @classmethod
    def fit(
        cls,
        fingerprints: Sequence[str],
        contracts: Sequence[Contract],
        vectors: Vectors,
        owners: npt.NDArray[np.int64],
        seed: int,
        hinted: Sequence[AnswerKind] = (),
    ) -> RowRouter:
        """A router learned from rows whose task is settled.

        Args:
            vectors: (rows, DIMENSIONS) of their prompts, in an order that does not depend on the file's.
            owners: (rows,) index into `contracts`.
            hinted: kinds that open-ended prompts of these rows often hint at (options without an answer ...).
        """
        count = len(contracts)
        if count == 0:
            return cls((), (), _empty_arrays())
        weights, scale = _ridge(vectors, owners, count)
        centroids, centroid_owners, reach = _centroids(vectors, owners, count, seed)
        return cls(
            fingerprints,
            contracts,
            {
                "weights": weights,
                "scale": np.array([scale], dtype=np.float32),
                "hinted": np.array(sorted(kind.value for kind in hinted), dtype=np.str_),
                "centroids": centroids,
                "owners": centroid_owners,
                "reach": reach,
            },
        )

    # ---------------------------------------------------------------------------------- keeping

    def to_arrays(self) -> Arrays:
        """Plain arrays, no objects: what the registry keeps."""
        return {
            "version": np.array([ROUTER_VERSION], dtype=np.int64),
            "fingerprints": np.array(self.fingerprints, dtype=np.str_),
            "weights": self._weights,
            "scale": np.array([self._scale], dtype=np.float32),
            "hinted": np.array(sorted(self._hinted), dtype=np.str_),
            "centroids": self._centroids,
            "owners": self._owners,
            "reach": self._reach,
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, npt.NDArray[Any]], tasks: Sequence[TaskSpec], *, source: str = "the registry"
    ) -> RowRouter:
        """The router that `to_arrays` kept.

        Args:
            source: where the arrays come from, for errors.

        Raises:
            RegistryError: for arrays of another version, of other types or shapes than `to_arrays` gives, or for a
                fingerprint that is not among `tasks`.
        """
        try:
            version = int(arrays["version"][0]) if "version" in arrays else 0
        except (ValueError, TypeError, IndexError):
            version = 0
        if version != ROUTER_VERSION:
            raise RegistryError(
                f"{source}: the row router has version {version}, this rlar reads {ROUTER_VERSION}; build again"
            )
        if wrong := _wrong_array(arrays):
            raise RegistryError(f"{source}: the row router's {wrong} are not as they were stored; build again")
        known = {task.fingerprint: task.contract for task in tasks}
        fingerprints = [str(name) for name in arrays["fingerprints"]]
        missing = [name for name in fingerprints if name not in known]
        if missing:
            raise RegistryError(f"{source}: the row router knows {missing[0]!r}, the registry does not; build again")
        return cls(fingerprints, [known[name] for name in fingerprints], dict(arrays))

    # ---------------------------------------------------------------------------------- using

    def assign(self, examples: Sequence[Example]) -> list[Assignment]:
        """The task of every row, in order; each row is decided by itself."""
        return self.assign_parsed([Parsed(example) for example in examples])

    def assign_parsed(self, rows: Sequence[Parsed]) -> list[Assignment]:
        """`assign`; what is parsed on the way stays with the rows."""
        return self.assign_described([describe(row.example, row) for row in rows], [row.asked for row in rows])

    def assign_described(self, facts: Sequence[Facts], prompts: Sequence[str]) -> list[Assignment]:
        """`assign` for rows whose facts are at hand, with what their prompts ask.

        Most rows say by themselves what they are; only the prompts of the others are compared with those of the tasks.
        """
        if not self.contracts:
            return [_unknown(0.0, "no task is known yet") for _ in facts]
        assignments: list[Assignment | None] = []
        open_rows: list[tuple[int, _Evidence]] = []
        for row, own in enumerate(facts):
            assignment = self._by_wording(own, prompts[row])
            if assignment is None:
                evidence = self._evidence(own)
                assignment = self._by_evidence(evidence)
                if assignment is None:
                    open_rows.append((row, evidence))
            assignments.append(assignment)
        for start in range(0, len(open_rows), _BATCH):
            batch = open_rows[start : start + _BATCH]
            vectors = embed([prompts[row] for row, _ in batch])
            scores = (vectors @ self._weights[:-1] + self._weights[-1]) * self._scale
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            probabilities = scores / scores.sum(axis=1, keepdims=True)
            for (row, evidence), own_probabilities, vector in zip(batch, probabilities, vectors, strict=True):
                assignments[row] = self._by_model(evidence, own_probabilities, vector)
        return [assignment for assignment in assignments if assignment is not None]

    def _is_near(self, index: int, vector: Vectors, quantile: int) -> bool:
        """Whether a prompt is as near to a task as its left-out rows are: the nearest 98% (quantile 0) or 80% (1)."""
        own = self._own_centroids[index]
        nearness = float((own @ vector).max()) if len(own) else 0.0
        return nearness >= float(self._reach[index, quantile])

    def _by_wording(self, facts: Facts, prompt: str) -> Assignment | None:
        """The task whose wording a row without a reference has, if any."""
        if not self._worded or (facts.has_reference and facts.shape is not Shape.NONE):
            return None
        text = normal_text(prompt)
        for wording, index in self._worded:
            if matches(wording, text):
                return self._assigned(index, 0.97, "its prompt has the task's wording")
        return None

    def _evidence(self, facts: Facts) -> _Evidence:
        own = guesses(facts)
        return _Evidence(facts, own, self._fits(own, facts), facts.has_reference and facts.shape is not Shape.NONE)

    def _by_evidence(self, evidence: _Evidence) -> Assignment | None:
        """What the model could not change, whatever it says of the prompt; None where it has a say."""
        fits, top = evidence.fits, evidence.own[0]
        if not evidence.by_reference:
            certain = [index for index, sure in fits.items() if sure >= SAME_FIT * top.fit]
            if len(certain) != 1 or _is_open(top.contract):
                return None
            return self._assigned(certain[0], fits[certain[0]], "its prompt says how it is judged")
        if not fits:
            return _unknown(0.0, f"looks like {task_label(top.contract)}, which no known task is")
        best = max(fits, key=fits.__getitem__)
        sure = fits[best]
        if any(other * 1.0001 >= LEAST_WEIGHT * sure for index, other in fits.items() if index != best):
            return None
        if sure >= SAME_FIT * top.fit:
            return self._assigned(best, min(0.99, 0.3 + 0.7 * sure), "its reference and prompt fit")
        return None

    def _by_model(self, evidence: _Evidence, probabilities: Vectors, vector: Vectors) -> Assignment:
        if evidence.by_reference:
            return self._decide_by_reference(evidence.own, evidence.fits, probabilities, vector)
        return self._decide_by_prompt(evidence.facts, evidence.own, evidence.fits, probabilities, vector)

    def _decide_by_reference(
        self, own: tuple[Guess, ...], fits: dict[int, float], probabilities: Vectors, vector: Vectors
    ) -> Assignment:
        top = own[0]
        most = max(float(probabilities[index]) for index in fits) or 1.0
        best = max(
            fits,
            key=lambda index: (
                fits[index] * (LEAST_WEIGHT + (1 - LEAST_WEIGHT) * float(probabilities[index]) / most),
                self.fingerprints[index],
            ),
        )
        sure, likely = fits[best], float(probabilities[best])
        if sure >= SAME_FIT * top.fit:
            return self._assigned(best, min(0.99, 0.3 + 0.7 * sure), "its reference and prompt fit")
        one, other = top.contract.answer_kind, self.contracts[best].answer_kind
        kin = one != other and KINDS[one].near == KINDS[other].near != ""
        if kin and top.settles:
            # Nothing but these kinds can take it, in whatever words it asks; for what it does not bring, their tools abstain.
            return self._assigned(best, 0.5, "its reference is of the task's kind")
        if (top.fit < FIRM or kin) and likely >= ACCEPT_ALTERNATIVE and sure >= 0.2 and self._is_near(best, vector, 0):
            return self._assigned(
                best,
                0.5 + 0.3 * min(likely, 0.5 + sure),
                "its prompt is like the task's, its reference does not contradict",
            )
        return _unknown(sure, f"looks like {task_label(top.contract)}, which no known task is")

    def _decide_by_prompt(
        self, facts: Facts, own: tuple[Guess, ...], fits: dict[int, float], probabilities: Vectors, vector: Vectors
    ) -> Assignment:
        top = own[0]
        top_known = [index for index, sure in fits.items() if sure >= SAME_FIT * top.fit]
        if top_known and not _is_open(top.contract):
            best = max(top_known, key=lambda index: (float(probabilities[index]), self.fingerprints[index]))
            return self._assigned(best, fits[best], "its prompt says how it is judged")
        prior = np.array(
            [fits.get(index) or _possible(contract, facts) for index, contract in enumerate(self.contracts)]
        )
        weighed = probabilities * prior
        best = int(weighed.argmax())
        likely = float(probabilities[best])
        is_open = _is_open(self.contracts[best])
        # Where chat is a known task too, the model has weighed it; where not, any chat must be kept out by distance.
        quantile = 0 if self._open else 1
        if (
            prior[best] > 0
            and not is_open
            and likely >= ACCEPT_WITHOUT_EVIDENCE
            and self._is_near(best, vector, quantile)
        ):
            return self._assigned(best, 0.8 * likely, "its prompt is like the task's; it has no reference")
        for index in self._open:
            soft = top.fit < FIRM and float(probabilities[index]) >= ACCEPT_OPEN
            soft = soft or top.contract.answer_kind.value in self._hinted
            if _is_open(top.contract) or soft:
                return self._assigned(
                    index,
                    0.5 + 0.4 * float(probabilities[index]),
                    "no reference, and nothing in the prompt that code could check",
                )
        return _unknown(
            likely * float(prior[best] > 0), f"looks like {task_label(top.contract)}, which no known task is"
        )

    def _fits(self, own: tuple[Guess, ...], facts: Facts) -> dict[int, float]:
        """Task index -> fit, for the tasks that the row does not contradict."""
        fits: dict[int, float] = {}
        for guess in own:
            for index, share in self._shares(guess):
                fits[index] = max(fits.get(index, 0.0), guess.fit * share)
        if self._by_label and facts.has_reference and facts.shape is not Shape.LONG and not facts.answers_option:
            for index in self._by_label.get(label_of(facts), ()):
                fits[index] = max(fits.get(index, 0.0), 0.87)
        for index, twin in self._twins:
            # Of two tasks that differ only in having references the row's own kind wins.
            if index in fits and twin in fits and self.contracts[index].has_reference != facts.has_reference:
                del fits[index]
        return fits

    def _shares(self, guess: Guess) -> list[tuple[int, float]]:
        """The known tasks that a guess could mean, and how far."""
        # By identity: contracts of guesses are made once and kept, and hashing one takes longer than all the rest.
        key = id(guess.contract), guess.fit < FIRM
        known = self._known_shares.get(key)
        if known is not None and known[0] is guess.contract:
            return known[1]
        shares = [
            (index, share)
            for index in self._by_kind.get(guess.contract.answer_kind, ())
            if (share := same_task(guess, self.contracts[index])) > 0
        ]
        if len(self._known_shares) < MOST_SHARES:
            self._known_shares[key] = guess.contract, shares
        return shares

    def _assigned(self, index: int, confidence: float, reason: str) -> Assignment:
        return Assignment(fingerprint=self.fingerprints[index], confidence=round(float(confidence), 4), reason=reason)


class _Evidence(NamedTuple):
    """What a row says by itself."""

    facts: Facts
    own: tuple[Guess, ...]
    """Best first."""
    fits: dict[int, float]
    """Task index -> fit."""
    by_reference: bool


def _unknown(confidence: float, reason: str) -> Assignment:
    return Assignment(fingerprint=None, confidence=round(min(1.0, float(confidence)), 4), reason=reason)


def _is_open(contract: Contract) -> bool:
    return KINDS[contract.answer_kind].is_open


def _possible(contract: Contract, facts: Facts) -> float:
    """Whether a row without its reference could belong to a task that judges by one; what its prompt must then show."""
    address = KINDS[contract.answer_kind].may_lack_reference
    return 0.3 if address and named(address)(contract, facts) else 0.0


# ------------------------------------------------------------------------------------------ arrays


def _empty_arrays() -> Arrays:
    return {
        "weights": np.zeros((DIMENSIONS + 1, 0), dtype=np.float32),
        "scale": np.ones(1, dtype=np.float32),
        "hinted": np.zeros(0, dtype="<U1"),
        "centroids": np.zeros((0, DIMENSIONS), dtype=np.float32),
        "owners": np.zeros(0, dtype=np.int64),
        "reach": np.zeros((0, 2), dtype=np.float32),
    }


def _ridge(vectors: Vectors, owners: npt.NDArray[np.int64], count: int) -> tuple[Vectors, float]:
    """Linear map (DIMENSIONS + 1, tasks), and the scale of its softmax that fits left-out rows best.

    Every task weighs the square root of its size: a rare one must not vanish, a single row must not rule.
    """
    from scipy.linalg import cho_factor, solve_triangular

    chosen = np.sort(np.concatenate([np.flatnonzero(owners == index)[:ROWS_PER_TASK] for index in range(count)]))
    vectors, owners = vectors[chosen], owners[chosen]
    sizes = np.bincount(owners, minlength=count)
    row_weights = 1.0 / np.sqrt(np.maximum(1.0, sizes[owners]))
    root = np.sqrt(row_weights / row_weights.mean())[:, None]
    # In double precision, so that rounding at the end hides what order of summation and memory alignment change.
    inputs = np.hstack([vectors.astype(np.float64), np.ones((len(vectors), 1))]) * root
    targets = np.eye(count)[owners] * root
    gram = inputs.T @ inputs
    gram[np.diag_indices_from(gram)] += PENALTY
    lower, _ = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    halved = solve_triangular(lower, inputs.T, lower=True, check_finite=False)
    weights = solve_triangular(lower, halved @ targets, lower=True, trans="T", check_finite=False)
    # What the map would say of a row had it been left out: its residual over one minus its leverage.
    leverage = np.einsum("ij,ij->j", halved, halved)[:, None]
    left_out = targets - (targets - inputs @ weights) / np.maximum(1e-3, 1.0 - leverage)
    scores = left_out / root
    best_scale, best_loss = 1.0, np.inf
    for scale in (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0):
        shifted = scores * scale
        shifted -= shifted.max(axis=1, keepdims=True)
        loss = float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(owners)), owners]).mean())
        if loss < best_loss - 1e-9:
            best_scale, best_loss = scale, loss
    return np.round(weights, 4).astype(np.float32), best_scale


def _wrong_array(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """The name of an array that `RowRouter.to_arrays` would not give; "" where all are as it gives them."""
    tasks, centroids = (np.shape(arrays.get(name, ()))[:1] for name in ("fingerprints", "centroids"))
    expected = {
        "fingerprints": ("U", tasks),
        "weights": ("f", (DIMENSIONS + 1, *tasks)),
        "scale": ("f", (1,)),
        "hinted": ("U", np.shape(arrays.get("hinted", ()))[:1]),
        "centroids": ("f", (*centroids, DIMENSIONS)),
        "owners": ("i", centroids),
        "reach": ("f", (*tasks, 2)),
    }
    for name, (kind, shape) in expected.items():
        array = arrays.get(name)
        if array is None or array.dtype.kind != kind or array.shape != shape:
            return name
        if kind == "f" and not np.isfinite(array).all():
            return name
    owners = arrays["owners"]
    return "owners" if ((owners < 0) | (owners >= len(arrays["fingerprints"]))).any() else ""


def _centroids(
    vectors: Vectors, owners: npt.NDArray[np.int64], count: int, seed: int
) -> tuple[Vectors, npt.NDArray[np.int64], Vectors]:
    """Centroids of every task, who owns them, and how near its left-out rows come: (2%, 20%) quantiles a task."""
    from sklearn.cluster import KMeans

    blocks: list[Vectors] = []
    belongs: list[int] = []
    reach = np.zeros((count, 2), dtype=np.float32)
    for index in range(count):
        rows = np.flatnonzero(owners == index)[:2000]
        if len(rows) == 0:
            reach[index] = 2.0
            continue
        kept, left = (rows[::2], rows[1::2]) if len(rows) >= 8 else (rows, rows)
        wanted = max(1, min(CENTROIDS, len(kept) // 8, len(np.unique(vectors[kept], axis=0))))
        if wanted == 1:
            centers = vectors[kept].mean(axis=0, keepdims=True, dtype=np.float64)
        else:
            centers = (
                KMeans(wanted, n_init=1, random_state=seed, max_iter=20)
                .fit(vectors[kept].astype(np.float64))
                .cluster_centers_
            )
        centers = np.round(centers / np.maximum(1e-9, np.linalg.norm(centers, axis=1, keepdims=True)), 4).astype(
            np.float32
        )
        near = (vectors[left] @ centers.T).max(axis=1)
        reach[index] = np.round(np.quantile(near, (0.02, 0.2)), 4)
        blocks.append(centers)
        belongs += [index] * len(centers)
    return np.vstack(blocks), np.array(belongs, dtype=np.int64), reach
