"""Which SKUs a store counts because their record is likely wrong, or dear to be wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.forecast import SalesPanel
from policies.domain.network import DAY_SECONDS, IntArray
from policies.domain.view import NetworkView
from policies.phantom import PhantomDetector
from policies.silence import Evidence
from twin.state import State

_YOUNG_DAYS = 28
"""A detector is fitted anew as long as its panel is no longer than this."""
_KNOWN_DAYS = 28
"""For which a count is believed."""


class RiskCounts:
    """A ranking of each store's records, worked off evening by evening.

    It sees the book and the sales, as a chain does. Lines counted so are no random sample:
    they stay out of the record accuracy and take staff their time.

    Parameters
    ----------
    state : State
    """

    def __init__(self, state: State) -> None:
        self.state, self.rules = state, state.scenario.risk_counts
        self.on = self.rules.lines_per_day > 0
        self._detector: PhantomDetector | None = None
        self._ranked: dict[int, IntArray] = {}
        self._moved = np.zeros(state.network.shape if self.on else (0, 0), dtype=np.float32)
        self._seen_day = np.full(self._moved.shape, -_KNOWN_DAYS, dtype=np.int32)
        self._ranked_day = -1
        self.lines = self.wrong = self.empty = 0

    @property
    def needs_view(self) -> bool:
        """Whether a ranking asks for the chain's view."""
        return self.rules.rule == "phantom"

    def is_due(self, day: int) -> bool:
        """Whether records are ranked anew in the evening of `day`."""
        return self._ranked_day < 0 or day - self._ranked_day >= self.rules.every_days

    def note_day(self, sold: IntArray) -> None:
        """What was sold today, (L, K), before tonight's counts."""
        self._moved += sold

    def rank(self, day: int, view: NetworkView | None, panel: SalesPanel | None) -> None:
        """Rank all stores' records; `view` and `panel` for the phantom rule."""
        network = self.state.network
        if view is not None and panel is not None:
            seen = Evidence.of(view, panel)
            if self._detector is None or panel.days <= _YOUNG_DAYS:
                self._detector = PhantomDetector().fitted_by(seen)
            score = self._detector.chance_by(seen)
            # Who has just looked need not look again, however silent it is.
            score[day - self._seen_day < _KNOWN_DAYS] = 0.0
        else:
            cost = network.skus.unit_cost_cents.astype(np.float64)
            score = cost * np.sqrt(self._moved) * network.listed
        most = self.rules.lines_per_day * self.rules.every_days
        for place in network.stores.tolist():
            self._ranked[place] = _best(score[place], most)
        self._ranked_day = day

    def tonight(self, place: int, now: int) -> IntArray:
        """(n,) int32 SKUs that a store counts tonight, ascending."""
        step = (now // DAY_SECONDS - self._ranked_day) * self.rules.lines_per_day
        mine = self._ranked[place][step : step + self.rules.lines_per_day]
        return np.sort(mine)

    def counted(self, place: int, sku: IntArray, difference: IntArray, now: int) -> None:
        """A store has counted `sku` (n,); `difference` (n,) is what its book was off by.

        The book has been put right.
        """
        self._moved[place, sku] = 0
        self._seen_day[place, sku] = now // DAY_SECONDS
        self.lines += len(sku)
        self.wrong += int((difference != 0).sum())
        now_none = self.state.stock.book[place, sku] == 0
        self.empty += int((now_none & (difference < 0)).sum())

    def counters(self) -> dict[str, int]:
        """Lines counted so, those of them that were wrong, and that found nothing at all."""
        if not self.on:
            return {}
        return {
            "risk_count_lines": self.lines,
            "risk_count_lines_wrong": self.wrong,
            "risk_count_lines_empty": self.empty,
        }


def _best(score: npt.NDArray[np.float64], most: int) -> IntArray:
    """(n,) int32 positions of the `most` highest scores above 0, the highest first."""
    order = np.argsort(-score, kind="stable")[:most]
    out: IntArray = order[score[order] > 0].astype(np.int32)
    return out
