"""The planner's eyes: what the book in SQL says at one moment, as known at another.

Stock is the balance rows minus the few movements that happened, or were heard of,
later: exact for any moment, and no older than the tail that has to be undone.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, and_, or_, select

from ops_api.ledger.rows import ACTUAL, is_transit
from ops_api.ledger.schema import BALANCES, MOVEMENTS, RESERVATIONS
from ops_api.masterdata.tables import ARTEFACTS
from ops_api.planning.axis import Axis, Moment
from ops_api.planning.blocked import blocked_units
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.purchasing.tables import PURCHASE_LINES, PURCHASE_ORDERS
from ops_api.reservations.tables import RESERVATION_HEADS
from ops_api.transfers.tables import TRANSFER_LINES, TRANSFERS
from policies.delivery import EVERY_DAY, DeliveryCalendar
from policies.domain.errors import InvalidInput
from policies.domain.forecast import Forecast, SalesPanel
from policies.domain.ledger import CUSTOMER, MovementColumns, MovementKind
from policies.domain.network import DAY_SECONDS, BoolArray, Network
from policies.domain.panel import out_of_stock_percent
from policies.domain.view import NetworkView

Ints = npt.NDArray[np.int64]
SALES_HISTORY = "sales-history"
"""Name of the artefact that holds the panel from before the ledger began."""


@dataclass(frozen=True)
class Book:
    """(L, K) int64 arrays of one moment."""

    on_hand: Ints
    in_transit: Ints
    on_order: Ints
    reserved: Ints
    blocked: Ints

    @property
    def free(self) -> Ints:
        """Units that may be sold or sent."""
        return self.on_hand - self.reserved - self.blocked


def view_from_sql(
    connection: Connection,
    network: Network,
    as_of_s: int,
    known_at_s: int | None = None,
    *,
    calendar: DeliveryCalendar = EVERY_DAY,
    forecast: Forecast | None = None,
    scope: BoolArray | None = None,
    everyone_due: bool = False,
    recent_routes: tuple[tuple[int, ...], ...] = (),
) -> NetworkView:
    """The network as the service's book shows it.

    Parameters
    ----------
    as_of_s : int, seconds of wall clock since day 0
    known_at_s : int or None, rows recorded later do not count; None = `as_of_s`
    everyone_due : review every location, for a decision out of turn
    recent_routes : tours of the last nights, where the policy minds changed ones
    """
    book = book_from_sql(connection, network, Moment.of(network, as_of_s, known_at_s))
    places = network.shape[0]
    due = (
        np.ones(places, dtype=np.bool_)
        if everyone_due
        else calendar.review_due(network, as_of_s // DAY_SECONDS)
    )
    return NetworkView(
        as_of_s=as_of_s,
        network=network,
        on_hand=book.on_hand.astype(np.int32),
        in_transit=book.in_transit.astype(np.int32),
        on_order=book.on_order.astype(np.int32),
        backorders=np.zeros(network.shape, dtype=np.int32),
        reserved=book.reserved.astype(np.int32),
        blocked=book.blocked.astype(np.int32) if book.blocked.any() else None,
        review_due=due,
        protection_days=calendar.protection_days(network, as_of_s // DAY_SECONDS),
        scope=scope,
        forecast=forecast,
        recent_routes=recent_routes,
    )


def book_from_sql(connection: Connection, network: Network, moment: Moment) -> Book:
    """Stock, goods on the road, open orders, and promises to stores and customers."""
    axis = Axis(network)
    on_hand, in_transit = _balances(connection, axis)
    late = _movements_after(connection, moment)
    received_later = np.zeros(axis.shape, dtype=np.int64)
    if late:
        origin, destination, sku, quantity, condition, kind, document = map(
            tuple, zip(*late, strict=True)
        )
        goods, amount = axis.skus(sku), np.array(quantity, dtype=np.int64)
        good = np.array([value == "good" for value in condition])
        for names, sign in ((origin, -1), (destination, 1)):
            place, road = _ends(axis, names)
            on_hand -= sign * axis.sum(np.where(good, place, -1), goods, amount)
            in_transit -= sign * axis.sum(road, goods, amount)
        received_later = _ordered_receipts(
            connection, axis, moment, kind, document, destination, late
        )
    open_transfers = _open_transfers(connection, axis, moment)
    purchases = _open_purchases(connection, axis, moment) + received_later
    return Book(
        on_hand,
        in_transit,
        in_transit + open_transfers[0] + purchases,
        open_transfers[1] + _promised(connection, axis, moment),
        blocked_units(connection, network, axis, moment),
    )


def panel_from_sql(
    connection: Connection,
    network: Network,
    as_of_s: int,
    days: int,
    known_at_s: int | None = None,
    reader: LedgerReader | None = None,
) -> SalesPanel:
    """Sales and time out of stock of the `days` days up to the day of `as_of_s`.

    Days before the ledger come from the kept history (with no time out of stock known),
    and are left out where there is none. Sales that were reversed do not count.
    """
    ledger = reader if reader is not None else LedgerReader(network)
    ledger.refresh(connection)
    rows = ledger.columns().known(as_of_s, known_at_s)
    last = as_of_s // DAY_SECONDS
    begins = int(rows.occurred_at_s.min()) // DAY_SECONDS if len(rows) else last
    first, sold, out = panel_before_ledger(connection, network, begins, last, days)
    if len(rows):
        add_sales(sold, first, rows)
        live = max(first, begins)
        out[live - first :] = out_of_stock_percent(network, rows, live, as_of_s)
    return SalesPanel(last, sold, out)


def panel_before_ledger(
    connection: Connection, network: Network, begins: int, last: int, days: int
) -> tuple[int, npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """A panel of at most `days` days up to `last` that knows what was sold before the ledger.

    Parameters
    ----------
    begins : int, the ledger's first day

    Returns
    -------
    (its first day, (D, L, K) units sold, (D, L, K) percent of the time out of stock: 0)
    """
    history = read_sales_history(connection)
    if history is not None and history[0].shape[1:] == network.shape:
        oldest = min(begins, history[1] - len(history[0]) + 1)
    else:
        history, oldest = None, begins
    first = max(last - days + 1, min(oldest, last))
    sold = np.zeros((last - first + 1, *network.shape), dtype=np.int32)
    if history is not None:
        _add_history(sold, first, *history)
    return first, sold, np.zeros(sold.shape, dtype=np.uint8)


def keep_sales_history(
    connection: Connection, network: Network, sold: npt.NDArray[np.integer], last_day: int, at: int
) -> None:
    """Store what was sold before the ledger began, (H, L, K), newest day last."""
    if sold.ndim != 3 or sold.shape[1:] != network.shape:
        raise InvalidInput(
            f"sold has shape {sold.shape}, expected (H, {network.shape[0]}, {network.shape[1]})",
            field="sold",
        )
    out = io.BytesIO()
    np.savez_compressed(out, sold=sold.astype(np.int32), last_day=np.int64(last_day))
    content = out.getvalue()
    connection.execute(ARTEFACTS.delete().where(ARTEFACTS.c.name == SALES_HISTORY))
    connection.execute(
        ARTEFACTS.insert().values(
            name=SALES_HISTORY,
            sha256=hashlib.sha256(content).hexdigest(),
            content=content,
            recorded_at=at,
        )
    )


def read_sales_history(connection: Connection) -> tuple[npt.NDArray[np.int32], int] | None:
    """((H, L, K) int32, day number of its last day) or None."""
    found = connection.execute(
        select(ARTEFACTS.c.content).where(ARTEFACTS.c.name == SALES_HISTORY)
    ).first()
    if found is None:
        return None
    with np.load(io.BytesIO(found.content), allow_pickle=False) as file:
        return file["sold"], int(file["last_day"])


def _add_history(
    out: npt.NDArray[np.int32], first: int, sold: npt.NDArray[np.int32], last: int
) -> None:
    """Add what was sold on the days up to `last` to a panel that begins on day `first`."""
    begins = last - len(sold) + 1
    low, high = max(first, begins), min(first + len(out) - 1, last)
    if low <= high:
        out[low - first : high - first + 1] += sold[low - begins : high - begins + 1]


def add_sales(out: npt.NDArray[np.int32], first: int, rows: MovementColumns) -> None:
    """Add what tills posted, less what was reversed."""
    day = rows.occurred_at_s // DAY_SECONDS - first
    inside = (day >= 0) & (day < len(out))
    sale = inside & (rows.kind == MovementKind.SELL)
    undone = inside & (rows.kind == MovementKind.REVERSE) & (rows.from_location == CUSTOMER)
    for mask, place, sign in ((sale, rows.from_location, 1), (undone, rows.to_location, -1)):
        np.add.at(out, (day[mask], place[mask], rows.sku[mask]), sign * rows.quantity[mask])
    # A return that was itself reversed could dip below; a panel has no negative sales.
    np.maximum(out, 0, out=out)


def _ends(axis: Axis, names: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Positions where the name is a location, and of the destination where it is a lane."""
    place = axis.places(names)
    road = axis.places(tuple(name.rpartition(">")[2] if is_transit(name) else "" for name in names))
    return place, road


