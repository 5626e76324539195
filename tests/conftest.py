"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A property is not slower for being tried on a busy machine.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
