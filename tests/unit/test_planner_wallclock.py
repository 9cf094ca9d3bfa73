"""Aware UTC ↔ seconds of wall clock, many at once."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest

from ops_api.planning.wallclock import WallClock
from tests.unit.domain_networks import small_network

ZONES = ("America/New_York", "Asia/Shanghai", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("many", [3, 4_000])
def test_every_second_of_a_year_converts_as_one_at_a_time(zone, many):
    """Both days on which clocks change included; sparse and dense arrays take other paths."""
    network = dataclasses.replace(small_network(), tz=zone, start_date=dt.date(2023, 6, 1))
    clock = WallClock(network)
    rng = np.random.default_rng(3)
    start = int(dt.datetime(2023, 6, 2, tzinfo=dt.UTC).timestamp())
    epochs = start + rng.integers(0, 366 * 86_400, many)
    one_by_one = [network.seconds(dt.datetime.fromtimestamp(e, dt.UTC)) for e in epochs.tolist()]
    assert clock.seconds(epochs).tolist() == one_by_one
    assert clock.seconds(epochs.reshape(-1, 1)).shape == (many, 1)


def test_back_and_forth_is_the_same_second():
    """Away from the hour that a night in autumn has twice."""
    network = dataclasses.replace(small_network(), tz="America/New_York")
    clock = WallClock(network)
    seconds = np.arange(0, 20 * 86_400, 977)
    assert (clock.seconds(clock.epochs(seconds)) == seconds).all()
    assert clock.second(clock.epoch(12_345)) == 12_345


def test_nothing_converts_to_nothing():
    """An empty ledger."""
    clock = WallClock(small_network())
    assert clock.seconds(np.zeros(0, dtype=np.int64)).size == 0
    assert clock.epochs(np.zeros(0, dtype=np.int64)).size == 0
