"""The process that asks a search engine for `rlar.agent.hub.web`: one question, one list of hits.

Pages of results are unpacked and parsed in there, whatever their size, so it has a limit of memory.
"""

from __future__ import annotations

import json
import os

from rlar.process import Pipe, limit_memory, to_json

MEMORY_BYTES = 1 << 30
MOST_CHARACTERS = 2000
"""Of a title or an address."""


def main() -> None:
    """Answer the one question."""
    pipe = Pipe()
    request = json.loads(pipe.receive() or b"")
    from ddgs import DDGS

    limit_memory(MEMORY_BYTES)
    search = DDGS(proxy=request["proxy"], timeout=request["seconds"])
    results = search.text(request["query"], max_results=request["limit"], backend=request["backend"])
    hits = [(str(hit.get("title", "")), str(hit.get("href", ""))) for hit in list(results)[: request["limit"]]]
    pipe.send(to_json([(title[:MOST_CHARACTERS], url[:MOST_CHARACTERS]) for title, url in hits]))
    os._exit(0)  # threads of the client may still wait for slower pages


if __name__ == "__main__":
    main()
