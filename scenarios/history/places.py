"""Where things are: assigned store coordinates, warehouses in their middle, road distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.domain.errors import ImportRefused

Points = npt.NDArray[np.float64]
CIRCUITY = 1.22
"""Road over great circle: median over 8,128 city pairs (5–95 %: 1.13–1.38)."""
STATE = "OH"
"""One state keeps every store within a day's tour of one of two warehouses."""


DELTA_CITIES = (
    # Name, latitude, longitude (centre, WGS-84), residents in millions (census of 2020).
    ("上海", 31.2304, 121.4737, 24.87),
    ("苏州", 31.2990, 120.5853, 12.75),
    ("杭州", 30.2741, 120.1551, 11.94),
    ("宁波", 29.8683, 121.5440, 9.40),
    ("南通", 31.9802, 120.8943, 7.73),
    ("无锡", 31.4912, 120.3119, 7.46),
    ("嘉兴", 30.7461, 120.7555, 5.40),
    ("常州", 31.8107, 119.9741, 5.28),
    ("绍兴", 30.0303, 120.5820, 5.27),
    ("湖州", 30.8931, 120.0881, 3.37),
)
CITY_SPREAD_KM = 7.0
KM_PER_DEGREE = 111.2


def placed_stores(
    ids: Sequence[str], stores: pd.DataFrame | None, country: str, rng: np.random.Generator
) -> tuple[Points, list[str], bool]:
    """((S, 2) latitude and longitude, towns, whether they are assigned) of some stores.

    The chain's own coordinates are taken if it gives all of them. Else each store is put
    on a real place of one compact region: a ZIP centroid of one US state, or a city of the
    Yangtze delta for a Chinese chain; every other country has to bring its own.
    """
    if stores is not None and {"lat", "lon"} <= set(stores.columns):
        table = stores.set_index("store_id").reindex(list(ids))
        points = table[["lat", "lon"]].to_numpy(dtype=np.float64)
        if np.isfinite(points).all():
            names = table["name"] if "name" in table else pd.Series(list(ids))
            return points, [str(name) for name in names], False
    if country == "US":
        return (*us_points(len(ids), rng), True)
    if country == "CN":
        return (*delta_points(len(ids), rng), True)
    raise ImportRefused(
        f"no places to assign for country {country!r}, and not every store has coordinates",
        field="stores.columns.lat",
        remedy="give a stores table with lat and lon",
    )


def us_points(count: int, rng: np.random.Generator) -> tuple[Points, list[str]]:
    """(points, cities): `count` distinct ZIP centroids of one state.

    ZIP codes are dense where people are, so an even draw over them follows the population.
    """
    try:
        import zipcodes  # noqa: PLC0415 -- an optional extra
    except ImportError:
        raise ImportRefused(
            "the package zipcodes is not installed",
            field="coordinates",
            remedy="install the extra: pip install 'storetwin[demo]'",
        ) from None
    found: list[dict[str, Any]] = zipcodes.filter_by(state=STATE, active=True)  # type: ignore[no-untyped-call,unused-ignore]
    rows = [
        row for row in found if row["zip_code_type"] == "STANDARD" and row["lat"] and row["long"]
    ]
    rows.sort(key=lambda row: row["zip_code"])
    if count > len(rows):
        raise ImportRefused(
            f"{count} stores, but {STATE} has {len(rows)} ZIP centroids",
            field="stores",
            remedy="ask for fewer stores or give coordinates",
        )
    chosen = [rows[i] for i in np.sort(rng.choice(len(rows), count, replace=False))]
    points = np.array([[float(row["lat"]), float(row["long"])] for row in chosen])
    return points, [row["city"] for row in chosen]


def delta_points(count: int, rng: np.random.Generator) -> tuple[Points, list[str]]:
    """(points, cities): cities of the Yangtze delta by residents, around their centres."""
    people = np.array([city[3] for city in DELTA_CITIES])
    city = rng.choice(len(DELTA_CITIES), count, p=people / people.sum())
    centre = np.array([row[1:3] for row in DELTA_CITIES])[city]
    north, east = rng.normal(0, CITY_SPREAD_KM, (2, count))
    latitude = centre[:, 0] + north / KM_PER_DEGREE
    longitude = centre[:, 1] + east / (KM_PER_DEGREE * np.cos(np.radians(latitude)))
    return np.stack([latitude, longitude], axis=1), [DELTA_CITIES[i][0] for i in city]


def warehouse_points(
    stores: Points, weight: Points, count: int, rounds: int = 50
) -> tuple[Points, npt.NDArray[np.int32]]:
    """((W, 2) points, (S,) nearest warehouse): weighted centres, started far apart."""
    order = np.argsort(stores[:, 1], kind="stable")
    centre = stores[order[np.linspace(0, len(order) - 1, 2 * count + 1).astype(int)[1::2]]].copy()
    for _ in range(rounds):
        nearest = great_circle_m(stores, centre).argmin(axis=1)
        for i in range(count):
            mine = nearest == i
            if mine.any():
                centre[i] = np.average(stores[mine], axis=0, weights=weight[mine])
    return centre, great_circle_m(stores, centre).argmin(axis=1).astype(np.int32)


def great_circle_m(a: Points, b: Points) -> Points:
    """(A, B) metres between points (latitude, longitude in degrees) on the sphere."""
    lat_a, lon_a = np.radians(a[:, 0])[:, None], np.radians(a[:, 1])[:, None]
    lat_b, lon_b = np.radians(b[:, 0])[None], np.radians(b[:, 1])[None]
    half = (
        np.sin((lat_b - lat_a) / 2) ** 2
        + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2
    )
    out: Points = 2 * 6_371_000.0 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    return out


def road_metres(points: Points) -> npt.NDArray[np.int32]:
    """(L, L) int32 road metres: great circle × 1.22."""
    return np.asarray(np.round(great_circle_m(points, points) * CIRCUITY), dtype=np.int32)
