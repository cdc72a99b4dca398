"""Reading datasets: every shape, every kind of bad row named, every kind of bad file a DatasetError."""

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rlar.errors import DatasetError
from rlar.rows.atomic import atomic_binary_writer, write_text_atomic
from rlar.rows.read import (
    ColumnMap,
    IdSet,
    RejectedRow,
    RowStats,
    check_usable,
    completions_of,
    read_objects,
    read_rows,
    row_to_example,
    usable_rows,
    write_jsonl_atomic,
)
from rlar.types import Example, Message, canonical_json
from tests.fakes.examples import examples


def write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n")
    return path


def only(path: Path, **options) -> Example | RejectedRow:
    (row,) = list(read_rows([path], **options))
    return row


def good(row: dict, **columns) -> Example:
    found = row_to_example(row, "f:1", ColumnMap(**columns))
    assert isinstance(found, Example), found
    return found


def bad(row) -> str:
    found = row_to_example(row, "f:1")
    assert isinstance(found, RejectedRow), found
    assert found.origin == "f:1"
    return found.reason


# ------------------------------------------------------------------------------------------ shapes


def test_rlar_shape():
    row = good({"id": "a", "prompt": "2+2?", "reference": "4", "data_source": "x", "extra_info": {"i": [1]}})
    assert row == Example(
        id="a",
        prompt=(Message(role="user", content="2+2?"),),
        reference="4",
        references=("4",),
        columns={"data_source": "x", "extra_info": {"i": [1]}},
        origin="f:1",
    )


def test_verl_shape_takes_the_ground_truth_and_keeps_the_rest():
    raw = {
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}],
        "reward_model": {"style": "rule", "ground_truth": 4},
        "extra_info": {"index": 7},
    }
    row = good(raw)
    assert row.text == "Be brief.\n\n2+2?"
    assert row.reference == "4"
    assert row.columns == {"reward_model": {"style": "rule"}, "extra_info": {"index": 7}}
    assert raw["reward_model"] == {"style": "rule", "ground_truth": 4}  # the caller's row is left alone


def test_openrlhf_shape():
    row = good({"input": "2+2?", "label": "4"})
    assert (row.text, row.reference, row.columns) == ("2+2?", "4", {})


def test_trl_shape_with_a_named_column_reaches_into_objects():
    row = good({"prompt": "p", "meta": {"gold": "7", "k": 1}, "answer": "no"}, reference="meta.gold")
    assert (row.reference, row.columns) == ("7", {"meta": {"k": 1}, "answer": "no"})


def test_a_named_reference_column_is_the_only_one_tried():
    assert good({"prompt": "p", "reference": "r"}, reference="gold").references == ()


def test_a_named_prompt_column():
    row = good({"question": "q", "prompt": "old"}, prompt="question")
    assert (row.text, row.columns) == ("q", {"prompt": "old"})


@pytest.mark.parametrize("column", ["ground_truth", "label", "answer", "solution", "target"])
def test_usual_answer_columns_are_found(column):
    assert good({"prompt": "p", column: "r"}).reference == "r"


def test_reference_goes_before_other_answer_columns_and_null_does_not_hide_them():
    assert good({"prompt": "p", "answer": "b", "reference": "a"}).reference == "a"
    assert good({"prompt": "p", "answer": "b", "reference": None}).reference == "b"
    assert good({"prompt": "p", "solution": "long way", "answer": "b"}).columns == {"solution": "long way"}


@pytest.mark.parametrize("column", ["completion", "completions", "response", "responses", "output"])
def test_what_is_to_be_scored_is_never_the_reference(column):
    row = good({"prompt": "p", column: "I am right"})
    assert row.reference is None and row.columns == {column: "I am right"}


def test_a_rating_is_not_a_reference():
    assert good({"prompt": "p", "completion": "c", "label": True}).reference is None
    assert good({"prompt": "p", "completions": ["c"], "label": 1}).reference is None
    assert good({"prompt": "p", "label": False}).reference is None


