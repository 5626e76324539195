"""Settings: their types, their schema, and loading them."""
