"""Labelled sets by name: a file, a folder of files, or a dataset repository of the Hub pinned to one commit.

`hf:org/name[@revision][:split]`. Only JSONL and Parquet are read, by our own readers: a repository's loading script is
never run. Whatever the revision says, what is downloaded and recorded is the commit that it stood for.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from rlar.errors import DatasetError, HubError
from rlar.evals.sets import LabelledSet, load_files

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PREFIX = "hf:"
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz")
MAX_BYTES = 2_000_000_000
"""A benchmark of rewards is a few dozen megabytes; more than this is another kind of data set."""
_NAME = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^:@\s]+))?(?::(?P<split>[\w.-]+))?")
_SHARD = re.compile(r"-\d{5}-of-\d{5}(?:-[0-9a-f]+)?$")
_PART = re.compile(r"\d{3,}")
"""Name of a shard in the Hub's own conversion: default/train/0000.parquet."""

T = TypeVar("T")


class HubName(NamedTuple):
    """What `hf:...` names."""

    repo: str
    revision: str | None
    split: str | None


def parse_name(text: str) -> HubName:
    """The parts of a name. Raises DatasetError."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise DatasetError(f"{text}: expected hf:org/name, hf:org/name@revision or hf:org/name@revision:split")
    return HubName(match["repo"], match["revision"], match["split"])


def load_sets(
    source: str | Path, *, reference: str | None = None, limit: int = 0, endpoint: str | None = None
) -> list[LabelledSet]:
    """The labelled sets of a file (one), a folder (one a file) or a Hub repository (one: the split).

    Args:
        reference, limit: as in load_files.
        endpoint: of the Hub; None: the client's own (HF_ENDPOINT).

    Raises:
        DatasetError: nothing usable there, or a repository of several splits and none named.
        HubError: the Hub cannot be reached, or does not let us have it.
    """
    text = str(source)
    if text.startswith(PREFIX):
        name = parse_name(text)
        revision, files = download(name, endpoint=endpoint)
        loaded = load_files(files, name=_set_name(name), path=text, reference=reference, limit=limit)
        return [dataclasses.replace(loaded, revision=revision)]
    path = Path(source)
    if not path.is_dir():
        return [load_files([path], reference=reference, limit=limit)]
    usable = sorted(file for file in path.iterdir() if file.is_file() and file.name.lower().endswith(SUFFIXES))
    if not usable:
        raise DatasetError(f"{path}: no file in this folder ends in {', '.join(SUFFIXES)}")
    return [load_files([file], reference=reference, limit=limit) for file in usable]


def record_of(data: LabelledSet, *, limit: int = 0) -> dict[str, Any]:
    """What a result says about a set that it was measured on."""
    facts = {"name": data.name, "sha256": data.sha256, "layout": data.layout, "items": len(data.items), "limit": limit}
    return {**facts, "source": data.path, "revision": data.revision} if data.revision else facts


def download(name: HubName, *, endpoint: str | None = None) -> tuple[str, list[Path]]:
    """The commit, and the local copies of the split's files at that commit, shards in order.

    Raises:
        DatasetError: no file of these kinds, too much, or several splits and none named.
        HubError: the Hub cannot be reached, or does not let us have it.
    """
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi(endpoint=endpoint)
    info = _asked(lambda: api.dataset_info(name.repo, revision=name.revision, files_metadata=True), name, api)
    if not info.sha:
        raise HubError(f"{api.endpoint}: names no commit of the data set {name.repo}")
    sizes = {item.rfilename: item.size or 0 for item in info.siblings or []}
    files = chosen_files(list(sizes), name)
    total = sum(sizes[file] for file in files)
    if total > MAX_BYTES:
        raise DatasetError(
            f"{name.repo}: {total:,} bytes, more than {MAX_BYTES:,}; download it yourself and name the file"
        )
    sha = str(info.sha)
    return sha, [
        Path(
            _asked(
                lambda file=file: hf_hub_download(  # type: ignore[misc]
                    name.repo, file, repo_type="dataset", revision=sha, endpoint=api.endpoint
                ),
                name,
                api,
            )
        )
        for file in files
    ]


def chosen_files(files: Sequence[str], name: HubName) -> list[str]:
    """The files of the named split among a repository's, sorted. Raises DatasetError that lists the splits."""
    splits: dict[str, list[str]] = {}
    for file in sorted(files):
        if file.lower().endswith(SUFFIXES):
            splits.setdefault(split_of(file), []).append(file)
    if not splits:
        raise DatasetError(
            f"{name.repo}: no {', '.join(SUFFIXES)} in it; many others exist converted: hf:{name.repo}@refs/convert/parquet"
        )
    wanted = name.split
    if wanted is None and len(splits) == 1:
        wanted = next(iter(splits))
    if wanted not in splits:
        what = f"no split {wanted!r}" if wanted else "several splits"
        raise DatasetError(f"{name.repo}: {what}; name one of {', '.join(f':{split}' for split in splits)}")
    return splits[wanted]


def split_of(file: str) -> str:
    """The split that a file belongs to: `data/test-00000-of-00002.parquet` and `default/test/0000.parquet` are of `test`."""
    path = Path(file)
    stem = path.name
    for suffix in SUFFIXES:
        if stem.lower().endswith(suffix):
            stem = stem[: -len(suffix)]
    stem = _SHARD.sub("", stem)
    return path.parent.name if _PART.fullmatch(stem) and path.parent.name else stem


def _set_name(name: HubName) -> str:
    return name.repo.split("/")[1] + (f":{name.split}" if name.split else "")


def _asked(call: Callable[[], T], name: HubName, api: HfApi) -> T:
    """The answer of the Hub, or its refusal as HubError that says what to do."""
    from huggingface_hub import errors

    what = f"{name.repo}@{name.revision}" if name.revision else name.repo
    try:
        return call()
    except errors.GatedRepoError as error:
        raise HubError(
            f"{what}: this data set is gated; accept its terms on {api.endpoint} and set HF_TOKEN"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(f"{what}: no such revision") from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(f"{what}: no such data set on {api.endpoint}, or it is private: set HF_TOKEN") from error
    # HTTPError is that of the client's own HTTP library, which is not the same in each of its versions.
    except (errors.HTTPError, errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:  # type: ignore[attr-defined]
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise HubError(
            f"{what}: {api.endpoint} gives no answer that can be used ({first[:200]}); try again, or name a local file"
        ) from error
