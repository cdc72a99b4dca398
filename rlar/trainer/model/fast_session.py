"""Decoding several turns with the lean forward: what a row has read and written stays in its cache."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlar.trainer.model.fast_decode import FastDecoder
from rlar.trainer.model.fast_layers import FastLayers
from rlar.trainer.model.packing import pack, unpack


class FastSession(FastDecoder):
    """A FastDecoder whose rows may read tokens between two turns, and rest while others write.

    Rows differ in how much of their cache is filled. The caches of all rows lie in one table; the rows that are worked
    with have theirs side by side in another, which is written back when the work goes on with others.
    """

    def __init__(self, network: FastLayers, prompts: Sequence[list[int]], group_size: int, capacity: int) -> None:
        """
        Args:
            capacity: tokens that a row may read and write after its prompt.
        """
        super().__init__(network, prompts, group_size, capacity)
        self.starts_N = self.positions_B.clone()
        self.filled_N = torch.zeros_like(self.starts_N)
        """Tokens in each row's cache."""
        self.rows_B = self.slots_B.clone()
        """The rows that are worked with."""
        self.table: list[tuple[Tensor, Tensor]] = []
        self.prompt_table: list[tuple[Tensor, Tensor]] = []
        self.bias_table = self.bias_P

    def start(self) -> Tensor:
        """Encode the prompts. Returns the (N, V) logits of every row's first token."""
        logits = super().start()
        # Rows look at columns that they have not filled: masked, and so a number, or 0 times it would be none.
        self.caches = [(keys.new_zeros(keys.shape), values.new_zeros(values.shape)) for keys, values in self.caches]
        self.table, self.prompt_table = list(self.caches), list(self.prompt_caches)
        return logits

    def focus(self, rows: Tensor) -> None:
        """Work with these rows (ascending) from now on."""
        self._write_back()
        every = len(rows) == len(self.filled_N)
        filled = int(self.filled_N[rows].max()) if len(rows) else 0
        groups, group_B = torch.unique(rows // self.group_size, return_inverse=True)
        self.caches = list(self.table) if every else [self._taken(pair, rows, filled) for pair in self.table]
        shrinks = len(groups) < self.prompts.count
        self.prompt_caches = [(k[groups], v[groups]) for k, v in self.prompt_table] if shrinks else self.prompt_table
        self.bias_P = self.bias_table[groups] if shrinks and self.bias_table is not None else self.bias_table
        self.rows_B, self.groups = rows, len(groups)
        self.slots_B = group_B * self.group_size + rows % self.group_size
        self._set_columns(self.filled_N[rows])

    def fill(self, rows: Tensor, filled: Tensor) -> None:
        """Say how many tokens of these rows count: rows that ended before others were stepped on with them."""
        self.filled_N[rows] = filled

    def keep(self, index: Tensor) -> None:
        """Go on with the rows of `index` (into those that are worked with)."""
        self.filled_N[self.rows_B] = self._columns()
        self.focus(self.rows_B[index])

    def read(self, tokens: Sequence[list[int]]) -> Tensor:
        """Every row that is worked with reads some tokens, at least one. Returns the (B, V) logits of what comes next."""
        net, rows, device = self.network, len(tokens), self.rows_B.device
        counts = torch.tensor([len(row) for row in tokens], device=device)
        width, begin = int(counts.max()), self._columns()
        offsets = torch.arange(width, device=device)
        mask = offsets < counts[:, None]
        index = mask.flatten().nonzero().squeeze(1)
        row_of_K, column_of_K = index // width, (begin[:, None] + offsets)[mask]
        cos, sin = net.rotary(self.starts_N[self.rows_B][row_of_K] + column_of_K)
        used = int((begin + counts).max())
        group_B = self.slots_B // self.group_size
        prompt_width = self.prompt_caches[0][0].shape[2]
        dtype = self.prompt_caches[0][0].dtype
        bias = torch.zeros(rows, 1, width, prompt_width + used, dtype=dtype, device=device)
        if self.bias_P is not None:
            bias[..., :prompt_width] = self.bias_P[group_B]
        later = torch.arange(used, device=device) > (begin[:, None] + offsets)[:, :, None]
        bias[..., prompt_width:].masked_fill_(later[:, None], -math.inf)
        x = net.embed(torch.tensor([token for row in tokens for token in row], device=device))
        for layer, (prompt_keys, prompt_values), (keys, values) in zip(
            self.layers, self.prompt_caches, self.caches, strict=True
        ):
            q, k, v = net.qkv(x, layer, cos, sin)
            keys[row_of_K, :, column_of_K], values[row_of_K, :, column_of_K] = k, v
            whole_k = net.repeat(torch.cat([prompt_keys[group_B], keys[:, :, :used]], 2))
            whole_v = net.repeat(torch.cat([prompt_values[group_B], values[:, :, :used]], 2))
            attended = net.attend(unpack(q, index, rows, width), whole_k, whole_v, bias)
            x = net.after_attention(x, pack(attended, index), layer)
        self._set_columns(begin + counts)
        return self._logits(net.final_norm(x[counts.cumsum(0) - 1]))

    def _columns(self) -> Tensor:
        """(B,) tokens in the cache of each row that is worked with."""
        return torch.full_like(self.rows_B, self.column) if self.columns_B is None else self.columns_B

    def _set_columns(self, columns_B: Tensor) -> None:
        self.filled_N[self.rows_B] = columns_B
        self.column = int(columns_B.max()) if len(columns_B) else 0
        self.columns_B = columns_B if len(columns_B) and int(columns_B.min()) < self.column else None
        self.positions_B = self.starts_N[self.rows_B] + columns_B

    def _write_back(self) -> None:
        if len(self.rows_B) == len(self.filled_N):
            return  # they are the table
        used = self.column
        for (keys, values), (own_keys, own_values) in zip(self.table, self.caches, strict=True):
            keys[self.rows_B, :, :used] = own_keys[:, :, :used]
            values[self.rows_B, :, :used] = own_values[:, :, :used]

    @staticmethod
    def _taken(pair: tuple[Tensor, Tensor], rows: Tensor, filled: int) -> tuple[Tensor, Tensor]:
        """These rows' caches side by side, as far as they are filled; zeros after that."""
        keys, values = (whole.new_zeros(len(rows), *whole.shape[1:]) for whole in pair)
        keys[:, :, :filled], values[:, :, :filled] = pair[0][rows, :, :filled], pair[1][rows, :, :filled]
        return keys, values
