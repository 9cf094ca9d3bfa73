"""The ledger health check: invariants I1–I11 from the rows themselves.

The full check goes through every row and is the one that finds any edit. The incremental
one begins at the last checkpoint: it reads the rows written since, and everything that is
not a row of the past.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, func, select, text

from ops_api.bulk import among
from ops_api.database import reading, writing
from ops_api.ledger.chain import AUDIT_FIELDS, GENESIS, MOVEMENT_FIELDS, Heads, head_hash
from ops_api.ledger.checkpoints import Checkpoint, keep_checkpoint, read_checkpoint
from ops_api.ledger.rows_in_order import all_rows, rows_after
from ops_api.ledger.schema import (
    AUDIT,
    BALANCES,
    CHAIN_HEADS,
    IDEMPOTENCY,
    MOVEMENTS,
    RESERVATIONS,
    trigger_names,
)
from ops_api.ledger.tally import BALANCE_KEY, Tally
from ops_api.masterdata.tables import LOCATIONS, SKUS
from ops_api.transfers.tables import TRANSFER_LINES, TRANSFERS

INVARIANTS = tuple(f"I{i}" for i in range(1, 12))


def check_ledger(
    engine: Engine, *, incremental: bool = False, keeps: bool = False
) -> dict[str, Any]:
    """Count violations of each invariant.

    I1 balances = Σ in − Σ out; I2 every movement has two known ends and all places of a
    SKU sum to 0; I3 no negative stock, reserved within on hand; I4 reserved = Σ open
    reservation lines; I5 a serial is in at most one place; I6 shipped = received + closed
    short + in transit, per transfer line; I7 hash chains unbroken and triggers in place;
    I8 one key, one effect; I9 two ends, positive quantity, lot where tracked; I10
    occurred ≤ recorded + 5 min; I11 balances rebuilt from the ledger equal the stored.

    Parameters
    ----------
    incremental : begin at the last checkpoint, if there is one; an edit of a row before it is
        not found, unless it is the last row before it
    keeps : where nothing is violated, make the end of this check the next checkpoint

    Returns
    -------
    dict
        ``violations`` by invariant, ``movements``, ``rows_read`` of them, ``head_hash`` over all
        chain heads.
    """
    with reading(engine) as connection:
        last = read_checkpoint(connection)
        begins = last if incremental else None
        tally, twice = _gone_through(connection, begins, last)
        stored = pd.read_sql(select(BALANCES), connection)
        differs = _differences(tally, stored)
        bad = tally.bad
        violations = {
            "I1": differs,
            "I2": bad["I2"] + _not_conserved(tally, stored),
            "I3": int(((stored.on_hand < 0) | (stored.reserved < 0)).sum())
            + int((stored.reserved > stored.on_hand).sum()),
            "I4": _reservations(connection, stored),
            "I5": _serials(tally),
            "I6": _transfers(connection, tally),
            "I7": bad["I7"] + _ends(connection, tally.heads) + _triggers(connection),
            "I8": twice + _pending(connection),
            "I9": bad["I9"],
            "I10": bad["I10"],
            "I11": differs,
        }
        told = {
            "violations": violations,
            "movements": _movements(connection, tally, begins),
            "rows_read": tally.rows,
            "head_hash": head_hash(connection),
        }
    if keeps and not any(violations.values()):
        sums = {name: one.content() for name, one in tally.sums.items()}
        with writing(engine) as connection:
            keep_checkpoint(connection, Checkpoint(tally.heads, sums))
    return told


def _gone_through(
    connection: Connection, begins: Checkpoint | None, last: Checkpoint | None
) -> tuple[Tally, int]:
    """The tally of the rows, and how many of their ids or reversals stand twice."""
    start = begins or Checkpoint()
    tally = Tally(_places(connection), _tracked(connection), start.heads, start.sums)
    anchors = last.heads if last is not None else {}
    twice = 0
    after = _with_new(connection, start.heads)
    for table, fields in ((MOVEMENTS, MOVEMENT_FIELDS), (AUDIT, AUDIT_FIELDS)):
        if begins is None:
            frames = all_rows(connection, table)
        else:
            is_audit = table is AUDIT
            chains = {c: v for c, v in after.items() if c.startswith("audit:") == is_audit}
            tally.bad["I7"] += _moved_ends(connection, table, chains)
            frames = rows_after(connection, table, chains)
        pieces: list[pd.DataFrame] = []
        for frame in frames:
            tally.link(frame, fields, anchors)
            if table is MOVEMENTS:
                tally.add(frame)
                if begins is not None:
                    pieces.append(frame[["movement_id", "reverses"]])
        if pieces:
            twice = _new_twice(connection, pd.concat(pieces, ignore_index=True))
    return tally, _all_twice(connection) if begins is None else twice


def _with_new(connection: Connection, heads: Heads) -> Heads:
    """These ends, and the beginning of the chains that came since."""
    h = CHAIN_HEADS.c
    new = {row.chain: (0, GENESIS) for row in connection.execute(select(h.chain))}
    return {**new, **heads}


def _moved_ends(connection: Connection, table: Any, heads: Heads) -> int:
    """Chains whose row at the checkpoint is gone or has another hash."""
    t = table.c
    kept = {c: v for c, v in heads.items() if v[0]}
    found: Heads = {}
    for chain, (seq, _) in kept.items():
        row = connection.execute(
            select(t.chain_seq, t.hash).where(t.chain == chain, t.chain_seq == seq)
        ).first()
        if row is not None:
            found[chain] = (row.chain_seq, row.hash)
    return sum(found.get(chain) != value for chain, value in kept.items())


def _places(connection: Connection) -> set[str]:
    return {row[0] for row in connection.execute(select(LOCATIONS.c.id))}


def _tracked(connection: Connection) -> dict[str, int]:
    query = select(SKUS.c.id, SKUS.c.lot_tracked_from).where(SKUS.c.lot_tracked.is_(True))
    return {row[0]: row[1] or 0 for row in connection.execute(query)}


def _movements(connection: Connection, tally: Tally, begins: Checkpoint | None) -> int:
    if begins is None:
        return tally.rows
    return tally.rows + sum(
        seq for chain, (seq, _) in begins.heads.items() if not chain.startswith("audit:")
    )


def _differences(tally: Tally, stored: pd.DataFrame) -> int:
    """Balances that are not what the rows sum to."""
    rebuilt = tally.sums["balances"].total()
    kept = stored[[*BALANCE_KEY, "on_hand"]].rename(columns={"on_hand": "quantity"})
    both = pd.concat([rebuilt, kept.assign(quantity=-kept.quantity)], ignore_index=True)
    return int((both.groupby(BALANCE_KEY, sort=False).quantity.sum() != 0).sum())


def _not_conserved(tally: Tally, stored: pd.DataFrame) -> int:
    """SKUs whose places do not sum to 0.

    Virtual places keep no balance; what they gave and did not get back must lie in real
    places and on the road.
    """
    given = tally.sums["virtual"].total().set_index("sku").quantity
    held = stored.groupby("sku").on_hand.sum()
    return int((given.sub(held, fill_value=0) != 0).sum())


def _reservations(connection: Connection, stored: pd.DataFrame) -> int:
    lines = pd.read_sql(select(RESERVATIONS), connection)
    asked = lines.groupby(["location", "sku", "lot"]).quantity.sum()
    good = stored[stored.condition == "good"].set_index(["location", "sku", "lot"]).reserved
    both = pd.concat([asked.rename("a"), good.rename("b")], axis=1).fillna(0)
    return int((both.a != both.b).sum())


def _serials(tally: Tally) -> int:
    there = tally.sums["serials"].total()
    per_serial = there[there.quantity > 0].groupby(["sku", "serial"]).quantity.sum()
    return int((per_serial > 1).sum()) + int((there.quantity < 0).sum())


def _transfers(connection: Connection, tally: Tally) -> int:
    """Per transfer line: shipped = received + closed short + on the road, as in the ledger."""
    t, l = TRANSFERS.c, TRANSFER_LINES.c  # noqa: E741
    query = select(
        l.transfer_id.label("document_id"),
        t.state,
        l.sku,
        l.shipped,
        l.received_good,
        l.received_damaged,
        l.closed_short,
    ).join_from(TRANSFERS, TRANSFER_LINES, l.transfer_id == t.id)
    lines = pd.read_sql(query, connection)
    key = ["document_id", "sku"]
    on_road = lines.shipped - lines.received_good - lines.received_damaged - lines.closed_short
    said = lines.assign(road=on_road).groupby(key)[["shipped", "road"]].sum()
    moved = tally.sums["road"].total().set_index(key)
    # An outer join: a movement on the road without a transfer is a violation too.
    both = pd.concat([said, moved], axis=1).fillna(0)
    bad = (both.road != both.moving) | (both.shipped != both.left)
    closed = (lines.state == "closed") & (on_road != 0)
    return int(bad.sum()) + int(((on_road < 0) | closed).sum())


def _ends(connection: Connection, seen: Heads) -> int:
    """Chains that do not end where their head says."""
    kept = {row.chain: (row.seq, row.hash) for row in connection.execute(select(CHAIN_HEADS))}
    bad = sum(seen.get(chain) != head for chain, head in kept.items())
    return bad + len(seen.keys() - kept.keys())


def _triggers(connection: Connection) -> int:
    """Tables that could be changed because their triggers are gone."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    else:
        query = text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")
    names = {row[0] for row in connection.execute(query)}
    return sum(name not in names for name in trigger_names(connection.dialect.name))


