"""The ledger in the domain's columns, out and in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, Engine, insert, select

from ops_api.database import reading, writing
from ops_api.ledger.chain import MOVEMENT_FIELDS, append_links
from ops_api.ledger.rows import ACTUAL, Row, chain_of, derived_id
from ops_api.ledger.schema import MOVEMENTS
from ops_api.ledger.write import balance_changes, move_balances
from policies.domain.ledger import MovementColumns, location_code, location_name
from policies.domain.network import Network

_BATCH = 20_000


def local_seconds(network: Network, utc: Iterable[int]) -> npt.NDArray[np.int64]:
    """Seconds of local wall clock since day 0 of whole seconds of UTC since 1970."""
    stamps = pd.to_datetime(pd.Series(list(utc), dtype="int64"), unit="s", utc=True)
    wall = stamps.dt.tz_convert(ZoneInfo(network.tz)).dt.tz_localize(None)
    start = pd.Timestamp(network.start_date)
    return np.asarray(((wall - start) / pd.Timedelta(seconds=1)).round(), dtype=np.int64)


def utc_seconds(network: Network, local: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Inverse of :func:`local_seconds`; the repeated hour takes its first pass."""
    start = pd.Timestamp(network.start_date)
    wall = pd.Series(start + pd.to_timedelta(np.asarray(local), unit="s"))
    aware = wall.dt.tz_localize(
        ZoneInfo(network.tz), ambiguous=np.ones(len(wall), dtype=bool), nonexistent="shift_forward"
    )
    epoch = pd.Timestamp(dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    seconds = (aware.dt.tz_convert("UTC") - epoch) / pd.Timedelta(seconds=1)
    return np.asarray(seconds.round(), dtype=np.int64)


def export_columns(
    source: Engine | Connection, network: Network, known_at: int | None = None, run_id: str = ACTUAL
) -> MovementColumns:
    """Movements of a run in the order they were recorded.

    Parameters
    ----------
    known_at : whole seconds of UTC since 1970; rows recorded later are left out
    """
    if isinstance(source, Engine):
        with reading(source) as connection:
            return export_columns(connection, network, known_at, run_id)
    m = MOVEMENTS.c
    query = (
        select(
            m.kind,
            m.visibility,
            m.sku,
            m.from_location,
            m.to_location,
            m.quantity,
            m.occurred_at,
            m.recorded_at,
            m.document_id,
        )
        .where(m.run_id == run_id)
        .order_by(m.seq)
    )
    if known_at is not None:
        query = query.where(m.recorded_at <= known_at)
    table = pd.read_sql(query, source)
    index = {name: i for i, name in enumerate(network.locations.ids)}
    skus = {name: i for i, name in enumerate(network.skus.ids)}
    places = {
        name: location_code(name, index)
        for name in {*table.from_location.unique(), *table.to_location.unique()}
    }
    documents, _ = pd.factorize(table.document_id.replace("", None))
    return MovementColumns(
        table.kind.to_numpy(np.int8),
        table.visibility.to_numpy(np.int8),
        np.asarray(table.sku.map(skus), dtype=np.int32),
        np.asarray(table.from_location.map(places), dtype=np.int32),
        np.asarray(table.to_location.map(places), dtype=np.int32),
        table.quantity.to_numpy(np.int32),
        local_seconds(network, table.occurred_at),
        local_seconds(network, table.recorded_at),
        np.asarray(documents, dtype=np.int32),
    )


def import_columns(
    engine: Engine, network: Network, columns: MovementColumns, run_id: str = ACTUAL
) -> int:
    """Load domain columns as rows of a run; returns how many.

    Rows of :data:`ACTUAL` move the balances; simulated history carries its own run id
    and does not.
    """
    ids = network.locations.ids
    occurred = utc_seconds(network, columns.occurred_at_s)
    recorded = utc_seconds(network, columns.recorded_at_s)
    names = {
        int(code): location_name(int(code), ids)
        for code in np.unique(np.concatenate([columns.from_location, columns.to_location]))
    }
    total = len(columns)
    for start in range(0, total, _BATCH):
        rows = [
            _row(network, columns, i, names, int(occurred[i]), int(recorded[i]), run_id)
            for i in range(start, min(start + _BATCH, total))
        ]
        with writing(engine) as connection:
            append_links(connection, rows, MOVEMENT_FIELDS)
            connection.execute(insert(MOVEMENTS), rows)
            if run_id == ACTUAL:
                move_balances(connection, balance_changes(rows), {})
    return total


def _row(
    network: Network,
    columns: MovementColumns,
    i: int,
    names: dict[int, str],
    occurred: int,
    recorded: int,
    run_id: str,
) -> Row:
    document = int(columns.document[i])
    out: Row = {
        "movement_id": derived_id(run_id, i),
        "run_id": run_id,
        "visibility": int(columns.visibility[i]),
        "occurred_at": occurred,
        "recorded_at": recorded,
        "kind": int(columns.kind[i]),
        "sku": network.skus.ids[int(columns.sku[i])],
        "from_location": names[int(columns.from_location[i])],
        "to_location": names[int(columns.to_location[i])],
        "quantity": int(columns.quantity[i]),
        "lot": "",
        "serial": "",
        "condition": "good",
        "owner": "",
        "document_id": "" if document < 0 else f"{run_id}-{document}",
        "sscc": "",
        "actor": "",
        "device": "",
        "reverses": "",
    }
    out["chain"] = chain_of(out)
    return out
