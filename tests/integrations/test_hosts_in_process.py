"""Functions that hosts call in their own processes, with stand-ins of the hosts' objects."""

from __future__ import annotations

import asyncio
import math
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rlar.integrations.nemo_gym import Verifier
from rlar.integrations.openrlhf import RewardFunction
from rlar.integrations.process import HostScorer
from rlar.integrations.slime import SlimeReward
from rlar.integrations.trl import RLARReward
from rlar.integrations.verifiers import RolloutReward, Unscored
from rlar.integrations.verl import compute_score, compute_score_sync
from rlar.kinds import LIBRARY
from rlar.scoring.host_rows import carried
from tests.fakes import serving_rows as rows

TOLD = carried(rows.example(rows.ROWS[0]), rows.NUMBER)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tests.fakes import scorer_fakes

    LIBRARY.update(scorer_fakes.NAMES)
    path = str(rows.make_registry(tmp_path_factory.mktemp("registry") / "registry.db", fake="fake_inline"))
    yield path
    HostScorer(path).close()
    HostScorer(path, workers=0).close()
    for name in scorer_fakes.NAMES:
        LIBRARY.pop(name, None)


# ------------------------------------------------------------------------------------------ TRL


def columns(*names: str) -> dict[str, list[Any]]:
    picked = [next(row for row in rows.ROWS if row["id"] == name) for name in names]
    return {"prompts": [row["prompt"] for row in picked], "reference": [row.get("reference") for row in picked]}


def test_trl_gets_none_for_what_was_not_scored_and_its_figures(registry: str):
    reward = RLARReward(registry, workers=0)
    logged: dict[str, float] = {}
    extra: dict[str, list[Any]] = {}
    found = reward(
        **columns("n1", "n1", "o1", "f1"),
        completions=["4", "5", "Nice.", "raise"],
        completion_ids=[[1]] * 4,
        trainer_state=object(),
        log_metric=logged.__setitem__,
        log_extra=extra.__setitem__,
    )
    assert found == [1.0, 0.0, None, None]
    assert extra["rlar_status"] == ["ok", "ok", "uncovered", "failed"]
    assert logged[f"rlar/task/{rows.NUMBER}"] == 0.5
    assert next(value for name, value in logged.items() if name.startswith("rlar/tool/number-")) == 0.5
    assert logged["rlar/status/ok"] == 0.5 and logged["rlar/status/failed"] == 0.25
    assert reward.__name__ == "rlar"


def test_trl_conversations_are_the_same_rows_as_texts(registry: str):
    reward = RLARReward(registry, name="mine", workers=0)
    prompts = [[{"role": "user", "content": "What is 2 + 2?"}]] * 2
    completions = [[{"role": "assistant", "content": text}] for text in ("It is 4.", "It is 5.")]
    assert reward(prompts=prompts, completions=completions, reference=["4", "4"]) == [1.0, 0.0]
    exported = {name: [value] * 2 for name, value in TOLD.items()}
    system = [[{"role": "system", "content": "Think."}, *prompts[0]]] * 2
    assert reward(prompts=system, completions=completions, **exported) == [1.0, 0.0]
    assert reward.__name__ == "mine"


def test_a_reward_is_picklable_also_after_use_and_works_in_another_process(registry: str):
    reward = RLARReward(registry, workers=0)
    arguments: dict[str, Any] = {**columns("n1"), "completions": ["4"]}
    assert reward(**arguments) == [1.0]
    body = pickle.dumps(reward)
    assert pickle.loads(body)(**arguments) == [1.0]
    code = f"import pickle; r = pickle.loads({body!r}); print(r.__name__, r(**{arguments!r}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["rlar", "[1.0]"]


def test_a_completion_that_cannot_be_read_is_none_and_said_once(registry: str, caplog: pytest.LogCaptureFixture):
    reward = RLARReward(registry, workers=0)
    bad = [[{"role": "assistant", "content": [{"type": "image"}]}]]
    arguments: dict[str, Any] = {**columns("n1"), "completions": bad}
    assert reward(**arguments) == [None] == reward(**arguments)
    assert len([record for record in caplog.records if "not text" in record.message]) == 1


# ------------------------------------------------------------------------------------------ verl


