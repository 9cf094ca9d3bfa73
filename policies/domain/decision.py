"""Decision: what a policy proposes. Never an effect."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from policies.domain.columns import frozen
from policies.domain.network import IntArray

SUPPLIER = -1
"""Origin code of a purchase line; the supplier is the SKU's category's."""


class LineKind(enum.IntEnum):
    """What a proposal line asks for."""

    REPLENISH = 1  # warehouse -> store
    PURCHASE = 2  # supplier -> warehouse (or supplier -> store in single-echelon networks)
    LATERAL = 3  # store -> store


class Reason(enum.IntEnum):
    """Why a line was proposed; the wording in zh and en is in the UI's catalogue."""

    BELOW_REORDER_POINT = 1
    BELOW_BASE_STOCK = 2
    BASE_STOCK_CAPPED = 3
    SHARED_SHORTAGE = 4
    NEIGHBOUR_HAS_SURPLUS = 5
    WAREHOUSE_COVER = 6
    CONSTANT_ORDER = 7
    BELOW_SAFETY_LINE = 8
    RIDES_AHEAD = 9


@dataclass(frozen=True)
class ProposalLines:
    """Proposal lines as columns.

    Attributes
    ----------
    kind : (N,) int8, :class:`LineKind`
    origin : (N,) int32, axis index, or ``SUPPLIER``
    destination : (N,) int32, axis index
    sku : (N,) int32, axis index
    quantity : (N,) int32 > 0, base units
    due_s : (N,) int32, seconds since day 0
    reason : (N,) int8, :class:`Reason`
    """

    kind: npt.NDArray[np.int8]
    origin: IntArray
    destination: IntArray
    sku: IntArray
    quantity: IntArray
    due_s: IntArray
    reason: npt.NDArray[np.int8]

    def __post_init__(self) -> None:
        for name, dtype in (
            ("kind", np.int8),
            ("origin", np.int32),
            ("destination", np.int32),
            ("sku", np.int32),
            ("quantity", np.int32),
            ("due_s", np.int32),
            ("reason", np.int8),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))

    def __len__(self) -> int:
        return len(self.quantity)

    def take(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> ProposalLines:
        """The lines at `rows` (indices or mask), in that order."""
        return ProposalLines(
            **{name: getattr(self, name)[rows] for name in self.__dataclass_fields__}
        )

    @classmethod
    def empty(cls) -> ProposalLines:
        """No lines."""
        none, short = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int8)
        return cls(short, none, none, none, none, none, short)

    @classmethod
    def concat(cls, *parts: ProposalLines) -> ProposalLines:
        """All lines of `parts`, in order."""
        if not parts:
            return cls.empty()
        return cls(
            **{
                name: np.concatenate([getattr(part, name) for part in parts])
                for name in cls.__dataclass_fields__
            }
        )


@dataclass(frozen=True)
class Route:
    """Ordered stops of one truck, from its warehouse and back.

    Attributes
    ----------
    warehouse : int, axis index
    stops : tuple of int, axis indices in driving order
    departs_s : int, seconds since day 0
    arrives_s : tuple of int, planned arrival at each stop
    returns_s : int, planned return
    metres : int, road length of the closed tour
    kg, m3 : float, load
    """

    warehouse: int
    stops: tuple[int, ...]
    departs_s: int
    arrives_s: tuple[int, ...]
    returns_s: int
    metres: int
    kg: float
    m3: float


@dataclass(frozen=True)
class Unserved:
    """A stop that today's routes leave out, and why."""

    location: int
    reason: str


@dataclass(frozen=True)
class DecisionHeader:
    """Where a decision comes from."""

    policy: str
    version: str
    params_sha256: str
    view_sha256: str
    as_of_s: int


@dataclass(frozen=True)
class Decision:
    """Proposal lines and routes made from one view."""

    header: DecisionHeader
    lines: ProposalLines
    routes: tuple[Route, ...] = ()
    unserved: tuple[Unserved, ...] = field(default=())

    def digest(self) -> str:
        """SHA-256 of header, lines and routes."""
        sha = hashlib.sha256(repr(self.header).encode())
        for name in ProposalLines.__dataclass_fields__:
            sha.update(getattr(self.lines, name).tobytes())
        sha.update(repr((self.routes, self.unserved)).encode())
        return sha.hexdigest()
