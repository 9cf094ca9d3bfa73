"""The ledger health check: invariants I1–I11 on every row, from the rows themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, select, text

from ops_api.database import reading
from ops_api.ledger.chain import AUDIT_FIELDS, GENESIS, MOVEMENT_FIELDS, head_hash, link
from ops_api.ledger.rows import ACTUAL, has_balance, is_real, is_transit
from ops_api.ledger.schema import (
    AUDIT,
    BALANCES,
    CHAIN_HEADS,
    IDEMPOTENCY,
    MOVEMENTS,
    RESERVATIONS,
    trigger_names,
)
from ops_api.masterdata.tables import LOCATIONS, SKUS
from ops_api.transfers.tables import TRANSFER_LINES, TRANSFERS
from policies.domain.ledger import VIRTUAL_NAMES, MovementKind

INVARIANTS = tuple(f"I{i}" for i in range(1, 12))
_KEY = ["location", "sku", "lot", "condition"]
_CLOCK_TOLERANCE_S = 300
_LOT_NAMED = tuple(
    int(kind) for kind in (MovementKind.RECEIVE, MovementKind.SHIP, MovementKind.RECEIVE_TRANSFER)
)


def check_ledger(engine: Engine) -> dict[str, Any]:
    """Count violations of each invariant.

    I1 balances = Σ in − Σ out; I2 every movement has two known ends and all places of a
    SKU sum to 0; I3 no negative stock, reserved within on hand; I4 reserved = Σ open
    reservation lines; I5 a serial is in at most one place; I6 shipped = received + closed
    short + in transit, per transfer line; I7 hash chains unbroken and triggers in place;
    I8 one key, one effect; I9 two ends, positive quantity, lot where tracked; I10
    occurred ≤ recorded + 5 min; I11 balances rebuilt from the ledger equal the stored.

    Returns
    -------
    dict
        ``violations`` by invariant, ``movements``, ``head_hash`` over all chain heads.
    """
    with reading(engine) as connection:
        moves = pd.read_sql(select(MOVEMENTS).order_by(MOVEMENTS.c.seq), connection)
        stored = pd.read_sql(select(BALANCES), connection)
        book = moves[(moves.run_id == ACTUAL) & (moves.visibility == 0)]
        rebuilt = _rebuild(book)
        differs = _differences(rebuilt, stored)
        violations = {
            "I1": differs,
            "I2": _not_conserved(connection, book, stored),
            "I3": int(((stored.on_hand < 0) | (stored.reserved < 0)).sum())
            + int((stored.reserved > stored.on_hand).sum()),
            "I4": _reservations(connection, stored),
            "I5": _serials(book),
            "I6": _transfers(connection, book),
            "I7": _chains(connection, moves) + _triggers(connection),
            "I8": _keys(connection, moves),
            "I9": _rows(connection, book),
            "I10": int((moves.occurred_at > moves.recorded_at + _CLOCK_TOLERANCE_S).sum()),
            "I11": differs,
        }
        head = head_hash(connection)
    return {"violations": violations, "movements": len(moves), "head_hash": head}


def _rebuild(book: pd.DataFrame) -> pd.Series:
    """Σ in − Σ out per balance key, from the rows alone."""
    parts = []
    for side, sign in (("from_location", -1), ("to_location", 1)):
        part = book[[side, "sku", "lot", "condition", "quantity"]].rename(
            columns={side: "location"}
        )
        part = part[part.location.isin({n for n in part.location.unique() if has_balance(n)})]
        on_road = _on_road(part.location)
        part = part.assign(
            quantity=sign * part.quantity,
            # Goods on the road have one condition.
            condition=part.condition.where(~on_road, "good"),
        )
        parts.append(part)
    return pd.concat(parts).groupby(_KEY).quantity.sum()


def _differences(rebuilt: pd.Series, stored: pd.DataFrame) -> int:
    kept = stored.set_index(_KEY).on_hand
    both = pd.concat([rebuilt.rename("a"), kept.rename("b")], axis=1).fillna(0)
    return int((both.a != both.b).sum())


def _not_conserved(connection: Connection, book: pd.DataFrame, stored: pd.DataFrame) -> int:
    """Rows that name no known place, and SKUs whose places do not sum to 0.

    Virtual places keep no balance; what they gave and did not get back must lie in real
    places and on the road.
    """
    real = {row[0] for row in connection.execute(select(LOCATIONS.c.id))}
    virtual = set(VIRTUAL_NAMES.values())
    odd = 0
    for side in ("from_location", "to_location"):
        names = pd.Series(book[side].unique())
        strange = names[~names.isin(real | virtual) & ~names.map(is_transit)]
        odd += int(book[side].isin(set(strange)).sum())
    given = book[book.from_location.isin(virtual)].groupby("sku").quantity.sum()
    taken = book[book.to_location.isin(virtual)].groupby("sku").quantity.sum()
    held = stored.groupby("sku").on_hand.sum()
    rest = given.sub(taken, fill_value=0).sub(held, fill_value=0)
    return odd + int((rest != 0).sum())


def _reservations(connection: Connection, stored: pd.DataFrame) -> int:
    lines = pd.read_sql(select(RESERVATIONS), connection)
    asked = lines.groupby(["location", "sku", "lot"]).quantity.sum()
    good = stored[stored.condition == "good"].set_index(["location", "sku", "lot"]).reserved
    both = pd.concat([asked.rename("a"), good.rename("b")], axis=1).fillna(0)
    return int((both.a != both.b).sum())


def _serials(book: pd.DataFrame) -> int:
    rows = book[book.serial != ""]
    if rows.empty:
        return 0
    arrived = (
        rows[rows.to_location.map(is_real)].groupby(["sku", "serial", "to_location"]).quantity.sum()
    )
    left = (
        rows[rows.from_location.map(is_real)]
        .groupby(["sku", "serial", "from_location"])
        .quantity.sum()
    )
    arrived.index.names = left.index.names = ["sku", "serial", "place"]
    there = arrived.subtract(left, fill_value=0)
    per_serial = there[there > 0].groupby(["sku", "serial"]).sum()
    return int((per_serial > 1).sum()) + int((there < 0).sum())


def _transfers(connection: Connection, book: pd.DataFrame) -> int:
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
    came = book[_on_road(book.to_location)]
    went = book[_on_road(book.from_location)]
    road = came.groupby(key).quantity.sum().sub(went.groupby(key).quantity.sum(), fill_value=0)
    left = came.kind.isin([MovementKind.SHIP, MovementKind.RETURN_TO_WAREHOUSE])
    shipped = came[left].groupby(key).quantity.sum()
    # An outer join: a movement on the road without a transfer is a violation too.
    both = pd.concat([said, road.rename("moving"), shipped.rename("left")], axis=1).fillna(0)
    bad = (both.road != both.moving) | (both.shipped != both.left)
    closed = (lines.state == "closed") & (on_road != 0)
    return int(bad.sum()) + int(((on_road < 0) | closed).sum())


def _on_road(column: pd.Series) -> pd.Series:
    return column.isin({place for place in column.unique() if is_transit(place)})


def _chains(connection: Connection, moves: pd.DataFrame) -> int:
    """Rows whose link is broken, missing or not the head's, in movements and audit."""
    audit = pd.read_sql(select(AUDIT).order_by(AUDIT.c.seq), connection)
    kept = {row.chain: (row.seq, row.hash) for row in connection.execute(select(CHAIN_HEADS))}
    bad = 0
    seen: dict[str, tuple[int, str]] = {}
    for table, names in ((moves, MOVEMENT_FIELDS), (audit, AUDIT_FIELDS)):
        columns = [table[name].tolist() for name in names]
        chains, numbers = table["chain"].tolist(), table["chain_seq"].tolist()
        order = np.lexsort((table["chain_seq"].to_numpy(), table["chain"].to_numpy(dtype=str)))
        hashes = table["hash"].tolist()
        for i in order.tolist():
            seq, previous = seen.get(chains[i], (0, GENESIS))
            expected = link(previous, [column[i] for column in columns])
            bad += numbers[i] != seq + 1 or hashes[i] != expected
            # Go on from what is stored: one edited row is one violation, not a thousand.
            seen[chains[i]] = (numbers[i], hashes[i])
    bad += sum(seen.get(chain) != head for chain, head in kept.items())
    return int(bad) + len(seen.keys() - kept.keys())


