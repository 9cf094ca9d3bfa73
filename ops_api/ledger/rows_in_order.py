"""Whole rows of the movements and of the audit trail, each chain's in its own order."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
from sqlalchemy import BigInteger, Connection, Integer, Table, select

from ops_api.bulk import array
from ops_api.ledger.chain import Heads

FRAME = 250_000


def all_rows(connection: Connection, table: Table) -> Iterator[pd.DataFrame]:
    """Every row, by its number: a chain's rows are written in their order."""
    told = str(select(table).order_by(table.c.seq).compile(dialect=connection.dialect))
    yield from _frames(connection, table, told, ())


def rows_after(connection: Connection, table: Table, heads: Heads) -> Iterator[pd.DataFrame]:
    """Rows above these numbers of these chains, each chain's by the index of its own."""
    columns = ", ".join(f"m.{column.name}" for column in table.columns)
    names, numbers = list(heads), [seq for seq, _ in heads.values()]
    if connection.dialect.name == "postgresql":
        # An inner query a chain: a join might scan the whole ledger.
        told = (
            f"SELECT {columns} FROM unnest(%s::text[], %s::bigint[]) AS k(chain, low) "  # noqa: S608
            f"CROSS JOIN LATERAL (SELECT * FROM {table.name} t WHERE t.chain = k.chain "
            "AND t.chain_seq > k.low ORDER BY t.chain_seq) AS m"
        )
        yield from _frames(connection, table, told, (array(names), array(numbers)))
        return
    told = (
        f"SELECT {columns} FROM json_each(?) k CROSS JOIN {table.name} m "  # noqa: S608
        "ON m.chain = json_extract(k.value, '$[0]') "
        "AND m.chain_seq > json_extract(k.value, '$[1]') ORDER BY k.key, m.chain_seq"
    )
    pairs = json.dumps(list(zip(names, numbers, strict=True)))
    yield from _frames(connection, table, told, (pairs,))


def _frames(
    connection: Connection, table: Table, told: str, parameters: tuple[Any, ...]
) -> Iterator[pd.DataFrame]:
    names = [column.name for column in table.columns]
    types = {c.name: "int64" if isinstance(c.type, _WHOLE) else "str" for c in table.columns}
    if connection.dialect.name != "postgresql":
        rows = connection.exec_driver_sql(told, parameters)
        while part := rows.fetchmany(FRAME):
            yield pd.DataFrame(list(map(tuple, part)), columns=names)
        return
    raw = connection.connection.dbapi_connection
    with (
        raw.cursor() as cursor,  # type: ignore[union-attr]
        cursor.copy(f"COPY ({told}) TO STDOUT (FORMAT CSV)", parameters) as copy,
    ):
        source = _Blocks(iter(copy))
        try:
            yield from pd.read_csv(
                io.BufferedReader(source, 1 << 20),
                names=names,
                dtype=types,
                keep_default_na=False,
                na_filter=False,
                chunksize=FRAME,
            )
        except pd.errors.EmptyDataError:
            return


_WHOLE = (BigInteger, Integer)


class _Blocks(io.RawIOBase):
    """Blocks of a COPY as a file that is read once."""

    def __init__(self, blocks: Iterator[Any]) -> None:
        self._blocks, self._rest = blocks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        parts, size, room = [self._rest], len(self._rest), len(buffer)
        while size < room and (block := next(self._blocks, None)) is not None:
            parts.append(bytes(block))
            size += len(block)
        joined = b"".join(parts)
        taken = min(room, size)
        buffer[:taken], self._rest = joined[:taken], joined[taken:]
        return taken
