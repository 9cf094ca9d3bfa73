"""Transfers between locations: propose, approve, pick, ship, receive, close."""
