"""Several processes that train one model on one machine: who does what, and how they stay together.

Data parallel: every process holds the whole model. It samples and scores its share of a step's prompts; then all know
all rollouts with their rewards, so advantages, denominators and metrics are those of the whole step; and each computes
the gradient of its share, which are added up. The optimiser's state can be spread over them (ZeRO stage 1). Left out: sharded
weights, several machines (docs/trainer.md says what to use there).

Several processes by `torchrun`: started, and told which of them this is; without torch, for the command line.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from rlar.errors import ConfigError, RlarError, boundary


@dataclass(frozen=True)
class Launch:
    """Which process of how many this is."""

    rank: int = 0
    size: int = 1


def read_launch(environment: Mapping[str, str]) -> Launch:
    """What `torchrun` said; one process where nothing is said. Raises ConfigError for more than one machine."""
    size = int(environment.get("WORLD_SIZE", "1"))
    if int(environment.get("LOCAL_WORLD_SIZE", size)) != size:
        raise ConfigError(
            f"`rlar train` runs on one machine, not {size} processes on several; use TRL or verl with the same registry there "
            "(docs/integrations.md)"
        )
    return Launch(int(environment.get("RANK", "0")), size)


def become_torchrun(processes: int, launch: Launch, arguments: Sequence[str]) -> None:
    """Replace this process by torchrun, which starts `rlar` with these arguments so many times; in those it returns.

    Raises ConfigError where torch is missing, or torchrun itself started another number of processes.
    """
    if launch.size == processes:
        return
    if launch.size > 1:
        raise ConfigError(f"--processes {processes}, but torchrun started {launch.size}")
    if importlib.util.find_spec("torch") is None:
        raise ConfigError("training needs torch: pip install 'rlar[train]'")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "rlar"]
    sys.stdout.flush()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun would, with a warning
    os.execv(sys.executable, [sys.executable, *torchrun, *arguments])


T = TypeVar("T")

LONGEST_WAIT = timedelta(hours=24)
"""For another process, which may be waiting for the agent. One that has ended is noticed at once."""
BUCKET = 1 << 24
"""Numbers that are added up in one go."""


class ProcessFailed(RlarError):
    """Another process of the run failed, or has ended."""


class Link(Protocol):
    """What processes need of each other."""

    def gather(self, value: Any) -> list[Any]:
        """Everybody's value, by rank."""
        ...

    def add(self, tensor: Tensor) -> None:
        """Make the tensor the sum of everybody's, the same to the last bit in all processes."""
        ...


class Ranks:
    """The processes of a run. With one (`ALONE`) nothing here costs or changes anything.

    All processes must come by the same calls in the same order. Work that may fail in one of them goes through
    `together`, `agree` or `first`, which raise in all of them; such work must not call Ranks itself.
    """

    def __init__(self, rank: int = 0, size: int = 1, link: Link | None = None) -> None:
        assert (size == 1) == (link is None), f"{size} processes with link {link}"
        self.rank = rank
        self.size = size
        self._link = link
        self._busy = False

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def together(self, work: Callable[[], T]) -> list[T]:
        """What `work` gave in each process, by rank. Fails in all if it failed in one, there with its own error."""
        assert not self._busy, "work that all processes do together must not start other such work"
        self._busy = True
        try:
            if self._link is None:
                return [work()]
            value, error = boundary(lambda: (work(), None), _failure)
        finally:
            self._busy = False
        message = None if error is None else f"{type(error).__name__}: {error}"
        outcomes = self._link.gather((value, message))
        if error is not None:
            raise error
        for rank, (_value, problem) in enumerate(outcomes):
            if problem is not None:
                raise ProcessFailed(f"process {rank} of {self.size} failed: {problem}")
        return [value for value, _problem in outcomes]

    def agree(self, work: Callable[[], T]) -> T:
        """What `work` gave here, once it has succeeded everywhere; it need not survive pickling."""
        kept: list[T] = []
        self.together(lambda: kept.append(work()))
        return kept[0]

    def first(self, work: Callable[[], T]) -> T:
        """What `work` gave in the first process, which alone does it."""
        results: list[Any] = self.together(lambda: work() if self.is_first else None)
        result: T = results[0]
        return result

    def check_same(self, what: str, value: Any) -> None:
        """Raises ProcessFailed where processes that must be equal are not."""
        values = self.together(lambda: value)
        if any(other != values[0] for other in values):
            raise ProcessFailed(f"the processes of this run do not have the same {what}: {values}")

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Make tensors what they are in the first process."""
        if self._link is None:
            return
        with torch.no_grad():
            for tensor in tensors:
                if not self.is_first:
                    tensor.zero_()
                self._link.add(tensor)

    def add_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Make each gradient the sum of everybody's; one that nobody has stays None."""
        if self._link is None:
            return
        present = self.together(lambda: [parameter.grad is not None for parameter in parameters])
        wanted = [parameter for parameter, has in zip(parameters, zip(*present, strict=True), strict=True) if any(has)]
        for parameter in wanted:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        for bucket in _buckets([parameter.grad for parameter in wanted if parameter.grad is not None]):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            self._link.add(flat)
            for gradient, total in zip(bucket, flat.split([each.numel() for each in bucket]), strict=True):
                gradient.copy_(total.view_as(gradient))

    def adamw(
        self, parameters: Sequence[torch.nn.Parameter], *, sharded: bool, **options: Any
    ) -> torch.optim.Optimizer:
        """AdamW; sharded, each process keeps and computes a share of it, and hands the weights on (arXiv:1910.02054, 5.1)."""
        if not sharded or self.size == 1:
            return torch.optim.AdamW(parameters, **options)
        with warnings.catch_warnings():  # of modules beside it
            warnings.simplefilter("ignore", DeprecationWarning)
            from torch.distributed.optim import ZeroRedundancyOptimizer

        return ZeroRedundancyOptimizer(parameters, optimizer_class=torch.optim.AdamW, **options)

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """An update, in all processes."""
        with noticing():
            optimiser.step()

    def collect_state(self, optimiser: torch.optim.Optimizer) -> None:
        """Bring the state of a sharded optimiser together in the first process, for its `state_dict`."""
        if hasattr(optimiser, "consolidate_state_dict"):
            with noticing():
                optimiser.consolidate_state_dict(to=0)


