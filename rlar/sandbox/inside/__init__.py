"""What runs inside the jail.

In: frames from the supervisor. Out: frames of plain data.
Leaves out: all of rlar but these files: they import the standard library only and are loaded by path.

Foreign code may raise anything, so `except BaseException` is common here; everywhere else it is `errors.boundary`.
"""
