"""The movement ledger: one schema, two storages.

A movement carries a quantity of one SKU from a location to a location. Suppliers,
customers, losses, counts and goods on the road are virtual locations, so every
movement has two ends and books always balance. Rows are made by the constructors
below and by nothing else; a correction is a new row that names what it reverses.

Locations are integers in columns: ``0 … L−1`` are the axis of the network, the
virtual ones are negative. Goods in transit are a place per lane:
:func:`transit_code`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput

SUPPLIER = -1
CUSTOMER = -2
LOSS = -3
COUNT = -4
CONVERT = -5
OPENING = -6
"""Where opening stock comes from when a ledger begins."""
_TRANSIT_BASE = -1_000

VIRTUAL_NAMES = {
    SUPPLIER: "SUPPLIER",
    CUSTOMER: "CUSTOMER",
    LOSS: "LOSS",
    COUNT: "COUNT",
    CONVERT: "CONVERT",
    OPENING: "OPENING",
}


def transit_code(origin: int, destination: int, locations: int) -> int:
    """Integer code of the in-transit place of a lane (always ≤ −1000)."""
    return _TRANSIT_BASE - (origin * locations + destination)


def transit_lane(code: int, locations: int) -> tuple[int, int]:
    """(origin, destination) of an in-transit code."""
    return divmod(_TRANSIT_BASE - code, locations)


def location_name(code: int, ids: tuple[str, ...]) -> str:
    """The ledger's text form of a location code.

    In transit reads ``IN_TRANSIT:<origin>><destination>``.
    """
    if code >= 0:
        return ids[code]
    if code <= _TRANSIT_BASE:
        origin, destination = transit_lane(code, len(ids))
        return f"IN_TRANSIT:{ids[origin]}>{ids[destination]}"
    return VIRTUAL_NAMES[code]


def location_code(name: str, index: dict[str, int]) -> int:
    """Inverse of :func:`location_name`; `index` maps real ids to the axis."""
    if name in index:
        return index[name]
    if name.startswith("IN_TRANSIT:"):
        origin, _, destination = name.removeprefix("IN_TRANSIT:").partition(">")
        return transit_code(index[origin], index[destination], len(index))
    for code, virtual in VIRTUAL_NAMES.items():
        if virtual == name:
            return code
    raise InvalidInput(f"{name!r} is no location of the ledger", field="location")


class MovementKind(enum.IntEnum):
    """What happened."""

    OPENING = 1  # OPENING -> location
    RECEIVE = 2  # SUPPLIER -> location
    SELL = 3  # location -> CUSTOMER
    CUSTOMER_RETURN = 4  # CUSTOMER -> location
    SHIP = 5  # location -> in transit
    RECEIVE_TRANSFER = 6  # in transit -> location
    CLOSE_SHORT = 7  # in transit -> LOSS
    WRITE_OFF = 8  # location -> LOSS, recorded with a reason
    ADJUST = 9  # location <-> COUNT, found at a count
    AUTO_FOUND = 10  # COUNT -> location, a till sold what the book did not have
    COUNT_REBASE = 11  # location <-> COUNT, keeps a later count true
    SHRINK = 12  # location -> LOSS, latent: unknown loss
    RETURN_TO_WAREHOUSE = 13  # location -> in transit
    REVERSE = 14  # the exact opposite of another row
    RETURN_TO_SUPPLIER = 15  # location -> SUPPLIER
    CONVERT = 16  # location <-> CONVERT, one document of inputs and outputs


class Visibility(enum.IntEnum):
    """Who can know of a row."""

    BOOK = 0
    LATENT = 1


@dataclass(frozen=True)
class Movement:
    """One row of the ledger.

    Times are seconds of local wall clock since day 0 of the network (the service
    stores aware UTC and converts at its border). `quantity` is in base units, > 0.
    """

    movement_id: str
    kind: MovementKind
    sku: int
    from_location: int
    to_location: int
    quantity: int
    occurred_at_s: int
    recorded_at_s: int
    visibility: Visibility = Visibility.BOOK
    run_id: str = "actual"
    lot: str = ""
    serial: str = ""
    condition: str = "good"
    owner: str = ""
    document_id: str = ""
    sscc: str = ""
    actor: str = ""
    device: str = ""
    reverses: str = ""

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise InvalidInput(
                f"quantity is {self.quantity}",
                field="quantity",
                remedy="give a positive number; a correction is a reversal",
            )
        if self.from_location == self.to_location:
            raise InvalidInput("a movement needs two ends", field="to_location")


@dataclass(frozen=True)
class Stamp:
    """What every constructor needs beside the goods: identity and the two clocks."""

    movement_id: str
    occurred_at_s: int
    recorded_at_s: int
    run_id: str = "actual"
    visibility: Visibility = Visibility.BOOK
    document_id: str = ""
    actor: str = ""
    device: str = ""
    lot: str = ""


def _row(kind: MovementKind, stamp: Stamp, sku: int, a: int, b: int, quantity: int) -> Movement:
    return Movement(
        movement_id=stamp.movement_id,
        kind=kind,
        sku=sku,
        from_location=a,
        to_location=b,
        quantity=quantity,
        occurred_at_s=stamp.occurred_at_s,
        recorded_at_s=stamp.recorded_at_s,
        visibility=stamp.visibility,
        run_id=stamp.run_id,
        document_id=stamp.document_id,
        actor=stamp.actor,
        device=stamp.device,
        lot=stamp.lot,
    )


def open_stock(stamp: Stamp, sku: int, at: int, quantity: int) -> Movement:
    """Opening stock of a ledger."""
    return _row(MovementKind.OPENING, stamp, sku, OPENING, at, quantity)


def receive(stamp: Stamp, sku: int, at: int, quantity: int) -> Movement:
    """Goods from a supplier."""
    return _row(MovementKind.RECEIVE, stamp, sku, SUPPLIER, at, quantity)


def sell(stamp: Stamp, sku: int, at: int, quantity: int) -> Movement:
    """A till's sale."""
    return _row(MovementKind.SELL, stamp, sku, at, CUSTOMER, quantity)