@pytest.mark.parametrize(
    ("value", "references"),
    [
        ("4", ("4",)),
        (" 4 ", (" 4 ",)),
        (4, ("4",)),
        (4.0, ("4",)),
        (0.5, ("0.5",)),
        (-3, ("-3",)),
        (True, ("true",)),
        (False, ("false",)),
        (10**30, (str(10**30),)),
        ({"b": 1, "a": [2]}, ('{"a":[2],"b":1}',)),
        (["a", "b", "a"], ("a", "b")),
        (["a", "", None, " "], ("a",)),
        ([1, 2.0], ("1", "2")),
        ([[1], [2]], ("[[1],[2]]",)),
        ([{"role": "assistant", "content": "hi"}], ("hi",)),
        ("", ()),
        ("  ", ()),
        ([], ()),
        ({}, ()),
        (None, ()),
    ],
)
def test_references_become_text(value, references):
    row = good({"prompt": "p", "reference": value})
    assert row.references == references
    assert row.reference == (references[0] if references else None)


def test_content_parts_are_joined_and_images_are_refused():
    parts = [{"type": "text", "text": "a"}, "b", {"text": "c"}]
    assert good({"prompt": [{"role": "user", "content": parts}]}).text == "abc"
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    assert bad({"prompt": image}) == "message 1 of the prompt has a part of type 'image_url'; only text is supported"


def test_alpaca_rows_are_not_mistaken_for_openrlhf():
    assert "no prompt" in bad({"instruction": "Translate.", "input": "Hund", "output": "dog"})


def test_numeric_ids_become_text_and_missing_ids_depend_on_content_only():
    assert good({"id": 7, "prompt": "p"}).id == "7"
    assert good({"id": 7.0, "prompt": "p"}).id == "7"
    assert good({"id": 0, "prompt": "p"}).id == "0"
    first = row_to_example({"prompt": "p", "reference": "r"}, "a:1")
    again = row_to_example({"prompt": "p", "answer": "r", "x": 1}, "b:9")
    other = row_to_example({"prompt": "pr"}, "b:9")
    assert first.id == again.id != other.id
    assert first.id.startswith("row-")


def test_completions_are_read_from_columns():
    assert completions_of({"completion": "a"}) == ("a",)
    assert completions_of({"completions": ["a", [{"role": "assistant", "content": "b"}]]}) == ("a", "b")
    assert completions_of({"completions": []}) == ()
    assert completions_of({"completion": ""}) == ("",)  # an empty completion is wrong, not unusable
    for columns in ({}, {"completions": "a"}, {"completions": [1]}, {"completion": "\ud800"}):
        with pytest.raises(DatasetError):
            completions_of(columns)


