"""Where candidate tools come from. The library is one source; the Hub and an LLM that writes code fit the same seams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from rlar.kinds import candidates
from rlar.tools.library import library_spec
from rlar.tools.load import kind_of
from rlar.tools.outdated import renewed
from rlar.types import Certificate, Frozen, JsonObject, TaskSpec, ToolSpec

if TYPE_CHECKING:
    from rlar.registry.registry import Registry


class Approval(Frozen):
    """Something that the policy does not allow by itself: a person decides."""

    subject: str
    """What it is about, unambiguous: "org/model@<commit sha>"."""
    reasons: tuple[str, ...]
    """Why the policy does not allow it."""
    facts: JsonObject = Field(default_factory=dict)
    """What a person needs to decide: licence, size, gated state ..."""


class PassedOver(Frozen):
    """A candidate that was rejected before it could be tried."""

    subject: str
    reason: str


class Found(Frozen):
    """What a source has for a task."""

    tools: tuple[ToolSpec, ...] = ()
    notes: tuple[str, ...] = ()
    """For a person: what was looked for, and how it went."""
    passed_over: tuple[PassedOver, ...] = ()
    approvals: tuple[Approval, ...] = ()
    """Candidates that wait for a decision; asked again with the decisions, the source gives the approved ones as tools."""
    cost: JsonObject = Field(default_factory=dict)
    """What it spent: bytes downloaded ... (LLM calls are counted where they are made)."""


class Tried(Frozen):
    """A tool and what the gate said of it."""

    tool: ToolSpec
    certificate: Certificate


class CandidateSource(Protocol):
    """Finds existing tools for a task (design section 6). Its answers are candidates, never trusted."""

    name: str

    def find(self, task: TaskSpec, decisions: Mapping[str, bool]) -> Found:
        """Candidates for a task. Raises nothing for a search that fails: offline, blocked and empty are notes.

        Args:
            decisions: a person's answers so far, by Approval.subject.
        """
        ...


class ToolWriter(Protocol):
    """Makes new tools for a task, or repairs those that failed the gate (design section 7)."""

    name: str

    def write(self, task: TaskSpec, tried: Sequence[Tried]) -> Found:
        """New candidates. `tried`: every tool so far with its certificate, the writer's own attempts last."""
        ...


class RegistrySource:
    """Tools that earlier builds made or found for this very task and that the gate admitted: nothing is made twice."""

    name = "registry"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def find(self, task: TaskSpec, decisions: Mapping[str, bool]) -> Found:
        """Admitted tools of this task that no other source offers again by itself."""
        kept = [each.tool_id for each in self._registry.latest_certificates(task.fingerprint) if each.admitted]
        stored = [tool for name in kept if (tool := self._registry.tool(name)) and not kind_of(tool).is_ours]
        tools = [renewed(tool) for tool in stored]
        return Found(tools=tuple(tools), notes=(f"registry: {len(tools)} of earlier builds",) if tools else ())


class LibrarySource:
    """The vetted verifiers that ship with rlar, by answer kind. One ToolSpec serves every task: what differs is in the bindings."""

    name = "library"

    def __init__(self, params: Mapping[str, JsonObject] | None = None) -> None:
        self._params = dict(params or {})
        """Of tools by name, where the user says other than what ships."""

    def find(self, task: TaskSpec, decisions: Mapping[str, bool]) -> Found:
        """Every library tool that claims this answer kind."""
        names = candidates(task.contract.answer_kind)
        tools = tuple(library_spec(name, self._params.get(name)) for name in names)
        kind = task.contract.answer_kind.value
        note = f"library: {len(tools)} for {kind}" + (f" ({', '.join(names)})" if names else "")
        return Found(tools=tools, notes=(note,))


class NoWriter:
    """The offline build: nothing is written, and the notes say what would write it."""

    name = "none"

    def write(self, task: TaskSpec, tried: Sequence[Tried]) -> Found:
        """Nothing, with a note."""
        return Found(notes=("generate: no LLM (--llm none), nothing written",))
