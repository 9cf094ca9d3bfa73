"""Addresses of transfers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from ops_api.clock import epoch, iso
from ops_api.errors import SiteDenied, VersionConflict
from ops_api.ledger.clocks import check_not_ahead
from ops_api.ledger.rows import derived_id
from ops_api.lots.rules import Dated, day_number
from ops_api.masterdata.service import require_location, require_skus
from ops_api.reservations.service import expire_due
from ops_api.transfers.arrivals import Arrival, receive
from ops_api.transfers.documents import (
    RULE,
    Act,
    Draft,
    create_transfers,
    transfer_head,
    transfer_lines,
    value_transfer,
)
from ops_api.transfers.packing import open_cartons, pack
from ops_api.transfers.schemas import (
    Approval,
    Arrived,
    ArrivedLine,
    NewLine,
    NewTransfer,
    Packing,
    Shipment,
)
from ops_api.transfers.service import approve, cancel, close, pick, ship
from ops_api.transfers.tables import TRANSFERS
from ops_api.web.registry import Call, Document, Endpoint, Registry, Rows
from ops_api.web.schemas import DocumentQuery, Empty, JsonObject
from policies.domain.errors import InvalidInput, StoretwinError, UnknownSku
from policies.domain.units import PIECE, to_base_units


def ends_of(connection: Connection, document: str) -> tuple[str, ...]:
    """Origin and destination of a transfer."""
    found = connection.execute(select(TRANSFERS).where(TRANSFERS.c.id == document)).first()
    return (found.origin, found.destination) if found else ()


_DOCUMENT = Document(ends_of)


def register(registry: Registry) -> None:
    """Add the endpoints of transfers."""
    registry.add(
        Endpoint(
            name="transfers",
            method="GET",
            path="/transfers",
            permission="transfer.read",
            scope=Rows(),
            handler=list_transfers,
            statuses=(200,),
            answer=JsonObject,
            query=DocumentQuery,
        )
    )
    registry.add(
        Endpoint(
            name="transfer",
            method="GET",
            path="/transfers/{id}",
            permission="transfer.read",
            scope=_DOCUMENT,
            handler=read_transfer,
            statuses=(200,),
            answer=JsonObject,
        )
    )
    registry.add(
        Endpoint(
            name="transfer_create",
            method="POST",
            path="/transfers",
            permission="transfer.propose",
            # One end is enough: goods are asked for, or offered.
            scope=Rows(),
            handler=create,
            statuses=(201, 403, 404),
            answer=JsonObject,
            body=NewTransfer,
            writes=True,
            keyed=True,
        )
    )
    steps = (
        ("approve", "transfer.approve", do_approve, Approval),
        ("pick", "transfer.ship", do_pick, Empty),
        ("pack", "transfer.ship", do_pack, Packing),
        ("ship", "transfer.ship", do_ship, Shipment),
        ("receive", "transfer.receive", do_receive, Arrived),
        ("close", "transfer.close", do_close, Empty),
        ("cancel", "transfer.cancel", do_cancel, Empty),
    )
    for step, permission, handler, body in steps:
        registry.add(
            Endpoint(
                name=f"transfer_{step}",
                method="POST",
                path=f"/transfers/{{id}}:{step}",
                permission=permission,
                scope=_DOCUMENT,
                handler=handler,
                statuses=(200, 409, 422, 403, 404),
                answer=JsonObject,
                body=body,
                writes=True,
                keyed=True,
            )
        )


def act_of(call: Call, occurred_at: Any = None) -> Act:
    """The step's times and actor; a time ahead of ours is refused."""
    at = epoch(occurred_at) if occurred_at is not None else call.now
    check_not_ahead(at, call.now, call.settings.future_tolerance_s)
    return Act(
        call.principal.person,
        min(at, call.now) if at <= call.now else at,
        call.now,
        call.principal.device,
        call.settings.stock_listeners,
    )


def refuse_twice(names: list[str]) -> None:
    """Each SKU, and each event, stands once in a document."""
    seen: set[str] = set()
    for row, name in enumerate(names):
        if name in seen:
            raise InvalidInput(
                f"{name} stands twice", field="lines", row=row, remedy="add the lines up"
            )
        seen.add(name)


def base_lines(connection: Connection, lines: list[NewLine]) -> tuple[tuple[str, int, int], ...]:
    """(SKU, base units, reason code 0) of lines that may be given in packs."""
    skus = require_skus(connection, [line.sku for line in lines])
    return tuple(
        (
            line.sku,
            to_base_units(line.quantity, line.unit, PIECE, {"pack": skus[line.sku].pack_size}),
            0,
        )
        for line in lines
    )


def list_transfers(call: Call) -> dict[str, Any]:
    """Transfers by place and state, newest first, with their lines."""
    query: DocumentQuery = call.query
    t = TRANSFERS.c
    found = select(TRANSFERS)
    for column, value in ((t.origin, query.origin), (t.destination, query.destination)):
        if value:
            found = found.where(column == value)
    if query.state:
        found = found.where(t.state == query.state)
    if call.reach is not None:
        reach = sorted(call.reach)
        found = found.where(t.origin.in_(reach) | t.destination.in_(reach))
    rows = call.connection.execute(found.order_by(t.created_at.desc(), t.id).limit(query.limit))
    return {"transfers": [whole(call.connection, row) for row in rows.all()]}


def whole(connection: Connection, head: Any) -> dict[str, Any]:
    """A transfer with its lines and its times as text."""
    out = {k: iso(v) if k.endswith("_at") else v for k, v in head._mapping.items()}
    out["lines"] = [dict(line._mapping) for line in transfer_lines(connection, head.id)]
    return out


