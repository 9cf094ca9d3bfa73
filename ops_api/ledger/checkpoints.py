"""Up to where the health check has found the ledger sound, and the sums at that point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select

from ops_api.bulk import insert_rows
from ops_api.ledger.chain import Heads
from ops_api.ledger.schema import CHECKED_CHAINS, CHECKED_SUMS


@dataclass(frozen=True)
class Checkpoint:
    """What an earlier check ended with.

    Attributes
    ----------
    heads : (last number, its hash) of each chain
    sums : by name, see :class:`ops_api.ledger.tally.Sums`
    """

    heads: Heads = field(default_factory=dict)
    sums: Mapping[str, bytes] = field(default_factory=dict)


def read_checkpoint(connection: Connection) -> Checkpoint | None:
    """The last one; None where there is none."""
    c = CHECKED_CHAINS.c
    heads = {
        row.chain: (int(row.seq), str(row.hash))
        for row in connection.execute(select(c.chain, c.seq, c.hash))
    }
    if not heads:
        return None
    s = CHECKED_SUMS.c
    return Checkpoint(
        heads, {row.name: row.content for row in connection.execute(select(s.name, s.content))}
    )


def keep_checkpoint(connection: Connection, made: Checkpoint) -> None:
    """Replace the last one."""
    connection.execute(delete(CHECKED_CHAINS))
    connection.execute(delete(CHECKED_SUMS))
    rows = [{"chain": c, "seq": seq, "hash": sha} for c, (seq, sha) in sorted(made.heads.items())]
    insert_rows(connection, CHECKED_CHAINS, rows)
    for name, content in made.sums.items():
        connection.execute(insert(CHECKED_SUMS).values(name=name, content=content))
