"""Labelled sets from folders and from the Hub, over real HTTP."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlar.errors import DatasetError, HubError
from rlar.evals.hub_sets import chosen_files, load_sets, parse_name, split_of
from rlar.evals.rewards import evaluate_rewards
from tests.fakes import dataset_hub
from tests.fakes.labelled_rows import labelled, make_registry, write


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dataset_hub.DatasetHub]:
    """A Hub of data sets, and a cache of its own for the client."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "")
    with dataset_hub.running() as running:
        yield running


def jsonl(*rows: dict) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(*rows: dict) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), buffer)
    return buffer.getvalue()


REWARDBENCH = [{"prompt": f"q{n}", "chosen": "good", "rejected": "bad", "subset": "hep-go", "id": n} for n in range(4)]
REWARDBENCH2 = [
    {"id": "f-1", "prompt": "q", "chosen": ["a"], "rejected": ["b", "c", "d"], "num_correct": 1, "num_rejected": 3,
     "total_completions": 4, "models": ["m"], "subset": "Focus", "additional_metadata": None},
    {"id": "ref:3", "prompt": "q", "chosen": ["a"], "rejected": ["b", "c"], "num_correct": 1, "num_rejected": 2,
     "total_completions": 3, "models": ["m"], "subset": "Ties", "additional_metadata": None},
    {"id": "tied:3", "prompt": "q", "chosen": ["a", "b"], "rejected": ["c"], "num_correct": 2, "num_rejected": 1,
     "total_completions": 3, "models": ["m"], "subset": "Ties", "additional_metadata": None},
]  # fmt: skip
RM_BENCH = [{"id": "1", "prompt": "q", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"], "domain": "chat"}]
JUDGEBENCH = [{"pair_id": "p", "question": "q", "response_A": "a", "response_B": "b", "label": "B>A", "source": "live", "original_id": "1", "response_model": "m"}]  # fmt: skip
PROCESSBENCH = [{"id": "gsm8k-0", "generator": "g", "problem": "q", "steps": ["one", "two"], "final_answer_correct": False, "label": 1}]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "name", "layout", "metrics"),
    [
        ({"data/filtered-00000-of-00001.parquet": parquet(*REWARDBENCH), "data/raw-00000-of-00001.parquet": b""},
         "@main:filtered", "rewardbench", ["pairs"] * 4),
        ({"data/test-00000-of-00001.parquet": parquet(*REWARDBENCH2), "README.md": b"---\n---\n"},
         "", "rewardbench2", ["best_of", "ties", "ties"]),
        ({"total_dataset.json": b"[]", "default/train/0000.parquet": parquet(*RM_BENCH)}, "", "rm_bench", ["matrix"]),
        ({"data/gpt-00000-of-00001.parquet": parquet(*JUDGEBENCH), "data/claude-00000-of-00001.parquet": b""},
         "@main:gpt", "judgebench", ["pairs"]),
        ({"gsm8k.jsonl": jsonl(*PROCESSBENCH), "math.jsonl": b""}, ":gsm8k", "processbench", ["pairs"]),
    ],
    ids=["rewardbench", "rewardbench2", "rm_bench", "judgebench", "processbench"],
)  # fmt: skip
def test_the_public_layouts_load_from_the_hub(
    hub: dataset_hub.DatasetHub, files: dict[str, bytes], name: str, layout: str, metrics: list[str]
):
    commit = hub.put("org/bench", files)
    (found,) = load_sets(f"hf:org/bench{name}", endpoint=hub.url)
    assert (found.layout, found.revision) == (layout, commit)
    assert [item.metric for item in found.items] == metrics
    assert found.path == f"hf:org/bench{name}"


def test_shards_are_one_set_in_order_and_only_the_split_is_downloaded(hub: dataset_hub.DatasetHub):
    files = {f"data/test-{part:05}-of-00002.parquet": parquet(*REWARDBENCH[2 * part :][:2]) for part in (1, 0)}
    hub.put(
        "org/bench", {**files, "data/train-00000-of-00001.parquet": b"not asked for", "loader.py": b"raise SystemExit"}
    )
    (found,) = load_sets("hf:org/bench:test", endpoint=hub.url)
    assert [item.example.text for item in found.items] == ["q0", "q1", "q2", "q3"]
    assert not any("train" in line or "loader.py" in line for line in hub.asked)


def test_what_is_recorded_is_the_commit_and_naming_it_gives_the_same_after_the_branch_moved(
    hub: dataset_hub.DatasetHub,
):
    first = hub.put("org/bench", {"test.jsonl": jsonl(*REWARDBENCH)})
    (before,) = load_sets("hf:org/bench", endpoint=hub.url)
    second = hub.put("org/bench", {"test.jsonl": jsonl(*REWARDBENCH[:1])})
    (after,) = load_sets("hf:org/bench", endpoint=hub.url)
    (pinned,) = load_sets(f"hf:org/bench@{first}", endpoint=hub.url)
    assert (before.revision, after.revision) == (first, second)
    assert (pinned.revision, pinned.sha256, len(pinned.items)) == (first, before.sha256, 4)
    assert after.sha256 != before.sha256


