"""Coordinates of Chinese maps to WGS-84.

GCJ-02 is the offset datum that maps published in mainland China use; BD-09 lays a second
offset over it. The offset is known as a formula outside → GCJ-02 only, so the way back
repeats it until the point fits (error below 1e-9 degrees). Formulas: the published
reconstruction of GCJ-02 on the Krasovsky 1940 ellipsoid, and Baidu's polar shift.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Pair = tuple[Floats, Floats]
_AXIS_M, _ECCENTRICITY_2 = 6_378_245.0, 0.00669342162296594323
_BAIDU = np.pi * 3_000 / 180


def to_wgs84(latitude: Floats, longitude: Floats, system: str) -> Pair:
    """(latitude, longitude) in WGS-84 degrees of points in `system`.

    Parameters
    ----------
    latitude, longitude : (N,) float64, degrees
    system : "WGS-84", "GCJ-02" or "BD-09"

    Raises
    ------
    InvalidInput
        For another system.
    """
    latitude, longitude = np.asarray(latitude, float), np.asarray(longitude, float)
    if system == "WGS-84":
        return latitude, longitude
    if system == "GCJ-02":
        return gcj02_to_wgs84(latitude, longitude)
    if system == "BD-09":
        return gcj02_to_wgs84(*bd09_to_gcj02(latitude, longitude))
    raise InvalidInput(
        f"no coordinate system {system!r}",
        field="coordinates",
        remedy="WGS-84, GCJ-02 or BD-09",
    )


def wgs84_to_gcj02(latitude: Floats, longitude: Floats) -> Pair:
    """(latitude, longitude) in GCJ-02; points outside China's box stay as they are."""
    latitude, longitude = np.asarray(latitude, float), np.asarray(longitude, float)
    north, east = _offset(latitude, longitude)
    return latitude + north, longitude + east


def gcj02_to_wgs84(latitude: Floats, longitude: Floats) -> Pair:
    """(latitude, longitude) in WGS-84 of points in GCJ-02."""
    latitude, longitude = np.asarray(latitude, float), np.asarray(longitude, float)
    lat, lon = latitude.copy(), longitude.copy()
    # The offset changes by less than 1 % of a step, so ten rounds are plenty.
    for _ in range(10):
        north, east = _offset(lat, lon)
        lat, lon = latitude - north, longitude - east
    return lat, lon


def bd09_to_gcj02(latitude: Floats, longitude: Floats) -> Pair:
    """(latitude, longitude) in GCJ-02 of points in BD-09."""
    target_x, target_y = np.asarray(longitude, float), np.asarray(latitude, float)
    x, y = target_x - 0.0065, target_y - 0.006
    for _ in range(10):
        there_y, there_x = gcj02_to_bd09(y, x)
        x, y = x + target_x - there_x, y + target_y - there_y
    return y, x


def gcj02_to_bd09(latitude: Floats, longitude: Floats) -> Pair:
    """(latitude, longitude) in BD-09 of points in GCJ-02."""
    y, x = np.asarray(latitude, float), np.asarray(longitude, float)
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * _BAIDU)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _BAIDU)
    return radius * np.sin(angle) + 0.006, radius * np.cos(angle) + 0.0065


def _offset(latitude: Floats, longitude: Floats) -> Pair:
    """(north, east) degrees that GCJ-02 adds to WGS-84."""
    x, y = longitude - 105.0, latitude - 35.0
    root, pi = np.sqrt(np.abs(x)), np.pi
    shared = (20 * np.sin(6 * x * pi) + 20 * np.sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + shared
    north += (20 * np.sin(y * pi) + 40 * np.sin(y / 3 * pi)) * 2 / 3
    north += (160 * np.sin(y / 12 * pi) + 320 * np.sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + shared
    east += (20 * np.sin(x * pi) + 40 * np.sin(x / 3 * pi)) * 2 / 3
    east += (150 * np.sin(x / 12 * pi) + 300 * np.sin(x / 30 * pi)) * 2 / 3
    phi = np.radians(latitude)
    curve = 1 - _ECCENTRICITY_2 * np.sin(phi) ** 2
    metres = np.pi / 180 * _AXIS_M
    north = north / (metres * (1 - _ECCENTRICITY_2) / curve**1.5)
    east = east / (metres / np.sqrt(curve) * np.cos(phi))
    inside = (longitude > 72.004) & (longitude < 137.8347)
    inside &= (latitude > 0.8293) & (latitude < 55.8271)
    return np.where(inside, north, 0.0), np.where(inside, east, 0.0)
