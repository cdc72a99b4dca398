"""Tools of kind "library": the vetted verifiers that ship with rlar, by name (`rlar.kinds.LIBRARY`)."""

from __future__ import annotations

from rlar.code_identity import code_identity
from rlar.errors import ToolError
from rlar.kinds import LIBRARY, is_shipped, library_class
from rlar.tool import LibraryTool, Resources
from rlar.types import JsonObject, ToolKind, ToolSpec


def library_spec(name: str, params: JsonObject | None = None) -> ToolSpec:
    """The ToolSpec of a library tool as this version ships it."""
    return ToolSpec(
        kind=ToolKind.LIBRARY,
        name=name,
        source=f"library:{name}",
        params=params or {},
        code_hash=code_identity(LIBRARY[name]),
        provenance={"library": "rlar"},
    )


def load_library(spec: ToolSpec, resources: Resources) -> LibraryTool:
    """The verifier of this name. Raises ToolError where this version has none."""
    if not is_shipped(spec):
        raise ToolError(_missing(spec))
    return library_class(spec.name)(spec, resources)


def unusable(spec: ToolSpec) -> str:
    """Why this version of rlar does not run the tool as it was certified; "" when it does."""
    if not is_shipped(spec):
        return _missing(spec)
    if spec.code_hash and code_identity(LIBRARY[spec.name]) != spec.code_hash:
        return "its code has changed since it was certified; run `rlar agent build-tools` or `rlar tools test --store`"
    return ""


def current(spec: ToolSpec) -> ToolSpec:
    """The tool with the code of this version; as it is where this version has none."""
    if not is_shipped(spec):
        return spec
    shipped = library_spec(spec.name)
    return spec.model_copy(update={"source": shipped.source, "code_hash": shipped.code_hash})


def _missing(spec: ToolSpec) -> str:
    return f"library tool {spec.name!r} ({spec.source}) is not in this version of rlar"
