"""Day facts of the live service, and facts that are kept beside them.

Actual facts come from the ledger through the same projector that the twin is held to
(:func:`policies.domain.panel.day_facts`). Kept facts are whole blobs: the simulated
history before the ledger began, and the promise of each replication of the twin.
"""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert, select

from ops_api.planning.ledger_columns import LedgerReader, documents_from_sql
from ops_api.planning.tables import FORECASTS, KEPT_FACTS, PLANS
from ops_api.planning.view import read_sales_history
from policies.domain.errors import InvalidInput
from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from policies.domain.forecast import Forecast
from policies.domain.ledger import CUSTOMER, MovementColumns, MovementKind
from policies.domain.network import DAY_SECONDS, Network
from policies.domain.panel import FactBook, day_facts, document_facts

Ints = npt.NDArray[np.int64]
HISTORY, PROMISE = "history", "promise"


def day_facts_from_sql(
    connection: Connection,
    network: Network,
    first_day: int,
    last_day: int,
    known_at_s: int,
    reader: LedgerReader | None = None,
) -> DayFacts:
    """Observable facts of the days `first_day` … `last_day`, as known at `known_at_s`.

    Parameters
    ----------
    reader : LedgerReader or None, one that has read most of the ledger already
    """
    if last_day < first_day:
        raise InvalidInput("the last day lies before the first", field="last_day")
    ledger = reader if reader is not None else LedgerReader(network)
    ledger.refresh(connection)
    movements, prices = ledger.columns(), ledger.price_cents()
    history = read_sales_history(connection)
    return day_facts(
        network,
        movements,
        documents_from_sql(connection, network, known_at_s),
        first_day,
        last_day,
        known_at_s=known_at_s,
        forecast_milliunits=_expected(connection, network, first_day, last_day),
        revenue_cents=revenue(network, movements, prices, first_day, last_day, known_at_s),
        sold_before=None if history is None else history[0],
    )


def facts_beside_ledger(
    connection: Connection, network: Network, first_day: int, last_day: int, known_at_s: int
) -> FactBook:
    """What documents and forecasts add to the facts of the days `first_day` … `last_day`."""
    book = FactBook(network, last_day - first_day + 1, first_day)
    document_facts(book, network, documents_from_sql(connection, network, known_at_s))
    expected = _expected(connection, network, first_day, last_day)
    if expected is not None:
        book.sku[..., SKU_FACTS.index("forecast_milliunits")] = expected
    return book


def keep_facts(
    connection: Connection,
    source: str,
    name: str,
    runs: list[DayFacts],
    *,
    is_simulated: bool,
    at: int,
) -> None:
    """Store facts under (source, name), one row a replication; what was there is replaced."""
    connection.execute(
        delete(KEPT_FACTS).where(KEPT_FACTS.c.source == source, KEPT_FACTS.c.name == name)
    )
    rows = []
    for replication, facts in enumerate(runs):
        content = pack_facts(facts)
        rows.append(
            {
                "source": source,
                "name": name,
                "replication": replication,
                "first_day": facts.first_day,
                "days": facts.days,
                "is_simulated": is_simulated,
                "sha256": hashlib.sha256(content).hexdigest(),
                "recorded_at": at,
                "content": content,
            }
        )
    if rows:
        connection.execute(insert(KEPT_FACTS), rows)


def kept_facts(connection: Connection, source: str, name: str | None = None) -> list[DayFacts]:
    """Facts kept under a source (and a name), by replication."""
    k = KEPT_FACTS.c
    query = select(k.content).where(k.source == source).order_by(k.name, k.replication)
    if name is not None:
        query = query.where(k.name == name)
    return [unpack_facts(row.content) for row in connection.execute(query)]


def pack_facts(facts: DayFacts) -> bytes:
    """Day facts as bytes: JSON for the words, NumPy for the arrays."""
    words = json.dumps(
        {
            "first_day": facts.first_day,
            "locations": facts.locations,
            "categories": facts.categories,
            "has_latent": facts.has_latent,
            "as_known_at_s": facts.as_known_at_s,
            "sku_facts": SKU_FACTS,
            "location_facts": LOCATION_FACTS,
        },
        sort_keys=True,
    )
    out = io.BytesIO()
    np.savez_compressed(
        out,
        words=np.frombuffer(words.encode(), dtype=np.uint8),
        sku=facts.sku_facts,
        location=facts.location_facts,
    )
    return out.getvalue()


