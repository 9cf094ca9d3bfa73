"""The ledger as events of EPCIS 2.0, for systems of other companies."""
