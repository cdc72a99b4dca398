"""Groups are cut nowhere, and calls that wait neither crowd nor block one another."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from rlar.gate.duels import Duels, opponents
from rlar.gate.policy import load_policy
from rlar.gate.probes import make_probes
from rlar.process import Slots
from rlar.tool import group_indices, needs_whole_groups, pieces
from rlar.types import Sample, Score, ToolKind, ToolSpec, ok
from tests.fakes.probing_tasks import long_text_task

COMPARES = ToolSpec(kind=ToolKind.JUDGE, name="c", params={"whole_groups": True})
PLAIN = ToolSpec(kind=ToolKind.JUDGE, name="p")


def said(prompt: str, completion: str = "x", reference: str | None = None) -> Sample:
    return Sample(prompt=prompt, completion=completion, reference=reference)


def test_a_group_is_one_prompt_with_one_reference():
    batch = [said("a"), said("b"), said("a"), said("a", reference="r"), said("b")]
    assert group_indices(batch) == [[0, 2], [1, 4], [3]]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_no_piece_holds_a_part_of_a_group(size: int):
    batch = [said(prompt) for prompt in "abcabcaabbbbbbd"]
    cut = pieces(batch, size, whole_groups=True)
    assert sorted(index for piece in cut for index in piece) == list(range(len(batch)))
    for group in group_indices(batch):
        assert sum(bool(set(group) & set(piece)) for piece in cut) == 1


def test_tools_that_do_not_compare_are_cut_by_number():
    assert pieces([said("a")] * 5, 2, whole_groups=False) == [[0, 1], [2, 3], [4]]
    assert not needs_whole_groups(PLAIN) and needs_whole_groups(COMPARES)


def test_nothing_is_cut_into_nothing():
    assert pieces([], 3, whole_groups=True) == pieces([], 3, whole_groups=False) == []


def test_a_late_call_gives_its_place_to_the_next():
    stuck = threading.Event()
    slots = Slots(1)
    started = time.monotonic()
    jobs = [lambda: str(stuck.wait(30)), lambda: "two", lambda: str(1 / 0)]
    found = slots.run(jobs, seconds=0.2, on_error=lambda error: type(error).__name__, late=lambda: "late")
    assert found == ["late", "two", "ZeroDivisionError"] and time.monotonic() - started < 5
    stuck.set()
    # The late one gives no second place away when it ends after all.
    time.sleep(0.05)
    running = most = 0
    lock = threading.Lock()

    def job() -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return "done"

    assert slots.run([job] * 4, seconds=5, on_error=str, late=str) == ["done"] * 4 and most == 1


def test_two_batches_share_the_places():
    slots, running, most, lock = Slots(3), 0, 0, threading.Lock()

    def job() -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return 1

    def batch() -> None:
        assert sum(slots.run([job] * 8, seconds=5, on_error=lambda _error: 0, late=lambda: 0)) == 8

    threads = [threading.Thread(target=batch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 3


def test_every_probe_meets_what_shows_most_and_a_right_answer_never_meets_itself():
    probes = make_probes(long_text_task(), budget=load_policy().budget("model"), seed=0, role="quality").probes
    against = opponents(probes)
    rights = {probe.row: probe.sample for probe in probes if probe.check == "oracle" and probe.kind == probe.anchor}
    for probe in probes:
        foe = against[id(probe.sample)]
        assert foe.prompt == probe.sample.prompt
        if probe.check == "oracle":
            assert foe.completion != rights[probe.row].completion and foe.completion.strip()
        else:
            assert foe is rights[probe.row]


def test_duels_are_calls_of_two():
    sizes: list[int] = []

    class Counts:
        spec = COMPARES

        def score(self, samples: Sequence[Sample]) -> list[Score]:
            sizes.append(len(samples))
            return [ok(float(samples[0].completion == "better")) for _ in samples]

    better, worse, lone = said("a", "better"), said("a", "worse"), said("b", "worse")
    duels = Duels(Counts(), {id(better): worse, id(worse): better})
    assert [score.value for score in duels.score([better, worse, lone])] == [1.0, 0.0, 0.0]
    assert sorted(sizes) == [1, 2, 2]
