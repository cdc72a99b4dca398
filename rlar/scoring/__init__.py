"""The scoring runtime.

In: a registry's recipes and completions. Out: rewards with statuses; nothing hangs or breaks the caller.
Leaves out: which tools are admitted (rlar.gate).
"""
