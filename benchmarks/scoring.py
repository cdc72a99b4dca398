"""How fast completions are scored, beside what trainers do; and what the look-ups cost.

All sides score the same rollouts in turn, in one run; a ratio is the median over rounds of (their time / ours) in the same
round. Every round has new rollouts, so nothing is remembered from the last one; the warm cache is shown apart. Rollouts are
generated: math, exact match, chrF and code with tests in equal parts, with --model also texts for a random classifier of
19.6 million parameters; 30% of the completions repeat an earlier one of their group unless --distinct.

    python benchmarks/scoring.py [--model] [--distinct] [--rounds 5] [--groups 52]
    python benchmarks/scoring.py --overhead

The competitors call the functions that people write (math-verify, a regular expression, sacrebleu, a fresh interpreter a
program, the classifier one text at a time):

    sequential          in the training process, one after the other, as TRL does
    POST a sample       to a uvicorn server, one request at a time, as RLAR's released code does
    asyncio.gather      a coroutine a sample
    spawned pool        a fresh pool of two processes a call, a task a sample, as verl's prime manager does
    verl's workers      verl's own asynchronous reward loop, where verl is installed

"our tools, in turn" is rlar's own tools without the runtime: one sample a call in the calling process, every repeat scored
again. The floor is what these calls take for the distinct samples alone, divided by the cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("GOMP_SPINCOUNT", "0")  # before torch: threads that spin ruin a busy machine

import scoring_rollouts as rollouts
from sandbox import tree_cpu_seconds
from scoring_rollouts import KINDS, Rollout, binding_of, classifier_spec, example_of, make_rollouts, plain

from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.scorer import RoutedSample, Scorer, default_workers
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.tools.load import load_tool
from rlar.types import AnswerKind, Calibration, Certificate, Contract, Recipe, Reward, Sample, TaskSpec, ToolSpec

CORES = default_workers()
FINGERPRINTS = {kind: f"f1-{number:012x}" for number, kind in enumerate(KINDS)}
ANSWERS = {
    "math": AnswerKind.MATH,
    "exact": AnswerKind.CHOICE,
    "chrf": AnswerKind.TRANSLATION,
    "code": AnswerKind.CODE_TESTS,
    "model": AnswerKind.OPEN_ENDED,
}


def tools(kinds: Sequence[str], folder: Path) -> dict[str, ToolSpec]:
    """The tool of each kind; the classifier's files are written to the folder."""
    found = {
        "math": library_spec("math"),
        "exact": library_spec("choice"),
        "chrf": library_spec("benchmark_chrf"),
        "code": library_spec("code_tests"),
    }
    if "model" in kinds:
        os.environ["RLAR_HUB_CACHE"] = str(folder)
        found["model"] = classifier_spec(folder)
    return {kind: found[kind] for kind in kinds}


def write_registry(path: Path, rounds: Sequence[Sequence[Rollout]], specs: Mapping[str, ToolSpec]) -> None:
    """A registry that serves one tool a kind and knows every row."""
    with Registry.open(path, create=True) as registry:
        for kind, tool in specs.items():
            fingerprint = FINGERPRINTS[kind]
            contract = Contract(answer_kind=ANSWERS[kind], has_reference=kind not in ("code", "model"))
            certificate = Certificate(
                tool_id=tool.id,
                fingerprint=fingerprint,
                admitted=True,
                role="quality",
                checks=(),
                calibration=Calibration(x=(-4.0, 4.0)) if kind == "model" else Calibration(),
                created_at="2026-01-01",
            )
            registry.put_outcome(
                TaskSpec(fingerprint=fingerprint, label=kind, contract=contract),
                tools=[tool],
                certificates=[certificate],
                recipe=Recipe(fingerprint=fingerprint, qualities=((tool.id, 1.0),)),
            )
        rows = {}
        for rollout in (rollout for items in rounds for rollout in items):
            example = example_of(rollout)
            rows[example.key] = RowRecord(
                example.key, example.prompt_key, FINGERPRINTS[rollout.kind], 1.0, binding_of(rollout)
            )
        registry.put_rows(rows.values())


# ------------------------------------------------------------------------------------------ the competitors


def in_turn(items: Sequence[Rollout]) -> list[float]:
    return [plain(item) for item in items]


def gathered(items: Sequence[Rollout]) -> list[float]:
    async def one(item: Rollout) -> float:
        return plain(item)

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*(one(item) for item in items))

    return asyncio.run(all_of_them())


def spawned(items: Sequence[Rollout]) -> list[float]:
    async def all_of_them() -> list[float]:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            loop = asyncio.get_running_loop()
            waiting = [asyncio.wait_for(loop.run_in_executor(pool, plain, item), 300) for item in items]
            return await asyncio.gather(*waiting)

    return asyncio.run(all_of_them())


