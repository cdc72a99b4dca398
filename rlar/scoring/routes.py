"""From rows to what scores them: the stored assignment of that very row, else the learned router's, with the row's binding.

A Route is made once for a row and kept, so that scoring the completions of a group costs a look-up each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from rlar.errors import RegistryError, boundary
from rlar.kinds.own_answers import own_answers, unread
from rlar.registry.records import RegistrySnapshot, Standing, tool_ids
from rlar.scoring.cache import LruCache
from rlar.scoring.combine import combine, tool_score
from rlar.text.answer_format import StrictReading, read_strictly, without_sentence
from rlar.tools.load import where
from rlar.types import (
    Assignment,
    Calibration,
    Example,
    Frozen,
    JsonObject,
    Recipe,
    Reward,
    Sample,
    Score,
    ToolScore,
    abstain,
    canonical_json,
    digest,
    failed,
    ok,
)
from rlar.visible import is_visible

if TYPE_CHECKING:
    from rlar.registry.registry import Registry

KEY_BYTES = 16
NOTHING = Calibration(x=(0.0,), y=(0.0,))
"""Whatever a tool says to a completion of which a person sees nothing, it is worth nothing."""
NOT_STORED = Assignment(fingerprint=None, confidence=0.0, reason="the registry holds no row router")
PROMPTLESS = Assignment(
    fingerprint=None,
    confidence=0.0,
    reason="it came without a prompt, and neither its row key nor its fingerprint is known here",
)
UNREADABLE = "registry"
"""Stands in the place of a tool where the registry could not be asked about a row."""


class RoutedSample(Frozen):
    """A completion with the row that it answers.

    Its task is, in this order: what is stored for the row; what is stored under `row_key`; without a reference what
    is stored for the prompt; `fingerprint`, where that is a known task; what the learned router says. A row without
    a prompt is told its task all the same, but every tool abstains: an answer that only repeats the question can't
    be told from a right one.
    """

    example: Example
    completion: str
    fingerprint: str | None = None
    """The row's task, as whoever prepared the data knew it."""
    row_key: str | None = None
    """Example.key of the row as it was stored, where a host hands over a changed prompt."""

    @property
    def identity(self) -> str:
        """What makes its row a row of its own: content, and what it was told."""
        if not self.fingerprint and not self.row_key:
            return self.example.identity
        return digest(self.example.identity, self.fingerprint or "", self.row_key or "", size=32)


class Serving:
    """How one task is scored: its recipe, or for an uncovered task the guards that are listed with its completions."""

    __slots__ = ("answer_format", "calibrations", "fingerprint", "guards", "proven_on", "recipe", "task", "tools")

    def __init__(self, fingerprint: str, recipe: Recipe | None, snapshot: RegistrySnapshot, guards: Sequence[str]):
        self.fingerprint = fingerprint
        self.recipe = recipe
        self.tools: tuple[str, ...] = tool_ids(recipe) if recipe is not None else tuple(guards)
        self.calibrations = tuple((tool, snapshot.calibration(fingerprint, tool)) for tool in self.tools)
        self.answer_format = recipe.answer_format if recipe is not None else None
        certificates = snapshot.certificates.get(fingerprint, {})
        self.guards = frozenset(
            tool for tool in self.tools if tool in certificates and certificates[tool].role == "guard"
        )
        """Tools that look at the whole completion, whatever its format."""
        self.task = snapshot.tasks.get(fingerprint)
        self.proven_on = {
            tool: where(snapshot.tools[tool])
            for tool in self.tools
            if (tool in certificates and certificates[tool].row_shares.misread)
            or (recipe is not None and tool in recipe.row_shares and recipe.row_shares[tool].misread)
        }
        """Tools that misread some rows, and so are believed on a row only once they accept its own answers: where they run."""