def take_back(stamp: Stamp, sku: int, at: int, quantity: int) -> Movement:
    """A customer's return, resellable."""
    return _row(MovementKind.CUSTOMER_RETURN, stamp, sku, CUSTOMER, at, quantity)


def ship(stamp: Stamp, sku: int, origin: int, to: int, quantity: int, locations: int) -> Movement:
    """Goods leave `origin` for `to`; `locations` is L."""
    lane = transit_code(origin, to, locations)
    return _row(MovementKind.SHIP, stamp, sku, origin, lane, quantity)


def receive_transfer(
    stamp: Stamp, sku: int, origin: int, to: int, quantity: int, locations: int
) -> Movement:
    """Goods shipped from `origin` arrive at `to`; `locations` is L."""
    lane = transit_code(origin, to, locations)
    return _row(MovementKind.RECEIVE_TRANSFER, stamp, sku, lane, to, quantity)


def close_short(
    stamp: Stamp, sku: int, origin: int, to: int, quantity: int, locations: int
) -> Movement:
    """What was shipped and never arrived; `locations` is L."""
    lane = transit_code(origin, to, locations)
    return _row(MovementKind.CLOSE_SHORT, stamp, sku, lane, LOSS, quantity)


def write_off(stamp: Stamp, sku: int, at: int, quantity: int) -> Movement:
    """Recorded disposal."""
    return _row(MovementKind.WRITE_OFF, stamp, sku, at, LOSS, quantity)


def shrink(stamp: Stamp, sku: int, at: int, quantity: int) -> Movement:
    """Unknown loss; only the twin knows it."""
    return _row(MovementKind.SHRINK, stamp, sku, at, LOSS, quantity)


