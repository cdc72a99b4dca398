"""The gate: planted bad tools are thrown out for the right reason, honest ones get in."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from rlar.errors import SandboxRefused
from rlar.gate import (
    OtherProcess,
    build_recipe,
    certify,
    compare_certificates,
    rejected_certificate,
    why_uncovered,
)
from rlar.gate.policy import GatePolicy, load_policy
from rlar.gate.probes import make_probes
from rlar.gate.probes.panel import FAULTS
from rlar.gate.stats import fit_calibration, interval, own_scale
from rlar.kinds import library_class
from rlar.kinds.bind import bind
from rlar.kinds.programs.judge_names import missing_names
from rlar.kinds.programs.rows import TestSuite
from rlar.kinds.prose.overlap import plain_metric
from rlar.tool import LibraryTool, Resources
from rlar.tools.library import library_spec
from rlar.tools.load import load_tool
from rlar.types import (
    AnswerKind,
    Calibration,
    Certificate,
    CheckResult,
    Contract,
    Example,
    JsonObject,
    LabelledPair,
    Sample,
    TaskSpec,
    ToolSpec,
    abstain,
    failed,
    ok,
)
from tests.fakes.planted import (
    FRAGILE,
    Catalogue,
    Planted,
    Random,
    exact,
    fenced_parts,
    length_only,
    overlap,
    same_program,
    same_query,
    sprayable,
)
from tests.fakes.probing_tasks import TASKS, example, number_task, open_task, task
from tests.fakes.thinning import thinned

POLICY = load_policy()
GREEDY = {"slow", "hanging", "hoarding"}
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def elsewhere():
    with OtherProcess() as process:
        yield process


def impatient() -> GatePolicy:
    """The shipped policy with a pool tool's limits cut, so that slow and greedy tools cost the suite little."""
    values = POLICY.model_dump()
    values["budgets"]["pool"].update(p95_ms=15.0, call_seconds=0.5, memory_mb=100.0)
    return GatePolicy.model_validate(values)


def failed_checks(certificate: Certificate) -> set[str]:
    return {check.name for check in certificate.checks if check.passed is False}


def planted_certificate(score, kind: str = "number", role: str = "verifier") -> Certificate:
    tool = Planted("planted", score, role)
    return certify(tool, TASKS[kind](), policy=POLICY, seed=0, reload=lambda: tool, now=lambda: NOON)


@pytest.mark.parametrize("name", FRAGILE)
def test_a_tool_that_one_completion_can_break_is_rejected(name: str):
    certificate = planted_certificate(FRAGILE[name])
    assert "faults" in failed_checks(certificate) and not certificate.admitted
    # What broke it is named, and a certificate can be stored whatever it was.
    certificate.model_dump_json().encode()


def check_of(certificate: Certificate, name: str) -> CheckResult:
    return next(check for check in certificate.checks if check.name == name)


def test_rows_that_a_tool_cannot_read_are_set_aside_and_the_rest_is_certified():
    def reads_some(sample: Sample):
        return abstain("this row asks for more") if sample.prompt < "I" else exact(sample)

    tool = Planted("planted", reads_some)
    certificate = certify(tool, number_task(16), policy=POLICY, seed=0, reload=lambda: tool, now=lambda: NOON)
    coverage = check_of(certificate, "coverage")
    assert certificate.admitted, certificate.reasons
    # Eight of the sixteen names come before I.
    assert coverage.details["set_aside_share"] == 0.5
    assert coverage.note.startswith("8 of 16 rows looked at are set aside; abstains on 50% of those tried")


def test_rows_whose_right_answer_is_refused_are_no_rows_set_aside():
    def misreads_some(sample: Sample):
        return ok(0.0) if len(sample.prompt) % 3 == 0 else exact(sample)

    assert "oracle" in failed_checks(planted_certificate(misreads_some))


