"""Rollouts from an OpenAI-compatible server (vLLM, SGLang, ...), and how far its numbers are from the trainer's.

The server must hold the policy's weights; loading new ones into it is its operator's business. What it samples from
stale weights or with other kernels is corrected by importance weights (`LossConfig.importance_cap`), within their cap.
"""

from __future__ import annotations

import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rlar.errors import ConfigError, RlarError
from rlar.trainer.model.policy import Policy
from rlar.trainer.rollout import Rollouts, check_sampling, cut_at_stop


class SamplerError(RlarError):
    """The sampling server cannot be reached, or answers what cannot be trained on."""


_RETRIED = (408, 429, 500, 502, 503, 504)


class HttpSampler:
    """Samples by POST <url>/completions, one request a prompt, several at a time.

    Tokens are taken from "token_ids" (vLLM's return_token_ids) or from tokens written as "token_id:17"
    (return_tokens_as_token_ids), else looked up by their text in the policy's vocabulary; a token that is not there is
    an error, never a guess.
    """

    def __init__(
        self,
        url: str,
        policy: Policy,
        *,
        model: str | None = None,
        api_key: str | None = None,
        processed_logprobs: bool = False,
        concurrency: int = 16,
        timeout_seconds: float = 300.0,
        attempts: int = 4,
        backoff_seconds: float = 0.5,
    ) -> None:
        """
        Args:
            url: of the API, e.g. "http://127.0.0.1:8000/v1".
            model: the name the server knows it by; None asks the server.
            processed_logprobs: the server's log-probabilities are those after the temperature (vLLM:
                --logprobs-mode processed_logprobs). If not, only temperature 1 can be used.
        """
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"the sampler's address must start with http:// or https://, not {url!r}")
        self.url = url.rstrip("/")
        self.policy = policy
        self.model = model
        self.api_key = api_key
        self.processed_logprobs = processed_logprobs
        self.concurrency = concurrency
        self.timeout_seconds = timeout_seconds
        self.attempts = attempts
        self.backoff_seconds = backoff_seconds

    def sample(
        self,
        prompts: Sequence[list[int]],
        *,
        group_size: int,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        generator: torch.Generator | None = None,
    ) -> Rollouts:
        """See Sampler.sample. Raises SamplerError where the server gives no usable answer."""
        check_sampling(prompts, self.policy, max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p)
        if temperature not in (0.0, 1.0) and not self.processed_logprobs:
            raise ConfigError(
                f"a server's log-probabilities are usually those at temperature 1, so temperature {temperature} cannot be "
                "trained on: use 1, or start the server with processed log-probabilities and say so"
            )
        if self.model is None:
            self.model = self._served_model()
        seeds = torch.randint(2**31, (len(prompts),), generator=generator).tolist()
        body = {
            "model": self.model, "n": group_size, "max_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p,
            "logprobs": 1, "return_token_ids": True, "return_tokens_as_token_ids": True,
        }  # fmt: skip
        if stop:
            body["stop"] = list(stop)
        requests = [{**body, "prompt": list(prompt), "seed": seed} for prompt, seed in zip(prompts, seeds, strict=True)]
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="rlar-sample") as pool:
            answers = list(pool.map(lambda request: self._request("completions", request), requests))
        completions = [
            completion
            for answer in answers
            for completion in self._completions(answer, group_size, max_new_tokens, stop)
        ]
        return self._rollouts(prompts, completions, group_size, max_new_tokens, temperature)

    # -------------------------------------------------------------------------------------- the answers

    def _completions(self, answer: Any, group_size: int, max_new_tokens: int, stop: Sequence[str]) -> list[_Completion]:
        choices = answer.get("choices") if isinstance(answer, dict) else None
        if not isinstance(choices, list) or len(choices) != group_size:
            count = len(choices) if isinstance(choices, list) else "no"
            raise SamplerError(f"{self.url} gave {count} completions of a prompt instead of {group_size}")
        completions = []
        for choice in choices:
            logprobs = choice.get("logprobs") or {}
            values = logprobs.get("token_logprobs")
            if not isinstance(values, list) or not values:
                raise SamplerError(f"{self.url} gave no token log-probabilities: it must support logprobs=1")
            ids = choice.get("token_ids") or [self._token_id(token) for token in logprobs.get("tokens") or []]
            sane = all(type(token) is int and 0 <= token < self.policy.vocabulary for token in ids)
            finite = all(isinstance(value, (int, float)) and math.isfinite(value) for value in values)
            if len(ids) != len(values) or len(ids) > max_new_tokens or not sane or not finite:
                raise SamplerError(
                    f"{self.url} gave {len(ids)} tokens with {len(values)} log-probabilities (limit {max_new_tokens}, "
                    f"vocabulary {self.policy.vocabulary}) that do not fit: does it serve this very model?"
                )
            text = cut_at_stop(self.policy.decode(list(ids)), stop)
            finished = choice.get("finish_reason") == "stop"
            completions.append(_Completion(list(ids), [float(value) for value in values], finished, text))
        return completions

    def _token_id(self, token: Any) -> int:
        if isinstance(token, str) and token.startswith("token_id:") and token[9:].isdigit():
            return int(token[9:])
        token_id = self.policy.tokenizer.get_vocab().get(token)
        if token_id is None:
            raise SamplerError(f"{self.url} gave a token that the policy's vocabulary lacks: {token!r}")
        return int(token_id)

    def _rollouts(
        self,
        prompts: Sequence[list[int]],
        completions: list[_Completion],
        group_size: int,
        max_new_tokens: int,
        temperature: float,
    ) -> Rollouts:
        width = max((len(completion.ids) for completion in completions), default=0)
        ids_N_T = torch.full((len(completions), width), self.policy.pad_id, dtype=torch.long)
        logprobs_N_T = torch.zeros(len(completions), width)
        for row, completion in enumerate(completions):
            ids_N_T[row, : len(completion.ids)] = torch.tensor(completion.ids)
            logprobs_N_T[row, : len(completion.ids)] = torch.tensor(completion.logprobs)
        device = self.policy.device
        return Rollouts(
            prompts=[list(prompt) for prompt in prompts],
            completion_ids_N_T=ids_N_T.to(device),
            lengths_N=torch.tensor([len(completion.ids) for completion in completions], device=device),
            logprobs_N_T=logprobs_N_T.to(device),
            finished_N=torch.tensor([completion.finished for completion in completions], device=device),
            texts=[completion.text for completion in completions],
            group_size=group_size,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
        )

    # -------------------------------------------------------------------------------------- the wire

    def _served_model(self) -> str:
        answer = self._request("models", None)
        models = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(models, list) or not models or not isinstance(models[0].get("id"), str):
            raise SamplerError(f"{self.url}/models names no model: pass `model`")
        return str(models[0]["id"])

    def _request(self, path: str, body: dict[str, Any] | None) -> Any:
        """The JSON answer; tried again after a pause when the server is busy or away."""
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(1, self.attempts + 1):
            request = urllib.request.Request(f"{self.url}/{path}", data=data, headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:
                    return json.loads(response.read())
            except urllib.error.HTTPError as error:
                reason, cause = f"{error.code}: {error.read(300).decode(errors='replace')}", error
                if error.code not in _RETRIED:
                    raise SamplerError(f"{self.url}/{path} answered {reason}") from None
            except (OSError, ValueError) as error:  # unreachable, timed out, or not JSON
                reason, cause = str(error), error  # type: ignore[assignment]
            if attempt < self.attempts:
                time.sleep(self.backoff_seconds * 2 ** (attempt - 1))
        raise SamplerError(f"{self.url}/{path} failed {self.attempts} times, last: {reason}") from cause


@dataclass(frozen=True)
class _Completion:
    ids: list[int]
    logprobs: list[float]
    finished: bool
    text: str


# ------------------------------------------------------------------------------------------ mismatch


@dataclass(frozen=True)
class Mismatch:
    """How far a sampler's log-probabilities are from the trainer's, over all tokens that the policy wrote."""

    mean_abs: float
    max_abs: float
    kl: float
    """Mean k3 estimate of KL(sampler || trainer), never negative."""
    effective_share: float
    """Effective sample size of the untruncated token weights over their number: 1 is on-policy, near 0 useless."""


def sampler_mismatch(trainer_logprobs_N_T: Tensor, rollouts: Rollouts) -> Mismatch:
    """The trainer's log-probabilities (`completion_logprobs`) beside those the sampler recorded."""
    mask = rollouts.action_mask_N_T
    gaps = (trainer_logprobs_N_T - rollouts.logprobs_N_T)[mask].double()
    if len(gaps) == 0:
        return Mismatch(mean_abs=0.0, max_abs=0.0, kl=0.0, effective_share=1.0)
    weights = (gaps - gaps.max()).exp()  # scaled alike, which the share does not see
    return Mismatch(
        mean_abs=float(gaps.abs().mean()),
        max_abs=float(gaps.abs().max()),
        kl=float((gaps.exp() - 1.0 - gaps).mean()),
        effective_share=float(weights.sum().square() / (len(weights) * weights.square().sum())),
    )
