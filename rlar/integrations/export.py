"""`rlar data export`: a dataset in a host's row shape, with the columns by which every row finds its task again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from rlar.errors import ConfigError, DatasetError
from rlar.rows.atomic import atomic_binary_writer, write_jsonl_atomic
from rlar.rows.read import ColumnMap, RowStats, usable_rows
from rlar.scoring.host_rows import FINGERPRINT, ROW, ROW_KEY, carried
from rlar.scoring.scorer import Scorer
from rlar.types import Example, JsonObject, canonical_json

Host = Literal["verl", "trl", "openrlhf"]
PromptAs = Literal["messages", "text"]
CHUNK = 500
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz")


def export_data(
    registry: str,
    dataset: Sequence[str | Path],
    output: str | Path,
    *,
    to: Host,
    prompt_as: PromptAs = "messages",
    keep_unscored: bool = False,
    columns: ColumnMap | None = None,
    max_bad_fraction: float = 0.1,
) -> str:
    """Write the rows for a host and return what to tell: how many of which fate, and where they are.

    Args:
        output: a .parquet, .jsonl or .jsonl.gz file, or a folder, which gets train.parquet (verl) or train.jsonl.
        prompt_as: message lists, which the host puts into a chat template, or plain text (not for verl).
        keep_unscored: keep rows of unknown and uncovered tasks; they never get a reward.

    Raises:
        DatasetError: the dataset cannot be used, or none of its rows would get a reward.
        ConfigError: the output has another name.
        RegistryError: the registry cannot be used.
    """
    if to == "verl" and prompt_as == "text":
        raise ConfigError("verl takes message lists only; leave --prompt-as out")
    target = _target(Path(output), to)
    stats, counts = RowStats(), Counter[str]()
    rows = usable_rows(dataset, stats, columns=columns or ColumnMap(), max_bad_fraction=max_bad_fraction)
    with Scorer(registry, workers=0) as scorer:
        labels = _labels(scorer)
        shaped = _shaped(rows, scorer, labels, to, prompt_as, keep_unscored, counts)
        checked = _some(shaped, counts, stats)
        if target.name.endswith(".parquet"):
            _write_parquet(target, checked, to, prompt_as)
        else:
            write_jsonl_atomic(target, checked)
    fate = "kept" if keep_unscored else "left out"
    parts = [f"{counts['covered']:,} with a reward"]
    parts += [f"{counts[name]:,} {name} ({fate})" for name in ("uncovered", "unknown") if counts[name]]
    parts += [f"{stats.rejected:,} unusable"] if stats.rejected else []
    return f"{stats.read:,} rows -> {target} for {to}: {', '.join(parts)}"


def _target(output: Path, to: Host) -> Path:
    if output.name.endswith(SUFFIXES):
        output.parent.mkdir(parents=True, exist_ok=True)
        return output
    if output.suffix and not output.is_dir():
        raise ConfigError(f"--output {output}: expected a folder or a name that ends in {', '.join(SUFFIXES)}")
    output.mkdir(parents=True, exist_ok=True)
    return output / ("train.parquet" if to == "verl" else "train.jsonl")


def _labels(scorer: Scorer) -> dict[str, str]:
    """A readable name per task: its label, with the fingerprint where two tasks have the same."""
    tasks = scorer.tasks()
    often = Counter(task.label for task in tasks)
    return {
        task.fingerprint: task.label if often[task.label] == 1 else f"{task.label} {task.fingerprint}" for task in tasks
    }


def _shaped(
    rows: Iterable[Example],
    scorer: Scorer,
    labels: dict[str, str],
    to: Host,
    prompt_as: PromptAs,
    keep_unscored: bool,
    counts: Counter[str],
) -> Iterator[JsonObject]:
    iterator = iter(rows)
    shape: Callable[..., JsonObject] = {"verl": _verl, "trl": _trl, "openrlhf": _openrlhf}[to]
    while chunk := list(islice(iterator, CHUNK)):
        formatted = scorer.formatted(chunk)
        for example, as_asked, assignment in zip(chunk, formatted, scorer.assign(chunk), strict=True):
            fingerprint = assignment.fingerprint
            if fingerprint is None:
                fate = "unknown"
            else:
                fate = "covered" if scorer.standing(fingerprint).recipe is not None else "uncovered"
            counts[fate] += 1
            if fate == "covered" or keep_unscored:
                carried_columns = carried(example, fingerprint)
                prompt = _prompt(as_asked, prompt_as)
                yield shape(
                    example, prompt, carried_columns, labels.get(fingerprint or "", "unknown"), sum(counts.values()) - 1
                )


def _prompt(example: Example, prompt_as: PromptAs) -> Any:
    return example.text if prompt_as == "text" else [message.model_dump() for message in example.prompt]


def _verl(example: Example, prompt: Any, columns: JsonObject, label: str, index: int) -> JsonObject:
    return {
        "data_source": f"rlar/{label}",  # verl groups its validation figures by it
        "ability": label,
        "prompt": prompt,
        "reward_model": {"style": "rule", "ground_truth": example.reference or ""},
        "extra_info": {"index": index, **columns},
    }


def _trl(example: Example, prompt: Any, columns: JsonObject, _label: str, _index: int) -> JsonObject:
    return {"prompt": prompt, "reference": example.reference, **columns}


def _openrlhf(_example: Example, prompt: Any, columns: JsonObject, _label: str, _index: int) -> JsonObject:
    # The row as an object, not as text within text: every quote in it would be escaped twice.
    return {"prompt": prompt, "label": canonical_json({**columns, ROW: json.loads(columns[ROW])})}


def _some(rows: Iterator[JsonObject], counts: Counter[str], stats: RowStats) -> Iterator[JsonObject]:
    """The rows; DatasetError at the end, so that nothing is written, where there are none."""
    written = 0
    for row in rows:
        written += 1
        yield row
    if not written:
        raise DatasetError(
            f"none of {stats.read:,} rows would get a reward ({counts['unknown']:,} unknown, "
            f"{counts['uncovered']:,} uncovered); `rlar tasks list` shows what is covered, --keep-unscored writes them"
        )


def _write_parquet(target: Path, rows: Iterator[JsonObject], to: Host, prompt_as: PromptAs) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    text = pyarrow.string()
    ours = [(ROW, text), (ROW_KEY, text), (FINGERPRINT, text)]
    turns = text if prompt_as == "text" else pyarrow.list_(pyarrow.struct([("role", text), ("content", text)]))
    fields = {
        "verl": [
            ("data_source", text),
            ("ability", text),
            ("prompt", turns),
            ("reward_model", pyarrow.struct([("style", text), ("ground_truth", text)])),
            ("extra_info", pyarrow.struct([("index", pyarrow.int64()), *ours])),
        ],
        "trl": [("prompt", turns), ("reference", text), *ours],
        "openrlhf": [("prompt", turns), ("label", text)],
    }
    schema = pyarrow.schema(fields[to])
    with atomic_binary_writer(target) as stream, parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, CHUNK)):
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))
