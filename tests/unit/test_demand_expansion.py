"""Expansion draws whole baskets from where it may, keeps totals, and repeats exactly."""

import dataclasses
import datetime as dt

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from policies.domain.network import DAY_SECONDS
from policies.domain.receipts import ReceiptColumns
from tests.unit.demand_panels import daily_units, panel
from twin.demand import bootstrap, expand, prepare_pools, record, thin, with_quantity_one

COLUMNS = ("offsets", "t_s", "sku", "quantity", "unit_price_cents", "basket")


def one_cluster(receipts):
    return np.zeros(len(receipts.store_ids), dtype=np.int32)


def same(a: ReceiptColumns, b: ReceiptColumns) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in COLUMNS)


def store_lines(receipts, i):
    rows = receipts.store(i)
    return [getattr(receipts, name)[rows] for name in COLUMNS[1:]]


def baskets_of(receipts):
    """Multiset key of each basket: (time of day, SKUs with quantities)."""
    out = []
    for i in range(len(receipts.store_ids)):
        rows = receipts.store(i)
        t, sku, q, b = (
            getattr(receipts, name)[rows] for name in ("t_s", "sku", "quantity", "basket")
        )
        for number in np.unique(b):
            at = b == number
            content = tuple(sorted(zip(sku[at].tolist(), q[at].tolist(), strict=True)))
            out.append((i, int(t[at][0] // DAY_SECONDS), int(t[at][0] % DAY_SECONDS), content))
    return out


def test_every_drawn_basket_is_a_whole_recorded_basket_at_its_real_minute():
    receipts, network = panel(stores=2, days=28, baskets_per_day=8)
    pools = prepare_pools(receipts, network, [(0, 27)], clusters=one_cluster(receipts))
    recorded = {(second, content) for _, _, second, content in baskets_of(receipts)}
    drawn = baskets_of(expand(pools, 5, 1, 0, 0, 27))
    assert len(drawn) > 1_000
    assert all((second, content) in recorded for _, _, second, content in drawn)


def test_lines_of_a_store_are_in_time_order_and_inside_the_window():
    receipts, network = panel()
    pools = prepare_pools(receipts, network, [(0, 55)])
    out = expand(pools, 3, 1, 0, 10, 20)
    for i in range(4):
        t_s = out.t_s[out.store(i)]
        assert (np.diff(t_s) >= 0).all()
        assert t_s[0] // DAY_SECONDS >= 10
        assert t_s[-1] // DAY_SECONDS <= 20


def marked(receipts, mark):
    """The receipts with the day of origin written where the price stands."""
    return dataclasses.replace(
        receipts, unit_price_cents=mark(receipts.t_s // DAY_SECONDS).astype(np.int32)
    )


def test_a_basket_comes_from_within_two_weeks_on_the_same_kind_of_day():
    receipts, network = panel(days=70)
    pools = prepare_pools(marked(receipts, lambda d: d), network, [(0, 69)])
    out = expand(pools, 4, 1, 0, 0, 69)
    target, origin = out.t_s // DAY_SECONDS, out.unit_price_cents
    kind = np.array([0, 0, 0, 0, 1, 2, 3])
    assert np.abs(target - origin).max() == 14
    np.testing.assert_array_equal(kind[target % 7], kind[origin % 7])


def test_no_basket_crosses_a_split_boundary():
    receipts, network = panel(days=56)
    pools = prepare_pools(marked(receipts, lambda d: d), network, [(0, 27), (28, 41), (42, 55)])
    out = expand(pools, 4, 1, 0, 0, 55)
    part = np.digitize(np.arange(56), [28, 42])
    np.testing.assert_array_equal(part[out.t_s // DAY_SECONDS], part[out.unit_price_cents])


def test_holiday_and_promotion_weeks_are_drawn_only_among_themselves():
    receipts, network = panel(days=56, holidays=(dt.date(2024, 1, 17),))
    promotion = range(28, 35)
    pools = prepare_pools(
        marked(receipts, lambda d: d), network, [(0, 55)], promotion_days=promotion
    )
    out = expand(pools, 4, 1, 0, 0, 55)
    week = np.array([{2: 1, 4: 2}.get(w, 0) for w in range(8)])
    target, origin = out.t_s // DAY_SECONDS // 7, out.unit_price_cents // 7
    np.testing.assert_array_equal(week[target], week[origin])


def test_a_stores_baskets_come_from_itself_and_its_cluster_only():
    receipts, network = panel(stores=4)
    store = np.repeat(np.arange(4), np.diff(receipts.offsets))
    labelled = dataclasses.replace(receipts, unit_price_cents=store.astype(np.int32))
    pools = prepare_pools(labelled, network, [(0, 55)], clusters=np.array([0, 1, 0, 1]))
    out = expand(pools, 3, 1, 0, 0, 55)
    target = np.repeat(np.arange(4), np.diff(out.offsets))
    np.testing.assert_array_equal(target % 2, out.unit_price_cents % 2)
    own = (target == out.unit_price_cents).mean()
    assert 0.25 < own < 0.35  # own_share 0.3 of some 80,000 lines: 16 standard errors


def test_a_line_the_store_does_not_list_is_left_out_and_its_units_made_up_for():
    receipts, network = panel(stores=2, skus=6)
    listed = network.listed.copy()
    listed[network.stores[0], 0] = False  # the best seller, in store 0
    network = dataclasses.replace(network, listed=listed)
    rows = receipts.store(0)
    sku = receipts.sku.copy()
    sku[rows] = np.where(sku[rows] == 0, 1, sku[rows])
    receipts = dataclasses.replace(receipts, sku=sku)
    pools = prepare_pools(receipts, network, [(0, 55)], clusters=one_cluster(receipts))
    total = [daily_units(expand(pools, 10, 1, r, 0, 55), 0, 55)[0].sum(axis=1) for r in range(10)]
    assert (np.array(total)[:, 0] == 0).all()
    recorded = daily_units(receipts, 0, 55)[0].sum()
    # 100 panels of ~1,150 baskets, unit spread ~0.7 of the mean: standard error 0.4 %.
    assert np.mean(total) * 6 / 10 == pytest.approx(recorded, rel=0.02)


def test_totals_of_each_store_and_week_are_kept_in_expectation():
    """60 independent expansions; t of each of 4 x 8 store-weeks against k x the panel.

    False alarm: |t| > 5 with 59 degrees of freedom happens 5.5e-6 of the time, so once
    in 5,600 seeds over the 32 cells; the seed is fixed. A rate that forgets the units of
    the pool's baskets is off by a third for store 0 here.
    """
    receipts, network = panel(baskets_per_day=12)
    # Store 0 buys twice the quantity: its cluster's baskets are smaller than its own.
    quantity = receipts.quantity.copy()
    quantity[receipts.store(0)] *= 2
    receipts = dataclasses.replace(receipts, quantity=quantity)
    pools = prepare_pools(receipts, network, [(0, 55)], clusters=one_cluster(receipts))
    k = 4
    totals = np.stack(
        [
            daily_units(expand(pools, k, 9, r, 0, 55), 0, 55).sum(axis=1).reshape(4, 8, 7).sum(2)
            for r in range(60)
        ]
    )
    wanted = k * daily_units(receipts, 0, 55).sum(axis=1).reshape(4, 8, 7).sum(axis=2)
    t = (totals.mean(axis=0) - wanted) / (totals.std(axis=0, ddof=1) / np.sqrt(60))
    assert np.abs(t).max() < 5


def test_the_number_of_baskets_of_a_store_day_is_poisson():
    """400 draws of one store-day: the index of dispersion is 1 ± 0.071, tested at 5 sigma
    (false alarm 1 in a million; copying baskets k times would give k)."""
    receipts, network = panel(stores=1, days=28, baskets_per_day=5)
    pools = prepare_pools(receipts, network, [(0, 27)])
    counts = [len(np.unique(expand(pools, 8, 4, r, 8, 8).basket)) for r in range(400)]
    dispersion = np.var(counts, ddof=1) / np.mean(counts)
    assert abs(dispersion - 1) < 5 * np.sqrt(2 / 399)


def test_the_same_seed_repeats_every_byte_and_another_replication_does_not():
    receipts, network = panel(stores=3)
    pools = prepare_pools(receipts, network, [(0, 55)])
    again = prepare_pools(receipts, network, [(0, 55)])
    assert same(expand(pools, 3, 5, 2, 0, 55), expand(again, 3, 5, 2, 0, 55))
    assert not same(expand(pools, 3, 5, 2, 0, 55), expand(pools, 3, 5, 3, 0, 55))


def test_adding_a_store_to_another_cluster_changes_nobody():
    small, small_net = panel(stores=3)
    large, large_net = panel(stores=5)
    a = expand(
        prepare_pools(small, small_net, [(0, 55)], clusters=np.zeros(3, int)), 3, 5, 0, 0, 55
    )
    labels = np.array([0, 0, 0, 1, 1])
    b = expand(prepare_pools(large, large_net, [(0, 55)], clusters=labels), 3, 5, 0, 0, 55)
    for i in range(3):
        for left, right in zip(store_lines(a, i), store_lines(b, i), strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_day_gets_the_same_demand_whatever_window_is_drawn():
    receipts, network = panel(stores=2)
    pools = prepare_pools(receipts, network, [(0, 55)])
    whole = expand(pools, 3, 5, 0, 0, 55)
    part = expand(pools, 3, 5, 0, 17, 30)
    for i in range(2):
        t, sku, *_ = store_lines(whole, i)
        inside = (t // DAY_SECONDS >= 17) & (t // DAY_SECONDS <= 30)
        np.testing.assert_array_equal(t[inside], store_lines(part, i)[0])
        np.testing.assert_array_equal(sku[inside], store_lines(part, i)[1])


def test_a_day_on_which_the_whole_cluster_was_closed_stays_empty():
    receipts, network = panel(stores=4, baskets_per_day=20)
    closed = only_lines(receipts, receipts.t_s // DAY_SECONDS != 24)
    pools = prepare_pools(closed, network, [(0, 55)], clusters=one_cluster(closed))
    out = expand(pools, 3, 1, 0, 21, 27)
    assert not (out.t_s // DAY_SECONDS == 24).any()
    assert set(np.unique(out.t_s // DAY_SECONDS)) == {21, 22, 23, 25, 26, 27}


def only_lines(receipts, keep):
    """The receipts with the lines of `keep` (N,) bool only."""
    rows = np.flatnonzero(keep)
    stores = len(receipts.store_ids)
    store = np.repeat(np.arange(stores), np.diff(receipts.offsets))[rows]
    return ReceiptColumns(
        receipts.store_ids,
        receipts.sku_ids,
        np.searchsorted(store, np.arange(stores + 1)).astype(np.int64),
        *(getattr(receipts, name)[rows] for name in COLUMNS[1:]),
    )


@pytest.mark.parametrize("future", ["bulk", "gone", "open on Sundays for the first time"])
def test_the_bootstrap_never_sees_the_days_it_stands_for(future):
    receipts, network = panel(days=56)
    day = receipts.t_s // DAY_SECONDS
    if future == "bulk":
        quantity = np.where(day >= 42, 10**6, receipts.quantity).astype(np.int32)
        changed = dataclasses.replace(receipts, quantity=quantity)
    elif future == "gone":
        changed = only_lines(receipts, day < 42)
    else:
        receipts = only_lines(receipts, (day % 7 != 6) | (day >= 42))
        changed = only_lines(receipts, receipts.t_s // DAY_SECONDS < 42)
    drawn = [
        bootstrap(
            prepare_pools(r, network, [(0, 41), (42, 55)]), 4, 1, 0,
            source_first=14, source_last=41, first_day=42, last_day=55,
        )
        for r in (receipts, changed)
    ]  # fmt: skip
    assert same(*drawn)
    assert drawn[0].lines > 1_000


def test_an_earlier_segment_does_not_change_with_a_later_one():
    receipts, network = panel(days=56)
    changed = only_lines(receipts, receipts.t_s // DAY_SECONDS < 42)
    drawn = [
        expand(prepare_pools(r, network, [(0, 41), (42, 55)]), 3, 1, 0, 0, 41)
        for r in (receipts, changed)
    ]
    assert same(*drawn)


def test_the_bootstrap_keeps_level_and_weekdays_of_the_source_weeks():
    """20 bootstraps of 2 weeks of ~7,000 units a store-week: standard error of a weekday
    ~0.5 %, that of the four source weeks' own weekday counts ~4 %; band 15 %."""
    receipts, network = panel(days=56, baskets_per_day=60)
    pools = prepare_pools(receipts, network, [(0, 41), (42, 55)])
    total = np.zeros(7)
    for r in range(20):
        out = bootstrap(pools, 2, 1, r, source_first=14, source_last=41, first_day=42, last_day=55)
        total += daily_units(out, 42, 55).sum(axis=(0, 1)).reshape(2, 7).sum(axis=0)
    source = daily_units(receipts, 14, 41).sum(axis=(0, 1)).reshape(4, 7).sum(axis=0)
    np.testing.assert_allclose(total / 40 / 2, source / 4, rtol=0.15)
    assert total.sum() / 80 == pytest.approx(source.sum() / 4, rel=0.02)


def test_thinning_keeps_whole_baskets_in_their_share():
    receipts, _ = panel(days=56)
    kept = thin(receipts, 0.25, np.random.default_rng(1))
    before, after = set(baskets_of(receipts)), set(baskets_of(kept))
    assert after <= before
    # 4,900 baskets kept with 1/4: standard error 0.6 points, band 4 of them.
    assert len(after) / len(before) == pytest.approx(0.25, abs=0.025)


def test_single_unit_lines_hold_the_same_units():
    receipts, _ = panel(stores=2, days=14)
    single = with_quantity_one(receipts)
    assert (single.quantity == 1).all()
    np.testing.assert_array_equal(daily_units(single, 0, 13), daily_units(receipts, 0, 13))


def test_the_record_states_factor_pool_and_seed():
    receipts, network = panel(stores=2, days=28)
    pools = prepare_pools(receipts, network, [(0, 27)])
    out = expand(pools, 3, 5, 1, 0, 27)
    stated = record(pools, 3, 5, 1, out).as_json()
    assert (stated["k"], stated["seed"], stated["replication"]) == (3.0, 5, 1)
    assert stated["expanded_lines"] == out.lines
    assert "0.3 of the draws from the store's own" in stated["pool"]


@pytest.mark.parametrize(
    ("k", "first", "last", "field"),
    [(0, 0, 10, "panel_expansion"), (float("nan"), 0, 10, "panel_expansion"),
     (2, 5, 4, "first_day"), (2, 0, 99, "first_day"), (2, 27, 30, "first_day")],
)  # fmt: skip
def test_a_bad_factor_or_window_is_refused_by_name(k, first, last, field):
    receipts, network = panel(stores=1, days=56)
    pools = prepare_pools(receipts, network, [(0, 27), (35, 55)])
    with pytest.raises(InvalidInput) as caught:
        expand(pools, k, 1, 0, first, last)
    assert caught.value.field == field


def test_overlapping_segments_are_refused():
    receipts, network = panel(stores=1, days=28)
    with pytest.raises(InvalidInput, match="overlaps"):
        prepare_pools(receipts, network, [(0, 14), (14, 27)])
