"""An answer of which a person sees nothing is no answer: whatever it is made of, whoever judges it."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlar import load
from rlar.kinds import LIBRARY, candidates, library_class
from rlar.kinds.bind import bind
from rlar.registry.registry import Registry, RowRecord
from rlar.scoring.scorer import RoutedSample
from rlar.text.answers import clean
from rlar.tool import LibraryTool, Resources, score_checked
from rlar.tools.library import library_spec
from rlar.types import Calibration, Certificate, Recipe, Sample, Score, TaskSpec, ToolKind, ToolSpec, ok
from tests.fakes.examples import examples
from tests.fakes.probing_tasks import TASKS

FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0\u180b\ufe0f\U000e0100\u2800\U00016fe4\U0001d159\ufff0\ufffe"
NOTHING = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cc", "Zs", "Zl", "Zp", "Cs")
    or (unicodedata.category(chr(code)) == "Cf" and "NUMBER" not in unicodedata.name(chr(code), "ARABIC NUMBER SIGN")
        and unicodedata.bidirectional(chr(code)) == "BN")
] + list(FILLERS)  # fmt: skip
invisible = st.lists(st.sampled_from(NOTHING), max_size=40).map("".join)
"""Texts that are drawn as nothing."""
after_thoughts = st.builds("<think>{}</think>{}".format, st.sampled_from(["", "so: 4"]), invisible)
"""... also where only a reasoning block, which is no answer, can be seen."""


def rows() -> Iterator[tuple[str, LibraryTool, Sample]]:
    """A sample for each library tool and row of the tasks that it claims."""
    for name, make in TASKS.items():
        task: TaskSpec = make()
        for tool in candidates(task.contract.answer_kind):
            for example in task.examples[:8]:
                sample = Sample(
                    prompt=example.text, completion="", reference=example.reference, references=example.references,
                    binding=bind(example, task.contract),
                )  # fmt: skip
                yield f"{tool} on {name}", library_class(tool)(library_spec(tool), Resources()), sample


ROWS = list(rows())
FEW = settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))


def test_every_library_tool_is_tried():
    assert {tool.name for _, tool, _ in ROWS} == set(LIBRARY)


@FEW
@given(completion=invisible | after_thoughts, place=st.sampled_from(range(len(ROWS))))
def test_no_tool_gives_anything_for_what_cannot_be_seen(completion: str, place: int):
    name, tool, row = ROWS[place]
    sample = Sample.model_validate({**row.model_dump(), "completion": completion})
    for score in (*tool.score([sample]), *score_checked(tool, [sample])):
        assert score.status == "ok" and score.value == 0.0, (name, score)


def test_every_tool_and_row_once():
    for name, tool, row in ROWS:
        for completion in ("", "\x00", "\u200b", "\u2800", "\u3164", "\u202e", " \n", "<think>4</think>\u3164"):
            (score,) = tool.score([Sample.model_validate({**row.model_dump(), "completion": completion})])
            assert score.status == "ok" and score.value == 0.0, (name, completion, score)


def test_a_prompt_that_only_forbids_is_not_met_by_silence_through_the_scorer(tmp_path: Path):
    task: TaskSpec = TASKS["constraints"]()
    tool = library_spec("constraints")
    # The calibration lifts even a raw 0.0: a completion that cannot be seen is worth nothing all the same.
    certificate = Certificate(tool_id=tool.id, fingerprint=task.fingerprint, admitted=True, role="verifier", checks=(),
                              created_at="2026-01-01", calibration=Calibration(x=(0.0, 1.0), y=(0.3, 1.0)))  # fmt: skip
    with Registry.open(tmp_path / "registry.db", create=True) as registry:
        recipe = Recipe(fingerprint=task.fingerprint, qualities=((tool.id, 1.0),))
        registry.put_outcome(task, tools=[tool], certificates=[certificate], recipe=recipe)
        registry.put_rows(
            [
                RowRecord(row.key, row.prompt_key, task.fingerprint, 0.9, bind(row, task.contract))
                for row in task.examples
            ]
        )
    completions = ["\x00", "\u200b\u200d", "\u202e", "\u3164", "\u2800", "", "a harbour town"]
    with load(str(tmp_path / "registry.db"), workers=0) as scorer:
        found = scorer.score([RoutedSample(example=task.examples[0], completion=text) for text in completions])
    assert [(reward.status, reward.reward) for reward in found] == [("ok", 0.0)] * 6 + [("ok", 1.0)]


class Forbids:
    """A verifier somebody wrote: right unless there is a comma."""

    spec = ToolSpec(kind=ToolKind.GENERATED, name="forbids", source="", code_hash="0" * 16)

    def score(self, samples: list[Sample]) -> list[Score]:
        return [ok(0.0 if "," in sample.completion else 1.0) for sample in samples]


@FEW
@given(completion=invisible)
def test_tools_that_others_wrote_cannot_be_pleased_by_silence(completion: str):
    assert [
        score.value for score in score_checked(Forbids(), [Sample(prompt="No commas.", completion=completion)])
    ] == [0.0]


SEEN = [
    "👨\u200d👩\u200d👧",
    "❤\ufe0f",
    "می\u200cخواهم",
    "क्\u200dष",
    "שלום \u200fעולם",
    "\u202bمرحبا\u202c",
    "한\u3164글",
]


@pytest.mark.parametrize("text", SEEN)
def test_joiners_and_directions_in_visible_answers_reach_the_tools_untouched(text: str):
    assert Sample(prompt="x", completion=text).completion == text
    assert clean(text).strip()
    assert score_checked(Forbids(), [Sample(prompt="No commas.", completion=text)])[0].value == 1.0
