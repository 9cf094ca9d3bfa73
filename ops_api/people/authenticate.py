"""Who is asking: a bearer token, or a browser's signed session cookie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Request
from sqlalchemy import Connection, bindparam, select

from ops_api.errors import DeviceRevoked
from ops_api.masterdata.tables import LOCATIONS
from ops_api.people.roles import Grant, Principal
from ops_api.people.tables import GRANTS, PEOPLE, TOKENS

_PERSON = (
    PEOPLE.c.id,
    PEOPLE.c.name,
    PEOPLE.c.login,
    PEOPLE.c.language,
    PEOPLE.c.is_active,
    PEOPLE.c.session_epoch,
    GRANTS.c.role,
    GRANTS.c.scope_kind,
    GRANTS.c.scope_value,
)
_GRANTED = PEOPLE.outerjoin(GRANTS, GRANTS.c.person == PEOPLE.c.id)
# Each request asks anew, in one statement: a token that is withdrawn ends at once.
_BY_TOKEN = (
    select(TOKENS.c.device, TOKENS.c.location, TOKENS.c.expires_at, TOKENS.c.revoked_at, *_PERSON)
    .select_from(TOKENS.join(_GRANTED, PEOPLE.c.id == TOKENS.c.person))
    .where(TOKENS.c.token_sha256 == bindparam("sha256"))
)
_BY_ID = select(*_PERSON).select_from(_GRANTED).where(PEOPLE.c.id == bindparam("person"))


def token_digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def principal_of_request(
    connection: Connection, request: Request, session: Mapping[str, Any], now: int
) -> Principal | None:
    """The principal of a request, or None; a bearer token comes before a cookie."""
    header = request.headers.get("Authorization", "")
    if header:
        scheme, _, token = header.partition(" ")
        return principal_of_token(connection, token.strip(), now) if scheme == "Bearer" else None
    return principal_of_session(connection, session)


def principal_of_token(connection: Connection, token: str, now: int) -> Principal | None:
    """The principal of a bearer token; None where it is unknown or expired."""
    rows = connection.execute(_BY_TOKEN, {"sha256": token_digest(token)}).all()
    if not rows or (rows[0].expires_at is not None and rows[0].expires_at <= now):
        return None
    first = rows[0]
    if first.revoked_at is not None:
        raise DeviceRevoked("this token was withdrawn", remedy="register the device again")
    if not first.is_active:
        return None
    return _principal(connection, rows, device=first.device, bound_to=first.location or None)


def principal_of_session(connection: Connection, session: Mapping[str, Any]) -> Principal | None:
    """The principal of a session's content; None where it has ended."""
    person, session_epoch = session.get("person"), session.get("epoch")
    if not isinstance(person, str):
        return None
    return load_principal(connection, person, by_cookie=True, session_epoch=session_epoch)


def principal_of_cookie(app: Flask, value: str) -> Principal | None:
    """The principal of a raw session cookie, for pages that live beside Flask."""
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    try:
        content = serializer.loads(
            value, max_age=int(app.permanent_session_lifetime.total_seconds())
        )
    except Exception:  # noqa: BLE001  a forged cookie raises what it likes; it is nobody's
        return None
    engine = app.extensions["storetwin"].engine
    with engine.connect() as connection:
        return principal_of_session(connection, content)


def load_principal(
    connection: Connection,
    person: str,
    *,
    device: str = "",
    bound_to: str | None = None,
    by_cookie: bool = False,
    session_epoch: int | None = None,
) -> Principal | None:
    """A person with the reach of each grant; None where the person is not active."""
    rows = connection.execute(_BY_ID, {"person": person}).all()
    if not rows or not rows[0].is_active:
        return None
    if by_cookie and rows[0].session_epoch != session_epoch:
        return None
    return _principal(connection, rows, device=device, bound_to=bound_to, by_cookie=by_cookie)


def _principal(
    connection: Connection,
    rows: Sequence[Any],
    *,
    device: str = "",
    bound_to: str | None = None,
    by_cookie: bool = False,
) -> Principal:
    """The principal of rows of one person, one for each grant."""
    found = rows[0]
    return Principal(
        person=found.id,
        name=found.name,
        login=found.login,
        language=found.language,
        grants=tuple(
            Grant(row.role, _reach(connection, row.scope_kind, row.scope_value))
            for row in rows
            if row.role is not None
        ),
        device=device,
        bound_to=bound_to,
        by_cookie=by_cookie,
    )


def _reach(connection: Connection, kind: str, value: str) -> frozenset[str] | None:
    if kind == "all":
        return None
    if kind == "location":
        return frozenset({value})
    rows = connection.execute(select(LOCATIONS.c.id).where(LOCATIONS.c.region == value))
    return frozenset(row.id for row in rows)
