"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A property is not slower for being tried on a busy machine.
settings.register_profile("busy", deadline=None)
# For mutmut: few examples, and the same for every mutant.
settings.register_profile(
    "mutants", deadline=None, derandomize=True, max_examples=50, database=None
)
settings.load_profile("busy")
