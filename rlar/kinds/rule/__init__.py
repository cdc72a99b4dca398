"""Tasks whose prompts state one rule in the same words.

In: groups of prompts. Out: the wording, what fills it in, and probes from witnesses.
Leaves out: single constraints (rlar.kinds.constraints).
"""
