"""What can go wrong with the chain itself."""

from __future__ import annotations


class ChainError(Exception):
    """The chain did not come up, or a part of it did not do what it was asked; says which."""
