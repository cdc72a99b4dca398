"""Differential tests: the completion's program against the row's reference program, on inputs made from the reference.

Only for rows that carry a reference solution and no tests. Inputs are guessed (see code_inputs), tried on the reference, and kept
where it answers with plain data; both programs run in the sandbox, neither sees the other, and values are compared outside.
A reference that is not deterministic, accepts none of the guesses, or cannot be told from its own mutants gives an abstention.

Leaves out: classes, and behaviour on inputs that make the reference raise.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from threading import Lock
from typing import Any, NamedTuple

from rlar.kinds.programs.completion import extract_program
from rlar.kinds.programs.inputs import Guess, arguments_of, guesses
from rlar.kinds.programs.mutants import mutate_program
from rlar.kinds.programs.rows import TestSuite, prompt_header, public_function, reference_program
from rlar.kinds.programs.run import image_for, same_value
from rlar.kinds.programs.suites import sample_runs
from rlar.sandbox.compare import same_output
from rlar.text.python import bound_at_top, compiles, parse_python
from rlar.tool import LibraryTool, Resources
from rlar.types import AnswerKind, Sample, Score, ToolSpec, abstain, digest, failed, ok

MAX_INPUTS = 40
MIN_INPUTS = 4
TRIES = 10
CANDIDATES = 90
_QUICK = 2.0
"""Seconds for all inputs of a guess."""
_MUTANT = 0.7
MUTANTS = 6
_CACHED = 2048

_CHANCE = re.compile(
    r"\b(?:random|secrets|uuid|os\.urandom|numpy\.random|np\.random|time\.time|perf_counter|datetime\.now|date\.today|today\(\)|now\(\)|id\()",
)
_READS_INPUT = re.compile(r"\binput\s*\(|\bstdin\b|\bopen\(0\)")
_STUB = "_rlar_entry"
_ADAPTER = """

def {stub}(arguments):
    import contextlib
    import io

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        value = {name}(*arguments)
    return [value, arguments, printed.getvalue()[:20000]]
