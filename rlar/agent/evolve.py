"""What training has the agent do with rows it knows no task of, and with tools it doubts."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make_evolver(registry: str) -> Any:
    """What training calls to have unknown rows and tools in doubt looked at: a build of the agent on the same registry."""

    def evolve(examples: Any, tools: dict[str, str]) -> bool:
        import tempfile

        from rlar.agent.build import build_tools
        from rlar.config import BuildConfig
        from rlar.gate.retest import retest
        from rlar.registry.registry import Registry
        from rlar.rows.read import write_jsonl_atomic

        with Registry.open(registry, readonly=True) as before:
            version = before.data_version()
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "unknown.jsonl"
            written = write_jsonl_atomic(
                rows,
                (
                    {
                        **example.columns,
                        "prompt": [turn.model_dump() for turn in example.prompt],
                        **({"reference": list(example.references)} if example.references else {}),
                    }
                    for example in examples
                ),
            )
            if written:
                build_tools(BuildConfig(dataset=(str(rows),), registry=registry, report=None))
        for tool in tools:
            retest(registry, tool, store=True)  # one that keeps failing is rejected, and its task uncovered
        with Registry.open(registry, readonly=True) as after:
            changed = after.data_version() != version
        if tools:
            with Registry.open(registry) as writing:
                for tool, why in tools.items():
                    writing.add_event("doubted", who="rlar train", subject=tool, details={"why": why})
        return changed

    return evolve
