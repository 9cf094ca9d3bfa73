"""Chinese map datums go to WGS-84 and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.domain.errors import InvalidInput
from scenarios.history.coordinates import (
    bd09_to_gcj02,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    to_wgs84,
    wgs84_to_gcj02,
)
from scenarios.history.places import great_circle_m

CHINA = {"latitude": st.floats(18.5, 53.0), "longitude": st.floats(74.0, 134.5)}


def metres(a, b):
    """Between two single points."""
    return float(great_circle_m(np.array([a]), np.array([b]))[0, 0])


def test_the_offset_at_tiananmen_is_the_known_one():
    """WGS-84 39.90734, 116.39089 is drawn at 39.90874, 116.39713 on GCJ-02 maps."""
    latitude, longitude = wgs84_to_gcj02(np.array([39.90734]), np.array([116.39089]))
    assert metres((latitude[0], longitude[0]), (39.90874, 116.39713)) < 20


def test_baidus_point_for_a_gcj02_point_is_the_published_example():
    """GCJ-02 39.915, 116.404 is 39.92133699, 116.41036949 in BD-09."""
    latitude, longitude = gcj02_to_bd09(np.array([39.915]), np.array([116.404]))
    assert latitude[0] == pytest.approx(39.92133699, abs=1e-7)
    assert longitude[0] == pytest.approx(116.41036949, abs=1e-7)


@given(**CHINA)
def test_gcj02_comes_back_to_the_millimetre(latitude, longitude):
    """Anywhere in China, 50 to 900 m away in between."""
    there = wgs84_to_gcj02(np.array([latitude]), np.array([longitude]))
    back = gcj02_to_wgs84(*there)
    assert metres((latitude, longitude), (back[0][0], back[1][0])) < 0.001
    assert 20 < metres((latitude, longitude), (there[0][0], there[1][0])) < 1_500


@given(**CHINA)
def test_bd09_comes_back_to_the_millimetre(latitude, longitude):
    """The second offset alone, and both."""
    there = gcj02_to_bd09(np.array([latitude]), np.array([longitude]))
    back = bd09_to_gcj02(*there)
    assert metres((latitude, longitude), (back[0][0], back[1][0])) < 0.001
    whole = to_wgs84(*gcj02_to_bd09(*wgs84_to_gcj02(*_one(latitude, longitude))), "BD-09")
    assert metres((latitude, longitude), (whole[0][0], whole[1][0])) < 0.002


def test_points_outside_china_and_wgs84_itself_stay():
    """Nothing is shifted twice."""
    paris = _one(48.85, 2.35)
    assert [v[0] for v in wgs84_to_gcj02(*paris)] == [48.85, 2.35]
    assert [v[0] for v in to_wgs84(*paris, "WGS-84")] == [48.85, 2.35]


def test_an_unknown_datum_is_refused():
    """With the known ones."""
    with pytest.raises(InvalidInput, match="GCJ-02"):
        to_wgs84(*_one(30, 120), "CGCS")


def _one(latitude, longitude):
    return np.array([latitude]), np.array([longitude])
