from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from rlar.errors import ConfigError
from rlar.trainer.credit import per_token
from rlar.trainer.loss import LossConfig, policy_loss_backward
from rlar.trainer.model.logprob import completion_logprobs
from rlar.trainer.rollout import LocalSampler
from rlar.trainer.sampling.server import HttpSampler, SamplerError, sampler_mismatch
from rlar.trainer.sampling.session import Draw
from tests.fakes.environments import chat_policy, player
from tests.fakes.environments import row as row_of
from tests.fakes.small_policies import PROMPTS, policy


class Server:
    """A completions server that holds a policy and answers as vLLM does, with faults on request."""

    def __init__(self, made, *, tokens="token_ids", noise=0.0, faults=(), spoil=None):
        self.made, self.tokens, self.noise, self.spoil = made, tokens, noise, spoil
        self.faults = list(faults)
        self.asked: list[dict] = []
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply({"data": [{"id": "tiny"}]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.asked.append(body)
                    fault = outer.faults.pop(0) if outer.faults else None
                    if fault == "garbage":
                        self.reply(None, raw=b"<html>")
                    elif fault:
                        self.reply({"error": "later"}, status=fault)
                    else:
                        self.reply(outer.answer(body))

            def reply(self, value, status=200, raw=None):
                data = raw or json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def answer(self, body):
        rollouts = LocalSampler(self.made).sample(
            [body["prompt"]], group_size=body["n"], max_new_tokens=body["max_tokens"], stop=body.get("stop", ()),
            temperature=body["temperature"], generator=torch.Generator().manual_seed(body["seed"]),
        )  # fmt: skip
        choices = []
        for row, length in enumerate(rollouts.lengths_N.tolist()):
            ids = rollouts.completion_ids_N_T[row, :length].tolist()
            noise = self.noise * torch.randn(length, generator=torch.Generator().manual_seed(row))
            choice = {
                "text": rollouts.texts[row],
                "finish_reason": "stop" if rollouts.finished_N[row] else "length",
                "logprobs": {"token_logprobs": (rollouts.logprobs_N_T[row, :length] + noise).tolist()},
            }
            if self.tokens == "token_ids":
                choice["token_ids"] = ids
            elif self.tokens == "numbered":
                choice["logprobs"]["tokens"] = [f"token_id:{token}" for token in ids]
            else:
                choice["logprobs"]["tokens"] = self.made.tokenizer.convert_ids_to_tokens(ids)
            choices.append(choice)
        answer = {"choices": choices}
        if self.spoil:
            self.spoil(answer)
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def sample(server, **options):
    call = {"group_size": 3, "max_new_tokens": 8, **options.pop("call", {})}
    sampler = HttpSampler(server.url, server.made, backoff_seconds=0.01, **options)
    return sampler.sample(PROMPTS, generator=torch.Generator().manual_seed(0), **call)


@pytest.mark.parametrize("tokens", ["token_ids", "numbered", "text"])
def test_a_servers_rollouts_are_as_good_as_our_own(tokens):
    made = policy()
    with Server(made, tokens=tokens) as server:
        rollouts = sample(server)
        assert all(body["model"] == "tiny" and body["logprobs"] == 1 for body in server.asked)
        assert {tuple(body["prompt"]) for body in server.asked} == {tuple(prompt) for prompt in PROMPTS}
    assert rollouts.prompts == PROMPTS and len(rollouts) == 9
    trainer = completion_logprobs(made, rollouts)
    mismatch = sampler_mismatch(trainer, rollouts)
    assert mismatch.max_abs < 1e-4
    assert mismatch.effective_share == pytest.approx(1.0, abs=1e-4)
    assert (
        policy_loss_backward(made, rollouts, per_token(torch.randn(9), rollouts.mask_N_T), config=LossConfig()).tokens
        > 0
    )


def test_the_same_seed_asks_for_the_same():
    with Server(policy()) as server:
        assert sample(server).texts == sample(server).texts


def test_a_servers_other_numbers_are_measured_and_weighed():
    made = policy()
    with Server(made, noise=0.4) as server:
        rollouts = sample(server, call={"group_size": 8})
    mismatch = sampler_mismatch(completion_logprobs(made, rollouts), rollouts)
    assert 0.2 < mismatch.mean_abs < 0.5  # |N(0, 0.4)| has mean 0.32
    assert 0.5 < mismatch.effective_share < 0.97
    assert mismatch.kl > 0.02
    stats = policy_loss_backward(
        made, rollouts, per_token(torch.randn(24), rollouts.mask_N_T), config=LossConfig(importance_cap=1.3)
    )
    assert 0.1 < stats.capped_fraction < 0.5
    assert 0.8 < stats.importance_mean < 1.2


def test_stop_strings_are_passed_on():
    made = policy(spread=1.0)
    with Server(made) as server:
        rollouts = sample(server, call={"stop": ["a", "b"], "max_new_tokens": 30})
    assert all("a" not in text and "b" not in text for text in rollouts.texts)
    assert server.asked[0]["stop"] == ["a", "b"]


def test_a_busy_server_is_asked_again():
    with Server(policy(), faults=[503, "garbage", 429]) as server:
        assert len(sample(server, concurrency=1)) == 9
        assert len(server.asked) == 3 + 3


def test_a_dead_or_refusing_server_is_named():
    made = policy()
    with Server(made, faults=[400]) as server, pytest.raises(SamplerError, match="400"):
        sample(server, concurrency=1)
    with pytest.raises(SamplerError, match="failed 2 times"):
        HttpSampler("http://127.0.0.1:9/v1", made, model="x", attempts=2, backoff_seconds=0.0).sample(
            PROMPTS, group_size=1, max_new_tokens=2
        )
    with pytest.raises(ConfigError, match="http"):
        HttpSampler("127.0.0.1:8000", made)


def spoil_logprobs(answer):
    answer["choices"][0]["logprobs"] = None


def spoil_length(answer):
    answer["choices"][0]["logprobs"]["token_logprobs"].append(-1.0)


def spoil_count(answer):
    answer["choices"].pop()


def spoil_vocabulary(answer):
    answer["choices"][0]["token_ids"][0] = 10_000


def spoil_number(answer):
    answer["choices"][0]["logprobs"]["token_logprobs"][0] = float("nan")


@pytest.mark.parametrize("spoil", [spoil_logprobs, spoil_length, spoil_count, spoil_vocabulary, spoil_number])
def test_answers_that_cannot_be_trained_on_are_refused(spoil):
    with Server(policy(), spoil=spoil) as server, pytest.raises(SamplerError):
        sample(server)


def test_raw_logprobs_cannot_be_used_at_another_temperature():
    with Server(policy()) as server:
        with pytest.raises(ConfigError, match="temperature"):
            sample(server, call={"temperature": 0.7})
        rollouts = sample(server, call={"temperature": 0.7}, processed_logprobs=True)
        assert sampler_mismatch(completion_logprobs(server.made, rollouts), rollouts).max_abs < 1e-4


@pytest.mark.parametrize("tokens", ["token_ids", "text"])
def test_turns_are_sampled_by_a_server_from_the_very_tokens_that_came_before(tokens):
    made = chat_policy(context=512)
    rows = [row_of(made, text) for text in ("one", "two2")]
    draw = Draw(max_new_tokens=6, generator=torch.Generator().manual_seed(0))
    with Server(made, tokens=tokens) as server:
        sampler = HttpSampler(server.url, made, backoff_seconds=0.01, concurrency=1)
        rollouts = player(made, "Echo", sampler, ends=0.0, max_turns=3).sample(rows, draw, group_size=2, seeds=[0, 1])
    assert (completion_logprobs(made, rollouts) - rollouts.logprobs_N_T).abs().max() < 1e-4
    assert sampler_mismatch(completion_logprobs(made, rollouts), rollouts).max_abs < 1e-4
    first, later = server.asked[:2], server.asked[2:]
    assert [body["n"] for body in first] == [2, 2]  # the first turn: a request a prompt; then one an episode
    assert len(later) == 2 * 4 and all(body["n"] == 1 for body in later)
    for place, episode in enumerate(rollouts.episodes):
        ids = rollouts.prompts[place // 2] + rollouts.completion_ids_N_T[place].tolist()
        begin = len(rollouts.prompts[place // 2])
        for number, turn in enumerate(episode.policy_turns[1:]):
            assert later[4 * number + place]["prompt"] == ids[: begin + turn.start]


def test_a_server_that_is_away_ends_a_run_of_turns_as_it_ends_one_of_completions():
    made = chat_policy()
    with Server(made, faults=[400]) as server:
        sampler = HttpSampler(server.url, made, concurrency=1)
        with pytest.raises(SamplerError, match="400"):
            player(made, "Echo", sampler).sample([row_of(made, "one")], Draw(max_new_tokens=4), group_size=2, seeds=[0])
