"""What is known of a person, and how it is forgotten while the ledger stays whole."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from ops_api.clock import iso
from ops_api.errors import StateInvalid
from ops_api.ledger.schema import AUDIT
from ops_api.ledger.write import record_audit
from ops_api.people.service import require_person
from ops_api.people.tables import GRANTS, PEOPLE, TOKENS

ERASED = "erased"
"""Name of a person who was forgotten; no password has it as a hash."""
_ACTS = 1_000


def data_of(connection: Connection, person: str) -> dict[str, Any]:
    """Everything that is kept of a person but the password's hash and tokens.

    Acts are their rows of the audit trail, the newest first; `acts_recorded` says how many
    there are in all.
    """
    row = require_person(connection, person)
    grants = connection.execute(
        select(GRANTS.c.role, GRANTS.c.scope_kind, GRANTS.c.scope_value).where(
            GRANTS.c.person == person
        )
    )
    t, a = TOKENS.c, AUDIT.c
    devices = connection.execute(
        select(t.id, t.device, t.location, t.created_at, t.expires_at, t.revoked_at).where(
            t.person == person
        )
    )
    acts = connection.execute(
        select(a.recorded_at, a.action, a.location, a.subject, a.device)
        .where(a.actor == person)
        .order_by(a.seq.desc())
        .limit(_ACTS)
    )
    counted = connection.execute(
        select(func.count()).select_from(AUDIT).where(a.actor == person)
    ).scalar()
    return {
        "id": row.id,
        "name": row.name,
        "login": row.login,
        "language": row.language,
        "is_active": row.is_active,
        "recorded_at": iso(row.recorded_at),
        "grants": [dict(each._mapping) for each in grants],
        "devices": [dict(each._mapping) for each in devices],
        "acts": [dict(act._mapping) | {"recorded_at": iso(act.recorded_at)} for act in acts],
        "acts_recorded": int(counted or 0),
    }


def erase(connection: Connection, person: str, *, at: int, actor: str) -> None:
    """Forget who a person was.

    Their id stays in the ledger and the audit trail, whose hashes stand on it: from here on
    it is a pseudonym that nothing resolves.

    Raises
    ------
    StateInvalid
        The person still has access.
    """
    row = require_person(connection, person)
    if row.is_active:
        raise StateInvalid(
            f"{person[:64]!r} still has access",
            field="is_active",
            row=person[:64],
            remedy="deactivate the person first",
            facts={"document": person[:64], "state": "active"},
        )
    connection.execute(
        update(PEOPLE)
        .where(PEOPLE.c.id == person)
        .values(
            name=ERASED,
            login=f"{ERASED}-{person}"[:64],
            password_hash=ERASED,
            session_epoch=PEOPLE.c.session_epoch + 1,
        )
    )
    connection.execute(delete(GRANTS).where(GRANTS.c.person == person))
    connection.execute(delete(TOKENS).where(TOKENS.c.person == person))
    record_audit(connection, "person.erase", recorded_at=at, actor=actor, subject=person)
