"""Exported rows: the shapes hosts read, and every row finds its task and its reward again."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner

from rlar import cli
from rlar.errors import ConfigError, DatasetError
from rlar.integrations.export import export_data
from rlar.scoring.hosts import of_openrlhf, of_row
from rlar.scoring.scorer import RoutedSample, Scorer
from tests.fakes import serving_rows as rows

ANSWERS = {"n1": "4", "n2": "42", "c1": "B"}
TRUE = {"n1": 1.0, "n2": 1.0, "c1": 0.0}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(rows.make_registry(tmp_path_factory.mktemp("registry") / "registry.db"))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return rows.write_rows(tmp_path / "mix.jsonl", [*rows.ROWS, rows.STRANGER, {"prompt": ""}])


def test_what_gets_no_reward_is_left_out_counted_and_said(registry: str, dataset: Path, tmp_path: Path):
    said = export_data(registry, [dataset], tmp_path / "out", to="verl")
    assert said.startswith("7 rows -> ") and "train.parquet for verl" in said
    assert "3 with a reward, 2 uncovered (left out), 1 unknown (left out), 1 unusable" in said
    found = parquet.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    assert [row["extra_info"]["index"] for row in found] == [0, 1, 2]
    said = export_data(registry, [dataset], tmp_path / "all.jsonl", to="trl", keep_unscored=True)
    assert "2 uncovered (kept), 1 unknown (kept)" in said
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [line["rlar_fingerprint"] for line in lines] == [
        rows.NUMBER, rows.NUMBER, rows.CHOICE, rows.OPEN, rows.FAKE, None,
    ]  # fmt: skip


def test_verls_rows_have_the_columns_that_its_dataset_and_managers_read(registry: str, dataset: Path, tmp_path: Path):
    export_data(registry, [dataset], tmp_path / "v.parquet", to="verl")
    first = parquet.read_table(tmp_path / "v.parquet").to_pylist()[0]
    assert first["data_source"] == "rlar/number"
    assert first["prompt"] == [{"role": "user", "content": "What is 2 + 2?"}]
    assert first["reward_model"] == {"style": "rule", "ground_truth": "4"}
    assert set(first["extra_info"]) == {"index", "rlar_row", "rlar_row_key", "rlar_fingerprint"}


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.jsonl.gz", "folder"])
@pytest.mark.parametrize("to", ["verl", "trl", "openrlhf"])
def test_a_row_gets_the_same_reward_through_a_host_as_directly(
    registry: str, dataset: Path, tmp_path: Path, to: str, name: str
):
    from rlar.rows.read import read_objects

    export_data(registry, [dataset], tmp_path / name, to=to)  # type: ignore[arg-type]
    target = tmp_path / name if name != "folder" else next((tmp_path / name).iterdir())
    with Scorer(registry, workers=0) as scorer:
        for raw, identity in zip(read_objects([target]), TRUE, strict=True):
            row = raw.row  # type: ignore[union-attr]
            if to == "verl":  # the function gets neither the prompt nor the columns
                host = {"ground_truth": row["reward_model"]["ground_truth"], "extra_info": row["extra_info"]}
            elif to == "openrlhf":
                host = {"label": row["label"]}
            else:
                host = row
            (item,) = of_row(host, [ANSWERS[identity]])
            assert isinstance(item, RoutedSample)
            direct = RoutedSample(
                example=rows.example(rows.ROWS[list(TRUE).index(identity)]), completion=ANSWERS[identity]
            )
            through, without = scorer.score([item, direct])
            assert through == without
            assert through.reward == TRUE[identity]


def test_a_label_of_openrlhf_works_with_whatever_template_the_prompt_went_through(
    registry: str, dataset: Path, tmp_path: Path
):
    export_data(registry, [dataset], tmp_path / "o.jsonl", to="openrlhf", prompt_as="text")
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert lines[0]["prompt"] == "What is 2 + 2?"
    prompt = f"SOME TEMPLATE >>> {lines[0]['prompt']} <<<"
    (item,) = of_openrlhf([prompt + "4</s>"], [prompt], [lines[0]["label"]])
    with Scorer(registry, workers=0) as scorer:
        assert scorer.score([item])[0].reward == 1.0  # type: ignore[list-item]


def test_nothing_is_written_where_nothing_would_get_a_reward(registry: str, tmp_path: Path):
    dataset = rows.write_rows(tmp_path / "mix.jsonl", [rows.ROWS[3], rows.STRANGER])
    for name in ("x.parquet", "x.jsonl"):
        with pytest.raises(DatasetError, match="none of 2 rows would get a reward"):
            export_data(registry, [dataset], tmp_path / name, to="trl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix.jsonl"]


def test_options_that_make_no_sense_are_refused(registry: str, dataset: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="message lists only"):
        export_data(registry, [dataset], tmp_path / "x", to="verl", prompt_as="text")
    with pytest.raises(ConfigError, match="expected a folder or a name"):
        export_data(registry, [dataset], tmp_path / "x.csv", to="trl")
    ended = CliRunner().invoke(
        cli.app, ["data", "export", "--registry", registry, "--dataset", str(dataset), "--to", "ray", "--output", "x"]
    )
    assert ended.exit_code == 2 and "verl, trl, openrlhf" in ended.output


def test_the_command_says_what_it_did(registry: str, dataset: Path, tmp_path: Path):
    ended = CliRunner().invoke(
        cli.app,
        ["data", "export", "-r", registry, "-d", str(dataset), "--to", "openrlhf", "-o", str(tmp_path / "out")],
    )
    assert ended.exit_code == 0 and "3 with a reward" in ended.output
    assert len((tmp_path / "out" / "train.jsonl").read_text().splitlines()) == 3