def test_a_result_on_a_hub_set_stores_where_it_is_from(
    hub: dataset_hub.DatasetHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # What HF_ENDPOINT sets when the client is imported.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    commit = hub.put("org/bench", {"test.jsonl": jsonl(*(labelled(index) for index in range(8)))})
    found = evaluate_rewards(make_registry(tmp_path), [Path("hf:org/bench@main:test")], without=())
    (data,) = found["record"]["data"]
    assert (data["source"], data["revision"], data["name"]) == ("hf:org/bench@main:test", commit, "bench:test")
    router = next(row for row in found["sets"][0]["systems"] if row["system"] == "router")
    assert router["value"] == 1.0


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "GatedRepo", "is gated; accept its terms"),
        (401, "RepoNotFound", "no such data set on .* set HF_TOKEN"),
        (500, "", "gives no answer that can be used"),
    ],
)
def test_a_refusal_says_what_to_do(hub: dataset_hub.DatasetHub, status: int, code: str, says: str):
    hub.refused["org/bench"] = (status, code)
    with pytest.raises(HubError, match=says):
        load_sets("hf:org/bench", endpoint=hub.url)


def test_a_missing_repository_revision_or_hub_is_named(hub: dataset_hub.DatasetHub):
    with pytest.raises(HubError, match="org/nothing: no such data set"):
        load_sets("hf:org/nothing", endpoint=hub.url)
    hub.put("org/bench", {"test.jsonl": jsonl(*REWARDBENCH)})
    with pytest.raises(HubError, match="org/bench@v9: no such revision"):
        load_sets("hf:org/bench@v9", endpoint=hub.url)
    with pytest.raises(HubError, match=r"gives no answer .* or name a local file"):
        load_sets("hf:org/bench", endpoint="http://127.0.0.1:9")


def test_several_splits_must_be_named_and_other_files_are_not_read(hub: dataset_hub.DatasetHub):
    hub.put("org/bench", {"a.jsonl": b"", "b.parquet": b"", "c.json": b"[]"})
    with pytest.raises(DatasetError, match="several splits; name one of :a, :b"):
        load_sets("hf:org/bench", endpoint=hub.url)
    with pytest.raises(DatasetError, match="no split 'c'"):
        load_sets("hf:org/bench:c", endpoint=hub.url)
    hub.put("org/other", {"c.json": b"[]", "pickled.pkl": b"x"})
    with pytest.raises(DatasetError, match="refs/convert/parquet"):
        load_sets("hf:org/other", endpoint=hub.url)
    assert not any("resolve" in line for line in hub.asked)


def test_too_much_is_not_downloaded(hub: dataset_hub.DatasetHub, monkeypatch: pytest.MonkeyPatch):
    hub.put("org/bench", {"test.jsonl": jsonl(*REWARDBENCH)})
    monkeypatch.setattr("rlar.evals.hub_sets.MAX_BYTES", 10)
    with pytest.raises(DatasetError, match="more than 10; download it yourself"):
        load_sets("hf:org/bench", endpoint=hub.url)
    assert not any("resolve" in line for line in hub.asked)


def test_a_folder_is_a_set_a_file(tmp_path: Path):
    write(tmp_path / "b.jsonl", REWARDBENCH)
    (tmp_path / "a.parquet").write_bytes(parquet(*RM_BENCH))
    (tmp_path / "notes.txt").write_text("not a set")
    assert [(each.name, each.layout, each.revision) for each in load_sets(tmp_path)] == [
        ("a", "rm_bench", ""),
        ("b", "rewardbench", ""),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no file in this folder"):
        load_sets(tmp_path / "empty")


def test_names_and_splits():
    assert parse_name("hf:org/name") == ("org/name", None, None)
    assert parse_name("hf:org/na.me@refs/convert/parquet:test") == ("org/na.me", "refs/convert/parquet", "test")
    for bad in ("hf:name", "hf:a/b/c", "hf:../../etc", "hf:org/name:", "hf:org/name@", "hf://org/name"):
        with pytest.raises(DatasetError, match="expected hf:org/name"):
            parse_name(bad)
    splits = {"data/test-00000-of-00002.parquet": "test", "data/test-00000-of-00001-1a2b.parquet": "test",
              "default/test/0000.parquet": "test", "test.jsonl.gz": "test", "0000.parquet": "0000"}  # fmt: skip
    assert {file: split_of(file) for file in splits} == splits
    assert chosen_files(["x.py", "b-00001-of-00002.parquet", "b-00000-of-00002.parquet"], parse_name("hf:o/n")) == [
        "b-00000-of-00002.parquet",
        "b-00001-of-00002.parquet",
    ]
