"""Settings of every test."""

from __future__ import annotations

from hypothesis import settings

# A first call compiles; how long a test takes is never what it tests.
settings.register_profile("storetwin", deadline=None)
settings.load_profile("storetwin")
