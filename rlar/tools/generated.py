"""Tools of kind "generated": verifiers that an LLM wrote. Their code runs in the sandbox and nowhere else.

The code defines `compute(prompt, response, reference, binding)`. It gets the response as a reader sees it
(`rlar.text.answers.visible_answer`: without the reasoning block, invisible characters, an echo of the prompt, lines that
talk to a judge); where nothing is left, the score is 0.0 and no code runs. It returns a number in [0, 1], or None where it
cannot tell. Who writes the code, and how it earns its place: docs/generated.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError

from rlar.code_identity import code_identity
from rlar.errors import SandboxError, ToolError, first_problem
from rlar.sandbox import Limits, Pool, Status, VerifierResult
from rlar.text.answers import visible_answer
from rlar.tool import Resources
from rlar.tools.source_check import check_source
from rlar.types import Frozen, JsonObject, Sample, Score, ToolKind, ToolSpec, abstain, digest, failed, ok, timed_out

CALLING = "1"
"""Version of how the code is called; a change makes every generated tool another tool."""
WARM_BATCH = 64
"""Samples in one message to a warm process: cheaper by ten than one at a time."""
SECONDS = 2.0

_ENTRY = "rlar_entry"
_CANNOT_TELL = -1.0
# The sandbox carries numbers only, so None travels as a number that is no score; a -1 of the code's own must not pass for it.
_AROUND = f"""

def {_ENTRY}(prompt, response, reference, binding):
    value = {{function}}(prompt, response, reference, binding)
    if value is None:
        return {_CANNOT_TELL}
    if value == {_CANNOT_TELL}:
        raise ValueError("-1 is outside [0, 1]; None says that you cannot tell")
    return value
"""


class Running(Frozen):
    """How a generated tool runs: `ToolSpec.params`, and so part of its id. It is certified as it will run."""

    function: Literal["compute"] = "compute"
    role: Literal["verifier", "quality"] = "verifier"
    mode: Literal["warm", "forked"] = "forked"
    """warm: processes are reused, for code that keeps nothing between calls. forked: a process for every sample."""
    image: Literal["light", "heavy"] = "light"
    """heavy: numpy, sympy, sacrebleu and math_verify are imported."""
    seconds: float = Field(default=SECONDS, gt=0, le=10)
    """Wall-clock limit of one sample."""


class GeneratedTool:
    """One verifier that an LLM wrote. Thread-safe; holds no process of its own."""

    def __init__(self, spec: ToolSpec, resources: Resources) -> None:
        """Raises ToolError for a spec that was not certified as this version would run it."""
        self.spec = spec
        self.resources = resources
        self.running = running_of(spec)
        if spec.code_hash != source_hash(spec.source):
            raise ToolError(
                f"{spec.id}: its code, or how this version of rlar calls it, is not what was certified; "
                "run `rlar agent build-tools` again"
            )
        if problems := check_source(spec.source).problems:
            raise ToolError(f"{spec.id}: its code breaks a rule: {problems[0]}")

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order; without a sandbox all of them failed, saying what to do."""
        try:
            return score_in(self.resources.sandbox, self.spec, samples)
        except SandboxError as error:
            return [failed(str(error))] * len(samples)


def running_of(spec: ToolSpec) -> Running:
    """The tool's parameters. Raises ToolError."""
    try:
        return Running.model_validate(spec.params)
    except ValidationError as error:
        raise ToolError(f"{spec.id}: params.{first_problem(error)}") from error


def source_hash(source: str) -> str:
    """16 hex digits of the code, of how it is called and of what it is shown: what a certificate holds for."""
    return digest(source, CALLING, code_identity("rlar.text.answers:visible_answer"))


def generated_spec(name: str, source: str, running: Running, provenance: JsonObject | None = None) -> ToolSpec:
    """The ToolSpec of a verifier's source."""
    return ToolSpec(
        kind=ToolKind.GENERATED,
        name=name,
        source=source,
        params=running.model_dump(mode="json"),
        code_hash=source_hash(source),
        provenance=provenance or {},
    )


def current(spec: ToolSpec) -> ToolSpec:
    """The tool as this version of rlar calls it."""
    return spec.model_copy(update={"code_hash": source_hash(spec.source)})


def unusable(spec: ToolSpec) -> str:
    """Why this version of rlar does not call the tool as it was certified; "" when it does."""
    if spec.code_hash == source_hash(spec.source):
        return ""
    return "it is not called as it was when it was certified; run `rlar agent build-tools` again"


def full_slice(spec: ToolSpec) -> int:
    """Samples in a full message: a warm verifier costs ten times less there than alone; 0 for one that runs forked."""
    return WARM_BATCH if spec.params.get("mode") == "warm" else 0


def score_in(
    pool: Pool, spec: ToolSpec, samples: Sequence[Sample], mode: Literal["warm", "forked"] | None = None
) -> list[Score]:
    """The scores of a generated tool in this sandbox; `mode` overrides the tool's own. Raises SandboxError."""
    running = running_of(spec)
    indices, items = _items(samples)
    results = pool.run_verifier(
        _runnable(spec.source, running), _ENTRY, items, mode=mode or running.mode, **_bounds(running)
    )
    scores = [ok(0.0, "nothing was answered")] * len(samples)
    made: dict[VerifierResult, Score] = {}
    for index, result in zip(indices, results, strict=True):
        if result not in made:
            made[result] = _score(result)
        scores[index] = made[result]
    return scores


def keeps_state(pool: Pool, spec: ToolSpec, samples: Sequence[Sample]) -> str:
    """What differs between warm and forked scores of the samples: why a tool must not run warm; "" where nothing does.

    Raises SandboxError.
    """
    running = running_of(spec)
    _, items = _items(samples)
    return pool.check_state_independence(_runnable(spec.source, running), _ENTRY, items, **_bounds(running))


def _runnable(source: str, running: Running) -> str:
    return source + _AROUND.format(function=running.function)


def _bounds(running: Running) -> dict[str, Any]:
    limits = Limits(seconds=running.seconds)
    return {"limits": limits, "low": _CANNOT_TELL, "high": 1.0, "image": running.image}


def _items(samples: Sequence[Sample]) -> tuple[list[int], list[list[Any]]]:
    """The samples that say something, by index, and what `compute` gets for each."""
    shown = [visible_answer(sample.completion, sample.prompt) for sample in samples]
    indices = [index for index, response in enumerate(shown) if response]
    return indices, [_arguments(samples[index], shown[index]) for index in indices]


def _arguments(sample: Sample, response: str) -> list[Any]:
    binding = sample.binding
    if len(sample.references) > 1:
        binding = {"references": list(sample.references), **binding}
    return [sample.prompt, response, sample.reference, binding]


def _score(result: VerifierResult) -> Score:
    details: JsonObject = {"tier": result.tier, "unsafe": result.unsafe}
    if result.status is Status.TIMEOUT:
        return timed_out(result.explanation or "ran out of time", **details)
    if result.value is None:
        why = result.explanation.replace(f"[{_CANNOT_TELL:g}, 1]", "[0, 1]")
        return failed(f"{result.status.value}: {why}", **details)
    if result.value == _CANNOT_TELL:
        return abstain("the verifier cannot tell", **details)
    if result.value < 0.0:
        return failed(f"failed: {result.value:.6g} is outside [0, 1]", **details)
    return ok(result.value, **details)
