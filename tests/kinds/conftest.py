"""Scoring one completion with a library tool, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rlar.kinds import library_class
from rlar.tool import LibraryTool, Resources
from rlar.tools.library import library_spec
from rlar.types import Sample, Score

Scored = Callable[..., Score]


@pytest.fixture(scope="session")
def scored() -> Scored:
    tools: dict[str, LibraryTool] = {}

    def score(
        name: str,
        completion: str,
        reference: str | None = None,
        *aliases: str,
        prompt: str = "What is it?",
        **binding: Any,
    ) -> Score:
        if name not in tools:
            tools[name] = library_class(name)(library_spec(name), Resources())
        references = () if reference is None else (reference, *aliases)
        sample = Sample(
            prompt=prompt, completion=completion, reference=reference, references=references, binding=binding
        )
        return tools[name].score([sample])[0]

    return score
