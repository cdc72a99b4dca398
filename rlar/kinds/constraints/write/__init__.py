"""Answers that keep or break stated constraints, as probes.

In: parsed constraints. Out: texts that keep all of them, and texts that break one.
Leaves out: judging an answer (rlar.kinds.constraints.check).
"""
