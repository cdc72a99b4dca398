"""What a person reads: tables, pages, charts.

In: plain data. Out: text, HTML and SVG that need no network.
Leaves out: computing any figure.
"""
