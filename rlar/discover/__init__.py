"""What is being asked: contracts, fingerprints and the row router.

In: Examples. Out: TaskSpecs, and the task of every row, new ones included.
Leaves out: what an answer of each kind looks like (rlar.kinds).
"""
