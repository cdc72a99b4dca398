"""`rlar check`: the gate, for a reward function that somebody already has.

In: a function and rows. Out: a Card: per task its certificate, what it lets through and refuses, and a library tool beside it.
Leaves out: calling the function (rlar.tools.own), what the probes are and what must hold (rlar.gate).
"""

from rlar.check.card import Card, TaskCard
from rlar.check.check import check_reward

__all__ = ["Card", "TaskCard", "check_reward"]
