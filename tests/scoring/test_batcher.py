"""Micro-batching: what arrives together is scored together, nothing accepted is lost, the queue is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rlar.errors import RegistryError
from rlar.scoring.batcher import Batcher, Broken, Draining, QueueFull
from rlar.scoring.scorer import RoutedSample
from rlar.types import Example, Message, Reward

ROW = Example(id="r", prompt=(Message(role="user", content="say"),))


def said(*texts: str) -> list[RoutedSample]:
    return [RoutedSample(example=ROW, completion=text) for text in texts]


class Scorer:
    """Records calls; the reward is the completion as a number."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.at_once = self.most_at_once = 0
        self.go = asyncio.Event()
        self.go.set()
        self.error: BaseException | None = None

    async def __call__(self, samples: list[RoutedSample]) -> list[Reward]:
        self.calls.append([sample.completion for sample in samples])
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        await self.go.wait()
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        return [Reward(reward=float(sample.completion), status="ok") for sample in samples]


def run(test: Callable[[Scorer, Batcher], Awaitable[Any]], **settings: Any) -> Any:
    async def inside() -> Any:
        scorer = Scorer()
        options = {"window_seconds": 0.02, "max_batch": 8, "max_queue": 100, "max_concurrency": 2, **settings}
        return await test(scorer, Batcher(scorer, **options))

    return asyncio.run(inside())


def values(rewards: list[Reward]) -> list[float | None]:
    return [reward.reward for reward in rewards]


def test_requests_that_arrive_together_are_one_call_and_each_gets_its_own_rewards():
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        found = await asyncio.gather(*(batcher.score(said(f".{index}", f".{index}5")) for index in range(4)))
        assert [values(rewards) for rewards in found] == [[0.0, 0.05], [0.1, 0.15], [0.2, 0.25], [0.3, 0.35]]
        assert scorer.calls == [[".0", ".05", ".1", ".15", ".2", ".25", ".3", ".35"]]
        assert batcher.held == batcher.running == 0

    run(test)


def test_a_request_is_never_split_and_a_batch_stays_bounded():
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        sizes = (5, 5, 2, 20, 1)
        await asyncio.gather(*(batcher.score(said(*["1"] * size)) for size in sizes))
        assert [len(call) for call in scorer.calls] == [5, 5, 2, 20, 1]
        assert scorer.most_at_once == 2

    run(test)


def test_a_lone_request_waits_no_longer_than_the_window():
    async def test(scorer: Scorer, batcher: Batcher) -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await batcher.score(said("1"))
        return loop.time() - started

    assert 0.019 <= run(test) < 1.0
    assert run(test, window_seconds=0.0) < 1.0


def test_a_full_queue_refuses_and_takes_again_when_there_is_room():
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        scorer.go.clear()
        first = asyncio.create_task(batcher.score(said("1", "1", "1")))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull, match="3 completions are waiting, and at most 4 may"):
            await batcher.score(said("1", "1"))
        second = asyncio.create_task(batcher.score(said("0")))
        scorer.go.set()
        assert values(await first) == [1.0] * 3 and values(await second) == [0.0]
        assert values(await batcher.score(said(*["1"] * 10))) == [1.0] * 10, "an idle server takes any one request"

    run(test, max_queue=4)


def test_draining_answers_what_was_accepted_and_refuses_the_rest():
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        accepted = [asyncio.create_task(batcher.score(said("1"))) for _ in range(20)]
        await asyncio.sleep(0)
        await batcher.drain()
        assert all([values(await task) == [1.0] for task in accepted])
        with pytest.raises(Draining):
            await batcher.score(said("1"))

    run(test, max_batch=3)


def test_draining_does_not_wait_for_what_nobody_waits_for_any_more():
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        scorer.go.clear()
        gone = asyncio.create_task(batcher.score(said("1")))
        while not batcher.running:
            await asyncio.sleep(0.001)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await asyncio.wait_for(batcher.drain(), timeout=5.0)
        assert batcher.held == 1  # it is still being scored, and counts until it is done
        scorer.go.set()

    run(test)


def test_a_caller_who_goes_away_takes_nothing_from_the_others():
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        scorer.go.clear()
        gone, stays = (asyncio.create_task(batcher.score(said(text))) for text in ("0", "1"))
        await asyncio.sleep(0.05)
        gone.cancel()
        scorer.go.set()
        assert values(await stays) == [1.0]
        assert gone.cancelled() and batcher.held == 0

    run(test)


@pytest.mark.parametrize(("error", "seen"), [(RegistryError("locked"), RegistryError), (KeyError("bug"), Broken)])
def test_an_error_reaches_every_caller_and_the_next_batch_is_scored(error: Exception, seen: type[Exception]):
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        scorer.error = error
        found = await asyncio.gather(*(batcher.score(said("1")) for _ in range(3)), return_exceptions=True)
        assert [type(item) for item in found] == [seen] * 3
        scorer.error = None
        assert values(await batcher.score(said("1"))) == [1.0]
        assert batcher.held == 0

    run(test)


def test_quick_requests_do_not_wait_for_those_that_take_long():
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        scorer.go.clear()
        slow = [asyncio.create_task(batcher.score(said("0.5"))) for _ in range(3)]
        await asyncio.sleep(0.05)
        quick = asyncio.create_task(batcher.score(said("1")))
        await asyncio.sleep(0.05)
        assert scorer.calls == [["0.5"], ["0.5"], ["1"]], "two long ones at a time, one waits; the quick one does not"
        scorer.go.set()
        assert values(await quick) == [1.0] and [values(await one) for one in slow] == [[0.5]] * 3
        assert batcher.held == batcher.running == 0

    async def long(samples: list[RoutedSample]) -> bool:
        return samples[0].completion == "0.5"

    run(test, takes_long=long, max_batch=1)


def test_a_request_whose_kind_cannot_be_told_is_scored_all_the_same():
    async def test(scorer: Scorer, batcher: Batcher) -> None:
        assert values(await batcher.score(said("1"))) == [1.0]

    async def broken(samples: list[RoutedSample]) -> bool:
        raise RegistryError("locked")

    run(test, takes_long=broken)
