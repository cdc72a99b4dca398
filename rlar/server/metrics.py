"""What the server counts, in Prometheus form; in a registry of its own, so that several apps share nothing."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from rlar.types import Reward

__all__ = ["CONTENT_TYPE", "Metrics", "mark_process_dead"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class Metrics:
    """Counters of one server process.

    Args:
        shared_folder: where several processes keep their values (PROMETHEUS_MULTIPROC_DIR); `render` then adds them up.
    """

    def __init__(self, shared_folder: str | None = None) -> None:
        self._shared_folder = shared_folder
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter("rlar_requests", "Requests answered.", ("route", "code"), registry=registry)
        self.request_seconds = Histogram(
            "rlar_request_seconds", "From the request's head to its answer.", ("route",), buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.rewards = Counter("rlar_rewards", "Completions by task and status.", ("task", "status"), registry=registry)
        self.reward = Summary("rlar_reward", "Rewards of scored completions.", ("task",), registry=registry)
        self.scores = Counter("rlar_scores", "Scores by tool and status.", ("tool", "status"), registry=registry)
        self.neutral = Counter(
            "rlar_neutral",
            "Unscored completions for which a host's protocol forced a number.",
            ("route", "status"),
            registry=registry,
        )
        self.unusable = Counter("rlar_unusable_rows", "Rows that could not be read.", ("route",), registry=registry)
        self.batch_samples = Histogram(
            "rlar_batch_samples", "Completions scored in one call.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
            registry=registry,
        )  # fmt: skip
        self.batch_seconds = Histogram("rlar_batch_seconds", "One scoring call.", buckets=_SECONDS, registry=registry)
        self.queue = Gauge(
            "rlar_queue_samples", "Completions accepted and not yet answered.", multiprocess_mode="livesum",
            registry=registry,
        )  # fmt: skip
        self.running = Gauge(
            "rlar_running_batches", "Scoring calls under way.", multiprocess_mode="livesum", registry=registry
        )
        self.quarantined = Gauge(
            "rlar_quarantined_tools", "Tools that broke too often and are not called.", multiprocess_mode="livemax",
            registry=registry,
        )  # fmt: skip

    def count(self, rewards: Iterable[Reward]) -> None:
        """Count rewards with their tools' scores."""
        for reward in rewards:
            task = reward.fingerprint or "unknown"
            self.rewards.labels(task, reward.status).inc()
            if reward.reward is not None:
                self.reward.labels(task).observe(reward.reward)
            for score in reward.scores:
                self.scores.labels(score.tool, score.status).inc()

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        if self._shared_folder is None:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=self._shared_folder)
        return generate_latest(together)
