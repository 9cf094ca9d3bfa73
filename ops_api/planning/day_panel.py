"""The forecast's panel from a ledger of any length: one day of rows in memory at a time.

The same as :func:`ops_api.planning.view.panel_from_sql`, which goes through all rows of a
reader that holds the ledger; tests hold the two equal.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ops_api.planning.day_book import DayBook
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.planning.view import add_sales, panel_before_ledger, panel_from_sql
from ops_api.planning.wallclock import WallClock
from policies.domain.day_walk import percent_out_of_stock
from policies.domain.forecast import SalesPanel
from policies.domain.network import DAY_SECONDS, Network


def sales_panel(
    connection: Connection, network: Network, as_of_s: int, days: int, reader: LedgerReader | None
) -> SalesPanel:
    """The panel from whoever holds the ledger's rows, or else from single days."""
    if reader is None:
        return panel_by_day(connection, network, as_of_s, days)
    return panel_from_sql(connection, network, as_of_s, days, reader=reader)


def panel_by_day(
    connection: Connection,
    network: Network,
    as_of_s: int,
    days: int,
    known_at_s: int | None = None,
    book: DayBook | None = None,
) -> SalesPanel:
    """Sales and time out of stock of the `days` days up to the day of `as_of_s`.

    Parameters
    ----------
    known_at_s : int or None, rows recorded later do not count; None = `as_of_s`
    book : DayBook or None, one that has been asked before
    """
    known_s = as_of_s if known_at_s is None else known_at_s
    known = WallClock(network).epoch(known_s)
    days_of = book if book is not None else DayBook(network)
    found = days_of.stock_before(connection, days, as_of_s, known_s)
    last = as_of_s // DAY_SECONDS
    live = last if found is None else found[0]
    first, sold, out = panel_before_ledger(connection, network, live, last, days)
    if found is None:
        return SalesPanel(last, sold, out)
    stock = found[1]
    for day in range(live, last + 1):
        rows = days_of.columns_of(days_of.rows_of(connection, day, known)[0])
        rows = rows.known(as_of_s, known_s)
        add_sales(sold[day - first : day - first + 1], day, rows)
        out[day - first], stock = percent_out_of_stock(network, rows, day, stock, as_of_s)
    return SalesPanel(last, sold, out)
