"""Phantoms found where the truth is known, from book and sales alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.conformance import random_view
from policies.domain.errors import InvalidInput
from policies.domain.forecast import SalesPanel
from policies.phantom import CountSample, PhantomDetector
from policies.silence import Endurance, days_without_sale
from tests.unit.policy_views import a_view


def a_world(seed, share=0.05, days=60):
    """(view, panel, truth): 30 stores × 200 SKUs, some of whose book stock is not there.

    Rates are store × SKU × a chance of the cell. Phantoms began on a day of the last hundred,
    and their book shows one unit mostly, two seldom, more hardly ever.
    """
    rng = np.random.default_rng(seed)
    network = random_view(rng, stores=30, skus=200, warehouses=1).network
    shape = network.shape
    size = rng.lognormal(0, 0.5, (shape[0], 1)) * rng.lognormal(-0.5, 1.0, (1, shape[1]))
    rate = size * rng.gamma(4.0, 0.25, shape)
    sold = rng.negative_binomial(rate / 0.5 + 1e-9, 1 / 1.5, (days, *shape))
    is_gone = rng.random(shape) < share
    began = np.where(is_gone, rng.integers(days - 100, days, shape), days)
    sold[np.arange(days)[:, None, None] >= began] = 0
    on_hand = np.where(is_gone, rng.geometric(0.65, shape), 1 + rng.poisson(rate * 4))
    on_hand[rng.random(shape) < 0.05] = 0
    nothing = np.zeros(shape, dtype=np.int32)
    fields = dict.fromkeys(("on_order", "in_transit", "backorders", "reserved"), nothing)
    view = a_view(network, on_hand=on_hand.astype(np.int32), **fields)
    return view, SalesPanel(days - 1, sold.astype(np.int32)), is_gone & (on_hand > 0)


def stores_of(view):
    return (view.network.locations.source >= 0)[:, None] & view.network.listed


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_proposed_counts_hit_three_times_as_often_as_random_ones(seed):
    """At equal numbers of counts: a hit is a cell whose stock is not there."""
    view, panel, truth = a_world(seed)
    counts = PhantomDetector().fitted(view, panel).counts(view, panel, 150)
    hits = np.mean([truth[place, sku] for place, sku, _ in counts])
    stores = stores_of(view)
    random = truth[stores & (view.on_hand > 0)].mean()
    assert len(counts) == 150
    assert hits >= 3 * random


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_silence_alone_takes_most_of_the_error_out_of_availability(seed):
    view, panel, truth = a_world(seed)
    book, corrected = PhantomDetector().fitted(view, panel).availability(view, panel)
    stores = stores_of(view)
    true = ((view.on_hand > 0) & ~truth)[stores].mean()
    assert abs(book - true) > 0.03
    assert abs(corrected - true) <= 0.4 * abs(book - true)


def test_days_out_of_stock_are_no_evidence():
    sold = np.zeros((5, 1, 1), dtype=np.int32)
    sold[1] = 2
    assert days_without_sale(SalesPanel(4, sold)).item() == 3
    out = np.zeros((5, 1, 1), dtype=np.uint8)
    out[3] = 100
    assert days_without_sale(SalesPanel(4, sold, out)).item() == 2


def test_an_empty_book_is_never_counted_as_a_phantom():
    view, panel, _ = a_world(4)
    chance = PhantomDetector().chance(view, panel)
    assert (chance[view.on_hand <= 0] == 0).all()
    assert ((chance >= 0) & (chance <= 1)).all()


def test_a_book_of_one_is_suspected_before_a_book_of_nine():
    view, panel, _ = a_world(4)
    detector = PhantomDetector().fitted(view, panel)
    chance = {
        units: detector.chance(
            dataclasses.replace(view, on_hand=np.full(view.network.shape, units, np.int32)), panel
        )[stores_of(view)]
        for units in (1, 9)
    }
    assert (chance[1] >= chance[9]).all()
    assert chance[1].mean() > 2 * chance[9].mean()


def test_a_cell_that_never_sold_is_judged_by_its_neighbours():
    """A silent SKU where all others sell it, and one that nobody sells anywhere."""
    view, panel, _ = a_world(6, share=0.0)
    stores = stores_of(view)
    best = int(panel.sold.sum(axis=(0, 1)).argmax())
    worst = 0 if best else 1
    place = int(np.flatnonzero(stores[:, best] & stores[:, worst])[0])
    sold, on_hand = panel.sold.copy(), view.on_hand.copy()
    sold[:, place, best] = 0
    sold[:, :, worst] = 0
    on_hand[place, [best, worst]] = 1
    view, panel = dataclasses.replace(view, on_hand=on_hand), SalesPanel(panel.last_day, sold)
    chance = PhantomDetector().fitted(view, panel).chance(view, panel)
    assert chance[place, best] > 0.9
    assert chance[place, worst] < 0.1


def test_random_counts_correct_what_the_chances_get_wrong():
    """Told a thousandth of the phantoms, two thousand counts bring the sum within a point."""
    view, panel, truth = a_world(7)
    blind = PhantomDetector(1e-6, 1e-6, 0.01)
    stores = stores_of(view)
    countable = np.flatnonzero(stores & (view.on_hand > 0))
    sample = np.random.default_rng(1).choice(countable, 2000, replace=False)
    counted = CountSample(blind.chance(view, panel).ravel()[sample], truth.ravel()[sample])
    true = ((view.on_hand > 0) & ~truth)[stores].mean()
    assert abs(blind.availability(view, panel)[1] - true) > 0.02
    # Standard error of the share: 0.5 points; 1.5 points are exceeded once in 400 seeds.
    assert abs(blind.availability(view, panel, counted)[1] - true) <= 0.015


@pytest.mark.parametrize("values", [(0.0, 0.1, 0.3), (0.1, 1.0, 0.3), (0.1, 0.1, float("nan"))])
def test_shares_outside_0_and_1_are_refused(values):
    with pytest.raises(InvalidInput, match=r"\(0, 1\)"):
        PhantomDetector(*values)


def test_a_panel_of_other_cells_or_no_days_is_refused():
    view, panel, _ = a_world(4)
    for sold in (panel.sold[:, :, 1:], panel.sold[:0]):
        with pytest.raises(InvalidInput, match="panel has shape"):
            PhantomDetector().chance(view, SalesPanel(panel.last_day, sold))
    with pytest.raises(InvalidInput, match="chances"):
        CountSample(np.zeros(3), np.zeros(2, dtype=bool))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_goods_out_of_season_are_not_taken_for_phantoms(seed):
    """One cell in five sells no more, from different days on, and all else comes in bursts."""
    view, panel, truth = a_world(seed, share=0.0)
    rng = np.random.default_rng(seed)
    days, places, skus = panel.sold.shape
    ends = np.where(rng.random((places, skus)) < 0.2, rng.integers(5, days, (places, skus)), days)
    burst = rng.random((-(-days // 6), places, skus)) < 0.3
    sold = panel.sold * np.repeat(burst, 6, axis=0)[:days]
    sold[np.arange(days)[:, None, None] >= ends] = 0
    panel = SalesPanel(days - 1, sold)
    chance = PhantomDetector().fitted(view, panel).chance(view, panel)
    stocked = stores_of(view) & (view.on_hand > 0)
    assert not truth.any()
    assert chance[stocked].sum() <= 0.03 * stocked.sum()
    assert (chance[stocked] >= 0.25).mean() <= 0.01


def test_silences_that_were_sold_out_of_say_how_long_full_shelves_are_silent():
    """Half end at 1, half at 2: at 0.5 all last, at 1.5 half, at 2.0 half."""
    ended = np.repeat([1.05, 2.05], 500)
    found = Endurance.of(ended, np.zeros(0), np.zeros(0))
    times = found.against_full(np.array([0.5, 1.5, 1.99]))
    assert times == pytest.approx([1.0, 2.0, 2.0])
    lasting = np.full(1000, 1.5)
    later = Endurance.of(ended, lasting, np.ones(1000))
    believed_empty = Endurance.of(ended, lasting, np.zeros(1000))
    assert later.against_full(np.array([1.4])) == pytest.approx([4 / 3])
    assert believed_empty.against_full(np.array([1.4])) == pytest.approx([2.0])


def test_steady_sales_are_the_evidence_without_a_fit():
    assert Endurance.of_steady_sales().against_full(np.array([0.0, 2.0])) == pytest.approx(
        [1.0, np.exp(2.0)]
    )
