"""A remote authorizer for Ory Oathkeeper that asks a Cerbos PDP."""

__version__ = "0.1.0"
