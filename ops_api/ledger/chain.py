"""Hash chains: each location's movements, and the audit trail, name what came before.

The hash of a row is SHA-256 over the hash before it and the row's own values, joined
by the ASCII unit separator, so a changed, removed or inserted row breaks every hash
that follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select

from ops_api.bulk import Piece, inserted, listed, unlist, write_pieces
from ops_api.ledger.schema import CHAIN_HEADS
from ops_api.wire import ask

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
Heads = dict[str, tuple[int, str]]
"""(last number, its hash) of chains, by name."""

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
    heads = read_heads(connection, sorted({row["chain"] for row in rows}))
    link_rows(rows, fields, heads)
    write_pieces(connection, head_pieces(connection, heads))


def link_rows(rows: Sequence[dict[str, Any]], fields: tuple[str, ...], heads: Heads) -> None:
    """Link `rows` to the ends of their chains, and move `heads` on."""
    values = itemgetter(*fields)
    for row in rows:
        seq, previous = heads.get(row["chain"], (0, GENESIS))
        row["chain_seq"] = seq + 1
        row["hash"] = link(previous, values(row))
        heads[row["chain"]] = (seq + 1, row["hash"])


def head_pieces(connection: Connection, heads: Mapping[str, tuple[int, str]]) -> list[Piece]:
    """What writes these ends of chains."""
    rows = [{"chain": name, "seq": seq, "hash": sha} for name, (seq, sha) in sorted(heads.items())]
    change = "seq = excluded.seq, hash = excluded.hash"
    return inserted(connection, CHAIN_HEADS, rows, ("chain",), change)


# Places before audit trails, as every writer takes them.
LOCKED_HEADS = """
SELECT chain, seq, hash FROM chain_heads WHERE chain = ANY(?)
ORDER BY substr(chain, 1, 6) = 'audit:', chain FOR UPDATE
"""


def read_heads(connection: Connection, names: Sequence[str]) -> Heads:
    """Heads of these chains, locked until the transaction ends."""
    parameters = (listed(connection, list(names)),)
    found = ask(connection, unlist(connection, LOCKED_HEADS), parameters)
    return {chain: (seq, sha) for chain, seq, sha in found}


def lock_chains(connection: Connection, places: Iterable[str]) -> None:
    """Lock these locations' chains, first of all and in order of their names.

    Whoever writes several locations or events in one transaction begins with this: then
    all writers meet at the chains, and none holds a shelf that another waits for.
    """
    if connection.dialect.name != "sqlite":
        read_heads(connection, sorted(set(places)))


def head_hash(connection: Connection) -> str:
    """SHA-256 over the ends of all chains, by name: the ledger's state in one line."""
    heads = connection.execute(select(CHAIN_HEADS.c.chain, CHAIN_HEADS.c.hash)).all()
    sha = hashlib.sha256()
    # Sorted here: databases sort text by their own collations.
    for chain, value in sorted(tuple(row) for row in heads):
        sha.update(f"{chain}\x1f{value}\x1e".encode())
    return sha.hexdigest()
