"""Lots: expiry, holds and recalls, the order of picking, and the trace of each lot."""
