"""The registry of endpoints: none can be added without permission, scope, and statuses.

A route only says what it takes and which service function answers; log-in, permission,
scope, strict parsing, the transaction, idempotency and the audit of refusals happen
here, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection

from ops_api.errors import STATUS, SiteDenied, UnknownDocument
from ops_api.people.roles import ANYONE, PERMISSIONS, PUBLIC, Principal
from ops_api.settings import Settings

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Chain:
    """No location is involved."""


@dataclass(frozen=True)
class Own:
    """The caller's own record only."""


@dataclass(frozen=True)
class Rows:
    """A list, or lines answered one by one, cut to the caller's reach by the handler."""


@dataclass(frozen=True)
class Site:
    """Locations named in the request; each must be within reach, else SITE_DENIED."""

    of: Callable[[Any], Iterable[str]]
    reads_query: bool = False


@dataclass(frozen=True)
class Document:
    """A document by its id; one of these ends must be within reach, else it is unknown."""

    ends: Callable[[Connection, str], tuple[str, ...]]
    parameter: str = "id"


Scope = Chain | Own | Rows | Site | Document


@dataclass
class Call:
    """One request as a handler sees it.

    Attributes
    ----------
    now : int, whole seconds of UTC since 1970, from the injected clock
    key : the idempotency key; ids of new documents follow from it
    gatherer : writes the jobs of endpoints that gather
    is_whole : whether a list is read to its end in one snapshot, and not followed later
    """

    connection: Connection
    principal: Principal
    settings: Settings
    now: int
    body: Any
    query: Any
    path: dict[str, str]
    permission: str
    key: str = ""
    gatherer: Any = None
    is_whole: bool = False

    @property
    def reach(self) -> frozenset[str] | None:
        """Locations this call may touch; None means all."""
        return self.principal.reach(self.permission)


@dataclass(frozen=True)
class Answer:
    """Status and JSON object of an answer; `session` asks for a change of the cookie.

    `content` is a file that goes out instead of the JSON object, `location` where a browser
    is sent.
    """

    body: dict[str, Any]
    status: int = 200
    session: dict[str, Any] | None = None
    ends_session: bool = False
    media_type: str = "application/json"
    content: bytes | None = None
    file_name: str = ""
    location: str = ""


Handler = Callable[[Call], Answer | dict[str, Any]]


@dataclass(frozen=True)
class Endpoint:
    """One operation of the API.

    Attributes
    ----------
    path : below ``/api/v1``, parameters in braces
    statuses : every status it may answer with, success first
    writes : whether it opens a write transaction
    keyed : whether it asks for an ``Idempotency-Key``
    gathers : whether its handler has its job written by the gatherer, and gets no connection
    limit : a rate limit in the words of flask-limiter, or the name of a setting
    takes : media types of a file that is the body, instead of JSON
    reads : makes the body out of the file and its media type, before the transaction
    gives : media types of a file that the answer may be
    """

    name: str
    method: str
    path: str
    permission: str
    scope: Scope
    handler: Handler
    statuses: tuple[int, ...]
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    writes: bool = False
    keyed: bool = False
    gathers: bool = False
    limit: str = ""
    takes: tuple[str, ...] = ()
    reads: Callable[[bytes, str], Any] | None = None
    gives: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.permission not in PERMISSIONS and self.permission not in {PUBLIC, ANYONE}:
            raise ValueError(f"{self.name}: no permission {self.permission!r}")
        if not isinstance(self.scope, Chain | Own | Rows | Site | Document):
            raise TypeError(f"{self.name}: scope is missing")
        if not self.statuses or not 200 <= self.statuses[0] < 400:
            raise ValueError(f"{self.name}: success status is missing")
        if not self.handler.__doc__:
            raise ValueError(f"{self.name}: the handler needs a docstring, it is its summary")
        if self.keyed and not self.writes:
            raise ValueError(f"{self.name}: a read takes no key")

    @property
    def all_statuses(self) -> tuple[int, ...]:
        """Declared statuses and those that the web layer itself may answer."""
        extra = {400, 500, 503}
        if self.permission != PUBLIC:
            extra |= {401, 403, 410}
        if self.body is not None or self.takes:
            extra |= {413, 415}
        if self.keyed:
            extra |= {409}
        if self.limit:
            extra |= {429}
        if isinstance(self.scope, Document):
            extra |= {404}
        if isinstance(self.scope, Site):
            extra |= {403, 404}
        return tuple(sorted({*self.statuses, *extra}))

    @property
    def rule(self) -> str:
        """The path in the words of Flask."""
        return PREFIX + re.sub(r"\{(\w+)\}", r"<\1>", self.path)


@dataclass
class Registry:
    """All endpoints, by name."""

    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    def add(self, endpoint: Endpoint) -> None:
        """Add one; a name or address that is taken is refused."""
        taken = {(other.method, other.path) for other in self}
        if endpoint.name in self.endpoints or (endpoint.method, endpoint.path) in taken:
            raise ValueError(f"{endpoint.name} is registered already")
        if any(status >= 400 and status not in STATUS.values() for status in endpoint.statuses):
            raise ValueError(f"{endpoint.name}: a status that no error has")
        self.endpoints[endpoint.name] = endpoint

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self.endpoints.values())


def check_scope(endpoint: Endpoint, call: Call) -> None:
    """Refuse what lies outside the caller's reach."""
    scope, reach = endpoint.scope, call.reach
    if isinstance(scope, Site):
        in_query = call.body is None or scope.reads_query
        request = call.query if in_query else call.body
        for place in scope.of(request):
            if reach is not None and place not in reach:
                raise SiteDenied(
                    f"{call.principal.name} has no {endpoint.permission} at {place}",
                    field="location",
                    row=place,
                    remedy="act at your own location, or ask for a grant",
                    facts={"location": place},
                )
    elif isinstance(scope, Document):
        document = call.path[scope.parameter]
        ends = scope.ends(call.connection, document)
        if reach is not None and not reach.intersection(ends):
            raise unknown_document(document)


def unknown_document(document: str) -> UnknownDocument:
    """The same words whether it is missing or out of reach."""
    return UnknownDocument(
        f"no document {document[:64]!r}",
        field="id",
        row=document[:64],
        remedy="check the number",
        facts={"document": document[:64]},
    )
