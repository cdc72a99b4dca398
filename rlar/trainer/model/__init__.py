"""The policy as a network.

In: token batches. Out: logits, log-probabilities, samples' caches.
Leaves out: rewards and losses.
"""
