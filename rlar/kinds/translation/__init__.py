"""Answers that are translations.

In: a row's text and languages. Out: bindings and graded scores.
Leaves out: which language a text is in (rlar.text.language).
"""