ALONE = Ranks()


def _failure(error: Exception) -> tuple[Any, Exception | None]:
    return None, error


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for gradient in gradients:
        if bucket and (
            sum(each.numel() for each in bucket) + gradient.numel() > BUCKET or gradient.dtype != bucket[0].dtype
        ):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


# ------------------------------------------------------------------------------------------ who does what


def share_groups(costs: Sequence[int], size: int) -> list[list[int]]:
    """Groups of each of `size` processes, in rising order: the dearest first, each to who has least to do so far."""
    shares: list[list[int]] = [[] for _ in range(size)]
    loads = [0] * size
    for group in sorted(range(len(costs)), key=lambda group: (-costs[group], group)):
        lightest = loads.index(min(loads))
        shares[lightest].append(group)
        loads[lightest] += costs[group]
    return [sorted(share) for share in shares]


# ------------------------------------------------------------------------------------------ torchrun


def process_device(device: str, launch: Launch) -> str:
    """The device of this process: of several, each has a GPU of its own. Raises ConfigError where they do not suffice."""
    if launch.size == 1 or not device.startswith("cuda"):
        return device
    if device != "cuda":
        raise ConfigError(
            f'model.device = {device!r} with {launch.size} processes: say "cuda", and each takes its own GPU'
        )
    if launch.size > torch.cuda.device_count():
        raise ConfigError(f"{launch.size} processes for {torch.cuda.device_count()} GPUs; lower --nproc-per-node")
    return f"cuda:{launch.rank}"


@contextlib.contextmanager
def join_processes(launch: Launch, device: str) -> Iterator[Ranks]:
    """The processes that `torchrun` started, connected: gloo on CPUs, nccl on GPUs."""
    if launch.size == 1:
        yield ALONE
        return
    import torch.distributed as dist

    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=None if on_gpu else LONGEST_WAIT)
    except (RuntimeError, ValueError) as error:
        raise ProcessFailed(f"process {launch.rank} of {launch.size} cannot reach the others: {error}") from error
    try:
        yield Ranks(launch.rank, launch.size, TorchLink(launch.size))
    finally:
        dist.destroy_process_group()


class TorchLink:
    """`Link` by torch.distributed; small things always go through gloo, which nothing on a GPU can hold up."""

    def __init__(self, size: int) -> None:
        import torch.distributed as dist

        self._size = size
        self._small = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in the order of ranks."""
        import torch.distributed as dist

        values: list[Any] = [None] * self._size
        with noticing():
            dist.all_gather_object(values, value, group=self._small)
        return values

    def add(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over the ranks, in place."""
        import torch.distributed as dist

        with noticing():
            dist.all_reduce(tensor)


@contextlib.contextmanager
def noticing() -> Iterator[None]:
    """Says that another process has ended, where torch says that a connection has."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessFailed(f"another process of this run has ended; its own message says why ({error})") from error
