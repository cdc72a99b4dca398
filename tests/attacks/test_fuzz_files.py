"""Every reader of a file, handed damaged ones: it works, or says in our own words which file is wrong."""

from __future__ import annotations

import gzip
import io
import json
import resource
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rlar import load
from rlar.config import read_config
from rlar.errors import ConfigError, DatasetError, InputError, RegistryError, RlarError
from rlar.evals.diff import compare_results
from rlar.evals.sets import load_files
from rlar.gate.labelled import labelled_pairs
from rlar.gate.policy import load_policy
from rlar.registry.registry import Registry
from rlar.rows.read import completions_of, read_objects, read_rows
from rlar.scoring.lock_file import LockFile, make_lock
from rlar.scoring.scorer import RoutedSample
from rlar.trainer.config import read_train_config
from tests.fakes import serving_rows

pytestmark = pytest.mark.slow
SECONDS = 20.0
"""For one damaged file on a crowded machine; each takes milliseconds."""
GROWTH_MB = 600
"""Peak memory that reading small damaged files may add."""


class Reader(NamedTuple):
    name: str
    """Of the file."""
    valid: Callable[[Path], list[bytes]]
    """Valid files, made in a folder."""
    read: Callable[[Path], Any]
    errors: tuple[type[RlarError], ...]
    """What it may raise, naming the file."""
    examples: int = 60


# ------------------------------------------------------------------------------------------ damage

VALUES = ["null", "true", "0", "-1", "1e999", "-0.0", "9" * 400, "1" + "0" * 30, "NaN", "Infinity", '""', '"x"', '"\\ud800"',
          '"\\u0000"', "[]", "{}", "[[]]", '{"a": 1, "a": 2}', "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200,
          "[" * 5000 + "]" * 5000, '"' + "y" * 5000 + '"', '"2026-01-01"', "[null]", '[{"role": "user", "content": 7}]',
          '[{"role": null, "content": null}]', '{"role": "user"}']  # fmt: skip
