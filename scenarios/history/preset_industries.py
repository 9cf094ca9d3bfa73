"""Industries and store formats a planner starts from: transformed plain chains.

A preset changes what is sold and when; formats change what each store lists, how much it
sells and when it is open, so that one template is never forced on all.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.domain.facts import CostModel
from policies.domain.goods import Skus
from policies.domain.identifiers import make_gtin14
from policies.domain.network import Network
from scenarios.history.generated_plan import ChainPlan, generic_plan, stream

Floats = npt.NDArray[np.float64]
INDUSTRIES = ("fast-moving", "fresh", "apparel")
_FRESH, _STYLE, _CLUSTER = 21, 22, 23


@dataclass(frozen=True)
class Format:
    """A kind of store.

    Attributes
    ----------
    assortment : share of the chain's SKUs it lists, best sellers first
    lines : receipt lines of a day over those of the chain's mean store
    opens_s, closes_s, receives_from_s, receives_until_s : seconds after midnight
    """

    assortment: float
    lines: float
    opens_s: int
    closes_s: int
    receives_from_s: int
    receives_until_s: int


FORMATS = {
    "convenience": Format(0.25, 0.4, 6 * 3600, 24 * 3600, 5 * 3600, 11 * 3600),
    "supermarket": Format(0.7, 1.0, 7 * 3600, 22 * 3600, 5 * 3600, 13 * 3600),
    "hypermarket": Format(1.0, 2.5, 8 * 3600, 22 * 3600, 4 * 3600, 16 * 3600),
}

_SIZES = (("XS", 0.08), ("S", 0.22), ("M", 0.32), ("L", 0.25), ("XL", 0.13))
_COLOURS = (("black", 0.5), ("blue", 0.3), ("red", 0.2))
_FRESH_SHELVES = (("dairy", 12), ("meat", 6), ("fruit", 8), ("vegetables", 6), ("bakery", 3))
_SEASON_WEEKS, _SALE_WEEKS = 26, 5
_SALE_PRICE, _SALE_LIFT = 0.6, 1.9


def industry_plan(
    preset: str,
    stores: int,
    skus: int,
    days: int,
    lines: float,
    seed: int,
    depots: int,
    start: dt.date,
) -> ChainPlan:
    """The plan of an industry of :data:`INDUSTRIES`."""
    plan = generic_plan(stores, skus, days, lines, seed, depots, start)
    if preset == "fast-moving":
        return replace(plan, costs=CostModel(holding_rate_per_year=0.22))
    make = {"fresh": _fresh, "apparel": _apparel}[preset]
    return make(plan, seed)


def with_formats(plan: ChainPlan, formats: dict[str, float]) -> ChainPlan:
    """Give each store a format, in shares as asked, dealt out evenly over the stores.

    Raises
    ------
    InvalidInput
        An unknown format, or shares that are negative or all 0.
    """
    unknown = sorted(formats.keys() - FORMATS.keys())
    if unknown:
        raise InvalidInput(
            f"no store format {unknown[0]!r}",
            field="formats",
            remedy=f"one of {', '.join(FORMATS)}",
        )
    shares = np.array(list(formats.values()), dtype=np.float64)
    if not len(shares) or (shares < 0).any() or not np.isfinite(shares).all() or shares.sum() == 0:
        raise InvalidInput(
            "the shares of the formats are not numbers of 0 or more with one above 0",
            field="formats",
            remedy="give shares, as {convenience = 2, supermarket = 1}",
        )
    stores = len(plan.lines_per_day)
    edges = np.cumsum(shares / shares.sum())
    dealt = np.searchsorted(edges, (np.arange(stores) * 0.6180339887) % 1.0, side="right")
    names = [list(formats)[min(i, len(formats) - 1)] for i in dealt.tolist()]
    network = _formatted(plan, names)
    factor = np.array([FORMATS[name].lines for name in names])
    return replace(
        plan,
        network=network,
        lines_per_day=plan.lines_per_day * factor,
        assumptions=(*plan.assumptions, "store formats: assumed (docs/presets.md)"),
    )


def _formatted(plan: ChainPlan, names: list[str]) -> Network:
    network, places = plan.network, plan.network.locations
    rank = np.empty(len(plan.popularity), dtype=np.int64)
    rank[np.argsort(-plan.popularity, kind="stable")] = np.arange(len(rank))
    listed = network.listed.copy()
    columns: dict[str, Any] = {
        name: getattr(places, name).copy()
        for name in ("opens_s", "closes_s", "receives_from_s", "receives_until_s")
    }
    titles = list(places.names)
    for place, name in zip(network.stores.tolist(), names, strict=True):
        kind = FORMATS[name]
        listed[place] &= rank < max(1, round(kind.assortment * len(rank)))
        for key, column in columns.items():
            column[place] = getattr(kind, key)
        titles[place] += f", {name}"
    for place in network.warehouses.tolist():
        listed[place] = listed[places.source == place].any(axis=0)
    locations = replace(places, names=tuple(titles), **columns)
    return replace(network, locations=locations, listed=listed)


def _with_skus(plan: ChainPlan, skus: Skus) -> ChainPlan:
    """The plan with other goods of the same number; one supplier for each category."""
    network, lead = plan.network, plan.network.suppliers.lead_time_days
    suppliers = replace(
        network.suppliers,
        ids=tuple(f"supplier of {name}" for name in skus.categories),
        lead_time_days=np.tile(lead[:1], (len(skus.categories), 1)),
    )
    return replace(plan, network=replace(network, skus=skus, suppliers=suppliers))


def _fresh(plan: ChainPlan, seed: int) -> ChainPlan:
    """Half of the goods are fresh and sell more than their share; suppliers bring them fast."""
    old, count = plan.network.skus, len(plan.popularity)
    rng = stream(seed, _FRESH)
    categories = (*[name for name, _ in _FRESH_SHELVES], "ambient")
    lives = np.array([*[life for _, life in _FRESH_SHELVES], 0])
    fresh = count // 2
    group = np.concatenate(
        [np.arange(fresh) * len(_FRESH_SHELVES) // max(fresh, 1),
         np.full(count - fresh, len(_FRESH_SHELVES))]
    )  # fmt: skip
    life = np.maximum(2, np.round(lives[group] * rng.uniform(0.8, 1.3, count)))
    skus = replace(
        old,
        category=group.astype(np.int32),
        categories=categories,
        shelf_life_days=np.where(lives[group] > 0, life, 0).astype(np.int32),
        pack_size=np.where(group < len(_FRESH_SHELVES), 4, old.pack_size).astype(np.int32),
    )
    made = _with_skus(plan, skus)
    popularity = plan.popularity * np.where(group < len(_FRESH_SHELVES), 1.6, 1.0)
    return replace(
        made,
        popularity=popularity / popularity.sum(),
        costs=CostModel(holding_rate_per_year=0.22, waste_factor=1.0),
        assumptions=(*plan.assumptions, "shelf lives and share of fresh goods: assumed"),
    )


def _apparel(plan: ChainPlan, seed: int) -> ChainPlan:
    """Styles in colours and sizes, half of them for each half of the year, sold off at its end."""
    count, weeks = len(plan.popularity), plan.lift.shape[0]
    each = len(_COLOURS) * len(_SIZES)
    style = np.arange(count) // each
    colour, size = np.arange(count) % each // len(_SIZES), np.arange(count) % len(_SIZES)
    rng = stream(seed, _STYLE)
    styles = int(style[-1]) + 1
    weight = rng.lognormal(0.0, 0.8, styles)
    popularity = (
        weight[style]
        * np.array([share for _, share in _COLOURS])[colour]
        * np.array([share for _, share in _SIZES])[size]
    )
    price = np.round(rng.uniform(1_500, 9_000, styles) / 100) * 100 - 1
    skus = _garments(plan.network.skus, style, colour, size, price)
    lift, shown = _seasons(style, weeks, plan, rng)
    cents = np.where(shown == 2, np.round(price[style] * _SALE_PRICE), price[style])
    made = _with_skus(plan, skus)
    return replace(
        made,
        popularity=popularity / popularity.sum(),
        taste_spread=0.5,
        lift=lift,
        price_cents=np.maximum(cents, 1).astype(np.int32),
        promotions=plan.promotions.iloc[:0],
        costs=CostModel(holding_rate_per_year=0.30),
        assumptions=(*plan.assumptions, "size and colour curves, seasons, sales: assumed"),
    )


def _garments(old: Skus, style: Any, colour: Any, size: Any, price: Floats) -> Skus:
    names = tuple(
        f"Style {s + 1}, {_COLOURS[c][0]}, {_SIZES[z][0]}"
        for s, c, z in zip(style.tolist(), colour.tolist(), size.tolist(), strict=True)
    )
    count = len(names)
    return replace(
        old,
        ids=tuple(
            f"ST{s + 1:04d}-{_COLOURS[c][0][:3].upper()}-{_SIZES[z][0]}"
            for s, c, z in zip(style.tolist(), colour.tolist(), size.tolist(), strict=True)
        ),
        names=names,
        category=(style % 2).astype(np.int32),
        categories=("spring and summer", "autumn and winter"),
        unit_price_cents=price[style].astype(np.int32),
        unit_cost_cents=np.round(price[style] * 0.42).astype(np.int32),
        pack_size=np.ones(count, dtype=np.int32),
        mass_g=np.full(count, 400, dtype=np.int32),
        volume_cm3=np.full(count, 1_500, dtype=np.int32),
        shelf_life_days=np.zeros(count, dtype=np.int32),
        gtin=tuple(make_gtin14("201", i + 1) for i in range(count)),
    )


def _seasons(
    style: Any, weeks: int, plan: ChainPlan, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """((W, K) lift, (W, K) 0 = out of season, 1 = in season, 2 = sold off).

    A season begins in week 6 or 32 of the year and ends 26 weeks later; demand fades from
    its start and rises in the sale of its last weeks. Out of season a tenth is left.
    """
    first = plan.network.start_date.timetuple().tm_yday // 7
    week = (np.arange(weeks)[:, None] + first) % 52
    begins = np.where(style % 2 == 0, 6, 32)[None, :]
    age = (week - begins) % 52
    inside = age < _SEASON_WEEKS
    sale = inside & (age >= _SEASON_WEEKS - _SALE_WEEKS)
    fading = 1.4 - 0.8 * age / _SEASON_WEEKS
    lift = np.where(inside, fading, 0.1) * np.where(sale, _SALE_LIFT, 1.0)
    noise = rng.lognormal(-0.02, 0.2, lift.shape)
    return (lift * noise).astype(np.float32), np.where(sale, 2, inside).astype(np.int8)
