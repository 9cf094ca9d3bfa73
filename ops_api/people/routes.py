"""Addresses of log-in, people and devices."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import select

from ops_api.clock import epoch
from ops_api.errors import RoleDenied
from ops_api.people.authenticate import load_principal
from ops_api.people.privacy import data_of, erase
from ops_api.people.roles import ANYONE, DEVICE_ROLES, PUBLIC
from ops_api.people.service import (
    GrantSpec,
    add_person,
    add_token,
    check_password,
    deactivate,
    replace_grants,
    revoke_token,
)
from ops_api.people.tables import GRANTS, PEOPLE
from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Moment, Name, OptionalId
from ops_api.web.registry import Answer, Call, Chain, Endpoint, Own, Registry
from ops_api.web.schemas import Empty, JsonObject

Password = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class LogIn(Strict):
    """Log-in and password."""

    login: Identifier
    password: Password


class GrantBody(Strict):
    """A role over all, a region or a location."""

    role: Identifier
    scope_kind: Identifier = "all"
    scope_value: OptionalId = ""


class NewPerson(Strict):
    """A person with grants."""

    id: Identifier
    name: Name
    login: Identifier
    password: Password
    grants: Annotated[list[GrantBody], Field(max_length=50)]


class Grants(Strict):
    """The grants a person shall have, and no others."""

    grants: Annotated[list[GrantBody], Field(max_length=50)]


class NewDevice(Strict):
    """A device bound to a location, until it is revoked or its time is over."""

    person: Identifier
    device: Identifier
    location: OptionalId = ""
    expires_at: Moment | None = None


def register(registry: Registry) -> None:
    """Add the endpoints of people."""
    table = (
        ("log_in", "POST", "/session", PUBLIC, Chain(), log_in, LogIn, (200, 401), "log_in_limit"),
        ("log_out", "POST", "/session:end", ANYONE, Own(), log_out, Empty, (200,), ""),
        (
            "people_create",
            "POST",
            "/people",
            "people.write",
            Chain(),
            create,
            NewPerson,
            (201, 409),
            "",
        ),
        (
            "person_deactivate",
            "POST",
            "/people/{id}:deactivate",
            "people.write",
            Chain(),
            end,
            Empty,
            (200, 404),
            "",
        ),
        (
            "person_erase",
            "POST",
            "/people/{id}:erase",
            "people.write",
            Chain(),
            forget,
            Empty,
            (200, 404, 409),
            "",
        ),
        (
            "person_grant",
            "POST",
            "/people/{id}:grant",
            "people.write",
            Chain(),
            grant,
            Grants,
            (200, 404),
            "",
        ),
        (
            "devices_create",
            "POST",
            "/devices",
            "device.write",
            Chain(),
            device,
            NewDevice,
            (201, 403, 404),
            "",
        ),
        (
            "device_revoke",
            "POST",
            "/devices/{id}:revoke",
            "device.write",
            Chain(),
            revoke,
            Empty,
            (200, 404),
            "",
        ),
    )
    for name, method, path, permission, scope, handler, body, statuses, limit in table:
        registry.add(
            Endpoint(
                name=name,
                method=method,
                path=path,
                permission=permission,
                scope=scope,
                handler=handler,
                statuses=statuses,
                answer=JsonObject,
                body=body,
                # A password check takes long: nobody waits for its lock.
                writes=name not in {"log_in", "log_out"},
                limit=limit,
            )
        )
    for name, path, permission, scope, handler, statuses in (
        ("me", "/me", ANYONE, Own(), me, (200,)),
        ("people", "/people", "people.read", Chain(), people, (200,)),
        ("my_data", "/me/data", ANYONE, Own(), my_data, (200,)),
        ("person_data", "/people/{id}/data", "people.write", Chain(), person_data, (200, 404)),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission=permission,
                scope=scope,
                handler=handler,
                statuses=statuses,
                answer=JsonObject,
            )
        )


def log_in(call: Call) -> Answer:
    """Open a browser session."""
    body: LogIn = call.body
    found = check_password(call.connection, body.login, body.password)
    principal = load_principal(call.connection, found.id)
    assert principal is not None
    return Answer(
        {"person": principal.person, "name": principal.name, "roles": list(principal.roles)},
        session={"person": found.id, "epoch": found.session_epoch},
    )


def log_out(call: Call) -> Answer:
    """End the browser session."""
    return Answer({"person": call.principal.person}, ends_session=True)


def me(call: Call) -> dict[str, Any]:
    """Who is logged in, with roles and reach."""
    principal = call.principal
    return {
        "person": principal.person,
        "name": principal.name,
        "roles": list(principal.roles),
        "grants": [
            {"role": g.role, "locations": None if g.locations is None else sorted(g.locations)}
            for g in principal.grants
        ],
        "device": principal.device,
    }


def people(call: Call) -> dict[str, Any]:
    """Everybody with grants; never a password."""
    grants: dict[str, list[dict[str, str]]] = {}
    for row in call.connection.execute(select(GRANTS)):
        grants.setdefault(row.person, []).append(
            {"role": row.role, "scope_kind": row.scope_kind, "scope_value": row.scope_value}
        )
    rows = call.connection.execute(select(PEOPLE).order_by(PEOPLE.c.id))
    return {
        "people": [
            {
                "id": row.id,
                "name": row.name,
                "login": row.login,
                "is_active": row.is_active,
                "grants": grants.get(row.id, []),
            }
            for row in rows
        ]
    }


def create(call: Call) -> Answer:
    """Add a person."""
    body: NewPerson = call.body
    add_person(
        call.connection,
        body.id,
        name=body.name,
        login=body.login,
        password=body.password,
        grants=[GrantSpec(g.role, g.scope_kind, g.scope_value) for g in body.grants],
        at=call.now,
        actor=call.principal.person,
    )
    return Answer({"id": body.id}, 201)


def end(call: Call) -> dict[str, Any]:
    """End a person's access at once."""
    deactivate(call.connection, call.path["id"], at=call.now, actor=call.principal.person)
    return {"id": call.path["id"], "is_active": False}