SPLICES = [b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n\n", b"\x1b[31m", b"PAR1", b"\x1f\x8b", b"SQLite format 3\x00", b"[" * 3000,
           b"{" * 3000, b"=", b"[[a]]\n", b"a = " + b"[" * 3000, b"a." * 3000 + b"b = 1\n", b'"""', b"9" * 5000]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes after a few flips, cuts, splices and changes of values."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(["flip", "cut", "drop", "twice", "splice", "value", "value", "value"]))
        if kind == "flip":
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "drop":
            data = data[:at] + data[at + draw(st.integers(1, 64)) :]
        elif kind == "twice":
            data = data[:at] + data[max(0, at - draw(st.integers(1, 64))) :]
        elif kind == "splice":
            data = data[:at] + draw(st.sampled_from(SPLICES)) + data[at:]
        else:
            data = _other_value(draw, data)
    return data


def _other_value(draw: st.DrawFn, data: bytes) -> bytes:
    """Another value behind some key of the JSON objects (or TOML) in the text."""
    marks = [index for index, byte in enumerate(data) if byte in b":=" and index + 1 < len(data)]
    if not marks:
        return data
    return _with_value(data, draw(st.sampled_from(marks)) + 1, draw(st.sampled_from(VALUES)))


def _with_value(data: bytes, at: int, value: str) -> bytes:
    rest = data[at:].decode("utf-8", "surrogateescape")
    try:
        space = len(rest) - len(rest.lstrip())
        _value, end = json.JSONDecoder().raw_decode(rest[space:])
        end += space
    except (ValueError, RecursionError):
        end = min(len(rest), 1)
    return data[:at] + f" {value}{rest[end:]}".encode("utf-8", "surrogateescape")


# ------------------------------------------------------------------------------------------ readers

MESSAGES = [{"role": "user", "content": "What is 2 + 2?"}]
SHAPES: list[dict[str, Any]] = [
    {"id": "1", "prompt": "What is 2 + 2?", "reference": "4", "completions": ["4", "5"], "tests": ["assert f(1) == 2"]},
    {"prompt": MESSAGES, "completion": [{"role": "assistant", "content": "4"}], "meta": {"reference": "4", "n": 1.5}},
    {"data_source": "x", "prompt": MESSAGES, "ability": "math", "reward_model": {"style": "rule", "ground_truth": "4"},
     "extra_info": {"index": 1, "split": "train"}},
    {"input": "What is 2 + 2?", "label": "4", "output": "4"},
    {"messages": [*MESSAGES, {"role": "assistant", "content": "4"}], "ground_truth": "4"},
    {"question": "Which?\nA) iron\nB) wood", "choices": {"label": ["A", "B"], "text": ["iron", "wood"]}, "answerKey": "A"},
    {"text": "Write JSON", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    {"prompt": "Sort", "test_cases": [{"input": "1 2", "output": "3"}], "entry_point": "f", "language": "python"},
    {"question": "How many?", "context": "CREATE TABLE t (a INT)", "answer": "SELECT COUNT(*) FROM t"},
]  # fmt: skip


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(_folder: Path) -> list[bytes]:
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    found = []
    for row in SHAPES:
        stream = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist([row] * 3), stream)
        found.append(stream.getvalue())
    return found


def read_every_row(path: Path) -> None:
    list(read_rows([path]))


def read_completions(path: Path) -> None:
    for item in read_objects([path]):
        if hasattr(item, "row"):
            try:
                completions_of(item.row)
            except DatasetError:
                pass


LABELLED: list[dict[str, Any]] = [
    {"prompt": "2 + 2?", "responses": ["4", "5", "6"], "labels": [1.0, 0.0, None], "subset": "a", "meta": {"answer": "4"}},
    {"prompt": "2 + 2?", "chosen": "4", "rejected": "5", "subset": "math"},
    {"id": "ref:1", "prompt": "2 + 2?", "chosen": ["4"], "rejected": ["5", "6"], "num_correct": 1, "subset": "Ties"},
    {"prompt": "2 + 2?", "chosen": ["4", "4.", "**4**"], "rejected": ["5", "5.", "**5**"], "domain": "math"},
    {"question": "2 + 2?", "response_A": "4", "response_B": "5", "label": "A>B", "source": "x"},
    {"problem": "2 + 2?", "steps": ["2 + 2", "is 4"], "label": -1},
    {"prompt": "2 + 2?", "completions": ["4", "5"], "labels": [True, False]},
    {"source": "cat", "src_lang": "en", "tgt_lang": "de", "responses": ["Katze", "Hund"], "human_score": [1.0, 0.2]},
]  # fmt: skip
PAIRS: list[dict[str, Any]] = [
    {"prompt": "2 + 2?", "better": "4", "worse": "5", "reference": "4"},
    {
        "prompt": MESSAGES,
        "chosen": [{"role": "assistant", "content": "4"}],
        "rejected": [{"role": "assistant", "content": "5"}],
    },
    {"prompt": "2 + 2?", "responses": ["4", "5", "6"], "labels": [3, 2, None]},
]
RESULT = {"record": {"format": 1, "kind": "rewards", "seed": 0, "rlar": "0.1", "registry": {"lock_digest": "x"}, "command": ["rlar"],
                     "data": [{"name": "a", "sha256": "b", "rows": 3}]}, "sets": [{"set": "a", "system": "b", "value": 0.5}]}  # fmt: skip
BUILD = b"""dataset = ["a.jsonl", "b.jsonl"]
registry = "registry.db"
seed = 3
llm_price = [0.4, 1.6]
max_cost = 2.5
hub = false
max_bad_fraction = 0.2
"""
TRAIN = b"""registry = "registry.db"
dataset = ["a.jsonl"]
steps = 10
[model]
name = "x"
"""


def registry(folder: Path) -> list[bytes]:
    return [serving_rows.make_registry(folder / "valid.db").read_bytes()]


def read_registry(path: Path) -> None:
    with load(str(path), workers=0) as scorer:
        rows = [RoutedSample(example=serving_rows.example(row), completion="4") for row in serving_rows.ROWS[:4]]
        scorer.score(rows)
    with Registry.open(path, readonly=True) as opened:
        opened.tasks()
        opened.tools()
        opened.certificates()


def lock(folder: Path) -> list[bytes]:
    with Registry.open(serving_rows.make_registry(folder / "lock.db"), readonly=True) as opened:
        return [make_lock(opened).to_text().encode()]


class _NoRouter:
    def assign(self, examples: Any) -> Any:
        from rlar.types import Assignment

        return [Assignment(fingerprint=None, confidence=0.0)] * len(examples)


READERS: dict[str, Reader] = {
    "rows": Reader("rows.jsonl", lambda _: [lines(SHAPES), *(lines([row] * 2) for row in SHAPES)], read_every_row,
                   (DatasetError,), 400),
    "rows, compressed": Reader("rows.jsonl.gz", lambda _: [gzip.compress(lines(SHAPES))], read_every_row, (DatasetError,), 100),
    "rows, Parquet": Reader("rows.parquet", parquet, read_every_row, (DatasetError,), 150),
    "completions": Reader("scored.jsonl", lambda _: [lines(SHAPES)], read_completions, (DatasetError,), 150),
    "labelled sets": Reader("set.jsonl", lambda _: [lines([row] * 2) for row in LABELLED],
                            lambda path: load_files([path]), (DatasetError,), 400),
    "labelled pairs": Reader("pairs.jsonl", lambda _: [lines([row]) for row in PAIRS],
                             lambda path: labelled_pairs(str(path), _NoRouter(), []), (DatasetError,), 300),  # type: ignore[arg-type]
    "results": Reader("report.json", lambda _: [json.dumps(RESULT).encode()], lambda path: compare_results(path, path),
                      (DatasetError,), 200),
    "build settings": Reader("build.toml", lambda _: [BUILD], read_config, (ConfigError,), 200),
    "training settings": Reader("train.toml", lambda _: [TRAIN], lambda path: read_train_config(path, {}), (ConfigError,), 200),
    "policy": Reader("policy.toml", lambda _: [(Path(load_policy.__code__.co_filename).with_name("policy.toml")).read_bytes()],
                     load_policy, (ConfigError,), 150),
    "lock file": Reader("registry.lock", lock, LockFile.read, (RegistryError,), 200),
    "registry": Reader("registry.db", registry, read_registry, (RegistryError,), 60),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_by_name(name: str, tmp_path: Path):
    reader = READERS[name]
    valid = reader.valid(tmp_path)
    path = tmp_path / reader.name
    for data in valid:
        path.write_bytes(data)
        reader.read(path)  # else nothing is tried below
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0

    @settings(max_examples=reader.examples, deadline=None, derandomize=True, database=None,
              phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(data=st.sampled_from(valid).flatmap(damaged))
    def check(data: bytes) -> None:
        nonlocal refused
        for beside in tmp_path.glob(f"{reader.name}?*"):
            beside.unlink()
        path.write_bytes(data)
        started = time.monotonic()
        try:
            reader.read(path)
        except (*reader.errors, InputError) as error:
            refused += 1
            assert reader.name in str(error), f"does not name the file: {error}"
        assert time.monotonic() - started < SECONDS

    check()
    assert refused, "no damage was ever seen"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH_MB * 1024


@pytest.mark.parametrize(
    "name", [name for name, reader in READERS.items() if reader.name.endswith(("jsonl", "json", "toml"))]
)
def test_every_value_may_be_any_other(name: str, tmp_path: Path):
    reader = READERS[name]
    path = tmp_path / reader.name
    refused = 0
    for data in reader.valid(tmp_path)[-len(SHAPES) :]:
        for at in [index + 1 for index, byte in enumerate(data) if byte in b":="]:
            for value in VALUES:
                path.write_bytes(_with_value(data, at, value))
                try:
                    reader.read(path)
                except (*reader.errors, InputError) as error:
                    refused += 1
                    assert reader.name in str(error), f"does not name the file: {error}"
    assert refused or name in ("rows", "completions")  # whose bad rows are told one by one


NOT_FILES: dict[str, Callable[[Path], None]] = {
    "a folder": lambda path: path.mkdir(),
    "nothing": lambda path: path.write_bytes(b""),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "absent": lambda path: None,
}


@pytest.mark.parametrize("what", NOT_FILES)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_refused_by_name(name: str, what: str, tmp_path: Path):
    reader = READERS[name]
    path = tmp_path / reader.name
    NOT_FILES[what](path)
    try:
        reader.read(path)
    except (*reader.errors, InputError) as error:
        assert reader.name in str(error)
    else:
        assert what == "nothing", "read without complaint"  # an empty TOML file has only defaults


def test_the_damage_is_deterministic_and_changes_something():
    made: list[bytes] = []

    @settings(max_examples=20, deadline=None, derandomize=True, database=None)
    @given(data=damaged(lines(SHAPES)))
    def check(data: bytes) -> None:
        made.append(data)

    check()
    assert len(set(islice(made, 20))) > 10
