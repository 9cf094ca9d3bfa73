"""The web layer: strict bodies, problem+json, and the registry of endpoints."""