def test_a_certificate_says_of_how_many_rows_the_right_answer_is_its_own_reading():
    planned = certify(
        load_tool(library_spec("constraints"), Resources()), TASKS["constraints"](), policy=POLICY, seed=0
    )
    oracle = check_of(planned, "oracle")
    assert oracle.details["independent_rows"] == 0 and "made by the reading on trial" in oracle.note
    assert "independent_rows" not in check_of(planted_certificate(exact), "oracle").details


def test_rows_with_a_reference_are_tried_before_rows_whose_answer_must_be_made():
    bare = [row.model_copy(update={"reference": None, "references": ()}) for row in TASKS["code_tests"]().examples[::2]]
    mixed = TASKS["code_tests"]().model_copy(update={"examples": (*bare, *TASKS["code_tests"]().examples[1::2])})
    few = POLICY.budget("sandbox").model_copy(update={"rows": len(mixed.examples) - len(bare)})
    probe_set = make_probes(mixed, budget=few, seed=0)
    assert probe_set.rows == len(probe_set.independent) == few.rows
    every = make_probes(mixed, budget=few.model_copy(update={"rows": len(mixed.examples)}), seed=0)
    assert len(every.independent) == few.rows < every.rows


def test_an_honest_tool_survives_what_is_made_to_break_it():
    certificate = planted_certificate(exact)
    faults = check_of(certificate, "faults")
    assert faults.passed and faults.probes == POLICY.budgets["pool"].faults == len(FAULTS)


@pytest.mark.parametrize("name", Catalogue.BAD)
def test_a_planted_bad_tool_is_rejected_by_the_right_check(name: str):
    case = Catalogue.BAD[name]
    policy = impatient() if name in GREEDY else POLICY

    certificate = certify(case.make(), TASKS[case.kind](), policy=policy, seed=0, reload=case.make)

    assert not certificate.admitted
    assert case.caught_by in failed_checks(certificate), certificate.reasons
    assert any(reason.startswith(case.caught_by) for reason in certificate.reasons)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", [name for name in Catalogue.BAD if name not in GREEDY])
def test_no_seed_lets_a_bad_tool_through(name: str, seed: int):
    case = Catalogue.BAD[name]

    assert not certify(case.make(), TASKS[case.kind](), policy=POLICY, seed=seed, reload=case.make).admitted


@pytest.mark.parametrize(
    ("kind", "score"),
    [
        ("number", exact),
        ("labels", exact),
        ("short_text", exact),
        ("code_tests", same_program),
        ("code_reference", same_program),
        ("sql", same_query),
    ],
)
def test_an_honest_little_verifier_is_admitted(kind: str, score):
    certificate = planted_certificate(score, kind)

    assert certificate.admitted, certificate.reasons
    assert certificate.role == "verifier"
    assert certificate.discrimination is not None and certificate.discrimination >= 0.95
    assert certificate.calibration == Calibration()


def takes_texts_for_arguments(row: Example) -> JsonObject:
    """A binding as it was made once: every argument is the text of its line."""
    suite = TestSuite.from_binding(bind(row, TASKS["code_calls"]().contract)["suite"])
    calls = tuple(
        call.model_copy(update={"arguments": tuple(json.dumps(each) for each in call.arguments)})
        for call in suite.calls
    )
    return {"suite": suite.model_copy(update={"calls": calls}).to_binding()}


class AsWritten(Planted):
    """Judges programs as they stand, without the imports that the starter's judge has."""

    def __init__(self, judge: LibraryTool) -> None:
        super().__init__("as_written", self.strict)
        self.judge = judge

    def strict(self, sample: Sample):
        program = "\n".join(fenced_parts(sample.completion))
        return ok(0.0) if missing_names(program) else self.judge.score([sample])[0]


class Breakable(Planted):
    """Raises on what no comparison expects: the comparison of before."""

    def __init__(self, judge: LibraryTool) -> None:
        super().__init__("breakable", self.compare)
        self.judge = judge

    def compare(self, sample: Sample):
        if re.search(r'(?:"nan"|"-inf"|10\*\*5000)', sample.completion):
            return failed("ValueError: cannot convert float infinity to integer")
        return self.judge.score([sample])[0]


