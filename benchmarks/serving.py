"""Load on `rlar serve`: many requests, many at a time; errors, latencies, and whether memory stays bounded.

    python benchmarks/serving.py                       # 10,000 requests, 64 at a time, over examples/mix.jsonl
    python benchmarks/serving.py --registry registry.db --dataset mix.jsonl --requests 2000 --at-once 16 --workers 2

Builds a registry from the dataset first unless one is named. Each request carries one row with one or four completions:
the row's reference, another row's, and text that is no answer; a third of them repeats. A tenth goes to each of the
hosts' routes. The server is a process of its own; its memory is that of the whole tree, tool workers and sandbox too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 200


def load_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def bodies(rows: list[dict[str, Any]], count: int, seed: int) -> list[tuple[str, dict[str, Any]]]:
    """(route, body) of every request."""
    chance = random.Random(seed)
    references = [str(row["reference"]) for row in rows if isinstance(row.get("reference"), str)]
    made: list[tuple[str, dict[str, Any]]] = []
    for number in range(count):
        if number > 20 and chance.random() < 0.33:
            made.append(made[chance.randrange(len(made))])
            continue
        row = chance.choice(rows)
        own = row.get("reference")
        said = [
            str(own),
            chance.choice(references),
            f"I do not know ({number}).",
            f"The answer is {chance.random():.6f}.",
        ]
        text = chance.choice(said)
        kind = chance.random()
        if kind < 0.1 and isinstance(row["prompt"], str) and "tests" not in row:
            prompt = f"<|im_start|>user\n{row['prompt']}<|im_end|>\n<|im_start|>assistant\n"
            label = own if isinstance(own, str) else ""
            made.append(
                ("/get_reward", {"query": [prompt + text + "<|im_end|>"], "prompts": [prompt], "labels": [label]})
            )
        elif kind < 0.2 and "tests" not in row:
            made.append(("/rm", {"prompt": row["prompt"], "response": text, "label": own}))
        elif kind < 0.3:
            output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}]
            fields = {name: value for name, value in row.items() if name != "prompt"}
            made.append(
                (
                    "/verify",
                    {"responses_create_params": {"input": row["prompt"]}, "response": {"output": output}, **fields},
                )
            )
        else:
            chosen = {"completion": text} if chance.random() < 0.7 else {"completions": said}
            made.append(("/score", {"rows": [{**row, **chosen}]}))
    return made


def memory_mb(process: psutil.Process) -> float:
    """Resident memory of a process and everything below it."""
    total = 0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


async def load(url: str, requests: list[tuple[str, dict[str, Any]]], at_once: int) -> tuple[list[float], Counter[str]]:
    """Seconds of every request, and how often each code and each status of /score came."""
    seconds: list[float] = []
    seen: Counter[str] = Counter()
    waiting = iter(requests)

    async def worker() -> None:
        # A client each: one pool of 64 connections is searched at every request, and then it is the client that is slow.
        async with httpx.AsyncClient(timeout=300, trust_env=False) as web:
            await send_all(web)

    async def send_all(web: httpx.AsyncClient) -> None:
        for route, body in waiting:
            started = time.perf_counter()
            try:
                answer = await web.post(url + route, json=body)
                seen[f"HTTP {answer.status_code}"] += 1
                if route == "/score" and answer.status_code == 200:
                    seen.update(item["status"] for item in answer.json()["rewards"])
            except httpx.HTTPError as error:
                seen[type(error).__name__] += 1
            seconds.append(time.perf_counter() - started)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return seconds, seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--registry", type=Path)
    parser.add_argument("--dataset", type=Path, default=ROOT / "examples/mix.jsonl")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        registry = options.registry
        if registry is None:
            registry = Path(folder) / "registry.db"
            build = [
                "agent",
                "build-tools",
                "--dataset",
                str(options.dataset),
                "--registry",
                str(registry),
                "--report",
                "",
            ]
            subprocess.run([sys.executable, "-m", "rlar", *build], check=True, stderr=subprocess.DEVNULL)
        command = ["serve", "--registry", str(registry), "--port", "0", "--workers", str(options.workers)]
        server = subprocess.Popen([sys.executable, "-m", "rlar", *command], stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            found = None
            while found is None:
                line = server.stderr.readline()
                assert line, f"the server ended with {server.wait()}"
                found = re.search(r" on (http://\S+)", line)
            url = found[1]
            with httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=120) as web:
                while web.get(url + "/readyz").status_code != 200:
                    time.sleep(0.1)
            rows = load_rows(options.dataset)
            asyncio.run(load(url, bodies(rows, WARM_UP, options.seed + 1), options.at_once))
            process = psutil.Process(server.pid)
            before = memory_mb(process)
            requests = bodies(rows, options.requests, options.seed)
            started = time.perf_counter()
            seconds, seen = asyncio.run(load(url, requests, options.at_once))
            wall = time.perf_counter() - started
            after = memory_mb(process)
            server.terminate()
            code = server.wait(120)
        finally:
            server.kill()
            server.communicate()
    seconds.sort()
    codes = {name: count for name, count in seen.items() if name.startswith("HTTP")}
    errors = sum(count for name, count in codes.items() if name != "HTTP 200")
    errors += sum(count for name, count in seen.items() if name.endswith("Error") or name.endswith("Timeout"))
    print(f"{len(seconds):,} requests, {options.at_once} at a time, {options.workers} server process(es)")
    print(f"errors       {errors}   ({', '.join(f'{count:,} {name}' for name, count in sorted(codes.items()))})")
    print(f"statuses     {', '.join(f'{seen[name]:,} {name}' for name in sorted(seen) if not name.startswith('HTTP'))}")
    print(f"throughput   {len(seconds) / wall:.0f} requests/s over {wall:.1f} s")
    print("latency ms   " + "  ".join(f"p{q} {1000 * seconds[int(len(seconds) * q / 100)]:.0f}" for q in (50, 90, 99))
          + f"  max {1000 * seconds[-1]:.0f}")  # fmt: skip
    print(f"memory MB    {before:.0f} before, {after:.0f} after")
    print(f"SIGTERM      exit status {code}")
    sys.exit(errors > 0)


if __name__ == "__main__":
    main()
