"""Where rlar meets other frameworks: each file is small, and imports its framework only when it is used."""
