"""What each demonstration is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from policies.domain.errors import InvalidInput


@dataclass(frozen=True)
class DemoPlan:
    """Sizes, splits and budgets of one demonstration.

    Attributes
    ----------
    data : {"cj", "cn", "tiny"}
    stores, skus, warehouses : size of the chain
    panel_expansion : how many times the panel's baskets are drawn; 1 = replay as recorded
    tune_weeks, gate_weeks, live_weeks, test_weeks : (first, last) week, inclusive; an
        empty range where last < first
    search_evaluations : most evaluations of the tuner's search
    gate_replications : paired replications of the gate
    promise_replications : replications behind the promised band
    seed : master seed
    """

    data: str
    stores: int
    skus: int
    warehouses: int
    panel_expansion: float
    tune_weeks: tuple[int, int]
    gate_weeks: tuple[int, int]
    live_weeks: tuple[int, int]
    search_evaluations: int
    gate_replications: int
    promise_replications: int
    test_weeks: tuple[int, int] = (49, 52)
    seed: int = 20_170
    days: int = 364
    lines_per_store_day: int = 0

    def settings(self) -> dict[str, Any]:
        """The plan as plain data (it keys every step)."""
        return asdict(self)


PLANS = {
    "cj": DemoPlan("cj", 100, 1_000, 2, 16.0, (2, 40), (41, 46), (47, 48), 30, 3, 20),
    "cn": DemoPlan(
        "cn", 60, 800, 2, 1.0, (2, 40), (41, 46), (47, 48), 28, 4, 20, lines_per_store_day=260
    ),
    "tiny": DemoPlan(
        "tiny",
        3,
        20,
        1,
        1.0,
        (1, 2),
        (3, 3),
        (4, 4),
        6,
        2,
        5,
        (5, 4),
        days=28,
        lines_per_store_day=60,
    ),
}


def demo_plan(data: str) -> DemoPlan:
    """The plan of that name."""
    if data not in PLANS:
        raise InvalidInput(
            f"no demo data {data!r}", field="--data", remedy=f"one of {', '.join(PLANS)}"
        )
    return PLANS[data]
