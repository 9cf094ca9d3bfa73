"""The shared vocabulary: network and axis, ledger, view, decision, facts, errors."""