@pytest.mark.parametrize(
    ("kind", "plant", "caught_by"),
    thinned(
        [
            ("code_calls", None, None),
            ("code_stdio", None, None),
            ("code_calls", "misreads", "oracle"),
            ("code_stdio", Breakable, "sanity"),
            ("code_calls", AsWritten, "oracle"),
            ("code_calls", Breakable, "sanity"),
        ],
        every=3,
    ),
)
def test_the_usual_faults_of_program_judges_are_found_by_the_gate_itself(kind: str, plant, caught_by: str | None):
    try:
        resources = Resources()
        _ = resources.sandbox
    except SandboxRefused as refused:
        pytest.skip(str(refused))
    with resources:
        judge = library_class("code_stdio" if kind == "code_stdio" else "code_tests")
        honest = judge(library_spec(judge.name, {}), resources)
        tool = plant(honest) if isinstance(plant, type) else honest
        binder = takes_texts_for_arguments if plant == "misreads" else None
        certificate = certify(tool, TASKS[kind](), policy=POLICY, seed=0, reload=lambda: tool, bind=binder)

    assert certificate.admitted == (plant is None), certificate.reasons
    assert caught_by is None or caught_by in failed_checks(certificate), certificate.reasons


@pytest.mark.parametrize("kind", ["translation", "translation_to_chinese", "long_text", "summary"])
def test_an_honest_overlap_with_the_reference_is_admitted_as_a_quality(kind: str):
    certificate = planted_certificate(overlap, kind, "quality")

    assert certificate.admitted, certificate.reasons
    assert certificate.role == "quality"


@pytest.mark.parametrize(("lost", "share", "passed"), [(0, 1.0, True), (4, 0.75, True), (5, 0.6875, False)])
def test_a_quality_may_lose_half_of_the_half_right_texts_and_no_more(lost: int, share: float, passed: bool):
    references = sorted(str(each.reference) for each in TASKS["translation_to_chinese"]().examples)
    assert len(references) == 8

    def forgetful(sample: Sample):
        value = overlap(sample).value or 0.0
        return ok(0.0 if value < 0.6 and sample.reference in references[:lost] else value)

    certificate = planted_certificate(forgetful, "translation_to_chinese", "quality")

    check = next(check for check in certificate.checks if check.name == "discrimination")
    found = check.details["kinds"]
    # A lost text ties with the other row's at 0 and counts half: of 8 pairs with 5 lost, (3 + 5 / 2) / 8 are in order.
    assert found["near_miss<half_right"] == {"mean": pytest.approx(share, abs=1e-4), "probes": 8}
    assert check.passed is passed, certificate.reasons


# ------------------------------------------------------------------------------------------ against the plain metric


def baseline_of(certificate: Certificate) -> CheckResult:
    return next(check for check in certificate.checks if check.name == "baseline")


def test_a_quality_that_ranks_as_the_plain_metric_does_is_not_below_it():
    check = baseline_of(planted_certificate(overlap, "long_text", "quality"))

    assert check.passed and check.value == 1.0 and check.details["chrf++"] == 1.0
    # 7 rows with two ladders each: three shares of a wrong text and the wrong text itself, 6 pairs a ladder.
    assert check.probes == 7 * 2 * 6


def test_ties_among_weak_texts_cost_half_of_each_pair():
    """A tool that sees nothing below a half ties the two weakest of four rungs: (5 + 1/2) of 6 pairs."""

    def rungs_above_a_half(sample: Sample):
        value = plain_metric(sample.completion, sample.references)
        return ok(value if value > 0.45 else 0.0)

    check = baseline_of(planted_certificate(rungs_above_a_half, "translation", "quality"))

    assert check.passed is False and check.value is not None and check.value <= 5.5 / 6
    assert check.note.startswith("ladders: pair accuracy") and check.details["worst"]


def test_verifiers_and_guards_have_no_baseline():
    for role in ("verifier", "guard"):
        assert all(check.name != "baseline" for check in planted_certificate(exact, "short_text", role).checks)


