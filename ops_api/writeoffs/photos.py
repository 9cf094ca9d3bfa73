"""Pictures of a document: JPEG, PNG or WebP, known by their first bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from sqlalchemy import Connection, func, insert, select

from ops_api.writeoffs.tables import PHOTOS
from policies.domain.errors import InvalidInput

_FORMS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"RIFF": "image/webp",
}


def attach(connection: Connection, document: str, text: str, *, at: int, actor: str) -> str:
    """Keep a picture given in Base64; returns its SHA-256. The same one twice is one.

    Raises
    ------
    InvalidInput
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("the picture is not Base64", field="content") from None
    kind = next((name for start, name in _FORMS.items() if content.startswith(start)), "")
    if not kind or (kind == "image/webp" and content[8:12] != b"WEBP"):
        raise InvalidInput(
            "this is no JPEG, PNG or WebP", field="content", remedy="take a picture with the phone"
        )
    sha = hashlib.sha256(content).hexdigest()
    p = PHOTOS.c
    known = connection.execute(select(p.sha256).where(p.document_id == document, p.sha256 == sha))
    if known.first() is None:
        connection.execute(
            insert(PHOTOS).values(
                document_id=document,
                sha256=sha,
                media_type=kind,
                content=content,
                recorded_at=at,
                actor=actor,
            )
        )
    return sha


def photo_count(connection: Connection, document: str) -> int:
    """Pictures of a document."""
    return int(
        connection.execute(
            select(func.count()).select_from(PHOTOS).where(PHOTOS.c.document_id == document)
        ).scalar_one()
    )


def photos_of(connection: Connection, document: str) -> list[dict[str, Any]]:
    """Pictures of a document with their content in Base64."""
    rows = connection.execute(
        select(PHOTOS).where(PHOTOS.c.document_id == document).order_by(PHOTOS.c.recorded_at)
    )
    return [
        {
            "sha256": row.sha256,
            "media_type": row.media_type,
            "actor": row.actor,
            "content": base64.b64encode(row.content).decode(),
        }
        for row in rows
    ]
