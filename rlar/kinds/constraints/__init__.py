"""Prompts that state rules for their answer.

In: a prompt. Out: the constraints in it, checks of them, answers that keep or break them.
Leaves out: rules of whole tasks (rlar.kinds.rule).
"""
