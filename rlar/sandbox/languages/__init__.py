"""Programs in other languages than Python: which toolchains this machine has, and a jail that builds and runs one program.

In: source text, inputs, limits. Out: results with a status, as for Python.
Leaves out: reading which language a text is in (rlar.kinds.programs).
"""
