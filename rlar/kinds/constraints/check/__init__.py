"""How each kind of constraint is checked, and how responses that meet or break it are made."""

from rlar.kinds.constraints.check.checks import CHECKS, check
from rlar.kinds.constraints.check.verdict import Verdict

__all__ = ["CHECKS", "Verdict", "check"]
