"""Where things are: assigned store coordinates, warehouses in their middle, road distances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.errors import ImportRefused

Points = npt.NDArray[np.float64]
CIRCUITY = 1.22
"""Road over great circle: median over 8,128 city pairs (5–95 %: 1.13–1.38)."""
STATE = "OH"
"""One state keeps every store within a day's tour of one of two warehouses."""


def assigned_points(count: int, rng: np.random.Generator) -> tuple[Points, list[str]]:
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
    rows = [
        row
        for row in zipcodes.filter_by(state=STATE, active=True)
        if row["zip_code_type"] == "STANDARD" and row["lat"] and row["long"]
    ]
    rows.sort(key=lambda row: row["zip_code"])
    chosen = [rows[i] for i in np.sort(rng.choice(len(rows), count, replace=False))]
    points = np.array([[float(row["lat"]), float(row["long"])] for row in chosen])
    return points, [row["city"] for row in chosen]


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