# ------------------------------------------------------------------------------------------ bad rows


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "no prompt: the row has neither `prompt` nor `input` (it has: nothing)"),
        ({"question": "q"}, "(it has: question)"),
        ({"prompt": None}, "no prompt"),
        ({"prompt": ""}, "empty prompt"),
        ({"prompt": " \n\t"}, "empty prompt"),
        ({"prompt": []}, "empty prompt"),
        ({"prompt": [{"role": "user", "content": ""}]}, "empty prompt"),
        ({"prompt": 5}, "the prompt is a number"),
        ({"prompt": {"role": "user", "content": "p"}}, "the prompt is an object"),
        ({"prompt": ["p"]}, "message 1 of the prompt is text"),
        ({"prompt": [{"content": "p"}]}, "message 1 of the prompt has no role"),
        ({"prompt": [{"role": "user"}]}, "content that is null"),
        ({"prompt": [{"role": "user", "content": 3}]}, "content that is a number"),
        ({"prompt": "p", "id": []}, "`id` is a list"),
        ({"prompt": "p", "id": True}, "`id` is a boolean"),
        ({"prompt": "a\x00b"}, "NUL character in the prompt"),
        ({"prompt": "p", "reference": "a\x00"}, "NUL character in `reference`"),
        ({"prompt": "p", "id": "\x00"}, "NUL character in `id`"),
        ({"prompt": "\ud800"}, "lone surrogate in the prompt"),
        ({"prompt": "p", "reference": ["a", "\udfff"]}, "lone surrogate in `reference`"),
        ({"prompt": "p", "reference": float("nan")}, "`reference` is not finite"),
        ({"prompt": "p", "reference": {"a": object()}}, "not a JSON value"),
        ({"prompt": "p", "x": object()}, "a column is not a JSON value"),
        ({"prompt": "p" * (5 * 1024**2 + 1)}, "longer than 5 MB"),
        ([], "not an object but a list"),
        ("text", "not an object but text"),
    ],
)
def test_bad_rows_say_why(row, reason):
    assert reason in bad(row)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"prompt": "p"', "broken JSON"),
        (b"null", "not an object but null"),
        (b"[1]", "not an object but a list"),
        (b'"p"', "not an object but text"),
        (b"3", "not an object but a number"),
        (b'{"prompt": "p\x00"}', "NUL byte at column 14"),
        (b'{"prompt": "p\\u0000"}', "NUL character in the prompt"),
        (b'{"prompt": "\xff"}', "invalid UTF-8 at byte 13"),
        (b'{"prompt": "p", "x": NaN}', "NaN or Infinity is not JSON"),
        (b'{"prompt": "p", "x": -Infinity}', "NaN or Infinity is not JSON"),
        (b'{"prompt": "p", "x": 1e999}', "broken JSON"),
        (b'{"prompt": "\\ud800"}', "broken JSON"),
        (b'{"prompt": "p", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 100"),
        (b'{"prompt": "p", "x": ' + b"[" * 500 + b"]" * 500 + b"}", "nested deeper than 100"),
        (b'{"prompt": "p", "x": ' + b'{"a":' * 101 + b"1" + b"}" * 101 + b"}", "nested deeper than 100"),
        (b'{"prompt": "' + b"x" * (5 * 1024**2) + b'"}', "line longer than 5 MB"),
    ],
)
def test_bad_lines_are_named_and_the_next_one_is_read(tmp_path, line, reason):
    path = write(tmp_path / "a.jsonl", '{"prompt": "one"}', line, '{"prompt": "three"}')
    first, broken, last = read_rows([path])
    assert (first.text, last.text) == ("one", "three")
    assert broken.origin == f"{path}:2" and reason in broken.reason
    assert (first.origin, last.origin) == (f"{path}:1", f"{path}:3")


def test_wide_rows_are_not_deep(tmp_path):
    row = {"prompt": "p", "x": [[i] for i in range(500)]}
    assert only(write(tmp_path / "a.jsonl", json.dumps(row))).columns == {"x": row["x"]}


def test_a_line_of_exactly_the_limit_is_read(tmp_path, monkeypatch):
    line = '{"prompt": "abc"}'
    monkeypatch.setattr("rlar.rows.files.MAX_ROW_BYTES", len(line) + 1)
    rows = list(read_rows([write(tmp_path / "a.jsonl", line, line + " ", line + "  ", line)]))
    assert [isinstance(row, RejectedRow) for row in rows] == [False, False, True, False]


def test_integers_past_64_bits_keep_their_digits(tmp_path):
    big = 2**70 + 1
    row = only(write(tmp_path / "a.jsonl", json.dumps({"prompt": "p", "reference": big, "x": {"y": [big]}})))
    assert row.reference == str(big)
    assert row.columns == {"x": {"y": [big]}}
    out = tmp_path / "out.jsonl"
    write_jsonl_atomic(out, [row.columns])
    assert json.loads(out.read_text()) == row.columns


def test_a_number_of_a_million_digits_is_a_bad_row(tmp_path):
    row = only(write(tmp_path / "a.jsonl", '{"prompt": "p", "reference": ' + "9" * 1_000_000 + "}"))
    assert isinstance(row, RejectedRow)


def test_a_blank_line_counts_between_rows_and_not_at_the_end(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"prompt": "1"}', "", " ", '{"prompt": "2"}', "", "\t")
    rows = list(read_rows([path]))
    assert [row.origin.rpartition(":")[2] for row in rows] == ["1", "2", "3", "4"]
    assert [row.reason for row in rows if isinstance(row, RejectedRow)] == ["empty line", "empty line"]


def test_windows_lines_a_byte_order_mark_and_no_last_newline(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"prompt": "1"}\r\n{"prompt": "2"}')
    assert [row.text for row in read_rows([path])] == ["1", "2"]


