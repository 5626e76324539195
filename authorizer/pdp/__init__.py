"""The policy decision point: the port, and what stands behind it."""
