"""YAML with positions: file, line and column for every value and every error."""
