"""Which policy, lead time and warm-up a row of a reference table asks for."""

from __future__ import annotations

import numpy as np

from policies.domain.errors import InvalidInput
from policies.replenishment.fixed import ConstantOrder, FixedBaseStock, FixedReorderPoint
from scenarios.verify.store import FRESH_S, World
from scenarios.verify.table import LostSalesRow, PerishableRow, ReorderRow, Row
from twin.scenario import Perishables

SIMULATED = ("base_stock", "capped_base_stock", "constant_order", "reorder_point")
EXACT_ROUTINE = ("optimal", "myopic1", "myopic2", "optimal_average")
_SHORTEST_WARMUP_DAYS = 200
_RELAXATIONS = 12.0


def world_of(row: Row) -> World:
    """The row's store."""
    if isinstance(row, PerishableRow):
        return _perishable_world(row)
    return _reorder_world(row) if isinstance(row, ReorderRow) else lost_sales_world(row)


def is_simulated(row: Row) -> bool:
    """Whether the twin has the row's policy; of perishables any base stock of a given S."""
    if isinstance(row, PerishableRow):
        return "base_stock" in row.policy and row.level is not None
    return row.policy in SIMULATED


def _perishable_world(row: PerishableRow) -> World:
    """Goods that expire; the order of evening t arrives, fresh, in the evening of t + L.

    Everything on hand at the start has been sold or has expired after m days.
    """
    level = _parameter(row, "S", row.level)
    warmup = max(_SHORTEST_WARMUP_DAYS, 20 * (row.lead_time + row.life))
    return World(
        FixedBaseStock(level, row.most),
        row.lead_time,
        warmup,
        level,
        life=row.life,
        perishables=Perishables(tracked=True, lifo_share=0.0 if row.is_fifo else 1.0),
        receipt_s=FRESH_S,
    )


def _reorder_world(row: ReorderRow) -> World:
    """An (s, S) store with backorders; it begins at S and forgets it within a few cycles.

    A cycle takes about (S − s) / mean days; twenty of them, and never less than 200 days.
    """
    if row.level <= row.reorder_point:
        raise InvalidInput(
            f"S is {row.level} and s is {row.reorder_point}",
            field="S",
            row=row.number,
            remedy="give S above s",
        )
    cycle = (row.level - row.reorder_point) / row.mean + 1
    warmup = max(_SHORTEST_WARMUP_DAYS, int(np.ceil(20 * cycle)), 20 * (row.lead_time + 1))
    policy = FixedReorderPoint(row.reorder_point, row.level)
    return World(policy, row.lead_time, warmup, max(row.level, 0), backorders=True)


def lost_sales_world(row: LostSalesRow) -> World:
    """The row's store, with a warm-up that forgets its opening.

    Under a constant order stock is a random walk with drift, pushed back at 0; it
    forgets at the rate drift² / (2 · variance), so the warm-up is twelve such times
    (e⁻¹² of the start is left) where that is longer than 200 days.
    """
    level = _parameter(row, "par1", row.par1)
    warmup = max(_SHORTEST_WARMUP_DAYS, 20 * (row.lead_time + 1))
    if row.policy == "base_stock":
        return World(FixedBaseStock(level), row.lead_time, warmup, level)
    if row.policy == "capped_base_stock":
        cap = _parameter(row, "par2", row.par2)
        return World(FixedBaseStock(level, cap), row.lead_time, warmup, level)
    drift = row.mean - level
    if drift <= 0:
        raise InvalidInput(
            f"a constant order of {level} against a mean demand of {row.mean:g}: stock grows "
            "without end and no average exists",
            field="par1",
            row=row.number,
            remedy="give a quantity below the mean",
        )
    forget = int(np.ceil(_RELAXATIONS * 2 * row.variance / drift**2))
    return World(ConstantOrder(level), row.lead_time, max(warmup, forget), level)


def _parameter(row: LostSalesRow | PerishableRow, name: str, value: int | None) -> int:
    if value is None:
        raise InvalidInput(
            f"{row.policy} needs {name}", field=name, row=row.number, remedy="give a whole number"
        )
    return value
