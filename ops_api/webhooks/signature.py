"""Signatures of the Standard Webhooks specification (version 1, HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from policies.domain.errors import InvalidInput

PREFIX = "whsec_"
DERIVED = "derived:"


def new_nonce() -> str:
    """What the database keeps of a webhook's key: nothing without the service's own."""
    return DERIVED + secrets.token_hex(16)


def secret_of(kept: str, webhook: str, service_key: str) -> str:
    """The key of a webhook in the specification's form.

    It is derived from the service's key, which stands in the environment alone: who reads
    the database, or a backup of it, can sign nothing. A key kept as it is, from before
    this was so, is returned as it is.

    Parameters
    ----------
    kept : the column ``secret`` of the webhook
    service_key : the setting ``SECRET_KEY``
    """
    if not kept.startswith(DERIVED):
        return kept
    label = f"storetwin webhook\0{webhook}\0{kept}".encode()
    key = hmac.new(service_key.encode(), label, hashlib.sha256).digest()
    return PREFIX + base64.b64encode(key).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature`` of a message.

    Raises
    ------
    InvalidInput
        The secret is none.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("the secret is not Base64", field="secret") from None
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
