"""A lean forward for Llama, Qwen2 and Qwen3: weights shared with the transformers model, everything else our own.

Faster than the model's own forward because padding never enters a linear layer, a group's prompt is computed once, query,
key and value (and gate and up) are one product, and the key-value cache is allocated once. What it leaves out: dropout,
sliding windows, rotary embeddings that depend on the length. `supports` says which models it takes, and
`rlar.trainer.model.policy` compares its logits with the model's before it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rlar.trainer.model.batch import MicroBatch
from rlar.trainer.model.linear import LinearChoice, matmul_weight
from rlar.trainer.model.network import Decoder
from rlar.trainer.model.packing import PackedPrompts, pack, pack_prompts, unpack

MODEL_TYPES = ("llama", "qwen2", "qwen3")
_ROPE_TYPES = ("default", "linear", "llama3", "yarn")


class Layer(NamedTuple):
    """The weights of one block, packed."""

    norm_1: Tensor
    qkv: Tensor
    qkv_bias: Tensor | None
    qk_norm: Tensor | None
    """(heads + key-value heads, head size)"""
    out: Tensor
    norm_2: Tensor
    gate_up: Tensor
    down: Tensor


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


class FastNetwork:
    """See `rlar.trainer.model.network.Network`."""

    name = "fast"
    linear_head = True

    def __init__(
        self, model: Any, *, dtype: torch.dtype, linear: LinearChoice = "torch", checkpoint_activations: bool = False
    ) -> None:
        config = model.config
        self.model = model
        self.dtype = dtype
        self.linear: LinearChoice = linear
        self.checkpoint_activations = checkpoint_activations
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.head_size: int = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.epsilon: float = config.rms_norm_eps
        self._tables: tuple[Tensor, Tensor] | None = None

    # -------------------------------------------------------------------------------------- weights

    def head(self) -> tuple[Tensor, Tensor | None]:
        return self._cast(self.model.lm_head.weight), self.model.lm_head.bias

    def cache_bytes_per_token(self) -> int:
        return 2 * len(self.model.model.layers) * self.kv_heads * self.head_size * self.dtype.itemsize

    def _cast(self, weight: Tensor) -> Tensor:
        return weight.to(self.dtype)

    def embed(self, ids: Tensor) -> Tensor:
        table = self.model.model.embed_tokens  # its padding row gets no gradient, as in the model's own forward
        return self._cast(F.embedding(ids, table.weight, table.padding_idx))

    def pack(self) -> list[Layer]:
        """The layers' weights, put together; differentiable."""
        packed = []
        for layer in self.model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            projections = (attention.q_proj, attention.k_proj, attention.v_proj)
            normed = hasattr(attention, "q_norm")
            packed.append(
                Layer(
                    norm_1=layer.input_layernorm.weight,
                    qkv=torch.cat([projection.weight for projection in projections]),
                    qkv_bias=None
                    if projections[0].bias is None
                    else torch.cat([projection.bias for projection in projections]),
                    qk_norm=torch.cat(
                        [
                            attention.q_norm.weight.expand(self.heads, -1),
                            attention.k_norm.weight.expand(self.kv_heads, -1),
                        ]
                    )
                    if normed
                    else None,
                    out=attention.o_proj.weight,
                    norm_2=layer.post_attention_layernorm.weight,
                    gate_up=torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]),
                    down=mlp.down_proj.weight,
                )
            )
        return packed

    def cast_layers(self, layers: list[Layer]) -> list[Layer]:
        """The same in the dtype of the computation."""
        return [Layer(*(None if weight is None else self._cast(weight) for weight in layer)) for layer in layers]  # type: ignore[arg-type]

    def rotary(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of (K,) positions, each (K, 1, head size)."""
        needed = int(positions.max()) + 1 if len(positions) else 1
        cos, sin = self.rotary_tables(needed)
        return cos[positions][:, None], sin[positions][:, None]

    def rotary_tables(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines of positions 0 to at least `length` - 1."""
        if self._tables is None or len(self._tables[0]) < length:
            size = 1 << max(length - 1, 255).bit_length()
            device = self.model.lm_head.weight.device
            with torch.inference_mode(False), torch.no_grad():
                cos, sin = self.model.model.rotary_emb(
                    torch.zeros(1, dtype=self.dtype, device=device), torch.arange(size, device=device)[None]
                )
            self._tables = cos[0], sin[0]
        return self._tables

    # -------------------------------------------------------------------------------------- one block

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], weight, self.epsilon)

    def final_norm(self, x: Tensor) -> Tensor:
        return self.norm(x, self._cast(self.model.model.norm.weight))

    def qkv(self, x: Tensor, layer: Layer, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(K, D) -> queries (K, heads, size), keys and values (K, key-value heads, size), positions applied."""
        y = matmul_weight(self.norm(x, layer.norm_1), layer.qkv, self.linear)
        if layer.qkv_bias is not None:
            y = y + layer.qkv_bias
        y = y.unflatten(-1, (self.heads + 2 * self.kv_heads, self.head_size))
        rotated = y[..., : self.heads + self.kv_heads, :]
        if layer.qk_norm is not None:
            rotated = F.rms_norm(rotated, (self.head_size,), None, self.epsilon) * layer.qk_norm
        half = self.head_size // 2
        turned = torch.cat([-rotated[..., half:], rotated[..., :half]], -1)
        rotated = rotated * cos + turned * sin
        return rotated[..., : self.heads, :], rotated[..., self.heads :, :], y[..., self.heads + self.kv_heads :, :]

    def after_attention(self, x: Tensor, attended: Tensor, layer: Layer) -> Tensor:
        x = x + matmul_weight(attended, layer.out, self.linear)
        gate, up = matmul_weight(self.norm(x, layer.norm_2), layer.gate_up, self.linear).chunk(2, -1)
        return x + matmul_weight(F.silu(gate) * up, layer.down, self.linear)

    def logits(self, hidden: Tensor) -> Tensor:
        weight, bias = self.head()
        logits = matmul_weight(hidden, weight, self.linear)
        return logits if bias is None else logits + bias

    # -------------------------------------------------------------------------------------- prompts

    def pack_prompts(self, prompts: Sequence[list[int]]) -> PackedPrompts:
        return pack_prompts(prompts, dtype=self.dtype, device=self.model.lm_head.weight.device)

    def causal(self, width: int, device: torch.device) -> Tensor:
        """(width, width): 0 on and below the diagonal, -inf above."""
        return torch.full((width, width), -math.inf, dtype=self.dtype, device=device).triu_(1)

    def prompt_mask(self, prompts: PackedPrompts) -> Tensor | None:
        """None: all prompts have the same length, so that plain causal attention will do."""
        if prompts.bias is None:
            return None
        mask = self.causal(prompts.width, prompts.ids.device) + prompts.bias
        # a padding row attends to itself, lest its softmax is NaN
        return mask.masked_fill_(torch.eye(prompts.width, dtype=torch.bool, device=mask.device), 0.0)

    def attend_prompts(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """(P, heads, width, size) over keys and values of (P, key-value heads, width, size)."""
        return self.attend(q, self.repeat(k), self.repeat(v), mask)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Scaled dot-product attention, causal without a mask. On a CPU always in float32: the backward of torch's kernel
        takes three times as long in bfloat16, and the casts a fraction of that."""
        if q.device.type == "cpu" and q.dtype != torch.float32:
            mask = None if mask is None else mask.float()
            attended = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), mask, is_causal=mask is None)
            return attended.to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None)

    def repeat(self, x: Tensor) -> Tensor:
        """Key-value heads (dimension 1) as many times as there are query heads for each."""
        times = self.heads // self.kv_heads
        return x if times == 1 else x.repeat_interleave(times, 1)

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
        starts = prompts.lengths[batch.prompt_of_R]
        positions = torch.cat([prompts.positions, starts[index // max(width, 1)] + offsets])
        cos, sin = self.rotary(positions)
        ids = torch.cat([prompts.ids, batch.completion_ids_R_T[:, :-1].flatten()[index]])
        x = self.embed(ids)
        mask_P = self.prompt_mask(prompts)
        mask_C = self._completion_mask(prompts, batch.prompt_of_R, width)
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
        # a row's first token is predicted by its prompt's last, the others by the token before
        counts = batch.lengths_R - 1
        begins = prompt_tokens + counts.cumsum(0) - counts
        place, row_of_M = batch.place_M, batch.row_of_M
        first = prompts.ends[batch.prompt_of_R][row_of_M]
        return self.final_norm(x[torch.where(place == 0, first, begins[row_of_M] + place - 1)])

    def _completion_mask(self, prompts: PackedPrompts, prompt_of_R: Tensor, width: int) -> Tensor:
        """(R or 1, 1, width, prompt width + width)"""
        causal = self.causal(width, prompt_of_R.device)
        if prompts.bias is None:
            return torch.cat([causal.new_zeros(width, prompts.width), causal], 1)[None, None]
        rows = len(prompt_of_R)
        left = prompts.bias[prompt_of_R].expand(rows, 1, width, prompts.width)
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
        from rlar.trainer.model.fast_decode import FastDecoder  # which needs this file

        return FastDecoder(self, prompts, group_size, max_new_tokens)
