"""The demonstration's chain: recorded history or a generated one, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenarios.history.generate import generate_chain
from scenarios.history.importer import import_history, open_history
from scenarios.history.network import select_and_build_network
from scenarios.history.splits import first_day, last_day
from scenarios.stockouts import stockouts_of
from scenarios.worlds import save_chain
from ui.demo.plan import DemoPlan


def make_chain(plan: DemoPlan, history: Path, chain: Path) -> dict[str, Any]:
    """Import or generate, select stores and SKUs, write the chain's folder."""
    segments = [
        (first_day(a), min(last_day(b), plan.days - 1))
        for a, b in (plan.tune_weeks, plan.gate_weeks, plan.live_weeks, plan.test_weeks)
        if a <= b
    ]
    stockouts = None
    if plan.data == "cj":
        report = import_history("complete-journey", [], history)
        recorded = open_history(history)
        network, panel = select_and_build_network(
            recorded,
            stores=plan.stores,
            skus=plan.skus,
            warehouses=plan.warehouses,
            weeks=plan.tune_weeks,
            seed=plan.seed,
        )
        stockouts = stockouts_of(recorded, panel)
        read, kept, rejected = report.read, report.kept, report.rejected
    else:
        network, panel = generate_chain(
            stores=plan.stores,
            skus=plan.skus,
            days=plan.days,
            lines_per_store_day=plan.lines_per_store_day,
            seed=plan.seed,
            warehouses=plan.warehouses,
            preset="cn-supermarket" if plan.data == "cn" else None,
        )
        read, kept, rejected = panel.lines, panel.lines, {}
    save_chain(chain, network, panel, segments, stockouts)
    return {
        "read": read,
        "kept": kept,
        "rejected": rejected,
        "panel_lines": panel.lines,
        "stores": len(network.stores),
        "skus": network.shape[1],
        "currency": network.currency,
    }
