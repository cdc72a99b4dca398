"""What a reward tool is, how one is called without believing what it returns, and what tools share.

How one comes of its ToolSpec: `rlar.tools.load`.

A group is the completions of one prompt in a batch. A tool whose score of one depends on the others says so in its spec
(`params["whole_groups"] = true`), since those who cut batches, keep scores or certify hold the spec before they hold the
tool. Such a tool gets a group in one call; its scores are never kept for another batch.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar, cast, runtime_checkable

from rlar.network import Network
from rlar.types import AnswerKind, Sample, Score, ToolSpec, digest, failed, ok

if TYPE_CHECKING:
    from rlar.config import SandboxTier
    from rlar.sandbox import Pool


_STATUSES = frozenset({"ok", "abstain", "failed", "timeout"})


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

    def exempt(self) -> frozenset[str]:
        """Kinds of probes that a user's params read otherwise by name: the gate does not try them."""
        return frozenset()

    def score_one(self, sample: Sample) -> Score:
        """The score of one sample; 0.0 for a wrong or malformed completion, abstain when it cannot tell."""
        raise NotImplementedError


def score_checked(
    tool: RewardTool, samples: Sequence[Sample], *, is_bounded: bool = True, on_trial: bool = False
) -> list[Score]:
    """One valid Score per sample, in order; what is not one is "failed", with what was wrong.

    A batch that raises or has the wrong length is scored again one by one, so that only the culprit fails; group by
    group where the scores of a group hang together.

    Args:
        is_bounded: numbers outside [0, 1] are no scores (`rlar.tools.load.KindOfTool.is_bounded`).
        on_trial: finite numbers stay as they are: what is put right here may not hide from the gate.
    """
    returned: Any
    try:
        returned = tool.score(samples)
    except Exception as error:  # noqa: BLE001 - a tool may raise anything, and that has a status of its own
        returned = failed(f"{type(error).__name__}: {str(error)[:500]}")
    if isinstance(returned, list) and len(returned) == len(samples):
        return [_valid(score, sample, is_bounded, on_trial) for score, sample in zip(returned, samples, strict=True)]
    smaller = pieces(samples, 1, whole_groups=needs_whole_groups(tool.spec))
    if len(smaller) > 1:
        scores: dict[int, Score] = {}
        for indices in smaller:
            part = score_checked(tool, [samples[index] for index in indices], is_bounded=is_bounded, on_trial=on_trial)
            scores.update(zip(indices, part, strict=True))
        return [scores[index] for index in range(len(samples))]
    if isinstance(returned, Score):
        broken = (
            returned if returned.status == "failed" else failed("returned a bare Score instead of a list of Scores")
        )
    elif isinstance(returned, list):
        broken = failed(f"returned {len(returned)} scores for {len(samples)} samples")
    else:
        broken = failed(f"returned {type(returned).__name__} instead of a list of Scores")
    return [broken] * len(samples)


def _valid(score: Any, sample: Sample, is_bounded: bool, on_trial: bool) -> Score:
    """The score itself, or what is wrong with it: model_construct and subclasses get around pydantic."""
    if type(score) is not Score:
        return failed(f"returned {type(score).__name__} instead of a Score")
    value, status = score.value, score.status
    if status not in _STATUSES:
        return failed(f"returned status {status!r}")
    if (value is None) == (status == "ok"):
        return failed(f"returned value {value!r} with status {status!r}")
    if value is None:
        return score
    if type(value) is not float:
        return failed(f"returned a value of type {type(value).__name__} instead of float")
    if value - value != 0.0:
        return failed(f"returned {value!r}")
    if on_trial:
        return score
    if is_bounded and not 0.0 <= value <= 1.0:
        return failed(f"returned {value!r}, outside [0, 1]")
    if not sample.completion and is_bounded and (value > 0.0 or sample.missing):
        # A prompt that only forbids is not met by silence.
        return ok(0.0, sample.missing or "nothing was answered")
    return score


# ------------------------------------------------------------------------------------------ groups


def needs_whole_groups(spec: ToolSpec) -> bool:
    """Whether a score depends on the other completions of its prompt."""
    return spec.params.get("whole_groups") is True


def group_key(sample: Sample) -> str:
    """What the completions of one prompt share."""
    return digest(sample.prompt, *(sample.references or ((sample.reference,) if sample.reference else ())), size=32)


def group_indices(samples: Sequence[Sample]) -> list[list[int]]:
    """The indices of each group, groups in order of their first sample."""
    groups: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        groups.setdefault(group_key(sample), []).append(index)
    return list(groups.values())


def pieces(samples: Sequence[Sample], size: int, *, whole_groups: bool) -> list[list[int]]:
    """Indices in pieces of at most `size`; with `whole_groups` no group is cut in two, however large."""
    if not whole_groups:
        indices = list(range(len(samples)))
        return [indices[start : start + size] for start in range(0, len(indices), size)]
    parts: list[list[int]] = []
    for group in group_indices(samples):
        if parts and len(parts[-1]) + len(group) <= size:
            parts[-1].extend(group)
        else:
            parts.append(group)
    return parts


# ------------------------------------------------------------------------------------------ what tools share


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
