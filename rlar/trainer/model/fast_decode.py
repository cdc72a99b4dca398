"""Decoding with the lean forward of `rlar.trainer.model.fast`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rlar.trainer.model.fast_layers import FastLayers, Layer
from rlar.trainer.model.linear import arranged, matmul_weight
from rlar.trainer.model.packing import pack, unpack


class FastDecoder:
    """See `rlar.trainer.model.network.Decoder`.

    A prompt's keys and values are computed and kept once: all rows of its group attend to them in one product. The rows'
    own cache holds completions only and is allocated once.
    """

    def __init__(self, network: FastLayers, prompts: Sequence[list[int]], group_size: int, max_new_tokens: int) -> None:
        self.network = network
        self.prompts = network.pack_prompts(prompts)
        self.group_size = group_size
        self.new = max_new_tokens
        self.column = 0
        """Where the next token of the cache goes; of rows that differ, the furthest."""
        self.columns_B: Tensor | None = None
        """Where it goes in each row; None: in `column`."""
        self.positions_B = self.prompts.lengths.repeat_interleave(group_size)
        self.slots_B = torch.arange(len(self.positions_B), device=self.positions_B.device)
        """Row in the table of groups: group * group_size + member."""
        self.groups = self.prompts.count
        self.bias_P = self.prompts.bias
        self.layers, (self.head_weight, self.head_bias) = self._weights()
        self.prompt_caches: list[tuple[Tensor, Tensor]] = []
        self.caches: list[tuple[Tensor, Tensor]] = []
        self.tables = network.rotary_tables(int(self.prompts.lengths.max()) + max_new_tokens)

    def _weights(self) -> tuple[list[Layer], tuple[Tensor, Tensor | None]]:
        """The weights, arranged once for the many small products to come."""
        network = self.network
        weight, bias = network.head()

        def ready(matrix: Tensor) -> Tensor:
            return arranged(matrix, network.linear)

        layers = [
            layer._replace(
                qkv=ready(layer.qkv), out=ready(layer.out), gate_up=ready(layer.gate_up), down=ready(layer.down)
            )
            for layer in network.cast_layers(network.pack())
        ]
        return layers, (ready(weight), bias)

    def start(self) -> Tensor:
        """Encode the P prompts without padding, each once. Returns the (P*G, V) logits of the first token."""
        net, prompts = self.network, self.prompts
        rows = prompts.count * self.group_size
        cos, sin = net.rotary(prompts.positions)
        mask = net.prompt_mask(prompts)
        x = net.embed(prompts.ids)
        for layer in self.layers:
            q, k, v = (unpack(t, prompts.index, prompts.count, prompts.width) for t in net.qkv(x, layer, cos, sin))
            self.prompt_caches.append((k.contiguous(), v.contiguous()))
            own = (rows, net.kv_heads, self.new, net.head_size)
            self.caches.append((x.new_empty(own), x.new_empty(own)))
            x = net.after_attention(x, pack(net.attend_prompts(q, k, v, mask), prompts.index), layer)
        return self._logits(net.final_norm(x[prompts.ends])).repeat_interleave(self.group_size, 0)

    def _logits(self, hidden: Tensor) -> Tensor:
        logits = matmul_weight(hidden, self.head_weight, self.network.linear)
        return logits if self.head_bias is None else logits + self.head_bias

    def step(self, tokens_B: Tensor) -> Tensor:
        """Append `tokens_B` (B,) to the B rows that still run. Returns their (B, V) logits."""
        net, rows, used = self.network, len(tokens_B), self.column + 1
        cos, sin = self.tables[0][self.positions_B][:, None], self.tables[1][self.positions_B][:, None]
        x = net.embed(tokens_B)
        scale = 1.0 / math.sqrt(net.head_size)
        column, hole = self._column(rows, used)
        for layer, (prompt_keys, prompt_values), (keys, values) in zip(
            self.layers, self.prompt_caches, self.caches, strict=True
        ):
            q, k, v = net.qkv(x, layer, cos, sin)
            keys[column], values[column] = k, v
            grouped = (q * scale).view(rows, net.kv_heads, -1, net.head_size)
            to_prompt = torch.matmul(self._by_group(grouped), prompt_keys.transpose(2, 3))
            if self.bias_P is not None:
                to_prompt += self.bias_P
            to_own = torch.matmul(grouped, keys[:, :, :used].transpose(2, 3))
            if hole is not None:
                to_own.masked_fill_(hole, -math.inf)
            scores = torch.cat([self._by_row(to_prompt), to_own], -1)
            weights = scores.softmax(-1, dtype=torch.float32).to(x.dtype)
            width = prompt_keys.shape[2]
            attended = torch.matmul(weights[..., width:], values[:, :, :used])
            attended += self._by_row(torch.matmul(self._by_group(weights[..., :width]), prompt_values))
            x = net.after_attention(x, attended.view(rows, -1), layer)
        self.column += 1
        self.columns_B = None if self.columns_B is None else self.columns_B + 1
        self.positions_B = self.positions_B + 1
        return self._logits(net.final_norm(x))

    def _column(self, rows: int, used: int) -> tuple[Any, Tensor | None]:
        """Where in a (B, heads, columns, size) cache the next tokens go; (B, 1, 1, used) bool, what a row must not see."""
        if self.columns_B is None:
            return (slice(None), slice(None), self.column), None
        columns = torch.arange(used, device=self.columns_B.device)
        each = torch.arange(rows, device=self.columns_B.device)
        return (each, slice(None), self.columns_B), (columns > self.columns_B[:, None])[:, None, None]

    def _by_group(self, rows: Tensor) -> Tensor:
        """(B, key-value heads, r, k) -> (groups, key-value heads, group_size * r, k); zeros for rows that have left."""
        slots = self.groups * self.group_size
        if len(rows) < slots:
            rows = rows.new_zeros(slots, *rows.shape[1:]).index_copy_(0, self.slots_B, rows)
        table = rows.reshape(self.groups, self.group_size, *rows.shape[1:]).transpose(1, 2)
        return table.reshape(self.groups, rows.shape[1], -1, rows.shape[3])

    def _by_row(self, groups: Tensor) -> Tensor:
        """The way back."""
        repeat = self.network.heads // self.network.kv_heads
        table = groups.view(self.groups, groups.shape[1], self.group_size, repeat, groups.shape[3]).transpose(1, 2)
        rows = table.reshape(-1, groups.shape[1], repeat, groups.shape[3])
        return rows if len(rows) == len(self.slots_B) else rows[self.slots_B]

    def keep(self, index: Tensor) -> None:
        """Go on with the rows of `index` (into the B that run); prompts without rows leave the cache."""
        self.positions_B = self.positions_B[index]
        slots = self.slots_B[index]
        remaining, group_B = torch.unique(slots // self.group_size, return_inverse=True)
        self.slots_B = group_B * self.group_size + slots % self.group_size
        shrinks = len(remaining) < self.groups
        self.groups = len(remaining)
        for place, (keys, values) in enumerate(self.caches):
            self.caches[place] = keys[index], values[index]
            if shrinks:
                prompt_keys, prompt_values = self.prompt_caches[place]
                self.prompt_caches[place] = prompt_keys[remaining], prompt_values[remaining]
        if shrinks and self.bias_P is not None:
            self.bias_P = self.bias_P[remaining]