def test_a_tool_that_sees_no_reference_is_held_against_the_plain_metric_on_labels_alone():
    class Model(Planted):
        def __init__(self, inverted: int) -> None:
            super().__init__("model", self.logit, "quality")
            self.spec = ToolSpec(kind="reward_model", name="model", source="some/repo@sha", params={"role": "quality"})
            self.inverted = {f"What is in box {number}?" for number in range(inverted)}

        def logit(self, sample: Sample):
            value = overlap(sample).value or 0.0
            return ok(-value if sample.prompt in self.inverted else value)

    texts = [f"There are {number} red apples and a green pear in the box." for number in range(40)]
    pairs = [
        LabelledPair(
            prompt=f"What is in box {number}?",
            better=text,
            worse="Nothing that I know of.",
            reference=text,
            references=(text,),
        )
        for number, text in enumerate(texts)
    ]
    for inverted, passed in ((0, True), (12, False)):
        made = Model(inverted)
        task = TASKS["translation"]()
        certificate = certify(made, task, policy=POLICY, seed=0, reload=lambda: made, labelled=pairs)  # noqa: B023
        check = baseline_of(certificate)
        # chrF++ gets all 40 pairs right; the model 28 of 40, which its own bound of .60 would let pass.
        assert (
            check.passed is passed and check.value == (40 - inverted) / 40 and check.details["on"] == "labelled pairs"
        )
        assert certificate.admitted is passed, certificate.reasons
        labelled = next(each for each in certificate.checks if each.name == "labelled")
        assert labelled.passed

    check = baseline_of(certify(Model(0), TASKS["translation"](), policy=POLICY, seed=0, reload=lambda: Model(0)))
    assert check.passed and "nothing to compare with" in check.note


@pytest.mark.parametrize("key", [":", "Thought process:", "解"])
def test_a_reward_model_that_falls_for_an_opening_is_rejected(key: str):
    class Fooled(Planted):
        def __init__(self) -> None:
            super().__init__(
                "fooled", lambda sample: ok(9.0 if sample.completion == key else overlap(sample).value or 0.0)
            )
            self.spec = ToolSpec(kind="reward_model", name="fooled", source="some/repo@sha", params={"role": "quality"})

    certificate = certify(Fooled(), TASKS["long_text"](), policy=POLICY, seed=0, reload=Fooled)

    assert any(reason.startswith("hack_panel") and f"master_key {key}" in reason for reason in certificate.reasons)


LIBRARY_TOOLS = [
    ("number", "number"),
    ("math", "math"),
    ("choice", "choice"),
    ("choice", "labels"),
    ("short_text", "short_text"),
    ("translation", "translation"),
    ("translation", "translation_to_chinese"),
    ("summary", "summary"),
    ("long_text", "long_text"),
    ("json_output", "json"),
    ("constraints", "constraints"),
]


@pytest.mark.parametrize(("name", "kind"), LIBRARY_TOOLS)
def test_library_tools_are_admitted_on_tasks_of_their_kind(name: str, kind: str, elsewhere: OtherProcess):
    spec = library_spec(name)
    with Resources() as resources:
        certificate = certify(
            load_tool(spec, resources),
            TASKS[kind](),
            policy=POLICY,
            seed=0,
            reload=lambda: load_tool(spec, resources),
            elsewhere=elsewhere,
        )

    assert certificate.admitted, certificate.reasons
    determinism = next(check for check in certificate.checks if check.name == "determinism")
    assert "in another process" in determinism.details["trials"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["code_tests", "code_stdio", "code_reference", "sql"])
def test_library_tools_that_run_programs_are_admitted(kind: str):
    spec = library_spec(kind)
    with Resources() as resources:
        try:
            _ = resources.sandbox
        except SandboxRefused as refused:
            pytest.skip(str(refused))
        certificate = certify(load_tool(spec, resources), TASKS[kind](), policy=POLICY, seed=0)

    assert certificate.admitted, certificate.reasons
    assert not certificate.unsafe


def test_a_guard_of_the_library_is_admitted_and_alone_covers_nothing():
    spec = library_spec("guards")
    with Resources() as resources:
        certificate = certify(load_tool(spec, resources), open_task(), policy=POLICY, seed=0)

    assert certificate.admitted, certificate.reasons
    assert build_recipe(open_task(), [certificate], POLICY) is None