def unpack_facts(content: bytes) -> DayFacts:
    """The day facts of :func:`pack_facts`; facts that did not exist then read 0."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        words, sku, place = json.loads(file["words"].tobytes()), file["sku"], file["location"]
    return DayFacts(
        words["first_day"],
        tuple(words["locations"]),
        tuple(words["categories"]),
        _in_order(sku, words["sku_facts"], SKU_FACTS),
        _in_order(place, words["location_facts"], LOCATION_FACTS),
        words["has_latent"],
        words["as_known_at_s"],
    )


def _in_order(stored: Ints, names: list[str], wanted: tuple[str, ...]) -> Ints:
    if tuple(names) == wanted:
        return stored
    out = np.zeros((*stored.shape[:-1], len(wanted)), dtype=np.int64)
    for i, name in enumerate(wanted):
        if name in names:
            out[..., i] = stored[..., names.index(name)]
    return out


def revenue(
    network: Network,
    rows: MovementColumns,
    price_cents: Ints,
    first_day: int,
    last_day: int,
    known_at_s: int,
) -> Ints:
    """(D, L, C) int64 cents that tills took, less what they gave back: net sales."""
    shape = (last_day - first_day + 1, network.shape[0], len(network.skus.categories))
    out = np.zeros(shape, dtype=np.int64)
    day = rows.occurred_at_s // DAY_SECONDS - first_day
    known = (rows.recorded_at_s <= known_at_s) & (day >= 0) & (day < shape[0])
    known &= np.isin(rows.kind, _AT_TILLS)
    taken, given = known & (rows.to_location == CUSTOMER), known & (rows.from_location == CUSTOMER)
    for mask, place, sign in ((taken, rows.from_location, 1), (given, rows.to_location, -1)):
        category = network.skus.category[rows.sku[mask]]
        money = sign * rows.quantity[mask] * price_cents[mask]
        np.add.at(out, (day[mask], place[mask], category), money)
    return out


_AT_TILLS = [MovementKind.SELL, MovementKind.CUSTOMER_RETURN, MovementKind.REVERSE]


def _expected(
    connection: Connection, network: Network, first_day: int, last_day: int
) -> Ints | None:
    """(D, L, C) int64 thousandths of units expected by the last issue before each day's end."""
    f = FORECASTS.c
    acting = select(PLANS.c.release_id).where(PLANS.c.stage == "active")
    rows = connection.execute(
        select(f.issued_day, f.content)
        .where(f.issued_day <= last_day + 1, f.release_id.in_(acting))
        .order_by(f.issued_day, f.recorded_at)
    ).fetchall()
    if not rows:
        return None
    issued = np.array([row.issued_day for row in rows])
    places, categories = network.shape[0], len(network.skus.categories)
    key = (np.arange(places)[:, None] * categories + network.skus.category).ravel()
    out = np.zeros((last_day - first_day + 1, places, categories), dtype=np.int64)
    # An issue made in the evening of a day is that day's, as in the twin.
    newest = np.searchsorted(issued, np.arange(first_day, last_day + 1) + 1, side="right") - 1
    for at in np.unique(newest[newest >= 0]).tolist():
        forecast = unpack_forecast(rows[at].content)
        level = np.bincount(key, forecast.level.ravel(), places * categories)
        for d in np.flatnonzero(newest == at).tolist():
            weekday = forecast.weekday[:, (forecast.first_weekday + first_day + d) % 7, None]
            out[d] = np.rint(level.reshape(places, categories) * weekday * 1e3)
    return out


def pack_forecast(forecast: Forecast) -> bytes:
    """A frozen forecast as bytes."""
    words = json.dumps([forecast.issued_day, forecast.first_weekday, forecast.provenance])
    out = io.BytesIO()
    np.savez_compressed(
        out,
        words=np.frombuffer(words.encode(), dtype=np.uint8),
        level=forecast.level,
        weekday=forecast.weekday,
        variance_ratio=forecast.variance_ratio,
    )
    return out.getvalue()


def unpack_forecast(content: bytes) -> Forecast:
    """The forecast of :func:`pack_forecast`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        issued_day, first_weekday, provenance = json.loads(file["words"].tobytes())
        return Forecast(
            issued_day,
            first_weekday,
            file["level"],
            file["weekday"],
            file["variance_ratio"],
            provenance,
        )
