"""The bodies of other systems -> rows and completions; what they say back is in app.py.

Read beside the clients' sources: OpenRLHF 3c3be623 (openrlhf/utils/agent.py), slime 624b824a
(slime/rollout/rm_hub/__init__.py), NeMo-Gym 07d6b0d0 (nemo_gym/base_resources_server.py).
"""

from __future__ import annotations

from typing import Any

from rlar.server.wire import RemoteRewardRequest, RmRequest, Row, VerifyRequest
from rlar.tasks.rows import RejectedRow
from rlar.tools.chat_text import answer_of, completion_of
from rlar.tools.host_rows import HostRow, completion_text, read_host_row, read_templated
from rlar.tools.router import RoutedSample
from rlar.types import JsonObject

Item = RoutedSample | str
"""A sample, or why there is none."""

NO_TEXT = "the completion is not text (or holds a lone surrogate)"


def of_row(row: Row, index: int) -> list[Item]:
    """One item per completion of a row of our own route."""
    found = read_host_row(row.columns(), origin=f"rows[{index}]")
    return [_item(found, completion_text(said)) for said in row.said()]


def of_openrlhf(body: RemoteRewardRequest) -> list[Item] | str:
    """One item per query; a text: why the lists do not belong together."""
    queries = [body.query] if isinstance(body.query, str) else body.query
    given: dict[str, list[Any]] = {}
    for name in ("prompts", "labels"):
        value = getattr(body, name)
        given[name] = [None] * len(queries) if value is None else value if isinstance(value, list) else [value]
        if len(given[name]) != len(queries):
            return f"{len(queries)} queries and {len(given[name])} {name}; one each is expected"
    return [
        _item(read_templated(prompt, label, origin=f"query[{index}]"), _answer(query, prompt))
        for index, (query, prompt, label) in enumerate(zip(queries, given["prompts"], given["labels"], strict=True))
    ]


def of_slime(body: RmRequest) -> Item:
    return _item(read_templated(body.prompt, body.label, origin="label"), completion_text(completion_of(body.response)))


def of_nemo_gym(body: VerifyRequest) -> Item:
    asked = body.responses_create_params
    row: JsonObject = dict(body.model_extra or {})
    if "expected_answer" in row:
        row.setdefault("reference", row["expected_answer"])
    turns = [{"role": "system", "content": asked["instructions"]}] if isinstance(asked.get("instructions"), str) else []
    given = asked.get("input")
    if isinstance(given, str):
        turns.append({"role": "user", "content": given})
    for item in given if isinstance(given, list) else ():
        if isinstance(item, dict) and isinstance(item.get("role"), str) and (text := _text(item)):
            turns.append({"role": item["role"], "content": text})
    output = body.response.get("output")
    # Reasoning and tool calls are not what was answered; nothing said at all is an empty completion.
    said = [
        _text(item)
        for item in (output if isinstance(output, list) else ())
        if isinstance(item, dict) and item.get("role") == "assistant"
    ]
    answer = "\n\n".join(text for text in said if text)
    return _item(read_host_row({**row, "prompt": turns}, origin="the request"), completion_text(answer))


def _item(row: HostRow | RejectedRow, completion: str | None) -> Item:
    if isinstance(row, RejectedRow):
        return f"{row.origin}: {row.reason}" if row.origin else row.reason
    return NO_TEXT if completion is None else row.sample(completion)


def _answer(query: str, prompt: Any) -> str | None:
    found = answer_of(query, prompt if isinstance(prompt, str) else None)
    return None if found is None else completion_text(found)


def _text(item: JsonObject) -> str:
    """The text of a Responses-API message."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part.get("text") or part.get("refusal") for part in parts]
    return "".join(text for text in texts if isinstance(text, str))
