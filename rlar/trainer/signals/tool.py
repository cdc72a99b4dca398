"""tool: what one tool of the registry says, whether it was admitted or not; for weak rewards in a first phase (LAMP)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pydantic import PrivateAttr

from rlar.errors import ConfigError
from rlar.kinds.bind import bind
from rlar.registry.registry import Registry
from rlar.scoring.runner import Runner
from rlar.trainer.signals.options import Options
from rlar.types import Contract, Sample, ToolSpec

if TYPE_CHECKING:
    from rlar.trainer.context import Context
    from rlar.trainer.credit import Credit


class Tool(Options):
    """The raw score of a tool, per rollout; NaN where it has none, or where a row is of no known task."""

    id: str
    """Of the tool in the registry (`rlar tools list`)."""

    _spec: ToolSpec | None = PrivateAttr(None)
    _contracts: dict[str, Contract] = PrivateAttr(default_factory=dict)
    _runner: Runner | None = PrivateAttr(None)

    def __call__(self, context: Context) -> Credit:
        """Raises ConfigError where the registry has no such tool."""
        import torch

        from rlar.trainer.credit import Credit

        spec, runner = self._open(context.registry)
        size, texts = context.rollouts.group_size, context.rollouts.texts
        places: dict[str, list[int]] = defaultdict(list)
        for group, row in enumerate(context.rows):
            if row.fingerprint in self._contracts:
                places[row.fingerprint].extend(range(group * size, (group + 1) * size))
        batches = []
        for fingerprint, indices in places.items():
            examples = [context.rows[index // size].example for index in indices]
            bindings = [bind(example, self._contracts[fingerprint]) for example in examples]
            texts_of = [texts[index] for index in indices]
            batches.append((spec, [Sample.of(*each) for each in zip(examples, texts_of, bindings, strict=True)]))
        values = torch.full((len(texts),), float("nan"), dtype=torch.float64)
        for indices, scores in zip(places.values(), runner.run(batches), strict=True):
            for index, score in zip(indices, scores, strict=True):
                if score.value is not None:
                    values[index] = score.value
        return Credit(values)

    def close(self) -> None:
        """End the workers."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _open(self, path: str) -> tuple[ToolSpec, Runner]:
        if self._spec is None or self._runner is None:
            with Registry.open(path, readonly=True) as registry:
                self._spec = registry.tool(self.id)
                self._contracts = {task.fingerprint: task.contract for task in registry.tasks(with_examples=False)}
            if self._spec is None:
                raise ConfigError(f"signals.tool: {path} has no tool {self.id!r}; `rlar tools list` shows them")
            self._runner = Runner(None, workers=1, plugins=(), deadline_seconds=10.0, quarantine_after=16)
        return self._spec, self._runner
