"""NeMo-Gym: `rlar serve` answers its `/verify` payload; inside a resources server of your own:

    from nemo_gym.base_resources_server import BaseVerifyRequest, SimpleResourcesServer
    from rlar.integrations.nemo_gym import Verifier

    class RlarServer(SimpleResourcesServer):
        async def verify(self, body: BaseVerifyRequest):
            return await VERIFIER.verify(body.model_dump())

    VERIFIER = Verifier("/abs/registry.db")

The rows' other fields (`expected_answer`, `answer`, tests, or the columns of `rlar data export`) are the row's columns.
An unscored completion is marked as NeMo-Gym marks a judge that failed: it stays out of all figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlar.integrations.process import HostScorer, number_of
from rlar.scoring import hosts
from rlar.types import JsonObject


class Verifier:
    """Answers verify requests by a registry."""

    def __init__(self, registry: str | Path, *, neutral: float = 0.0, **settings: Any) -> None:
        self.neutral = neutral
        self.host = HostScorer(registry, **settings)

    async def verify(self, body: Mapping[str, Any]) -> JsonObject:
        """The request with `reward`, `rlar_status` and `rlar_fingerprint`."""
        item = hosts.of_nemo_gym(body)
        (reward,) = await self.host.ascore([item])
        error = item if isinstance(item, str) else None
        return hosts.nemo_gym_answer(body, reward, number_of(reward, self.neutral), error)
