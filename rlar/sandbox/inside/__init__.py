"""What runs inside the jail. Imports the standard library only, and is loaded by path, without the rest of rlar.

Foreign code may raise anything, so `except BaseException` is common here; everywhere else it is `errors.boundary`.
"""
