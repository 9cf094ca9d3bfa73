"""People, grants, passwords, tokens."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import Connection, Engine, delete, insert, select, update

from ops_api.database import writing
from ops_api.errors import AlreadyExists, NotLoggedIn, UnknownDocument
from ops_api.ledger.write import record_audit
from ops_api.people.authenticate import token_digest
from ops_api.people.roles import ROLES
from ops_api.people.tables import GRANTS, PEOPLE, TOKENS
from policies.domain.errors import InvalidInput

_LEAST_PASSWORD = 10


@dataclass(frozen=True)
class GrantSpec:
    """A role over ``all``, a ``region`` or a ``location``."""

    role: str
    scope_kind: str = "all"
    scope_value: str = ""

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InvalidInput(
                f"no role {self.role!r}", field="role", remedy=f"one of {', '.join(ROLES)}"
            )
        if self.scope_kind not in {"all", "region", "location"}:
            raise InvalidInput(f"no scope {self.scope_kind!r}", field="scope_kind")
        if (self.scope_kind == "all") != (self.scope_value == ""):
            raise InvalidInput("scope and its value do not fit", field="scope_value")


def create_person(
    engine: Engine,
    person: str,
    *,
    name: str,
    login: str,
    password: str,
    grants: Sequence[GrantSpec],
    at: int = 0,
    language: str = "en",
    actor: str = "setup",
) -> None:
    """Add a person with grants, in a transaction of its own."""
    with writing(engine) as connection:
        add_person(
            connection,
            person,
            name=name,
            login=login,
            password=password,
            grants=grants,
            at=at,
            language=language,
            actor=actor,
        )


def add_person(
    connection: Connection,
    person: str,
    *,
    name: str,
    login: str,
    password: str,
    grants: Sequence[GrantSpec],
    at: int,
    language: str = "en",
    actor: str,
) -> None:
    """Add a person with grants."""
    if len(password) < _LEAST_PASSWORD:
        raise InvalidInput(
            f"the password has fewer than {_LEAST_PASSWORD} characters",
            field="password",
            remedy="choose a longer one",
        )
    taken = select(PEOPLE.c.id).where((PEOPLE.c.id == person) | (PEOPLE.c.login == login))
    if connection.execute(taken).first() is not None:
        raise AlreadyExists(
            f"{person!r} or the log-in {login!r} is taken", field="login", row=login
        )
    connection.execute(
        insert(PEOPLE).values(
            id=person,
            name=name,
            login=login,
            password_hash=PasswordHasher().hash(password),
            language=language,
            is_active=True,
            session_epoch=1,
            recorded_at=at,
        )
    )
    _insert_grants(connection, person, grants)
    record_audit(connection, "person.create", recorded_at=at, actor=actor, subject=person)


def replace_grants(
    connection: Connection, person: str, grants: Sequence[GrantSpec], *, at: int, actor: str
) -> None:
    """Give a person exactly these grants."""
    require_person(connection, person)
    connection.execute(delete(GRANTS).where(GRANTS.c.person == person))
    _insert_grants(connection, person, grants)
    record_audit(
        connection,
        "person.grants",
        recorded_at=at,
        actor=actor,
        subject=person,
        detail={"grants": [[g.role, g.scope_kind, g.scope_value] for g in grants]},
    )


def deactivate(connection: Connection, person: str, *, at: int, actor: str) -> None:
    """End a person's access: sessions and tokens at once."""
    require_person(connection, person)
    connection.execute(
        update(PEOPLE)
        .where(PEOPLE.c.id == person)
        .values(is_active=False, session_epoch=PEOPLE.c.session_epoch + 1)
    )
    connection.execute(
        update(TOKENS)
        .where(TOKENS.c.person == person, TOKENS.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    record_audit(connection, "person.deactivate", recorded_at=at, actor=actor, subject=person)


def check_password(connection: Connection, login: str, password: str) -> Any:
    """The person of a log-in; raises :class:`NotLoggedIn` and says no more than that."""
    found = connection.execute(select(PEOPLE).where(PEOPLE.c.login == login)).first()
    hasher = PasswordHasher()
    # An unknown log-in costs the same time as a wrong password.
    stored = found.password_hash if found is not None else _DECOY
    try:
        hasher.verify(stored, password)
    except (Argon2Error, InvalidHashError):
        found = None
    if found is None or not found.is_active:
        raise NotLoggedIn(
            "log-in and password do not fit", field="login", remedy="check both and try again"
        )
    return found


_DECOY = (
    "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$"
    "2Yz6FiPLrU9dJx2ZIzcPdY9dXcNQDDQDX6J8jKb1Pzg"
)


def issue_token(
    engine: Engine,
    person: str,
    *,
    device: str,
    location: str = "",
    at: int = 0,
    expires_at: int | None = None,
    actor: str = "setup",
) -> str:
    """A bearer token for a device or an integration; shown once, stored as a hash."""
    with writing(engine) as connection:
        return add_token(
            connection,
            person,
            device=device,
            location=location,
            at=at,
            expires_at=expires_at,
            actor=actor,
        )[0]


def add_token(
    connection: Connection,
    person: str,
    *,
    device: str,
    location: str,
    at: int,
    expires_at: int | None,
    actor: str,
) -> tuple[str, str]:
    """(token, its id) for a device, inside a transaction."""
    require_person(connection, person)
    token = "st_" + secrets.token_urlsafe(32)
    identity = "DEV-" + secrets.token_hex(6)
    connection.execute(
        insert(TOKENS).values(
            token_sha256=token_digest(token),
            id=identity,
            person=person,
            device=device,
            location=location,
            created_at=at,
            expires_at=expires_at,
            revoked_at=None,
            clock_offset_s=0,
        )
    )
    record_audit(
        connection,
        "device.register",
        recorded_at=at,
        actor=actor,
        location=location,
        subject=identity,
        detail={"person": person, "device": device},
    )
    return token, identity


def revoke_token(connection: Connection, identity: str, *, at: int, actor: str) -> None:
    """Withdraw a device's token."""
    changed = connection.execute(
        update(TOKENS)
        .where(TOKENS.c.id == identity, TOKENS.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    if changed.rowcount == 0:
        raise UnknownDocument(f"no active device {identity[:64]!r}", field="id", row=identity[:64])
    record_audit(connection, "device.revoke", recorded_at=at, actor=actor, subject=identity)


def _insert_grants(connection: Connection, person: str, grants: Sequence[GrantSpec]) -> None:
    rows = [
        {"person": person, "role": g.role, "scope_kind": g.scope_kind, "scope_value": g.scope_value}
        for g in dict.fromkeys(grants)
    ]
    if rows:
        connection.execute(insert(GRANTS), rows)


def require_person(connection: Connection, person: str) -> Any:
    """Row of a person; raises :class:`UnknownDocument`."""
    found = connection.execute(select(PEOPLE).where(PEOPLE.c.id == person)).first()
    if found is None:
        raise UnknownDocument(
            f"no person {person[:64]!r}", field="person", row=person[:64], remedy="check the id"
        )
    return found
