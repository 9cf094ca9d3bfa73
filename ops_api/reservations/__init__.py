"""Reservations: goods promised for a while, to a customer or a purpose."""
