"""Rules of processes that a scenario may switch on; each is off as it stands here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.domain.errors import ScenarioInvalid


@dataclass(frozen=True)
class CraneRules:
    """A miniload or pallet store with cranes in every warehouse, ``[asrs]``.

    Attributes
    ----------
    cranes : aisles, each with its own crane; 0 = goods lie where pickers reach them
    rack_length_m, rack_height_m : what a crane serves from the lower corner of its rack
    travel_m_per_s, lift_m_per_s : along and up, at the same time
    transfer_seconds : picking up, or putting down, one load unit
    cases_per_unit : cases on a load unit
    crane_kw : mean electric power of a crane that works
    """

    cranes: int = 0
    rack_length_m: float = 60.0
    rack_height_m: float = 10.0
    travel_m_per_s: float = 3.0
    lift_m_per_s: float = 1.0
    transfer_seconds: float = 5.0
    cases_per_unit: float = 4.0
    crane_kw: float = 6.0

    def __post_init__(self) -> None:
        check_limits(
            self,
            "asrs",
            {
                "cranes": (0, 1_000),
                "rack_length_m": (0.1, 1_000),
                "rack_height_m": (0.1, 100),
                "travel_m_per_s": (0.01, 20),
                "lift_m_per_s": (0.01, 20),
                "transfer_seconds": (0, 600),
                "cases_per_unit": (1, 10_000),
                "crane_kw": (0, 1_000),
            },
        )

    @property
    def along_s(self) -> float:
        """Seconds from the lower corner to the rack's far end."""
        return self.rack_length_m / self.travel_m_per_s

    @property
    def up_s(self) -> float:
        """Seconds from the lower corner to the rack's top."""
        return self.rack_height_m / self.lift_m_per_s

    @property
    def longest_s(self) -> float:
        """T of Bozer & White: the slower of the two."""
        return max(self.along_s, self.up_s)

    @property
    def shape(self) -> float:
        """The shape factor b of Bozer & White, 0 < b ≤ 1; 1 = square in time."""
        return min(self.along_s, self.up_s) / self.longest_s

    @property
    def single_cycle_s(self) -> float:
        """Expected seconds of a cycle that fetches, or stores, one load unit.

        Random storage, Chebyshev travel (Bozer & White 1984): T (1 + b² / 3), and a load
        unit is taken up once and put down once.
        """
        return self.longest_s * (1 + self.shape**2 / 3) + 2 * self.transfer_seconds

    @property
    def dual_cycle_s(self) -> float:
        """Expected seconds of a cycle that stores one unit and fetches another.

        T (4 / 3 + b² / 2 − b³ / 30) by the same source, and four transfers.
        """
        b = self.shape
        return self.longest_s * (4 / 3 + b**2 / 2 - b**3 / 30) + 4 * self.transfer_seconds


def check_limits(rules: object, table: str, limits: dict[str, tuple[float, float]]) -> None:
    """Refuse numbers outside their limits, by the scenario file's own name for them."""
    for name, (low, high) in limits.items():
        value = getattr(rules, name)
        if not np.isfinite(value) or not low <= value <= high:
            raise ScenarioInvalid(
                f"{name} is {value}",
                field=f"{table}.{name}",
                remedy=f"give a number from {low:g} to {high:g}",
            )
