"""Is the service alive, ready, and its ledger sound."""
