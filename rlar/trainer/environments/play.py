"""Rollouts of several turns: environments answer, all rows at once, and every token keeps its writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch

from rlar.errors import RlarError, boundary
from rlar.process import Slots
from rlar.tool import Resources
from rlar.trainer.config import EnvironmentConfig
from rlar.trainer.data import TrainRow
from rlar.trainer.environments import environment_maker, judge_of
from rlar.trainer.environments.base import Environment, Step, checked_messages, checked_step
from rlar.trainer.model.policy import Policy
from rlar.trainer.rollout import Rollouts, Sampler, cut_at_stop, with_episodes
from rlar.trainer.sampling.conversation import Conversation
from rlar.trainer.sampling.session import Draw, Written, lots, open_session
from rlar.trainer.turns import Episode, EpisodeStatus, Turn
from rlar.types import Message, Reward, ScoreStatus, ToolScore

MAX_TOKENS = 2_048
"""Of an episode after its prompt, where the settings say nothing."""


class EnvironmentBroke(RlarError):
    """Not one episode of a step came to an end that the policy can learn from."""


class Broke(NamedTuple):
    """Why an environment gave nothing."""

    status: EpisodeStatus
    problem: str


@dataclass(eq=False)
class _Episode:
    """One episode being written."""

    environment: Environment | None = None
    """None before it was made, and where that failed."""
    messages: tuple[Message, ...] = ()
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    """What the environment said and the policy has not read yet, and its text."""
    said: str = ""
    finished: bool = False
    status: EpisodeStatus | None = None
    """None: it goes on."""
    problem: str = ""

    def end(self, status: EpisodeStatus, problem: str = "") -> None:
        self.status, self.problem = status, problem

    def add(self, written: Written, text: str) -> None:
        """What the environment said last, and what the policy wrote then."""
        if self.read:
            start = len(self.ids)
            self.ids += self.read
            self.logprobs += [0.0] * len(self.read)
            self.turns.append(Turn("environment", start, len(self.ids), self.said))
        start = len(self.ids)
        self.ids += written.ids
        self.logprobs += written.logprobs
        self.turns.append(Turn("policy", start, len(self.ids), text))
        self.read, self.said, self.finished = [], "", written.finished


class Player:
    """Plays episodes of rows with a policy."""

    def __init__(self, config: EnvironmentConfig, policy: Policy, sampler: Sampler, resources: Resources) -> None:
        """Raises ConfigError where there is no such environment, or it takes no such settings."""
        self.config = config
        self.policy = policy
        self.sampler = sampler
        self.resources = resources
        self.make = environment_maker(config, resources)
        self.tools = tuple(self.make().tools())
        self.conversation = Conversation(policy, message_tokens=config.message_tokens)
        self.judge = judge_of(config)
        self._slots = Slots(config.at_once)

    def sample(self, rows: Sequence[TrainRow], draw: Draw, *, group_size: int, seeds: Sequence[int]) -> Rollouts:
        """`group_size` episodes of each row; see Rollouts.

        Args:
            seeds: one a row, for what is chance in its environments.
        """
        episodes = [_Episode() for _row in rows for _member in range(group_size)]
        try:
            prompts = self._begin(rows, episodes, group_size, seeds, draw)
            capacity = self._capacity(prompts, draw)
            for part in lots(self.sampler, prompts, group_size, capacity):
                chosen = [episodes[place * group_size + member] for place in part for member in range(group_size)]
                self._play([prompts[place] for place in part], chosen, draw, group_size, capacity)
            return self._rollouts(prompts, episodes, draw, group_size)
        finally:
            # whoever did not answer in time may still be at work
            idle = [episode for episode in episodes if episode.environment and episode.status != "timeout"]
            self._all(idle, lambda episode: _made(episode).close)

    def rewards(
        self, rows: Sequence[TrainRow], rollouts: Rollouts, score: Callable[[Sequence[int]], Sequence[Reward]]
    ) -> list[Reward]:
        """One a rollout: the environment's own, or what the registry says of the answer. What broke has none.

        Args:
            score: the registry's rewards of rollouts by their index.
        """
        episodes = rollouts.all_episodes()
        whole = [index for index, episode in enumerate(episodes) if not episode.broke]
        judged: dict[int, Reward] = {}
        if self.judge == "registry":
            judged = dict(zip(whole, score(whole), strict=True))
        found = []
        for index, episode in enumerate(episodes):
            fingerprint = rows[index // rollouts.group_size].fingerprint
            status: ScoreStatus = episode.status if episode.status in ("failed", "timeout") else "ok"
            if status == "ok" and self.judge == "environment" and episode.reward is None:
                status = "abstain"
            value = episode.reward if status == "ok" else None
            tool = ToolScore(tool=f"environment:{self.config.name}", value=value, status=status)
            own = Reward(reward=value, status=status, fingerprint=fingerprint, scores=(tool,))
            found.append(judged.get(index, own))
        return found

    # -------------------------------------------------------------------------------------- the turns

    def _begin(
        self, rows: Sequence[TrainRow], episodes: list[_Episode], group_size: int, seeds: Sequence[int], draw: Draw
    ) -> list[list[int]]:
        """Make and reset all environments. Returns the prompts, which a group shares."""
        place = {id(episode): index // group_size for index, episode in enumerate(episodes)}

        def reset(episode: _Episode) -> Callable[[], tuple[Message, ...]]:
            row, seed = rows[place[id(episode)]].example, seeds[place[id(episode)]]

            def begin() -> tuple[Message, ...]:
                episode.environment = self.make()
                return checked_messages(episode.environment.reset(row, seed))

            return begin

        for episode, given in zip(episodes, self._all(episodes, reset), strict=True):
            if isinstance(given, Broke):
                episode.end(*given)
            else:
                episode.messages = given
        prompts = []
        for index, row in enumerate(rows):
            group = episodes[index * group_size : (index + 1) * group_size]
            first = next((episode for episode in group if episode.status is None), None)
            ids = list(row.prompt_ids)
            if first is not None:
                example = row.example.model_copy(update={"prompt": first.messages})
                ids = self.policy.encode_prompt(example, self.tools)
            for episode in group:
                if episode.status is None and first is not None and episode.messages != first.messages:
                    episode.end("failed", "reset gave another prompt to this row than to others of its group")
                elif episode.status is None and len(ids) + draw.max_new_tokens > self._context():
                    episode.end("failed", f"the prompt of {len(ids)} tokens leaves no room for a turn")
            prompts.append(ids)
        return prompts

    def _play(
        self, prompts: list[list[int]], episodes: list[_Episode], draw: Draw, group_size: int, capacity: int
    ) -> None:
        session = open_session(self.sampler, prompts, group_size, capacity, draw)
        for number in range(self.config.max_turns):
            for row, episode in enumerate(episodes):
                needed = len(episode.ids) + len(episode.read) + draw.max_new_tokens
                room = min(capacity, self._context() - len(prompts[row // group_size]))
                if episode.status is None and needed > room:
                    episode.end("limit")
            rows = [row for row, episode in enumerate(episodes) if episode.status is None]
            if not rows:
                return
            running = [episodes[row] for row in rows]
            for episode, written in zip(
                running, session.turn(rows, [episode.read for episode in running]), strict=True
            ):
                episode.add(written, cut_at_stop(self.policy.decode(written.ids), draw.stop))
            last = number == self.config.max_turns - 1
            for episode, step in zip(running, self._all(running, self._step), strict=True):
                self._answered(episode, step, last=last)

    def _step(self, episode: _Episode) -> Callable[[], Step]:
        turn = episode.turns[-1]
        ids = episode.ids[turn.start : turn.end]
        completion = self.conversation.read(ids, turn.text, finished=episode.finished)
        return lambda: checked_step(_made(episode).step(completion))

    def _answered(self, episode: _Episode, step: Step | Broke, *, last: bool) -> None:
        if isinstance(step, Broke):
            episode.end(*step)
            return
        episode.turns[-1] = replace(episode.turns[-1], reward=step.reward)
        if step.done or last:
            episode.end("done" if step.done else "limit")
            return
        written = episode.ids[episode.turns[-1].start :]
        episode.read = self.conversation.between(step.messages, written, self.tools)
        episode.said = "\n\n".join(message.content for message in step.messages)

    def _all(self, episodes: Sequence[_Episode], job: Callable[[_Episode], Callable[[], Any]]) -> list[Any]:
        """What a job of each episode gives, side by side, or why it gave nothing."""
        seconds = self.config.step_seconds
        return self._slots.run(
            [job(episode) for episode in episodes],
            seconds=seconds,
            on_error=lambda error: Broke("failed", f"{type(error).__name__}: {error}"[:300]),
            late=lambda: Broke("timeout", f"no answer within {seconds:g} s"),
        )

    # -------------------------------------------------------------------------------------- the rollouts

    def _context(self) -> int:
        return self.policy.context or 1 << 30

    def _capacity(self, prompts: Sequence[list[int]], draw: Draw) -> int:
        """Tokens after a prompt, at most."""
        most = self.config.max_turns * (draw.max_new_tokens + self.config.message_tokens + 64)
        shortest = min(map(len, prompts), default=0)
        asked = self.config.max_tokens or max(MAX_TOKENS, draw.max_new_tokens)
        return max(draw.max_new_tokens, min(most, asked, self._context() - shortest))

    def _rollouts(
        self, prompts: list[list[int]], episodes: Sequence[_Episode], draw: Draw, group_size: int
    ) -> Rollouts:
        width, device = max((len(episode.ids) for episode in episodes), default=0), self.policy.device
        pad = self.policy.pad_id
        texts = [_answer(episode) for episode in episodes]
        ids = [episode.ids + [pad] * (width - len(episode.ids)) for episode in episodes]
        logprobs = [episode.logprobs + [0.0] * (width - len(episode.ids)) for episode in episodes]
        rollouts = Rollouts(
            prompts=prompts,
            completion_ids_N_T=torch.tensor(ids, dtype=torch.long, device=device).view(len(episodes), width),
            lengths_N=torch.tensor([len(episode.ids) for episode in episodes], dtype=torch.long, device=device),
            logprobs_N_T=torch.tensor(logprobs, dtype=torch.float32, device=device).view(len(episodes), width),
            finished_N=torch.tensor(
                [episode.finished and episode.status == "done" for episode in episodes], dtype=torch.bool, device=device
            ),
            texts=texts,
            group_size=group_size,
            temperature=draw.temperature,
            max_new_tokens=draw.max_new_tokens,
        )
        return with_episodes(
            rollouts,
            [Episode(tuple(episode.turns), episode.status or "limit", episode.problem) for episode in episodes],
        )


def _made(episode: _Episode) -> Environment:
    assert episode.environment is not None, "an episode that did not begin is played"
    return episode.environment


def _answer(episode: _Episode) -> str:
    """What the registry's tools judge."""

    def broke(error: Exception) -> str:
        episode.end("failed", f"{type(error).__name__}: {error}"[:300])
        return ""

    broken = episode.status in ("failed", "timeout")
    own = None if broken else boundary(_made(episode).answer, broke)
    return own if isinstance(own, str) else episode.turns[-1].text if episode.turns else ""