"""

View = tuple[int, ...]
"""Which of (value, arguments afterwards, printed text) say what the function does."""


class Prepared(NamedTuple):
    """What is worked out once a row."""

    name: str | None
    """The function; None: a whole program, compared by what it prints."""
    named_in_prompt: bool
    inputs: list[Any]
    """Argument lists, or texts for stdin."""
    answers: list[Any]
    view: View
    killed: int
    mutants: int


class CodeReference(LibraryTool):
    """1.0 when the program does what the reference does on every input, else 0.0."""

    name = "code_reference"
    answer_kinds = frozenset({AnswerKind.CODE_REFERENCE})
    role = "verifier"
    runs = "sandbox"
    summary = "runs the program beside the row's reference program on generated inputs"

    def __init__(self, spec: ToolSpec, resources: Resources) -> None:
        super().__init__(spec, resources)
        from rlar.sandbox import Limits

        self._limits = Limits(seconds=float(spec.params.get("seconds", 5.0)))
        self._lock = Lock()
        self._prepared: dict[str, Prepared | Score] = {}

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order; as many at a time as the sandbox has workers."""
        if not any(sample.reference for sample in samples):
            return [self.score_one(sample) for sample in samples]
        return self.resources.sandbox.map(self.score_one, samples)

    def score_one(self, sample: Sample) -> Score:
        """1.0 or 0.0; abstains where the row has no reference program, or one that nothing can be compared with."""
        reference = reference_program(sample.reference, sample.prompt) if sample.reference else None
        if reference is None:
            return abstain("the row has no reference program")
        prepared = self._prepare(reference, sample.prompt)
        if isinstance(prepared, Score):
            return prepared
        header = prompt_header(sample.prompt, prepared.name)
        suite = TestSuite(
            kind="calls" if prepared.name else "stdio",
            entry_point=prepared.name if prepared.named_in_prompt else None,
            prompt_code=header,
        )
        program = extract_program(sample.answer, suite)
        if not program.strip() or not compiles(program):
            return ok(0.0, "no program in the completion" if not program.strip() else "the program is not valid Python")
        if prepared.name is None:
            return self._judge_whole(program, prepared)
        name = _function_to_call(program, prepared)
        if name is None:
            return ok(0.0, f"the program defines no {prepared.name}")
        return self._judge_function(program, name, prepared)

    def _judge_function(self, program: str, name: str, prepared: Prepared) -> Score:
        results = self._call(program, name, prepared.inputs)
        if isinstance(results, Score):
            return results
        same = [
            answer is not None and _same_view(answer, expected, prepared.view)
            for answer, expected in zip(results, prepared.answers, strict=True)
        ]
        return _verdict(same, prepared, self.resources.sandbox.tier)

    def _judge_whole(self, program: str, prepared: Prepared) -> Score:
        same: list[bool] = []
        for given, expected in zip(prepared.inputs, prepared.answers, strict=True):
            result = self.resources.sandbox.run_program(program, given, limits=self._limits, image=image_for(program))
            if result.status == "refused":
                return failed(f"the program could not be run: {result.explanation}")
            same.append(result.passed and same_output(result.output, expected, "numbers"))
            if not same[-1]:
                break
        return _verdict(same, prepared, self.resources.sandbox.tier)

    # -------------------------------------------------------------------------------- once a row

    def _prepare(self, reference: str, prompt: str) -> Prepared | Score:
        key = digest(reference, prompt, size=32)
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._work_out(reference, prompt)
            if isinstance(prepared, Prepared) or prepared.status == "abstain":
                with self._lock:
                    if len(self._prepared) >= _CACHED:
                        self._prepared.pop(next(iter(self._prepared)))
                    self._prepared[key] = prepared
        return prepared

    def _work_out(self, reference: str, prompt: str) -> Prepared | Score:
        if _CHANCE.search(reference):
            return abstain("the reference program depends on chance or on the clock")
        name = _tested_function(reference, prompt)
        if name is None:
            tree = parse_python(reference)
            if tree is not None and any(isinstance(node, ast.ClassDef) for node in tree.body):
                return abstain("the reference program is a class: no inputs can be made for it")
            return self._prepare_whole(reference, prompt)
        ideas = guesses(reference, name, prompt)
        trials = [arguments_of(guess, seed=1, count=TRIES) for guess in ideas]
        best: Prepared | None = None
        for index in self._promising(reference, name, ideas, trials):
            tried = self._try(reference, name, prompt, ideas[index])
            if isinstance(tried, Score):
                return tried
            if tried is not None and (best is None or tried.killed > best.killed):
                best = tried
            if best is not None and best.killed >= 0.8 * best.mutants:
                break
        if best is not None and best.killed >= 0.5 * best.mutants:
            return best
        return abstain("no inputs were found that the reference program accepts and that tell it from its mutants")

    def _promising(
        self, reference: str, name: str, ideas: Sequence[Guess], trials: Sequence[Sequence[Any]]
    ) -> list[int]:
        """The guesses that the reference accepts, the best first: likely ones that it mostly accepts, then by acceptance."""
        flat = [arguments for trial in trials for arguments in trial]
        answers = self._call(reference, name, flat, _QUICK)
        accepted: list[float] = []
        position = 0
        for trial in trials:
            one = answers[position : position + len(trial)] if not isinstance(answers, Score) else []
            position += len(trial)
            accepted.append(sum(answer is not None for answer in one) / max(1, len(trial)))
        order = [index for index, share in enumerate(accepted) if share >= (0.3 if ideas[index].trusted else 0.6)]
        order += sorted(
            (i for i, share in enumerate(accepted) if share > 0 and i not in order), key=lambda i: -accepted[i]
        )
        return order[:4]

    def _try(self, reference: str, name: str, prompt: str, guess: Guess) -> Prepared | Score | None:
        """The row's inputs if this guess is right, None if it is not, a score where the row or the sandbox is at fault."""
        inputs: list[list[Any]] = [list(arguments) for arguments in arguments_of(guess, seed=2, count=CANDIDATES)]
        answers = self._call(reference, name, inputs, _QUICK)
        if isinstance(answers, Score):
            return answers
        kept = _varied_answers(answers)
        if len(kept) < (MIN_INPUTS if guess.types else 1):
            return None
        inputs, expected = [inputs[index] for index in kept], [answers[index] for index in kept]
        backwards = self._call(reference, name, inputs[::-1], _QUICK)
        if isinstance(backwards, Score):
            return backwards
        if not all(
            other is not None and _same_view(one, other, (0, 1, 2))
            for one, other in zip(expected, backwards[::-1], strict=True)
        ):
            return abstain("the reference program answers differently when asked again")
        view = _view(expected, inputs)
        if view is None:
            return None
        killed = mutants = 0
        for mutant in mutate_program(reference, seed=1, count=MUTANTS):
            mutants += 1
            mutant_answers = self._call(mutant, name, inputs, _MUTANT)
            if isinstance(mutant_answers, Score):
                return mutant_answers
            killed += not all(
                answer is not None and _same_view(answer, one, view)
                for answer, one in zip(mutant_answers, expected, strict=True)
            )
        if mutants and not killed:
            return None
        named = re.search(rf"\b{re.escape(name)}\b", prompt) is not None
        return Prepared(name, named, inputs, expected, view, killed, mutants)

    def _call(
        self, program: str, name: str, inputs: Sequence[Sequence[Any]], seconds: float | None = None
    ) -> list[Any] | Score:
        """[value, arguments, printed] for each input, None where the program did not answer; a score where nothing ran."""
        limits = self._limits if seconds is None else replace(self._limits, seconds=min(seconds, self._limits.seconds))
        adapted = program + _ADAPTER.format(stub=_STUB, name=name)
        results = self.resources.sandbox.call(
            adapted, _STUB, [[list(arguments)] for arguments in inputs], limits=limits, image=image_for(program)
        )
        if any(result.status == "refused" for result in results):
            return failed(f"the program could not be run: {results[0].explanation}")
        return [
            result.value
            if result.status == "passed" and isinstance(result.value, list) and len(result.value) == 3
            else None
            for result in results
        ]

    def _prepare_whole(self, reference: str, prompt: str) -> Prepared | Score:
        inputs = stdin_guesses(prompt, seed=1) if _READS_INPUT.search(reference) else [""]
        kept: list[str] = []
        answers: list[str] = []
        for given in inputs:
            result = self.resources.sandbox.run_program(
                reference, given, limits=self._limits, image=image_for(reference)
            )
            if result.status == "refused":
                return failed(f"the reference program could not be run: {result.explanation}")
            if result.passed and result.output.strip():
                kept.append(given)
                answers.append(result.output)
            if len(kept) >= 8:
                break
        if not kept:
            return abstain("the reference program prints nothing on any input that was tried")
        if len(kept) > 1 and len(set(answers)) == 1:
            return abstain("the reference program prints the same for every input that was tried")
        return Prepared(None, False, list(kept), list(answers), (2,), 0, 0)


