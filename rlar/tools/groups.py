"""Groups: the completions of one prompt in a batch, and the tools whose scores depend on who else is in it.

A tool says so in its spec (`params["whole_groups"] = true`), since those who cut batches, keep scores or certify hold
the spec before they hold the tool. Such a tool gets a group in one call; its scores are never kept for another batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlar.types import Sample, ToolSpec, digest


def needs_whole_groups(spec: ToolSpec) -> bool:
    """Whether a score depends on the other completions of its prompt."""
    return spec.params.get("whole_groups") is True


def group_key(sample: Sample) -> str:
    """What the completions of one prompt share."""
    return digest(sample.prompt, *(sample.references or ((sample.reference,) if sample.reference else ())), size=32)


def group_indices(samples: Sequence[Sample]) -> list[list[int]]:
    """The indices of each group, groups in order of their first sample."""
    found: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        found.setdefault(group_key(sample), []).append(index)
    return list(found.values())


def pieces(samples: Sequence[Sample], size: int, *, whole_groups: bool) -> list[list[int]]:
    """Indices in pieces of at most `size`; with `whole_groups` no group is cut in two, however large."""
    if not whole_groups:
        indices = list(range(len(samples)))
        return [indices[start : start + size] for start in range(0, len(indices), size)]
    found: list[list[int]] = []
    for group in group_indices(samples):
        if found and len(found[-1]) + len(group) <= size:
            found[-1].extend(group)
        else:
            found.append(group)
    return found
