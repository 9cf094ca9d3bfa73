"""Constructors of movement rows in their SQL form, one for each kind of the domain.

They mirror ``policies.domain.ledger``: no free-form rows, and a correction is a new
row that names what it reverses.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from policies.domain.ledger import VIRTUAL_NAMES, MovementKind

ACTUAL = "actual"
_TRANSIT = "IN_TRANSIT:"
_VIRTUAL = frozenset(VIRTUAL_NAMES.values())
_NAMESPACE = uuid.UUID("5b0a3d2e-6f54-4a5e-9d0c-6f1f0a2a7c11")

Row = dict[str, Any]


@dataclass(frozen=True)
class Stamp:
    """What every row of one write shares.

    Attributes
    ----------
    occurred_at, recorded_at : int, whole seconds of UTC since 1970
    """

    occurred_at: int
    recorded_at: int
    actor: str = ""
    device: str = ""
    document_id: str = ""
    run_id: str = ACTUAL


def derived_id(*parts: object) -> str:
    """A stable UUID for a row that follows from an event; the same on every replay."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))


def transit(origin: str, destination: str) -> str:
    """The in-transit place of a lane."""
    return f"{_TRANSIT}{origin}>{destination}"


def is_transit(place: str) -> bool:
    """Whether the place is on the road."""
    return place.startswith(_TRANSIT)


def is_real(place: str) -> bool:
    """Whether the place is a location that holds stock."""
    return place not in _VIRTUAL and not is_transit(place)


def has_balance(place: str) -> bool:
    """Whether a balance row is kept for the place: real locations and goods in transit."""
    return place not in _VIRTUAL


def may_name_location(name: str) -> bool:
    """Whether a location may be called so without being taken for a virtual place."""
    return name not in _VIRTUAL and ":" not in name and ">" not in name


def chain_of(row: Row) -> str:
    """The hash chain a row belongs to: its real location, or where the goods were bound."""
    place = row["from_location"]
    if not is_real(place):
        place = row["to_location"]
    if not is_real(place):
        lane = row["from_location"] if is_transit(row["from_location"]) else place
        place = lane.rpartition(">")[2]
    return str(place) if row["run_id"] == ACTUAL else f"{row['run_id']}/{place}"


def row(
    kind: MovementKind,
    stamp: Stamp,
    movement_id: str,
    sku: str,
    origin: str,
    destination: str,
    quantity: int,
    *,
    lot: str = "",
    condition: str = "good",
    serial: str = "",
    sscc: str = "",
    reverses: str = "",
    visibility: int = 0,
) -> Row:
    """A movement row with its chain named and not yet linked."""
    out: Row = {
        "movement_id": movement_id,
        "run_id": stamp.run_id,
        "visibility": visibility,
        "occurred_at": stamp.occurred_at,
        "recorded_at": stamp.recorded_at,
        "kind": int(kind),
        "sku": sku,
        "from_location": origin,
        "to_location": destination,
        "quantity": quantity,
        "lot": lot,
        "serial": serial,
        "condition": condition,
        "owner": "",
        "document_id": stamp.document_id,
        "sscc": sscc,
        "actor": stamp.actor,
        "device": stamp.device,
        "reverses": reverses,
    }
    out["chain"] = chain_of(out)
    return out


def open_stock(
    stamp: Stamp, movement_id: str, sku: str, at: str, quantity: int, *, lot: str = ""
) -> Row:
    """Opening stock of a ledger."""
    return row(MovementKind.OPENING, stamp, movement_id, sku, "OPENING", at, quantity, lot=lot)


def receive(
    stamp: Stamp,
    movement_id: str,
    sku: str,
    at: str,
    quantity: int,
    *,
    lot: str = "",
    condition: str = "good",
    serial: str = "",
    sscc: str = "",
) -> Row:
    """Goods from a supplier."""
    return row(
        MovementKind.RECEIVE,
        stamp,
        movement_id,
        sku,
        "SUPPLIER",
        at,
        quantity,
        lot=lot,
        condition=condition,
        serial=serial,
        sscc=sscc,
    )


def sell(stamp: Stamp, movement_id: str, sku: str, at: str, quantity: int, *, lot: str = "") -> Row:
    """A till's sale."""
    return row(MovementKind.SELL, stamp, movement_id, sku, at, "CUSTOMER", quantity, lot=lot)


def take_back(
    stamp: Stamp, movement_id: str, sku: str, at: str, quantity: int, *, condition: str = "good"
) -> Row:
    """A customer's return."""
    return row(
        MovementKind.CUSTOMER_RETURN,
        stamp,
        movement_id,
        sku,
        "CUSTOMER",
        at,
        quantity,
        condition=condition,
    )


def ship(
    stamp: Stamp,
    movement_id: str,
    sku: str,
    origin: str,
    destination: str,
    quantity: int,
    *,
    lot: str = "",
    sscc: str = "",
) -> Row:
    """Goods leave `origin` for `destination`."""
    lane = transit(origin, destination)
    return row(
        MovementKind.SHIP, stamp, movement_id, sku, origin, lane, quantity, lot=lot, sscc=sscc
    )


def receive_transfer(
    stamp: Stamp,
    movement_id: str,
    sku: str,
    origin: str,
    destination: str,
    quantity: int,
    *,
    lot: str = "",
    condition: str = "good",
) -> Row:
    """Goods shipped from `origin` arrive."""
    return row(
        MovementKind.RECEIVE_TRANSFER,
        stamp,
        movement_id,
        sku,
        transit(origin, destination),
        destination,
        quantity,
        lot=lot,
        condition=condition,
    )


def close_short(
    stamp: Stamp,
    movement_id: str,
    sku: str,
    origin: str,
    destination: str,
    quantity: int,
    *,
    lot: str = "",
) -> Row:
    """What was shipped and never arrived."""
    lane = transit(origin, destination)
    return row(MovementKind.CLOSE_SHORT, stamp, movement_id, sku, lane, "LOSS", quantity, lot=lot)


def write_off(
    stamp: Stamp,
    movement_id: str,
    sku: str,
    at: str,
    quantity: int,
    *,
    lot: str = "",
    condition: str = "good",
) -> Row:
    """Recorded disposal."""
    return row(
        MovementKind.WRITE_OFF,
        stamp,
        movement_id,
        sku,
        at,
        "LOSS",
        quantity,
        lot=lot,
        condition=condition,
    )


def count_difference(
    kind: MovementKind,
    stamp: Stamp,
    movement_id: str,
    sku: str,
    at: str,
    difference: int,
    *,
    lot: str = "",
) -> Row:
    """ADJUST, AUTO_FOUND or COUNT_REBASE: positive comes from COUNT, negative goes there."""
    origin, destination = ("COUNT", at) if difference > 0 else (at, "COUNT")
    return row(kind, stamp, movement_id, sku, origin, destination, abs(difference), lot=lot)


def reverse(stamp: Stamp, movement_id: str, of: Row) -> Row:
    """The exact opposite of `of`, effective when `of` was."""
    at = Stamp(
        of["occurred_at"],
        stamp.recorded_at,
        stamp.actor,
        stamp.device,
        of["document_id"],
        of["run_id"],
    )
    return row(
        MovementKind.REVERSE,
        at,
        movement_id,
        of["sku"],
        of["to_location"],
        of["from_location"],
        of["quantity"],
        lot=of["lot"],
        condition=of["condition"],
        serial=of["serial"],
        sscc=of["sscc"],
        reverses=of["movement_id"],
        visibility=of["visibility"],
    )
