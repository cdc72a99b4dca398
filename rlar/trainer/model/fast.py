"""A lean forward for Llama, Qwen2 and Qwen3: weights shared with the transformers model, everything else our own.

Faster than the model's own forward because padding never enters a linear layer, a group's prompt is computed once, query,
key and value (and gate and up) are one product, and the key-value cache is allocated once. What it leaves out: dropout,
sliding windows, rotary embeddings that depend on the length. `supports` says which models it takes, and
`rlar.trainer.model.policy` compares its logits with the model's before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rlar.trainer.model.batch import MicroBatch
from rlar.trainer.model.fast_decode import FastDecoder
from rlar.trainer.model.fast_layers import FastLayers, Layer
from rlar.trainer.model.network import Decoder
from rlar.trainer.model.packing import PackedPrompts, pack, unpack

MODEL_TYPES = ("llama", "qwen2", "qwen3")
_ROPE_TYPES = ("default", "linear", "llama3", "yarn")


def supports(model: Any) -> bool:
    """Whether the model is built the way this file expects."""
    config = model.config
    if (
        config.model_type not in MODEL_TYPES
        or type(model).__name__.removesuffix("ForCausalLM").lower() not in MODEL_TYPES
    ):
        return False
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if rope.get("rope_type", "default") not in _ROPE_TYPES:
        return False
    if any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or []):
        return False
    if getattr(config, "attention_dropout", 0.0) or config.hidden_act != "silu":
        return False
    linears = [module for layer in model.model.layers for module in (layer.self_attn.o_proj, layer.mlp.down_proj)]
    plain = all(
        type(module) is torch.nn.Linear for module in (*linears, model.lm_head, model.model.layers[0].mlp.up_proj)
    )
    return plain and all(module.bias is None for module in linears) and model.model.layers[0].mlp.up_proj.bias is None


class FastNetwork(FastLayers):
    """See `rlar.trainer.model.network.Network`."""

    name = "fast"
    linear_head = True

    # -------------------------------------------------------------------------------------- training

    @contextmanager
    def forwards(self) -> Iterator[Callable[[MicroBatch], Tensor]]:
        """Packs the weights once; their gradients are gathered and spread to the parameters once, at the end."""
        packed = self.pack()
        if not torch.is_grad_enabled():
            layers = self.cast_layers(packed)
            yield lambda batch: self.hidden(batch, layers)
            return
        leaves = [
            Layer(*(w if w is None or w.is_leaf else w.detach().requires_grad_() for w in layer))  # type: ignore[arg-type]
            for layer in packed
        ]
        yield lambda batch: self.hidden(batch, self.cast_layers(leaves))
        pairs = [
            (whole, leaf.grad)
            for whole_layer, leaf_layer in zip(packed, leaves, strict=True)
            for whole, leaf in zip(whole_layer, leaf_layer, strict=True)
            if whole is not None and leaf is not None and leaf is not whole and leaf.grad is not None
        ]
        if pairs:
            torch.autograd.backward([whole for whole, _ in pairs], [grad for _, grad in pairs])

    def hidden(self, batch: MicroBatch, layers: list[Layer]) -> Tensor:
        """(M, D) hidden states that predict the target tokens, each prompt computed once."""
        prompts = self.pack_prompts(batch.prompts)
        rows, width = batch.completion_ids_R_T.shape[0], batch.completion_ids_R_T.shape[1] - 1
        inputs = batch.mask_R_T[:, 1:]  # a row's last token predicts nothing
        index = inputs.flatten().nonzero().squeeze(1)
        prompt_tokens = len(prompts.ids)
        offsets = index % max(width, 1)
        starts = prompts.lengths[batch.prompt_of_R] if batch.visible_R is None else batch.visible_R
        positions = torch.cat([prompts.positions, starts[index // max(width, 1)] + offsets])
        cos, sin = self.rotary(positions)
        ids = torch.cat([prompts.ids, batch.completion_ids_R_T[:, :-1].flatten()[index]])
        x = self.embed(ids)
        mask_P = self.prompt_mask(prompts)
        mask_C = self._completion_mask(prompts, batch, width)
        table_P, table_C = (prompts.index, prompts.count, prompts.width), (index, rows, width)

        def block(x: Tensor, *weights: Tensor | None) -> Tensor:
            layer = Layer(*weights)  # type: ignore[arg-type]
            q, k, v = self.qkv(x, layer, cos, sin)
            q_P, k_P, v_P = (unpack(t[:prompt_tokens], *table_P) for t in (q, k, v))
            attended = [pack(self.attend_prompts(q_P, k_P, v_P, mask_P), prompts.index)]
            if len(index):
                q_C, k_C, v_C = (unpack(t[prompt_tokens:], *table_C) for t in (q, k, v))
                k_C = torch.cat([k_P[batch.prompt_of_R], k_C], 2)
                v_C = torch.cat([v_P[batch.prompt_of_R], v_C], 2)
                attended.append(pack(self.attend(q_C, self.repeat(k_C), self.repeat(v_C), mask_C), index))
            return self.after_attention(x, torch.cat(attended), layer)

        for layer in layers:
            if self.checkpoint_activations and torch.is_grad_enabled():
                x = checkpoint(block, x, *layer, use_reentrant=False)
            else:
                x = block(x, *layer)
        # a row's first token is predicted by the last that it sees of its prompt, the others by the token before
        counts = batch.lengths_R - 1
        begins = prompt_tokens + counts.cumsum(0) - counts
        place, row_of_M = batch.place_M, batch.row_of_M
        hidden_R = prompts.lengths[batch.prompt_of_R] - starts
        first = (prompts.ends[batch.prompt_of_R] - hidden_R)[row_of_M]
        return self.final_norm(x[torch.where(place == 0, first, begins[row_of_M] + place - 1)])

    def _completion_mask(self, prompts: PackedPrompts, batch: MicroBatch, width: int) -> Tensor:
        """(R or 1, 1, width, prompt width + width)"""
        prompt_of_R, visible_R = batch.prompt_of_R, batch.visible_R
        causal = self.causal(width, prompt_of_R.device)
        if prompts.bias is None and visible_R is None:
            return torch.cat([causal.new_zeros(width, prompts.width), causal], 1)[None, None]
        rows = len(prompt_of_R)
        left = causal.new_zeros(1, 1, 1, 1) if prompts.bias is None else prompts.bias[prompt_of_R]
        left = left.expand(rows, 1, width, prompts.width)
        if visible_R is not None:  # prompts are aligned on the right
            columns = torch.arange(prompts.width, device=prompt_of_R.device)
            ends_R = prompts.width - prompts.lengths[prompt_of_R] + visible_R
            left = left.masked_fill((columns >= ends_R[:, None])[:, None, None], -torch.inf)
        return torch.cat([left, causal.expand(rows, 1, width, width)], -1)

    # -------------------------------------------------------------------------------------- decoding

    def split(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """Prompts in the order of their length, cut where a long one would make many short ones wait on padding."""
        order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), i))
        parts: list[list[int]] = []
        for i in order:
            if not parts or (len(parts[-1]) >= 8 and len(prompts[i]) > 2 * len(prompts[parts[-1][0]]) + 64):
                parts.append([])
            parts[-1].append(i)
        return parts

    def decoder(self, prompts: Sequence[list[int]], group_size: int, max_new_tokens: int) -> Decoder:
        """A decoder for P prompts with `group_size` rows each; room for `max_new_tokens` is taken at once."""
        return FastDecoder(self, prompts, group_size, max_new_tokens)