def _balances(connection: Connection, axis: Axis) -> tuple[Ints, Ints]:
    """(on hand, in transit) of this moment, good stock only."""
    b = BALANCES.c
    rows = connection.execute(
        select(b.location, b.sku, b.on_hand).where(b.condition == "good", b.on_hand > 0)
    ).fetchall()
    if not rows:
        return np.zeros(axis.shape, dtype=np.int64), np.zeros(axis.shape, dtype=np.int64)
    names, sku, quantity = map(tuple, zip(*rows, strict=True))
    place, road = _ends(axis, names)
    goods, amount = axis.skus(sku), np.array(quantity, dtype=np.int64)
    return axis.sum(place, goods, amount), axis.sum(road, goods, amount)


def _movements_after(connection: Connection, moment: Moment) -> list[Any]:
    """Book rows that happened or were recorded after the moment."""
    m = MOVEMENTS.c
    query = select(
        m.from_location,
        m.to_location,
        m.sku,
        m.quantity,
        m.condition,
        m.kind,
        m.document_id,
    ).where(
        m.run_id == ACTUAL,
        m.visibility == 0,
        or_(m.occurred_at > moment.as_of, m.recorded_at > moment.known_at),
    )
    return list(connection.execute(query).fetchall())


def _ordered_receipts(
    connection: Connection,
    axis: Axis,
    moment: Moment,
    kind: tuple[int, ...],
    document: tuple[str, ...],
    destination: tuple[str, ...],
    late: list[Any],
) -> Ints:
    """(L, K) units that came in after the moment on orders made before it: then on order."""
    rows = [i for i, value in enumerate(kind) if value == MovementKind.RECEIVE]
    if not rows:
        return np.zeros(axis.shape, dtype=np.int64)
    names = sorted({document[i] for i in rows})
    with_order = {
        row.id
        for part in range(0, len(names), 500)
        for row in connection.execute(
            select(PURCHASE_ORDERS.c.id).where(
                PURCHASE_ORDERS.c.id.in_(names[part : part + 500]),
                PURCHASE_ORDERS.c.approved_at <= moment.as_of,
            )
        )
    }
    rows = [i for i in rows if document[i] in with_order]
    place = axis.places(tuple(destination[i] for i in rows))
    goods = axis.skus(tuple(late[i][2] for i in rows))
    return axis.sum(place, goods, np.array([late[i][3] for i in rows], dtype=np.int64))


