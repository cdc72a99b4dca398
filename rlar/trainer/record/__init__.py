"""What a run writes down.

In: batches and updates. Out: metrics, checkpoints, audits, the page of a run.
Leaves out: changing the policy.
"""