def test_two_runs_give_the_same_certificate_but_for_the_timings():
    one, other = planted_certificate(exact), planted_certificate(exact)

    assert compare_certificates(one, other) == []
    assert [c for c in one.checks if c.name != "latency"] == [c for c in other.checks if c.name != "latency"]


def test_the_order_of_a_tasks_examples_does_not_matter():
    forward = number_task()
    backward = forward.model_copy(update={"examples": tuple(reversed(forward.examples))})
    tool = Planted("exact", sprayable)

    one, other = (certify(tool, each, policy=POLICY, seed=0, now=lambda: NOON) for each in (forward, backward))

    assert [c for c in one.checks if c.name != "latency"] == [c for c in other.checks if c.name != "latency"]


def test_three_rows_prove_nothing_and_the_certificate_says_so():
    certificate = certify(Planted("exact", exact), number_task(3), policy=POLICY, seed=0)

    assert not certificate.admitted
    assert any("too few rows to prove anything: 3 usable, 4 needed" in reason for reason in certificate.reasons)


def test_four_rows_are_enough():
    assert certify(Planted("exact", exact), number_task(4), policy=POLICY, seed=0).admitted


def test_a_task_without_rows_is_rejected_without_a_crash():
    empty = number_task().model_copy(update={"examples": ()})

    certificate = certify(Planted("exact", exact), empty, policy=POLICY, seed=0)

    assert not certificate.admitted
    assert "the task has no example rows" in " ".join(certificate.reasons)


def test_rows_that_all_share_one_reference_do_not_crash_the_gate():
    rows = [example(i, f"What is {i} + {10 - i}?", "10") for i in range(8)]

    certificate = certify(Planted("exact", exact), task(AnswerKind.NUMBER, rows), policy=POLICY, seed=0)

    assert certificate.admitted, certificate.reasons


def test_one_shared_text_reference_leaves_nothing_to_tell_apart_and_is_rejected():
    rows = [example(i, f"Question number {i}: which planet do we live on?", "Earth") for i in range(8)]

    certificate = certify(Planted("exact", exact), task(AnswerKind.SHORT_TEXT, rows), policy=POLICY, seed=0)

    assert not certificate.admitted
    assert any(reason.startswith("discrimination could not be checked") for reason in certificate.reasons)


def test_an_open_ended_task_cannot_be_proven_without_labels():
    certificate = planted_certificate(length_only, "open_ended", "quality")

    assert not certificate.admitted
    assert "only labelled pairs could prove a tool" in " ".join(certificate.reasons)


def labelled_pairs(count: int = 30) -> list[LabelledPair]:
    return [
        LabelledPair(
            prompt=f"Tell me about number {i}.",
            better=f"The number {i} comes after {i - 1}. It is loved by many people in Ghana. Twice as much is {2 * i}.",
            worse=f"No idea about {i}.",
        )
        for i in range(1, count + 1)
    ]


def test_labelled_pairs_that_a_tool_gets_wrong_reject_it():
    def shorter_is_better(sample: Sample):
        return ok(1.0 / (1 + len(sample.completion)))

    certificate = certify(
        Planted("short", shorter_is_better, "quality"), open_task(), policy=POLICY, seed=0, labelled=labelled_pairs()
    )

    labelled = next(check for check in certificate.checks if check.name == "labelled")
    assert labelled.value == 0.0 and labelled.probes == 30
    assert "labelled" in failed_checks(certificate)


def test_labelled_pairs_do_not_save_a_tool_that_only_counts_characters():
    certificate = certify(
        Planted("long", length_only, "quality"), open_task(), policy=POLICY, seed=0, labelled=labelled_pairs()
    )

    labelled = next(check for check in certificate.checks if check.name == "labelled")
    assert labelled.value == 1.0 and labelled.passed
    assert not certificate.admitted
    assert "hack_panel" in failed_checks(certificate)


