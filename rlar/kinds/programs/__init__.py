"""Answers that are programs: tests, stdin and stdout, reference programs.

In: rows with tests or a reference. Out: suites, verdicts from the sandbox, mutants and cheats as probes.
Leaves out: how code is isolated (rlar.sandbox).
"""
