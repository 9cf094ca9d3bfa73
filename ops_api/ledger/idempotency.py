"""One key, one effect: the first answer, a refusal included, is stored under its key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import STATUS, IdempotencyMismatch, ServiceError
from ops_api.ledger.schema import IDEMPOTENCY
from policies.domain.errors import StoretwinError

_NOT_STORED = frozenset({"BUSY", "RATE_LIMIT", "CLOCK_SKEW", "INTERNAL"})


class StoredRefusal(ServiceError):
    """A refusal as it was given the first time."""

    def __init__(self, stored: dict[str, Any]) -> None:
        super().__init__(
            stored["detail"],
            field=stored["field"],
            row=stored["row"],
            remedy=stored["remedy"],
            facts=stored["facts"],
        )
        # The code belongs to the refusal that was stored, not to this class.
        self.code = stored["code"]


@dataclass(frozen=True)
class Keyed:
    """Answer to a keyed write; `refusal` is set where it was refused."""

    status: int
    answer: dict[str, Any]
    replayed: bool
    refusal: StoretwinError | None = None


def digest(*parts: object) -> str:
    """SHA-256 of JSON values, independent of key order and white space."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def run_keyed(
    connection: Connection,
    key: str,
    body_sha256: str,
    *,
    actor: str,
    recorded_at: int,
    work: Callable[[], tuple[int, dict[str, Any]]],
) -> Keyed:
    """Do `work` once for `key`; a replay gets the first answer and has no effect."""
    found = connection.execute(select(IDEMPOTENCY).where(IDEMPOTENCY.c.key == key)).first()
    if found is not None:
        return _replay(found, body_sha256, actor)
    connection.execute(
        insert(IDEMPOTENCY).values(
            key=key, body_sha256=body_sha256, actor=actor, recorded_at=recorded_at, status=0
        )
    )
    nested = connection.begin_nested()
    refusal: StoretwinError | None = None
    try:
        status, answer = work()
        nested.commit()
        stored: dict[str, Any] = answer
    except StoretwinError as error:
        if error.code in _NOT_STORED or error.code not in STATUS:
            raise
        nested.rollback()
        refusal, status, answer = error, STATUS[error.code], {}
        stored = {
            "code": error.code,
            "detail": error.detail,
            "field": error.field,
            "row": error.row,
            "remedy": error.remedy,
            "facts": getattr(error, "facts", {}),
        }
    connection.execute(
        update(IDEMPOTENCY)
        .where(IDEMPOTENCY.c.key == key)
        .values(status=status, answer=json.dumps(stored, ensure_ascii=False, default=str))
    )
    return Keyed(status, answer, replayed=False, refusal=refusal)


def _replay(found: Any, body_sha256: str, actor: str) -> Keyed:
    if found.body_sha256 != body_sha256 or found.actor != actor:
        raise IdempotencyMismatch(
            "this key was used for something else",
            field="Idempotency-Key",
            row=found.key,
            remedy="use a new key for a new operation",
        )
    stored = json.loads(found.answer or "{}")
    if found.status >= 400:
        return Keyed(found.status, {}, replayed=True, refusal=StoredRefusal(stored))
    return Keyed(found.status, stored, replayed=True)
