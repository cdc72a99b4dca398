"""Rewards to updates: rollouts, advantages, losses and the loop around them.

In: a registry, rows, a policy. Out: a trained policy and the record of its run.
Leaves out: importing torch in this file, so that `rlar --help` stays quick.
"""
