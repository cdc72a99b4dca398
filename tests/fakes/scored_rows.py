"""Registries with one task that fakes serve, and scorers on them: what the tests of the Scorer share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.tools.library import library_spec
from rlar.types import (
    AnswerKind,
    Calibration,
    Certificate,
    Contract,
    Example,
    Message,
    Recipe,
    Reward,
    TaskSpec,
    ToolSpec,
)

FAKES = "tests.fakes.scorer_fakes"
TASK = "f1-000000000001"
OTHER = "f1-000000000002"


def row(text: str, reference: str | None = None, **columns: object) -> Example:
    references = (reference,) if reference is not None else ()
    prompt = (Message(role="user", content=text),)
    return Example(id=text, prompt=prompt, reference=reference, references=references, columns=columns)


def task(fingerprint: str = TASK) -> TaskSpec:
    contract = Contract(answer_kind=AnswerKind.SHORT_TEXT, has_reference=True)
    return TaskSpec(fingerprint=fingerprint, label="a task", contract=contract)


def certificate(
    tool: ToolSpec, *, admitted: bool = True, role: str = "verifier", at: str = "2026-01-01"
) -> Certificate:
    return Certificate.model_validate(
        {
            "tool_id": tool.id,
            "fingerprint": TASK,
            "admitted": admitted,
            "role": role,
            "checks": (),
            "reasons": () if admitted else ("floor: 0.9 > 0.2",),
            "created_at": at,
        }
    )


def store(
    path: Path,
    *tools: ToolSpec,
    gates: Sequence[ToolSpec] = (),
    qualities: Sequence[tuple[ToolSpec, float]] = (),
    rows: Sequence[tuple[Example, dict[str, object]]] = (),
    calibrations: dict[str, Calibration] | None = None,
) -> Path:
    """A registry with one task that the given tools serve, and stored rows."""
    used = {tool.id: tool for tool in (*tools, *gates, *(tool for tool, _weight in qualities))}
    recipe = Recipe(
        fingerprint=TASK,
        gates=tuple(tool.id for tool in gates),
        qualities=tuple((tool.id, weight) for tool, weight in qualities),
        calibrations=calibrations or {},
    )
    with Registry.open(path, create=True) as registry:
        has_recipe = bool(gates or qualities)
        certificates = [certificate(tool) for tool in used.values()]
        registry.put_outcome(
            task(), tools=list(used.values()), certificates=certificates, recipe=recipe if has_recipe else None
        )
        registry.put_task(task(OTHER))
        registry.put_rows(RowRecord(item.key, item.prompt_key, TASK, 0.9, binding) for item, binding in rows)
    return path


ROW = row("say it", "it")


def one_tool(tmp_path: Path, name: str, **params: object) -> Path:
    tool = library_spec(name, dict(params))
    return store(tmp_path / "registry.db", qualities=[(tool, 1.0)], rows=[(ROW, {"mark": 0.75})])


def scorer(path: Path, **settings: object) -> Scorer:
    return Scorer(path, **{"plugins": [FAKES], "workers": 2, "deadline_seconds": 1.0, **settings})  # type: ignore[arg-type]


def said(*completions: str, example: Example = ROW) -> list[RoutedSample]:
    return [RoutedSample(example=example, completion=completion) for completion in completions]


def statuses(rewards: Sequence[Reward]) -> list[tuple[float | None, str]]:
    return [(reward.reward, reward.status) for reward in rewards]
