"""Long answers: text and summaries.

In: reference and completion. Out: graded scores and probes.
Leaves out: what only a model can judge.
"""
