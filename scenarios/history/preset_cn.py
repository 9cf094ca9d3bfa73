"""A Chinese supermarket chain of the Yangtze delta: invented, with true places and dates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.facts import CostModel
from policies.domain.goods import Skus, Suppliers
from policies.domain.network import Fleet, LocationKind, Locations, Network
from scenarios.history import shapes
from scenarios.history.assumed import lead_time_table
from scenarios.history.generated_plan import ChainPlan, mean_one, stream, weekly_course
from scenarios.history.places import (
    DELTA_CITIES,
    Points,
    delta_points,
    great_circle_m,
    road_metres,
    warehouse_points,
)
from scenarios.history.preset_cn_calendar import festival_factor, festivals, run_up
from scenarios.history.preset_cn_goods import CATEGORIES, cn_skus

ZONE, CURRENCY = "Asia/Shanghai", "CNY"
HOURS = np.array(
    # Assumed: a morning rush for fresh goods and a higher one after work.
    [0, 0, 0, 0, 0, 0, 5, 28, 66, 82, 76, 60, 46, 36, 38, 48, 66, 92, 112, 106, 80, 44, 15, 0],
    dtype=np.float64,
)
WEEKDAYS = np.array([0.92, 0.91, 0.92, 0.94, 1.02, 1.16, 1.13])
"""Assumed: the weekend is the peak."""
STREETS = (
    "人民路", "中山路", "解放路", "建设路", "新华路", "文化路", "和平路", "长江路", "延安路",
    "朝阳路", "青年路", "学府路", "滨河路", "湖滨路", "环城南路", "环城北路", "振兴路", "友谊路",
    "公园路", "花园路", "春江路", "大桥路", "东门", "西苑",
)  # fmt: skip
OUTSKIRTS = (0.05, 0.07)
"""Degrees from a city's centre to its warehouse (about 9 km)."""


@dataclass(frozen=True)
class StoreFormat:
    """A kind of store.

    Attributes
    ----------
    name : str
    share : float, share of the stores
    lines : float, receipt lines over the chain's mean store (before normalising)
    assortment : float, share of the chain's SKUs it lists
    opens_s, closes_s : int, seconds after midnight
    """

    name: str
    share: float
    lines: float
    assortment: float
    opens_s: int
    closes_s: int


FORMATS = (
    StoreFormat("大卖场", 0.2, 2.0, 1.0, 7 * 3600 + 1800, 22 * 3600),
    StoreFormat("社区超市", 0.5, 0.95, 0.6, 7 * 3600, 22 * 3600),
    StoreFormat("便利店", 0.3, 0.4, 0.25, 6 * 3600, 23 * 3600),
)
COSTS = CostModel(
    holding_rate_per_year=0.20,
    truck_cents_per_km=350.0,
    fuel_share_of_km=0.5,
    driver_cents_per_hour=5_000.0,
    tour_cents=15_000.0,
    handling_cents_per_case=60.0,
    order_line_cents=60.0,
    source="assumed for China, in fen: diesel and tolls 3.5 yuan/km, half of it diesel "
    "(24 l/100 km at 7.5 yuan), driver 50 yuan/h",
)
ASSUMPTIONS = (
    "invented chain: store, SKU and category names stand for nobody; GTINs are synthetic",
    "basket sizes, quantities and popularity: as measured in Complete Journey",
    "hours, weekdays, fresh share, formats, prices, costs, course around the festival: assumed",
    "cities, their residents and the festival dates: true",
    "store places: drawn around the city centres, WGS-84",
)


def cn_supermarket_plan(
    stores: int, skus: int, days: int, lines: float, seed: int, depots: int, start: dt.date
) -> ChainPlan:
    """The chain: three store formats, fresh goods in most baskets, CNY, Shanghai time."""
    goods, share = cn_skus(skus, stream(seed, 2))
    rank = shapes.popularity(skus, stream(seed, 1))
    popularity = mean_one(rank) * share
    formats = [FORMATS[i] for i in _formats(stores)]
    network = _network(goods, popularity, formats, seed, depots, start, days)
    mean = np.array([form.lines for form in formats]) / sum(f.share * f.lines for f in FORMATS)
    size = np.array([stream(seed, 3, i).lognormal(-0.02, 0.2) for i in range(stores)])
    week, lift, price, promotions = weekly_course(goods, days, start, stream(seed, 4))
    weekday = (start.weekday() + np.arange(days)) % 7
    return ChainPlan(
        network,
        lines * mean * size,
        popularity / popularity.sum(),
        0.3,
        HOURS,
        mean_one(WEEKDAYS)[weekday] * festival_factor(start, days),
        week,
        lift * _festival_lift(goods, len(lift), start),
        price,
        promotions,
        COSTS,
        ASSUMPTIONS,
    )


