"""What training hosts call with -> rows and completions, and what they are answered.

Read beside the clients' sources: OpenRLHF 3c3be623 (openrlhf/utils/agent.py), slime 624b824a
(slime/rollout/rm_hub/__init__.py), NeMo-Gym 07d6b0d0 (nemo_gym/base_resources_server.py, judge.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlar.rows.example import RejectedRow
from rlar.scoring.host_rows import HostRow, completion_text, read_host_row, read_templated
from rlar.scoring.scorer import RoutedSample
from rlar.text.chat import answer_of, completion_of
from rlar.types import JsonObject, Reward

Item = RoutedSample | str
"""A sample, or why there is none."""

STATUSES = ("ok", "abstain", "failed", "timeout", "unknown", "uncovered", "unusable")
"""What can become of a completion; "unusable": its row, or it, could not be read."""

NO_TEXT = "the completion is not text (or holds a lone surrogate)"


def of_row(row: Mapping[str, Any], completions: Sequence[Any], *, origin: str = "") -> list[Item]:
    """One item per completion of a row."""
    host_row = read_host_row(row, origin=origin)
    return [_item(host_row, completion_text(completion)) for completion in completions]


def of_openrlhf(query: Any, prompts: Any, labels: Any) -> list[Item] | str:
    """One item per query (templated prompt and response); a text: why the lists do not belong together."""
    queries = [query] if isinstance(query, str) else query
    given: dict[str, list[Any]] = {}
    for name, value in (("prompts", prompts), ("labels", labels)):
        given[name] = [None] * len(queries) if value is None else value if isinstance(value, list) else [value]
        if len(given[name]) != len(queries):
            return f"{len(queries)} queries and {len(given[name])} {name}; one each is expected"
    return [
        _item(read_templated(prompt, label, origin=f"query[{index}]"), _answer(query, prompt))
        for index, (query, prompt, label) in enumerate(zip(queries, given["prompts"], given["labels"], strict=True))
    ]


def openrlhf_answer(statuses: Sequence[str], numbers: Sequence[float]) -> JsonObject:
    """What OpenRLHF takes: numbers always; which of them are none is in `extra_logs`.

    The logs have the same names whatever came, because OpenRLHF stacks those of all samples.
    """
    logs = {f"rlar_{name}": [float(status == name) for status in statuses] for name in STATUSES}
    return {"rewards": list(numbers), "scores": list(numbers), "extra_logs": logs}


def of_slime(prompt: Any, response: str, label: Any, metadata: Any = None) -> Item:
    """The item of a slime sample; `metadata` may carry our columns, too."""
    columns = metadata if isinstance(metadata, dict) else {}
    row = read_templated(prompt, label, origin="the sample", metadata=columns)
    return _item(row, completion_text(completion_of(response)))


def of_nemo_gym(body: Mapping[str, Any]) -> Item:
    """The item of a verify request; every field but `responses_create_params` and `response` is a column."""
    params, given_response = body.get("responses_create_params"), body.get("response")
    params = params if isinstance(params, dict) else {}
    row = {name: value for name, value in body.items() if name not in ("responses_create_params", "response")}
    if "expected_answer" in row:
        row.setdefault("reference", row["expected_answer"])
    turns = (
        [{"role": "system", "content": params["instructions"]}] if isinstance(params.get("instructions"), str) else []
    )
    given = params.get("input")
    if isinstance(given, str):
        turns.append({"role": "user", "content": given})
    for item in given if isinstance(given, list) else ():
        if isinstance(item, dict) and isinstance(item.get("role"), str) and (text := _text(item)):
            turns.append({"role": item["role"], "content": text})
    output = given_response.get("output") if isinstance(given_response, dict) else None
    # Reasoning and tool calls are not what was answered; nothing said at all is an empty completion.
    texts = [
        _text(item)
        for item in (output if isinstance(output, list) else ())
        if isinstance(item, dict) and item.get("role") == "assistant"
    ]
    answer = "\n\n".join(text for text in texts if text)
    return _item(read_host_row({**row, "prompt": turns}, origin="the request"), completion_text(answer))


def nemo_gym_answer(body: Mapping[str, Any], reward: Reward | None, number: float, error: str | None) -> JsonObject:
    """The request with its reward; an unscored one is marked as NeMo-Gym marks a judge that failed.

    It then keeps the row out of its figures, and tries again unless the mark says that this is no use.
    """
    status = "unusable" if reward is None else reward.status
    answer = {**body, "reward": number, "rlar_status": status}
    answer["rlar_fingerprint"] = None if reward is None else reward.fingerprint
    if status != "ok":
        why = error or next((s.explanation for s in reward.scores if s.explanation), "") if reward else error
        answer |= {
            "_ng_failure_class": "judge_failed",
            "_ng_failure_judge_error": f"rlar gave no reward: {status}" + (f" ({why[:300]})" if why else ""),
            "_ng_failure_terminal": status not in ("failed", "timeout"),
        }
    return answer


def _item(row: HostRow | RejectedRow, completion: str | None) -> Item:
    if isinstance(row, RejectedRow):
        return f"{row.origin}: {row.reason}" if row.origin else row.reason
    return NO_TEXT if completion is None else row.sample(completion)


def _answer(query: str, prompt: Any) -> str | None:
    answer = answer_of(query, prompt if isinstance(prompt, str) else None)
    return None if answer is None else completion_text(answer)


def _text(item: JsonObject) -> str:
    """The text of a Responses-API message."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part.get("text") or part.get("refusal") for part in parts]
    return "".join(text for text in texts if isinstance(text, str))
