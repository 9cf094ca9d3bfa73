"""Shelves that are silent for too long: the counts to ask for, and what silence says of stores.

What it says of a store is kept and told to nobody: shelves that were emptied since the last
delivery are not silent yet, and only counts drawn at random tell how many these are
(docs/studies.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert

from ops_api.planning.tables import AVAILABILITY
from ops_api.tasks.service import COUNT, TaskDraft, open_tasks
from policies.domain.forecast import SalesPanel
from policies.domain.view import NetworkView
from policies.phantom import PhantomDetector, likeliest
from policies.silence import Evidence, Floats, days_without_sale

LEAST_CHANCE = 0.25
"""One count in four finds a phantom at least; a clerk who finds none stops believing."""


@dataclass(frozen=True)
class Silence:
    """What the shelves that sell nothing say, on the evening a forecast is made.

    Attributes
    ----------
    view : NetworkView
    panel : SalesPanel, of at least one day
    chance : (L, K) float64 that the book's stock is not there
    """

    view: NetworkView
    panel: SalesPanel
    chance: Floats

    @classmethod
    def of(cls, view: NetworkView, panel: SalesPanel | None) -> Silence | None:
        """None where nothing was recorded yet."""
        if panel is None or panel.days == 0:
            return None
        seen = Evidence.of(view, panel)
        return cls(view, panel, PhantomDetector().fitted_by(seen).chance_by(seen))

    def suspects(self, per_store: int) -> list[TaskDraft]:
        """Count tasks for the likeliest phantoms, at most so many a store.

        Each says why: ``chance`` that nothing is there, ``days_silent`` since the last sale, and
        ``book``, the units the book shows.
        """
        places, skus = self.view.network.locations.ids, self.view.network.skus.ids
        silent = days_without_sale(self.panel)
        left = dict.fromkeys(range(len(places)), max(per_store, 0))
        out = []
        enough = int((self.chance >= LEAST_CHANCE).sum())
        for place, sku, odds in likeliest(self.chance, enough):
            if left[place]:
                left[place] -= 1
                payload = {
                    "cause": "silent",
                    "chance": round(odds, 3),
                    "days_silent": int(silent[place, sku]),
                    "book": int(self.view.on_hand[place, sku]),
                }
                out.append(TaskDraft(COUNT, places[place], skus[sku], payload=payload))
        return out

    def estimates(self) -> list[dict[str, Any]]:
        """Rows of the stores: cells listed, in stock by the book, and phantoms among these."""
        network = self.view.network
        stocked = network.listed & (self.view.on_hand > 0)
        return [
            {
                "location": network.locations.ids[place],
                "listed": int(network.listed[place].sum()),
                "stocked": int(stocked[place].sum()),
                "phantoms": float(self.chance[place][stocked[place]].sum()),
            }
            for place in network.stores.tolist()
        ]

    def write(self, connection: Connection, per_store: int, cause: str, at: int) -> None:
        """Open the counts, and keep the estimates under the view's business day."""
        open_tasks(connection, self.suspects(per_store), at=at, cause=cause)
        day = self.view.day
        connection.execute(delete(AVAILABILITY).where(AVAILABILITY.c.business_day == day))
        rows = [row | {"business_day": day, "recorded_at": at} for row in self.estimates()]
        if rows:
            connection.execute(insert(AVAILABILITY), rows)
