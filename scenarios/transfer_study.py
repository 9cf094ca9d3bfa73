"""``storetwin study transfers``: stock-outs of a city that neighbours could have spared.

Recorded: hourly sales and hourly stock-outs. Modelled, since the source has no stock: what
a donor holds (three levels), demand in hours without stock (Poisson about the store's
restored level and its category's hours), places of stores, prices. Where the record shows
that a donor ran out later that day its stock is known: what it sold until then.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import pdtr

from policies.domain.decision import ProposalLines
from policies.domain.errors import InvalidInput
from policies.domain.forecast import Forecast
from policies.domain.goods import Skus, Suppliers
from policies.domain.network import Fleet, LocationKind, Locations, Network
from policies.domain.view import NetworkView
from policies.forecasting.unconstrain import HOURS, HourlyUnconstrain
from policies.transfer.min_cost_flow import MinCostFlowTransfer
from scenarios.backtest_series import days_of, hourly_cells
from scenarios.history.importer import History

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
OPEN = slice(6, 22)
"""Hours that are counted: at night next to nothing is sold."""
LEARN_DAYS = 28
_DRAWS = 1_000


@dataclass(frozen=True)
class TransferStudy:
    """What is assumed.

    Parameters
    ----------
    covers : donor stock in multiples of what it expects to sell until closing
    decide_hour, travel_hours : int, when neighbours are asked and how long a run takes
    city_km : float, side of the square that stores are spread over
    price_cents, cost_cents : int, of a unit
    seed : int
    """

    covers: tuple[float, ...] = (3.0, 5.0, 8.0)
    decide_hour: int = 12
    travel_hours: int = 2
    city_km: float = 15.0
    price_cents: int = 1_200
    cost_cents: int = 800
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.covers or min(self.covers) <= 0:
            raise InvalidInput("a cover is above 0", field="covers", remedy="e.g. 3,5,8")
        if not OPEN.start <= self.decide_hour < OPEN.stop - self.travel_hours:
            raise InvalidInput(
                f"asked at {self.decide_hour} h nothing arrives before {OPEN.stop} h",
                field="decide_hour",
                remedy=f"an hour from {OPEN.start} on that leaves time for the run",
            )
        if self.travel_hours < 1 or self.city_km <= 0 or self.price_cents <= self.cost_cents:
            raise InvalidInput(
                "a run takes an hour or more, a city has a size and a unit a margin",
                field="travel_hours",
            )

    @property
    def arrives(self) -> int:
        """First hour in which what was moved can be sold."""
        return self.decide_hour + self.travel_hours


def transfer_study(
    history: History, ask: TransferStudy, policy: MinCostFlowTransfer | None = None
) -> dict[str, Any]:
    """Stock-out hours with and without transfers, by level of donor stock.

    Returns
    -------
    dict with ``label`` ("modelled"), ``days``, ``stores``, ``stockout_hours`` and
    ``levels``: for each cover ``hours_avoided`` (net of the donors' new ones), ``low``,
    ``high`` (95 %, stores and days resampled), ``share``, ``lines``, ``units``, ``runs``,
    ``cost_cents``, ``cost_per_hour_cents``, ``margin_cents``, ``net_cents``
    """
    city = _City.of(history)
    days = city.sold.shape[1]
    if days <= LEARN_DAYS:
        raise InvalidInput(
            f"the history has {days} days", field="history", remedy=f"more than {LEARN_DAYS}"
        )
    move = policy or MinCostFlowTransfer(donor_cover_days=0.0)
    network = _network(history, ask)
    base = np.zeros((city.stores, days - LEARN_DAYS))
    out_hours = city.out[:, LEARN_DAYS:, OPEN].sum(axis=2)
    np.add.at(base, city.store, out_hours)
    levels = []
    for cover in ask.covers:
        sums = _Sums(np.zeros_like(base))
        for day in range(LEARN_DAYS, days):
            _one_day(city, network, ask, move, cover, day, sums)
        levels.append({"donor_cover": cover, **_figures(sums, base, ask, move)})
    return {
        "label": "modelled",
        "days": days - LEARN_DAYS,
        "stores": city.stores,
        "series": len(city.store),
        "stockout_hours": float(base.sum()),
        "levels": levels,
    }


@dataclass
class _Sums:
    """What one level of donor stock comes to."""

    avoided: Floats
    lines: int = 0
    units: float = 0.0
    runs: int = 0
    km: float = 0.0
    sold: float = 0.0


@dataclass(frozen=True)
class _City:
    """Recorded hours, and what they say of demand.

    Attributes
    ----------
    store, sku : (S,) int64
    sold : (S, D, 24) units
    out : (S, D, 24) bool
    level : (S, D) units a day that were expected the evening before, from 28 days
    hours : (S, 24) share of each hour
    """

    stores: int
    skus: int
    store: Ints
    sku: Ints
    sold: npt.NDArray[np.float32]
    out: Mask
    level: Floats
    hours: Floats

    @classmethod
    def of(cls, history: History) -> _City:
        keys, group, sold, out = hourly_cells(history, days_of(history))
        if not out.any():
            raise InvalidInput(
                "the history has no stock-outs", field="history", remedy="hourly ones are needed"
            )
        skus = len(history.receipts.sku_ids)
        size, days = sold.shape[:2]
        early = min(LEARN_DAYS, days)
        learnt = HourlyUnconstrain().restore(
            sold[:, :early].reshape(-1, HOURS).astype(np.float64),
            ~out[:, :early].reshape(-1, HOURS),
            np.repeat(np.arange(size), early),
            np.repeat(group, early),
        )
        hours = learnt.profile[group]
        units = sold.sum(axis=2, dtype=np.float64)
        share = np.einsum("sdh,sh->sd", ~out, hours)
        level = np.zeros((size, days))
        for day in range(LEARN_DAYS, days):
            past = slice(day - LEARN_DAYS, day)
            level[:, day] = units[:, past].sum(axis=1) / np.maximum(share[:, past].sum(axis=1), 1)
        store = keys // skus
        return cls(
            len(history.receipts.store_ids), skus, store, keys % skus, sold, out, level, hours
        )


def _one_day(
    city: _City,
    network: Network,
    ask: TransferStudy,
    move: MinCostFlowTransfer,
    cover: float,
    day: int,
    sums: _Sums,
) -> None:
    """Ask the policy at the hour of decision, and count what its lines would have done."""
    rest = slice(ask.decide_hour, OPEN.stop)
    later = city.level[:, day] * city.hours[:, ask.arrives : OPEN.stop].sum(axis=1)
    until_close = city.level[:, day] * city.hours[:, rest].sum(axis=1)
    sold = city.sold[:, day, rest].sum(axis=1, dtype=np.float64)
    is_out = city.out[:, day, ask.decide_hour]
    runs_out = city.out[:, day, rest].any(axis=1)
    # Who ran out later had what it sold until then; of the others the record tells the least.
    held = np.where(runs_out, sold, np.maximum(np.round(cover * until_close), sold))
    held[is_out] = 0
    lines = move.transfers(
        _view(city, network, held, later, day, ask.decide_hour),
        np.zeros(network.shape, dtype=np.int32),
    )
    if not len(lines.sku):
        return
    row = np.full(network.shape, -1, dtype=np.int64)
    row[city.store + 1, city.sku] = np.arange(len(city.store))
    giver, taker = row[lines.origin, lines.sku], row[lines.destination, lines.sku]
    _count_takers(city, ask, day, lines, taker, sums)
    given = np.zeros(len(city.store))
    np.add.at(given, giver, lines.quantity)
    _count_givers(city, ask, day, held - given, np.flatnonzero(given), sums)
    sums.lines += len(lines.sku)
    sums.units += float(lines.quantity.sum())
    lanes = np.unique(np.stack([lines.origin, lines.destination]), axis=1)
    sums.runs += lanes.shape[1]
    sums.km += 2 * float(network.distance_m[lanes[0], lanes[1]].sum()) / 1_000


def _count_takers(
    city: _City,
    ask: TransferStudy,
    day: int,
    lines: ProposalLines,
    taker: Ints,
    sums: _Sums,
) -> None:
    """Hours without stock in which what came is still there, and what it sells."""
    rows, which = np.unique(taker, return_inverse=True)
    units = np.bincount(which, lines.quantity)
    window = slice(ask.arrives, OPEN.stop)
    # A delivery of the record's own ends what could be spared.
    gone = np.logical_and.accumulate(city.out[rows, day, ask.decide_hour : OPEN.stop], axis=1)
    gone = gone[:, ask.travel_hours :]
    asked = np.where(gone, city.level[rows, day, None] * city.hours[rows, window], 0.0)
    before = np.cumsum(asked, axis=1) - asked / 2
    saved = np.where(gone, pdtr(units[:, None] - 1.0, np.maximum(before, 1e-9)), 0.0).sum(axis=1)
    np.add.at(sums.avoided[:, day - LEARN_DAYS], city.store[rows], saved)
    total = np.maximum(asked.sum(axis=1), 1e-9)
    # E min(N, u) = m P(N ≤ u - 2) + u P(N ≥ u) of a Poisson N.
    two = np.where(units >= 2, pdtr(np.maximum(units - 2, 0), total), 0.0)
    sums.sold += float((total * two + units * (1 - pdtr(units - 1.0, total))).sum())


def _count_givers(
    city: _City, ask: TransferStudy, day: int, left: Floats, rows: Ints, sums: _Sums
) -> None:
    """Hours in which a donor lacks what it gave, by what it really sold."""
    window = slice(ask.decide_hour, OPEN.stop)
    sold = city.sold[rows, day, window].astype(np.float64)
    running = np.cumsum(sold, axis=1)
    short = running > left[rows, None]
    fresh = short & ~city.out[rows, day, window]
    np.add.at(sums.avoided[:, day - LEARN_DAYS], city.store[rows], -fresh.sum(axis=1))
    sums.sold -= float(np.maximum(running[:, -1] - left[rows], 0.0).sum())


def _view(
    city: _City, network: Network, held: Floats, later: Floats, day: int, hour: int
) -> NetworkView:
    """What the policy sees: stock now, and demand from the arrival until closing as a day."""
    stock = np.zeros(network.shape, dtype=np.int32)
    level = np.zeros(network.shape, dtype=np.float32)
    stock[city.store + 1, city.sku] = held
    level[city.store + 1, city.sku] = later
    none = np.zeros(network.shape, dtype=np.int32)
    places = network.shape[0]
    return NetworkView(
        as_of_s=day * 86_400 + hour * 3_600,
        network=network,
        on_hand=stock,
        in_transit=none,
        on_order=none,
        backorders=none,
        reserved=none,
        review_due=np.zeros(places, dtype=np.bool_),
        protection_days=np.ones(places, dtype=np.int32),
        forecast=Forecast(
            day, 0, level, np.ones((places, 7), np.float32), np.ones(network.shape, np.float32)
        ),
        is_hashed=False,
    )


def _network(history: History, ask: TransferStudy) -> Network:
    """One warehouse in the middle of a square, stores at seeded places, one price."""
    stores, skus = history.receipts.store_ids, history.receipts.sku_ids
    rng = np.random.default_rng(np.random.SeedSequence([ask.seed, 43]))
    size = len(stores) + 1
    points = rng.random((size, 2)) * ask.city_km * 1_000
    points[0] = ask.city_km * 500
    gap = np.abs(points[:, None] - points[None]).sum(axis=2)
    cell = np.full(len(skus), 1, dtype=np.int32)
    hours = np.full(size, 3_600, dtype=np.int32)
    return Network(
        locations=Locations(
            ids=("warehouse", *stores),
            kind=np.array(
                [LocationKind.WAREHOUSE] + [LocationKind.STORE] * len(stores), dtype=np.int8
            ),
            names=("warehouse", *stores),
            region=("city",) * size,
            latitude=30 + points[:, 1] / 111_000,
            longitude=120 + points[:, 0] / 96_000,
            opens_s=OPEN.start * hours,
            closes_s=OPEN.stop * hours,
            source=np.array([-1] + [0] * len(stores), dtype=np.int32),
            receives_from_s=OPEN.start * hours,
            receives_until_s=OPEN.stop * hours,
        ),
        skus=Skus(
            ids=skus,
            names=skus,
            category=cell * 0,
            categories=("fresh",),
            unit_cost_cents=cell * ask.cost_cents,
            unit_price_cents=cell * ask.price_cents,
            pack_size=cell,
            mass_g=cell * 500,
            volume_cm3=cell * 1_000,
            shelf_life_days=cell * 0,
            gtin=("",) * len(skus),
        ),
        suppliers=Suppliers(("supplier",), np.full((1, 4), 2, np.int32)),
        fleet=Fleet(np.full(1, 3, dtype=np.int32)),
        listed=np.ones((size, len(skus)), dtype=np.bool_),
        distance_m=gap.astype(np.int32),
        start_date=history.start_date or dt.date(2024, 1, 1),
    )


def _figures(
    sums: _Sums, base: Floats, ask: TransferStudy, move: MinCostFlowTransfer
) -> dict[str, float]:
    """Totals, and the interval of the paired difference over stores and days."""
    rng = np.random.default_rng(np.random.SeedSequence([ask.seed, 47]))
    stores, days = base.shape
    draws = np.empty(_DRAWS)
    for number in range(_DRAWS):
        by_store = rng.multinomial(stores, np.full(stores, 1 / stores)).astype(np.float64)
        by_day = rng.multinomial(days, np.full(days, 1 / days)).astype(np.float64)
        draws[number] = by_store @ sums.avoided @ by_day
    low, high = np.quantile(draws, (0.025, 0.975))
    avoided = float(sums.avoided.sum())
    cost = sums.km * move.run_cents_per_km + sums.units * move.handling_cents_per_unit
    margin = sums.sold * (ask.price_cents - ask.cost_cents)
    return {
        "hours_avoided": avoided,
        "low": float(low),
        "high": float(high),
        "share": avoided / max(float(base.sum()), 1.0),
        "lines": sums.lines,
        "units": sums.units,
        "runs": sums.runs,
        "cost_cents": cost,
        "cost_per_hour_cents": cost / avoided if avoided > 0 else float("nan"),
        "margin_cents": margin,
        "net_cents": margin - cost,
    }