def test_duplicate_ids_are_rejected_within_a_file_and_after_the_first_usable(tmp_path):
    row = '{"id": "a", "prompt": "p"}'
    one = write(tmp_path / "a.jsonl", '{"id": "a"}', row, row, '{"id": "b", "prompt": "p"}')
    two = write(tmp_path / "b.jsonl", row)
    rows = list(read_rows([one, two]))
    assert [r.reason if isinstance(r, RejectedRow) else r.id for r in rows] == [
        "no prompt: the row has neither `prompt` nor `input` (it has: id)",
        "a",
        "duplicate id 'a'",
        "b",
        "a",
    ]
    assert not any(isinstance(r, RejectedRow) for r in list(read_rows([one], unique_ids=False))[1:])


def test_equal_rows_without_ids_are_not_duplicates(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"prompt": "p"}', '{"prompt": "p"}')
    assert [type(row) for row in read_rows([path])] == [Example, Example]


@pytest.mark.slow
def test_the_id_set_tells_apart_and_stays_small():
    tracemalloc.start()
    seen = IdSet()
    assert all(seen.add(f"id-{number}") for number in range(200_000))
    assert not any(seen.add(f"id-{number}") for number in range(0, 200_000, 997))
    size, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 12e6  # a set of 200,000 texts takes about 28 MB


# ------------------------------------------------------------------------------------------ bad files


def test_files_that_cannot_be_used_say_so_before_any_row_is_read(tmp_path):
    fine = write(tmp_path / "fine.jsonl", '{"prompt": "p"}')
    cases = {
        "missing.jsonl": (None, "no such file"),
        "empty.jsonl": (b"", "is empty"),
        "empty.parquet": (b"", "is empty"),
        "rows.csv": (b"a,b", "unknown kind of file"),
        "rows": (b"{}", "unknown kind of file"),
        "squeezed.jsonl": (gzip.compress(b"{}"), "name it squeezed.jsonl.gz"),
        "plain.jsonl.gz": (b"{}\n", "is not gzip-compressed"),
        "plain.parquet": (b'{"prompt": 1}', "is not a Parquet file"),
        "table.jsonl": (b"PAR1....", "is a Parquet file"),
        "wide.jsonl": ('{"prompt": "p"}'.encode("utf-16"), "UTF-16"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DatasetError, match=message) as caught:
            read_rows([fine, path])
        assert str(path) in str(caught.value)
    with pytest.raises(DatasetError, match="is a directory"):
        read_rows([tmp_path])
    with pytest.raises(DatasetError, match="no dataset given"):
        read_rows([])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_says_so(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"prompt": "p"}')
    path.chmod(0)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_rows([path])


def test_a_json_array_says_how_to_convert_it(tmp_path):
    with pytest.raises(DatasetError, match="JSON array"):
        list(read_rows([write(tmp_path / "a.json", '[{"prompt": "p"}]')]))


def test_gzip_is_read_and_a_truncated_one_is_named_with_its_line(tmp_path):
    lines = b"".join(json.dumps({"prompt": os.urandom(40).hex()}).encode() + b"\n" for _ in range(2000))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines))
    assert sum(isinstance(row, Example) for row in read_rows([path])) == 2000
    path.write_bytes(gzip.compress(lines)[:-5000])
    with pytest.raises(DatasetError, match=r"damaged gzip data after line \d"):
        list(read_rows([path]))
    damaged = bytearray(gzip.compress(lines))
    damaged[len(damaged) // 2] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(DatasetError, match="damaged gzip"):
        list(read_rows([path]))


def test_an_endless_line_never_comes_into_memory(tmp_path):
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b'{"prompt": "')
        for _ in range(128):
            stream.write(b"x" * 2**20)
        stream.write(b'"}\n{"prompt": "after"}\n')
    tracemalloc.start()
    rows = list(read_rows([path]))
    _size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows[0].reason == "line longer than 5 MB" and rows[1].text == "after"
    assert peak < 25e6


# ------------------------------------------------------------------------------------------ Parquet


def parquet(path: Path, table: pa.Table, **options) -> Path:
    pq.write_table(table, path, **options)
    return path


