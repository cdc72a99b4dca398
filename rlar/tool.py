"""What a reward tool is, and what tools share. How one comes of its ToolSpec: `rlar.tools.load`."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar, cast, runtime_checkable

from rlar.network import Network
from rlar.types import AnswerKind, Sample, Score, ToolSpec

if TYPE_CHECKING:
    from rlar.config import SandboxTier
    from rlar.sandbox import Pool


@runtime_checkable
class RewardTool(Protocol):
    """Scores completions, a batch a call. Thread-safe; never raises because of a sample."""

    spec: ToolSpec

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        ...


class LibraryTool:
    """A vetted verifier of ours: one file in `rlar/kinds/`, pure apart from the sandbox."""

    name: ClassVar[str]
    answer_kinds: ClassVar[frozenset[AnswerKind]]
    role: ClassVar[Literal["verifier", "quality", "guard"]] = "verifier"
    runs: ClassVar[Literal["inline", "pool", "sandbox"]] = "pool"
    """inline: under about 0.3 ms a call, never handed over. pool: worth a worker process. sandbox: drives the sandbox pool itself."""
    summary: ClassVar[str]
    """One line for `rlar tools list`."""

    def __init__(self, spec: ToolSpec, resources: Resources) -> None:
        self.spec = spec
        self.resources = resources

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        return [self.score_one(sample) for sample in samples]

    def score_one(self, sample: Sample) -> Score:
        """The score of one sample; 0.0 for a wrong or malformed completion, abstain when it cannot tell."""
        raise NotImplementedError


class Closeable(Protocol):
    """Something that holds processes or files until it is closed."""

    def close(self) -> None:
        """Let go of what it holds."""
        ...


SharedT = TypeVar("SharedT", bound=Closeable)


def sandbox_factory(tier: SandboxTier, accept_unsafe: bool = False) -> Callable[[], Pool]:
    """A function that starts the sandbox with these settings; see Resources."""

    def start() -> Pool:
        from rlar.sandbox import Pool

        return Pool(tier=tier, accept_unsafe=accept_unsafe)

    return start


class Resources:
    """What tools may share: made once by whoever scores, closed by them. The sandbox pool starts on first use."""

    def __init__(self, sandbox: Callable[[], Pool] | None = None, *, network: Network | None = None) -> None:
        """
        Args:
            network: hosts that tools may talk to, and secrets bound to them; None: as the environment says.

        Raises:
            ConfigError: the environment says it in a way that cannot be read.
        """
        self.network = network if network is not None else Network.of_user()
        self._make_sandbox = sandbox
        self._sandbox: Pool | None = None
        self._shared: dict[str, Closeable] = {}
        self._lock = threading.Lock()

    @property
    def sandbox(self) -> Pool:
        """The sandbox pool (started on first use)."""
        if self._sandbox is None:
            if self._make_sandbox is None:
                from rlar.sandbox import Pool

                self._make_sandbox = Pool
            self._sandbox = self._make_sandbox()
        return self._sandbox

    def shared(self, name: str, make: Callable[[], SharedT]) -> SharedT:
        """What `make` gives, made on first use and then the same for every tool that asks for this name."""
        with self._lock:
            if name not in self._shared:
                self._shared[name] = make()
            return cast(SharedT, self._shared[name])

    def close(self) -> None:
        """Close everything that was shared, last made first, and the sandbox."""
        with self._lock:
            while self._shared:
                self._shared.popitem()[1].close()
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def __enter__(self) -> Resources:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def named(address: str) -> Any:
    """What "module:name" stands for; its module is imported now."""
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(module), name)
