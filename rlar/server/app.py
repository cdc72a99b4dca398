"""The FastAPI app: `create_app(settings)`; AppFactory is the same for processes that must make it themselves."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteHTTPException

from rlar._version import __version__
from rlar.errors import RlarError
from rlar.foreign import DEEPEST, no_constant, too_deep
from rlar.scoring import hosts
from rlar.scoring.batcher import Batcher, Broken, Draining, QueueFull
from rlar.scoring.scorer import RoutedSample, Scorer, default_workers
from rlar.server.guard import Guard
from rlar.server.metrics import CONTENT_TYPE, Metrics
from rlar.server.settings import ServeSettings
from rlar.server.wire import (
    Number,
    Problem,
    PromptsRequest,
    PromptsResponse,
    RemoteRewardRequest,
    RemoteRewardResponse,
    RmDetail,
    RmRequest,
    ScoreRequest,
    ScoreResponse,
    VerifyRequest,
    VerifyResponse,
)
from rlar.terminal import guard_streams
from rlar.tool import Resources, sandbox_factory
from rlar.types import JsonObject, Reward

logger = logging.getLogger(__name__)

ROUTES = frozenset({"/score", "/prompts", "/get_reward", "/rm", "/verify", "/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True)
class AppFactory:
    """`create_app(settings)` as something that can be pickled: uvicorn calls it in every worker process."""

    settings: ServeSettings
    metrics_folder: str | None = None

    def __call__(self) -> FastAPI:
        guard_streams()  # a process of its own, where there are several
        return create_app(self.settings, metrics_folder=self.metrics_folder)


FEW = 8
"""Completions whose tasks are looked up in the event loop: a thread would cost more than the look-ups."""


@dataclass(frozen=True)
class Outcome:
    """What became of one completion."""

    reward: Reward | None
    """None: the row or completion could not be read."""
    error: str | None = None

    @property
    def status(self) -> str:
        """The status of the reward, or "unusable"."""
        return "unusable" if self.reward is None else self.reward.status

    @property
    def number(self) -> float | None:
        """The reward in [0, 1], or None."""
        return None if self.reward is None else self.reward.reward

    @property
    def fingerprint(self) -> str | None:
        """The task, where one was found."""
        return None if self.reward is None else self.reward.fingerprint


class Service:
    """The Scorer behind the routes, with its queue and its counters."""

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.scorer: Scorer | None = None
        self.batcher = Batcher(
            self._score,
            window_seconds=settings.batch_window_ms / 1000,
            max_batch=settings.max_batch,
            max_queue=settings.max_queue,
            max_concurrency=settings.max_concurrency,
            takes_long=self._takes_long,
        )

    async def outcomes(self, route: str, items: Sequence[hosts.Item]) -> list[Outcome]:
        """One Outcome per item, in order. Raises what Batcher.score raises."""
        samples = [item for item in items if isinstance(item, RoutedSample)]
        self._watch()
        try:
            rewards = iter(await self.batcher.score(samples))
        finally:
            self._watch()
        outcomes = [Outcome(None, item) if isinstance(item, str) else Outcome(next(rewards)) for item in items]
        self.metrics.count(outcome.reward for outcome in outcomes if outcome.reward is not None)
        self.metrics.unusable.labels(route).inc(len(items) - len(samples))
        return outcomes

    async def prompts(self, items: Sequence[hosts.Item]) -> list[JsonObject]:
        """The prompt of each item's row, with the sentence of its task's answer format."""
        assert self.scorer is not None, "asked before the app was started"
        examples = [item.example for item in items if isinstance(item, RoutedSample)]
        formatted = iter(await asyncio.to_thread(self.scorer.formatted, examples))
        return [
            {"messages": [], "error": item}
            if isinstance(item, str)
            else {"messages": [message.model_dump() for message in next(formatted).prompt], "error": None}
            for item in items
        ]

    def forced(self, route: str, outcome: Outcome) -> float:
        """The number for a host whose protocol has no word for "no reward"; the neutral one is counted."""
        if outcome.number is not None:
            return outcome.number
        self.metrics.neutral.labels(route, outcome.status).inc()
        return self.settings.neutral

    async def _score(self, samples: list[RoutedSample]) -> list[Reward]:
        assert self.scorer is not None, "scored before the app was started"
        self._watch()
        started = time.perf_counter()
        rewards = await self.scorer.ascore(samples)
        self.metrics.batch_seconds.observe(time.perf_counter() - started)
        self.metrics.batch_samples.observe(len(samples))
        self.metrics.quarantined.set(len(self.scorer.quarantined))
        return rewards

    async def _takes_long(self, samples: list[RoutedSample]) -> bool:
        assert self.scorer is not None, "scored before the app was started"
        if len(samples) <= FEW:
            return self.scorer.takes_long(samples)
        return await asyncio.to_thread(self.scorer.takes_long, samples)

    def _watch(self) -> None:
        self.metrics.queue.set(self.batcher.held)
        self.metrics.running.set(self.batcher.running)


def create_app(settings: ServeSettings, *, scorer: Scorer | None = None, metrics_folder: str | None = None) -> FastAPI:
    """The app that serves a registry.

    Args:
        scorer: a Scorer to use (and to leave open); by default one is made from the settings when the app starts.
        metrics_folder: where several worker processes keep their counters.
    """
    service = Service(settings, Metrics(metrics_folder))
    service.scorer = scorer

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.batcher.is_draining = False
        if scorer is not None:
            yield
            await service.batcher.drain()
            return
        with Resources(sandbox_factory(settings.sandbox_tier, settings.accept_unsafe)) as resources:
            service.scorer = await asyncio.to_thread(_scorer, settings, resources)
            yield
            await service.batcher.drain()
            await asyncio.to_thread(service.scorer.close)

    app = FastAPI(
        title="rlar",
        version=__version__,
        description="Rewards for completions. A broken tool is never a number on /score.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.router.route_class = StrictRoute
    app.add_middleware(Guard, settings=settings, metrics=service.metrics, routes=ROUTES)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(StarletteHTTPException, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(RlarError, _unavailable)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _broken)
    _add_routes(app, service)
    return app


def _add_routes(app: FastAPI, service: Service) -> None:
    problems: dict[int | str, dict[str, Any]] = {
        400: {"model": Problem, "description": "not JSON"},
        401: {"model": Problem, "description": "no token, or a wrong one"},
        403: {"model": Problem, "description": "another name than localhost without a token"},
        413: {"model": Problem, "description": "the body is too large"},
        415: {"model": Problem, "description": "not application/json"},
        422: {"model": Problem, "description": "JSON of another shape"},
        503: {"model": Problem, "description": "the queue is full, the server is stopping, or the registry is away"},
    }

    def checked(count: int) -> None:
        if count > service.settings.max_samples:
            limit = service.settings.max_samples
            raise HTTPException(422, f"{count:,} completions; at most {limit:,} in a request")

    @app.post("/score", responses={**problems, 200: {"model": ScoreResponse}}, summary="Score rows")
    async def score(body: ScoreRequest) -> Response:
        checked(sum(len(row.said()) for row in body.rows))
        items: list[hosts.Item] = []
        places: list[tuple[int, int]] = []
        for index, row in enumerate(body.rows):
            mine = hosts.of_row(row.columns(), row.said(), origin=f"rows[{index}]")
            items += mine
            places += [(index, number) for number in range(len(mine))]
        outcomes = await service.outcomes("/score", items)
        return _json({"rewards": [_reward(*place, outcome) for place, outcome in zip(places, outcomes, strict=True)]})

    @app.post("/prompts", responses={**problems, 200: {"model": PromptsResponse}}, summary="What to ask a policy")
    async def prompts(body: PromptsRequest) -> Response:
        checked(len(body.rows))
        items = [
            item
            for index, row in enumerate(body.rows)
            for item in hosts.of_row(row.columns(), [""], origin=f"rows[{index}]")
        ]
        return _json({"prompts": await service.prompts(items)})

    @app.post(
        "/get_reward", responses={**problems, 200: {"model": RemoteRewardResponse}}, summary="OpenRLHF's remote reward"
    )
    async def get_reward(body: RemoteRewardRequest) -> Response:
        items = hosts.of_openrlhf(body.query, body.prompts, body.labels)
        if isinstance(items, str):
            raise HTTPException(422, items)
        checked(len(items))
        outcomes = await service.outcomes("/get_reward", items)
        numbers = [service.forced("/get_reward", outcome) for outcome in outcomes]
        statuses = [outcome.status for outcome in outcomes]
        return _json({**hosts.openrlhf_answer(statuses, numbers), "statuses": statuses})

    @app.post("/rm", responses={**problems, 200: {"model": RmDetail | Number}}, summary="slime's remote reward")
    async def rm(body: RmRequest, detail: bool = False) -> Response:
        (outcome,) = await service.outcomes("/rm", [hosts.of_slime(body.prompt, body.response, body.label)])
        number = service.forced("/rm", outcome)
        if not detail:
            return _json(number)
        scored = outcome.number is not None
        return _json({"reward": number, "status": outcome.status, "scored": scored, "fingerprint": outcome.fingerprint})

    @app.post("/verify", responses={**problems, 200: {"model": VerifyResponse}}, summary="NeMo-Gym's verify")
    async def verify(body: VerifyRequest) -> Response:
        (outcome,) = await service.outcomes("/verify", [hosts.of_nemo_gym(body.model_dump())])
        number = service.forced("/verify", outcome)
        return _json(hosts.nemo_gym_answer(body.model_dump(), outcome.reward, number, outcome.error))

    @app.get("/healthz", summary="The process is there")
    async def healthz() -> JsonObject:
        return {"status": "alive"}

    @app.get("/readyz", responses={503: {"model": Problem}}, summary="Requests are taken")
    async def readyz() -> Response:
        if service.scorer is None or service.batcher.is_draining:
            return _problem(503, "starting or stopping")
        tasks = await asyncio.to_thread(service.scorer.tasks)  # reads the registry: RegistryError is a 503
        return _json({"status": "ready", "tasks": len(tasks)})

    @app.get("/metrics", response_class=PlainTextResponse, summary="Counters for Prometheus")
    async def metrics() -> Response:
        return Response(service.metrics.render(), media_type=CONTENT_TYPE)


def _reward(row: int, completion: int, outcome: Outcome) -> JsonObject:
    scores = outcome.reward.scores if outcome.reward is not None else ()
    return {
        "row": row,
        "completion": completion,
        "reward": outcome.number,
        "status": outcome.status,
        "fingerprint": outcome.fingerprint,
        "recipe_version": outcome.reward.recipe_version if outcome.reward is not None else None,
        "scores": [
            {"tool": score.tool, "value": score.value, "status": score.status, "explanation": score.explanation}
            for score in scores
        ],
        "error": outcome.error,
    }


# ------------------------------------------------------------------------------------------ the scorer


def _scorer(settings: ServeSettings, resources: Resources) -> Scorer:
    workers = settings.scorer_workers
    if workers is None:
        workers = max(1, default_workers() // settings.workers)
    return Scorer(settings.registry, resources=resources, workers=workers, plugins=settings.plugins)


# ------------------------------------------------------------------------------------------ bodies in, bodies out


class StrictRequest(Request):
    """A request whose JSON is JSON: no NaN, no nesting that a later walk would stumble over."""

    async def json(self) -> Any:
        """The body. Raises HTTPException(400) for what is no JSON, holds NaN or is nested too deeply."""
        body = await self.body()
        try:
            value = json.loads(body, parse_constant=no_constant)
        except RecursionError:
            raise HTTPException(400, f"nested deeper than {DEEPEST}") from None
        except ValueError as error:  # broken JSON or UTF-8, NaN, an integer of thousands of digits
            raise HTTPException(400, f"not JSON: {str(error)[:200]}") from None
        if body.count(b"[") + body.count(b"{") > DEEPEST and too_deep(value):
            raise HTTPException(400, f"nested deeper than {DEEPEST}")
        return value


class StrictRoute(APIRoute):
    """Routes that read their body by StrictRequest."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the request read by StrictRequest."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