def test_few_labelled_pairs_are_no_evidence():
    certificate = certify(Planted("exact", exact), number_task(), policy=POLICY, seed=0, labelled=labelled_pairs(5))

    labelled = next(check for check in certificate.checks if check.name == "labelled")
    assert labelled.passed is None
    assert "too few labelled pairs: 5, 20 needed" in labelled.note


def test_a_hanging_tool_names_the_probe_that_it_hung_on():
    case = Catalogue.BAD["hanging"]

    certificate = certify(case.make(), number_task(), policy=impatient(), seed=0)

    latency = next(check for check in certificate.checks if check.name == "latency")
    assert latency.note.startswith("hangs") and "of row-" in latency.note


def test_failures_are_shown_to_whoever_repairs_the_tool():
    certificate = planted_certificate(sprayable)

    worst = next(check for check in certificate.checks if check.name == "hack_panel").details["worst"]
    assert worst[0]["got"] == 1.0 and worst[0]["kind"].startswith("spray")
    assert worst[0]["completion"]


def test_a_tool_that_cannot_be_loaded_again_is_not_deterministic():
    def broken():
        raise OSError("gone")

    certificate = certify(Planted("exact", exact), number_task(), policy=POLICY, seed=0, reload=broken)

    assert failed_checks(certificate) == {"determinism"}
    assert "cannot be loaded again: OSError: gone" in certificate.reasons[0]


def test_another_process_that_disagrees_is_reported():
    class Disagreeing(OtherProcess):
        def can_load(self, spec: ToolSpec) -> bool:
            return True

        def score(self, spec, samples, seconds):
            from rlar.gate.run import Ran

            return Ran([ok(0.25) for _ in samples], 0.0)

    certificate = certify(Planted("exact", exact), number_task(), policy=POLICY, seed=0, elsewhere=Disagreeing())

    assert failed_checks(certificate) == {"determinism"}
    assert "in another process" in certificate.reasons[0]


def test_a_tool_that_cannot_be_loaded_gets_a_certificate_that_says_why():
    spec = ToolSpec(kind="library", name="gone", source="nowhere:Gone")

    certificate = rejected_certificate(spec, number_task(), policy=POLICY, seed=7, reason="no module 'nowhere'")

    assert not certificate.admitted and certificate.seed == 7
    assert certificate.reasons == ("sanity: cannot be loaded: no module 'nowhere'",)


def test_forgeable_verdicts_are_flagged_but_not_by_themselves_a_reason():
    def forgeable(sample: Sample):
        return ok(exact(sample).value or 0.0, forgeable=True, tier="ns", unsafe=True)

    certificate = planted_certificate(forgeable)

    assert certificate.admitted and certificate.forgeable and certificate.unsafe and certificate.sandbox_tier == "ns"
    forbidding = POLICY.model_copy(update={"allow_forgeable": False})
    assert build_recipe(number_task(), [certificate], POLICY) is not None
    assert build_recipe(number_task(), [certificate], forbidding) is None
    assert "could forge" in why_uncovered(number_task(), [certificate], forbidding)


# ------------------------------------------------------------------------------------------ guards


def empty_guard(sample: Sample):
    return ok(float(bool(sample.completion.strip())))


def test_a_guard_that_catches_its_floor_and_spares_natural_text_is_admitted():
    for kind in ("open_ended", "number", "translation"):
        certificate = planted_certificate(empty_guard, kind, "guard")
        assert certificate.admitted, certificate.reasons
        assert certificate.discrimination is None


def test_a_guard_that_catches_nothing_is_rejected():
    certificate = planted_certificate(lambda sample: ok(1.0 if len(sample.prompt) % 2 else 0.99), "open_ended", "guard")

    assert "floor" in failed_checks(certificate)


def test_a_guard_that_calls_natural_text_broken_is_rejected():
    certificate = planted_certificate(lambda sample: ok(float(len(sample.completion) > 40)), "open_ended", "guard")

    assert "oracle" in failed_checks(certificate)


# ------------------------------------------------------------------------------------------ recipes