def _open_transfers(connection: Connection, axis: Axis, moment: Moment) -> tuple[Ints, Ints]:
    """(on order at destinations, reserved at origins): approved and not shipped."""
    t, line = TRANSFERS.c, TRANSFER_LINES.c
    still_open = and_(
        t.approved_at <= moment.as_of,
        or_(t.shipped_at.is_(None), t.shipped_at > moment.as_of),
        or_(t.closed_at.is_(None), t.closed_at > moment.as_of),
    )
    rows = connection.execute(
        select(t.origin, t.destination, line.sku, line.approved)
        .select_from(TRANSFERS.join(TRANSFER_LINES, t.id == line.transfer_id))
        .where(still_open, line.approved > 0)
    ).fetchall()
    zero = np.zeros(axis.shape, dtype=np.int64)
    if not rows:
        return zero, zero
    origin, destination, sku, quantity = map(tuple, zip(*rows, strict=True))
    goods, amount = axis.skus(sku), np.array(quantity, dtype=np.int64)
    return (
        axis.sum(axis.places(destination), goods, amount),
        axis.sum(axis.places(origin), goods, amount),
    )


def _promised(connection: Connection, axis: Axis, moment: Moment) -> Ints:
    """(L, K) units kept for customers: promised by then, and not past their end.

    As they stand in the book now: what a promise held is forgotten when it ends.
    """
    h, r = RESERVATION_HEADS.c, RESERVATIONS.c
    rows = connection.execute(
        select(r.location, r.sku, r.quantity)
        .select_from(RESERVATIONS.join(RESERVATION_HEADS, h.id == r.document_id))
        .where(
            h.state == "open",
            h.created_at <= min(moment.as_of, moment.known_at),
            h.expires_at > moment.as_of,
        )
        .where(r.quantity > 0)
    ).fetchall()
    if not rows:
        return np.zeros(axis.shape, dtype=np.int64)
    place, sku, quantity = map(tuple, zip(*rows, strict=True))
    return axis.sum(axis.places(place), axis.skus(sku), np.array(quantity, dtype=np.int64))


def _open_purchases(connection: Connection, axis: Axis, moment: Moment) -> Ints:
    """(L, K) units ordered from suppliers and not received as of now."""
    p, line = PURCHASE_ORDERS.c, PURCHASE_LINES.c
    missing = line.ordered - line.received - line.closed_short
    rows = connection.execute(
        select(p.destination, line.sku, missing)
        .select_from(PURCHASE_ORDERS.join(PURCHASE_LINES, p.id == line.purchase_order_id))
        .where(
            p.approved_at <= moment.as_of,
            # A delivery that ended the order ended it also where it came short.
            or_(p.received_at.is_(None), p.received_at > moment.as_of),
            or_(p.closed_at.is_(None), p.closed_at > moment.as_of),
            missing > 0,
        )
    ).fetchall()
    if not rows:
        return np.zeros(axis.shape, dtype=np.int64)
    destination, sku, quantity = map(tuple, zip(*rows, strict=True))
    return axis.sum(axis.places(destination), axis.skus(sku), np.array(quantity, dtype=np.int64))
