"""The life of a release: proposed → shadow → pilot → active → retired, and back."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import AlreadyExists, SelfApproval, StateInvalid
from ops_api.ledger.rows import derived_id
from ops_api.ledger.write import announce, record_audit
from ops_api.masterdata.service import require_location
from ops_api.planning.tables import RELEASE_EVENTS, RELEASES
from ops_api.web.registry import unknown_document
from policies.domain.errors import InvalidInput
from policies.release import Release, installed_source_sha256, read_release

PROPOSED, SHADOW, PILOT, ACTIVE, RETIRED = "proposed", "shadow", "pilot", "active", "retired"
STEPS = {
    SHADOW: (PROPOSED, PILOT),
    PILOT: (PROPOSED, SHADOW),
    ACTIVE: (PROPOSED, SHADOW, PILOT),
    RETIRED: (PROPOSED, SHADOW, PILOT, ACTIVE),
}
"""Where a release may come from on its way to a state."""


@cache
def _installed() -> str:
    return installed_source_sha256()


def checked(text: str) -> Release:
    """The release of a text, refused where it was made with other policy code.

    Raises
    ------
    ReleaseRefused
    """
    return read_release(text, _installed())


def propose(connection: Connection, text: str, *, actor: str, now: int) -> dict[str, Any]:
    """Take a release in.

    Raises
    ------
    ReleaseRefused
        It is no release, was altered, or belongs to other code.
    AlreadyExists
    """
    release = checked(text)
    sha = hashlib.sha256(release.text().encode()).hexdigest()
    name = "RL-" + derived_id("release", sha)[:13]
    found = connection.execute(select(RELEASES.c.id).where(RELEASES.c.content_sha256 == sha))
    if found.first() is not None:
        raise AlreadyExists(f"release {name} is here already", field="release", row=name)
    for store in release.scope:
        require_location(connection, store)
    connection.execute(
        insert(RELEASES).values(
            id=name,
            name=release.name,
            policy_version=release.version,
            state=PROPOSED,
            source_sha256=release.source_sha256,
            content_sha256=sha,
            content=release.text(),
            proposed_by=actor,
            created_at=now,
            changed_at=now,
            version=1,
        )
    )
    _note(connection, name, "", PROPOSED, actor=actor, now=now)
    return {"id": name, "state": PROPOSED}


def move(
    connection: Connection,
    name: str,
    to: str,
    *,
    actor: str,
    now: int,
    pilot_locations: tuple[str, ...] = (),
    note: str = "",
) -> dict[str, Any]:
    """Take a release to another state; never by the person who proposed it.

    Raises
    ------
    SelfApproval, StateInvalid, ReleaseRefused, InvalidInput
    """
    head = release_row(connection, name)
    if head.state not in STEPS[to]:
        raise StateInvalid(
            f"release {name} is {head.state}",
            field="state",
            row=name,
            remedy=f"{to} comes after {' or '.join(STEPS[to])}",
            facts={"document": name, "state": head.state},
        )
    if head.proposed_by == actor:
        raise SelfApproval(
            "nobody takes a release of their own live",
            field="approved_by",
            row=name,
            remedy="ask a colleague with the right to decide on releases",
        )
    values: dict[str, Any] = {"approved_by": actor}
    if to != RETIRED:
        checked(head.content)
    if to == PILOT:
        if not pilot_locations:
            raise InvalidInput(
                "a pilot needs its stores", field="locations", remedy="name at least one store"
            )
        for store in pilot_locations:
            require_location(connection, store)
        values["pilot_locations"] = json.dumps(sorted(set(pilot_locations)))
    if to in (ACTIVE, PILOT):
        for other in releases_in(connection, to):
            if to == ACTIVE:
                values["replaced"] = other.id
            _set(connection, other, RETIRED, {}, actor=actor, now=now, note=f"replaced by {name}")
    _set(connection, head, to, values, actor=actor, now=now, note=note)
    return {"id": name, "state": to}


def rollback(
    connection: Connection, name: str, *, actor: str, now: int, note: str = ""
) -> dict[str, Any]:
    """Pull an acting release back; the one it replaced acts again. Anyone who may decide may.

    Raises
    ------
    StateInvalid, ReleaseRefused
    """
    head = release_row(connection, name)
    if head.state not in (ACTIVE, PILOT):
        raise StateInvalid(
            f"release {name} is {head.state}",
            field="state",
            row=name,
            remedy="only a pilot or an active release is rolled back",
            facts={"document": name, "state": head.state},
        )
    _set(connection, head, RETIRED, {}, actor=actor, now=now, note=note or "rolled back")
    back = ""
    if head.state == ACTIVE and head.replaced:
        before = release_row(connection, head.replaced)
        checked(before.content)
        _set(connection, before, ACTIVE, {}, actor=actor, now=now, note=f"back from {name}")
        back = str(before.id)
    return {"id": name, "state": RETIRED, "active": back}


def release_row(connection: Connection, name: str) -> Any:
    """The release's row; unknown ones raise."""
    found = connection.execute(
        select(RELEASES).where(RELEASES.c.id == name).with_for_update()
    ).first()
    if found is None:
        raise unknown_document(name)
    return found


def releases_in(connection: Connection, *states: str) -> list[Any]:
    """Releases in these states, the one decided last first."""
    query = select(RELEASES).where(RELEASES.c.state.in_(states))
    return list(connection.execute(query.order_by(RELEASES.c.changed_at.desc(), RELEASES.c.id)))


def _set(
    connection: Connection,
    head: Any,
    to: str,
    values: dict[str, Any],
    *,
    actor: str,
    now: int,
    note: str,
) -> None:
    connection.execute(
        update(RELEASES)
        .where(RELEASES.c.id == head.id)
        .values(state=to, changed_at=now, version=RELEASES.c.version + 1, **values)
    )
    _note(connection, head.id, head.state, to, actor=actor, now=now, note=note)


def _note(
    connection: Connection,
    name: str,
    before: str,
    after: str,
    *,
    actor: str,
    now: int,
    note: str = "",
) -> None:
    connection.execute(
        insert(RELEASE_EVENTS).values(
            release_id=name,
            from_state=before,
            to_state=after,
            actor=actor,
            recorded_at=now,
            note=note,
        )
    )
    record_audit(
        connection, f"release.{after}", recorded_at=now, actor=actor, subject=name, detail={}
    )
    announce(connection, f"release.{after}", {"release": name}, recorded_at=now)
