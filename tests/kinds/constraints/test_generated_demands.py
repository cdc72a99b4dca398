"""Prompts that nobody wrote: demands on form that are not read never bring full marks, and content and manner never cost them.

The reading was tuned on seeds 0 to 399 of both; the seeds here were not looked at before they were tried.
"""

from __future__ import annotations

import random

from rlar.kinds.constraints.verify import Constraints
from rlar.tool import Resources
from rlar.types import Sample, ToolKind, ToolSpec
from tests.fakes.generated_demands import Prompted, prompt_of

TOOL = Constraints(
    ToolSpec(kind=ToolKind.LIBRARY, name="constraints", source="rlar.kinds.constraints.verify:Constraints"),
    Resources(),
)


def values(made: Prompted) -> list[float | None]:
    return [each.value for each in TOOL.score([Sample(prompt=made.prompt, completion=text) for text in made.texts])]


def test_of_full_marks_beside_an_unfamiliar_demand_at_most_one_in_twenty_is_wrong():
    full, wrong = 0, []
    for seed in range(10_000, 10_300):
        made = prompt_of(random.Random(seed), unfamiliar=True, texts=6)
        for value, kept in zip(values(made), made.kept, strict=True):
            full += value == 1.0
            if value == 1.0 and not kept:
                wrong.append(made.prompt)
    assert len(wrong) <= 0.05 * full, (full, wrong)


def test_content_and_manner_beside_familiar_demands_rarely_cost_the_verdict():
    silent, refused = [], []
    for seed in range(20_000, 20_300):
        made = prompt_of(random.Random(seed), unfamiliar=False, texts=1)
        (value,) = values(made)
        silent += [made.prompt] * (value is None)
        refused += [made.prompt] * (value is not None and value < 1.0)
    assert refused == []
    assert len(silent) <= 0.03 * 300, silent
