"""Stand-ins that speak real protocols on loopback.

In: scripted answers. Out: a server that a build or a judge can be tried against, without a model or the internet.
Leaves out: what only rlar's own tests need.
"""
