"""The state of a run: stock arrays, receipt columns, random keys, opening."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import ScenarioInvalid
from policies.domain.goods import Skus
from policies.domain.nearest import check_in_network
from policies.domain.network import DAY_SECONDS, LocationKind, Network
from policies.domain.receipts import ReceiptColumns
from twin import draws
from twin.arrays import Frailty, Lines, Master, Stock, Totals
from twin.kernel import TALLY
from twin.panel import GrowingPanel
from twin.processes import Substitution
from twin.scenario import Opening, Scenario
from twin.touches import EVENTS


@dataclass
class State:
    """Everything that changes while a run runs, and the constants beside it."""

    scenario: Scenario
    stock: Stock
    lines: Lines
    cursor: npt.NDArray[np.int64]
    master: Master
    frailty: Frailty
    totals: Totals
    sold_total: npt.NDArray[np.int64]
    panel: GrowingPanel
    window: npt.NDArray[np.int32]
    tally: npt.NDArray[np.int64]
    events: npt.NDArray[np.int64]

    @property
    def network(self) -> Network:
        """The scenario's network."""
        return self.scenario.network

    def go_on_with(self, demand: ReceiptColumns, start_s: int) -> None:
        """Take the receipts from `start_s` on, when all earlier ones have been served."""
        old = self.lines
        if demand.store_ids != self.scenario.demand.store_ids:
            raise ScenarioInvalid("a stretch of receipts has other stores", field="demand")
        if (self.cursor < old.offsets[1:]).any():
            raise ScenarioInvalid(
                f"a stretch of receipts begins at {start_s} s, and the one before it ends later",
                field="demand",
                remedy="end each stretch at the midnight where the next one begins",
            )
        self.lines = _lines(demand, self.network, old.before + np.diff(old.offsets))
        self.cursor = first_lines(self.lines, start_s)
        if (self.cursor > self.lines.offsets[:-1]).any():
            raise ScenarioInvalid(
                f"a stretch has receipts before {start_s} s, where it begins", field="demand"
            )

    @property
    def lines_served(self) -> int:
        """Receipt lines up to now, those before the first day of the run included."""
        return int((self.cursor - self.lines.offsets[:-1] + self.lines.before).sum())


def open_state(scenario: Scenario, opening: Opening, seed: int, replication: int) -> State:
    """State at midnight of the first day."""
    network = scenario.network
    shape = network.shape
    start_s = scenario.first_day * DAY_SECONDS
    _check_opening(opening, shape)
    book, physical = _whole(opening.book), _whole(opening.physical)
    panel = GrowingPanel(shape, scenario.panel_days, scenario.days, opening.sold)
    sold = panel.window_sum()
    window = sold.copy()
    for warehouse in network.warehouses:
        # A warehouse sells what its stores sell, on the days before the first one too.
        window[warehouse] = sold[network.locations.source == warehouse].sum(axis=0)
    stock = Stock(
        physical=physical,
        book=book,
        waiting=_zeros(shape),
        transit=_zeros(shape),
        on_order=_zeros(shape),
        reserved=_zeros(shape),
        expected=book + sold,
        gap=book - physical,
        zero_since=np.full(shape, start_s, dtype=np.int32),
        out_today=_zeros(shape),
        on_road=np.zeros(shape[0], dtype=np.int64),
        risen=np.zeros(shape[0], dtype=np.int8),
        shelf=_shelf(scenario, physical),
        stray=_zeros(shape) if scenario.misplacement.on else _zeros((shape[0], 0)),
    )
    lines = _lines(scenario.demand, network, np.zeros(len(network.stores), dtype=np.int64))
    categories = len(network.skus.categories)
    skus = shape[1]
    return State(
        scenario=scenario,
        stock=stock,
        lines=lines,
        cursor=first_lines(lines, start_s),
        master=master_of(network),
        frailty=_frailty(scenario, seed, replication),
        totals=Totals(*(np.zeros(skus, dtype=np.int64) for _ in range(4))),
        sold_total=np.zeros(skus, dtype=np.int64),
        panel=panel,
        window=window,
        tally=np.zeros((shape[0], categories, len(TALLY)), dtype=np.int64),
        events=np.zeros((shape[0], categories, len(EVENTS)), dtype=np.int64),
    )


def master_of(network: Network) -> Master:
    """The network's columns as the kernels read them."""
    skus, places = network.skus, network.locations
    member = np.argsort(skus.category, kind="stable").astype(np.int32)
    sizes = np.bincount(skus.category, minlength=len(skus.categories))
    return Master(
        skus.category,
        skus.unit_cost_cents,
        skus.unit_price_cents,
        skus.pack_size,
        member,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        places.opens_s,
        places.closes_s,
        places.kind == LocationKind.STORE,
        network.listed,
        _supplier(network),
    )


def _supplier(network: Network) -> npt.NDArray[np.int32]:
    """(L,) int32: position of each store's warehouse among the warehouses, else W."""
    out = np.full(network.shape[0], len(network.warehouses), dtype=np.int32)
    for w, warehouse in enumerate(network.warehouses):
        out[network.locations.source == warehouse] = w
    return out


def first_lines(lines: Lines, start_s: int) -> npt.NDArray[np.int64]:
    """(S,) int64, the first line of each store at or after `start_s`."""
    begins = [
        lo + np.searchsorted(lines.t[lo:hi], np.int32(start_s), side="left")
        for lo, hi in zip(lines.offsets[:-1], lines.offsets[1:], strict=True)
    ]
    return np.array(begins, dtype=np.int64)


