"""verifiers 0.4's own Task scores a trace through ours; skipped where verifiers is not installed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("verifiers.v1")
import verifiers.v1 as vf
from verifiers.v1.graph import MessageNode
from verifiers.v1.types import AssistantMessage, UserMessage

from rlar.scoring.host_rows import carried
from tests.fakes import serving_rows as rows


class RowData(vf.TaskData):
    answer: str = ""
    rlar_row: str | None = None
    rlar_row_key: str | None = None
    rlar_fingerprint: str | None = None


class RowTask(vf.Task[RowData]):
    pass


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("rewards")
    registry = rows.make_registry(folder / "registry.db")
    file = folder / "my_reward.py"
    file.write_text(
        f"from rlar.integrations.verifiers import RolloutReward\nrlar = RolloutReward({str(registry)!r}, workers=0)\n"
    )
    return vf.TaskConfig(rewards={"rlar": vf.RewardFunctionConfig(fn=f"{file}:rlar", weight=0.5)})


def scored(config: Any, data: RowData, said: str) -> Any:
    task = RowTask(data, config)
    nodes = [
        MessageNode(parent=None, message=UserMessage(content="x"), sampled=False),
        MessageNode(parent=0, message=AssistantMessage(content=said), sampled=True),
    ]
    trace = vf.Trace(
        agent=vf.AgentInfo(config=vf.AgentConfig()), task=vf.TraceTask(type="RowTask", data=data), nodes=nodes
    )
    asyncio.run(task.score(trace))
    return trace


def test_a_plugged_reward_is_recorded_with_its_weight(config: Any):
    data = RowData(idx=0, prompt="What is 2 + 2?", answer="4")
    assert scored(config, data, "It is 4.").rewards["rlar"].score == 1.0
    trace = scored(config, data, "It is 5.")
    assert (trace.rewards["rlar"].score, trace.rewards["rlar"].weight) == (0.0, 0.5)
    exported = RowData(idx=1, prompt="changed by the taskset", **carried(rows.example(rows.ROWS[1]), rows.NUMBER))
    assert scored(config, exported, "42").reward == 0.5


def test_an_unscored_rollout_is_an_error_and_has_no_reward(config: Any):
    data = RowData(idx=2, prompt="Write something nice.")
    with pytest.raises(vf.TaskError, match="uncovered"):
        scored(config, data, "Nice.")
