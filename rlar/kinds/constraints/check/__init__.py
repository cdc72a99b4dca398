"""How each kind of constraint is checked.

In: a constraint and a response. Out: a Verdict: met, not met, or undecided and why.
Leaves out: finding constraints in a prompt (rlar.kinds.constraints.read).
"""

from rlar.kinds.constraints.check.checks import CHECKS, Keywords, check
from rlar.kinds.constraints.check.verdict import Verdict

__all__ = ["CHECKS", "Keywords", "Verdict", "check"]
