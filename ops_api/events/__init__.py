"""A phone's outbox: what happened while it was offline."""
