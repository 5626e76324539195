"""Oathkeeper's side: decode its question, map our outcome to a status and headers."""
