"""The live things a build works with, made once and closed by whoever made them; nodes get them passed in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rlar.agent.sources import (
    CandidateSource,
    Found,
    LibrarySource,
    NoWriter,
    PassedOver,
    RegistrySource,
    ToolWriter,
    Tried,
)
from rlar.config import BuildConfig
from rlar.kinds import KINDS
from rlar.network import Network
from rlar.tool import Resources, sandbox_factory
from rlar.types import LabelledPair, TaskSpec, canonical_json

if TYPE_CHECKING:
    from rlar.gate.labelled import Labelled
    from rlar.llm.ledger import Llm
    from rlar.registry.registry import Registry

MadeT = TypeVar("MadeT")
Emit = Callable[[dict[str, Any]], None]
"""Receives progress events: {"event": name, ...}."""


class Workbench:
    """Registry writers by address, sandboxes, and for each build its LLM, candidate sources and writer of tools.

    Studio serves one graph for many runs, so everything is made when a run first asks for it and let go of when
    that run finishes.
    """

    def __init__(
        self,
        *,
        sources: Callable[[BuildConfig], Sequence[CandidateSource]] | None = None,
        writer: Callable[[BuildConfig], ToolWriter] | None = None,
    ) -> None:
        """
        Args:
            sources, writer: make a build's collaborators; None: what the configuration says.
        """
        self.config: BuildConfig | None = None
        """Of the one build that runs here, whatever its stored state says; None: each build's state has its own."""
        self._make_sources = sources or self._usual_sources
        self._make_writer = writer or self._usual_writer
        self._registries: dict[str, Registry] = {}
        self._resources: dict[tuple[Any, ...], Resources] = {}
        self._made: dict[tuple[str, str], Any] = {}
        self._lock = threading.RLock()

    # -------------------------------------------------------------------------------- shared by builds

    def registry(self, address: str) -> Registry:
        """The open writer of a registry, made if it does not exist."""
        from rlar.registry.registry import Registry

        with self._lock:
            if address not in self._registries:
                self._registries[address] = Registry.open(address, create=True)
            return self._registries[address]

    def resources(self, config: BuildConfig) -> Resources:
        """What tools share; one sandbox per isolation setting and folder of models."""
        from rlar.tools.reward_model.store import SHARED_NAME, ModelStore

        key = (config.sandbox_tier, config.accept_unsafe, config.hub_cache, config.llm, config.hub)
        with self._lock:
            if key not in self._resources:
                factory = sandbox_factory(config.sandbox_tier, config.accept_unsafe)
                made = Resources(factory, network=network_of(config))
                # What is downloaded for a build is loaded from the same folder.
                made.shared(SHARED_NAME, lambda: ModelStore(cache_dir=config.hub_cache))
                self._resources[key] = made
            return self._resources[key]

    # -------------------------------------------------------------------------------- of one build

    def llm(self, config: BuildConfig) -> Llm | None:
        """The LLM of a build with what is left of its budget; None offline. Raises ConfigError without a key."""
        return self._once("llm", config, lambda: self._open_llm(config))

    def sources(self, config: BuildConfig) -> tuple[CandidateSource, ...]:
        """Where candidates of a build come from."""
        return self._once("sources", config, lambda: tuple(self._make_sources(config)))

    def writer(self, config: BuildConfig) -> ToolWriter:
        """Who writes tools in a build."""
        return self._once("writer", config, lambda: self._make_writer(config))

    def labelled(self, config: BuildConfig) -> Labelled:
        """The user's labelled pairs by task; asked for after the tasks are stored. Raises DatasetError."""

        def read() -> Labelled:
            from rlar.gate.labelled import stored_pairs

            return {} if config.labelled is None else stored_pairs(self.registry(config.registry), config.labelled)

        return self._once("labelled", config, read)

    def _once(self, name: str, config: BuildConfig, make: Callable[[], MadeT]) -> MadeT:
        key = (name, canonical_json(config.model_dump(mode="json")))
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return cast(MadeT, self._made[key])

    def _open_llm(self, config: BuildConfig) -> Llm | None:
        from rlar.llm.ledger import open_llm

        if config.llm == "none":
            return None
        return open_llm(config, registry=self.registry(config.registry), on_call=tell_call)

    def _usual_sources(self, config: BuildConfig) -> Sequence[CandidateSource]:
        registry = self.registry(config.registry)
        sources: list[CandidateSource] = [RegistrySource(registry), LibrarySource(config.tool_params)]
        if config.hub or config.web:
            sources.append(self._hub_source(config))
        return sources

    def _hub_source(self, config: BuildConfig) -> CandidateSource:
        from rlar.agent.hub.source import DownloadBudget, HubSource
        from rlar.agent.hub.web import DdgsSearch, find_models
        from rlar.gate.policy import load_policy
        from rlar.tools.reward_model.store import model_store

        return HubSource(
            load_policy(config.policy),
            budget=DownloadBudget(config.max_download),
            approve=config.approve,
            cache_dir=model_store(self.resources(config)).cache_dir,
            web=partial(find_models, DdgsSearch()) if config.web else None,
            labelled=partial(self._pairs_of, config),
        )

    def _pairs_of(self, config: BuildConfig, task: TaskSpec) -> Sequence[LabelledPair]:
        return self.labelled(config).get(task.fingerprint, ())

    def _usual_writer(self, config: BuildConfig) -> ToolWriter:
        llm = self.llm(config)
        if llm is None:
            return NoWriter()
        from rlar.agent.rubric import JudgeWriter
        from rlar.agent.write import VerifierWriter
        from rlar.gate.policy import load_policy

        pairs = partial(self._pairs_of, config)
        verifiers = VerifierWriter(
            llm,
            self.resources(config),
            max_repairs=config.max_repairs,
            labelled=pairs,
            policy=load_policy(config.policy),
            seed=config.seed,
        )
        return Writers(verifiers, JudgeWriter(llm, llm.endpoint, labelled=pairs))

    # -------------------------------------------------------------------------------- closing

    def release(self, config: BuildConfig) -> None:
        """Forget a build's collaborators and close its registry's writer, so that others may write."""
        settings = canonical_json(config.model_dump(mode="json"))
        with self._lock:
            for key in [key for key in self._made if key[1] == settings]:
                del self._made[key]
            registry = self._registries.pop(config.registry, None)
        if registry is not None:
            registry.close()

    def close(self) -> None:
        """Close every registry and the sandboxes."""
        with self._lock:
            self._made.clear()
            registries, self._registries = list(self._registries.values()), {}
            resources, self._resources = list(self._resources.values()), {}
        for registry in registries:
            registry.close()
        for each in resources:
            each.close()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