def _triggers(connection: Connection) -> int:
    """Tables that could be changed because their triggers are gone."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    else:
        query = text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")
    names = {row[0] for row in connection.execute(query)}
    return sum(name not in names for name in trigger_names(connection.dialect.name))


def _keys(connection: Connection, moves: pd.DataFrame) -> int:
    """Movement ids twice, rows reversed twice, keys whose effect was cut off."""
    twice = int(moves.movement_id.duplicated().sum())
    reversed_ = moves[moves.reverses != ""].reverses
    twice += int(reversed_.duplicated().sum())
    # Status 0 is set and replaced inside one transaction: seen outside, an effect was cut off.
    pending = connection.execute(select(IDEMPOTENCY.c.key).where(IDEMPOTENCY.c.status == 0)).all()
    return twice + len(pending)


def _rows(connection: Connection, book: pd.DataFrame) -> int:
    bad = int((book.quantity <= 0).sum()) + int((book.from_location == book.to_location).sum())
    since = {
        row[0]: row[1]
        for row in connection.execute(
            select(SKUS.c.id, SKUS.c.lot_tracked_from).where(SKUS.c.lot_tracked.is_(True))
        )
    }
    if since:
        # Tills and counts tell facts whose lot nobody read; staff name it.
        named = book[(book.lot == "") & book.kind.isin(_LOT_NAMED) & book.sku.isin(since)]
        begins = np.array([since[sku] or 0 for sku in named.sku], dtype=np.int64)
        bad += int((named.recorded_at.to_numpy() >= begins).sum())
    return bad