def read_transfer(call: Call) -> dict[str, Any]:
    """One transfer with its lines."""
    return whole(call.connection, transfer_head(call.connection, call.path["id"]))


def create(call: Call) -> dict[str, Any]:
    """Propose a transfer."""
    body: NewTransfer = call.body
    if call.reach is not None and not call.reach & {body.origin, body.destination}:
        raise SiteDenied(
            "neither end of the transfer is yours",
            field="destination",
            row=body.destination,
            remedy="ask for goods at your own location, or offer its own",
            facts={"location": body.destination},
        )
    refuse_twice([line.sku for line in body.lines])
    require_location(call.connection, body.origin)
    require_location(call.connection, body.destination)
    document = "TR-" + derived_id(call.key)[:13]
    lines = base_lines(call.connection, body.lines)
    draft = Draft(document, body.origin, body.destination, lines, "manual", note=body.note)
    create_transfers(call.connection, [draft], act_of(call))
    worth = value_transfer(call.connection, document)
    state = "proposed"
    limit = call.settings.auto_approve_cents
    if 0 < limit >= worth and _approved_by_rule(call, document):
        state = "reserved"
    return {"id": document, "state": state, "value_cents": worth}


def _approved_by_rule(call: Call, document: str) -> bool:
    """Below the value a rule approves, where the goods are there; else a person decides."""
    act = act_of(call)
    nested = call.connection.begin_nested()
    try:
        approve(call.connection, document, replace(act, actor=RULE))
    except StoretwinError:
        nested.rollback()
        return False
    nested.commit()
    return True


def do_approve(call: Call) -> dict[str, Any]:
    """Approve and reserve; not one's own proposal."""
    body: Approval = call.body
    document = call.path["id"]
    lines = {line.sku: line.line for line in transfer_lines(call.connection, document)}
    for name in body.quantities:
        if name not in lines:
            raise UnknownSku(f"transfer {document} has no SKU {name!r}", field="sku", row=name)
    version = transfer_head(call.connection, document).version
    if body.version not in (0, version):
        raise VersionConflict(
            f"transfer {document} is version {version} by now",
            field="version",
            row=document,
            remedy="read it again",
        )
    quantities = {lines[sku]: units for sku, units in body.quantities.items()}
    expire_due(call.connection, call.now, transfer_head(call.connection, document).origin)
    approve(call.connection, document, act_of(call), quantities=quantities)
    return _state(call)


def do_pick(call: Call) -> dict[str, Any]:
    """Begin to pick."""
    _at_end(call, "origin")
    pick(call.connection, call.path["id"], act_of(call))
    return _state(call)


def do_pack(call: Call) -> dict[str, Any]:
    """Pack what is reserved; each carton gets its SSCC."""
    _at_end(call, "origin")
    body: Packing = call.body
    cartons = [[(one.sku, one.lot, one.quantity) for one in box.lines] for box in body.cartons]
    prefix = call.settings.company_prefix
    names = pack(call.connection, call.path["id"], cartons, act_of(call), prefix)
    return _state(call) | {"cartons": names}


def do_ship(call: Call) -> dict[str, Any]:
    """Ship; both books and what is on the road agree from here on."""
    _at_end(call, "origin")
    body: Shipment = call.body
    lots = None
    if body.lots is not None:
        lots = [(one.sku, one.lot, one.quantity) for one in body.lots]
        refuse_twice([f"{sku} {lot}" for sku, lot, _ in lots])
    act = act_of(call, body.occurred_at)
    ship(call.connection, call.path["id"], act, body.quantities, lots=lots)
    return _state(call)


def do_receive(call: Call) -> dict[str, Any]:
    """Receive; a surplus has to be accepted, a rest stays on the road until closed."""
    _at_end(call, "destination")
    body: Arrived = call.body
    refuse_twice([one.event_id for one in body.lines])
    act = act_of(call, body.occurred_at)
    arrivals = [arrival_of(one) for one in body.lines]
    if body.cartons:
        refuse_twice(body.cartons)
        arrivals += open_cartons(call.connection, call.path["id"], body.cartons, act)
    return receive(
        call.connection,
        call.path["id"],
        arrivals,
        act,
        accepts_over=body.accepts_over,
        ends=body.ends,
    )


def arrival_of(line: ArrivedLine) -> Arrival:
    """What came, from a body's line."""
    dated = Dated(line.lot, day_number(line.expires_on), day_number(line.produced_on))
    return Arrival(line.event_id, line.sku, line.good, line.damaged, dated, line.serial)


def do_close(call: Call) -> dict[str, Any]:
    """Close; what never came is closed short."""
    close(call.connection, call.path["id"], act_of(call))
    return _state(call)


def do_cancel(call: Call) -> dict[str, Any]:
    """Cancel before shipping; what was reserved is free again."""
    cancel(call.connection, call.path["id"], act_of(call))
    return _state(call)


def _at_end(call: Call, end: str) -> None:
    """Goods leave where one stands and arrive where one stands."""
    place = getattr(transfer_head(call.connection, call.path["id"]), end)
    if call.reach is not None and place not in call.reach:
        raise SiteDenied(
            f"this step is done at {place}",
            field=end,
            row=call.path["id"],
            remedy="ask a colleague there",
            facts={"location": place},
        )


def _state(call: Call) -> dict[str, Any]:
    head = transfer_head(call.connection, call.path["id"])
    return {"id": head.id, "state": head.state, "version": head.version}