class Writers:
    """Who writes code and who writes rubrics, the likelier one for the task first; the other when that one gives up."""

    def __init__(self, verifiers: ToolWriter, judges: ToolWriter) -> None:
        self._verifiers, self._judges = verifiers, judges
        self.name = f"{verifiers.name}+{judges.name}"

    def write(self, task: TaskSpec, tried: Sequence[Tried]) -> Found:
        """The first one's new tools; the notes of both where it had none."""
        judged = KINDS[task.contract.answer_kind].is_graded
        order = (self._judges, self._verifiers) if judged else (self._verifiers, self._judges)
        notes: list[str] = []
        passed_over: list[PassedOver] = []
        for writer in order:
            outcome = writer.write(task, tried)
            notes += outcome.notes
            passed_over += outcome.passed_over
            if outcome.tools:
                break
        return outcome.model_copy(update={"notes": tuple(notes), "passed_over": tuple(passed_over)})


def tell_call(record: Any) -> None:
    """Tell the progress display about one call to the LLM, from inside the node that made it."""
    from langgraph.config import get_stream_writer

    get_stream_writer()(
        {
            "event": "llm",
            "fingerprint": record.fingerprint,
            "node": record.node,
            "cached": record.cached,
            "input_tokens": record.input_tokens,
            "output_tokens": record.output_tokens,
            "cost": record.cost,
        }
    )


def network_of(config: BuildConfig) -> Network:
    """Hosts that tools may talk to in a build: what the user allows, and those that its settings name (--llm, --hub)."""
    if not config.hub:
        return Network.of_user(llm=config.llm)
    from huggingface_hub import constants

    return Network.of_user([constants.ENDPOINT], llm=config.llm)
