"""The ledger as files in the domain's columns, page by page."""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal

import pyarrow as pa
from pyarrow import csv, parquet
from pydantic import Field
from sqlalchemy import select

from ops_api.ledger.rows import ACTUAL
from ops_api.ledger.schema import MOVEMENTS, SALE_VALUES
from ops_api.ledger.settled import settled_up_to
from ops_api.web.body import Strict
from ops_api.web.fields import Cursor, OptionalId
from ops_api.web.registry import Answer, Call, Endpoint, Registry, Rows
from ops_api.web.schemas import JsonObject
from policies.domain.ledger import MovementKind

PARQUET = "application/vnd.apache.parquet"
MOST = 200_000
_TEXT = pa.dictionary(pa.int32(), pa.string())
COLUMNS: dict[str, pa.DataType] = {
    "seq": pa.int64(),
    "movement_id": pa.string(),
    "occurred_at": pa.timestamp("s", tz="UTC"),
    "recorded_at": pa.timestamp("s", tz="UTC"),
    "kind": _TEXT,
    "sku": _TEXT,
    "from_location": _TEXT,
    "to_location": _TEXT,
    "quantity": pa.int64(),
    "lot": _TEXT,
    "serial": pa.string(),
    "condition": _TEXT,
    "owner": _TEXT,
    "document_id": pa.string(),
    "sscc": pa.string(),
    "reverses": pa.string(),
    "unit_price_cents": pa.int64(),
}
"""Columns of the file. Who moved goods stays behind: actors are people."""


class LedgerQuery(Strict):
    """Rows after a number: the last `seq` of one file is the `after` of the next."""

    form: Literal["csv", "parquet"] = "parquet"
    location: OptionalId = ""
    after: Cursor = 0
    limit: Annotated[int, Field(ge=1, le=MOST)] = MOST


def register(registry: Registry) -> None:
    """Add the endpoint."""
    registry.add(
        Endpoint(
            name="export_ledger",
            method="GET",
            path="/exports/ledger",
            permission="movement.read",
            scope=Rows(),
            handler=export_ledger,
            statuses=(200,),
            answer=JsonObject,
            query=LedgerQuery,
            gives=(PARQUET, "text/csv"),
        )
    )


def export_ledger(call: Call) -> Answer:
    """Movements within reach in the order of recording, as Parquet or CSV."""
    query: LedgerQuery = call.query
    table = ledger_table(call, query)
    out = io.BytesIO()
    if query.form == "csv":
        plain = [f.with_type(pa.string()) if f.type == _TEXT else f for f in table.schema]
        csv.write_csv(table.cast(pa.schema(plain)), out)
        media = "text/csv; charset=utf-8"
    else:
        parquet.write_table(table, out, compression="zstd")
        media = PARQUET
    name = f"ledger-{query.after}.{query.form}"
    return Answer({}, 200, content=out.getvalue(), media_type=media, file_name=name)


def ledger_table(call: Call, query: LedgerQuery) -> pa.Table:
    """The rows as columns."""
    m = MOVEMENTS.c
    settled = settled_up_to(call.connection, MOVEMENTS, query.after)
    wanted = [m[name] for name in list(COLUMNS)[:-1]]
    found = (
        select(*wanted, SALE_VALUES.c.unit_price_cents)
        .select_from(MOVEMENTS.outerjoin(SALE_VALUES, SALE_VALUES.c.movement_id == m.movement_id))
        .where(m.seq > query.after, m.seq <= settled, m.run_id == ACTUAL, m.visibility == 0)
    )
    if query.location:
        found = found.where((m.from_location == query.location) | (m.to_location == query.location))
    if call.reach is not None:
        reach = sorted(call.reach)
        found = found.where(m.from_location.in_(reach) | m.to_location.in_(reach))
    rows = call.connection.execute(found.order_by(m.seq).limit(query.limit)).fetchall()
    columns: list[Any] = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    words = {int(kind): kind.name.lower() for kind in MovementKind}
    kinds = list(COLUMNS).index("kind")
    columns[kinds] = [words[value] for value in columns[kinds]]
    arrays = [
        pa.array(values, type=kind) for values, kind in zip(columns, COLUMNS.values(), strict=True)
    ]
    return pa.table(arrays, schema=pa.schema(list(COLUMNS.items())))
