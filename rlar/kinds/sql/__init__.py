"""Answers that are queries.

In: a row's schema and gold query. Out: made-up databases, verdicts by execution, mutants.
Leaves out: how code is isolated (rlar.sandbox).
"""
