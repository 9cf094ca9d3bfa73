"""What the health check carries along while it goes through the ledger's rows.

Each frame of rows is counted and forgotten; what stays are sums and the ends of chains, so
that a check may begin where an earlier one ended, and a long ledger needs little memory.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ops_api.ledger.chain import GENESIS, Heads, link
from ops_api.ledger.rows import ACTUAL, has_balance, is_real, is_transit
from policies.domain.ledger import VIRTUAL_NAMES, MovementKind

BALANCE_KEY = ["location", "sku", "lot", "condition"]
_KEYS = {
    "balances": BALANCE_KEY,  # Σ in − Σ out
    "virtual": ["sku"],  # what virtual places gave and did not get back
    "road": ["document_id", "sku"],  # moving and left of each transfer line
    "serials": ["sku", "serial", "place"],
}
_VALUES = {"road": ["moving", "left"]}
_CLOCK_TOLERANCE_S = 300
_LOT_NAMED = tuple(
    int(kind) for kind in (MovementKind.RECEIVE, MovementKind.SHIP, MovementKind.RECEIVE_TRANSFER)
)
_MOST_PARTIAL_ROWS = 6_000_000


class Sums:
    """Sums by key of any number of frames; keys whose sums are all 0 are left out.

    Parameters
    ----------
    name : one of the sums the check knows
    """

    def __init__(self, name: str, content: bytes | None = None) -> None:
        self.keys, self.values = _KEYS[name], _VALUES.get(name, ["quantity"])
        self._parts: list[pd.DataFrame] = []
        self._size = 0
        if content is not None:
            # Empty text is no missing value here, and a SKU called "NA" is a SKU.
            self._add(
                pd.read_csv(
                    io.BytesIO(zlib.decompress(content)),
                    dtype=self._types(),
                    keep_default_na=False,
                    na_filter=False,
                )
            )

    def add(self, frame: pd.DataFrame) -> None:
        """Add rows with the keys and the values as columns."""
        if len(frame):
            grouped = frame.groupby(self.keys, sort=False, as_index=False)[self.values].sum()
            self._add(grouped)

    def total(self) -> pd.DataFrame:
        """One row for each key."""
        if not self._parts:
            types = self._types().items()
            return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types})
        if len(self._parts) > 1:
            both = pd.concat(self._parts, ignore_index=True)
            both = both.groupby(self.keys, sort=False, as_index=False)[self.values].sum()
            self._parts = [both[(both[self.values] != 0).any(axis=1)]]
            self._size = len(self._parts[0])
        return self._parts[0]

    def content(self) -> bytes:
        """The sums as bytes, for the next check."""
        return zlib.compress(self.total().to_csv(index=False).encode(), 1)

    def _types(self) -> dict[str, str]:
        return {**dict.fromkeys(self.keys, "str"), **dict.fromkeys(self.values, "int64")}

    def _add(self, frame: pd.DataFrame) -> None:
        self._parts.append(frame)
        self._size += len(frame)
        if self._size > _MOST_PARTIAL_ROWS:
            self.total()


class Tally:
    """Counts of violations, sums and chain ends of the rows gone through so far.

    Parameters
    ----------
    places : ids of the real locations
    tracked : dict of SKU to the time from which its lot has to be named
    heads : ends of the chains that were checked before
    kept : sums of the rows before them, by name
    """

    def __init__(
        self, places: set[str], tracked: Mapping[str, int], heads: Heads, kept: Mapping[str, bytes]
    ) -> None:
        self.rows = 0
        self.bad = dict.fromkeys(("I2", "I7", "I9", "I10"), 0)
        self.heads: Heads = dict(heads)
        self.sums = {name: Sums(name, kept.get(name)) for name in _KEYS}
        self._virtual = set(VIRTUAL_NAMES.values())
        self._known = places | self._virtual
        self._tracked = tracked

    def add(self, moves: pd.DataFrame) -> None:
        """Go through rows of the ledger, each chain's in its own order."""
        self.rows += len(moves)
        late = moves.occurred_at > moves.recorded_at + _CLOCK_TOLERANCE_S
        self.bad["I10"] += int(late.sum())
        book = moves[(moves.run_id == ACTUAL) & (moves.visibility == 0)]
        self._balances(book)
        self._places(book)
        self._road(book)
        self._serials(book[book.serial != ""])
        self._form(book)

    def link(self, table: pd.DataFrame, fields: tuple[str, ...], anchors: Heads) -> None:
        """Check the hashes of rows of movements or of the audit trail.

        Parameters
        ----------
        anchors : ends of an earlier check, which chains that were linked anew do not meet
        """
        columns = [table[name].tolist() for name in fields]
        order = zip(
            table["chain"].tolist(),
            table["chain_seq"].tolist(),
            table["hash"].tolist(),
            zip(*columns, strict=True),
            strict=True,
        )
        seen, bad = self.heads, 0
        for chain, number, stored, values in order:
            seq, previous = seen.get(chain, (0, GENESIS))
            bad += number != seq + 1 or stored != link(previous, values)
            # Go on from what is stored: one edited row is one violation, not a thousand.
            seen[chain] = (number, stored)
            if chain in anchors and anchors[chain][0] == number:
                bad += anchors[chain][1] != stored
        self.bad["I7"] += bad

    def _balances(self, book: pd.DataFrame) -> None:
        for side, sign in (("from_location", -1), ("to_location", 1)):
            part = book[[side, "sku", "lot", "condition", "quantity"]].rename(
                columns={side: "location"}
            )
            part = part[part.location.isin({n for n in part.location.unique() if has_balance(n)})]
            part = part.assign(
                quantity=sign * part.quantity,
                # Goods on the road have one condition.
                condition=part.condition.where(~on_road(part.location), "good"),
            )
            self.sums["balances"].add(part)

    def _places(self, book: pd.DataFrame) -> None:
        for side, sign in (("from_location", 1), ("to_location", -1)):
            names = pd.Series(book[side].unique())
            strange = names[~names.isin(self._known) & ~names.map(is_transit).astype(bool)]
            self.bad["I2"] += int(book[side].isin(set(strange)).sum())
            part = book.loc[book[side].isin(self._virtual), ["sku", "quantity"]]
            self.sums["virtual"].add(part.assign(quantity=sign * part.quantity))

    def _road(self, book: pd.DataFrame) -> None:
        came, went = book[on_road(book.to_location)], book[on_road(book.from_location)]
        left = came.kind.isin([MovementKind.SHIP, MovementKind.RETURN_TO_WAREHOUSE])
        for part, sign, shipped in (
            (came, 1, came.quantity.where(left, 0)),
            (went, -1, 0 * went.quantity),
        ):
            keys = part[["document_id", "sku"]]
            self.sums["road"].add(keys.assign(moving=sign * part.quantity, left=shipped))

    def _serials(self, rows: pd.DataFrame) -> None:
        for side, sign in (("to_location", 1), ("from_location", -1)):
            real = rows[rows[side].map(is_real).astype(bool)] if len(rows) else rows
            part = real[["sku", "serial", side, "quantity"]].rename(columns={side: "place"})
            self.sums["serials"].add(part.assign(quantity=sign * part.quantity))

    def _form(self, book: pd.DataFrame) -> None:
        bad = int((book.quantity <= 0).sum()) + int((book.from_location == book.to_location).sum())
        if self._tracked:
            # Tills and counts tell facts whose lot nobody read; staff name it.
            named = book[
                (book.lot == "") & book.kind.isin(_LOT_NAMED) & book.sku.isin(self._tracked)
            ]
            begins = np.array([self._tracked[sku] for sku in named.sku], dtype=np.int64)
            bad += int((named.recorded_at.to_numpy() >= begins).sum())
        self.bad["I9"] += bad


def on_road(column: pd.Series) -> pd.Series:
    """Which of these places are lanes."""
    return column.isin({place for place in column.unique() if is_transit(place)})
