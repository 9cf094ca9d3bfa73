"""Addresses of labels: a SKU's shelf, a lot, a carton."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select

from ops_api.labels.zpl import Label, zpl
from ops_api.lots.rules import date_of, lot_of
from ops_api.masterdata.service import require_skus
from ops_api.masterdata.tables import GTINS
from ops_api.transfers.tables import CARTON_LINES, CARTONS, TRANSFERS
from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Lot
from ops_api.web.registry import (
    Answer,
    Call,
    Chain,
    Endpoint,
    Registry,
    Rows,
    unknown_document,
)
from ops_api.web.schemas import JsonObject

ZPL = "application/zpl"
Copies = Annotated[int, Field(ge=1, le=500)]


class SkuLabel(Strict):
    """A shelf's label."""

    sku: Identifier
    copies: Copies = 1


class LotLabel(Strict):
    """A lot's label."""

    sku: Identifier
    lot: Annotated[Lot, Field(min_length=1)]
    copies: Copies = 1


class CartonLabel(Strict):
    """A logistic label."""

    sscc: Annotated[str, Field(pattern=r"^[0-9]{18}$")]
    copies: Copies = 1


def register(registry: Registry) -> None:
    """Add the endpoints."""
    shapes: tuple[tuple[str, str, Any, Any, type[Strict]], ...] = (
        ("sku", "masterdata.read", Chain(), sku_label, SkuLabel),
        ("lot", "lot.read", Chain(), lot_label, LotLabel),
        ("carton", "transfer.read", Rows(), carton_label, CartonLabel),
    )
    for name, permission, scope, handler, query in shapes:
        registry.add(
            Endpoint(
                name=f"label_{name}",
                method="GET",
                path=f"/labels/{name}",
                permission=permission,
                scope=scope,
                handler=handler,
                statuses=(200, 404),
                answer=JsonObject,
                query=query,
                gives=(ZPL,),
            )
        )


def sku_label(call: Call) -> Answer:
    """A shelf's label: name, price, and the GTIN as a DataMatrix."""
    sku = require_skus(call.connection, [call.query.sku])[call.query.sku]
    gtin = _gtin(call, sku.id)
    price = f"{sku.unit_price_cents / 100:.2f}"
    elements = (("01", gtin),) if gtin else ()
    return _answer(call, "sku", Label(sku.name, (price, sku.id), elements, is_matrix=True))


def lot_label(call: Call) -> Answer:
    """A lot's label: GTIN, last day and lot as GS1-128; without a GTIN words and the lot."""
    query: LotLabel = call.query
    sku = require_skus(call.connection, [query.sku])[query.sku]
    lot = lot_of(call.connection, query.sku, query.lot)
    if lot is None:
        raise unknown_document(query.lot)
    last = date_of(lot.expires_on)
    gtin = _gtin(call, sku.id)
    elements = [("01", gtin)] if gtin else []
    if last is not None:
        elements.append(("17", last.replace("-", "")[2:]))
    elements.append(("10", query.lot))
    lines = (f"LOT {query.lot}", *((f"EXP {last}",) if last else ()))
    return _answer(call, "lot", Label(sku.name, lines, tuple(elements)))


def carton_label(call: Call) -> Answer:
    """A carton's logistic label: where it goes, what is in it, its SSCC as GS1-128."""
    query: CartonLabel = call.query
    t = TRANSFERS.c
    head = call.connection.execute(
        select(t.id, t.origin, t.destination)
        .join_from(CARTONS, TRANSFERS, t.id == CARTONS.c.transfer_id)
        .where(CARTONS.c.sscc == query.sscc)
    ).first()
    if head is None or (
        call.reach is not None and not call.reach & {head.origin, head.destination}
    ):
        raise unknown_document(query.sscc)
    c = CARTON_LINES.c
    rows = call.connection.execute(select(CARTON_LINES).where(c.sscc == query.sscc)).all()
    units = sum(row.quantity for row in rows)
    lines = (f"{head.origin} > {head.destination}", f"{head.id} · {len(rows)} / {units}")
    return _answer(call, "carton", Label(head.destination, lines, (("00", query.sscc),)))


def _gtin(call: Call, sku: str) -> str:
    """The GTIN of one unit, as 14 digits; "" where there is none."""
    g = GTINS.c
    found = call.connection.execute(
        select(g.gtin).where(g.sku == sku).order_by(g.units, g.gtin).limit(1)
    ).scalar()
    return "" if found is None else str(found).zfill(14)


def _answer(call: Call, name: str, label: Label) -> Answer:
    content = zpl(label, call.query.copies).encode()
    return Answer({}, 200, content=content, media_type=ZPL, file_name=f"label-{name}.zpl")
