"""Files of one model at one commit: which are wanted, where they lie, that they are the ones that were certified. No torch."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlar.errors import HubError, ToolError, boundary
from rlar.foreign import parse_json
from rlar.types import JsonObject

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SOURCE = re.compile(r"(?P<repo>(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95})@(?P<sha>[0-9a-f]{40})")
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
TOKENIZER_FILES = frozenset(
    {
        "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "spm.model", "sentencepiece.bpe.model",
        "chat_template.jinja", "chat_template.json",
    }
)  # fmt: skip
LONGEST_JSON = 64_000_000
MOST_PARAMETERS = 10**13


def parse_source(source: str) -> tuple[str, str]:
    """(repository, commit) of a tool's source "org/name@<40 hex digits>". Raises ToolError for anything else."""
    match = SOURCE.fullmatch(source)
    if match is None:
        raise ToolError(f"a reward model is named org/name@<commit of 40 hex digits>, not {source[:120]!r}")
    return match["repo"], match["sha"]


def small_files(names: Iterable[str]) -> list[str]:
    """Configuration, index and tokenizer, of the files of a repository."""
    return sorted(name for name in names if name in TOKENIZER_FILES or name in {"config.json", INDEX})


def weight_files(names: Iterable[str], index: JsonObject | None) -> list[str]:
    """The safetensors files that hold the model: the single one, or the shards of the index.

    Raises:
        ToolError: no safetensors, or an index that names a file elsewhere or one that is not there.
    """
    there = set(names)
    if WEIGHTS in there and INDEX not in there:
        return [WEIGHTS]
    if INDEX not in there:
        other = sorted(name for name in there if name.endswith((".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5")))
        shown = f"only {other[0]}, which may run code when it is opened" if other else "no weights at all"
        raise ToolError(f"no safetensors weights ({shown})")
    shards = sorted({str(shard) for shard in dict((index or {}).get("weight_map") or {}).values()})
    for shard in shards:
        if shard != WEIGHTS and not SHARD.fullmatch(shard):
            raise ToolError(f"{INDEX} points outside the model's own files: {shard[:80]!r}")
        if shard not in there:
            raise ToolError(f"{INDEX} names {shard}, which is not in the repository")
    if not shards:
        raise ToolError(f"{INDEX} names no weights")
    return shards


def cache_folder(cache_dir: str | Path | None) -> Path:
    """Where downloaded models lie: the given folder, or the Hub client's own."""
    from huggingface_hub import constants

    return Path(cache_dir or constants.HF_HUB_CACHE).expanduser()


def snapshot_folder(repo: str, sha: str, cache_dir: str | Path | None) -> Path:
    """Where the files of one commit lie once they are downloaded (layout of the Hub client's cache)."""
    return cache_folder(cache_dir) / f"models--{repo.replace('/', '--')}" / "snapshots" / sha


def is_here(repo: str, sha: str, names: Iterable[str], cache_dir: str | Path | None) -> bool:
    """Whether all these files are downloaded already."""
    folder = snapshot_folder(repo, sha, cache_dir)
    return all((folder / name).is_file() for name in names)


def download(api: HfApi, repo: str, sha: str, names: Iterable[str], cache_dir: str | Path | None) -> Path:
    """Exactly these files of exactly this commit; nothing is asked for where they are here already.

    Raises:
        HubError: they cannot be had; the message holds no token.
    """
    wanted = sorted(names)
    if is_here(repo, sha, wanted, cache_dir):
        return snapshot_folder(repo, sha, cache_dir)

    def fetch() -> Path | HubError:
        path = api.snapshot_download(
            repo,
            revision=sha,
            cache_dir=cache_folder(cache_dir),
            allow_patterns=wanted,
            max_workers=4,
            tqdm_class=_silent_bar(),
        )
        return Path(str(path))

    folder = boundary(fetch, lambda error: HubError(f"{repo}@{sha[:12]} cannot be downloaded: {told(error)}"))
    if isinstance(folder, HubError):
        raise folder
    if missing := [name for name in wanted if not (folder / name).is_file()]:
        raise HubError(f"{repo}@{sha[:12]} came without {missing[0]}")
    return folder


def told(error: BaseException) -> str:
    """One line on an error of the Hub client: its kind and status. Never its whole text, which may quote a request."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    kind = type(error).__name__
    causes = {
        "GatedRepoError": "access is restricted; accept its conditions on the Hub and set HF_TOKEN",
        "RepositoryNotFoundError": "no such repository, or it is private (HF_TOKEN)",
        "RevisionNotFoundError": "no such commit",
        "LocalEntryNotFoundError": "the Hub cannot be reached",
        "ConnectError": "the Hub cannot be reached",
        "ConnectionError": "the Hub cannot be reached",
        "OfflineModeIsEnabled": "HF_HUB_OFFLINE is set",
    }
    detail = causes.get(kind, "")
    return f"{kind}{f' {status}' if status else ''}{f': {detail}' if detail else ''}"


def file_hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each file."""
    hashes = {}
    for name in sorted(names):
        status = (folder / name).stat()
        hashes[name] = _sha256(str((folder / name).resolve()), status.st_size, status.st_mtime_ns)
    return hashes


@lru_cache(maxsize=512)
def _sha256(path: str, _size: int, _changed: int) -> str:
    """Hashed once while size and time stay: a model that is unloaded and loaded again is not read twice."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hashes(folder: Path, files: Mapping[str, str]) -> None:
    """Raises ToolError where a file is not the one that was certified."""
    hashes = file_hashes(folder, files)
    for name, expected in files.items():
        if hashes[name] != expected:
            raise ToolError(f"{name} in {folder} is not the file that was certified (SHA-256 {hashes[name][:12]}...)")


def read_json(path: Path, limit: int = LONGEST_JSON) -> JsonObject:
    """A JSON object from a file that somebody else wrote. Raises ToolError for anything else or more."""
    if path.stat().st_size > limit:
        raise ToolError(f"{path.name} has {path.stat().st_size} bytes, more than {limit}")
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ToolError(f"{path.name} holds {type(value).__name__}, not an object")
    return value


def count_parameters(folder: Path, names: Iterable[str]) -> int:
    """Numbers in the safetensors files, from their headers. Raises ToolError for a damaged one."""
    total = 0
    for name in names:
        if not name.endswith(".safetensors"):
            continue
        with (folder / name).open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            header = file.read(length) if 0 < length <= LONGEST_JSON else b""
        try:
            tensors = {key: value for key, value in parse_json(header).items() if key != "__metadata__"}
            for tensor in tensors.values():
                count = 1
                for side in tensor["shape"]:
                    count *= int(side)
                    if count > MOST_PARAMETERS:  # multiplied on, a header of a few kilobytes takes hours
                        raise ValueError
                total += count
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ToolError(f"{name} is no safetensors file") from error
    return total


def _silent_bar() -> Any:
    """A progress bar that prints nothing: the build has its own display."""
    from huggingface_hub.utils.tqdm import tqdm

    class Silent(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs["disable"] = True
            super().__init__(*args, **kwargs)

    return Silent
