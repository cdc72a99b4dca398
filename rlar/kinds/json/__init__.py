"""Answers that are JSON.

In: a row's schema or reference. Out: a verdict on a completion, and probes.
Leaves out: finding the JSON in a text (rlar.text.answers).
"""
