"""The registry's migrations.

In: a database of an older schema. Out: the same content under the current one.
Leaves out: when to migrate (rlar.registry.migrations).
"""