class Route:
    """What is known of one row."""

    __slots__ = ("_hasher", "assignment", "binding", "example", "nothing", "own_answers", "serving")

    def __init__(self, example: Example, assignment: Assignment, binding: JsonObject | None) -> None:
        self.example = example
        self.assignment = assignment
        self.binding = binding
        """As stored for this row; None where it has to be made."""
        self.serving: Serving | None = None
        """None until `prepare`, and where no tool is asked."""
        self.nothing: Reward | None = Reward(reward=None, status="unknown")
        """What every completion of the row gets; None where tools decide."""
        self.own_answers: dict[str, tuple[str, ...]] = {}
        """For tools that misread some rows: right answers of this row, which they have to accept first."""
        self._hasher = blake2b(digest_size=KEY_BYTES)

    def prepare(self, servings: Mapping[str, Serving], snapshot: RegistrySnapshot) -> None:
        """Find the recipe and make the binding."""
        fingerprint = self.assignment.fingerprint
        serving = servings.get(fingerprint) if fingerprint is not None else None
        if serving is None:
            return
        if not serving.tools:
            self.nothing = Reward(reward=None, status="uncovered", fingerprint=fingerprint)
            return
        if not self.example.text:
            # What could be bound is in the prompt, and a certificate was made with one.
            self.nothing = _broken(serving.tools, abstain("the row came without its prompt"), serving)
            return
        if self.binding is None:
            from rlar.kinds.bind import bind

            contract = snapshot.tasks[serving.fingerprint].contract
            binding = boundary(lambda: bind(self.example, contract), _unbindable)
            if isinstance(binding, Score):
                self.nothing = _broken(serving.tools, binding, serving)
                return
            self.binding = binding
        hasher = blake2b(digest_size=KEY_BYTES)
        parts = [self.example.key, canonical_json(self.binding)]
        parts += [serving.answer_format] if serving.answer_format is not None else []
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            hasher.update(len(data).to_bytes(8, "little"))
            hasher.update(data)
        self._hasher = hasher
        if serving.proven_on and serving.task is not None:
            self.own_answers = {
                tool: own_answers(self.example, self.binding, serving.task, place)
                for tool, place in serving.proven_on.items()
            }
        self.serving = serving
        self.nothing = None  # last: other threads may be here, too

    def key(self, completion: str) -> bytes:
        """Content key of all that a tool may look at: prompt, references, binding, completion."""
        hasher = self._hasher.copy()
        hasher.update(completion.encode("utf-8", "surrogatepass"))
        return hasher.digest()

    def own_key(self, answer: str) -> bytes:
        """Content key of one of the row's own answers: never that of a completion, which may be read in a format."""
        hasher = self._hasher.copy()
        hasher.update(b"own answer\0" + answer.encode("utf-8", "surrogatepass"))
        return blake2b(hasher.digest(), digest_size=KEY_BYTES).digest()

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools that are asked."""
        return self.serving.tools if self.serving is not None else ()

    def calibrated(self, scores: Mapping[str, Score], completion: str) -> dict[str, ToolScore]:
        """Every tool's score with its calibrated value, by tool id; all 0.0 where nothing was answered."""
        assert self.serving is not None, self.example.id
        is_answer = is_visible(completion)
        calibrated = {
            tool: tool_score(tool, scores[tool], calibration if is_answer else NOTHING)
            for tool, calibration in self.serving.calibrations
        }
        if self.serving.answer_format is not None and (problem := self.read(completion).problem):
            missed = tool_score("", ok(0.0, problem, answer_format="missed"))
            for tool in filter(self.reads_format, calibrated):
                calibrated[tool] = missed.model_copy(update={"tool": tool})
        return calibrated

    def read(self, completion: str) -> StrictReading:
        """What a completion answers: in the task's answer format, where it has one, else all of it."""
        answer_format = self.serving.answer_format if self.serving is not None else None
        return StrictReading(completion) if answer_format is None else read_strictly(answer_format, completion)

    def reads_format(self, tool: str) -> bool:
        """Whether a tool is handed the answer alone: guards look at the whole completion."""
        serving = self.serving
        return serving is not None and serving.answer_format is not None and tool not in serving.guards

    def sample(self, completion: str, tool: str, *, is_own: bool = False) -> Sample:
        """What a tool is handed; one of the row's own answers as it is."""
        assert self.binding is not None and self.serving is not None, self.example.id
        answer = self.read(completion).answer if self.reads_format(tool) and not is_own else completion
        return Sample.of(self.example, answer, self.binding)

    def unread_by(self, table: Mapping[bytes, Mapping[str, Score]]) -> dict[str, Score]:
        """The tools that do not prove to read this row, each with its abstention.

        Args:
            table: content key of each of the row's own answers -> scores by tool.
        """
        scores = {
            tool: [table[self.own_key(answer)][tool] for answer in answers]
            for tool, answers in self.own_answers.items()
        }
        return {tool: abstain(why) for tool, own in scores.items() if (why := unread(own))}

    @staticmethod
    def unreadable(example: Example, why: str) -> Route:
        """A row about which the registry could not be asked: no reward, and no guess in its place."""
        route = Route(example, Assignment(fingerprint=None, confidence=0.0, reason=why), None)
        route.nothing = _broken((UNREADABLE,), failed(why), None)
        return route


