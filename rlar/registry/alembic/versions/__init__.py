"""One script a schema version: 0001, 0002, ...

In: a database of the version before. Out: one of its own version.
Leaves out: ways back; a published script never changes.
"""
