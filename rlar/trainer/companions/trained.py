"""A module with its optimiser, as tensors for a checkpoint and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(eq=False)
class Trained:
    """Parameters with names, and AdamW over them."""

    parameters: dict[str, nn.Parameter]
    optimiser: torch.optim.AdamW

    @classmethod
    def of(cls, parameters: Iterable[tuple[str, nn.Parameter]], *, learning_rate: float) -> Trained:
        """All of them that want a gradient."""
        named = {name: parameter for name, parameter in parameters if parameter.requires_grad}
        return cls(named, torch.optim.AdamW(named.values(), lr=learning_rate, weight_decay=0.0))

    def step(self, max_norm: float) -> None:
        """One step along the gradients, clipped; then without gradients."""
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), max_norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Parameters, and of each the two moments and the count of AdamW."""
        tensors = {f"weights/{name}": parameter.detach().clone() for name, parameter in self.parameters.items()}
        for name, parameter in self.parameters.items():
            for key, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"{key}/{name}"] = value.detach().clone()
        return tensors

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put it back, bit for bit. Raises KeyError or RuntimeError for the state of another module."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[f"weights/{name}"])
                kept = {key: state.get(f"{key}/{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
                if kept["step"] is not None:
                    self.optimiser.state[parameter] = {
                        key: value.to("cpu" if key == "step" else parameter.device).clone()
                        for key, value in kept.items()
                        if value is not None
                    }
