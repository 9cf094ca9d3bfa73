"""Addresses of the sales slice."""

from __future__ import annotations

from typing import Any

from ops_api.clock import epoch
from ops_api.ledger.clocks import clock_offset
from ops_api.sales.lines import Job, Poster, Sale, refused, summary
from ops_api.sales.schemas import BatchAnswer, SalesBatch
from ops_api.web.registry import Call, Endpoint, Registry, Rows


def register(registry: Registry) -> None:
    """Add the endpoints of sales."""
    registry.add(
        Endpoint(
            name="sales_batch",
            method="POST",
            path="/sales:batch",
            permission="sales.post",
            scope=Rows(),
            handler=sales_batch,
            statuses=(200,),
            answer=BatchAnswer,
            body=SalesBatch,
            writes=True,
            gathers=True,
        )
    )


def sales_batch(call: Call) -> dict[str, Any]:
    """Post a till's receipt lines; each is answered, none is refused for lack of stock."""
    batch: SalesBatch = call.body
    offset = clock_offset(batch.sent_at, call.now)
    sales = [
        Sale(
            row,
            line.event_id,
            line.location,
            line.sku,
            line.quantity,
            epoch(line.occurred_at) + offset,
            line.unit_price_cents,
            line.basket,
            line.device,
            line.sequence,
            line.lot,
            epoch(line.occurred_at),
            line.serial,
        )
        for row, line in batch.numbered()
    ]
    lines = list(call.gatherer.do(Job(sales, poster_of(call))))
    lines += [refused(row, None, error) for row, error in batch.faults.items()]
    return summary(sorted(lines, key=lambda line: int(line["row"])))


def poster_of(call: Call) -> Poster:
    """Who posts, from a call."""
    return Poster(
        call.principal.person,
        call.principal.device,
        call.now,
        call.reach,
        call.settings,
        call.settings.stock_listeners,
    )
