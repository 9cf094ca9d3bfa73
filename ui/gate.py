"""Log-in and sessions of the pages, kept by the service: one password, one cookie.

With ``ui.serve`` this belongs to the composition root: it knows the service's people.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, session
from itsdangerous import BadSignature
from sqlalchemy import Engine

from ops_api.clock import epoch
from ops_api.database import reading, write_with_retry
from ops_api.errors import NotLoggedIn
from ops_api.ledger.write import record_audit
from ops_api.people.authenticate import principal_of_session
from ops_api.people.roles import Principal
from ops_api.people.service import check_password
from ops_api.settings import Settings
from ui.access import ROLE_ORDER, Person


class ServiceGate:
    """The :class:`ui.web.Gate` over the service's people and sessions.

    Parameters
    ----------
    service : Flask, the service's app; it signs the cookie that the pages read
    """

    def __init__(self, service: Flask) -> None:
        self._service = service
        self._cookie = str(service.config["SESSION_COOKIE_NAME"])
        kept = service.extensions["storetwin"]
        self._engine: Engine = kept.engine
        self._settings: Settings = kept.settings

    def log_in(self, name: str, password: str) -> Person | None:
        """Open a session of the running request for the right password."""
        try:
            with reading(self._engine) as connection:
                found = check_password(connection, name, password)
        except NotLoggedIn:
            return None
        content = {"person": found.id, "epoch": found.session_epoch}
        with reading(self._engine) as connection:
            principal = principal_of_session(connection, content)
        if principal is None:
            return None
        session.clear()
        session.update(content)
        now = epoch(self._settings.clock())
        write_with_retry(
            self._engine,
            lambda connection: record_audit(
                connection, "session.open", recorded_at=now, actor=found.id, subject=found.id
            ),
        )
        return person_of(principal)

    def log_out(self) -> None:
        """End the session of the running request."""
        session.clear()

    def person(self, cookies: Mapping[str, str]) -> Person | None:
        """Whose session these cookies carry; callable outside of a request."""
        content = self._content(cookies.get(self._cookie))
        if content is None:
            return None
        with reading(self._engine) as connection:
            principal = principal_of_session(connection, content)
        return None if principal is None else person_of(principal)

    def _content(self, cookie: str | None) -> Mapping[str, object] | None:
        app = self._service
        serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        if not cookie or serializer is None:
            return None
        age = int(app.permanent_session_lifetime.total_seconds())
        try:
            kept: Mapping[str, object] = serializer.loads(cookie, max_age=age)
        except BadSignature:
            return None
        return kept


def person_of(principal: Principal) -> Person | None:
    """The pages' view of a principal; None for one without a role."""
    roles = sorted(principal.roles, key=ROLE_ORDER.index)
    if not roles:
        return None
    places: set[str] = set()
    for grant in principal.grants:
        places |= grant.locations or frozenset()
    return Person(
        principal.login, principal.name, roles[0], tuple(sorted(places)), tuple(roles[1:])
    )
