"""Roles, permissions and reach: who may do what, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CLERK, MANAGER, KEEPER = "clerk", "manager", "keeper"
PLANNER, EXECUTIVE, INTEGRATION = "planner", "executive", "integration"
DRIVER, BUYER, IT_ADMIN, AUDITOR = "driver", "buyer", "it_admin", "auditor"
ROLES = (
    CLERK,
    MANAGER,
    KEEPER,
    PLANNER,
    EXECUTIVE,
    INTEGRATION,
    DRIVER,
    BUYER,
    IT_ADMIN,
    AUDITOR,
)

DEVICE_ROLES = frozenset({CLERK, MANAGER, KEEPER, DRIVER, INTEGRATION, BUYER})
"""Roles whose devices the IT may register; it has no rights over stock of its own."""

PUBLIC = "public"
"""Needs no log-in."""
ANYONE = "anyone"
"""Needs a log-in and no role."""

_FLOOR = {CLERK, MANAGER, KEEPER}
_LEAD = {MANAGER, KEEPER}

PERMISSIONS: dict[str, frozenset[str]] = {
    name: frozenset(roles)
    for name, roles in {
        "stock.read": _FLOOR | {PLANNER, EXECUTIVE, BUYER, AUDITOR},
        "movement.read": _FLOOR | {PLANNER, EXECUTIVE, AUDITOR},
        "movement.reverse": _FLOOR | {EXECUTIVE},
        "masterdata.read": set(ROLES),
        "masterdata.write": {EXECUTIVE, BUYER},
        "sales.post": {INTEGRATION},
        "events.post": _FLOOR,
        "scan.resolve": _FLOOR | {DRIVER, BUYER, EXECUTIVE, AUDITOR},
        "transfer.read": _FLOOR | {PLANNER, EXECUTIVE, DRIVER, AUDITOR},
        "transfer.propose": _FLOOR | {PLANNER, EXECUTIVE},
        "transfer.approve": _LEAD | {EXECUTIVE},
        "transfer.cancel": _LEAD | {EXECUTIVE},
        "transfer.ship": _FLOOR,
        "transfer.receive": _FLOOR,
        "transfer.close": _LEAD | {EXECUTIVE},
        "receipt.post": _FLOOR,
        "receipt.read": _FLOOR | {PLANNER, EXECUTIVE, BUYER, AUDITOR},
        "receipt.accept_short": _LEAD | {EXECUTIVE},
        "lot.read": _FLOOR | {PLANNER, EXECUTIVE, BUYER, AUDITOR},
        "lot.assign": _FLOOR,
        "lot.hold": _LEAD | {EXECUTIVE, BUYER},
        "lot.release": {EXECUTIVE, BUYER},
        "lot.recall": {EXECUTIVE, BUYER},
        "period.read": _LEAD | {PLANNER, EXECUTIVE, AUDITOR},
        "period.close": {EXECUTIVE},
        "purchase.read": _FLOOR | {PLANNER, EXECUTIVE, BUYER, AUDITOR},
        "purchase.draft": {BUYER, KEEPER, PLANNER},
        "purchase.approve": {BUYER, KEEPER, EXECUTIVE},
        "purchase.send": {BUYER, KEEPER},
        "purchase.close": {BUYER, KEEPER, EXECUTIVE},
        "count.read": _FLOOR | {EXECUTIVE, AUDITOR},
        "count.create": _FLOOR,
        "count.approve": _LEAD | {EXECUTIVE},
        "writeoff.read": _FLOOR | {EXECUTIVE, AUDITOR},
        "writeoff.draft": _FLOOR,
        "writeoff.post": _LEAD | {EXECUTIVE},
        "writeoff.post_above_limit": {EXECUTIVE},
        "return.read": _FLOOR | {EXECUTIVE, BUYER, AUDITOR},
        "return.draft": _FLOOR,
        "return.post": _LEAD | {EXECUTIVE},
        "return.post_above_limit": {EXECUTIVE},
        "reservation.read": _FLOOR | {PLANNER, EXECUTIVE, AUDITOR},
        "reservation.write": _FLOOR | {INTEGRATION},
        "task.read": _FLOOR | {EXECUTIVE, AUDITOR},
        "task.resolve": _LEAD | {EXECUTIVE},
        "opening.post": {EXECUTIVE},
        "proposal.read": _LEAD | {PLANNER, EXECUTIVE, BUYER, AUDITOR},
        "proposal.decide": _LEAD | {EXECUTIVE, BUYER},
        "release.read": _LEAD | {PLANNER, EXECUTIVE, AUDITOR},
        "release.propose": {PLANNER},
        "release.decide": {EXECUTIVE},
        "plan.run": {PLANNER, EXECUTIVE},
        "route.read": _LEAD | {PLANNER, EXECUTIVE, DRIVER, AUDITOR},
        "route.record": {DRIVER, MANAGER, KEEPER, INTEGRATION},
        "kpi.read": _LEAD | {PLANNER, EXECUTIVE, AUDITOR},
        "audit.read": {AUDITOR, EXECUTIVE, IT_ADMIN},
        "people.read": {EXECUTIVE, IT_ADMIN, AUDITOR},
        "people.write": {EXECUTIVE},
        "device.write": {EXECUTIVE, IT_ADMIN},
        "webhook.read": {EXECUTIVE, IT_ADMIN, AUDITOR},
        "webhook.write": {EXECUTIVE, IT_ADMIN},
        "health.ledger": {AUDITOR, EXECUTIVE, IT_ADMIN},
    }.items()
}


@dataclass(frozen=True)
class Grant:
    """A role over locations; None means all of them."""

    role: str
    locations: frozenset[str] | None


@dataclass(frozen=True)
class Principal:
    """Who is asking.

    Attributes
    ----------
    bound_to : the one location of a device token, or None
    by_cookie : whether a browser session carries the request (then writes need proof of origin)
    """

    person: str
    name: str
    login: str
    language: str
    grants: tuple[Grant, ...]
    device: str = ""
    bound_to: str | None = None
    by_cookie: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the person, sorted."""
        return tuple(sorted({grant.role for grant in self.grants}))

    def may(self, permission: str) -> bool:
        """Whether some grant carries the permission, wherever it reaches."""
        if permission == ANYONE:
            return True
        roles = PERMISSIONS[permission]
        return any(grant.role in roles for grant in self.grants)

    def reach(self, permission: str) -> frozenset[str] | None:
        """Locations where the permission holds; None means everywhere."""
        roles = PERMISSIONS.get(permission, frozenset(ROLES))
        out: set[str] = set()
        everywhere = False
        for grant in self.grants:
            if grant.role not in roles:
                continue
            if grant.locations is None:
                everywhere = True
            else:
                out |= grant.locations
        if self.bound_to is not None:
            inside = everywhere or self.bound_to in out
            return frozenset({self.bound_to} if inside else ())
        return None if everywhere else frozenset(out)

    def can(self, permission: str, location: str) -> bool:
        """Whether the permission holds at the location."""
        reach = self.reach(permission)
        return self.may(permission) and (reach is None or location in reach)

    def can_any(self, permission: str, locations: Iterable[str]) -> bool:
        """Whether the permission holds at one of the locations."""
        return any(self.can(permission, place) for place in locations)