def test_parquet_gives_the_same_examples_as_jsonl(tmp_path):
    rows = [
        {"id": "a", "prompt": [{"role": "user", "content": "p"}], "reward_model": {"ground_truth": "4"}, "n": 1},
        {"id": "b", "prompt": [{"role": "user", "content": "é"}], "reward_model": {"ground_truth": "5"}, "n": None},
    ]
    table = parquet(tmp_path / "a.parquet", pa.Table.from_pylist(rows))
    lines = write(tmp_path / "a.jsonl", *map(json.dumps, rows))
    one, two = list(read_rows([table])), list(read_rows([lines]))
    assert [row.model_copy(update={"origin": ""}) for row in one] == [
        row.model_copy(update={"origin": ""}) for row in two
    ]
    assert [row.origin for row in one] == [f"{table}:1", f"{table}:2"]


def test_parquet_values_that_json_lacks_become_text_or_are_missing(tmp_path):
    import datetime
    import decimal

    table = pa.table(
        {
            "prompt": ["p"],
            "reference": pa.array([3.0]),
            "when": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC")),
            "day": [datetime.date(2026, 1, 2)],
            "price": [decimal.Decimal("1.50")],
            "nan": [float("nan")],
            "raw": [b"text"],
            "image": [b"\xff\xd8"],
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            "nested": [{"a": [float("nan"), 1.5]}],
        }
    )
    row = only(parquet(tmp_path / "a.parquet", table))
    assert row.reference == "3"
    assert row.columns == {
        "when": "2023-11-14 22:13:20.123456789Z",
        "day": "2026-01-02",
        "price": "1.50",
        "raw": "text",
        "map": [["k", 1]],
        "nested": {"a": [None, 1.5]},
    }


def test_text_in_parquet_that_is_not_utf8_costs_one_row(tmp_path):
    prompts = pa.array([b"ok", b"\xff\xfe", b"fine"]).view(pa.string())
    path = parquet(tmp_path / "a.parquet", pa.table({"prompt": prompts}))
    first, broken, last = read_rows([path])
    assert (first.text, last.text) == ("ok", "fine")
    assert broken.origin == f"{path}:2" and "unreadable value" in broken.reason


def test_a_damaged_parquet_file_is_a_dataset_error(tmp_path):
    table = pa.table({"prompt": [os.urandom(50).hex() for _ in range(2000)]})
    path = parquet(tmp_path / "a.parquet", table)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="damaged or unsupported Parquet"):
        list(read_rows([path]))
    path.write_bytes(whole[:200] + b"\x00" * (len(whole) - 400) + whole[-200:])
    with pytest.raises(DatasetError, match=str(path)):
        list(read_rows([path]))


def test_parquet_is_streamed(tmp_path):
    path = tmp_path / "big.parquet"
    text = "x" * 1000
    with pq.ParquetWriter(
        path, pa.schema([("prompt", pa.string())]), compression="snappy", use_dictionary=False
    ) as out:
        for _ in range(4):  # four row groups of 40 MB
            out.write_table(pa.table({"prompt": [f"{i} {text}" for i in range(40_000)]}))
    before = pa.total_allocated_bytes()
    peak = 0
    for number, _row in enumerate(read_objects([path])):
        if number % 5000 == 0:
            peak = max(peak, pa.total_allocated_bytes() - before)
    assert number == 159_999
    assert peak < 60e6  # the file is 160 MB of text


def test_an_empty_parquet_table_is_no_usable_row(tmp_path):
    path = parquet(tmp_path / "a.parquet", pa.table({"prompt": pa.array([], pa.string())}))
    with pytest.raises(DatasetError, match="no rows at all"):
        list(usable_rows([path], RowStats()))


# ------------------------------------------------------------------------------------------ thresholds


def counted(used: int, rejected: int) -> RowStats:
    stats = RowStats(used=used)
    for number in range(rejected):
        stats.reject(RejectedRow(f"f:{number + 1}", "why"))
    return stats


