"""Micro-batches for the training forward: rows of like length, the prompt once a group, at most so many tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class MicroBatch:
    """Some rows of a batch of rollouts, with the prompts they share. R rows, M target tokens in all.

    Targets are the tokens whose log-probabilities are wanted: those that the policy wrote. Others are only read.
    """

    prompts: list[list[int]]
    """Token ids, each prompt once."""
    prompt_of_R: Tensor
    """(R,) index into `prompts`."""
    rows_R: Tensor
    """(R,) which rows of the rollouts these are."""
    completion_ids_R_T: Tensor
    """(R, T) token ids; anything past a row's length."""
    lengths_R: Tensor
    """(R,) tokens of each completion, the environment's among them."""
    action_mask_R_T: Tensor | None = None
    """(R, T) bool, where the targets are; None: every completion token."""
    visible_R: Tensor | None = None
    """(R,) a row follows so many tokens of its prompt and sees no later one; None: all."""

    @cached_property
    def mask_R_T(self) -> Tensor:
        """True where a completion token is."""
        return token_mask(self.lengths_R, self.completion_ids_R_T.shape[1])

    @cached_property
    def target_mask_R_T(self) -> Tensor:
        """True where a target is."""
        return self.mask_R_T if self.action_mask_R_T is None else self.action_mask_R_T & self.mask_R_T

    @cached_property
    def targets_M(self) -> Tensor:
        """The target tokens, row after row."""
        return self.completion_ids_R_T[self.target_mask_R_T]

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor]:
        row_of_M, place_M = self.target_mask_R_T.nonzero(as_tuple=True)
        return row_of_M, place_M

    @property
    def row_of_M(self) -> Tensor:
        """Row (in 0..R-1) of each target."""
        return self._places[0]

    @property
    def place_M(self) -> Tensor:
        """Place in its completion of each target."""
        return self._places[1]

    def packed(self, values_N_T: Tensor) -> Tensor:
        """The (M,) values of this micro-batch's targets, out of a whole batch's (N, T)."""
        return values_N_T[self.rows_R, : self.mask_R_T.shape[1]][self.target_mask_R_T]


def token_mask(lengths_N: Tensor, width: int) -> Tensor:
    """(N, width) bool: the first `length` entries of each row."""
    return torch.arange(width, device=lengths_N.device) < lengths_N[:, None]


def plan_rows(
    lengths: Sequence[int], prompt_lengths: Sequence[int], rows: Sequence[int], *, group_size: int, token_budget: int
) -> list[list[int]]:
    """Rows of each micro-batch: groups of like length together, prompt counted once a group, within the token budget.

    A group that does not fit is split; a row that does not fit goes alone.

    Args:
        lengths: completion tokens of each row.
        prompt_lengths: of each prompt; row n belongs to prompt n // group_size.
        rows: which rows take part.
    """
    groups: dict[int, list[int]] = {}
    for row in rows:
        groups.setdefault(row // group_size, []).append(row)
    batches: list[list[int]] = []
    current: list[int] = []
    used = 0
    for group in sorted(groups, key=lambda g: (max(lengths[row] for row in groups[g]), g)):
        cost = prompt_lengths[group] + sum(lengths[row] for row in groups[group])
        if current and used + cost > token_budget:
            batches.append(current)
            current, used = [], 0
        if cost <= token_budget:
            current += groups[group]
            used += cost
            continue
        piece: list[int] = []
        piece_used = prompt_lengths[group]
        for row in sorted(groups[group], key=lambda r: (lengths[r], r)):
            if piece and piece_used + lengths[row] > token_budget:
                batches.append(piece)
                piece, piece_used = [], prompt_lengths[group]
            piece.append(row)
            piece_used += lengths[row]
        batches.append(piece)
    if current:
        batches.append(current)
    return batches


def micro_batches(
    prompts: Sequence[list[int]],
    completion_ids_N_T: Tensor,
    lengths_N: Tensor,
    *,
    group_size: int,
    token_budget: int,
    rows: Sequence[int] | None = None,
    action_mask_N_T: Tensor | None = None,
    visible_N: Tensor | None = None,
) -> Iterator[MicroBatch]:
    """The micro-batches of a batch of rollouts, or of some of its rows; rows without a token are left out.

    Args:
        action_mask_N_T: bool, the tokens whose log-probabilities are wanted; None: all.
        visible_N: tokens of its prompt that a row follows, at least 1; None: all.
    """
    lengths: list[int] = lengths_N.tolist()
    wanted = [row for row in (range(len(lengths)) if rows is None else rows) if lengths[row] > 0]
    device = completion_ids_N_T.device
    plan = plan_rows(
        lengths, [len(prompt) for prompt in prompts], wanted, group_size=group_size, token_budget=token_budget
    )
    for chosen in plan:
        groups = list(dict.fromkeys(row // group_size for row in chosen))
        place = {group: index for index, group in enumerate(groups)}
        rows_R = torch.tensor(chosen, device=device)
        width = max(lengths[row] for row in chosen)
        yield MicroBatch(
            prompts=[prompts[group] for group in groups],
            prompt_of_R=torch.tensor([place[row // group_size] for row in chosen], device=device),
            rows_R=rows_R,
            completion_ids_R_T=completion_ids_N_T[rows_R, :width],
            lengths_R=lengths_N[rows_R],
            action_mask_R_T=None if action_mask_N_T is None else action_mask_N_T[rows_R, :width],
            visible_R=None if visible_N is None else visible_N[rows_R],
        )