def forget(call: Call) -> dict[str, Any]:
    """Forget who a person was; what they did stays, under an id that nothing resolves."""
    erase(call.connection, call.path["id"], at=call.now, actor=call.principal.person)
    return {"id": call.path["id"], "is_erased": True}


def my_data(call: Call) -> dict[str, Any]:
    """Everything that is kept of the caller."""
    return data_of(call.connection, call.principal.person)


def person_data(call: Call) -> dict[str, Any]:
    """Everything that is kept of a person, to hand to them."""
    return data_of(call.connection, call.path["id"])


def grant(call: Call) -> dict[str, Any]:
    """Give a person exactly these grants; sessions and tokens follow at once."""
    specs = [GrantSpec(g.role, g.scope_kind, g.scope_value) for g in call.body.grants]
    replace_grants(
        call.connection, call.path["id"], specs, at=call.now, actor=call.principal.person
    )
    return {"id": call.path["id"], "grants": len(specs)}


def _refuse_borrowed_rights(call: Call, person: str) -> None:
    """A token carries its person's rights: those of management only management hands out."""
    owner = load_principal(call.connection, person)
    if owner is None or call.principal.may("people.write"):
        return
    high = sorted(set(owner.roles) - DEVICE_ROLES)
    if high:
        raise RoleDenied(
            f"a token of a person with the role {high[0]} is the management's to give",
            field="person",
            row=person,
            remedy="ask the management",
        )


def device(call: Call) -> Answer:
    """Register a device; its token is shown this once."""
    body: NewDevice = call.body
    _refuse_borrowed_rights(call, body.person)
    token, identity = add_token(
        call.connection,
        body.person,
        device=body.device,
        location=body.location,
        at=call.now,
        expires_at=epoch(body.expires_at) if body.expires_at else None,
        actor=call.principal.person,
    )
    return Answer({"id": identity, "token": token}, 201)


def revoke(call: Call) -> dict[str, Any]:
    """Withdraw a device's token."""
    revoke_token(call.connection, call.path["id"], at=call.now, actor=call.principal.person)
    return {"id": call.path["id"], "revoked": True}
