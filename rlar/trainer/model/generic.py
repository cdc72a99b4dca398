"""Any causal language model of transformers, through its own forward: right for all, slower than `rlar.trainer.model.fast`.

Prompts of one length are decoded together, so that nothing is ever padded on the left and no architecture has to cope
with it. Rows of the training forward are padded on the right, where a causal model cannot look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from rlar.trainer.model.batch import MicroBatch


class TransformersNetwork:
    """See `rlar.trainer.model.network.Network`."""

    name = "transformers"

    def __init__(self, model: Any, *, dtype: torch.dtype, checkpoint_activations: bool = False) -> None:
        self.model = model
        self.dtype = dtype
        self.device: torch.device = next(model.parameters()).device
        if checkpoint_activations:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            model.enable_input_require_grads()
        self.linear_head = self._head_is_linear()

    def head(self) -> tuple[Tensor, Tensor | None]:
        """(V, D) weight of the output layer in the dtype of the computation, and its bias (V,) or None."""
        head = self.model.get_output_embeddings()
        return head.weight.to(self.dtype), getattr(head, "bias", None)

    def cache_bytes_per_token(self) -> int:
        """Bytes of keys and values of one token in all layers."""
        config = self.model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return int(2 * config.num_hidden_layers * heads * size * self.dtype.itemsize)

    def body(self) -> Any:
        """The model without its output layer; adapters, being inside its layers, stay."""
        inner = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        return inner.base_model

    def _head_is_linear(self) -> bool:
        """Whether the logits are the output layer's product with the last hidden state and nothing else."""
        head = self.model.get_output_embeddings()
        if head is None or not hasattr(head, "weight") or head.weight.dim() != 2:
            return False
        ids = torch.arange(4, device=self.device)[None]
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            logits = self.model(input_ids=ids).logits
            hidden = self.body()(input_ids=ids).last_hidden_state
            same = hidden.shape[-1] == head.weight.shape[1] and torch.allclose(
                head(hidden), logits, atol=1e-4, rtol=1e-3
            )
        self.model.train(was_training)
        return bool(same)

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Compute in the dtype of the run; nothing where that is float32."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            yield

    # -------------------------------------------------------------------------------------- training

    @contextmanager
    def forwards(self) -> Iterator[Callable[[MicroBatch], Tensor]]:
        """See Network.forwards: here the model's own forward."""
        yield self.hidden

    def hidden(self, batch: MicroBatch) -> Tensor:
        """(M, D) hidden states that predict the target tokens; (M, V) logits where the head is not linear."""
        rows = len(batch.rows_R)
        starts = torch.tensor([len(prompt) for prompt in batch.prompts], device=self.device)[batch.prompt_of_R]
        if batch.visible_R is not None:
            starts = batch.visible_R
        visible = starts.tolist()
        ends = starts + batch.lengths_R - 1  # the last token predicts nothing
        width = int(ends.max())
        ids = torch.zeros(rows, width, dtype=torch.long, device=self.device)
        completions, owners, lengths = batch.completion_ids_R_T, batch.prompt_of_R.tolist(), batch.lengths_R.tolist()
        for row, (owner, length) in enumerate(zip(owners, lengths, strict=True)):
            prompt = batch.prompts[owner][: visible[row]]
            ids[row, : len(prompt)] = torch.tensor(prompt, device=self.device)
            ids[row, len(prompt) : len(prompt) + length - 1] = completions[row, : length - 1]
        mask = (torch.arange(width, device=self.device) < ends[:, None]).long()
        with self.autocast():
            if self.linear_head:
                states = self.body()(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            else:
                states = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        picked: Tensor = states[batch.row_of_M, starts[batch.row_of_M] - 1 + batch.place_M]
        return picked.to(self.dtype) if self.linear_head else picked

    # -------------------------------------------------------------------------------------- decoding

    def split(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """Prompts of equal length."""
        parts: dict[int, list[int]] = {}
        for i, prompt in enumerate(prompts):
            parts.setdefault(len(prompt), []).append(i)
        return [parts[length] for length in sorted(parts)]

    def decoder(self, prompts: Sequence[list[int]], group_size: int, max_new_tokens: int) -> TransformersDecoder:
        """A decoder for prompts of one length; `max_new_tokens` is not needed here."""
        return TransformersDecoder(self, prompts, group_size)


class TransformersDecoder:
    """See `rlar.trainer.model.network.Decoder`. A model whose cache is of another kind than keys and values runs without one."""

    def __init__(self, network: TransformersNetwork, prompts: Sequence[list[int]], group_size: int) -> None:
        self.network = network
        self.group_size = group_size
        self.ids_B_L = torch.tensor(prompts, device=network.device)
        self.cache: Any = None

    def start(self) -> Tensor:
        """Encode the prompts, each once. Returns the (P*G, V) logits of the first token."""
        with self.network.autocast():
            output = self.network.model(input_ids=self.ids_B_L, use_cache=True)
        logits: Tensor = output.logits[:, -1]
        cache = getattr(output, "past_key_values", None)
        if isinstance(cache, DynamicCache) and all(
            type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers
        ):
            cache.batch_repeat_interleave(self.group_size)
            self.cache = cache
        self.ids_B_L = self.ids_B_L.repeat_interleave(self.group_size, 0)
        return logits.repeat_interleave(self.group_size, 0)

    def step(self, tokens_B: Tensor) -> Tensor:
        """Append `tokens_B` (B,) to each row. Returns the (B, V) logits of the next."""
        self.ids_B_L = torch.cat([self.ids_B_L, tokens_B[:, None]], 1)
        with self.network.autocast():
            if self.cache is None:
                output = self.network.model(input_ids=self.ids_B_L, use_cache=False)
            else:
                output = self.network.model(input_ids=tokens_B[:, None], past_key_values=self.cache, use_cache=True)
                self.cache = output.past_key_values
        logits: Tensor = output.logits[:, -1]
        return logits

    def keep(self, index: Tensor) -> None:
        """Go on with the rows of `index` only."""
        self.ids_B_L = self.ids_B_L[index]
        if self.cache is not None:
            self.cache.batch_select_indices(index)
