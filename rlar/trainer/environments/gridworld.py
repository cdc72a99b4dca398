"""gridworld: walk from A to G through a text maze, a move a turn. Rewards of its own."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from rlar.tool import Resources
from rlar.trainer.environments.base import Completion, Environment, Step
from rlar.types import Example, Message, digest

MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
RULES = "Walk from A to G. Answer with one word: up, down, left or right. # is a wall, . is free.\n{maze}\nYour move:"
LARGEST = 40
Place = tuple[int, int]


class Gridworld(Environment):
    """1 for the turn that reaches the goal, 0 for every other: an episode that runs out of turns has lost.

    A row may bring its maze in the column `maze` (lines of `#`, `.`, one A and one G); else one is made of its prompt.
    """

    reward = "environment"
    summary: ClassVar[str] = "walk through a text maze, a move a turn"

    def __init__(self, resources: Resources, *, size: int = 4, walls: float = 0.2, slip: float = 0.0) -> None:
        """
        Args:
            size: side of a maze that is made.
            walls: share of walls in it.
            slip: probability that a move goes a random way.
        """
        super().__init__(resources)
        if not 2 <= size <= LARGEST or not 0 <= walls < 0.5 or not 0 <= slip < 1:
            raise ValueError(f"size must be 2 to {LARGEST}, walls 0 to 0.5, slip 0 to 1")
        self.size, self.walls, self.slip = size, walls, slip

    def reset(self, row: Example, seed: int) -> Sequence[Message]:
        """The rules and the maze."""
        given = row.columns.get("maze")
        self.maze = _read(given) if isinstance(given, str) else _make(row.text, self.size, self.walls)
        self.at, self.goal = _find(self.maze, "A"), _find(self.maze, "G")
        self.chance = random.Random(seed)
        return [Message(role="user", content=RULES.format(maze=self._drawn()))]

    def step(self, completion: Completion) -> Step:
        """The maze after the move; one that is no move, or goes into a wall, changes nothing."""
        words = completion.lower().split()
        name = words[-1].strip(".!,") if words else ""
        if name not in MOVES:
            return Step([_user(f"Not a move.\n{self._drawn()}\nYour move:")], 0.0)
        if self.slip and self.chance.random() < self.slip:
            name = self.chance.choice(sorted(MOVES))
        place = (self.at[0] + MOVES[name][0], self.at[1] + MOVES[name][1])
        if _free(self.maze, place):
            self.at = place
        if self.at == self.goal:
            return Step((), 1.0, True)
        return Step([_user(f"{self._drawn()}\nYour move:")], 0.0)

    def solution(self) -> Sequence[str] | None:
        """The moves of a shortest way; None where steps may slip."""
        return None if self.slip else shortest_way(self.maze, self.at, self.goal)

    def _drawn(self) -> str:
        rows = [list(row.replace("A", ".")) for row in self.maze]
        rows[self.at[0]][self.at[1]] = "A"
        return "\n".join("".join(row) for row in rows)


def _user(text: str) -> Message:
    return Message(role="user", content=text)


def _find(maze: Sequence[str], mark: str) -> Place:
    return next((y, row.index(mark)) for y, row in enumerate(maze) if mark in row)


def _free(maze: Sequence[str], place: Place) -> bool:
    y, x = place
    return 0 <= y < len(maze) and 0 <= x < len(maze[y]) and maze[y][x] != "#"


def shortest_way(maze: Sequence[str], start: Place, goal: Place) -> list[str] | None:
    """The moves of a shortest way; None where there is none."""
    ways: dict[Place, list[str]] = {start: []}
    ahead = deque([start])
    while ahead and goal not in ways:
        y, x = ahead.popleft()
        for name, (dy, dx) in MOVES.items():
            place = (y + dy, x + dx)
            if place not in ways and _free(maze, place):
                ways[place] = [*ways[(y, x)], name]
                ahead.append(place)
    return ways.get(goal)


def _read(text: str) -> list[str]:
    maze = text.strip("\n").split("\n")
    whole = "".join(maze)
    shapes = len(maze) <= LARGEST and all(len(row) == len(maze[0]) <= LARGEST for row in maze)
    if not shapes or set(whole) - set("#.AG") or whole.count("A") != 1 or whole.count("G") != 1:
        raise ValueError(f"column maze: lines of equal length of # and ., at most {LARGEST}, with one A and one G")
    return maze


def _make(text: str, size: int, walls: float) -> list[str]:
    """A maze that can be walked, of the text alone."""
    chance = random.Random(digest(text))
    places = [(y, x) for y in range(size) for x in range(size)]
    while True:
        start, goal = chance.sample(places, 2)
        rows = [["#" if chance.random() < walls else "." for _ in range(size)] for _ in range(size)]
        rows[start[0]][start[1]], rows[goal[0]][goal[1]] = "A", "G"
        maze = ["".join(row) for row in rows]
        if shortest_way(maze, start, goal):
            return maze