def serve(port: int) -> None:
    """The competitors' server: one sample a request."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def score(request: Request) -> JSONResponse:
        item = Rollout(**await request.json())
        return JSONResponse({"score": await run_in_threadpool(plain, item)})

    app = Starlette(routes=[Route("/score", score, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


@contextmanager
def posting() -> Iterator[Callable[[Sequence[Rollout]], list[float]]]:
    import socket

    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(port)])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60.0, trust_env=False) as client:

            def post(items: Sequence[Rollout]) -> list[float]:
                return [client.post("/score", json=item._asdict()).raise_for_status().json()["score"] for item in items]

            until = time.monotonic() + 60
            while True:
                try:
                    client.get("/")
                    break
                except httpx.TransportError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.1)
            yield post
    finally:
        server.terminate()
        server.wait()


@contextmanager
def our_tools_in_turn(specs: Mapping[str, ToolSpec]) -> Iterator[Callable[[Sequence[Rollout]], list[float]]]:
    """Every tool in this process (code in a sandbox of one worker), one sample a call."""
    from rlar.sandbox import Pool

    with Resources(lambda: Pool(workers=1)) as resources:
        live = {kind: load_tool(spec, resources) for kind, spec in specs.items()}

        def score(items: Sequence[Rollout]) -> list[float]:
            found = []
            for item in items:
                example = example_of(item)
                sample = Sample(
                    prompt=item.prompt,
                    completion=item.completion,
                    reference=example.reference,
                    references=example.references,
                    binding=binding_of(item),
                )
                value = live[item.kind].score([sample])[0].value
                found.append(-1.0 if value is None else value)
            return found

        yield score


@contextmanager
def verl_workers(completions: Sequence[str]) -> Iterator[Callable[[Sequence[Rollout]], list[float]] | None]:
    try:
        from scoring_verl import reward_loop
    except ImportError:
        yield None
        return
    with reward_loop(completions) as score:
        yield score


# ------------------------------------------------------------------------------------------ measuring


class Taken(NamedTuple):
    """What a side took for a round, its child processes included."""

    wall: float
    cpu: float


def samples_of(items: Sequence[Rollout]) -> list[RoutedSample]:
    examples: dict[str, Any] = {}
    for item in items:
        if item.prompt not in examples:
            examples[item.prompt] = example_of(item)
    return [RoutedSample(example=examples[item.prompt], completion=item.completion) for item in items]


def values(rewards: Sequence[Reward]) -> list[float]:
    return [-1.0 if reward.reward is None else reward.reward for reward in rewards]


def timed(call: Callable[[], list[float]]) -> tuple[Taken, list[float]]:
    cpu, started = tree_cpu_seconds(), time.perf_counter()
    found = call()
    seconds = time.perf_counter() - started
    return Taken(seconds, tree_cpu_seconds() - cpu), found


def compare(options: argparse.Namespace) -> dict[str, Any]:
    kinds = KINDS if options.model else KINDS[:-1]
    repeats = 0.0 if options.distinct else 0.3
    rounds = [make_rollouts(options.groups, kinds, 1000 + number, repeats) for number in range(options.rounds + 1)]
    times: dict[str, list[Taken]] = {}
    floors: list[Taken] = []
    worst = dict.fromkeys(kinds, 0.0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        specs = tools(kinds, folder)
        write_registry(folder / "registry.db", rounds, specs)
        scorer = stack.enter_context(Scorer(folder / "registry.db", plugins=["scoring_rollouts"]))
        tools_in_turn = stack.enter_context(our_tools_in_turn(specs))
        alone = stack.enter_context(our_tools_in_turn(specs))  # math remembers what it was asked before
        sides: dict[str, Callable[[Sequence[Rollout]], list[float]] | None] = {
            "sequential": in_turn,
            "POST a sample": stack.enter_context(posting()),
            "asyncio.gather": gathered,
            "spawned pool": spawned,
            "verl's workers": stack.enter_context(
                verl_workers([item.completion for items in rounds for item in items])
            ),
            "our tools, in turn": tools_in_turn,
        }
        calls: dict[str, Callable[[Sequence[Rollout]], list[float]]] = {
            name: side for name, side in sides.items() if side is not None and name not in options.without
        }
        calls["rlar"] = lambda items: values(scorer.score(samples_of(items)))
        for number, items in enumerate(rounds):
            names = list(calls)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                taken, found = timed(lambda: calls[name](items))  # noqa: B023
                if name == "sequential":
                    expected = found
                if number:  # the first round starts processes and imports
                    times.setdefault(name, []).append(taken)
                if name == "rlar":
                    mine = found
                    taken, again = timed(lambda: calls["rlar"](items))  # noqa: B023
                    assert again == found
                    if number:
                        times.setdefault("rlar, warm cache", []).append(taken)
            for item, ours, theirs in zip(items, mine, expected, strict=True):
                worst[item.kind] = max(worst[item.kind], abs(ours - theirs))
            floor = timed(lambda: alone(list(dict.fromkeys(items))))[0]  # noqa: B023
            if number:
                floors.append(floor)
    return report(options, kinds, rounds, times, floors, worst)


def report(
    options: argparse.Namespace,
    kinds: Sequence[str],
    rounds: Sequence[Sequence[Rollout]],
    times: dict[str, list[Taken]],
    floors: list[Taken],
    worst: dict[str, float],
) -> dict[str, Any]:
    """Print the table; the same as JSON."""
    count, ours = len(rounds[0]), times["rlar"]
    distinct = statistics.mean(len(set(items)) / len(items) for items in rounds[1:])
    print(f"\n{count} rollouts of {', '.join(kinds)}; {distinct:.0%} distinct; {options.rounds} rounds; {CORES} cores")
    print(f"{'':22}{'rollouts/s':>12}{'CPU ms each':>13}{'rlar is':>10}   (paired median, range)")
    result: dict[str, Any] = {"kinds": kinds, "distinct": distinct, "rollouts": count, "sides": {}}
    for name, taken in sorted(times.items(), key=lambda item: item[0].startswith("rlar")):
        ratios = [theirs.wall / mine.wall for theirs, mine in zip(taken, ours, strict=True)]
        wall = statistics.median(one.wall for one in taken)
        cpu = statistics.median(one.cpu for one in taken) / count * 1e3
        result["sides"][name] = {"per_second": count / wall, "cpu_ms": cpu, "ratio": statistics.median(ratios)}
        span = f"{statistics.median(ratios):>9.1f}x   ({min(ratios):.1f} to {max(ratios):.1f})"
        print(f"{name:22}{count / wall:>12,.0f}{cpu:>13.2f}{'' if name.startswith('rlar') else span}")
    over = statistics.median(mine.wall / (floor.wall / CORES) for mine, floor in zip(ours, floors, strict=True))
    over_cpu = statistics.median(mine.cpu / floor.cpu for mine, floor in zip(ours, floors, strict=True))
    result |= {"over_floor": over, "over_floor_cpu": over_cpu}
    floor = statistics.median(one.wall for one in floors) / CORES
    print(
        f"floor: {count / floor:,.0f} rollouts/s; rlar takes {over:.2f} times as long, and {over_cpu:.2f} times its processor time"
    )
    print("largest difference to the plain functions: " + ", ".join(f"{kind} {gap:.2g}" for kind, gap in worst.items()))
    return result


# ------------------------------------------------------------------------------------------ look-ups


def overhead(options: argparse.Namespace) -> dict[str, Any]:
    """Look-up and combination alone: 512 prompts with 8 completions each, every score in memory."""
    import random

    rng = random.Random(0)
    items = [
        Rollout("exact", f"Which option is right ({number})? {' '.join(rng.choices(rollouts.WORDS, k=60))}", "A", "")
        for number in range(512)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.db"
        write_registry(path, [items], tools(["exact"], Path(folder)))
        with Scorer(path, workers=0) as scorer:
            samples = [
                RoutedSample(
                    example=example, completion=f"{' '.join(rng.choices(rollouts.WORDS, k=150))} Answer: {letter}"
                )
                for example in map(example_of, items)
                for letter in "ABCDABCD"
            ]
            scorer.score(samples)
            walls, cpus = [], []
            for _ in range(max(20, options.rounds)):
                wall, cpu = time.perf_counter(), time.process_time()
                scorer.score(samples)
                walls.append((time.perf_counter() - wall) / len(samples) * 1e6)
                cpus.append((time.process_time() - cpu) / len(samples) * 1e6)
    wall, cpu = statistics.median(walls), statistics.median(cpus)
    print(f"look-up and combination of {len(samples)} completions of 512 prompts, without tools: "
          f"{wall:.1f} us a completion (best {min(walls):.1f}), {cpu:.1f} us of processor time")  # fmt: skip
    return {"wall_us": wall, "best_us": min(walls), "cpu_us": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", action="store_true", help="also texts for the classifier")
    parser.add_argument("--distinct", action="store_true", help="no completion repeats another")
    parser.add_argument("--overhead", action="store_true", help="only what look-ups and combination cost")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--groups", type=int, default=52, help="prompts a round, 8 completions each")
    parser.add_argument("--without", action="append", default=[], help="leave this competitor out")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)
    result = overhead(options) if options.overhead else compare(options)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
