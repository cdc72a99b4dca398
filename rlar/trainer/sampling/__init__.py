"""Completions from the policy.

In: prompts. Out: tokens and where they stop.
Leaves out: what they are worth.
"""