class Routes:
    """The routes of rows under one state of a registry. Thread-safe."""

    def __init__(
        self, registry: Registry, snapshot: RegistrySnapshot, standings: Mapping[str, Standing], router: Any, size: int
    ) -> None:
        """
        Args:
            standings: by fingerprint, as they are served here.
            router: a RowRouter, or None.
            size: rows that are remembered.
        """
        self._registry = registry
        self._snapshot = snapshot
        self._router = router
        self._known: LruCache[str, Route] = LruCache(size)
        self._has_formats = any(recipe.answer_format is not None for recipe in snapshot.recipes.values())
        self._servings = {
            fingerprint: Serving(fingerprint, standing.recipe, snapshot, _guards(snapshot, fingerprint))
            for fingerprint, standing in standings.items()
        }

    def assign(self, examples: Sequence[Example]) -> list[Assignment]:
        """The task of every row. Raises RegistryError where the registry cannot be read."""
        samples = self._as_stored([RoutedSample(example=example, completion="") for example in examples])
        routes = self._find({sample.identity: sample for sample in samples})
        return [routes[sample.identity].assignment for sample in samples]

    def of(self, samples: Sequence[RoutedSample]) -> list[Route]:
        """The route of every sample's row, ready to score; equal rows have the same one.

        A prompt that asks for an answer format is the row that it was before.
        """
        samples = self._as_stored(samples)
        identities = [sample.identity for sample in samples]
        rows = dict(zip(identities, samples, strict=True))
        try:
            routes = self._find(rows)
        except RegistryError as error:
            routes = self._without_registry(rows, str(error))
        for route in routes.values():
            if route.serving is None and route.assignment.fingerprint is not None:
                route.prepare(self._servings, self._snapshot)
        return [routes[identity] for identity in identities]

    def _as_stored(self, samples: Sequence[RoutedSample]) -> Sequence[RoutedSample]:
        return [_as_stored(sample) for sample in samples] if self._has_formats else samples

    def _without_registry(self, rows: Mapping[str, RoutedSample], why: str) -> dict[str, Route]:
        """Rows that were seen before go on; the others wait for the registry."""
        known = zip(rows.items(), self._known.get_many(rows), strict=True)
        return {identity: route or Route.unreadable(sample.example, why) for (identity, sample), route in known}

    def _find(self, rows: Mapping[str, RoutedSample]) -> dict[str, Route]:
        routes: dict[str, Route] = {}
        missing: dict[str, RoutedSample] = {}
        for (identity, sample), known in zip(rows.items(), self._known.get_many(rows), strict=True):
            if known is None:
                missing[identity] = sample
            else:
                routes[identity] = known
        if missing:
            new = self._look_up(missing)
            self._known.put_many(new)
            routes |= new
        return routes

    def _look_up(self, samples: Mapping[str, RoutedSample]) -> dict[str, Route]:
        routes: dict[str, Route] = {}
        told_keys = {sample.row_key for sample in samples.values() if sample.row_key and _is_key(sample.row_key)}
        by_key = self._registry.rows(told_keys | {sample.example.key for sample in samples.values()})
        stored = {
            identity: by_key.get(sample.example.key) or by_key.get(sample.row_key or "")
            for identity, sample in samples.items()
        }
        bare = {
            identity: sample.example.prompt_key
            for identity, sample in samples.items()
            if stored[identity] is None and sample.example.reference is None
        }
        by_prompt = self._registry.rows_by_prompt(bare.values())
        rest: dict[str, Example] = {}
        for identity, sample in samples.items():
            example, row = sample.example, stored[identity] or by_prompt.get(bare.get(identity, ""))
            if row is not None:
                known_task = Assignment(
                    fingerprint=row.fingerprint, confidence=row.confidence, reason="stored for this row"
                )
                routes[identity] = Route(example, known_task, row.binding if row.fingerprint is not None else None)
            elif sample.fingerprint in self._snapshot.tasks:
                known_task = Assignment(fingerprint=sample.fingerprint, confidence=1.0, reason="told with the row")
                routes[identity] = Route(example, known_task, None)
            elif not example.text:
                routes[identity] = Route(example, PROMPTLESS, None)
            else:
                rest[identity] = example
        if rest and self._router is None:
            return routes | {identity: Route(example, NOT_STORED, None) for identity, example in rest.items()}
        if rest:
            for (identity, example), assignment in zip(rest.items(), self._routed(list(rest.values())), strict=True):
                routes[identity] = Route(example, assignment, None)
        return routes

    def _routed(self, examples: Sequence[Example]) -> list[Assignment]:
        def broke(error: Exception) -> list[Assignment]:
            if len(examples) > 1:
                return [assignment for example in examples for assignment in self._routed([example])]
            why = f"the router broke on this row: {type(error).__name__}: {error}"
            return [Assignment(fingerprint=None, confidence=0.0, reason=why)]

        assignments: list[Assignment] = boundary(lambda: self._router.assign(examples), broke)
        return assignments