@pytest.mark.parametrize(
    ("used", "rejected", "fine"),
    [
        (1, 0, True),
        (1, 1, True),
        (1, 2, False),
        (20, 8, True),
        (10, 10, True),
        (12, 11, False),
        (90, 10, True),
        (900, 100, True),
        (899, 101, False),
        (0, 0, False),
        (0, 1, False),
    ],
)
def test_too_many_bad_rows_are_an_error(used, rejected, fine):
    if fine:
        check_usable(counted(used, rejected))
    else:
        with pytest.raises(DatasetError):
            check_usable(counted(used, rejected))


def test_the_error_names_the_first_reasons(tmp_path):
    path = write(tmp_path / "a.jsonl", *['{"question": "q"}'] * 7)
    with pytest.raises(DatasetError) as caught:
        list(usable_rows([path], RowStats()))
    message = str(caught.value)
    assert "no usable row: 7 of 7 rows rejected" in message
    assert f"{path}:1: no prompt: the row has neither `prompt` nor `input` (it has: question)" in message
    assert "... and 2 more" in message


def test_usable_rows_gives_up_early_when_nothing_fits(tmp_path):
    path = write(tmp_path / "a.jsonl", *['{"question": "q"}'] * 5000)
    stats = RowStats()
    with pytest.raises(DatasetError, match="no usable row"):
        list(usable_rows([path], stats))
    assert stats.rejected == 1000
    assert len(stats.first_rejected) == 100


def test_usable_rows_counts(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"prompt": "p"}', "{", '{"prompt": "q"}')
    stats = RowStats()
    assert [row.text for row in usable_rows([path], stats)] == ["p", "q"]
    assert (stats.used, stats.rejected, stats.read) == (2, 1, 3)


# ------------------------------------------------------------------------------------------ fuzz


def drain(path: Path) -> list[Example | RejectedRow]:
    try:
        return list(read_rows([path]))
    except DatasetError:
        return []


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".jsonl", ".jsonl.gz", ".json"]))
def test_arbitrary_bytes_raise_nothing_but_dataset_errors(tmp_path, content, suffix):
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    drain(path)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" if suffix == ".jsonl.gz" else b"{"
    path.write_bytes(head + content)
    drain(path)
    if suffix == ".jsonl.gz":
        path.write_bytes(gzip.compress(content))
        drain(path)


@pytest.mark.slow  # a Parquet file is read in a process of its own
@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8), cut=st.integers(0, 400))
def test_damaged_parquet_raises_nothing_but_dataset_errors(tmp_path, flips, cut):
    path = tmp_path / "whole.parquet"
    if not path.exists():
        rows = [{"id": str(i), "prompt": f"p{i}", "x": {"a": [i]}, "t": None if i % 2 else 1.5} for i in range(50)]
        pq.write_table(pa.Table.from_pylist(rows), path)
    content = bytearray(path.read_bytes())
    for place, value in flips:
        content[4 + place % (len(content) - 4)] = value
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(content[: len(content) - cut] if cut > 200 else content)
    drain(damaged)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(200), bytes(range(256))])
def test_what_is_no_parquet_file_raises_nothing_but_dataset_errors(tmp_path, content):
    path = tmp_path / "fuzz.parquet"
    path.write_bytes(content)
    drain(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(300), deadline=None)
@given(
    row=st.dictionaries(
        st.sampled_from(["id", "prompt", "input", "reference", "reward_model", "label", "answer", "messages", "x"]),
        json_values,
        max_size=5,
    )
)
@example(row={"prompt": "p", "reward_model": {"ground_truth": [{"role": "a", "content": None}]}})
@example(row={"prompt": [{"role": "user", "content": [{"type": "text", "text": None}]}]})
def test_any_object_is_an_example_or_a_named_reason(row):
    found = row_to_example(row, "f:1")
    if isinstance(found, Example):
        # What is kept can be hashed, stored and written: this is where a lone surrogate or a NUL would bite.
        assert found.key and found.prompt_key and found.id
        assert found.text.strip()
        json.dumps(found.columns)
        canonical_json(found.columns)
        found.model_dump_json()
        assert Example.model_validate(found.model_dump()) == found
    else:
        assert found.reason


# ------------------------------------------------------------------------------------------ writing