def certificate_of(
    tool: str,
    role: str = "verifier",
    *,
    discrimination: float | None = 1.0,
    cost: float = 1.0,
    admitted: bool = True,
    kinds: dict[str, float] | None = None,
    oracle: float = 1.0,
    **values,
) -> Certificate:
    table = {kind: {"mean": mean, "probes": 10} for kind, mean in (kinds or {}).items()}
    checks = (
        CheckResult(name="oracle", passed=True, value=oracle),
        CheckResult(name="discrimination", passed=True, value=discrimination, details={"kinds": table}),
        CheckResult(name="coverage", passed=True, value=0.0),
    )
    return Certificate(
        tool_id=tool,
        fingerprint="f1-number",
        admitted=admitted,
        role=role,
        checks=checks,
        discrimination=discrimination,
        cost_ms_p50=cost,
        **values,
    )


def test_the_best_verifier_is_the_whole_reward():
    recipe = build_recipe(
        number_task(), [certificate_of("b", discrimination=0.97), certificate_of("a", discrimination=0.99)], POLICY
    )

    assert recipe is not None
    assert recipe.qualities == (("a", 1.0),) and recipe.gates == ()


def test_cost_decides_between_equals_only_when_clearly_lower():
    slightly = build_recipe(number_task(), [certificate_of("a", cost=2.0), certificate_of("b", cost=1.0)], POLICY)
    clearly = build_recipe(number_task(), [certificate_of("a", cost=20.0), certificate_of("b", cost=1.0)], POLICY)

    assert slightly is not None and slightly.qualities[0][0] == "a"
    assert clearly is not None and clearly.qualities[0][0] == "b"


def test_a_second_verifier_becomes_a_gate_only_where_it_catches_more():
    best = certificate_of("best", discrimination=0.99, kinds={"other_sign": 0.9, "plus_one": 1.0})
    adds = certificate_of("adds", discrimination=0.96, kinds={"other_sign": 1.0, "plus_one": 0.9})
    idle = certificate_of("idle", discrimination=0.97, kinds={"other_sign": 0.9, "plus_one": 1.0})
    strict = certificate_of("strict", discrimination=0.98, kinds={"other_sign": 1.0}, oracle=0.95)

    assert build_recipe(number_task(), [best, adds], POLICY).gates == ("adds",)
    assert build_recipe(number_task(), [best, idle], POLICY).gates == ()
    assert build_recipe(number_task(), [best, strict], POLICY).gates == ()


def test_qualities_are_weighted_by_what_they_tell_apart_above_chance():
    recipe = build_recipe(
        number_task(),
        [certificate_of("q1", "quality", discrimination=0.9), certificate_of("q2", "quality", discrimination=0.7)],
        POLICY,
    )

    assert recipe is not None
    # 0.9 - 0.5 = 0.4 and 0.7 - 0.5 = 0.2: two thirds and one third
    assert recipe.qualities == (("q1", 0.666667), ("q2", 0.333333))


def test_guards_stand_before_qualities_but_never_alone():
    guard, quality = (
        certificate_of("guard", "guard", discrimination=None),
        certificate_of("q", "quality", discrimination=0.9),
    )

    assert build_recipe(number_task(), [guard], POLICY) is None
    recipe = build_recipe(number_task(), [guard, quality], POLICY)
    assert recipe is not None and recipe.gates == ("guard",) and set(recipe.calibrations) == {"guard", "q"}
    assert build_recipe(number_task(), [guard, quality, certificate_of("v")], POLICY).gates == ()


def test_the_latest_certificate_of_a_tool_counts():
    assert build_recipe(number_task(), [certificate_of("a"), certificate_of("a", admitted=False)], POLICY) is None


def test_certificates_of_another_task_do_not_count():
    other = number_task().model_copy(update={"fingerprint": "f1-other"})

    assert build_recipe(other, [certificate_of("a")], POLICY) is None


