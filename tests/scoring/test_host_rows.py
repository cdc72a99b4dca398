"""What hosts hand over becomes the very row that the registry knows, or says why it can't."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from rlar.rows.example import RejectedRow, row_to_example
from rlar.scoring.host_rows import HostRow, carried, completion_text, read_host_row, read_templated
from rlar.types import Example


def example(**row: Any) -> Example:
    found = row_to_example(row, "mix.jsonl:1")
    assert isinstance(found, Example)
    return found


def used(found: HostRow | RejectedRow) -> HostRow:
    assert isinstance(found, HostRow), found
    return found


ROWS = [
    example(prompt="What is 2 + 2?", reference="4"),
    example(id="x1", prompt=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a metal.  "}],
            answer=["iron", "Fe"], tests={"inputs": ["1\n"], "n": 2**70}),
    example(prompt="Sing.", label=True, completion="la"),
    example(prompt="Sing.", label=1, completions=["la", "lo"], extra_info={"a": [1, None]}),
    example(prompt="|user|> \u2028 \U0001f600 \x01", reference='{"rlar_row": 1}'),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_a_carried_row_comes_back_as_it_was_from_wherever_a_host_puts_it(row: Example):
    columns = carried(row, "f1-000000000001")
    places: list[dict[str, Any]] = [
        {**columns, "prompt": "changed by the host", "reference": "changed, too"},
        {"prompt": "changed", "ground_truth": "x", "extra_info": {**columns, "index": np.int64(3), "num_turns": 2}},
        {"input": "changed", "label": json.dumps(columns)},
        {"label": json.dumps({**columns, "rlar_row": json.loads(columns["rlar_row"])})},
        {"prompt": None, "metadata": columns},
    ]
    for place in places:
        found = used(read_host_row(place))
        wanted = {name: value for name, value in row.columns.items() if name not in ("completion", "completions")}
        assert found.example.model_copy(update={"origin": "", "columns": wanted}) == row.model_copy(
            update={"origin": "", "columns": wanted}
        )
        assert found.example.columns == wanted
        assert found.example.key == row.key == found.row_key
        assert found.fingerprint == "f1-000000000001"


def test_a_row_key_alone_gives_a_row_without_prompt_and_with_its_reference():
    row_key = ROWS[0].key
    for host in (
        {"ground_truth": "4", "extra_info": {"rlar_row_key": row_key}},
        {"reference": "4", "rlar_row_key": row_key},
        {"label": json.dumps({"rlar_row_key": row_key, "reference": "4"})},
    ):
        found = used(read_host_row(host))
        assert (found.example.prompt, found.example.reference, found.row_key) == ((), "4", row_key)


def test_a_json_label_that_is_not_ours_is_the_reference():
    found = used(read_host_row({"prompt": "Give JSON.", "label": '{"a": 1}'}))
    assert (found.example.reference, found.row_key, found.fingerprint) == ('{"a": 1}', None, None)


def test_values_of_numpy_are_read_as_the_json_that_they_mean():
    host = {"prompt": np.array([{"role": "user", "content": "Pick."}], dtype=object), "answer": np.array(["a", "b"]),
            "n": np.float32(0.5), "bad": float("nan"), "path": object()}  # fmt: skip
    found = used(read_host_row(host))
    assert found.example.references == ("a", "b")
    assert found.example.columns == {"n": 0.5}


@pytest.mark.parametrize(
    "host",
    [
        {},
        {"prompt": ""},
        {"prompt": 5},
        {"reference": "x"},
        {"rlar_row": "{"},
        {"rlar_row": "[]"},
        {"rlar_row": '{"prompt": "", "columns": {}}'},
        {"rlar_row": '{"prompt": "x", "columns": []}'},
        {"rlar_row": 7},
        {"prompt": "x", "deep": json.loads("[" * 200 + "]" * 200)},
        {"rlar_row": '{"prompt": "x", "columns": {"a": ' + "[" * 5000 + "]" * 5000 + "}}"},
        {"prompt": "a\ud800b"},
        {"prompt": "NUL \x00"},
    ],
    ids=str,
)
def test_what_is_no_row_is_rejected_with_a_reason(host: dict[str, Any]):
    found = read_host_row(host, origin="row 3")
    assert isinstance(found, RejectedRow) and found.origin == "row 3" and found.reason


def test_a_fingerprint_of_the_users_own_is_only_a_hint():
    assert used(read_host_row({"prompt": "x", "fingerprint": "f1-0123456789ab"})).fingerprint == "f1-0123456789ab"
    assert used(read_host_row({"prompt": "x", "fingerprint": [1, 0, 1]})).fingerprint is None
    assert used(read_host_row({"prompt": "x", "fingerprint": "C" * 65})).fingerprint is None


def test_a_templated_prompt_is_also_looked_for_without_the_templates_system_turn():
    text = "<|im_start|>system\nYou are Qwen.<|im_end|>\n<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    found = used(read_templated(text, "4"))
    assert [turn.role for turn in found.example.prompt] == ["system", "user"]
    assert found.row_key == ROWS[0].key
    with_label = used(read_templated(text, json.dumps(carried(ROWS[1], None))))
    assert with_label.example.key == ROWS[1].key == with_label.row_key


def test_completions_are_text_or_what_the_assistant_said():
    assert completion_text("4") == "4"
    assert completion_text([{"role": "assistant", "content": "4"}]) == "4"
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert completion_text([{"role": "assistant", "content": parts}]) == "ab"
    agent = [
        {"role": "assistant", "content": None, "tool_calls": [{}]},
        {"role": "tool", "content": "5"},
        {"role": "assistant", "content": "It is 4."},
    ]
    assert completion_text(agent) == "It is 4."
    for bad in (None, 4, [], [{"role": "tool", "content": "4"}], [{"role": "assistant", "content": None}], "\ud800",
                [{"role": "assistant", "content": [{"type": "image"}]}]):  # fmt: skip
        assert completion_text(bad) is None, bad
