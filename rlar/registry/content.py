"""What counts as the content of a registry: plain values, what is stable across runs, arrays as bytes without pickle."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from rlar.errors import RegistryError, boundary
from rlar.types import Certificate, JsonObject, Recipe, TaskSpec

if TYPE_CHECKING:
    import numpy as np

LARGEST_ARRAYS = 256 << 20
"""Bytes of a row router: room for thousands of tasks."""
MEASURED_CHECKS = frozenset({"latency", "sanity", "memory"})
"""Checks whose numbers are times or bytes: they differ from run to run, their verdict does not."""


def plain(model: BaseModel) -> JsonObject:
    """The model as JSON values; unlike pydantic's own JSON it lets lone surrogates through."""
    return model.model_dump(mode="python")


def stable_task(task: TaskSpec) -> JsonObject:
    """A task without what its rows' file is called, and as it was before it could have wordings, criteria and witnesses,
    where it has none: the same rows have the same digest wherever they lie and in every version."""
    body = plain(task)
    for example in body["examples"]:
        example["origin"] = ""
    for held, names in ((body["contract"], ("wordings", "programming_language")), (body, ("criteria", "witnesses"))):
        for name in names:
            if not held[name]:
                del held[name]
    return body


def stable_certificate(certificate: Certificate) -> JsonObject:
    """A certificate without what differs between two runs of the same test: times, timings, environment."""
    volatile = {"created_at", "cost_ms_p50", "cost_ms_p95", "environment", "checks", "reasons"}
    body = certificate.model_dump(mode="python", exclude=volatile)
    checks = []
    for check in certificate.checks:
        measured = check.name in MEASURED_CHECKS
        checks.append({"name": check.name, "passed": check.passed} if measured else plain(check))
    return {**body, "checks": checks}


def stable_recipe(recipe: Recipe) -> JsonObject:
    """A recipe without its version: two recipes that score alike are equal."""
    return recipe.model_dump(mode="python", exclude={"version"})


def rows_digest(rows: Iterable[tuple[Any, ...]]) -> str:
    """32 hex digits over rows in the order given."""
    hasher = hashlib.blake2b(digest_size=16)
    for row_key, prompt_key, fingerprint, confidence, binding in rows:
        line = f"{row_key.hex()} {prompt_key.hex()} {fingerprint} {confidence!r} {binding}\n"
        hasher.update(line.encode())
    return hasher.hexdigest()


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as npz bytes. Raises RegistryError for object arrays, which only pickle can store."""
    import numpy as np

    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise RegistryError(f"router array {name!r} has dtype object; store numbers or unicode text (dtype <U...)")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return buffer.getvalue()


def unpack_arrays(body: bytes, key: str, address: str) -> dict[str, np.ndarray]:
    """The arrays of `pack_arrays`; nothing in the bytes can run.

    Args:
        key: their `arrays_digest`, as it was stored beside them.

    Raises:
        RegistryError: they are damaged, or would be larger than LARGEST_ARRAYS.
    """
    from numpy.lib import format as npy

    def read() -> dict[str, np.ndarray]:
        with zipfile.ZipFile(io.BytesIO(body)) as stored:
            members = stored.infolist()
            if (size := sum(member.file_size for member in members)) > LARGEST_ARRAYS:
                raise ValueError(f"its {len(body):,} bytes unfold into {size:,}, more than {LARGEST_ARRAYS:,}")
            arrays = {}
            for member in members:
                # zipfile reads no more than file_size, which was just checked; numpy would believe a header's shape.
                data = io.BytesIO(stored.read(member))
                version = npy.read_magic(data)
                read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, _fortran, dtype = read_header(data)
                if math.prod(shape) * dtype.itemsize != len(data.getbuffer()) - data.tell():
                    raise ValueError(f"{member.filename} claims the shape {shape} and holds another")
                data.seek(0)
                arrays[member.filename.removesuffix(".npy")] = npy.read_array(data, allow_pickle=False)
        if arrays_digest(arrays) != key:
            raise ValueError("its digest is another")
        return arrays

    def damaged(error: Exception) -> dict[str, np.ndarray]:
        raise RegistryError(
            f"the row router in {address} is damaged ({error or type(error).__name__}); restore a copy, or build the "
            "registry again under another name"
        ) from error

    return boundary(read, damaged)


def arrays_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """32 hex digits over names, types, shapes and values."""
    import numpy as np

    hasher = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hasher.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()
