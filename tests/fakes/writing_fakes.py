"""A chat that answers from a script by what is asked for, and the loop that a build runs around a writer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rlar.agent.sources import Found, Tried
from rlar.agent.write import VerifierWriter
from rlar.gate import certify
from rlar.gate.policy import GatePolicy, load_policy
from rlar.llm.chat import ChatReply, Endpoint
from rlar.llm.ledger import Llm
from rlar.tool import Resources
from rlar.tools.load import load_tool
from rlar.types import JsonObject, LabelledPair, Message, TaskSpec

POLICY = load_policy()


def few_rows() -> GatePolicy:
    """The shipped policy with fewer rows and probes, so that many gates cost a suite little."""
    values = POLICY.model_dump()
    values["budgets"]["pool"].update(rows=5, timed=4, determinism=16)
    return GatePolicy.model_validate(values)


class FakeChat:
    """Answers by the schema's name, in turn; the last answer of a list stays. Records what it was asked."""

    endpoint = Endpoint(model="scripted", base_url="http://127.0.0.1:9/v1", key_variable="RLAR_LLM_KEY")

    def __init__(self, **answers: Sequence[Any]) -> None:
        """`Plans=[...]`, `Written=[...]` ...: JSON values, texts, exceptions to raise, or functions of the messages."""
        self._answers = {name: list(given) for name, given in answers.items()}
        self.asked: list[tuple[str, str]] = []
        """Schema name and all messages' text, in order."""
        self._lock = threading.Lock()

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: JsonObject | None = None,
        schema_name: str = "answer",
        temperature: float = 0.0,
        max_tokens: int | None = None,
        seed: int | None = None,
    ) -> ChatReply:
        text = "\n".join(message.content for message in messages)
        with self._lock:
            self.asked.append((schema_name, text))
            waiting = self._answers[schema_name]
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer(text)
        body = answer if isinstance(answer, str) else json.dumps(answer)
        return ChatReply(
            text=body, model="scripted", input_tokens=100, output_tokens=20, seconds=0.0, finish_reason="stop"
        )

    def count(self, name: str) -> int:
        return sum(asked == name for asked, _ in self.asked)

    def said(self, name: str) -> list[str]:
        return [text for asked, text in self.asked if asked == name]


def plan(name: str, kind: str = "rule") -> JsonObject:
    return {
        "name": name,
        "kind": kind,
        "idea": f"{name} decides",
        "steps": "read, compute, compare",
        "weakness": "none",
    }


def plans(*names: str) -> JsonObject:
    return {"metrics": [plan(name) for name in names]}


def written(code: str) -> JsonObject:
    return {"approach": "as planned", "code": code}


def repaired(code: str, *disputed: str) -> JsonObject:
    return {"cause": "found", "disputed": list(disputed), "code": code}


def first_found(chat: FakeChat, task: TaskSpec, resources: Resources) -> Found:
    """What a writer comes up with at first, before any gate."""
    return VerifierWriter(Llm(chat), resources, policy=few_rows()).write(task, [])


def build(
    chat: FakeChat,
    task: TaskSpec,
    resources: Resources,
    *,
    llm: Llm | None = None,
    tried: Sequence[Tried] = (),
    policy: GatePolicy | None = None,
    rounds: int = 6,
    labelled: Sequence[LabelledPair] = (),
    **writer: Any,
) -> tuple[list[Tried], list[Found]]:
    """Write, try, and write again until something is admitted or nothing comes: what the build's graph does."""
    policy = policy or few_rows()
    author = VerifierWriter(llm or Llm(chat), resources, policy=policy, labelled=lambda task: labelled, **writer)
    tries, rounds_found = list(tried), []
    for _ in range(rounds):
        found = author.write(task, tries)
        rounds_found.append(found)
        if not found.tools:
            break
        for spec in found.tools:
            tool = load_tool(spec, resources)
            tries.append(Tried(tool=spec, certificate=certify(tool, task, policy=policy, seed=0, labelled=labelled)))
        if any(each.certificate.admitted for each in tries):
            break
    return tries, rounds_found
