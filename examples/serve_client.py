"""Scores completions through a running server: `rlar serve --registry demo/registry.db`, then

    python examples/serve_client.py http://127.0.0.1:8000 examples/completions.jsonl

With a token on the server: RLAR_TOKEN=... python examples/serve_client.py ...
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import httpx


def score(web: httpx.Client, rows: list[dict[str, Any]], *, tries: int = 10) -> list[dict[str, Any]]:
    """The rewards of the rows' completions, flat and in order; waits where the server is full."""
    for _ in range(tries):
        answer = web.post("/score", json={"rows": rows})
        if answer.status_code != 503:
            answer.raise_for_status()
            rewards: list[dict[str, Any]] = answer.json()["rewards"]
            return rewards
        time.sleep(float(answer.headers.get("retry-after", 1)))
    raise RuntimeError(f"the server stayed full: {answer.text}")


def main() -> None:
    url, path = sys.argv[1:3]
    token = os.environ.get("RLAR_TOKEN")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    with httpx.Client(base_url=url, headers=headers, timeout=120) as web:
        for item in score(web, rows):
            number = "    -" if item["reward"] is None else f"{item['reward']:5.2f}"
            why = item["error"] or "; ".join(part["explanation"] for part in item["scores"])[:80]
            print(f"row {item['row']:3} completion {item['completion']}  {number}  {item['status']:9}  {why}")


if __name__ == "__main__":
    main()
