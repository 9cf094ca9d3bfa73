"""What a scanned code is, and what can be done with it."""
