"""People, their roles and scope; log-in by password, sessions and tokens."""
