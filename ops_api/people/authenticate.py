"""Who is asking: a bearer token, or a browser's signed session cookie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flask import Flask, Request
from sqlalchemy import Connection, select

from ops_api.errors import DeviceRevoked
from ops_api.masterdata.tables import LOCATIONS
from ops_api.people.roles import Grant, Principal
from ops_api.people.tables import GRANTS, PEOPLE, TOKENS


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
    found = connection.execute(
        select(TOKENS).where(TOKENS.c.token_sha256 == token_digest(token))
    ).first()
    if found is None or (found.expires_at is not None and found.expires_at <= now):
        return None
    if found.revoked_at is not None:
        raise DeviceRevoked("this token was withdrawn", remedy="register the device again")
    return load_principal(
        connection, found.person, device=found.device, bound_to=found.location or None
    )


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
    found = connection.execute(select(PEOPLE).where(PEOPLE.c.id == person)).first()
    if found is None or not found.is_active:
        return None
    if by_cookie and found.session_epoch != session_epoch:
        return None
    grants = tuple(
        Grant(row.role, _reach(connection, row.scope_kind, row.scope_value))
        for row in connection.execute(select(GRANTS).where(GRANTS.c.person == person))
    )
    return Principal(
        person=found.id,
        name=found.name,
        login=found.login,
        language=found.language,
        grants=grants,
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
