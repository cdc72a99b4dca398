"""Measures: baselines and bounds, mutants of tools, simulated tools, reports.

In: labelled sets and registries. Out: figures with their intervals, and what they were measured on.
Leaves out: changing anything; training never imports it.
"""
