"""What a tool is tried with before it may score anything (design section 7), made from the task's own rows."""

from rlar.gate.probes.make import LabelledPair, Probe, ProbeSet, make_probes, pairs_digest

__all__ = ["LabelledPair", "Probe", "ProbeSet", "make_probes", "pairs_digest"]
