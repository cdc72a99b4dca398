"""Files of rows.

In: JSONL and Parquet in the usual shapes. Out: Examples, and why a row cannot be used.
Leaves out: which task a row belongs to (rlar.discover).
"""
