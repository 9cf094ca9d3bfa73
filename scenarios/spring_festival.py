"""``storetwin bench forecast --spring-festival``: does the model know the moving festival?

Three years are generated on the festival's true dates: categories that climb before it and
fall after it in ways of their own, stores that close for some of its days. The boosted
model learns twice from the same sales, with the days to and from the festival and without.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.forecasting.boosting import GlobalBoosting
from policies.forecasting.series import SeriesModel, SeriesPanel
from scenarios.history.day_plan import day_plan
from scenarios.history.preset_cn_calendar import SPRING_FESTIVAL

BEFORE, AFTER = 21, 14
CATEGORIES = {
    # name: (factor at the peak, days of climbing, day of the peak, factor on the first day
    # of the year, days until it is back to normal)
    "gifts": (3.5, 16, -2, 0.6, 12),
    "spirits": (2.6, 20, -3, 0.5, 14),
    "snacks": (2.2, 14, -2, 0.8, 10),
    "fresh": (1.8, 6, -1, 0.3, 7),
    "household": (1.4, 18, -6, 0.4, 9),
    "stationery": (1.0, 1, -20, 0.3, 16),
}
WEEKDAY = np.array([0.85, 0.85, 0.9, 0.95, 1.1, 1.25, 1.1])


@dataclass(frozen=True)
class FestivalWorld:
    """Size of the generated chain.

    Parameters
    ----------
    stores, skus : int, SKUs of each of the six categories
    festival_year : int, year of the third festival
    horizon : int, days ahead of each origin
    seed : int
    """

    stores: int = 20
    skus: int = 10
    festival_year: int = 2024
    horizon: int = 14
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("stores", "skus", "horizon"):
            if getattr(self, name) < 1:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}", field=name, remedy="give at least 1"
                )
        if not {self.festival_year - 2, self.festival_year} <= set(SPRING_FESTIVAL):
            raise InvalidInput(
                f"no dates of three festivals until {self.festival_year}",
                field="festival_year",
                remedy=f"years {min(SPRING_FESTIVAL) + 2} to {max(SPRING_FESTIVAL)}",
            )

    @property
    def first(self) -> dt.date:
        """First of the three generated years, which begin in summer."""
        return dt.date(self.festival_year - 3, 7, 1)

    @property
    def festival(self) -> int:
        """Day number of the third festival."""
        return (SPRING_FESTIVAL[self.festival_year] - self.first).days


def uplift(category: str, days: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """(P,) true factor of a category by days after the festival, negative before it."""
    peak, climb, at, least, back = CATEGORIES[category]
    to_peak = at - days.astype(np.float64)
    run = np.clip(1 - to_peak / climb, 0.0, 1.0) ** 1.5
    out = np.where(days <= at, 1 + (peak - 1) * run, peak)
    # After the peak it falls to the quiet days in a straight line, and climbs back.
    fall = np.clip((days - at) / max(-at, 1), 0.0, 1.0)
    out = np.where((days > at) & (days < 0), peak + (least - peak) * fall, out)
    since = np.clip(days / back, 0.0, 1.0)
    return np.asarray(np.where(days >= 0, least + (1 - least) * since, out))


def generated(world: FestivalWorld) -> tuple[SeriesPanel, npt.NDArray[np.float64]]:
    """(three years of every store and SKU with the plan of their days, (S, P) true means)."""
    rng = np.random.default_rng(np.random.SeedSequence([world.seed, 31]))
    days = world.festival + AFTER + 1 + world.horizon
    plan = day_plan("CN", world.first, days)
    size = world.stores * world.skus * len(CATEGORIES)
    store = np.arange(size) % world.stores
    group = np.arange(size) // (world.stores * world.skus)
    factor = np.stack([uplift(name, plan.festival) for name in CATEGORIES])[group]
    level = rng.gamma(1.5, 8.0, size)[:, None]
    trend = np.exp(np.outer(rng.normal(0.0, 0.08, size), np.arange(days) / 365.0))
    season = 1 + 0.1 * np.cos(2 * np.pi * (np.arange(days) + 20) / 365.25)
    promoted = rng.random((size, days)) < 0.05
    mean = level * trend * season * WEEKDAY[plan.weekday] * factor * (1 + 0.8 * promoted)
    closed = _closed(world, plan.festival, rng)[store]
    # A day's demand of a store scatters as a whole beside its own Poisson.
    scatter = rng.gamma(40.0, 1 / 40.0, (world.stores, days))[store]
    sold = np.where(closed, 0, rng.poisson(mean * scatter)).astype(np.float32)
    panel = SeriesPanel(
        sold=sold,
        in_stock=np.where(closed, 0.0, 1.0).astype(np.float32),
        promotion=np.where(promoted, 0.25, 0.0).astype(np.float32),
        holiday=plan.holiday,
        first_weekday=world.first.weekday(),
        store=store,
        group=group,
        names=tuple(f"S{s} / {list(CATEGORIES)[g]} {i}" for i, (s, g) in _pairs(store, group)),
        festival=plan.festival,
        closed=closed,
        weekday=plan.weekday,
    )
    return panel, mean


def spring_festival(
    world: FestivalWorld,
    model: SeriesModel | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """WAPE of days −21 … +14 of the third festival, with and without lunar features.

    Returns
    -------
    dict with ``wape`` by arm: ``lunar``; ``without``, whose holidays are those of the common
    calendar; ``flagged``, which also knows the festival's days off, but not what lies
    further than five days from them; ``truth``, the generating means: what no model can
    better. ``ratio`` (lunar / without), ``ratio_flagged``,
    ``wape_by_days``, ``series``, ``origins``. Days on which a store is closed are planned,
    forecast as 0 by each arm, and not scored.
    """
    tell = progress or (lambda _: None)
    chosen = model or GlobalBoosting()
    panel, means = generated(world)
    near = np.abs(panel.festival) <= LONGEST if panel.festival is not None else None
    assert near is not None
    common = dataclasses.replace(panel, festival=None, holiday=panel.holiday & ~near)
    arms = {
        "lunar": panel,
        "without": common,
        "flagged": dataclasses.replace(panel, festival=None),
    }
    first, end = world.festival - BEFORE, world.festival + AFTER + 1
    starts = range(first, end, world.horizon)
    gap = {name: np.zeros(end - first) for name in (*arms, "truth")}
    actual = np.zeros(end - first)
    for start in starts:
        length = min(world.horizon, end - start)
        window = slice(start, start + length)
        whole = panel.is_whole[:, window]
        truth = panel.sold[:, window]
        at = slice(start - first, start - first + length)
        actual[at] = (truth * whole).sum(axis=0)
        gap["truth"][at] = np.where(whole, np.abs(truth - means[:, window]), 0.0).sum(axis=0)
        for name, arm in arms.items():
            tell(f"day {start - world.festival:+d}: {name}")
            known = arm.until(start, world.horizon)
            told = chosen.fit(known, world.horizon).forecast(known).mean[:, :length]
            missed = np.where(whole, np.abs(truth - told), 0.0).sum(axis=0)
            gap[name][at] = missed
    wape = {name: float(one.sum() / actual.sum()) for name, one in gap.items()}
    return {
        "wape": wape,
        "ratio": wape["lunar"] / wape["without"],
        "ratio_flagged": wape["lunar"] / wape["flagged"],
        "wape_by_days": _by_days(gap, actual),
        "series": panel.shape[0],
        "days": end - first,
        "festival": str(SPRING_FESTIVAL[world.festival_year]),
        "origins": [start - world.festival for start in starts],
        "horizon": world.horizon,
    }


LONGEST = 10
"""Days about the festival whose holidays are the festival's own."""


def _closed(
    world: FestivalWorld, festival: npt.NDArray[np.int16], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """(stores, P): a third of the stores rests on the first days, another on the first."""
    rests = rng.permutation(world.stores) % 3
    longest = np.array([0, 1, 4])[rests]
    return (festival >= 0) & (festival < longest[:, None])


def _pairs(
    store: npt.NDArray[np.int64], group: npt.NDArray[np.int64]
) -> list[tuple[int, tuple[int, int]]]:
    return list(enumerate(zip(store.tolist(), group.tolist(), strict=True)))


def _by_days(
    gap: dict[str, npt.NDArray[np.float64]], actual: npt.NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    """WAPE of each arm in the weeks before, the festival's and the week after."""
    parts = {"-21..-8": (0, 14), "-7..-1": (14, 21), "0..6": (21, 28), "7..14": (28, 36)}
    return {
        label: {
            name: float(one[low:high].sum() / max(actual[low:high].sum(), 1.0))
            for name, one in gap.items()
        }
        for label, (low, high) in parts.items()
    }
