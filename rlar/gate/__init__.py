"""The admission gate: probes x tool -> Certificate, certificates -> Recipe (design sections 7 and 9)."""

from rlar.gate.compare import compare_certificates
from rlar.gate.elsewhere import OtherProcess
from rlar.gate.gate import certify, rejected_certificate
from rlar.gate.recipe import build_recipe, rank, why_uncovered

__all__ = [
    "OtherProcess",
    "build_recipe",
    "certify",
    "compare_certificates",
    "rank",
    "rejected_certificate",
    "why_uncovered",
]
