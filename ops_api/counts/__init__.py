"""Blind counts: a count is a baseline at its own time, never a set quantity."""
