"""Answers that are formulas.

In: reference and completion. Out: whether they are equal, decided in a helper process.
Leaves out: plain numbers (rlar.kinds.number).
"""