def _formats(stores: int) -> npt.NDArray[np.int64]:
    """(S,) format of each store, in their shares at every number of stores."""
    share = np.array([form.share for form in FORMATS])
    given, out = np.zeros(len(share)), np.empty(stores, dtype=np.int64)
    for i in range(stores):
        out[i] = np.argmax(share * (i + 1) - given)
        given[out[i]] += 1
    return out


def _festival_lift(goods: Skus, weeks: int, start: dt.date) -> npt.NDArray[np.float32]:
    """(W, K): gifts, snacks and drinks gain while people shop for the festival."""
    at = [start + dt.timedelta(7 * week + 3) for week in range(weeks)]
    height = np.array([run_up(day) for day in at])[:, None]
    top = np.array([rule.festival_lift for rule in CATEGORIES])[goods.category]
    return np.asarray(1 + height * (top - 1), dtype=np.float32)


def _place(seed: int, store: int) -> tuple[int, float, float]:
    """(city, latitude, longitude) of a store: cities by residents, then around the centre."""
    points, towns = delta_points(1, stream(seed, 6, store))
    city = [row[0] for row in DELTA_CITIES].index(towns[0])
    return city, float(points[0, 0]), float(points[0, 1])


def _network(
    goods: Skus,
    popularity: npt.NDArray[np.float64],
    formats: list[StoreFormat],
    seed: int,
    depots: int,
    start: dt.date,
    days: int,
) -> Network:
    stores = len(formats)
    placed = [_place(seed, i) for i in range(stores)]
    points = np.array([place[1:] for place in placed])
    weight = np.array([form.lines for form in formats])
    homes, centre = _warehouses(warehouse_points(points, weight, depots)[0])
    source = great_circle_m(points, centre).argmin(axis=1)
    everything = np.concatenate([centre, points])
    regions = [f"{home}配送区" for home in homes]
    listed = np.ones((depots + stores, len(goods.ids)), dtype=np.bool_)
    best_first = np.argsort(-popularity, kind="stable")
    for i, form in enumerate(formats):
        listed[depots + i, best_first[max(1, round(form.assortment * len(goods.ids))) :]] = False
    for number in range(depots):
        listed[number] = listed[depots:][source == number].any(axis=0)
    kind = [LocationKind.WAREHOUSE] * depots + [LocationKind.STORE] * stores
    lead = np.stack([lead_time_table(rule.lead_days) for rule in CATEGORIES])
    opens = [form.opens_s for form in formats]
    closes = [form.closes_s for form in formats]
    return Network(
        Locations(
            (*[f"W{i + 1:02d}" for i in range(depots)], *[f"S{i + 1:04d}" for i in range(stores)]),
            np.array(kind, dtype=np.int8),
            (
                *[f"{home}配送中心" for home in homes],
                *_names([place[0] for place in placed], formats),
            ),
            (*regions, *[regions[i] for i in source]),
            everything[:, 0],
            everything[:, 1],
            np.array([6 * 3600] * depots + opens),
            np.array([22 * 3600] * depots + closes),
            np.concatenate([np.full(depots, -1), source]),
            np.full(depots + stores, 5 * 3600),
            np.full(depots + stores, 13 * 3600),
            coordinates_assigned=True,
        ),
        goods,
        Suppliers(tuple(f"{name}供应商" for name in goods.categories), lead),
        Fleet(np.maximum(2, -(-np.bincount(source, minlength=depots) // 6))),
        listed,
        road_metres(everything),
        start,
        ZONE,
        CURRENCY,
        festivals(start, start + dt.timedelta(days)),
    )


def _warehouses(wanted: Points) -> tuple[list[str], Points]:
    """(city names, (W, 2) points): the outskirts of the nearest city, one city for each."""
    centres = np.array([city[1:3] for city in DELTA_CITIES])
    far = great_circle_m(wanted, centres)
    homes: list[int] = []
    for row in far:
        free = [i for i in np.argsort(row, kind="stable") if i not in homes]
        homes.append(int(free[0]) if free else int(row.argmin()))
    return [DELTA_CITIES[i][0] for i in homes], centres[homes] + OUTSKIRTS


def _names(cities: list[int], formats: list[StoreFormat]) -> list[str]:
    """Store names: city, street, format; a number where the streets run out."""
    used: dict[int, int] = {}
    out = []
    for city, form in zip(cities, formats, strict=True):
        number = used.get(city, 0)
        used[city] = number + 1
        again, street = divmod(number, len(STREETS))
        tail = f"{again + 1}号店" if again else ""
        out.append(f"{DELTA_CITIES[city][0]}{STREETS[street]}{form.name}{tail}")
    return out
