"""Findings across rules, policies, access rules and identity schemas."""
