"""SeRL: majority votes through the task's own equality, difficulty, and prompts that the policy writes."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from rlar.scoring.routes import RoutedSample
from rlar.trainer.advantage import within_difficulty
from rlar.trainer.config import TrainConfig
from rlar.trainer.record.metrics import read_metrics
from rlar.trainer.sources.self_instruction import NearDuplicates, questions_in
from rlar.trainer.sources.votes import Votes, majority, said_answer
from rlar.types import AnswerKind, Contract, Example, Message, Reward, TaskSpec
from tests.fakes.training_fakes import FakeScorer, run, same_bits, small_config, weights, write_rows
from tests.trainer.test_train import Killed, make_run

# ------------------------------------------------------------------------------------------ votes


def numbered(text: str) -> list[int | None]:
    return [None if letter == "-" else ord(letter) - ord("a") for letter in text]


def by_text(one, other):
    return False


@pytest.mark.parametrize("answers, expected", [
    ("aabc", [1, 1, 0, 0]), ("aaaa", [1, 1, 1, 1]), ("abcd", [1, 0, 0, 0]), ("a-b-b", [0, 0, 1, 0, 1]),
    ("bbaa", [1, 1, 0, 0]),  # as many supporters: the first
    ("----", [None] * 4),
])  # fmt: skip
def test_the_answer_with_most_supporters_wins(answers, expected):
    assert majority(numbered(answers), by_text) == expected


def test_votes_do_not_depend_on_the_order_of_those_that_vote():
    answers = numbered("aaabbcdd-e")
    for seed in range(20):
        order = random.Random(seed).sample(range(len(answers)), len(answers))
        rewards = majority([answers[place] for place in order], by_text)
        assert [rewards[order.index(place)] for place in range(len(answers))] == [1, 1, 1] + [0] * 7


def test_the_same_need_not_be_transitive():
    near = lambda one, other: abs(one - other) == 1  # noqa: E731
    assert majority([0, 1, 2], near) == [1, 1, 1]  # 0 ~ 1 ~ 2: the middle has three supporters
    assert majority([0, 1, 2, 3], near) == [1, 1, 1, 0]


def test_what_broke_is_no_verdict():
    broken = lambda one, other: None if {one, other} == {0, 1} else False  # noqa: E731
    assert majority([0, 0, 1, 2], broken) == [1, 1, None, 0]


def test_condorcet_figures_of_six_answers_and_sixteen_votes():
    """Right with probability p, else one of five wrong ones; drawn 20,000 times and counted otherwise.

    The right answer leads or shares the lead in .68 at p = .3, .975 at .5, .06 at .1; where it shares it, the first counts.
    """
    rng = random.Random(0)
    for p, expected in ((0.3, 0.596), (0.5, 0.959), (0.1, 0.036)):
        right = 0
        for _ in range(1500):
            votes = [0 if rng.random() < p else rng.randrange(1, 6) for _ in range(16)]
            rewards = majority(votes, by_text)
            right += votes[rewards.index(1.0)] == 0
        assert right / 1500 == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("completion, answer", [
    (r"We add. So \boxed{\frac{X}{Y}}.", r"\frac{X}{Y}"), ("4 + 8 = 12\nThe answer is 12", "12"), ("Paris", "Paris"),
    ("<think>7 or 9</think>The answer is 9", "9"), ("", None),
])  # fmt: skip
def test_the_answer_that_votes_is_the_one_that_a_verifier_reads(completion, answer):
    assert said_answer(completion) == answer


class Verifier(FakeScorer):
    """Task a has a verifier: the first number of a completion is that of the reference, whatever its leading zeros."""

    def __init__(self, covered="ab", breaks_on=()):
        super().__init__(covered)
        self.breaks_on = breaks_on
        self.pairs = []

    def tasks(self):
        contract = Contract(answer_kind=AnswerKind.NUMBER, has_reference=True)
        return [TaskSpec(fingerprint=f"f1-{name}", label=f"task {name}", contract=contract) for name in self.covered]

    def reward(self, sample):
        reference, fingerprint = sample.example.reference, f"f1-{sample.example.text[0]}"
        self.pairs.append((reference, sample.completion))
        found = [re.search(r"\d+", text or "") for text in (reference, sample.completion)]
        if any(match and match[0] in self.breaks_on for match in found):
            return Reward(reward=None, status="failed", fingerprint=fingerprint)
        if not all(found):
            return Reward(reward=0.0, status="ok", fingerprint=fingerprint)
        return Reward(reward=float(int(found[0][0]) == int(found[1][0])), status="ok", fingerprint=fingerprint)


def samples(prompt: str, completions, reference=None, columns=None):
    references = () if reference is None else (reference,)
    row = Example(id=prompt, prompt=(Message(role="user", content=prompt),), reference=reference, references=references,
                  columns=columns or {})  # fmt: skip
    return [RoutedSample(example=row, completion=text) for text in completions]


def votes_of(scorer, *groups):
    rewards = Votes(scorer).score([sample for group in groups for sample in group])
    return [(reward.reward, reward.status) for reward in rewards]


def test_the_verifier_of_the_task_says_which_answers_are_the_same_and_no_reference_is_read():
    scorer = Verifier()
    group = samples("a", ["12", "012", "13", "12", ""], reference="13", columns={"answer": "13", "topic": "sums"})
    assert votes_of(scorer, group) == [(1.0, "ok"), (1.0, "ok"), (0.0, "ok"), (1.0, "ok"), (0.0, "ok")]
    # of three different texts six ordered pairs; then the five for the log, whose verdicts pay nothing
    assert len(scorer.pairs) == 11 and {reference for reference, _text in scorer.pairs[:6]} == {"12", "012", "13"}
    assert [sample.example.columns for sample in scorer.asked[0]] == [{"topic": "sums"}] * 6


def test_a_task_without_a_verifier_votes_by_text_and_a_broken_verifier_is_no_difference():
    assert votes_of(Verifier(), samples("?", ["12", "12", "012"])) == [(1.0, "ok"), (1.0, "ok"), (0.0, "ok")]
    broken = votes_of(Verifier(breaks_on=("13",)), samples("a", ["12", "12", "13", "14"]))
    assert broken == [(1.0, "ok"), (1.0, "ok"), (None, "failed"), (0.0, "ok")]
    assert votes_of(Verifier(), samples("a", ["", " "])) == [(None, "abstain")] * 2


def test_groups_do_not_hear_of_each_other_and_one_completion_alone_is_an_evaluation():
    scorer = Verifier()
    rewards = votes_of(scorer, samples("a", ["1", "1", "2"]), samples("a2", ["2", "2", "1"]), samples("a3", ["7"], "7"))
    assert [value for value, _status in rewards] == [1, 1, 0, 1, 1, 0, 1]


def test_groups_that_are_too_easy_or_too_hard_teach_nothing(tmp_path: Path):
    rewards = torch.tensor(
        [[1.0] + [0.0] * 15, [1.0] * 4 + [0.0] * 12, [1.0] * 13 + [0.0] * 3, [1.0] * 16, [float("nan")] * 16]
    )
    # means 1/16, .25, .8125, 1, nothing
    assert within_difficulty(rewards, (0.2, 0.8)).tolist() == [False, True, False, False, True]
    assert (
        within_difficulty(rewards[:, :10].double(), (0.1, 1.0)).tolist()[0] and within_difficulty(rewards, None).all()
    )
    one = make_run(tmp_path, reward={"difficulty": [0.3, 0.8]}, eval_every=0)
    batch = one.collector.collect(one.data, 0)
    for place, value in enumerate([1, 0, 0, 0] + [1, 1, 0, 0] * 3):
        batch.rewards[place] = Reward(reward=float(value), status="ok")
    advantages_N_T, counted_N, _means = one.updater.advantages(batch)
    assert counted_N.tolist() == [False] * 4 + [True] * 12 and not advantages_N_T[:4].any() and advantages_N_T[4:].any()


def test_a_run_trains_on_votes_and_resumes_bit_for_bit(tmp_path: Path):
    values = {"reward": {"source": "vote"}, "eval_every": 0, "steps": 4, "resample_limit": 1}
    config = small_config(tmp_path, **values)
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}), Verifier())

    def kill(event):
        if event["event"] == "step" and event["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        run(config, Verifier(), emit=kill)
    resumed, _ = run(config, Verifier())
    assert same_bits(weights(whole), weights(resumed))
    rows = [row for row in read_metrics(tmp_path / "whole") if "loss" in row]
    assert all(0 < row["reward"] < 1 for row in rows)


# ------------------------------------------------------------------------------------------ prompts of the policy


def words(count: int, start: int = 0) -> str:
    return " ".join(f"w{number}" for number in range(start, start + count))


def test_near_duplicates_are_measured_by_rouge_l_and_found_through_shared_words():
    known = NearDuplicates()
    known.add(words(100))
    # 71 words in common order of 100 and 100: F = .71; of 69: .69; the same words the other way round: 1 in order
    assert known.likeness(words(71) + " " + words(29, 200), above=0.7) == pytest.approx(0.71)
    assert known.likeness(words(69) + " " + words(31, 200), above=0.7) == 0.0
    assert known.likeness(" ".join(reversed(words(100).split())), above=0.7) == 0.0
    assert known.likeness(words(100).upper(), above=0.7) == 1.0


def test_questions_are_read_as_written():
    text = "What is \\frac{X}{Y} of Bob's?\n10. And NaN?\n11) Third\n\n12. cut of"
    assert questions_in(text, finished=False) == ["What is \\frac{X}{Y} of Bob's?", "And NaN?", "Third"]
    assert questions_in(text, finished=True)[-1] == "cut of"
    assert questions_in("One\nThat was one question.\n2. no", finished=True) == ["One"]
    assert questions_in("", finished=True) == [] and questions_in("half", finished=False) == []


SELF = {"every": 2, "prompts": 6, "most_draws": 3, "share": 0.5, "shots": [2, 1], "instruction": "", "words": [1, 9],
        "max_new_tokens": 6, "max_similarity": 0.7, "temperature": 1.0, "top_p": 1.0, "banned": ["a1="]}  # fmt: skip


def self_instructed(tmp_path: Path, **more):
    dataset = (write_rows(tmp_path / "seeds.jsonl", [f"a{index}=" for index in range(8)]),)
    return small_config(tmp_path, dataset=dataset, reward={"source": "vote"}, self_instruction=SELF, eval_every=0,
                        steps=5, checkpoint_every=1, **more)  # fmt: skip


def test_the_policy_writes_prompts_from_seeds_and_trains_on_those_that_are_kept(tmp_path: Path):
    config, scorer = self_instructed(tmp_path), Verifier()
    run(config, scorer)
    lines = [json.loads(line) for line in (tmp_path / "run" / "prompts.jsonl").read_text().splitlines()]
    assert {line["step"] for line in lines} == {0, 2, 4}
    kept = {line["prompt"] for line in lines if not line["why"]}
    seeds = {f"a{index}=" for index in range(8)}
    assert kept and not kept & seeds and all(set(line["shown"]) <= seeds | kept for line in lines)
    assert all(sum(not line["why"] for line in lines if line["step"] == step) <= 6 for step in (0, 2, 4))


def test_a_killed_run_writes_the_same_prompts_again(tmp_path: Path):
    config = self_instructed(tmp_path)
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}), Verifier())
    for step in (1, 2, 3):

        def kill(event, step=step):
            if event["event"] == "step" and event["step"] == step:
                raise Killed

        with pytest.raises(Killed):
            run(config, Verifier(), emit=kill)
    torch.manual_seed(99)
    resumed, _ = run(config, Verifier())
    assert same_bits(weights(whole), weights(resumed))
    one, other = ((tmp_path / name / "prompts.jsonl").read_text() for name in ("whole", "run"))
    assert one == other


def test_written_prompts_need_a_vote():
    with pytest.raises(ValidationError, match="have no references"):
        TrainConfig.model_validate({"dataset": ["a.jsonl"], "self_instruction": {}})
