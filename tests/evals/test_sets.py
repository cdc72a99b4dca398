"""Layouts of labelled sets: what each row becomes, and what is refused."""

from __future__ import annotations

import json

import pytest

from rlar.errors import DatasetError
from rlar.evals.sets import load_files


def load(tmp_path, *rows, **options):
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return load_files([path], **options)


def test_the_reference_in_meta_is_found_and_nothing_else_of_meta_reaches_a_tool(tmp_path):
    row = {"id": "a", "prompt": "1+1?", "responses": ["2", "3"], "labels": [1, 0], "subset": "s",
           "meta": {"ground_truth": "2", "labels_plus": [1, 0], "test": "assert f() == 2", "entry_point": "f", "full_prompt": "What is 1+1?"}}  # fmt: skip
    item = load(tmp_path, row).items[0]
    assert item.example.reference == "2" and item.example.text == "What is 1+1?"
    assert item.example.columns == {"test": "assert f() == 2", "entry_point": "f"}
    assert (item.labels, item.metric, item.subset) == ((1.0, 0.0), "pairs", "s")


def test_a_named_reference_wins_and_a_missing_one_is_an_error(tmp_path):
    row = {
        "prompt": "q",
        "responses": ["x", "y"],
        "labels": [1, 0],
        "meta": {"ground_truth": "a", "gold": {"text": "b"}},
    }
    assert load(tmp_path, row, reference="meta.gold.text").items[0].example.reference == "b"
    with pytest.raises(DatasetError, match=r"meta\.nothing"):
        load(tmp_path, row, reference="meta.nothing")


def test_unknown_labels_stay_unknown_and_one_response_is_pooled(tmp_path):
    row = {"prompt": "q", "responses": ["x"], "labels": [None]}
    item = load(tmp_path, row).items[0]
    assert item.labels == (None,) and item.metric == "pooled"


def test_graded_rows_get_a_prompt_and_keep_their_scores(tmp_path):
    row = {
        "source": "Hello.",
        "src_lang": "English",
        "tgt_lang": "German",
        "reference": "Hallo.",
        "responses": ["Hallo"],
        "human_score": [87.5],
    }
    item = load(tmp_path, row).items[0]
    assert item.example.text.startswith("Translate the following text from English to German") and item.labels == (
        87.5,
    )


def test_rewardbench_layouts(tmp_path):
    first = load(tmp_path, {"prompt": "q", "chosen": "good", "rejected": "bad", "subset": "hep-go", "id": 4})
    assert first.layout == "rewardbench" and first.items[0].responses == ("good", "bad")
    rows = [
        {"id": "f-1", "prompt": "q", "chosen": ["a"], "rejected": ["b", "c", "d"], "num_correct": 1, "subset": "Focus"},
        {"id": "tied:3", "prompt": "q", "chosen": ["a", "b"], "rejected": ["c"], "num_correct": 2, "subset": "Ties"},
    ]
    second = load(tmp_path, *rows)
    assert [item.metric for item in second.items] == ["best_of", "ties"] and second.items[1].correct == 2


def test_rm_bench_judgebench_and_step_layouts(tmp_path):
    matrix = load(
        tmp_path, {"id": 1, "prompt": "q", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"], "domain": "chat"}
    )
    assert (matrix.layout, matrix.items[0].metric, matrix.items[0].subset) == ("rm_bench", "matrix", "chat")
    judged = load(
        tmp_path,
        {"pair_id": "p", "question": "q", "response_A": "a", "response_B": "b", "label": "B>A", "source": "livebench"},
    )
    assert judged.items[0].labels == (0.0, 1.0) and judged.items[0].example.reference is None
    steps = load(tmp_path, {"id": "m", "problem": "q", "steps": ["one", "two", "three"], "label": 1, "generator": "g"})
    assert steps.items[0].labels == (1.0, 0.0, None)  # after the first error nobody looked
    assert steps.items[0].responses == ("one", "one\n\ntwo", "one\n\ntwo\n\nthree")
    assert steps.items[0].example.reference is None  # the label says where the error is, not what the answer is
    trl = load(tmp_path, {"prompt": "q", "completions": ["one", "two"], "labels": [True, False]})
    assert trl.layout == "stepwise" and trl.items[0].labels == (1.0, 0.0)


@pytest.mark.parametrize("row", [
    {"prompt": "q", "answer": "x"},
    {"prompt": "q", "responses": ["a"], "labels": [1, 2]},
    {"prompt": "q", "responses": ["a", 3], "labels": [1, 0]},
    {"prompt": "q", "responses": ["a", "b"], "labels": ["1", 0]},
    {"question": "q", "response_A": "a", "response_B": "b", "label": "A=B"},
    {"id": "x", "prompt": "q", "chosen": ["a"], "rejected": ["c"], "num_correct": 1, "subset": "Ties"},
])  # fmt: skip
def test_a_row_that_cannot_be_measured_is_refused(tmp_path, row):
    with pytest.raises(DatasetError):
        load(tmp_path, row)


def test_a_limit_spreads_over_the_file(tmp_path):
    rows = [{"id": str(n), "prompt": f"q{n}", "responses": ["a", "b"], "labels": [1, 0]} for n in range(10)]
    assert [item.example.id for item in load(tmp_path, *rows, limit=3).items] == ["0", "3", "6"]
