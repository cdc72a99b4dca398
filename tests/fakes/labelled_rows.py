"""A registry with one task and one tool, made in a moment, and labelled rows for it; own writing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rlar.discover.discover import discover
from rlar.registry.registry import Registry
from rlar.rows.read import read_rows
from rlar.tools.library import library_spec
from rlar.types import AnswerKind, Certificate, Recipe, TaskSpec

NAMES = ("Ada", "Ben", "Cho", "Dina", "Emil", "Fay", "Gus", "Hana")


def row(index: int) -> dict[str, Any]:
    boxes, each = 3 + index, 7 + 2 * index
    prompt = f"{NAMES[index % 8]} packs {boxes} boxes with {each} apples each. How many apples are that in all?"
    return {"id": f"r{index}", "prompt": prompt, "reference": str(boxes * each)}


def labelled(index: int) -> dict[str, Any]:
    """One right answer out of three; the reference hides in meta, and the wrong ones are longer."""
    given = row(index)
    answer = int(given.pop("reference"))
    responses = [
        f"So {answer} it is.",
        f"That makes {answer + 1} apples altogether, as one can see.",
        "I do not know, sorry.",
    ]
    return {**given, "id": f"l{index}", "responses": responses, "labels": [1, 0, 0], "subset": "even" if index % 2 == 0 else "odd",
            "meta": {"ground_truth": f"Some working.\n#### {answer}"}}  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
    return path


def make_registry(folder: Path) -> str:
    """Number answers, judged by the library's `number`; a second tool was tried and rejected."""
    source = write(folder / "rows.jsonl", [row(index) for index in range(40)])
    found = discover([example for example in read_rows([source])])  # type: ignore[misc]
    task: TaskSpec = next(each for each in found.tasks if each.contract.answer_kind is AnswerKind.NUMBER)
    good, bad = library_spec("number"), library_spec("short_text_f1")

    def certificate(tool_id: str, admitted: bool) -> Certificate:
        return Certificate(tool_id=tool_id, fingerprint=task.fingerprint, admitted=admitted, role="verifier", checks=(),
                           reasons=() if admitted else ("floor",), discrimination=1.0)  # fmt: skip

    path = folder / "registry.db"
    with Registry.open(path, create=True) as registry:
        recipe = Recipe(fingerprint=task.fingerprint, qualities=((good.id, 1.0),))
        registry.put_outcome(task, tools=[good, bad], certificates=[certificate(good.id, True), certificate(bad.id, False)], recipe=recipe)  # fmt: skip
        registry.put_router(found.router.to_arrays())
    return str(path)
