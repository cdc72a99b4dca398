"""information_gain: how much likelier a turn, and the answer to it, made the reference (IGPO)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import field_validator

from rlar.trainer.signals.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rlar.trainer.context import Context
    from rlar.trainer.credit import Credit

MOST_ALIASES = 4
"""Accepted answers of a row that are looked at."""


class InformationGain(Options):
    """Credit per turn but the last, whose outcome the reward pays; earlier turns share in it (arXiv:2510.14967, eq. 2 to 6).

    s_k is the mean log-probability of the reference's tokens, inside the answer's wrapping, after turn k and what the
    environment answered; the gain of turn k is s_k - s_(k-1). Of several accepted answers, the one that is likeliest in the end is
    taken for the whole episode. NaN for rows without a reference and for episodes that broke. Without gradient.
    """

    answer: str = "{answer}"
    """How the policy is to answer; without the wrapping, gain measures that an answer comes at all."""
    scale: Literal["log", "probability"] = "log"

    @field_validator("answer")
    @classmethod
    def _has_place(cls, answer: str) -> str:
        if answer.count("{answer}") != 1:
            raise ValueError("answer needs {answer} once")
        return answer

    def __call__(self, context: Context) -> Credit:
        """One forward over all episodes, with the answer behind every turn of each."""
        import torch

        from rlar.trainer.credit import Credit

        rollouts, tokenizer = context.rollouts, context.policy.tokenizer
        before = tokenizer(self.answer.partition("{answer}")[0], add_special_tokens=False)["input_ids"]
        answers: list[list[tuple[list[int], int]]] = []
        for index, episode in enumerate(context.episodes):
            references = context.rows[index // rollouts.group_size].example.references[:MOST_ALIASES]
            texts = () if episode.broke else references
            ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
            answers.append([([*before, *each], len(before)) for each in ids if each])
        turns_N_T = rollouts.turn_of_N_T
        turns = max(int(turns_N_T.max()) + 1 if turns_N_T.numel() else 0, 1)
        scores_N_A_K = answer_scores(context, answers, turns)
        if self.scale == "probability":
            scores_N_A_K = scores_N_A_K.exp()
        counts_N = (turns_N_T.amax(1) + 1).clamp(min=1) if turns_N_T.numel() else torch.ones(len(rollouts)).long()
        last_N_A = scores_N_A_K.gather(2, (counts_N - 1)[:, None, None].expand(-1, scores_N_A_K.shape[1], 1)).squeeze(2)
        best_N = last_N_A.nan_to_num(nan=-torch.inf).argmax(1)
        chosen_N_K = scores_N_A_K[torch.arange(len(best_N)), best_N]
        gains_N_K = torch.full_like(chosen_N_K, float("nan"))
        gains_N_K[:, :-1] = chosen_N_K[:, 1:] - chosen_N_K[:, :-1]
        return Credit(gains_N_K, per="turn", carries="back")


def answer_scores(context: Context, answers: Sequence[Sequence[tuple[list[int], int]]], turns: int) -> Tensor:
    """(N, A, K) double, mean log-probability of each answer before each turn of its rollout; NaN where there is none.

    Args:
        answers: of each rollout, token ids and how many of them are wrapping that is read and not scored.
        turns: K. Before the first turn an answer follows the prompt, before turn k all that came before its first token.
    """
    import torch

    from rlar.trainer.model.batch import micro_batches
    from rlar.trainer.model.logprob import batch_statistic

    rollouts, policy = context.rollouts, context.policy
    most = max((len(each) for each in answers), default=0) or 1
    width = max((len(ids) for each in answers for ids, _skipped in each), default=1)
    count, size, device = len(answers), rollouts.group_size, policy.device
    lengths = torch.zeros(count, most, turns, dtype=torch.long)
    visible = torch.ones(count, most, turns, dtype=torch.long)
    ids = torch.zeros(count, most, turns, width, dtype=torch.long)
    wanted = torch.zeros(count, most, turns, width, dtype=torch.bool)
    sequences, turns_N_T = [], rollouts.turn_of_N_T.cpu()
    for row, own in enumerate(answers):
        prompt, length = rollouts.prompts[row // size], int(rollouts.lengths_N[row])
        sequences.append([*prompt, *rollouts.completion_ids_N_T[row, :length].tolist()])
        for turn in range(int(turns_N_T[row].max()) + 1 if turns_N_T.shape[1] else 0):
            start = int((turns_N_T[row] == turn).int().argmax()) if turn else 0
            visible[row, :, turn] = len(prompt) + start
            for place, (answer, skipped) in enumerate(own):
                lengths[row, place, turn] = len(answer)
                ids[row, place, turn, : len(answer)] = torch.tensor(answer)
                wanted[row, place, turn, skipped : len(answer)] = True
    batches = micro_batches(
        sequences,
        ids.view(-1, width).to(device),
        lengths.flatten().to(device),
        group_size=most * turns,
        token_budget=context.token_budget,
        action_mask_N_T=wanted.view(-1, width).to(device),
        visible_N=visible.flatten().to(device),
    )
    values = torch.zeros(count * most * turns, width, dtype=torch.float64, device=device)
    with torch.no_grad(), policy.active(), policy.network.forwards() as forward:
        for batch in batches:
            logprobs_M = batch_statistic(policy, forward, batch, 1.0)
            values[batch.rows_R[batch.row_of_M], batch.place_M] = logprobs_M.double()
    return values.cpu().sum(1).view(count, most, turns) / torch.where(lengths > 0, wanted.sum(-1), float("nan"))
