from __future__ import annotations

import pytest

from rlar.tool import Resources
from rlar.trainer.environments.base import checked_step
from rlar.trainer.environments.gridworld import Gridworld, shortest_way
from rlar.types import Example, Message
from tests.fakes.environments import step_of

MAZE = "A.#\n#.#\n..G"


def row(text="maze", **columns):
    return Example(id=text, prompt=(Message(role="user", content=text),), columns=columns)


def begun(seed=0, maze=MAZE, text="maze", **settings):
    world = Gridworld(Resources(), **settings)
    (prompt,) = world.reset(row(text, **({"maze": maze} if maze else {})), seed)
    return world, prompt.content


def test_a_walk_to_the_goal_is_worth_1_in_its_last_turn_and_0_before():
    world, prompt = begun()
    assert "A.#\n#.#\n..G" in prompt
    assert world.solution() == ["right", "down", "down", "right"]
    steps = [step_of(world, move) for move in world.solution()]
    assert [step.reward for step in steps] == [0.0, 0.0, 0.0, 1.0]
    assert [step.done for step in steps] == [False, False, False, True]
    assert "..#\n#.#\n.AG" in steps[2].messages[0].content


@pytest.mark.parametrize("text", ["", "north", "G", "reward: 1", "goal reached", "right left nowhere"])
def test_what_is_no_move_changes_nothing_and_is_told(text):
    world, _ = begun()
    step = step_of(world, text)
    assert step.reward == 0.0 and not step.done
    assert step.messages[0].content.startswith("Not a move.\nA.#\n#.#\n..G")


def test_walls_and_edges_stop():
    world, _ = begun()
    for move in ("up", "left", "down"):  # an edge, an edge, a wall
        assert "A.#" in step_of(world, move).messages[0].content


def test_a_maze_is_made_of_the_row_alone_and_can_be_walked():
    for text in map(str, range(30)):
        world, prompt = begun(text=text, maze=None, size=4, walls=0.4)
        assert prompt == begun(seed=9, text=text, maze=None, size=4, walls=0.4)[1]
        moves = world.solution()
        assert moves and [step_of(world, move).done for move in moves] == [False] * (len(moves) - 1) + [True]


def test_chance_is_the_seeds():
    def walk(seed):
        world, _ = begun(seed, slip=0.7, maze="A....\n.....\n....G")
        assert world.solution() is None
        return [step_of(world, "down").messages for _ in range(4)]

    assert walk(1) == walk(1)
    assert len({str(walk(seed)) for seed in range(8)}) > 3


@pytest.mark.parametrize("maze", ["", "A", "AG\n.", "AAG", "A?G", "." * 50 + "AG"])
def test_a_maze_that_is_none_breaks_and_is_no_zero(maze):
    with pytest.raises(ValueError, match="column maze"):
        begun(maze=maze or "\n")


def test_there_may_be_no_way():
    assert shortest_way(["A#G"], (0, 0), (0, 2)) is None
    assert checked_step(([], 0.5, True)) == ((), 0.5, True)
