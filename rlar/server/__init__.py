"""Rewards over HTTP: `rlar serve`. Needs the extra rlar[serve].

In: requests in rlar's own form, or in that of a training host. Out: rewards, health, metrics.
Leaves out: scoring (rlar.scoring) and what hosts send and expect (rlar.scoring.hosts).
"""
