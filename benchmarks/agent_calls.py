"""How many questions a build puts to an LLM, by rows and tasks: a scripted server over real HTTP answers, no model.

    python benchmarks/agent_calls.py ../shared/data/mix_train.jsonl

Prints calls for the whole file, for a tenth of it, and for a second build of the same rows.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from pathlib import Path

from rlar.agent.build import build_tools
from rlar.config import BuildConfig
from rlar.testing.openai_server import Asked, Reply, ScriptedOpenAI


def read_group(asked: Asked) -> Reply:
    """Agrees with what the rows say; makes no task of a wording."""
    kind = re.search(r"judged as (\w+)", asked.text)
    answer = {
        "name": "scripted name", "description": "Scripted.", "answer_kind": kind[1] if kind else "open_ended",
        "rule": "", "criteria": ["It is right.", "It is complete."],
    }  # fmt: skip
    return Reply(json=answer)


def scripted() -> ScriptedOpenAI:
    server = ScriptedOpenAI()
    server.when("You help to build reward tools", read_group)
    server.when("A program reads the verifiable constraints", Reply(json={"readings": []}))
    server.when([], Reply(refusal="this script writes nothing"))
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="examples/mix.jsonl")
    dataset = Path(parser.parse_args().dataset)
    with tempfile.TemporaryDirectory() as name, scripted() as server:
        folder = Path(name)
        tenth = folder / "tenth.jsonl"
        tenth.write_text("".join(dataset.read_text("utf-8").splitlines(keepends=True)[::10]), "utf-8")
        for title, rows, registry in (
            ("a tenth of the rows", tenth, "tenth.db"),
            ("all rows", dataset, "all.db"),
            ("all rows again", dataset, "all.db"),
        ):
            before, started = len(server.requests), time.perf_counter()
            config = BuildConfig(
                dataset=(str(rows),), registry=str(folder / registry), report=None, llm=server.endpoint
            )
            summary = build_tools(config)
            new = server.requests[before:]
            kinds = Counter(asked.schema_name for asked in new)
            tasks = len(summary["tasks"])
            reading = kinds["GroupAnswer"] + kinds["MergeAnswer"]
            print(
                f"{title}: {summary['rows_read']:,} rows, {tasks} tasks, {len(new)} questions, {reading} to classify "
                f"({reading / tasks:.2f} a task, {reading / summary['rows_read']:.4f} a row), "
                f"{time.perf_counter() - started:.0f} s: {json.dumps(kinds)}",
                flush=True,
            )
            assert reading <= 3 * tasks, "more than three questions a task"


if __name__ == "__main__":
    main()