def _as_stored(sample: RoutedSample) -> RoutedSample:
    example = with_prompt(sample.example, without_sentence)
    return sample if example is sample.example else sample.model_copy(update={"example": example})


def with_prompt(example: Example, change: Callable[[str], str]) -> Example:
    """The row with its last message changed; the very row where nothing changes."""
    if not example.prompt:
        return example
    last = example.prompt[-1]
    content = change(last.content)
    if content == last.content:
        return example
    return example.model_copy(update={"prompt": (*example.prompt[:-1], last.model_copy(update={"content": content}))})


def _guards(snapshot: RegistrySnapshot, fingerprint: str) -> tuple[str, ...]:
    """Admitted guards of a task: what is listed with its completions while it is uncovered."""
    from rlar.tools.load import unusable

    return tuple(
        tool_id
        for tool_id, certificate in snapshot.certificates.get(fingerprint, {}).items()
        if certificate.admitted and certificate.role == "guard" and not unusable(snapshot.tools[tool_id])
    )


def _unbindable(error: Exception) -> JsonObject | Score:
    return failed(f"this row's binding cannot be made: {type(error).__name__}: {error}")


def _broken(tools: Sequence[str], score: Score, serving: Serving | None) -> Reward:
    """The reward where every tool says the same, without being asked."""
    scored = {tool: tool_score(tool, score) for tool in tools}
    if serving is not None and serving.recipe is not None:
        return combine(serving.recipe, scored)
    return Reward(
        reward=None,
        status="uncovered" if serving is not None else "failed",
        fingerprint=serving.fingerprint if serving is not None else None,
        scores=tuple(scored.values()),
    )


def _is_key(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)
