"""The projector ledger + documents → day facts, for twin columns and SQL alike.

A day is a calendar day of the network's zone. "Closing" is its end: every movement
that occurred on the day counts. Facts of a line fall on the day it ships or is cut
(order fill), is received (transfers, lead time) or is placed (purchases).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.documents import Documents
from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from policies.domain.ledger import CUSTOMER, MovementColumns, MovementKind, Visibility
from policies.domain.network import DAY_SECONDS, Network
from policies.domain.stock import SLOW_WINDOW_DAYS, is_slow, through_day

Ints = npt.NDArray[np.int64]


def day_facts(
    network: Network,
    movements: MovementColumns,
    documents: Documents,
    first_day: int,
    last_day: int,
    *,
    known_at_s: int,
    forecast_milliunits: Ints | None = None,
    revenue_cents: Ints | None = None,
    sold_before: npt.NDArray[np.integer] | None = None,
) -> DayFacts:
    """Observable facts of the days `first_day` … `last_day`.

    Parameters
    ----------
    network : Network
    movements : MovementColumns, all book rows since the ledger began
    documents : Documents
    first_day, last_day : int, day numbers, inclusive
    known_at_s : int, rows recorded later do not count
    forecast_milliunits : (D, L, C) int64, optional
    revenue_cents : (D, L, C) int64, optional
        What tills took, net of discounts: a sale's value is a side table of the ledger.
    sold_before : (H, L, K) integer, optional
        Units sold on the H days before the first movement's day, newest last, for
        the slow-mover window.
    """
    rows = movements.where(
        (movements.visibility == Visibility.BOOK) & (movements.recorded_at_s <= known_at_s)
    )
    days = last_day - first_day + 1
    places, categories = network.shape[0], len(network.skus.categories)
    book = FactBook(network, days, first_day)
    _stock_facts(book, network, rows, sold_before)
    sales_facts(book, rows)
    document_facts(book, network, documents)
    for name, given in (
        ("forecast_milliunits", forecast_milliunits),
        ("revenue_cents", revenue_cents),
    ):
        if given is not None:
            book.sku[..., SKU_FACTS.index(name)] = given
    sku = book.sku.reshape(days, places, categories, len(SKU_FACTS))
    return DayFacts(
        first_day,
        network.locations.ids,
        network.skus.categories,
        sku,
        book.location,
        False,
        known_at_s,
    )


class FactBook:
    """Accumulator of facts with bounds-checked day, location and category."""

    def __init__(self, network: Network, days: int, first_day: int) -> None:
        shape = (days, network.shape[0], len(network.skus.categories))
        self.sku = np.zeros((*shape, len(SKU_FACTS)), dtype=np.int64)
        self.location = np.zeros((*shape[:2], len(LOCATION_FACTS)), dtype=np.int64)
        self.first_day, self.days = first_day, days
        self.category = network.skus.category
        self.cost = network.skus.unit_cost_cents.astype(np.int64)
        self.pack = network.skus.pack_size.astype(np.int64)

    def add(self, fact: str, at_s: Ints, location: Ints, sku: Ints, amount: Ints | int) -> None:
        """Add `amount` per row to `fact` on the day of `at_s`; other days are left out."""
        day = np.asarray(at_s, dtype=np.int64) // DAY_SECONDS - self.first_day
        ok = (day >= 0) & (day < self.days) & (np.asarray(location) >= 0)
        amounts = np.broadcast_to(amount, day.shape)[ok]
        where = (day[ok], location[ok], self.category[sku[ok]])
        np.add.at(self.sku[..., SKU_FACTS.index(fact)], where, amounts)

    def add_location(self, fact: str, at_s: Ints, location: Ints, amount: Ints | int) -> None:
        """Add `amount` per row to a location fact."""
        day = np.asarray(at_s, dtype=np.int64) // DAY_SECONDS - self.first_day
        ok = (day >= 0) & (day < self.days)
        amounts = np.broadcast_to(amount, day.shape)[ok]
        where = (day[ok], location[ok])
        np.add.at(self.location[..., LOCATION_FACTS.index(fact)], where, amounts)


def sales_facts(book: FactBook, rows: MovementColumns) -> None:
    """Facts that single movements carry."""
    cost = book.cost[rows.sku]
    quantity = rows.quantity.astype(np.int64)
    sale = rows.kind == MovementKind.SELL
    at, place, sku = rows.occurred_at_s, rows.from_location, rows.sku
    book.add("units_sold", at[sale], place[sale], sku[sale], quantity[sale])
    book.add("cost_of_goods_sold_cents", at[sale], place[sale], sku[sale], (quantity * cost)[sale])
    # A voided sale was none; goods brought back were sold all the same.
    void = (rows.kind == MovementKind.REVERSE) & (rows.from_location == CUSTOMER)
    back = rows.to_location[void]
    book.add("units_sold", at[void], back, sku[void], -quantity[void])
    book.add("cost_of_goods_sold_cents", at[void], back, sku[void], -(quantity * cost)[void])
    waste = rows.kind == MovementKind.WRITE_OFF
    book.add("write_off_units", at[waste], place[waste], sku[waste], quantity[waste])
    book.add("write_off_cents", at[waste], place[waste], sku[waste], (quantity * cost)[waste])
    found = rows.kind == MovementKind.ADJUST
    missing = found & (rows.from_location >= 0)
    surplus = found & (rows.to_location >= 0)
    worth = quantity * cost
    book.add("count_loss_cents", at[missing], place[missing], sku[missing], worth[missing])
    to = rows.to_location
    book.add("count_gain_cents", at[surplus], to[surplus], sku[surplus], worth[surplus])
    came = (rows.kind == MovementKind.RECEIVE) | (rows.kind == MovementKind.RECEIVE_TRANSFER)
    book.add("units_received", at[came], to[came], sku[came], quantity[came])
    cases = -(-quantity // book.pack[rows.sku])
    book.add("cases_received", at[came], to[came], sku[came], cases[came])


def document_facts(book: FactBook, network: Network, documents: Documents) -> None:
    """Facts of orders, transfers, counts and stops."""
    lines = documents.transfers
    done = lines.shipped_s >= 0
    at, to, sku = lines.shipped_s[done], lines.destination[done], lines.sku[done]
    ordered, shipped = lines.ordered[done], lines.shipped[done]
    book.add("order_units", at, to, sku, ordered)
    book.add("filled_units", at, to, sku, np.minimum(shipped, ordered))
    book.add("order_lines", at, to, sku, 1)
    book.add("filled_lines", at, to, sku, (shipped >= ordered).astype(np.int64))
    came = lines.received_s >= 0
    at, to, sku = lines.received_s[came], lines.destination[came], lines.sku[came]
    shipped, received = lines.shipped[came], lines.received[came]
    right = (received == shipped) & (shipped == lines.ordered[came])
    book.add("transfer_lines_received", at, to, sku, 1)
    book.add("transfer_lines_right", at, to, sku, right.astype(np.int64))
    book.add("transfer_units_shipped", at, to, sku, shipped)
    book.add("transfer_units_off", at, to, sku, np.abs(received - shipped))
    book.add("replenishment_lines", at, to, sku, 1)
    book.add("replenishment_seconds", at, to, sku, at - lines.need_s[came])
    stored = (network.locations.source[lines.origin[came]] < 0) & (lines.origin[came] >= 0)
    cases = -(-received // book.pack[sku])
    book.add("warehouse_cases", at[stored], to[stored], sku[stored], cases[stored])
    buys = documents.purchases
    book.add("purchase_lines", buys.ordered_s, buys.location, buys.sku, 1)
    counts = documents.counts
    by_risk = counts.is_risk if len(counts.is_risk) else np.zeros_like(counts.at_s)
    book.add("count_lines", counts.at_s, counts.location, counts.sku, 1 - by_risk)
    book.add("risk_count_lines", counts.at_s, counts.location, counts.sku, by_risk)
    exact = (counts.expected == counts.counted) * (1 - by_risk)
    book.add("count_lines_right", counts.at_s, counts.location, counts.sku, exact)
    stops = documents.stops
    book.add_location("route_metres", stops.at_s, stops.location, stops.metres)
    book.add_location("route_seconds", stops.at_s, stops.location, stops.seconds)
    book.add_location("route_starts_micro", stops.at_s, stops.location, stops.starts_micro)
    book.add_location("empty_metres", stops.at_s, stops.location, stops.empty_metres)
    book.add_location("stops", stops.at_s, stops.location, 1)
    book.add_location("stops_on_time", stops.at_s, stops.location, stops.is_on_time)


def _stock_facts(
    book: FactBook,
    network: Network,
    rows: MovementColumns,
    sold_before: npt.NDArray[np.integer] | None,
) -> None:
    """Closing stock, time in stock, goods on the road, slow movers."""
    places, skus = network.shape
    ends = cell_events(rows, places, skus)
    stores = network.locations.source >= 0
    closing, in_stock = _walk(
        *ends[:3],
        places * skus,
        skus,
        book.first_day,
        book.days,
        network.locations.opens_s.astype(np.int64),
        network.locations.closes_s.astype(np.int64),
    )
    closing = closing.reshape(book.days, places, skus)
    in_stock = in_stock.reshape(book.days, places, skus)
    moving = _daily_transit(rows, places, skus, book)
    sold = _sold_window(network, rows, book, sold_before)
    listed = network.listed & stores[:, None]
    open_s = (network.locations.closes_s - network.locations.opens_s).astype(np.int64)
    worth = closing * book.cost
    before_stock, before_moving = _before(ends, rows, network, book)
    change = np.diff(
        np.concatenate([(before_stock + before_moving)[None], closing + moving]), axis=0
    )
    by_category: dict[str, Ints] = {
        "ranged_sku_days": np.broadcast_to(listed, closing.shape).astype(np.int64),
        "in_stock_sku_days": (listed & (closing > 0)).astype(np.int64),
        "open_sku_seconds": np.broadcast_to(listed * open_s[:, None], closing.shape),
        "in_stock_open_sku_seconds": in_stock * listed,
        "closing_stock_units": closing,
        "closing_stock_cents": worth,
        "in_transit_cents": moving * book.cost,
        "slow_stock_cents": worth * is_slow(closing, sold),
        "stock_change_cents": change * book.cost,
    }
    categories = len(network.skus.categories)
    for name, amount in by_category.items():
        target = book.sku[..., SKU_FACTS.index(name)]
        for category in range(categories):
            target[:, :, category] = amount[:, :, book.category == category].sum(axis=2)


def out_of_stock_percent(
    network: Network, rows: MovementColumns, first_day: int, as_of_s: int
) -> npt.NDArray[np.uint8]:
    """(D, L, K) percent of the open time that a store's listed record stood at 0.

    Days `first_day` … the day of `as_of_s`, of which only the time gone by counts. Rows
    after `as_of_s` must not be given; time open is the whole day's, as tills report it.
    """
    places, skus = network.shape
    last_day = as_of_s // DAY_SECONDS
    days = last_day - first_day + 1
    opens = network.locations.opens_s.astype(np.int64)
    closes = network.locations.closes_s.astype(np.int64)
    cell, at, signed, _ = cell_events(rows, places, skus)
    closing, in_stock = _walk(cell, at, signed, places * skus, skus, first_day, days, opens, closes)
    open_s = np.repeat(closes - opens, skus)
    out = open_s - in_stock
    to_come = np.repeat(np.clip(last_day * DAY_SECONDS + closes - as_of_s, 0, closes - opens), skus)
    out[-1] -= np.where(closing[-1] > 0, 0, to_come)
    share = 100 * out // np.maximum(open_s, 1)
    listed = network.listed & (network.locations.source >= 0)[:, None]
    percent: npt.NDArray[np.uint8] = (share * listed.ravel()).astype(np.uint8)
    return percent.reshape(days, places, skus)


def cell_events(
    rows: MovementColumns, places: int, skus: int
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """(cell, time, signed quantity) of real locations, sorted by cell and time."""
    cell = np.concatenate(
        [
            rows.from_location.astype(np.int64) * skus + rows.sku,
            rows.to_location.astype(np.int64) * skus + rows.sku,
        ]
    )
    real = np.concatenate([rows.from_location >= 0, rows.to_location >= 0])
    at = np.concatenate([rows.occurred_at_s, rows.occurred_at_s])
    signed = np.concatenate([-rows.quantity.astype(np.int64), rows.quantity.astype(np.int64)])
    cell, at, signed = cell[real], at[real], signed[real]
    order = np.lexsort((at, cell))
    return cell[order], at[order], signed[order], real


@njit(cache=True)
def _walk(
    cell: Ints,
    at: Ints,
    signed: Ints,
    cells: int,
    skus: int,
    first_day: int,
    days: int,
    opens_s: Ints,
    closes_s: Ints,
) -> tuple[Ints, Ints]:
    """(D, cells) closing stock and open seconds with stock > 0, exact to the second."""
    closing = np.zeros((days, cells), dtype=np.int64)
    in_stock = np.zeros((days, cells), dtype=np.int64)
    start = 0
    total = len(cell)
    for c in range(cells):
        stock = 0
        place = c // skus
        i = start
        while i < total and cell[i] == c and at[i] < first_day * 86_400:
            stock += signed[i]
            i += 1
        for d in range(days):
            opens = (first_day + d) * 86_400 + opens_s[place]
            closes = (first_day + d) * 86_400 + closes_s[place]
            end = (first_day + d + 1) * 86_400
            stock, in_stock[d, c], i = through_day(
                cell, at, signed, i, c, stock, opens, closes, end
            )
            closing[d, c] = stock
        while i < total and cell[i] == c:
            i += 1
        start = i
    return closing, in_stock


def _daily_transit(rows: MovementColumns, places: int, skus: int, book: FactBook) -> Ints:
    """(D, L, K) int64: on the way to each location at the end of each day."""
    per_day = np.zeros((book.days + 1, places * skus), dtype=np.int64)
    for codes, sign in ((rows.to_location, 1), (rows.from_location, -1)):
        moving = codes <= -1_000
        destination = (-1_000 - codes[moving].astype(np.int64)) % places
        day = rows.occurred_at_s[moving] // DAY_SECONDS - book.first_day + 1
        ok = day <= book.days
        where = (np.maximum(day[ok], 0), destination[ok] * skus + rows.sku[moving][ok])
        np.add.at(per_day, where, sign * rows.quantity[moving][ok].astype(np.int64))
    running = np.cumsum(per_day, axis=0)
    out: Ints = running[1:].reshape(book.days, places, skus)
    return out


def _before(
    ends: tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]],
    rows: MovementColumns,
    network: Network,
    book: FactBook,
) -> tuple[Ints, Ints]:
    """(L, K) stock and goods on the road at the start of the first day.

    A ledger that opens on that very day starts with its opening stock, so that
    opening is not taken for a build-up.
    """
    places, skus = network.shape
    cell, at, signed, _ = ends
    stock = np.zeros(places * skus, dtype=np.int64)
    early = at < book.first_day * DAY_SECONDS
    np.add.at(stock, cell[early], signed[early])
    opened = (rows.kind == MovementKind.OPENING) & (
        rows.occurred_at_s // DAY_SECONDS == book.first_day
    )
    key = rows.to_location[opened].astype(np.int64) * skus + rows.sku[opened]
    np.add.at(stock, key, rows.quantity[opened].astype(np.int64))
    first = FactBook(network, 1, book.first_day - 1)
    return stock.reshape(places, skus), _daily_transit(rows, places, skus, first)[0]


def _sold_window(
    network: Network,
    rows: MovementColumns,
    book: FactBook,
    sold_before: npt.NDArray[np.integer] | None,
) -> Ints:
    """(D, L, K) int64: units sold in the 56 days up to each day, warehouses by their stores."""
    places, skus = network.shape
    history = SLOW_WINDOW_DAYS
    daily = np.zeros((history + book.days, places, skus), dtype=np.int64)
    first = book.first_day - history
    sale = rows.kind == MovementKind.SELL
    day = rows.occurred_at_s[sale] // DAY_SECONDS - first
    ok = (day >= 0) & (day < len(daily))
    where = (day[ok], rows.from_location[sale][ok], rows.sku[sale][ok])
    np.add.at(daily, where, rows.quantity[sale][ok].astype(np.int64))
    if sold_before is not None and len(rows):
        begins = int(rows.occurred_at_s.min()) // DAY_SECONDS
        for back in range(1, len(sold_before) + 1):
            position = begins - back - first
            if 0 <= position < len(daily):
                daily[position] += sold_before[-back]
    source = network.locations.source
    for warehouse in network.warehouses:
        daily[:, warehouse] = daily[:, source == warehouse].sum(axis=1)
    running = np.concatenate([np.zeros((1, places, skus), dtype=np.int64), daily.cumsum(axis=0)])
    # Day d's window is its own day and the 55 before it.
    last = np.arange(history + 1, history + book.days + 1)
    out: Ints = running[last] - running[last - history]
    return out
