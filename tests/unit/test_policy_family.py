"""Every policy of the family: its contract, and the loop that says the same in ten lines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from policies.allocation.fair_share import FairShare
from policies.allocation.marginal_value import MarginalValue
from policies.allocation.proportional import Proportional
from policies.conformance import check_policy, random_view
from policies.domain.errors import InvalidInput, PolicyBroken, UnknownLocation
from policies.domain.forecast import Forecast
from policies.registry import ALLOCATORS, RECIPES, build_bundle
from policies.replenishment.baselines import Ddmrp, SpreadsheetBaseStock
from policies.replenishment.echelon import EchelonBaseStock
from policies.replenishment.one_period import MyopicOrder, Newsvendor
from policies.replenishment.orders import OrderRules
from policies.replenishment.perishable import PerishableBaseStock, expected_waste
from policies.replenishment.reorder import ModifiedReorder, ReorderBatches
from tests.unit.domain_networks import small_network
from tests.unit.policy_views import a_view

SEEDS = st.integers(0, 10_000)


def bundle(name, **params):
    """A registered bundle with numbers where it needs them."""
    needed = {"constant-order": {"quantity": 4}, "fixed-base-stock": {"level": 9}}
    return build_bundle(name, needed.get(name, {}) | params)


@pytest.mark.parametrize("allocation", sorted(ALLOCATORS))
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_registered_policy_keeps_the_contract(name, allocation):
    check_policy(bundle(name, allocation=allocation, lateral_transfers=True))


@dataclass(frozen=True)
class Greedy:
    """Breaks one promise, by `fault`."""

    fault: str

    def order_quantity(self, view):
        """Whole cases of 3, or what `fault` says."""
        pack = view.network.skus.pack_size
        wanted = np.where(view.may_order, 3 * pack, 0).astype(np.int32)
        if self.fault == "packs":
            wanted = np.where(view.may_order, 3 * pack + 1, 0).astype(np.int32)
        if self.fault == "scope":
            wanted = np.broadcast_to(3 * pack, view.network.shape).astype(np.int32)
        if self.fault == "order":
            wanted[:, 0] *= 2
        return wanted, np.ones(wanted.shape, dtype=np.int8)


@dataclass(frozen=True)
class GrantAll:
    """Ships what is not there."""

    def allocate(self, view, wanted):
        """All of it."""
        del view
        return wanted * 9


@pytest.mark.parametrize(
    ("fault", "promise"),
    [("packs", "whole cases"), ("scope", "out of scope"), ("order", "order of the axis")],
)
def test_a_policy_that_breaks_a_promise_is_named_with_it(fault, promise):
    bad = replace(bundle("incumbent"), replenisher=Greedy(fault))
    with pytest.raises(PolicyBroken, match=promise):
        check_policy(bad)


def test_shipping_what_is_not_there_is_found():
    with pytest.raises(PolicyBroken, match="available"):
        check_policy(replace(bundle("incumbent"), allocator=GrantAll()))


class Cell:
    """One store and SKU of a view, for the loops."""

    def __init__(self, view, place, sku):
        goods, forecast = view.network.skus, view.forecast
        self.pack = int(goods.pack_size[sku])
        self.listed = bool(view.network.listed[place, sku])
        self.days = int(view.protection_days[place])
        self.rate = float(forecast.level[place, sku])
        self.ratio = float(forecast.variance_ratio[place, sku])
        self.weekday = [float(forecast.weekday[place, (view.day + 1 + d) % 7]) for d in range(40)]
        self.position = int(view.inventory_position[place, sku])
        self.on_hand = int(view.on_hand[place, sku])
        self.life = int(goods.shelf_life_days[sku])
        self.price = int(goods.unit_price_cents[sku])
        self.cost = int(goods.unit_cost_cents[sku])

    def mean(self, days):
        """Expected units of so many days."""
        return self.rate * sum(self.weekday[:days])

    def law(self, mean):
        """Distribution of a total."""
        if self.ratio < 1 + 1e-6:
            return stats.poisson(mean)
        return stats.nbinom(mean / (self.ratio - 1), 1 / self.ratio)

    def quantile(self, days, share):
        """As SciPy says."""
        mean = self.mean(days)
        return int(self.law(mean).ppf(share)) if mean > 0 else 0

    def packed(self, gap):
        """Whole cases; a twentieth of one is a case."""
        cases, rest = divmod(max(gap, 0), self.pack)
        return (cases + (rest > 0 and rest >= 0.05 * self.pack)) * self.pack


def batches(c):
    """(R, s, nQ)."""
    level = max(c.quantile(c.days, 0.95), c.listed)
    batch = max(math.ceil(c.rate * 3.0 / c.pack), 1) * c.pack
    return c.packed(math.ceil((level - c.position) / batch) * batch)


def modified(c):
    """(s, S, q)."""
    s = max(c.quantile(c.days, 0.9), c.listed) - 1
    if c.position > s:
        return 0
    most = max(math.ceil(np.float32(1.5) * np.float32(c.mean(c.days))), 1)
    return c.packed(min(s + max(math.ceil(c.rate * 2.0), 1) - c.position, most))


def newsvendor(c):
    """At the critical ratio, for the review or the life."""
    ratio = min(max((c.price - c.cost) / max(c.price, 1), 0.01), 0.99)
    window = max(c.days - 1, 1)
    window = min(window, c.life) if c.life else window
    position = c.position - max(c.on_hand, 0) if c.life == 1 else c.position
    return c.packed(c.quantile(window, ratio) - position)


def myopic(c):
    """Least z that serves at the fractile after a day of sale."""
    x = max(c.position, 0)
    before = c.mean(min(c.days, 1))
    after = c.mean(c.days) - before
    early, late = c.law(before), c.law(max(after, 1e-12))
    left = [early.sf(x - 1) if x else 1.0, *(early.pmf(x - j) for j in range(1, x + 1))]
    z = 0
    while after > 1e-9 and late.cdf(np.arange(x + 1) + z) @ left < 0.9:
        z += 1
    return c.packed(max(z, c.listed - x) + max(-c.position, 0))


def estimated_waste(c):
    """Oldest first against the mean demand, ages spread evenly."""
    waste = ahead = 0.0
    for d in range(min(c.days - 1, c.life) if c.on_hand > 0 else 0):
        ahead += c.rate * c.weekday[d] - c.on_hand / c.life
        waste, ahead = waste + max(-ahead, 0.0), max(ahead, 0.0)
    return waste


def perishable(c):
    """Base stock with what expires added back."""
    level = max(c.quantile(c.days, 0.9), c.listed)
    return c.packed(level - c.position + math.ceil(estimated_waste(c) - 0.5))


def echelon(c):
    """Stores: plain base stock."""
    return c.packed(max(c.quantile(c.days, 0.9), c.listed) - c.position)


def ddmrp(c):
    """Three zones."""
    yellow = c.rate * c.days
    red = yellow * 0.5 * 1.5
    trigger = max(math.ceil(red + yellow) - (c.rate == 0), c.listed)
    top = math.ceil(red + yellow + max(yellow * 0.5, c.rate, c.pack)) if c.rate else trigger
    return c.packed(max(top, trigger) - c.position if c.position <= trigger else 0)


def spreadsheet(c):
    """Normal for all."""
    level = c.rate * c.days + 1.6448536 * math.sqrt(c.rate * c.ratio * c.days)
    return c.packed(max(math.floor(level + 0.5), c.listed) - c.position)


TWINS = {
    "batches": (ReorderBatches(), batches),
    "modified": (ModifiedReorder(), modified),
    "newsvendor": (Newsvendor(), newsvendor),
    "myopic": (MyopicOrder(lead_days=1), myopic),
    "perishable": (PerishableBaseStock(), perishable),
    "echelon": (EchelonBaseStock(), echelon),
    "ddmrp": (Ddmrp(), ddmrp),
    "spreadsheet": (SpreadsheetBaseStock(), spreadsheet),
}


@pytest.mark.parametrize("name", sorted(TWINS))
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_every_policy_equals_its_loop(name, seed):
    policy, loop = TWINS[name]
    view = random_view(np.random.default_rng(seed), stores=4, skus=3)
    wanted, _ = policy.order_quantity(view)
    for place in view.network.stores:
        for sku in range(3):
            expected = loop(Cell(view, place, sku)) if view.may_order[place, sku] else 0
            assert wanted[place, sku] == expected


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_an_echelon_counts_each_unit_once(seed):
    view = random_view(np.random.default_rng(seed), stores=5, skus=3)
    wanted, _ = EchelonBaseStock().order_quantity(view)
    source = view.network.locations.source
    for w in view.network.warehouses:
        stores = [s for s in view.network.stores if source[s] == w]
        beyond = max([int(view.protection_days[s]) for s in stores], default=0)
        days = int(view.protection_days[w]) + beyond
        for k in range(3):
            cells = [Cell(view, s, k) for s in stores]
            mean = sum(c.mean(days) for c in cells)
            ratio = sum(c.mean(days) * c.ratio for c in cells) / mean if mean else 1.0
            level = stats.nbinom(mean / (ratio - 1), 1 / ratio).ppf(0.95) if mean else 0
            held = view.on_hand[w, k] + view.on_order[w, k] - view.backorders[w, k]
            for s in stores:
                held += view.on_hand[s, k] + view.in_transit[s, k] - view.backorders[s, k]
            gap = Cell(view, w, k).packed(int(level) - int(held))
            assert wanted[w, k] == (gap if view.may_order[w, k] else 0)


def test_known_expiry_days_replace_the_even_spread():
    """Eight units that die tomorrow against a demand of two: six are waste."""
    network = small_network(stores=1, skus=1)
    object.__setattr__(network.skus, "shelf_life_days", np.array([3], dtype=np.int32))
    expires = np.zeros((2, 1, 2), dtype=np.int32)
    expires[1, 0, 0] = 8
    view = a_view(network, stock=10, expires=expires)
    assert expected_waste(view)[1, 0] == pytest.approx(6.0)
    with pytest.raises(InvalidInput, match="expires has shape"):
        a_view(network, expires=np.zeros((2, 2, 2), dtype=np.int32))


def shares(view, wanted, free, pick):
    """Case after case to the store that `pick` prefers; equal ones by id."""
    network = view.network
    granted = np.zeros_like(wanted)
    for w in network.warehouses:
        stores = [s for s in network.stores if network.locations.source[s] == w]
        stores.sort(key=lambda s: network.locations.ids[s])
        for k in range(network.shape[1]):
            left, pack = int(free[w, k]), int(network.skus.pack_size[k])
            if sum(int(wanted[s, k]) for s in stores) <= left:
                granted[stores, k] = wanted[stores, k]
                continue
            pick(stores, k, left, pack, granted)
    return granted


def asked(seed):
    """A view with scarce stock and what its stores want."""
    view = random_view(np.random.default_rng(seed), stores=5, skus=3)
    view = replace(view, scope=None)
    wanted, _ = SpreadsheetBaseStock().order_quantity(view)
    return view, wanted * (view.network.locations.source >= 0)[:, None]


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_proportional_allocation_equals_its_loop(seed):
    view, wanted = asked(seed)

    def pick(stores, k, left, pack, granted):
        whole = sum(int(wanted[s, k]) for s in stores)
        exact = {s: int(wanted[s, k]) * (left / whole) for s in stores}
        for s in stores:
            granted[s, k] = int(exact[s] / pack + 1e-12) * pack
        left -= sum(int(granted[s, k]) for s in stores)
        while True:
            can = [s for s in stores if wanted[s, k] > granted[s, k] and pack <= left]
            if not can:
                return
            best = max(can, key=lambda s: round(exact[s] - granted[s, k], 7))
            granted[best, k] += pack
            left -= pack

    expected = shares(view, wanted, np.maximum(view.available, 0), pick)
    assert (Proportional().allocate(view, wanted) == expected).all()


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_marginal_value_allocation_equals_its_loop(seed):
    view, wanted = asked(seed)

    def worth(s, k, units):
        cell = Cell(view, s, k)
        law = cell.law(max(cell.mean(cell.days), 1e-12))
        return np.mean([law.sf(n) for n in units])

    def pick(stores, k, left, pack, granted):
        while True:
            can = [s for s in stores if wanted[s, k] > granted[s, k] and pack <= left]
            if not can:
                return
            at = {s: int(view.inventory_position[s, k] + granted[s, k]) for s in can}
            best = max(can, key=lambda s: round(worth(s, k, range(at[s], at[s] + pack)), 9))
            granted[best, k] += pack
            left -= pack

    expected = shares(view, wanted, np.maximum(view.available, 0), pick)
    assert (MarginalValue().allocate(view, wanted) == expected).all()


@pytest.mark.parametrize("allocator", [FairShare(), Proportional(), MarginalValue()])
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_no_allocation_gives_more_than_there_is_or_leaves_a_case_that_is_wanted(allocator, seed):
    """Also where the book of a store stands below zero."""
    view, wanted = asked(seed)
    got = allocator.allocate(view, wanted)
    free = np.maximum(view.available, 0)
    for w in view.network.warehouses:
        mine = (view.network.locations.source == w) & view.review_due
        left = free[w] - got[mine].sum(axis=0)
        assert (left >= 0).all()
        unmet = (wanted[mine] - got[mine]).sum(axis=0)
        assert ((left < view.network.skus.pack_size) | (unmet == 0)).all()
    assert (got <= wanted).all()


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ReorderBatches(fractile=1.0), "fractile"),
        (lambda: ReorderBatches(batch_days=-1), "batch_days"),
        (lambda: ModifiedReorder(cap_share=0), "cap_share"),
        (lambda: Newsvendor(salvage_share=1.0), "salvage_share"),
        (lambda: MyopicOrder(lead_days=-1), "lead_days"),
        (lambda: PerishableBaseStock(fractile=float("nan")), "fractile"),
        (lambda: EchelonBaseStock(warehouse_fractile=0.0), "warehouse_fractile"),
        (lambda: Ddmrp(variability_factor=float("nan")), "variability_factor"),
        (lambda: SpreadsheetBaseStock(fractile=2), "fractile"),
        (lambda: OrderRules(pack_share=0), "pack_share"),
        (lambda: OrderRules(presentation_units=-1), "presentation_units"),
        (lambda: build_bundle("ddmrp", {"allocation": "fairest"}), "policy.params.allocation"),
    ],
)
def test_an_impossible_parameter_is_named(make, field):
    with pytest.raises(InvalidInput) as caught:
        make()
    assert caught.value.field == field


def test_impossible_views_are_refused_with_place_and_remedy():
    network = small_network()
    bad = np.zeros(network.shape, dtype=np.int32)
    bad[1, 2] = -4
    with pytest.raises(InvalidInput) as caught:
        a_view(network, on_order=bad)
    assert (caught.value.field, caught.value.row) == ("view.on_order", "S0")
    with pytest.raises(InvalidInput, match="on_hand has shape"):
        a_view(network, on_hand=np.zeros((3, 4), dtype=np.int32))
    level = np.ones(network.shape, dtype=np.float32)
    level[1, 1] = np.nan
    with pytest.raises(InvalidInput, match="NaN"):
        Forecast(10, 0, level, np.ones((3, 7), np.float32), np.ones(network.shape, np.float32))


def test_a_store_served_from_nowhere_is_refused():
    network = small_network()
    source = np.array([-1, 0, 9], dtype=np.int32)
    with pytest.raises(UnknownLocation) as caught:
        replace(network, locations=replace(network.locations, source=source))
    assert caught.value.row == "S1"


def test_stock_below_zero_in_the_book_is_ordered_for_and_never_shipped():
    """Legal: a sale may reach the book before the receipt does."""
    network = small_network()
    on_hand = np.full(network.shape, -3, dtype=np.int32)
    decision = build_bundle("base-stock").decide(a_view(network, on_hand=on_hand))
    assert (decision.lines.origin < 0).all()
    assert len(decision.lines)
