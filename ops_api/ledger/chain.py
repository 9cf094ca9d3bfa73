"""Hash chains: each location's movements, and the audit trail, name what came before.

The hash of a row is SHA-256 over the hash before it and the row's own values, joined
by the ASCII unit separator, so a changed, removed or inserted row breaks every hash
that follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from ops_api.bulk import among, upsert_rows
from ops_api.ledger.schema import CHAIN_HEADS

GENESIS = "0" * 64
MOVEMENT_FIELDS = (
    "movement_id",
    "run_id",
    "visibility",
    "occurred_at",
    "recorded_at",
    "kind",
    "sku",
    "from_location",
    "to_location",
    "quantity",
    "lot",
    "serial",
    "condition",
    "owner",
    "document_id",
    "sscc",
    "actor",
    "device",
    "reverses",
    "chain",
    "chain_seq",
)
AUDIT_FIELDS = (
    "recorded_at",
    "actor",
    "device",
    "action",
    "location",
    "subject",
    "detail",
    "chain",
    "chain_seq",
)


def link(previous: str, values: Iterable[Any]) -> str:
    """Hash of a row with these values after a row with hash `previous`."""
    text = "\x1f".join([previous, *map(str, values)])
    return hashlib.sha256(text.encode()).hexdigest()


def append_links(
    connection: Connection, rows: Sequence[dict[str, Any]], fields: tuple[str, ...]
) -> None:
    """Give each row (that names its ``chain``) its ``chain_seq`` and ``hash``; move the heads."""
    names = sorted({row["chain"] for row in rows})
    heads = read_heads(connection, names)
    for row in rows:
        seq, previous = heads.get(row["chain"], (0, GENESIS))
        row["chain_seq"] = seq + 1
        row["hash"] = link(previous, [row[name] for name in fields])
        heads[row["chain"]] = (seq + 1, row["hash"])
    _write_heads(connection, {name: heads[name] for name in names})


def read_heads(connection: Connection, names: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Heads of these chains, locked until the transaction ends."""
    query = (
        select(CHAIN_HEADS.c.chain, CHAIN_HEADS.c.seq, CHAIN_HEADS.c.hash)
        .where(among(connection, CHAIN_HEADS.c.chain, names))
        .order_by(CHAIN_HEADS.c.chain)
        .with_for_update()
    )
    return {row.chain: (row.seq, row.hash) for row in connection.execute(query)}


def lock_chains(connection: Connection, places: Iterable[str]) -> None:
    """Lock these locations' chains, first of all and in order of their names.

    Whoever writes several locations or events in one transaction begins with this: then
    all writers meet at the chains, and none holds a shelf that another waits for.
    """
    if connection.dialect.name != "sqlite":
        read_heads(connection, sorted(set(places)))


def _write_heads(connection: Connection, heads: Mapping[str, tuple[int, str]]) -> None:
    upsert_rows(
        connection,
        CHAIN_HEADS,
        [{"chain": name, "seq": seq, "hash": value} for name, (seq, value) in heads.items()],
        ("chain",),
        "seq = excluded.seq, hash = excluded.hash",
    )


def head_hash(connection: Connection) -> str:
    """SHA-256 over the ends of all chains, by name: the ledger's state in one line."""
    heads = connection.execute(select(CHAIN_HEADS.c.chain, CHAIN_HEADS.c.hash)).all()
    sha = hashlib.sha256()
    # Sorted here: databases sort text by their own collations.
    for chain, value in sorted(tuple(row) for row in heads):
        sha.update(f"{chain}\x1f{value}\x1e".encode())
    return sha.hexdigest()
