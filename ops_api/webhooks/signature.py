"""Signatures of the Standard Webhooks specification (version 1, HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from policies.domain.errors import InvalidInput

PREFIX = "whsec_"


def new_secret() -> str:
    """A key of 32 random bytes in the specification's form."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


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
