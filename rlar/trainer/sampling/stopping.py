"""Stop strings: noticing, as tokens are drawn, that a completion has written one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class StopStrings:
    """Which rows have just completed a stop string.

    Only rows whose newest token could end one are decoded, and of those only as many tokens as the longest stop string
    has bytes, plus a few.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str], vocabulary: int) -> None:
        if any(not string for string in stop):
            raise ValueError("a stop string must not be empty")
        self.tokenizer = tokenizer
        self.stop = tuple(stop)
        self.tail = max(len(string.encode()) for string in stop) + 4
        self.could_end = _could_end(tokenizer, self.stop, vocabulary)

    def reached(self, ids_N_T: Tensor, rows_B: Tensor, tokens_B: Tensor, running_B: Tensor) -> Tensor:
        """(B,) bool; `ids_N_T` ends with the newest token of each row."""
        self.could_end = self.could_end.to(tokens_B.device)
        found_B = torch.zeros_like(running_B)
        for place in (running_B & self.could_end[tokens_B]).nonzero().squeeze(1).tolist():
            ids = ids_N_T[rows_B[place], -self.tail :].tolist()
            text = self.tokenizer.decode(ids, skip_special_tokens=False)
            found_B[place] = any(string in text for string in self.stop)
        return found_B


def _could_end(tokenizer: Any, stop: tuple[str, ...], vocabulary: int) -> Tensor:
    """(V,) bool: the token's text has the last character of some stop string, or is part of a character."""
    last = {string[-1] for string in stop}
    if any(character.isspace() for character in last):  # some tokenizers drop spaces of a token decoded alone
        return torch.ones(vocabulary, dtype=torch.bool)
    size = min(len(tokenizer), vocabulary)
    texts = tokenizer.batch_decode([[token] for token in range(size)], skip_special_tokens=False)
    possible = torch.zeros(vocabulary, dtype=torch.bool)
    possible[:size] = torch.tensor(["\ufffd" in text or not last.isdisjoint(text) for text in texts])
    return possible
