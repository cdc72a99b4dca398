"""What is being asked: rows, their contracts, fingerprints and the row router."""
