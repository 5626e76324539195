"""Ory Kratos's identity schemas, and what they mean to those who write Cerbos policies."""