def test_writing_is_all_or_nothing(tmp_path):
    path = write(tmp_path / "out.jsonl", "old")

    def rows():
        yield {"a": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl_atomic(path, rows())
    assert path.read_text() == "old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.jsonl"]
    assert write_jsonl_atomic(path, [{"a": 1}, {"b": "é"}]) == 2
    assert path.read_text() == '{"a":1}\n{"b":"é"}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = write(tmp_path / "out.jsonl", "old")
    code = (
        "import os, signal, sys; from rlar.rows.read import write_jsonl_atomic\n"
        "def rows():\n"
        "    for i in range(100000): yield {'i': i}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_jsonl_atomic(sys.argv[1], rows())"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert path.read_text() == "old\n"
    assert len(list(tmp_path.iterdir())) == 2, "the test needs the leftover"
    other = tmp_path / "out"  # shares the beginning of the name
    write_jsonl_atomic(other, [])
    assert len(list(tmp_path.iterdir())) == 3
    write_jsonl_atomic(path, [{"a": 1}])
    assert sorted(tmp_path.iterdir()) == [other, path]


def test_a_writer_leaves_the_file_of_one_that_still_writes_alone(tmp_path):
    path = tmp_path / "out.jsonl"

    def rows():
        yield {"slow": 1}
        write_jsonl_atomic(path, [{"quick": 1}])
        assert path.read_text() == '{"quick":1}\n'
        yield {"slow": 2}

    write_jsonl_atomic(path, rows())
    assert path.read_text() == '{"slow":1}\n{"slow":2}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_file_all_finish_and_leave_nothing(tmp_path):
    path = tmp_path / "out.jsonl"
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda n: write_jsonl_atomic(path, [{"n": n}] * 50), range(200)))
    assert counts == [50] * 200
    assert len(set(path.read_text().splitlines())) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["é" * 125, "日" * 80 + ".jsonl", "a" * 250, "*[x]?.jsonl"])
def test_a_long_or_odd_name_is_written_and_its_leftovers_go(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(ZeroDivisionError), atomic_binary_writer(path):
        (leftover,) = tmp_path.iterdir()
        raise ZeroDivisionError
    leftover.write_bytes(b"of a killed writer")
    write_text_atomic(path, "x")
    assert list(tmp_path.iterdir()) == [path]


def test_gzip_output_is_reproducible_and_read_back(tmp_path):
    one, two = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"
    for path in (one, two):
        write_jsonl_atomic(path, [{"prompt": "p"}])
    assert one.read_bytes() == two.read_bytes()
    assert only(one).text == "p"


def test_new_files_get_ordinary_permissions_links_stay_and_bad_targets_say_so(tmp_path):
    path = tmp_path / "a.jsonl"
    write_jsonl_atomic(path, [])
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    write_jsonl_atomic(link, [{"a": 1}])
    assert link.is_symlink() and path.read_text() == '{"a":1}\n'
    with pytest.raises(DatasetError, match="is a directory"):
        write_jsonl_atomic(tmp_path, [])
    with pytest.raises(DatasetError, match="no folder"):
        write_jsonl_atomic(tmp_path / "no" / "a.jsonl", [])


def test_a_device_is_written_directly():
    write_jsonl_atomic("/dev/null", [{"a": 1}])


def test_what_cannot_be_utf8_is_still_written_as_json(tmp_path):
    path = tmp_path / "a.jsonl"
    write_jsonl_atomic(path, [{"a": "\ud800"}])
    assert json.loads(path.read_text()) == {"a": "\ud800"}


# ------------------------------------------------------------------------------------------ real rows

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not beside this checkout")
def test_real_files_are_read_without_a_rejected_row():
    names = ["mix_train", "prompts_biggen", "prompts_math_extra", "lab_gsm8k_solutions"]
    stats = RowStats()
    for _row in usable_rows([SHARED / f"{name}.jsonl" for name in names], stats):
        pass
    assert (stats.used, stats.rejected) == (8189, 0)


def test_an_openrlhf_label_is_still_the_answer_when_completions_are_scored():
    row = row_to_example({"input": "What is 40 + 2?", "label": "42", "completions": ["42"]})
    assert isinstance(row, Example) and row.reference == "42"
    rated = row_to_example({"prompt": "Say hello.", "label": 1, "completion": "hello"})
    assert isinstance(rated, Example) and rated.reference is None
