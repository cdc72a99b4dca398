"""rlar inside other trainers: one small module a host.

In: what a host calls its reward with. Out: the same rewards, in the shape that the host wants.
Leaves out: importing the hosts, where their protocol can be met without.
"""