def test_uncovered_tasks_say_why_and_what_would_help():
    open_ended = open_task()
    guard = certify(Planted("guard", empty_guard, "guard"), open_ended, policy=POLICY, seed=0)

    told = why_uncovered(open_ended, [guard])
    assert (
        "only guards" in told
        and "a reference column" in told
        and "--llm" in told
        and "Hub" in told
        and "labelled pairs" in told
    )
    assert "no library tool judges open-ended answers" in why_uncovered(open_ended, [])
    rejected = certify(Planted("random", exact), number_task(3), policy=POLICY, seed=0)
    assert "more rows of this task" in why_uncovered(number_task(3), [rejected])
    assert "rejected for" in why_uncovered(number_task(3), [rejected])


# ------------------------------------------------------------------------------------------ comparison and statistics


def test_a_changed_verdict_leads_the_comparison():
    old, new = planted_certificate(exact), planted_certificate(sprayable)

    lines = compare_certificates(old, new)
    assert lines[0].startswith("admitted -> rejected (") and "hack_panel" in lines[0]
    assert any(line.startswith("hack_panel: 0 passed -> ") for line in lines)


def test_the_bootstrap_resamples_rows_not_probes():
    # Two rows, one all right and one all wrong: the mean of two drawn rows is 0, .5 or 1 in 1:2:1, so 95% is everything.
    assert interval({0: [1.0] * 50, 1: [0.0] * 50}, resamples=1000, seed=0) == (0.0, 1.0)
    assert interval({0: [1.0], 1: [1.0]}, resamples=1000, seed=0) == (1.0, 1.0)
    assert interval({}, resamples=1000, seed=0) is None


def test_calibration_is_strictly_rising_and_puts_the_medians_in_place():
    # floors at -2, oracles at 2: half a span (2) of room on either side
    found = fit_calibration([2.0, 2.0, 2.0], [-2.0, -2.0, -2.0], bounded=False)

    assert found.x == (-4.0, -2.0, 2.0, 4.0) and found.y == (0.0, 0.05, 0.95, 1.0)
    assert fit_calibration([0.8], [0.2], bounded=True).x == (0.0, 0.2, 0.8, 1.0)
    assert fit_calibration([0.2], [0.8], bounded=True) == Calibration()
    assert fit_calibration([], [0.8], bounded=True) == Calibration()


def test_an_unbounded_score_is_measured_on_its_own_range():
    scale = own_scale([-10.0, 0.0, 10.0])

    assert scale(0.0) == 0.5 and scale(-100.0) == 0.0 and scale(100.0) == 1.0
    assert own_scale([3.0, 3.0])(3.0) == 0.5


def test_a_reward_model_on_another_scale_is_admitted_with_a_calibration():
    class Logits(Planted):
        def __init__(self) -> None:
            super().__init__("logits", lambda sample: ok(12.0 * (overlap(sample).value or 0.0) - 7.0), "quality")
            self.spec = ToolSpec(kind="reward_model", name="logits", source="some/repo@sha", params={"role": "quality"})

    certificate = certify(Logits(), TASKS["translation"](), policy=POLICY, seed=0, reload=Logits)

    assert certificate.admitted, certificate.reasons
    # overlap 0 -> -7 (floor), overlap 1 -> 5 (oracle); half the span of 12 on either side
    assert certificate.calibration.x == (-13.0, -7.0, 5.0, 11.0)


def test_a_non_deterministic_tool_is_caught_by_repetition_alone():
    certificate = certify(Random(), number_task(), policy=POLICY, seed=0)

    assert "determinism" in failed_checks(certificate)


def test_the_contract_of_an_unknown_kind_is_never_proven_by_silence():
    """Every answer kind either has probes or says that it has none."""
    for kind in AnswerKind:
        rows = tuple(Example(id=str(i), prompt=({"role": "user", "content": f"Row {i}?"},)) for i in range(6))
        bare = TaskSpec(
            fingerprint="f1-bare", label="bare", contract=Contract(answer_kind=kind, has_reference=False), examples=rows
        )
        certificate = certify(
            Planted("one", lambda sample: ok(1.0)), bare, policy=POLICY, seed=0, bind=lambda _example: {}
        )
        assert not certificate.admitted
        assert certificate.reasons