def mean_daily(scenario: Scenario) -> npt.NDArray[np.float64]:
    """(L, K) float64, mean units demanded per day; a warehouse's is its stores' sum.

    The mean is over all of the scenario's receipts: the opening stock of a run without
    a given opening is the one thing that knows the whole window.
    """
    network, demand = scenario.network, scenario.demand
    skus = network.shape[1]
    total = np.zeros(network.shape)
    for s, place in enumerate(network.stores):
        rows = demand.store(s)
        total[place] = np.bincount(demand.sku[rows], weights=demand.quantity[rows], minlength=skus)[
            :skus
        ]
    first = min((int(demand.t_s[lo]) for lo in _starts(demand.offsets)), default=0)
    last = max((int(demand.t_s[hi - 1]) for hi in _ends(demand.offsets)), default=0)
    days = last // DAY_SECONDS - first // DAY_SECONDS + 1
    for warehouse in network.warehouses:
        total[warehouse] = total[network.locations.source == warehouse].sum(axis=0)
    return total / days


def cover_opening(scenario: Scenario) -> Opening:
    """`opening_cover_days` of mean demand everywhere, in whole packs, book = physical."""
    packs = np.ceil(
        mean_daily(scenario) * scenario.opening_cover_days / scenario.network.skus.pack_size
    )
    units = (packs * scenario.network.skus.pack_size).astype(np.int32)
    units *= scenario.network.listed
    return Opening(units, units.copy())


def _lines(demand: ReceiptColumns, network: Network, before: npt.NDArray[np.int64]) -> Lines:
    return Lines(
        np.asarray(demand.offsets, dtype=np.int64),
        demand.t_s,
        demand.sku,
        demand.quantity,
        demand.unit_price_cents,
        network.stores,
        before,
    )


def _starts(offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return offsets[:-1][offsets[1:] > offsets[:-1]]


def _ends(offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return offsets[1:][offsets[1:] > offsets[:-1]]


def _zeros(shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    return np.zeros(shape, dtype=np.int32)


def _shelf(scenario: Scenario, physical: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Full shelves to begin with; (L, 0) where all stock is in front."""
    rules = scenario.shelf
    if rules.packs == 0:
        return physical.copy() if scenario.misplacement.on else physical[:, :0].copy()
    return np.minimum(physical, rules.room(scenario.network.skus.pack_size))


def _whole(array: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    return np.array(array, dtype=np.int32, order="C")


def _check_opening(opening: Opening, shape: tuple[int, int]) -> None:
    for name in ("book", "physical"):
        value = getattr(opening, name)
        if value.shape != shape or (value < 0).any():
            raise ScenarioInvalid(
                f"opening.{name} must be {shape}, none negative", field=f"opening.{name}"
            )
    if opening.sold is not None and opening.sold.shape[1:] != shape:
        raise ScenarioInvalid(f"opening.sold must be (H, {shape[0]}, {shape[1]})", field="opening")


def _frailty(scenario: Scenario, seed: int, replication: int) -> Frailty:
    stores = scenario.demand.store_ids
    none = np.zeros(len(stores), dtype=np.uint64)
    frictions = scenario.frictions

    switch_share, rows = (
        switch_shares(scenario),
        switch_rows(scenario.substitution, scenario.network.skus),
    )
    switches = max(float(switch_share.max(initial=0.0)), float(rows[2].max(initial=0.0)))

    def keyed(rate: float, purpose: str) -> draws.Keys:
        return draws.keys(seed, replication, purpose, stores) if rate > 0 else none

    return Frailty(
        float(frictions.shrink_per_unit_sold),
        float(frictions.misscan_per_line),
        scenario.store.backorders,
        keyed(frictions.shrink_per_unit_sold, "shrink"),
        keyed(frictions.misscan_per_line, "misscan"),
        scenario.shelf.packs > 0 or scenario.misplacement.on,
        scenario.shelf.packs == 0,
        switches > 0,
        switch_share,
        keyed(switches, "substitution"),
        *rows,
    )


def switch_rows(
    rules: Substitution, skus: Skus
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """(`row_first`, `row_to`, `row_share`) of the substitution matrix, as in ``Frailty``."""
    matrix = dict(rules.matrix)
    number = {name: k for k, name in enumerate(skus.ids)}
    for name in [*matrix, *(other for row in matrix.values() for other, _ in row)]:
        check_in_network("SKU", name, number, "substitution.matrix")
    first, to = [0], []
    share: list[float] = []
    for k, name in enumerate(skus.ids):
        below = 0.0
        for other, part in matrix.get(name, ()):
            if skus.category[number[other]] != skus.category[k] or other == name:
                raise ScenarioInvalid(
                    f"{other} is no other SKU of the category of {name}",
                    field="substitution.matrix",
                    remedy="name other SKUs of the same category",
                )
            below += part
            to.append(number[other])
            share.append(below)
        first.append(len(to))
    return (
        np.array(first if matrix else [], dtype=np.int32),
        np.array(to, dtype=np.int32),
        np.array(share, dtype=np.float64),
    )


def switch_shares(scenario: Scenario) -> npt.NDArray[np.float64]:
    """(C,) share of customers who take another SKU of the category."""
    rules, names = scenario.substitution, scenario.network.skus.categories
    shares = np.full(len(names), float(rules.share))
    for name, share in rules.by_category:
        check_in_network("category", name, names, "substitution.by_category")
        shares[names.index(name)] = share
    return shares
