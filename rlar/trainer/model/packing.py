"""Sequences of different lengths as one row without padding, and back to a table where attention needs one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PackedPrompts:
    """Prompts one after the other, and where they lie in a right-aligned (P, width) table."""

    ids: Tensor
    """(K,) the tokens of all prompts."""
    positions: Tensor
    """(K,) place of each token in its prompt."""
    index: Tensor
    """(K,) place of each token in the flattened (P * width) table."""
    ends: Tensor
    """(P,) index of each prompt's last token in `ids`."""
    lengths: Tensor
    """(P,) tokens of each prompt."""
    count: int
    """P."""
    width: int
    """Tokens of the longest prompt."""
    bias: Tensor | None
    """(P, 1, 1, width): -inf on padding; None where there is none."""


def pack_prompts(prompts: Sequence[list[int]], *, dtype: torch.dtype, device: torch.device) -> PackedPrompts:
    """All prompts in one row, without padding."""
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    count, width = len(prompts), max(len(prompt) for prompt in prompts)
    columns = torch.arange(width, device=device)
    mask = columns >= (width - lengths)[:, None]
    index = mask.flatten().nonzero().squeeze(1)
    bias = None
    if len(index) < count * width:
        bias = torch.zeros(count, 1, 1, width, dtype=dtype, device=device)
        bias.masked_fill_(~mask[:, None, None], -math.inf)
    return PackedPrompts(
        ids=torch.tensor([token for prompt in prompts for token in prompt], device=device),
        positions=(columns - (width - lengths)[:, None]).flatten()[index],
        index=index,
        ends=lengths.cumsum(0) - 1,
        lengths=lengths,
        count=count,
        width=width,
        bias=bias,
    )


def unpack(packed: Tensor, index: Tensor, rows: int, width: int) -> Tensor:
    """(K, heads, size) -> (rows, heads, width, size), zeros where nothing is."""
    if len(index) < rows * width:
        packed = packed.new_zeros(rows * width, *packed.shape[1:]).index_copy(0, index, packed)
    return packed.view(rows, width, *packed.shape[1:]).transpose(1, 2)


def pack(table: Tensor, index: Tensor) -> Tensor:
    """(rows, heads, width, size) -> (K, heads * size)"""
    flat = table.transpose(1, 2).flatten(0, 1).flatten(1)
    return flat if len(index) == len(flat) else flat[index]
