"""Explain: why a request is decided as it is, and what the table of routes is."""
