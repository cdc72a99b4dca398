"""Prompts as hashed character n-grams: what clustering and the row router measure likeness by.

No vocabulary, no model file, no Python hash: the same text gives the same vector on any machine, in about 20 us.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_BITS = 11
DIMENSIONS = 1 << _BITS
HEAD_CHARACTERS = 320
TAIL_CHARACTERS = 160
"""Instructions stand at the beginning or the end; the middle of a long prompt is its content."""

_BATCH = 128
_SEEDS = {2: 2654435761, 4: 2246822519}
_GAP = np.zeros(5, dtype=np.uint8)


def embed(texts: Sequence[str]) -> Vectors:
    """(texts, DIMENSIONS): counts of character 3- and 5-grams, square-rooted, of length 1 (0 for an empty text).

    Digits count as one character, so that "17 apples" is like "23 apples".
    """
    out = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for start in range(0, len(texts), _BATCH):
        out[start : start + _BATCH] = _embed_batch(texts[start : start + _BATCH])
    return out


def _embed_batch(texts: Sequence[str]) -> Vectors:
    pieces: list[npt.NDArray[np.uint8]] = []
    lengths: list[int] = []
    for text in texts:
        if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
            text = text[:HEAD_CHARACTERS] + " " + text[-TAIL_CHARACTERS:]
        data = np.frombuffer((" " + text.lower() + " ").encode("utf-8", "replace"), dtype=np.uint8)
        pieces += (data, _GAP)
        lengths.append(len(data) + len(_GAP))
    data = np.concatenate(pieces)
    data = np.where((data >= 48) & (data <= 57), 48, data).astype(np.uint32)
    cells = np.repeat(np.arange(len(texts), dtype=np.uint32) << _BITS, lengths)
    grams = np.zeros(len(data), dtype=np.uint32)
    blank = data == 0
    outside = np.zeros(len(data), dtype=bool)
    counts = np.zeros(len(texts) * DIMENSIONS, dtype=np.int64)
    for offset in range(5):
        # Grown by one character a round, for all positions at once; a gram that reaches a gap counts nowhere.
        last = len(data) - offset
        grams[:last] = grams[:last] * np.uint32(65599) + data[offset:]
        outside[:last] |= blank[offset:]
        outside[last:] = True
        if offset in (2, 4):
            slots = (grams * np.uint32(_SEEDS[offset])) >> np.uint32(32 - _BITS)
            counts += np.bincount((cells + slots)[~outside], minlength=len(counts))
    vectors = np.sqrt(counts, dtype=np.float32).reshape(len(texts), DIMENSIONS)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    unit: Vectors = np.divide(vectors, norms, out=vectors, where=norms > 0)
    return unit
