"""Webhooks: signed messages to other systems, out of the transactional outbox."""
