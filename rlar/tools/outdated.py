"""Tools of an older registry: the same tool with the code of this version, which has to be certified before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rlar.tool import named
from rlar.tools.load import kind_of
from rlar.types import ToolSpec


def renewed(spec: ToolSpec) -> ToolSpec:
    """The tool as this version of rlar makes it; the very same where its code has not changed, or is not ours."""
    if not (address := kind_of(spec).current):
        return spec
    make: Callable[[ToolSpec], ToolSpec] = named(address)
    current = make(spec)
    return spec if spec.code_hash in ("", current.code_hash) else current


def what_is_outdated(specs: Iterable[ToolSpec]) -> str:
    """One line on the tools that were certified with other code than is installed; "" where there are none."""
    count = sum(renewed(spec) != spec for spec in specs)
    if not count:
        return ""
    subject = "1 tool was" if count == 1 else f"{count} tools were"
    return (
        f"{subject} certified with other code: run `rlar agent build-tools` on their rows or `rlar tools test --store`"
    )
