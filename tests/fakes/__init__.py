"""Stand-ins and rows that more than one test uses; imported by full name."""
