"""The process that asks a search engine for `rlar.agent.hub.web`: one JSON question on stdin, one JSON list of hits on stdout.

Pages of results are unpacked and parsed in there, whatever their size, so it has a limit of memory.
"""

from __future__ import annotations

import json
import os
import sys

from rlar.process import limit_memory

MEMORY_BYTES = 1 << 30
MOST_CHARACTERS = 2000
"""Of a title or an address."""


def main() -> None:
    """Answer the one question."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    asked = json.load(sys.stdin)
    from ddgs import DDGS

    limit_memory(MEMORY_BYTES)
    search = DDGS(proxy=asked["proxy"], timeout=asked["seconds"])
    found = search.text(asked["query"], max_results=asked["limit"], backend=asked["backend"])
    hits = [(str(hit.get("title", "")), str(hit.get("href", ""))) for hit in list(found)[: asked["limit"]]]
    json.dump([(title[:MOST_CHARACTERS], url[:MOST_CHARACTERS]) for title, url in hits], out)
    out.flush()
    os._exit(0)  # threads of the client may still wait for slower pages


if __name__ == "__main__":
    main()
