"""Addresses of RFID reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from ops_api.clock import epoch
from ops_api.counts.routes import place_of
from ops_api.counts.service import Counted, count_head, submit
from ops_api.ledger.clocks import check_not_ahead, clock_offset
from ops_api.ledger.rows import derived_id
from ops_api.masterdata.service import require_location, require_skus
from ops_api.rfid.service import keep_reads, last_read, seen_items
from ops_api.transfers.routes import act_of
from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Moment
from ops_api.web.registry import Call, Document, Endpoint, Registry, Site, unknown_document
from ops_api.web.schemas import JsonObject


class TagRead(Strict):
    """A tag of 96 bits as 24 hexadecimal digits; others are kept as unreadable."""

    epc: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z]+$")]
    read_at: Moment | None = None


class Sweep(Strict):
    """At most 5,000 reads of one sweep; `sent_at` is the reader's clock when it sent them."""

    session: Identifier
    location: Identifier
    reads: Annotated[list[TagRead], Field(min_length=1, max_length=5_000)]
    sent_at: Moment | None = None


class UsedSweep(Strict):
    """A sweep to count by; SKUs named here that it did not see are counted as none."""

    session: Identifier
    also: Annotated[list[Identifier], Field(max_length=1_000, default_factory=list)]


def register(registry: Registry) -> None:
    """Add the endpoints of RFID."""
    registry.add(
        Endpoint(
            name="tag_reads",
            method="POST",
            path="/tag-reads:batch",
            permission="events.post",
            scope=Site(lambda body: [body.location]),
            handler=read,
            statuses=(200, 422),
            answer=JsonObject,
            body=Sweep,
            writes=True,
        )
    )
    registry.add(
        Endpoint(
            name="count_use_reads",
            method="POST",
            path="/counts/{id}:use-reads",
            permission="count.create",
            scope=Document(place_of),
            handler=use,
            statuses=(200, 403, 404, 409),
            answer=JsonObject,
            body=UsedSweep,
            writes=True,
            keyed=True,
        )
    )


def read(call: Call) -> dict[str, Any]:
    """Keep a sweep's tags; sent twice, or seen twice, a tag is one observation."""
    body: Sweep = call.body
    require_location(call.connection, body.location)
    offset = clock_offset(body.sent_at, call.now)
    reads = []
    for i, one in enumerate(body.reads):
        at = epoch(one.read_at) + offset if one.read_at is not None else call.now
        check_not_ahead(at, call.now, call.settings.future_tolerance_s, i)
        reads.append((one.epc, at))
    person = call.principal.person
    done = keep_reads(
        call.connection, body.session, body.location, reads, now=call.now, actor=person
    )
    return {"session": body.session, **done}


def use(call: Call) -> dict[str, Any]:
    """Hand in a sweep as counted lines, at the time its last tag was read."""
    body: UsedSweep = call.body
    document = call.path["id"]
    head = count_head(call.connection, document)
    found = seen_items(call.connection, body.session, head.location)
    require_skus(call.connection, body.also)
    units = dict.fromkeys(body.also, 0) | found
    if not units:
        raise unknown_document(body.session)
    at = last_read(call.connection, body.session) or call.now
    lines = [Counted(derived_id(call.key, "tags", sku), sku, n) for sku, n in units.items()]
    act = replace(act_of(call), occurred_at=min(at, call.now))
    return submit(call.connection, document, lines, act) | {"counted": units}
