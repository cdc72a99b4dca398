"""`python -m rlar.cli` is the `rlar` command."""

from rlar.cli import main

main()
