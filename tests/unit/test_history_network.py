"""From a history to a network: assortments, places, assumed and given properties."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from policies.domain.errors import ImportRefused
from policies.domain.identifiers import gtin14
from policies.domain.receipts import ReceiptColumns
from scenarios.history.assumed import lead_time_table
from scenarios.history.holidays import holidays
from scenarios.history.importer import History
from scenarios.history.network import select_and_build_network
from scenarios.history.network_files import load_network, save_network
from scenarios.history.places import placed_stores
from scenarios.history.report import ImportReport
from scenarios.history.selection import select
from scenarios.history.splits import BOUNDARIES, first_day, last_day, week_dates


def receipts(*lines, stores=6, skus=5):
    """Receipts of (store, day, sku, quantity, price) lines."""
    lines = sorted(lines)
    store = np.array([line[0] for line in lines])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(store, minlength=stores))])
    column = lambda i: np.array([line[i] for line in lines], dtype=np.int32)  # noqa: E731
    return ReceiptColumns(
        tuple(str(100 + i) for i in range(stores)),
        tuple(f"A{k}" for k in range(skus)),
        offsets.astype(np.int64),
        column(1) * 86_400 + 36_000,
        column(2),
        column(3),
        column(4),
        np.zeros(len(lines), dtype=np.int32),
    )


def history(given, items=None, folder=None, country="CN"):
    """A history of these receipts."""
    items = items or {}
    table = {"sku_id": given.sku_ids, "category": "MEAT", "name": "beef", "size": ""} | items
    return History(
        given,
        pd.DataFrame(table),
        dt.date(2024, 1, 1),
        "Asia/Shanghai",
        ImportReport(),
        "x",
        folder,
        country,
        "CNY",
    )


# Store 5 sells most, then 4 …; each sells SKU 0 and 1, the larger half SKU 2 too, store 5 SKU 3.
BASE = [(s, 10 + i, k, 2, 300) for s in range(6) for i in range(2 + s) for k in (0, 1)]
BASE += [(s, 20, 2, 1, 500) for s in (3, 4, 5)] + [(5, 21, 3, 1, 900)]


def test_a_store_lists_what_it_or_a_third_of_its_cluster_sold():
    """Clusters of two here: one of two is more than a third, one of another cluster is not."""
    got = select(receipts(*BASE), 6, 4, (2, 40))
    assert got.listed[:, :2].all()
    assert got.listed[:, 2].tolist() == [False, False, True, True, True, True]
    assert got.listed[:, 3].tolist() == [False, False, False, False, True, True]


def test_lines_of_goods_a_store_does_not_list_are_left_out_and_counted():
    """Store 0 sells SKU 3 after the weeks of selection only."""
    given = receipts(*BASE, (0, 300, 3, 1, 900), (5, 300, 3, 1, 900))
    got = select(given, 6, 4, (2, 40))
    assert (got.lines, got.outside) == (len(BASE) + 1, 1)
    network, kept = select_and_build_network(history(given), stores=6, skus=4, warehouses=1)
    assert kept.lines == len(BASE) + 1
    assert kept.t_s.max() // 86_400 == 300
    assert network.listed[network.stores, :].tolist() == got.listed.tolist()
    assert (network.listed[0] == got.listed.any(axis=0)).all()


def test_weeks_outside_the_window_choose_nothing_and_price_nothing():
    """Week 1 and week 41 do not count."""
    noise = [(0, day, 4, 99, 1) for day in (0, 1, 2, 280, 281, 282, 283, 284, 285)]
    got = select(receipts(*BASE, *noise), 2, 3, (2, 40))
    assert got.stores.tolist() == [4, 5]
    assert 4 not in got.skus
    assert got.price_cents.tolist() == [300, 300, 500]


def test_assumed_properties_give_way_to_what_the_source_gives():
    """Per SKU, cell by cell."""
    items = {"unit_cost": [1.5, None, None, None, None], "pack_size": [None, 24, None, None, None]}
    network, _ = select_and_build_network(
        history(receipts(*BASE), items), stores=3, skus=2, warehouses=1
    )
    assert network.skus.unit_cost_cents.tolist() == [150, 219]
    assert network.skus.pack_size.tolist() == [4, 24]
    assert network.skus.unit_price_cents.tolist() == [300, 300]
    assert all(gtin14(code) for code in network.skus.gtin)
    assert network.currency == "CNY"
    assert dt.date(2024, 2, 10) not in network.holidays  # the history ends before
    assert dt.date(2024, 1, 1) in network.holidays


def test_a_chain_without_prices_gets_assumed_ones():
    """Never a price of nothing."""
    free = [(*line[:4], 0) for line in BASE]
    network, _ = select_and_build_network(history(receipts(*free)), stores=3, skus=2)
    assert network.skus.unit_price_cents.tolist() == [399, 399]
    assert (network.skus.unit_cost_cents < network.skus.unit_price_cents).all()


def test_the_chains_own_coordinates_are_taken_and_not_called_assigned(tmp_path):
    """All of them, or none."""
    stores = pd.DataFrame(
        {
            "store_id": [str(100 + i) for i in range(6)],
            "name": list("abcdef"),
            "lat": 52.0 + np.arange(6) / 10,
            "lon": 13.0,
        }
    )
    stores.to_parquet(tmp_path / "stores.parquet")
    given = history(receipts(*BASE), folder=tmp_path, country="DE")
    network, _ = select_and_build_network(given, stores=6, skus=2, warehouses=2)
    assert not network.locations.coordinates_assigned
    assert network.locations.latitude[network.stores].tolist() == stores.lat.tolist()
    assert network.locations.names[-1] == "Store 105, f"
    rng = np.random.default_rng(1)
    with pytest.raises(ImportRefused, match="not every store") as caught:
        placed_stores(["100"], stores.assign(lat=np.nan), "DE", rng)
    assert caught.value.field == "stores.columns.lat"


def test_a_network_survives_its_files(tmp_path):
    """What is loaded equals what was saved, tuples, dates and all."""
    network, _ = select_and_build_network(history(receipts(*BASE)), stores=3, skus=2)
    save_network(network, tmp_path)
    back = load_network(tmp_path)
    for name in ("start_date", "tz", "currency", "holidays"):
        assert getattr(back, name) == getattr(network, name)
    assert (back.listed == network.listed).all()
    assert (back.distance_m == network.distance_m).all()
    for part in ("locations", "skus", "suppliers", "fleet"):
        for name, value in vars(getattr(network, part)).items():
            assert np.array_equal(value, getattr(getattr(back, part), name)), (part, name)


def test_lead_times_keep_the_measured_shares_at_every_promise():
    """61.5 % on the day, 27 % early where there is a day to be early by, 11.5 % late."""
    for promised in (2, 3, 4):
        days = lead_time_table(promised)
        assert (days == promised).mean() == 0.615
        assert (days < promised).mean() == 0.27
        assert (days > promised).mean() == 0.115
    assert lead_time_table(1).min() == 1


def test_the_split_covers_weeks_2_to_52_without_overlap():
    """Tune, gate, live, test."""
    weeks = [week for first, last in BOUNDARIES for week in range(first, last + 1)]
    assert weeks == list(range(2, 53))
    assert (first_day(2), last_day(40), first_day(41)) == (7, 279, 280)
    assert week_dates(2, dt.date(2017, 1, 1)) == (dt.date(2017, 1, 8), dt.date(2017, 1, 14))


def test_holidays_follow_the_country():
    """True dates; none where no calendar is known."""
    year = dt.date(2017, 1, 1), dt.date(2017, 12, 31)
    assert dt.date(2017, 11, 23) in holidays("US", *year)
    assert dt.date(2017, 1, 28) in holidays("CN", *year)
    assert holidays("DE", *year) == ()
