"""Voids: a void takes back a sale of the same receipt; neither is ever lost from sight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from scenarios.history.mapping import KINDS

SALE, VOID = KINDS.index("sale"), KINDS.index("void")
CANCELLED = "sale taken back by a void"
CANCELS = "void (takes back its sale)"
ALONE = "void without a sale to take back"
EXAMPLES = 5
Rows = npt.NDArray[np.void]


@dataclass
class Voided:
    """Counts and examples by reason."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def note(self, reason: str, row: Any) -> None:
        """Count one row."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        kept = self.examples.setdefault(reason, [])
        if len(kept) < EXAMPLES:
            moment = str(np.datetime64(int(row["t"]), "s"))
            kept.append({"local_time": moment, "quantity": int(row["quantity"])})

    def add(self, other: Voided) -> None:
        """Take over another's counts."""
        for reason, count in other.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
            kept = self.examples.setdefault(reason, [])
            kept += other.examples[reason][: EXAMPLES - len(kept)]


def cancel_voids(rows: Rows) -> tuple[Rows, Voided]:
    """(sales that stand, what was taken back) of one store's rows in time order.

    A void takes back sales of its SKU on its receipt, the last first; without a receipt
    number, of its SKU on its day. A sale taken back in part keeps the rest.
    """
    out = Voided()
    if (rows["kind"] == SALE).all():
        return rows, out
    sales = rows[rows["kind"] == SALE]
    voids = rows[rows["kind"] == VOID]
    if not len(voids):
        return sales, out
    candidates: dict[tuple[int, int, int], list[int]] = {_key(row): [] for row in voids}
    # Only SKUs that have a void are looked at one by one.
    for i in np.flatnonzero(np.isin(sales["sku"], voids["sku"])):
        stack = candidates.get(_key(sales[i]))
        if stack is not None:
            stack.append(int(i))
    left = sales["quantity"].copy()
    for row in voids:
        units, stack = int(row["quantity"]), candidates[_key(row)]
        if not stack:
            out.note(ALONE, row)
            continue
        out.note(CANCELS, row)
        while units and stack:
            taken = min(units, int(left[stack[-1]]))
            left[stack[-1]] -= taken
            units -= taken
            if left[stack[-1]] == 0:
                out.note(CANCELLED, sales[stack.pop()])
    sales["quantity"] = left
    return sales[left > 0], out


def _key(row: Any) -> tuple[int, int, int]:
    basket = int(row["basket"])
    return basket, int(row["sku"]), 0 if basket >= 0 else int(row["t"]) // 86_400