def _json(value: Any, code: int = 200) -> Response:
    try:
        body = orjson.dumps(value)
    except TypeError:  # integers past 64 bits and lone surrogates, which a request may hold and /verify gives back
        body = json.dumps(value).encode()
    return Response(body, code, media_type="application/json")


def _problem(code: int, error: str) -> Response:
    response = _json({"error": error}, code)
    if code == 503:
        response.headers["retry-after"] = "1"
    return response


async def _invalid(_request: Request, error: RequestValidationError) -> Response:
    # Never the input itself: it may be huge, secret, or no text that could be sent back.
    problems = [
        f"{'.'.join(str(part) for part in item['loc'])[:200]}: {item['msg'][:200]}" for item in error.errors()[:3]
    ]
    return _problem(422, "; ".join(problems) or "not what was expected")


async def _refused(_request: Request, error: StarletteHTTPException) -> Response:
    response = _problem(error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _unavailable(_request: Request, error: RlarError) -> Response:
    if isinstance(error, Broken):
        return _problem(500, str(error))
    if not isinstance(error, QueueFull | Draining):
        logger.error("no answer: %s", error)
    return _problem(503, str(error))


async def _broken(_request: Request, error: Exception) -> Response:
    return _problem(500, f"this is a bug in rlar: {type(error).__name__}")
