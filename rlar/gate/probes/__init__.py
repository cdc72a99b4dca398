"""What a tool is tried with before it may score anything (design section 7), made from the task's own rows."""

from rlar.gate.probes.make import make_probes, pairs_digest

__all__ = ["make_probes", "pairs_digest"]
