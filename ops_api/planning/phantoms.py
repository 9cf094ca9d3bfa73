"""Shelves that are silent for too long: the counts a night asks for."""

from __future__ import annotations

from ops_api.tasks.service import COUNT, TaskDraft
from policies.domain.forecast import SalesPanel
from policies.domain.view import NetworkView
from policies.phantom import Evidence, PhantomDetector, days_without_sale, likeliest

LEAST_CHANCE = 0.25
"""One count in four finds a phantom at least; a clerk who finds none stops believing."""


def suspects(view: NetworkView, panel: SalesPanel, per_store: int) -> list[TaskDraft]:
    """Count tasks for the likeliest phantoms, at most so many a store.

    Each says why: ``chance`` that nothing is there, ``days_silent`` since the last sale, and
    ``book``, the units the book shows.
    """
    if per_store < 1 or panel.days == 0:
        return []
    seen = Evidence.of(view, panel)
    chance = PhantomDetector().fitted_by(seen).chance_by(seen)
    places, skus = view.network.locations.ids, view.network.skus.ids
    silent = days_without_sale(panel)
    left = dict.fromkeys(range(len(places)), per_store)
    out = []
    for place, sku, odds in likeliest(chance, int((chance >= LEAST_CHANCE).sum())):
        if left[place]:
            left[place] -= 1
            payload = {
                "cause": "silent",
                "chance": round(odds, 3),
                "days_silent": int(silent[place, sku]),
                "book": int(view.on_hand[place, sku]),
            }
            out.append(TaskDraft(COUNT, places[place], skus[sku], payload=payload))
    return out