def _varied_answers(answers: Sequence[Any]) -> list[int]:
    """Indices of up to MAX_INPUTS answered inputs, other answers before more of the same."""
    seen: dict[str, int] = {}
    ranked = []
    for index, answer in enumerate(answers):
        if answer is not None:
            key = repr(answer[0] if answer[0] is not None else answer[1:])[:500]
            seen[key] = seen.get(key, 0) + 1
            ranked.append((seen[key], index))
    return sorted(index for _, index in sorted(ranked)[:MAX_INPUTS])


def _verdict(same: list[bool], prepared: Prepared, tier: str) -> Score:
    total = len(prepared.inputs)
    details = {
        "passed": sum(same), "total": total, "tier": tier, "forgeable": False, "unsafe": tier == "unsafe",
        "mutants_killed": prepared.killed, "mutants": prepared.mutants,
    }  # fmt: skip
    if all(same) and len(same) == total:
        return ok(1.0, f"agrees with the reference program on {total} inputs", **details)
    return ok(0.0, f"differs from the reference program on input {same.index(False) + 1} of {total}", **details)


def _same_view(one: Any, other: Any, view: View) -> bool:
    return all(same_value(one[index], other[index]) for index in view)


def _view(answers: list[Any], inputs: list[Any]) -> View | None:
    """What the function does: it returns, or changes its arguments, or prints; None when it does none of them."""
    if any(answer[0] is not None for answer in answers):
        return (0,)
    if any(not same_value(answer[1], given) for answer, given in zip(answers, inputs, strict=True)):
        return (1,)
    return (2,) if any(answer[2].strip() for answer in answers) else None


def _tested_function(reference: str, prompt: str) -> str | None:
    """The reference's function that the prompt names, else the one that it offers."""
    tree = parse_python(reference)
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] if tree is not None else []
    named = [name for name in functions if re.search(rf"\b{re.escape(name)}\b", prompt) and len(name) > 2]
    if named:
        return (
            named[-1]
            if len(named) == 1
            else (public_function(reference) if public_function(reference) in named else named[-1])
        )
    return public_function(reference)


def _function_to_call(program: str, prepared: Prepared) -> str | None:
    """The function of the reference's name; where the prompt does not name it, the one that the program offers."""
    tree = parse_python(program)
    names = bound_at_top(tree) if tree is not None else set()
    if prepared.name in names:
        return prepared.name
    return None if prepared.named_in_prompt else public_function(program)


def stdin_guesses(prompt: str, seed: int) -> list[str]:
    """Inputs for a program that reads: the prompt's own samples first, variations of them, then common layouts."""
    rng = Random(seed)
    runs = sample_runs(prompt)
    samples = [str(given) for given, _ in runs.pairs[:4]] if runs is not None else []
    inputs = list(samples)
    for sample in samples:
        for _ in range(4):
            inputs.append(
                re.sub(r"-?\d+", lambda match: str(max(0, int(match[0]) + rng.choice([-1, 0, 1, 2]))), sample)
            )
    for _ in range(4):
        count = rng.randint(2, 6)
        inputs.append(f"{rng.randint(1, 30)}\n" * 1 + "".join(f"{rng.randint(1, 30)}\n" for _ in range(12)))
        inputs.append(
            f"{rng.randint(1, 20)} {rng.randint(1, 20)}\n" * 1
            + "".join(f"{rng.randint(1, 20)} {rng.randint(1, 20)}\n" for _ in range(8))
        )
        inputs.append(f"{count}\n" + " ".join(str(rng.randint(1, 40)) for _ in range(count)) + "\n")
        inputs.append("".join(rng.choice("abcab") for _ in range(count + 2)) + "\n" + "hello world\n" * 4)
    return list(dict.fromkeys(inputs))