def adjust(stamp: Stamp, sku: int, at: int, difference: int) -> Movement:
    """A count difference: positive was found, negative was missing."""
    ends = (COUNT, at) if difference > 0 else (at, COUNT)
    return _row(MovementKind.ADJUST, stamp, sku, *ends, abs(difference))


def auto_found(stamp: Stamp, sku: int, at: int, quantity: int) -> Movement:
    """What a till sold though the book had none."""
    return _row(MovementKind.AUTO_FOUND, stamp, sku, COUNT, at, quantity)


def count_rebase(stamp: Stamp, sku: int, at: int, difference: int) -> Movement:
    """Offsets an event that came to light after the count that already saw it."""
    ends = (COUNT, at) if difference > 0 else (at, COUNT)
    return _row(MovementKind.COUNT_REBASE, stamp, sku, *ends, abs(difference))


def reverse(stamp: Stamp, of: Movement) -> Movement:
    """The exact opposite of `of`; nothing is edited or deleted."""
    return Movement(
        movement_id=stamp.movement_id,
        kind=MovementKind.REVERSE,
        sku=of.sku,
        from_location=of.to_location,
        to_location=of.from_location,
        quantity=of.quantity,
        occurred_at_s=of.occurred_at_s,
        recorded_at_s=stamp.recorded_at_s,
        visibility=of.visibility,
        run_id=of.run_id,
        document_id=of.document_id,
        actor=stamp.actor,
        device=stamp.device,
        lot=of.lot,
        reverses=of.movement_id,
    )


@dataclass(frozen=True)
class MovementColumns:
    """Movements as columns, the twin's storage and the common exchange form.

    Attributes
    ----------
    kind, visibility : (N,) int8
    sku, from_location, to_location, quantity : (N,) int32
    occurred_at_s, recorded_at_s : (N,) int64
    document : (N,) int32, number of the document the row belongs to; -1 = none
    """

    kind: npt.NDArray[np.int8]
    visibility: npt.NDArray[np.int8]
    sku: npt.NDArray[np.int32]
    from_location: npt.NDArray[np.int32]
    to_location: npt.NDArray[np.int32]
    quantity: npt.NDArray[np.int32]
    occurred_at_s: npt.NDArray[np.int64]
    recorded_at_s: npt.NDArray[np.int64]
    document: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.kind)

    def where(self, mask: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> MovementColumns:
        """The rows of `mask` (or at these indices), in order."""
        return MovementColumns(*(getattr(self, item.name)[mask] for item in fields(self)))

    def known(self, as_of_s: int, known_at_s: int | None = None) -> MovementColumns:
        """Book rows with occurred ≤ `as_of_s` and recorded ≤ `known_at_s` (default the same)."""
        known = as_of_s if known_at_s is None else known_at_s
        return self.where(
            (self.visibility == Visibility.BOOK)
            & (self.occurred_at_s <= as_of_s)
            & (self.recorded_at_s <= known)
        )

    @classmethod
    def of(cls, rows: list[Movement]) -> MovementColumns:
        """Columns of movement objects (documents are numbered in order of appearance)."""
        documents: dict[str, int] = {"": -1}
        numbers = [documents.setdefault(row.document_id, len(documents) - 1) for row in rows]
        return cls(
            np.array([row.kind for row in rows], dtype=np.int8),
            np.array([row.visibility for row in rows], dtype=np.int8),
            np.array([row.sku for row in rows], dtype=np.int32),
            np.array([row.from_location for row in rows], dtype=np.int32),
            np.array([row.to_location for row in rows], dtype=np.int32),
            np.array([row.quantity for row in rows], dtype=np.int32),
            np.array([row.occurred_at_s for row in rows], dtype=np.int64),
            np.array([row.recorded_at_s for row in rows], dtype=np.int64),
            np.array(numbers, dtype=np.int32),
        )