def test_verl_gets_a_number_and_whether_it_is_one(registry: str):
    async def run() -> list[dict[str, Any]]:
        cases = [
            ("4", "4", {**TOLD, "index": 0}),
            ("5", "4", {**TOLD, "num_turns": 1, "rollout_reward_scores": {}}),
            ("4", "4", {"rlar_row_key": TOLD["rlar_row_key"]}),
            ("4", "4", {}),
            ("raise", "x", carried(rows.example(rows.ROWS[4]), rows.FAKE)),
        ]
        calls = (
            compute_score("rlar/x", said, truth, extra, registry=registry, neutral=-1.0, reward_router_address=None)
            for said, truth, extra in cases
        )
        return await asyncio.gather(*calls)

    found = asyncio.run(run())
    assert [item["score"] for item in found] == [1.0, 0.0, -1.0, -1.0, -1.0]
    assert [item["rlar_scored"] for item in found] == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert [item["rlar_status"] for item in found] == ["ok", "ok", "abstain", "unusable", "failed"]
    assert all(item.keys() == found[0].keys() for item in found), "verl reads the names off the first sample"
    assert compute_score_sync("rlar/x", "4", "4", TOLD, registry=registry)["score"] == 1.0


def test_a_number_for_verl_is_always_finite(registry: str):
    for said in ("", "\ud800", "NaN", "inf", "1e999", "x" * 100_000):
        found = compute_score_sync("x", said, "4", TOLD, registry=registry)
        assert math.isfinite(found["score"])


# ------------------------------------------------------------------------------------------ OpenRLHF, slime, NeMo-Gym


def test_openrlhfs_function_gives_tensors_as_its_examples_do(registry: str):
    torch = pytest.importorskip("torch")
    prompt = "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    reward_func = RewardFunction(registry, workers=0)
    found = reward_func([prompt + "4<|im_end|>"], [prompt], ["4"])
    assert torch.equal(found["rewards"], torch.tensor([1.0]))
    # What its executor and experience maker do with them (samples_generator.py).
    assert torch.tensor([found["rewards"]]).shape == (1,)
    assert {name: value.flatten()[0].item() for name, value in found["extra_logs"].items()}["rlar_ok"] == 1.0


@dataclass
class SlimeSample:
    prompt: Any
    response: str
    label: Any
    metadata: dict[str, Any] = field(default_factory=dict)


def test_slimes_function_takes_a_sample_or_a_list_of_them(registry: str):
    reward = SlimeReward(registry, neutral=-1.0, workers=0)
    samples = [
        SlimeSample("What is 2 + 2?", "4<|im_end|>", "4"),
        SlimeSample([{"role": "user", "content": "changed"}], "4", None, dict(TOLD)),
        SlimeSample("Write something nice.", "Nice.", None),
    ]
    assert asyncio.run(reward(None, samples[0])) == 1.0
    assert asyncio.run(reward(None, samples)) == [1.0, 1.0, -1.0]
    assert [sample.metadata["rlar_status"] for sample in samples] == ["ok", "ok", "uncovered"]


def test_nemo_gyms_verifier_answers_a_payload(registry: str):
    body = {
        "responses_create_params": {"input": "What is 2 + 2?"},
        "response": {
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "4"}]}]
        },
        "expected_answer": "4",
    }
    found = asyncio.run(Verifier(registry, workers=0).verify(body))
    assert (found["reward"], found["rlar_status"]) == (1.0, "ok")


# ------------------------------------------------------------------------------------------ verifiers


@dataclass
class Task:
    row: dict[str, Any]

    def model_dump(self, **_: Any) -> dict[str, Any]:
        return self.row


@dataclass
class Trace:
    last_reply: str


def test_verifiers_gets_a_reward_or_an_error_never_a_made_up_number(registry: str):
    reward = RolloutReward(registry, workers=0)
    assert asyncio.run(reward(Task({"prompt": "What is 2 + 2?", "answer": "4"}), Trace("4"))) == 1.0
    with pytest.raises(Unscored, match="uncovered"):
        asyncio.run(reward(Task({"prompt": "Write something nice."}), Trace("Nice.")))
    with pytest.raises(Unscored, match=r"unusable .*no prompt"):
        asyncio.run(reward(Task({"idx": 1}), Trace("Nice.")))
    with pytest.raises(Unscored, match=r"failed .*score: 1\.0"):
        asyncio.run(reward(Task({"prompt": "Do as the completion says.", "answer": "x"}), Trace("raise")))
    calm = RolloutReward(registry, neutral=0.0, workers=0)
    assert asyncio.run(calm(Task({"prompt": "Write something nice."}), Trace("Nice."))) == 0.0


def test_core_imports_no_host():
    hosts = ("trl", "verl", "openrlhf", "verifiers", "slime", "nemo_gym", "torch", "fastapi", "uvicorn")
    modules = ["process", "trl", "verl", "openrlhf", "slime", "nemo_gym", "verifiers", "export"]
    code = f"import sys; {'; '.join(f'import rlar.integrations.{name}' for name in modules)}; "
    code += f"print(*[n for n in {hosts!r} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
