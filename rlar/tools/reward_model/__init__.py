"""Tools that are reward models.

In: a pinned model and samples. Out: raw scores.
Leaves out: finding models (rlar.agent.hub.source).
"""
