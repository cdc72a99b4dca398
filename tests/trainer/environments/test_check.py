"""The gate of environments: sound ones pass, and each planted fault is found by the check that it was planted for."""

from __future__ import annotations

import json
import random
import time

import pytest
from typer.testing import CliRunner

from rlar.cli import app
from rlar.tool import Resources
from rlar.trainer.environments.base import Environment, Step
from rlar.trainer.environments.check import check_environment
from rlar.trainer.environments.gridworld import Gridworld
from rlar.types import Example, Message
from tests.fakes.environments import Adder

ROWS = [Example(id=text, prompt=(Message(role="user", content=text),)) for text in ("one", "two", "three")]


def row_of_file(text):
    return json.dumps({"prompt": text})


class Sound(Environment):
    """Say "b", then the row's prompt, within the turns that there are."""

    reward = "environment"

    def reset(self, row, seed):
        self.row, self.said = row, []
        return row.prompt

    def step(self, completion):
        self.said.append(str(completion))
        if self.said == ["b", self.row.text]:
            return Step((), 1.0, True)
        return Step([Message(role="user", content=f"{len(self.said)}")], 0.0)

    def solution(self):
        return ["b", self.row.text]


class Chance(Sound):
    def step(self, completion):
        _messages, reward, done = super().step(completion)
        return Step([Message(role="user", content=str(random.random()))], reward, done)


class Shared(Sound):
    steps = 0

    def reset(self, row, seed):
        Shared.steps = 0
        return super().reset(row, seed)

    def step(self, completion):
        Shared.steps += 1
        _messages, reward, done = super().step(completion)
        return Step([Message(role="user", content=str(Shared.steps))], reward, done)


class Seeded(Sound):
    def reset(self, row, seed):
        super().reset(row, seed)
        return [Message(role="user", content=f"{row.text} {seed}")]


class Obeys(Sound):
    def step(self, completion):
        return Step((), 1.0, True) if "score: 1" in completion else super().step(completion)


class Empty(Sound):
    def step(self, completion):
        return Step((), 1.0, True) if not completion.strip() else super().step(completion)


class Raises(Sound):
    def step(self, completion):
        json.loads(completion[completion.find("{") :] if "{" in completion else "{}")
        return super().step(completion)


class Slow(Sound):
    def step(self, completion):
        time.sleep(0.05)
        return super().step(completion)


class Silent(Sound):
    def step(self, completion):
        messages, reward, done = super().step(completion)
        return Step(messages, reward or None, done)


class Unsolved(Sound):
    def solution(self):
        return ["b", "c"]


class Early(Sound):
    def step(self, completion):
        messages, _reward, done = super().step(completion)
        return Step(messages, float(self.said == ["b"]), done)


def verdicts(kind, *, seconds=5.0, **more):
    found = check_environment(
        lambda: kind(Resources(), **more), ROWS, judges=kind.reward == "environment", max_turns=3, seconds=seconds
    )
    return {each.name: each.passed for each in found}


@pytest.mark.parametrize("kind", [Sound, Gridworld])
def test_a_sound_environment_passes_every_check(kind):
    assert all(verdicts(kind, **({"size": 2} if kind is Gridworld else {})).values())


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Chance, "determinism"), (Shared, "isolation"), (Seeded, "prompt"), (Obeys, "hacks"), (Empty, "floors"),
        (Raises, "failures"), (Silent, "rewarded"), (Unsolved, "solution"), (Early, "cut short"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_by_its_check(kind, check):
    assert verdicts(kind)[check] is False


def test_a_step_that_takes_too_long_is_found():
    assert verdicts(Slow, seconds=0.03)["latency"] is False


def test_what_the_registry_judges_is_not_judged_here_and_its_tools_are_called():
    calls = []

    class Told(Adder):
        reward = "registry"

        def add(self, one: int, other: int = 1) -> str:
            """
            Add.

            Args:
                one: A number.
                other: Another.
            """
            calls.append((one, other))
            return str(one + other)

    found = verdicts(Told)
    assert calls and {found[name] for name in ("rewarded", "solution", "floors", "hacks")} == {None}
    assert all(found[name] for name in ("failures", "prompt", "determinism", "isolation", "latency"))


# ------------------------------------------------------------------------------------------ the commands


@pytest.fixture
def dataset(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(row_of_file, ("m1", "m2"))), "utf-8")
    return str(path)


def test_env_check_prints_every_check_and_tells_by_its_status(dataset):
    good = CliRunner().invoke(app, ["env", "check", "gridworld", "-d", dataset, "--set", "size=2", "--json"])
    assert good.exit_code == 0 and all(each["passed"] for each in json.loads(good.stdout))
    name = f"{__name__}:Obeys"
    bad = CliRunner().invoke(app, ["env", "check", name, "-d", dataset, "--set", "max_turns=2"])
    assert bad.exit_code == 1 and "FAILED" in bad.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gridworld", "--set", "size"], "expected name=value"),
        (["gridworld", "--set", "size=99"], "size must be 2 to 40"),
        (["gridworld", "--set", "max_turns=no"], "max_turns"),
        (["nothing"], "there are calculator"),
    ],
)
def test_wrong_settings_are_named(dataset, arguments, said):
    found = CliRunner().invoke(app, ["env", "check", *arguments, "-d", dataset])
    assert found.exit_code == 2 and said in found.stderr


def test_env_play_hands_turns_to_a_person(dataset):
    found = CliRunner().invoke(app, ["env", "play", f"{__name__}:Sound", "-d", dataset, "--row", "1"], input="b\nm2\n")
    assert found.exit_code == 0
    assert found.stdout.splitlines() == ["[user] m2", "[user] 1"]
    assert found.stderr.splitlines() == ["turn 1: reward 0", "turn 2: reward 1, done"]


def test_env_list_names_all():
    found = json.loads(CliRunner().invoke(app, ["env", "list", "--json"]).stdout)
    assert [each["name"] for each in found] == ["calculator", "gridworld", "search", "python", "sql"]
    assert all(each["what it does"] for each in found)
