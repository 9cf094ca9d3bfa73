"""Benchmarks of the running service, from outside over HTTP."""
