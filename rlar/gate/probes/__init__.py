"""What a tool is tried with before it may score anything.

In: a task's own rows, or labelled pairs. Out: a ProbeSet: completions with what a good tool makes of them.
Leaves out: the material of each kind of answer (rlar.kinds) and the verdict (rlar.gate.checks).
"""

from rlar.gate.probes.make import make_probes, pairs_digest

__all__ = ["make_probes", "pairs_digest"]
