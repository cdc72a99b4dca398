"""Tools of an older registry: the same tool with the code of this version, which has to be certified before it is used."""

from __future__ import annotations

from collections.abc import Iterable

from rlar.kinds import is_shipped, library_spec
from rlar.types import ToolKind, ToolSpec


def renewed(spec: ToolSpec) -> ToolSpec:
    """The tool as this version of rlar makes it; the very same where its code has not changed, or is not ours."""
    if spec.kind is ToolKind.LIBRARY and is_shipped(spec):
        code_hash = library_spec(spec.name).code_hash
    elif spec.kind is ToolKind.GENERATED:
        from rlar.tools.generated import source_hash

        code_hash = source_hash(spec.source)
    elif spec.kind is ToolKind.REWARD_MODEL:
        from rlar.tools.reward_model import tool as reward_model

        code_hash = reward_model.code_hash()
    else:
        return spec
    if spec.code_hash in ("", code_hash):
        return spec
    source = library_spec(spec.name).source if spec.kind is ToolKind.LIBRARY else spec.source
    return ToolSpec(**{**spec.model_dump(), "source": source, "code_hash": code_hash})


def what_is_outdated(specs: Iterable[ToolSpec]) -> str:
    """One line on the tools that were certified with other code than is installed; "" where there are none."""
    count = sum(renewed(spec) != spec for spec in specs)
    if not count:
        return ""
    subject = "1 tool was" if count == 1 else f"{count} tools were"
    return (
        f"{subject} certified with other code: run `rlar agent build-tools` on their rows or `rlar tools test --store`"
    )
