"""Who may open which page, and who is asking: Flask's signed session read anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from itsdangerous import BadSignature

LANGUAGE_COOKIE, THEME_COOKIE = "storetwin_lang", "storetwin_theme"
SESSION_KEY = "person"

MAY_OPEN: dict[str, frozenset[str]] = {
    "twin": frozenset({"executive", "planner", "auditor"}),
    "whatif": frozenset({"executive", "planner", "manager", "keeper", "auditor"}),
    "phone": frozenset({"clerk", "manager", "keeper"}),
    "manage": frozenset({"manager", "keeper", "executive"}),
}
"""Roles of each page (API.md, People): managers may view what-ifs, not run them."""
MAY_RUN_WHATIF = frozenset({"executive", "planner"})
ROLE_ORDER = (
    "executive",
    "planner",
    "manager",
    "keeper",
    "clerk",
    "buyer",
    "driver",
    "auditor",
    "it_admin",
    "integration",
)
"""Which of several roles stands beside a name."""


@dataclass(frozen=True)
class Person:
    """The person of a session.

    Attributes
    ----------
    name : str, log-in name
    shown : str, name as shown
    role : str
    locations : tuple of str, location ids of the grants; empty = all
    also : tuple of str, further roles of the person
    """

    name: str
    shown: str
    role: str
    locations: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def roles(self) -> frozenset[str]:
        """Every role of the person."""
        return frozenset({self.role, *self.also})

    def may_open(self, page: str) -> bool:
        """Whether one of the roles may open `page`."""
        return not self.roles.isdisjoint(MAY_OPEN[page])

    @property
    def may_run_whatif(self) -> bool:
        """Whether one of the roles may start and stop what-ifs."""
        return not self.roles.isdisjoint(MAY_RUN_WHATIF)

    def as_session(self) -> dict[str, Any]:
        """What is kept, signed, in the session cookie."""
        return {
            "name": self.name,
            "shown": self.shown,
            "role": self.role,
            "locations": list(self.locations),
            "also": list(self.also),
        }


def person_of(session: Mapping[str, Any]) -> Person | None:
    """The person kept in a session, or None."""
    kept = session.get(SESSION_KEY)
    if not isinstance(kept, dict):
        return None
    places, also = tuple(kept.get("locations", ())), tuple(kept.get("also", ()))
    return Person(kept["name"], kept["shown"], kept["role"], places, also)


def person_of_cookie(app: Flask, cookie: str | None) -> Person | None:
    """The person of Flask's signed session cookie; None where it is absent or forged.

    Parameters
    ----------
    app : Flask, whose secret key signed the cookie
    cookie : str or None, value of the session cookie
    """
    if not cookie:
        return None
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    if serializer is None:
        return None
    age = int(app.permanent_session_lifetime.total_seconds())
    try:
        return person_of(serializer.loads(cookie, max_age=age))
    except BadSignature:
        return None
