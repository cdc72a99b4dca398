"""The weights and blocks of the lean forward, which `rlar.trainer.model.fast` and its decoder put together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rlar.trainer.model.linear import LinearChoice, matmul_weight
from rlar.trainer.model.packing import PackedPrompts, pack_prompts


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


class FastLayers:
    """One model's weights in the dtype of the computation, and what a block does with them."""

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
        """(V, D) weight of the output layer in the dtype of the computation, and its bias (V,) or None."""
        return self._cast(self.model.lm_head.weight), self.model.lm_head.bias

    def cache_bytes_per_token(self) -> int:
        """Bytes of keys and values of one token in all layers."""
        return 2 * len(self.model.model.layers) * self.kv_heads * self.head_size * self.dtype.itemsize

    def _cast(self, weight: Tensor) -> Tensor:
        return weight.to(self.dtype)

    def embed(self, ids: Tensor) -> Tensor:
        """(..., ) token ids -> (..., D) embeddings."""
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
        """RMSNorm over the last axis (arXiv:1910.07467, eq. 4)."""
        return F.rms_norm(x, x.shape[-1:], weight, self.epsilon)

    def final_norm(self, x: Tensor) -> Tensor:
        """(..., D) hidden states, normalised for the output layer."""
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
        """(..., D) residual and (..., heads * size) attended values -> (..., D) after the output projection and the MLP."""
        x = x + matmul_weight(attended, layer.out, self.linear)
        gate, up = matmul_weight(self.norm(x, layer.norm_2), layer.gate_up, self.linear).chunk(2, -1)
        return x + matmul_weight(F.silu(gate) * up, layer.down, self.linear)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) normalised hidden states -> (..., V) logits."""
        weight, bias = self.head()
        logits = matmul_weight(hidden, weight, self.linear)
        return logits if bias is None else logits + bias

    # -------------------------------------------------------------------------------------- prompts

    def pack_prompts(self, prompts: Sequence[list[int]]) -> PackedPrompts:
        """The prompts in one row without padding, on the model's device."""
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
