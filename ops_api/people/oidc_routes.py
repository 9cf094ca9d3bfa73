"""Addresses of the log-in by the chain's own identity provider."""

from __future__ import annotations

import re
from typing import Annotated, Any

from flask import current_app, session
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, insert, select

from ops_api.database import write_with_retry
from ops_api.errors import NotLoggedIn, UnknownPath
from ops_api.ledger.write import record_audit
from ops_api.people.oidc import Identity, Provider, person_id
from ops_api.people.roles import PUBLIC
from ops_api.people.tables import GRANTS, PEOPLE
from ops_api.web.body import Strict
from ops_api.web.registry import Answer, Call, Chain, Endpoint, Registry
from ops_api.web.schemas import JsonObject

EXTENSION = "storetwin_oidc"
_PATH = re.compile(r"/(?!/)[\w./-]{0,200}", re.ASCII)
_NO_HASH = "none"
_Text = Annotated[str, Field(max_length=4_000)]


class Begin(Strict):
    """The page of ours that is opened after the log-in."""

    next: Annotated[str, Field(max_length=200)] = "/"


class Back(BaseModel):
    """What the provider sends the browser back with; it may send more."""

    model_config = ConfigDict(extra="ignore")

    state: _Text = ""
    code: _Text = ""
    iss: _Text = ""
    error: _Text = ""


def register(registry: Registry) -> None:
    """Add the endpoints; where no provider is set up they answer 404."""
    for name, path, handler, query in (
        ("oidc_begin", "/session/oidc", begin, Begin),
        ("oidc_finish", "/session/oidc:finish", finish, Back),
        ("oidc_end", "/session/oidc:end", end, None),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission=PUBLIC,
                scope=Chain(),
                handler=handler,
                statuses=(302, 401, 403, 404),
                answer=JsonObject,
                query=query,
                limit="log_in_limit",
            )
        )


def begin(call: Call) -> Answer:
    """Send the browser to the identity provider."""
    address, kept = _provider().begin(call.now)
    path = call.query.next
    kept["next"] = path if _PATH.fullmatch(path) else "/"
    return _redirect(address, dict(session) | {"oidc": kept})


def finish(call: Call) -> Answer:
    """Open a session for whom the identity provider vouches."""
    provider, query = _provider(), call.query
    kept = session.pop("oidc", None)
    if query.error:
        raise NotLoggedIn("the provider refused", field="error", remedy="ask the management")
    found = provider.finish(kept, query.state, query.code, query.iss, call.now)
    # The network was asked before: nobody waits for the lock meanwhile.
    person, epoch, has_rights = write_with_retry(
        call.connection.engine, lambda connection: _person(connection, found, call)
    )
    target = kept["next"] if has_rights else "/refused"
    return _redirect(target, {"person": person, "epoch": epoch, "by": "oidc"})


def end(call: Call) -> Answer:
    """End the session here and, where it has an address for it, at the provider."""
    target = _provider().end_address(call.now) or "/login"
    return Answer({"location": target}, 302, ends_session=True, location=target)


def _person(connection: Connection, found: Identity, call: Call) -> tuple[str, int, bool]:
    """(id, session epoch, whether there are grants) of the person with the claim as log-in."""
    settings = call.settings
    row: Any = connection.execute(select(PEOPLE).where(PEOPLE.c.login == found.claim)).first()
    if row is None and settings.oidc_provision:
        name = person_id(settings.oidc_issuer, found.subject)
        if connection.execute(select(PEOPLE.c.id).where(PEOPLE.c.id == name)).first() is None:
            connection.execute(
                insert(PEOPLE).values(
                    id=name,
                    name=found.name,
                    login=found.claim,
                    # No password has this hash.
                    password_hash=_NO_HASH,
                    language="zh",
                    is_active=True,
                    session_epoch=1,
                    recorded_at=call.now,
                )
            )
            record_audit(
                connection, "person.create", recorded_at=call.now, actor="oidc", subject=name
            )
        row = connection.execute(select(PEOPLE).where(PEOPLE.c.id == name)).first()
    brought = row is not None and row.id.startswith("O-")
    if brought and row.id != person_id(settings.oidc_issuer, found.subject):
        # The provider gave a name that somebody had to somebody else.
        raise NotLoggedIn("the log-in is another's", field="login", remedy="ask the management")
    if row is None or not row.is_active:
        raise NotLoggedIn("nobody has this log-in", field="login", remedy="ask the management")
    record_audit(connection, "session.open", recorded_at=call.now, actor=row.id, subject=row.id)
    granted = select(GRANTS.c.person).where(GRANTS.c.person == row.id).limit(1)
    return row.id, int(row.session_epoch), connection.execute(granted).first() is not None


def _provider() -> Provider:
    found = current_app.extensions.get(EXTENSION)
    if not isinstance(found, Provider):
        raise UnknownPath("no identity provider is set up", remedy="log in with a password")
    return found


def _redirect(address: str, kept: dict[str, Any]) -> Answer:
    return Answer({"location": address}, 302, session=kept, location=address)
