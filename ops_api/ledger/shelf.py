"""The state of the shelves that a batch of facts touches, read once under lock.

Facts (sales, receipts, write-offs from an offline phone) are applied to this copy in
the order they happened; what comes out is the rows to post. A till's sale is never
refused: what the book lacks is found (``auto_found``), and someone is asked to count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select, update

from ops_api.bulk import listed_cells, unlist
from ops_api.ledger.chain import lock_chains
from ops_api.ledger.rows import Row, Stamp, count_difference, derived_id, is_real, row
from ops_api.ledger.schema import COUNT_BASELINES, RESERVATIONS
from ops_api.ledger.write import Key
from ops_api.wire import ask
from policies.domain.ledger import MovementKind

Cell = tuple[str, str]
"""(location, sku)."""


@dataclass
class Shelves:
    """Good stock of some cells: by lot, the first to expire first.

    Attributes
    ----------
    on_hand, reserved : units per cell and lot
    counted : per cell, sorted times of posted counts
    lots : (last day, whether it is on hold) of the lots that are known, by (sku, lot)
    short : cells where something was sold that the book did not have
    near : cells that may cross their safety line if as much as was told goes out; None where
        nothing was told
    """

    on_hand: dict[Cell, dict[str, int]]
    reserved: dict[Cell, dict[str, int]]
    counted: dict[Cell, list[int]]
    rows: list[Row] = field(default_factory=list)
    short: set[Cell] = field(default_factory=set)
    lots: dict[tuple[str, str], tuple[int | None, bool]] = field(default_factory=dict)
    near: set[Cell] | None = None

    @classmethod
    def read(
        cls,
        connection: Connection,
        cells: Iterable[Cell],
        since: int,
        *,
        going: Mapping[Cell, int] | None = None,
        is_locked: bool = False,
    ) -> Shelves:
        """Shelves of `cells`; counts from `since` on.

        Parameters
        ----------
        going : the most units that will go out of each cell, where nothing comes in
        is_locked : the places' chains are locked already
        """
        wanted = sorted(set(cells))
        if not is_locked:
            lock_chains(connection, {place for place, _ in wanted})
        out = cls(defaultdict(dict), defaultdict(dict), defaultdict(list))
        if not wanted:
            return out
        if going is not None:
            out.near = set()
        stock = []
        parameters = (*listed_cells(connection, wanted, going), since)
        for kind, place, sku, lot, first, second in ask(
            connection, unlist(connection, _SHELVES), parameters
        ):
            if kind == "stock":
                stock.append((place, sku, lot, first, second))
            elif kind == "count":
                out.counted[place, sku].append(first)
            elif kind == "line":
                if out.near is not None:
                    out.near.add((place, sku))
            else:
                out.lots[sku, lot] = (first, bool(second))
        for times in out.counted.values():
            times.sort()
        for place, sku, lot, on_hand, reserved in sorted(
            stock, key=lambda b: out._turn(b[1], b[2])
        ):
            out.on_hand[place, sku][lot] = on_hand
            if reserved:
                out.reserved[place, sku][lot] = reserved
        return out

    def _turn(self, sku: str, lot: str) -> tuple[bool, int, str]:
        """Place of a lot in the order of taking: held ones last, else the first to expire."""
        expires_on, on_hold = self.lots.get((sku, lot), (None, False))
        return on_hold, 2**31 if expires_on is None else expires_on, lot

    def count_after(self, cell: Cell, occurred_at: int, recorded_at: int) -> int | None:
        """Time of the first posted count that has already seen what happened at `occurred_at`.

        In the count's own second a late fact counts as seen; a deed that is recorded as it
        happens comes after a count that is recorded already.
        """
        late = recorded_at > occurred_at
        counts = self.counted.get(cell, ())
        return next((at for at in counts if at > occurred_at or (late and at == occurred_at)), None)

    def take(
        self,
        kind: MovementKind,
        stamp: Stamp,
        event: str,
        cell: Cell,
        to: str,
        quantity: int,
        *,
        lot: str = "",
        serial: str = "",
        found: Stamp | None = None,
    ) -> list[Row]:
        """Rows that take `quantity` from the shelf, whatever the book says is there.

        Parameters
        ----------
        lot : taken first; what it lacks comes from the others
        found : stamp of what the book did not have; by default that of the taking
        """
        place, sku = cell
        seen_by = self.count_after(cell, stamp.occurred_at, stamp.recorded_at)
        if seen_by is not None:
            out = [row(kind, stamp, event, sku, place, to, quantity, lot=lot, serial=serial)]
            self.rows += [*out, self._rebase(stamp, event, cell, quantity, seen_by, lot)]
            return out
        parts = self._split(cell, quantity, lot)
        missing = quantity - sum(part for _, part in parts)
        if missing:
            self.short.add(cell)
            self.rows.append(
                count_difference(
                    MovementKind.AUTO_FOUND,
                    found or stamp,
                    derived_id(event, "auto_found"),
                    sku,
                    place,
                    missing,
                    lot=lot,
                )
            )
            parts = _merge(parts, lot, missing)
        out = [
            row(
                kind,
                stamp,
                event if i == 0 else derived_id(event, "lot", name),
                sku,
                place,
                to,
                part,
                lot=name,
                serial=serial,
            )
            for i, (name, part) in enumerate(parts)
        ]
        self.rows += out
        return out

    def put(self, made: Row, event: str) -> None:
        """Post a row that brings goods to a shelf; a later count has already seen them."""
        cell = (made["to_location"], made["sku"])
        self.rows.append(made)
        seen_by = self.count_after(cell, made["occurred_at"], made["recorded_at"])
        if made["condition"] != "good":
            return
        if seen_by is None:
            lots = self.on_hand[cell]
            lots[made["lot"]] = lots.get(made["lot"], 0) + made["quantity"]
            return
        stamp = Stamp(
            made["occurred_at"],
            made["recorded_at"],
            made["actor"],
            made["device"],
            made["document_id"],
        )
        self.rows.append(self._rebase(stamp, event, cell, -made["quantity"], seen_by, made["lot"]))

    def _split(self, cell: Cell, quantity: int, lot: str) -> list[tuple[str, int]]:
        lots = self.on_hand[cell]
        order = [lot, *(name for name in lots if name != lot)] if lot else list(lots)
        parts = []
        for name in order:
            part = min(quantity, lots.get(name, 0))
            if part > 0:
                lots[name] -= part
                quantity -= part
                parts.append((name, part))
            if quantity == 0:
                break
        return parts

    @staticmethod
    def _rebase(stamp: Stamp, event: str, cell: Cell, difference: int, at: int, lot: str) -> Row:
        then = Stamp(at, stamp.recorded_at, stamp.actor, stamp.device, stamp.document_id)
        return count_difference(
            MovementKind.COUNT_REBASE,
            then,
            derived_id(event, "count_rebase"),
            cell[1],
            cell[0],
            difference,
            lot=lot,
        )

    def overrun_reservations(self) -> dict[Key, int]:
        """Units per balance row that were promised to an order and are sold now."""
        out: dict[Key, int] = {}
        for cell, lots in self.reserved.items():
            for lot, reserved in lots.items():
                missing = reserved - self.on_hand[cell].get(lot, 0)
                if missing > 0:
                    out[cell[0], cell[1], lot, "good"] = missing
        return out


def rebases(connection: Connection, rows: Iterable[Row]) -> list[Row]:
    """For rows that happened before a posted count: equal rows that keep today's stock.

    The count has seen their effect, so history changes and the shelf does not.
    """
    out = []
    c = COUNT_BASELINES.c
    for made in rows:
        for place, sign in ((made["to_location"], -1), (made["from_location"], 1)):
            if not is_real(place) or made["condition"] != "good":
                continue
            late = made["recorded_at"] > made["occurred_at"]
            since = made["occurred_at"] + (0 if late else 1)
            seen_by = connection.execute(
                select(func.min(c.counted_at)).where(
                    c.location == place, c.sku == made["sku"], c.counted_at >= since
                )
            ).scalar()
            if seen_by is None:
                continue
            then = Stamp(
                seen_by,
                made["recorded_at"],
                made["actor"],
                made["device"],
                made["document_id"],
            )
            out.append(
                count_difference(
                    MovementKind.COUNT_REBASE,
                    then,
                    derived_id(made["movement_id"], "count_rebase", place),
                    made["sku"],
                    place,
                    sign * made["quantity"],
                    lot=made["lot"],
                )
            )
    return out


def shrink_reservations(connection: Connection, overrun: dict[Key, int]) -> list[tuple[str, Key]]:
    """Take units from the newest reservations of each row; returns (document, key) touched."""
    touched = []
    r = RESERVATIONS.c
    for key in sorted(overrun):
        left = overrun[key]
        rows = connection.execute(
            select(r.document_id, r.line, r.quantity)
            .where(r.location == key[0], r.sku == key[1], r.lot == key[2], r.quantity > 0)
            .order_by(r.document_id.desc(), r.line.desc())
        ).all()
        for document, line, quantity in rows:
            part = min(left, quantity)
            connection.execute(
                update(RESERVATIONS)
                .where(
                    r.document_id == document,
                    r.line == line,
                    r.location == key[0],
                    r.sku == key[1],
                    r.lot == key[2],
                )
                .values(quantity=r.quantity - part)
            )
            touched.append((document, key))
            left -= part
            if left == 0:
                break
    return touched


def _merge(parts: list[tuple[str, int]], lot: str, missing: int) -> list[tuple[str, int]]:
    merged = dict(parts)
    merged[lot] = merged.get(lot, 0) + missing
    return list(merged.items())


# Rows of stock are locked in the order of their keys, as every writer takes them. A safety
# line is told of where it may fire once what is told has left, or could be armed again.
_SHELVES = """
WITH cells AS MATERIALIZED (CELLS(?)), stock AS MATERIALIZED (
    SELECT b.location, b.sku, b.lot, b.on_hand, b.reserved
    FROM balances b JOIN cells c ON b.location = c.location AND b.sku = c.sku
    WHERE b.condition = 'good' ORDER BY b.location, b.sku, b.lot FOR UPDATE OF b
), free AS (
    SELECT location, sku, sum(on_hand - reserved) AS units,
        count(CASE WHEN lot <> '' THEN 1 END) AS lots
    FROM stock GROUP BY location, sku
)
SELECT 'stock', location, sku, lot, on_hand, reserved FROM stock
UNION ALL
SELECT 'count', b.location, b.sku, '', b.counted_at, 0
FROM count_baselines b JOIN cells c ON b.location = c.location AND b.sku = c.sku
WHERE b.counted_at >= ?
UNION ALL
SELECT 'lot', '', sku, lot, expires_on, CASE WHEN on_hold THEN 1 ELSE 0 END
FROM lots WHERE sku IN (SELECT sku FROM cells)
UNION ALL
SELECT 'line', s.location, s.sku, '', 0, 0
FROM cells c JOIN safety_lines s ON s.location = c.location AND s.sku = c.sku
LEFT JOIN free f ON f.location = c.location AND f.sku = c.sku
WHERE s.units > 0 AND (f.lots > 0 OR CASE WHEN s.is_armed
    THEN coalesce(f.units, 0) - c.told < s.units ELSE coalesce(f.units, 0) >= s.units END)
"""
