"""Findings across rules, policies, access rules and identity schemas.

The command gathers its inputs into a `Chain` (gather.py); every check (checks/) reads that chain
and yields findings; a report (report/) shows them. `serve` and this package share one compiler.
"""