def _all_twice(connection: Connection) -> int:
    """Movement ids twice, rows reversed twice: by the tables, whatever their indexes say."""
    m = MOVEMENTS.c
    return sum(_more_than_once(connection, column) for column in (m.movement_id, m.reverses))


def _new_twice(connection: Connection, new: pd.DataFrame) -> int:
    """As :func:`_all_twice`, of what the new rows name."""
    m, found = MOVEMENTS.c, 0
    for column, names in ((m.movement_id, new.movement_id), (m.reverses, new.reverses)):
        given = names[names != ""].unique().tolist()
        for first in range(0, len(given), 50_000):
            named = among(connection, column, given[first : first + 50_000])
            found += _more_than_once(connection, column, named)
    return found


def _more_than_once(
    connection: Connection, column: ColumnElement[str], *where: ColumnElement[bool]
) -> int:
    """Rows that name what another has named in this column before."""
    groups = (
        select((func.count() - 1).label("more"))
        .where(column != "", *where)
        .group_by(column)
        .having(func.count() > 1)
        .subquery()
    )
    return int(connection.scalar(select(func.sum(groups.c.more))) or 0)


def _pending(connection: Connection) -> int:
    """Keys whose effect was cut off."""
    # Status 0 is set and replaced inside one transaction: seen outside, an effect was cut off.
    query = select(func.count()).where(IDEMPOTENCY.c.status == 0)
    return int(connection.scalar(query) or 0)
