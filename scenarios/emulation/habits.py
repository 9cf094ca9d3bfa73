"""How the emulated reality differs from what the twin was told, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twin.scenario import Frictions

TOLD_NOTHING = Frictions(
    shrink_per_unit_sold=0.010,
    receipt_error_per_line=0.004,
    truck_speed_factor=0.8,
    refuse_share=0.02,
)
"""What is true in the emulated reality; the twin was told less."""


@dataclass(frozen=True)
class Habits:
    """How tills and phones behave on bad networks.

    Attributes
    ----------
    late_share, twice_share : share of batches held back for hours, and sent again
    late_hours : (least, most) hours a batch is held back
    refuse_share : share of transfers a keeper cancels
    drop_share : share of requests whose reply is lost
    """

    late_share: float = 0.03
    twice_share: float = 0.03
    late_hours: tuple[float, float] = (2.0, 9.0)
    refuse_share: float = 0.02
    drop_share: float = 0.0


@dataclass
class Report:
    """What was posted, and what became of it.

    Attributes
    ----------
    posted, effective : int, distinct events sent, and of these effective
    twice_created : int, events that the service called new more than once (must be 0)
    duplicates, late : int
    refused : dict of code -> int
    lines : int, customers' lines met by the model
    """

    posted: int
    effective: int
    twice_created: int
    duplicates: int
    late: int
    refused: dict[str, int]
    lines: int
    requests: int
    nights: list[dict[str, Any]] = field(default_factory=list)
