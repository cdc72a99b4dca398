"""The admission gate.

In: a task, a tool and a policy. Out: a Certificate with every check, and recipes of the tools that passed.
Leaves out: making tools (rlar.agent) and serving them (rlar.scoring).
"""

from rlar.gate.compare import compare_certificates
from rlar.gate.elsewhere import OtherProcess
from rlar.gate.gate import certify, certify_spec, rejected_certificate
from rlar.gate.recipe import build_recipe, rank, why_uncovered

__all__ = [
    "OtherProcess",
    "build_recipe",
    "certify",
    "certify_spec",
    "compare_certificates",
    "rank",
    "rejected_certificate",
    "why_uncovered",
]
